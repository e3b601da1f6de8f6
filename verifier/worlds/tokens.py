"""The words of an expression as the catalogue prints it."""

from __future__ import annotations

import re
from collections.abc import Collection

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>[Ee]?'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<sign>::|\[\]|[()\[\],.]|[-+*/<>=~!@\#%^&|`?:]+)
    )""",
    re.VERBOSE,
)

Token = tuple[str, str, int]
"""Kind, text, and where it ends."""


def reads(text: str, columns: Collection[str]) -> tuple[str, ...]:
    """Those of ``columns`` that ``text`` names, and maybe some that it only seems to name."""
    return named(split(text), columns)


def literals(text: str) -> list[str]:
    """The constants in ``text``, without their quotes."""
    found = [constant(word) for kind, word, _ in split(text) if kind in ("text", "number")]
    return list(dict.fromkeys(found))


def split(text: str) -> list[Token]:
    """Its words; what follows a sign that no expression has is one word, a ``rest``."""
    found, at = [], 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        found.append((match.lastgroup or "", match[match.lastgroup or 0], at))
    if rest := text[at:].strip():
        found.append(("rest", rest, len(text)))
    return found


def named(found: list[Token], columns: Collection[str]) -> tuple[str, ...]:
    """Those of ``columns`` that are among the words; ``value`` stands for a domain's VALUE."""
    words = {name_of(word) for kind, word, _ in found if kind in ("word", "quoted")}
    words |= {"value"} if "VALUE" in words else set()
    return tuple(column for column in columns if column in words)


def name_of(word: str) -> str:
    """A name without its quotes."""
    return word[1:-1].replace('""', '"') if word.startswith('"') else word


def constant(word: str) -> str:
    """What a constant stands for."""
    if word[0] in "Ee":
        return re.sub(r"\\(.)", r"\1", word[2:-1].replace("''", "'"))
    return word[1:-1].replace("''", "'") if word.startswith("'") else word
