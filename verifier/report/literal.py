"""Values as a reader sees them: exact, short, and harmless to a terminal.

A value may come from a hostile backup. Whatever is not printable (escape
sequences, direction marks, line ends) is shown escaped, never sent as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from verifier.comparison import is_cut
from verifier.contract import Row

LONGEST = 60
"""Characters of a value that are shown."""
_ALONE = 240
"""The same in a row of few columns, such as an implementation's message."""
_BEFORE = 15
"""Characters shown before the first difference of long values."""
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}


def printable(text: str) -> str:
    """``text`` on one line, with everything that is not printable escaped."""
    return "".join(
        each if each.isprintable() else _escape(each) for each in text.replace("\n", " ")
    )


def literal(value: str | None, start: int = 0, longest: int = LONGEST) -> str:
    """``value`` as SQL would write it, ``NULL`` for ``None``.

    A long one is cut to ``longest`` characters from ``start`` on, and its length told.
    """
    if value is None:
        return "NULL"
    value, length = _parted(value)
    cut = len(value) > longest
    start = min(start, len(value) - longest) if cut else 0
    shown = value[start : start + longest]
    odd = any(not each.isprintable() for each in shown)
    body = "".join(_escape(each) if odd else each for each in shown.replace("'", "''"))
    text = f"{'E' if odd else ''}'{body}'"
    if not cut and not length:
        return text
    before = "..." if start else ""
    if length:
        return f"{before}{text}{length}"
    after = "..." if start + longest < len(value) else ""
    place = f" from {start + 1}" if start else ""
    return f"{before}{text}{after} ({len(value)} characters{place})"


def pairs(row: Row, starts: dict[str, int] | None = None) -> list[str]:
    """Each column of ``row`` as ``name = value``."""
    starts, longest = starts or {}, _ALONE if len(row) <= 3 else LONGEST
    return [
        f"{printable(name)} = {literal(row[name], starts.get(name, 0), longest)}" for name in row
    ]


def first_difference(rows: Iterable[Row]) -> dict[str, int]:
    """For each column, from where on its values have to be shown to show that they differ."""
    seen: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            seen.setdefault(name, []).append(_parted(value or "")[0])
    return {name: max(0, _common(values) - _BEFORE) for name, values in seen.items()}


def _parted(value: str) -> tuple[str, str]:
    """A value, and what stands at its end when it was cut on the way here: its length."""
    at = value.rfind("... (") if is_cut(value) else len(value)
    return value[:at], value[at:]


def _common(values: list[str]) -> int:
    """How many characters all of ``values`` begin with."""
    same = takewhile(lambda each: len(set(each)) == 1, zip(*values, strict=False))
    return sum(1 for _ in same)


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return (
        rf"\x{code:02x}" if code < 256 else rf"\u{code:04x}" if code < 65536 else rf"\U{code:08x}"
    )
