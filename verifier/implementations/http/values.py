"""What stands for the placeholders of a request: the endpoint's, the services', the answers'.

``{start.$.sessionId}`` is what a JSON path finds in the answer to an earlier request,
``{start.header.location}`` one of its headers, ``{start.status}`` its status code.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from verifier.errors import UsageError
from verifier.implementations.http.answers import Answer
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.paths import JsonPath
from verifier.implementations.placeholders import BACKUP, Template

BASE64, TEXT = f"{BACKUP}.base64", f"{BACKUP}.text"
"""The content of the backup, for requests that hold it in a document."""
_HEADER = "header."
_STATUS = "status"


class Names(Collection[str]):
    """The placeholders that are known in one place: some as they are, and parts of answers."""

    def __init__(self, fixed: Collection[str], steps: Collection[str] = ()) -> None:
        """``steps`` are the requests that are answered by then."""
        self._fixed, self._steps = tuple(fixed), tuple(steps)

    def __contains__(self, name: object) -> bool:
        """Raises :class:`UsageError` for what begins like a JSON path and is none."""
        if name in self._fixed:
            return True
        step, _, part = str(name).partition(".")
        if step not in self._steps:
            return False
        if part.startswith("$"):
            JsonPath.parse(part, f"{{{name}}}")
            return True
        return part == _STATUS or (part.startswith(_HEADER) and part != _HEADER)

    def __iter__(self) -> Iterator[str]:
        yield from self._fixed
        for step in self._steps:
            yield from (f"{step}.$.PATH", f"{step}.{_HEADER}NAME", f"{step}.{_STATUS}")

    def __len__(self) -> int:
        return len(self._fixed) + 3 * len(self._steps)


class Values(Mapping[str, str]):
    """The value of each placeholder; those of answers as they come in."""

    def __init__(self, fixed: Mapping[str, str], backup: Path | None = None) -> None:
        self._fixed, self._backup = fixed, backup
        self.answers: dict[str, Answer] = {}

    def __getitem__(self, name: str) -> str:
        """Raises :class:`Failed` for an answer that holds no such thing."""
        if name in self._fixed:
            return self._fixed[name]
        if self._backup is not None and name in (BASE64, TEXT):
            return _content(self._backup, name)
        step, _, part = name.partition(".")
        answer = self.answers[step]
        found = _part(answer, part)
        if found is None:
            raise Failed(
                f"{{{name}}} finds no single value in the answer to {answer.asked}: {answer.said()}"
            )
        return found

    def is_answer(self, name: str) -> bool:
        """Whether the value of ``name`` is a part of an answer."""
        return name not in self._fixed and name.partition(".")[0] in self.answers

    def url(self, template: Template) -> str:
        """The URL that ``template`` gives.

        What an answer says is encoded, so that it stays the part of the URL that it was meant
        for; except at the beginning: there it is the place itself, as in a ``Location`` header,
        and may be relative to the URL that was answered.
        """
        first = template.pieces[0]
        place = first[1] if not first[0] and self.is_answer(first[1]) else ""
        return template.fill(_Encoded(self, place))

    def __iter__(self) -> Iterator[str]:
        return iter(self._fixed)

    def __len__(self) -> int:
        return len(self._fixed)


class _Encoded(Mapping[str, str]):
    """``values`` as they may stand in a URL."""

    def __init__(self, values: Values, place: str) -> None:
        self._values, self._place = values, place

    def __getitem__(self, name: str) -> str:
        value, encoded = self._values[name], self._values.is_answer(name) and name != self._place
        return quote(value, safe="") if encoded else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _content(backup: Path, name: str) -> str:
    try:
        content = backup.read_bytes()
        return b64encode(content).decode() if name == BASE64 else content.decode()
    except UnicodeDecodeError:
        raise UsageError(
            f"{{{TEXT}}} is to be the backup {backup.name} as text, but it is not UTF-8; "
            f"send {{{BASE64}}}, or the file as `body-file`"
        ) from None
    except OSError as error:
        raise Failed(f"the backup {backup} cannot be read: {error.strerror}") from error


def _part(answer: Answer, part: str) -> str | None:
    if part == _STATUS:
        return str(answer.status)
    if part.startswith(_HEADER):
        return answer.headers.get(part.removeprefix(_HEADER).lower())
    found = JsonPath.parse(part, part).values(answer.document())
    if len(found) != 1 or not isinstance(found[0], str | int | float):
        return None
    return found[0] if isinstance(found[0], str) else json.dumps(found[0])
