"""What a service answered: its status, and as much of its body as anybody needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn

from verifier.implementations.http.failure import Failed

Hide = Callable[[str], str]
"""Hides in a text what must not be shown."""

DOCUMENT = 4 * 1024 * 1024
"""Bytes of an answer that are read as a document."""
_EXCERPT = 2000
"""Characters of a body that a message repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of HTTP; nothing in it is a secret of the configuration's."""

    asked: str
    """What was asked: ``POST http://127.0.0.1:8080/restore``."""
    url: str = field(repr=False)
    """Where the answer came from, as it was asked for or led to: not for showing."""
    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes = field(repr=False)
    whole: bool = True
    """Whether ``body`` is all of it."""
    hide: Hide = field(default=str, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status says that what was asked has been done, or will be (2xx)."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """``HTTP 404 Not Found``"""
        try:
            return f"HTTP {self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"HTTP {self.status}"

    def words(self) -> str:
        """The body as text for people: the beginning of it, without what is not printable."""
        # Hidden before it is cut, which could leave the half of a token.
        text = self.hide(self.body[: 4 * _EXCERPT].decode("utf-8", "replace").strip())
        shown = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
        return shown if len(shown) <= _EXCERPT else shown[:_EXCERPT] + " …"

    def said(self) -> str:
        """Status and words in one line of thought."""
        words = self.words()
        if self.status // 100 == 3:
            place = self.headers.get("location", "nowhere")
            return f"{self.code} to {place}, which is not followed unless `redirects = true`"
        return f"{self.code}: {words}" if words else f"{self.code} without a word"

    def document(self) -> object:
        """The body as JSON. Raises :class:`Failed` for anything else."""
        if not self.whole:
            raise Failed(
                f"{self.asked} answered {self.code} with more than {len(self.body) // 2**20} MiB, "
                "which is too long for a document"
            )
        try:
            value: object = json.loads(self.body, parse_constant=_no_constant)
            # Half of a surrogate pair can be escaped, and is no text that could be shown or sent.
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise Failed(
                f"{self.asked} answered {self.code} with something other than JSON ({why}): "
                f"{self.words() or 'nothing at all'}"
            ) from None
        return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
