"""Where a command's claim is: its exit code, a JSON document, JSON lines, or what it prints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from verifier.errors import UsageError
from verifier.implementations import claims, patterns
from verifier.implementations.claims import LIMIT, Testimony, Unreadable
from verifier.implementations.placeholders import Template, is_in_workdir, template
from verifier.implementations.process import KEPT, Finished
from verifier.implementations.tables import Table
from verifier.readers import suggestion, switch

__all__ = ["Telling", "Unreadable", "of"]

_EXIT_CODE, _JSON, _LINES, _PATTERNS = "exit-code", "json", "json-lines", "patterns"
_STDOUT = "stdout"
_WORDS = (_EXIT_CODE, _JSON, _LINES)
_ADVICE = (
    'write "exit-code", "json", "json-lines", { json = "{workdir}/claim.json" }, '
    "{ json-lines = \"stdout\", lenient = true } or { patterns = ['…'] }"
)


class Telling(Protocol):
    """A way in which a program says what it did."""

    @property
    def keep(self) -> int:
        """Bytes of each output stream that it takes."""

    def words(self, done: Finished) -> str:
        """What the program says for people, which stands in for a message of its claim's own."""

    def read(self, done: Finished, values: Mapping[str, str]) -> Testimony:
        """What was said; ``values`` by placeholder. Raises :class:`Unreadable`."""


@dataclass(frozen=True, slots=True)
class ExitCode:
    """The exit code is all that is said."""

    keep: int = KEPT

    def words(self, done: Finished) -> str:
        return done.last_words()

    def read(self, done: Finished, values: Mapping[str, str]) -> Testimony:
        return Testimony()


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document, or one JSON object a line, on the standard output or in a file."""

    file: Template | None
    """``None``: the standard output."""
    lines: bool = False
    lenient: bool = False

    @property
    def keep(self) -> int:
        return LIMIT if self.file is None else KEPT

    def words(self, done: Finished) -> str:
        return (replace(done, stdout="") if self.file is None else done).last_words()

    def read(self, done: Finished, values: Mapping[str, str]) -> Testimony:
        if self.file is not None:
            path = Path(self.file.fill(values))
            return self._in(path, _content(path))
        if _STDOUT in done.cut:
            raise Unreadable(f"the standard output is longer than {LIMIT:,} bytes")
        return self._in("the standard output", done.stdout)

    def _in(self, place: object, text: str) -> Testimony:
        try:
            if not self.lines:
                return claims.of_text(text)
            return claims.of_lines(text.split("\n"), lenient=self.lenient)
        except Unreadable as error:
            raise Unreadable(f"{place} has {error}") from None


def _content(path: Path) -> str:
    """The text of a file, which is taken away: it was written for us, and is no leftover."""
    if not path.exists():
        raise Unreadable(f"{path} was not written")
    if not path.is_file():
        raise Unreadable(f"{path} is no file")
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
        path.unlink()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise Unreadable(f"{path} is longer than {LIMIT:,} bytes")
    return data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Printed:
    """Expressions find the claim in what is printed."""

    patterns: tuple[patterns.Pattern, ...]
    keep: int = LIMIT

    def words(self, done: Finished) -> str:
        return done.last_words()

    def read(self, done: Finished, values: Mapping[str, str]) -> Testimony:
        if done.cut:
            raise Unreadable(f"{' and '.join(done.cut)} longer than {LIMIT:,} bytes")
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        return patterns.of_output(self.patterns, lines)


def of(table: Table, names: Collection[str]) -> Telling:
    """The way that ``claim`` in ``table`` asks for; else the exit code is all there is.

    Raises :class:`UsageError`.
    """
    if not table.holds_table("claim"):
        return _by_word(table.read("claim", _word, _EXIT_CODE))
    part = table.table("claim")
    assert part is not None
    kinds = [key for key in (_JSON, _LINES, _PATTERNS) if part.has(key)]
    if len(kinds) != 1:
        for key in part.keys:
            if key not in (_JSON, _LINES, _PATTERNS, "lenient"):
                part.finish()
        raise UsageError(f"{part} has to be one of several things; {_ADVICE}")
    if kinds == [_PATTERNS]:
        return Printed(part.required(_PATTERNS, patterns.read, _ADVICE))
    file = part.required(kinds[0], template(names), _ADVICE)
    if file.text != _STDOUT and not is_in_workdir(file):
        raise UsageError(
            f"{part.where(kinds[0])} is {file.text!r}; give {_STDOUT!r}, or a file in the work "
            "directory of the run, such as '{workdir}/claim.json': elsewhere it could be the claim "
            "of another run"
        )
    lines = kinds == [_LINES]
    lenient = part.read("lenient", switch, default=False) if lines else False
    return Json(None if file.text == _STDOUT else file, lines, lenient)


def _word(given: object, where: str) -> str:
    if not isinstance(given, str) or given not in _WORDS:
        raise UsageError(f"{where} is {given!r}{suggestion(str(given), _WORDS)}; {_ADVICE}")
    return given


def _by_word(word: str) -> Telling:
    return ExitCode() if word == _EXIT_CODE else Json(None, word == _LINES)
