"""What a comparison tells while it runs."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called from several threads."""

    def expect(self, rows: int) -> None:
        """About so many rows will be read, on both sides together."""

    def advance(self, rows: int) -> None:
        """So many more have been read."""

    def doing(self, what: str) -> None:
        """What is looked at now."""


class Silent:
    """Progress that nobody watches."""

    def expect(self, rows: int) -> None:
        del rows

    def advance(self, rows: int) -> None:
        del rows

    def doing(self, what: str) -> None:
        del what
