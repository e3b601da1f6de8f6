"""Lines for people: pieces of text with a style each, whatever they report.

A line is a sequence of (text, style) pairs, so that the caller decides whether
the styles become colours. No line depends on colour to be understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Literal

from verifier.report.literal import printable

Style = Literal["", "good", "bad", "doubt", "faint", "strong"]
Line = Sequence[tuple[str, Style]]

_LABEL = 12
"""Width of a field's label, with the space behind it."""


def plain(lines: Iterable[Line]) -> str:
    """The lines as text without styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def field(
    label: str, parts: Sequence[str], width: int, *, separate: bool = False, indent: int = 4
) -> Iterator[Line]:
    """``label`` and its parts: as many on a line as fit, or each unbroken on its own."""
    room = max(20, width - indent - _LABEL)
    lines: list[str] = []
    for part in parts:
        if lines and not separate and len(lines[-1]) + 2 + len(part) <= room:
            lines[-1] += f", {part}"
        elif separate:
            lines.append(part)
        else:
            lines += [part[at : at + room] for at in range(0, len(part), room)]
    for head, line in zip([label, *[""] * len(lines)], lines, strict=False):
        yield [(f"{' ' * indent}{printable(head):<{_LABEL - 1}} ", "faint"), (line, "")]


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``12,345 rows``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), *words[-1:]] if len(words) > 1 else words)


def markdown_row(*cells: str) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells of one row of a table of numbers."""
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def section(title: str, texts: Iterable[str], width: int, style: Style = "") -> Iterator[Line]:
    """A title and its texts, each wrapped; nothing for no texts."""
    for place, text in enumerate(texts):
        if not place:
            yield []
            yield [(title, "strong")]
        for number, line in enumerate(wrap(printable(text), width - 4) or [""]):
            yield [(f"{'    ' if number else '  '}{line}", style)]
