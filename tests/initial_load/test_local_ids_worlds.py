"""Small random worlds with overlapping numbers, merged by the restore and by a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.initial_load.conftest import HEAD, TAIL, Move, total
from verifier.servers import Side
from verifier.transfer import Ids, RestoreOptions

SCHEMA = """
CREATE TABLE cust (id serial PRIMARY KEY, email text UNIQUE, name text,
  up int REFERENCES cust);
CREATE TABLE ord (id serial PRIMARY KEY, cid int REFERENCES cust, what text);
CREATE TABLE item (id serial PRIMARY KEY, oid int NOT NULL REFERENCES ord, no int NOT NULL, v int,
  UNIQUE (oid, no));
"""
Rows = list[tuple[Any, ...]]
TABLES = {"cust": "id, email, name, up", "ord": "id, cid, what", "item": "id, oid, no, v"}


@dataclass
class World:
    cust: Rows = field(default_factory=list)
    """(id, email, name, up), parents before children."""
    ord: Rows = field(default_factory=list)
    """(id, cid, what)"""
    item: Rows = field(default_factory=list)
    """(id, oid, no, v)"""


numbers = st.lists(st.integers(1, 6), unique=True, max_size=5)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    emails: set[str] = set()
    for id_ in draw(numbers):
        email = draw(st.sampled_from([None, None, "a", "b", "c"]))
        email = None if email in emails else email
        emails |= {email} if email else set()
        ups = [None, *(row[0] for row in world.cust)]
        world.cust.append((id_, email, draw(st.sampled_from("xy")), draw(st.sampled_from(ups))))
    owners = [None, *(row[0] for row in world.cust)]
    for id_ in draw(numbers):
        world.ord.append((id_, draw(st.sampled_from(owners)), draw(st.sampled_from("pq"))))
    taken: set[tuple[int, int]] = set()
    for id_ in draw(numbers) if world.ord else ():
        key = draw(st.sampled_from([row[0] for row in world.ord])), draw(st.integers(1, 2))
        if key not in taken:
            taken.add(key)
            world.item.append((id_, *key, draw(st.integers(0, 1))))
    return world


class Model:
    """What the target is to hold: rows found by natural keys, else by all but the number."""

    def __init__(self, target: World) -> None:
        self.tables = {name: {row[0]: row[1:] for row in getattr(target, name)} for name in TABLES}
        self.inserted = 0

    def merge(self, backup: World, place: dict[str, list[int]]) -> None:
        """``place``: the order of each table's rows (by number) in the file."""
        cust = self._merge(
            "cust",
            backup.cust,
            place["cust"],
            keyed=lambda row: (row[0],) if row[0] is not None else None,
            moved=lambda row, map_: (*row[:2], row[2] and map_[row[2]]),
        )
        ord_ = self._merge(
            "ord",
            backup.ord,
            place["ord"],
            keyed=lambda row: None,
            moved=lambda row, _: (row[0] and cust[row[0]], row[1]),
        )
        self._merge(
            "item",
            backup.item,
            place["item"],
            keyed=lambda row: row[:2],
            moved=lambda row, _: (ord_[row[0]], *row[1:]),
        )

    def _merge(self, name: str, rows: Rows, place: list[int], keyed: Any, moved: Any) -> Any:
        table = self.tables[name]
        before = dict(table)
        next_ = max([0, *before]) + 1
        map_: dict[int, Any] = {}
        claimed: set[int] = set()
        missing: list[int] = []
        contents = {row[0]: row[1:] for row in rows}
        left = list(place)
        # Level by level: a row is told once its parent is, or is known to be new.
        while left:
            for id_ in [one for one in left if self._ready(name, contents[one], map_)]:
                row = moved(contents[id_], map_)
                key = keyed(row)
                same = [
                    other
                    for other in sorted(before)
                    if other not in claimed
                    and (keyed(before[other]) == key if key else before[other] == row)
                ]
                if same:
                    map_[id_] = same[0]
                    claimed.add(same[0])
                else:
                    map_[id_] = ("new", id_)
                    missing.append(id_)
                left.remove(id_)
        for id_ in sorted(missing, key=place.index):
            map_[id_] = next_
            next_ += 1
        for id_ in place:
            table[map_[id_]] = moved(contents[id_], map_)
        self.inserted += len(missing)
        return map_

    @staticmethod
    def _ready(name: str, row: tuple[Any, ...], map_: dict[int, Any]) -> bool:
        return name != "cust" or row[2] is None or row[2] in map_


def _insert(table: str, rows: Rows) -> str:
    def value(one: Any) -> str:
        return "NULL" if one is None else f"'{one}'"

    lines = ", ".join(f"({', '.join(map(value, row))})" for row in rows)
    return f"INSERT INTO public.{table} ({TABLES[table]}) VALUES {lines};\n" if rows else ""


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(backup=worlds(), target=worlds(), shuffle=st.randoms(use_true_random=False))
def test_overlapping_worlds_merge_as_the_model_says(
    move: Move, backup: World, target: World, shuffle: Any
) -> None:
    if not hasattr(move, "target"):
        move.target = move.database(Side.TARGET, SCHEMA)
    move.options = RestoreOptions(ids=Ids.LOCAL)
    move.rows("TRUNCATE cust, ord, item RESTART IDENTITY")
    for name in TABLES:
        if getattr(target, name):
            move.rows(_insert(name, getattr(target, name)))
    lines, place = [], {}
    for name in shuffle.sample(list(TABLES), 3):
        rows = shuffle.sample(getattr(backup, name), len(getattr(backup, name)))
        place[name] = [row[0] for row in rows]
        lines.append(_insert(name, rows))
    move.path.write_text(HEAD + "".join(lines) + TAIL, encoding="utf-8")
    model = Model(target)
    model.merge(backup, place)

    claim = move.again()
    assert claim.success, claim.message
    for name, columns in TABLES.items():
        found = {row[0]: row[1:] for row in move.rows(f"SELECT {columns} FROM {name}")}
        assert found == model.tables[name], name
    assert total(claim).inserted == model.inserted

    before = move.state()
    second = move.again()
    assert second.success, second.message
    assert (total(second).inserted, total(second).updated) == (0, 0)
    assert move.state() == before
