"""Names as SQL writes them, and patterns that a user gives for them."""

from __future__ import annotations

import re

from verifier.errors import UsageError

_PART = re.compile(r'"(?:[^"]|"")*"|[^."]+')


def split(name: str) -> tuple[str, ...]:
    """The parts of a name, without quotes: ``public."My.Table"`` → ``public``, ``My.Table``."""
    return tuple(_plain(part) for part in _PART.findall(name))


def _plain(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


class Pattern:
    """``[SCHEMA.]RELATION[.COLUMN]``: ``*`` stands for anything, except inside of quotes."""

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _PART.findall(text)
        if not parts or ".".join(parts) != text or len(parts) > 3:
            raise UsageError(
                f"{text!r} is no name; write [SCHEMA.]TABLE or [SCHEMA.]TABLE.COLUMN, "
                'with names that hold dots in double quotes ("like.this")'
            )
        self._parts = [re.compile(_expression(part)) for part in parts]

    def __len__(self) -> int:
        return len(self._parts)

    def matches(self, names: tuple[str, ...]) -> bool:
        """Whether the pattern fits the last of ``names``, as many as it has parts."""
        if len(names) < len(self._parts):
            return False
        tail = names[len(names) - len(self._parts) :]
        return all(part.fullmatch(name) for part, name in zip(self._parts, tail, strict=True))


def _expression(part: str) -> str:
    if part.startswith('"'):
        return re.escape(_plain(part))
    return "".join("(?s:.*)" if each == "*" else re.escape(each) for each in part)
