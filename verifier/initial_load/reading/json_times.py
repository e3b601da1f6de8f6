"""JavaScript's ISO times → what PostgreSQL takes, where it would refuse them or drop a part.

``Date.prototype.toISOString`` writes ``2025-12-08T10:00:00.123Z``, also for a column that
holds a date or a time of day alone, and years of more than four digits as ``+010000`` (or
``-000043``: 44 BC). Source: ECMA-262, "Date Time String Format".
"""

from __future__ import annotations

import re

_LONG_YEAR = re.compile(r"([+-]\d{6})(-\d\d-\d\dT.*)", re.ASCII | re.DOTALL)
_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d)T([\d:.]+)(Z?)( BC)?", re.ASCII)
_MIDNIGHT = re.compile(r"00:00(?::00(?:\.0+)?)?")
# A time of day with a zone other than UTC's at its end.
_ZONE = re.compile(
    r".*\d:\d\d(?::\d\d(?:\.\d+)?)? ?([+-](?!00(?::?00)?\Z)\d\d(?::?\d\d)?)(?: BC)?", re.DOTALL
)
_EPOCH = "1970-01-01"

DATE = "date"
TIME = "time without time zone"
TIME_WITH_ZONE = "time with time zone"
TIMESTAMP = "timestamp without time zone"
TIMESTAMP_WITH_ZONE = "timestamp with time zone"
TYPES = frozenset((DATE, TIME, TIME_WITH_ZONE, TIMESTAMP, TIMESTAMP_WITH_ZONE))


def moment(text: str, base: str) -> str:
    """``text`` as a column of the type ``base`` (of :data:`TYPES`) takes it whole.

    Raises :class:`ValueError`, saying what ``text`` is, when the column would hold a part of it.
    """
    if long := _LONG_YEAR.fullmatch(text):
        year = int(long[1])
        text = f"{year:04}{long[2]}" if year > 0 else f"{1 - year:04}{long[2]} BC"
    found = _MOMENT.fullmatch(text)
    if base == DATE and ":" in text:
        if found is None or _MIDNIGHT.fullmatch(found[2]) is None:
            raise ValueError(
                f"{text!r}, of which a date would hold a part; it may be midnight of another "
                "zone, so write the date that is meant"
            )
        return found[1] + (found[4] or "")
    if found is not None and base in (TIME, TIME_WITH_ZONE):
        if found[1] != _EPOCH or found[4]:
            raise ValueError(f"{text!r}, of which a time of day would hold a part")
        return found[2] + (found[3] if base == TIME_WITH_ZONE else "")
    if base in (TIME, TIMESTAMP) and (zone := _ZONE.fullmatch(text)):
        raise ValueError(
            f"{text!r}, and the column has no time zone, so that {zone[1]} would be dropped; "
            "write it in UTC"
        )
    return text
