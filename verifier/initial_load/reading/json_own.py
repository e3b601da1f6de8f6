"""What a JSON backup of ours says about itself, in front of its rows.

::

    "metadata": {"format": "restore-verifier backup", "formatVersion": 1, …,
                 "counts": {"businesses": 1, …},
                 "tables": {"businesses": {"schema": "public", "name": "businesses",
                                           "columns": ["id", …]}, …}},
    "sequences": {"public.tags_id_seq": {"lastValue": 90, "isCalled": true}, …},

So nothing has to be guessed, rows that are gone are missed, and where a field may be NULL
and may be json's own null, they differ: NULL is a field that its record lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from verifier.initial_load.reading.events import SetVal
from verifier.initial_load.reading.json_text import JsonText, Number

FORMAT = "restore-verifier backup"
VERSION = 1
METADATA = "metadata"
SEQUENCES = "sequences"
_AGAIN = "get the file again, or make the backup again"


@dataclass(frozen=True, slots=True)
class Own:
    """The metadata of a backup of ours, and what was found of it so far."""

    counts: Mapping[str, int]
    """Rows by model."""
    tables: Mapping[str, tuple[str, str]]
    """Schema and name by model."""
    columns: Mapping[str, tuple[str, ...]]
    found: dict[str, int] = field(default_factory=dict)

    def positions(self, text: JsonText) -> Iterator[SetVal]:
        """The sequences, which come next in ``text``. Raises ``BackupRefused``."""
        if text.peek() != "{":
            text.refuse(f"{SEQUENCES} is no object: {_AGAIN}")
        for name in text.members():
            line = text.line
            match _plain(text.value()):
                case {"lastValue": str(value), "isCalled": bool(called)} if _is_whole(value):
                    yield SetVal(name, int(value), called, line)
                case _:
                    text.refuse_line(line, f"the position of the sequence {name} is none: {_AGAIN}")

    def compare(self, text: JsonText) -> None:
        """Refuse a file whose rows are not as many as it says."""
        wrong = [
            f"{model}: {self.found.get(model, 0)} of {self.counts.get(model, 0)}"
            for model in {**self.counts, **self.found}
            if self.found.get(model, 0) != self.counts.get(model, 0)
        ]
        if wrong:
            more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            text.refuse(
                f"it does not hold the rows that its metadata name ({', '.join(wrong[:5])}{more}): "
                f"{_AGAIN}"
            )


def stated(metadata: Any, text: JsonText) -> Own | None:
    """What ``metadata`` (as :class:`JsonText` reads it) says, if it is ours.

    Raises ``BackupRefused`` for metadata of ours that are damaged or of another version.
    """
    said = _plain(metadata)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return None
    if said.get("formatVersion") != str(VERSION):
        text.refuse(
            f"it was written by another version of restore-verifier (format "
            f"{said.get('formatVersion')}); restore it with that version"
        )
    match said:
        case {"counts": dict(counts), "tables": dict(tables)} if all(
            isinstance(rows, Number) and _is_whole(rows) for rows in counts.values()
        ):
            pass
        case _:
            text.refuse(f"its metadata are damaged: {_AGAIN}")
    names, columns = {}, {}
    for model, table in tables.items():
        match table:
            case {"schema": str(schema), "name": str(name), "columns": list(listed)}:
                names[model] = (schema, name)
                columns[model] = tuple(map(str, listed))
            case _:
                text.refuse(f"its metadata of {model} are damaged: {_AGAIN}")
    return Own({model: int(rows) for model, rows in counts.items()}, names, columns)


def _plain(value: Any) -> Any:
    """Objects as ``dict`` instead of tuples of members."""
    if isinstance(value, tuple):
        return {name: _plain(one) for name, one in value}
    return value


def _is_whole(value: str) -> bool:
    return value.removeprefix("-").isdecimal() and len(value) <= 20
