"""temporary"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    table: str
    row: dict[str, str | None]
    key: dict[str, str | None]
    reason: str
    constraint: str = ""


def write(path, rows):
    import dataclasses
    import json

    open(path, "w").write("".join(json.dumps(dataclasses.asdict(r)) + "\n" for r in rows))
