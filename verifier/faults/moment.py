"""When a fault strikes on the way between an implementation and a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields

from verifier.errors import UsageError


@dataclass(slots=True)
class Traffic:
    """What passed between an implementation and one database during one call."""

    statements: list[str] = field(default_factory=list)
    """Each statement as its text, in the order in which they were sent. A COPY that sends
    rows counts twice: when it begins, and where its rows end."""
    sent: int = 0
    received: int = 0
    """Bytes from and to the client, over all connections."""
    connections: int = 0
    opaque: bool = False
    """A connection was encrypted: its statements could not be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point of one call; exactly one field says which.

    The same implementation with the same data comes to the same point on every run.
    """

    statement: int | None = None
    """Before this statement reaches the server, counted from 1; from the last one with -1."""
    answer: int | None = None
    """After the server has executed this statement, before its answer reaches the client."""
    before: str | None = None
    """Before the first statement that this regular expression matches (at its beginning,
    whatever its case) reaches the server."""
    answer_to: str | None = None
    """Before the answer to the first such statement reaches the client."""
    share: float | None = None
    """After this share (0 to 1) of all bytes that a call without fault moves: what a restore
    sends, what a backup receives."""
    sent: int | None = None
    """After so many bytes from the client."""
    received: int | None = None
    """After so many bytes for the client."""

    def __post_init__(self) -> None:
        given = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(given) != 1:
            names = ", ".join(each.name for each in fields(self))
            raise UsageError(
                f"a fault strikes at one point, and {' and '.join(given) or 'none'} was given; "
                f"give one of {names}"
            )
        self._check(given[0])

    def _check(self, name: str) -> None:
        """Raises :class:`UsageError` for a point that no call ever comes to."""
        value = getattr(self, name)
        where = f"the moment {name}={value!r}"
        if name in ("before", "answer_to"):
            try:
                re.compile(value)
            except re.error as error:
                raise UsageError(f"{where} is no regular expression: {error}") from None
        elif name == "share" and not 0 <= value <= 1:
            raise UsageError(f"{where} is no share of the bytes; give 0 to 1")
        elif name in ("statement", "answer") and not value:
            raise UsageError(f"{where} is none; count from 1, or from the last one with -1")
        elif name in ("sent", "received") and value < 1:
            raise UsageError(f"{where} is no number of bytes; give 1 or more")

    def __str__(self) -> str:
        """As a sentence goes on."""
        if self.statement is not None:
            return f"before statement {self.statement}"
        if self.answer is not None:
            return f"before the answer to statement {self.answer}"
        if self.before is not None:
            return f"before {self.before}"
        if self.answer_to is not None:
            return f"before the answer to {self.answer_to}"
        if self.share is not None:
            return f"after {self.share:.0%} of the bytes"
        return f"after {self.sent or self.received} bytes"

    @property
    def rehearsed(self) -> bool:
        """Whether it takes a call without fault to know where this is."""
        return self.share is not None or min(self.statement or 0, self.answer or 0) < 0

    def within(self, traffic: Traffic, *, receiving: bool) -> Moment:
        """This moment in absolute terms, by what a call without fault moved."""
        if self.share is not None:
            total = traffic.received if receiving else traffic.sent
            place = max(1, int(total * self.share))
            return Moment(received=place) if receiving else Moment(sent=place)
        if self.statement is not None and self.statement < 0:
            return Moment(statement=len(traffic.statements) + 1 + self.statement)
        if self.answer is not None and self.answer < 0:
            return Moment(answer=len(traffic.statements) + 1 + self.answer)
        return self

    def at_statement(self, number: int, text: str) -> bool:
        """Whether it is before the statement ``number`` with this text."""
        return self.statement == number or _matches(self.before, text)

    def at_answer(self, number: int, text: str) -> bool:
        """Whether it is before the answer to the statement ``number`` with this text."""
        return self.answer == number or _matches(self.answer_to, text)


def _matches(pattern: str | None, text: str) -> bool:
    return pattern is not None and re.match(rf"\s*(?:{pattern})", text, re.IGNORECASE) is not None
