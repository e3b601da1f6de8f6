"""Any two small databases: the comparison finds nothing if and only if there is nothing.

What there is, a naive reader says: it fetches all rows of both sides as COPY prints them
and counts them in Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.comparing.conftest import ROWS
from verifier.comparison import Comparison, Selection, State
from verifier.oracle import compare
from verifier.oracle.comparing import reading
from verifier.oracle.session import PINNED
from verifier.servers import Database, Pair, Side

Values = tuple[str | None, ...]

# A few values of each type that lie close together, most of which some tool takes for equal.
TYPES: dict[str, tuple[str | None, ...]] = {
    "int": ("0", "1", "-1", "2147483647"),
    "bigint": ("1", "4294967296", "9223372036854775807", "-9223372036854775808"),
    "text": (
        "",
        "a",
        "A",
        "a ",
        "a|b",
        "a,b",
        "(a",
        '"',
        "\\",
        "<null>",
        "NULL",
        "é",
        "e\u0301",
        "\n",
    ),
    "varchar(3)": ("", "a", "b", "ab", "a b"),
    "char(3)": ("", "a", "ab"),
    "bpchar": ("a", "a ", ""),
    "numeric": ("1", "1.0", "1.10", "1.1", "NaN", "-0.5", "1e30", "100000000000000000000.1"),
    "float8": ("0", "-0", "NaN", "Infinity", "1e-20", "2e-20", "0.1", "0.30000000000000004"),
    "float4": ("0", "-0", "0.1", "0.10000001"),
    "boolean": ("t", "f"),
    "timestamp": ("2025-01-01 00:00", "2025-01-01 00:00:00.000001", "infinity", "0044-03-15 BC"),
    "timestamptz": ("2025-01-01 00:00Z", "2025-01-01 00:00+01", "-infinity"),
    "date": ("2025-01-01", "infinity", "0044-03-15 BC"),
    "timetz": ("10:00Z", "11:00+01", "24:00Z"),
    "interval": ("1 mon", "30 days", "24:00", "1 day", "-1 day"),
    "bytea": ("\\x", "\\x00", "\\x0000", "\\xff"),
    "uuid": ("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"),
    "json": ("{}", "{ }", '{"a":1,"b":2}', '{"b":2,"a":1}', "null"),
    "jsonb": ("{}", "1", "1.0", "null", '"1"', '{"a": null}'),
    "text[]": ("{}", "{NULL}", '{"NULL"}', "{a,b}", "{{a,b}}", "[0:1]={a,b}", '{""}', '{"a,b"}'),
    "int4range": ("empty", "[1,2)", "[1,3)", "(,1)", "(,)"),
    "inet": ("10.0.0.1", "10.0.0.1/24", "::1"),
    "bit varying": ("", "0", "00", "1"),
}


@dataclass(frozen=True)
class World:
    """One table's columns and key, and its rows on both sides."""

    types: tuple[str, ...]
    key: tuple[int, ...]
    key_kind: str
    source: tuple[Values, ...]
    target: tuple[Values, ...]

    @property
    def table(self) -> str:
        columns = [f"c{place} {kind}" for place, kind in enumerate(self.types)]
        if self.key:
            names = ", ".join(f"c{place}" for place in self.key)
            columns.append(f"{self.key_kind} ({names})")
        return f"CREATE TABLE w.t ({', '.join(columns)})"


KEYS = ("int", "bigint", "text", "uuid", "date", "bytea", "boolean", "varchar(3)")
"""Types whose values are equal only when they print the same, so that counting is simple."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    types = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=4))
    plain = [place for place, kind in enumerate(types) if kind in KEYS]
    key = draw(st.lists(st.sampled_from(plain), unique=True, max_size=2)) if plain else []
    kind = draw(st.sampled_from(("PRIMARY KEY", "UNIQUE")))

    def row() -> st.SearchStrategy[Values]:
        return st.tuples(
            *(
                st.sampled_from(
                    TYPES[name] if place in key and kind == "PRIMARY KEY" else (None, *TYPES[name])
                )
                for place, name in enumerate(types)
            )
        )

    source = draw(st.lists(row(), max_size=8))
    target = list(source)
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(("add", "drop", "swap", "alter", "again")))
        place = draw(st.integers(0, max(len(target) - 1, 0)))
        if change == "add" or not target:
            target.append(draw(row()))
        elif change == "drop":
            del target[place]
        elif change == "again":
            target.append(target[place])
        elif change == "alter":
            target[place] = draw(row())
        else:
            other, column = (
                draw(st.integers(0, len(target) - 1)),
                draw(st.integers(0, len(types) - 1)),
            )
            one, two = list(target[place]), list(target[other])
            one[column], two[column] = two[column], one[column]
            target[place], target[other] = tuple(one), tuple(two)
    order = draw(st.permutations(target))
    return World(tuple(types), tuple(key), kind, _unique(source, key), _unique(order, key))


def _unique(rows: list[Values], key: list[int]) -> tuple[Values, ...]:
    """Without the rows that the key would not let in."""
    if not key:
        return tuple(rows)
    kept: list[Values] = []
    seen: set[Values] = set()
    for row in rows:
        values = tuple(row[place] for place in key)
        if None in values or values not in seen:
            seen.add(values)
            kept.append(row)
    return tuple(kept)


class Table:
    """The table of one side, made anew for each world."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._session = database.connect(autocommit=True)
        settings_ = {name: value for name, value in PINNED.items() if "transaction" not in name}
        for name, value in settings_.items():
            self._session.execute("SELECT set_config(%s, %s, false)", (name, value))

    def fill(self, world: World, rows: tuple[Values, ...]) -> None:
        self._session.execute("DROP SCHEMA IF EXISTS w CASCADE; CREATE SCHEMA w")
        self._session.execute(world.table.encode())
        with self._session.cursor().copy("COPY w.t FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def rows(self) -> list[Values]:
        with self._session.cursor().copy("COPY w.t TO STDOUT") as copy:
            return list(copy.rows())

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def tables(servers: Pair) -> Iterator[tuple[Table, Table]]:
    databases = {side: servers.databases(side) for side in (Side.SOURCE, Side.TARGET)}
    made = {side: databases[side].create("worlds") for side in databases}
    both = Table(made[Side.SOURCE]), Table(made[Side.TARGET])
    yield both
    for table in both:
        table.close()
    for side, database in made.items():
        databases[side].drop(database)


@pytest.fixture(params=["one bucket", "many buckets"])
def buckets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small tables are one bucket; they must come out the same when they are cut up."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "many buckets":
            patch.setattr(reading, "_BUCKET_ROWS", 1)
            patch.setattr(reading, "_FEWEST_BUCKETS", 1)
        yield


@pytest.mark.usefixtures("buckets")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_nothing_is_found_if_and_only_if_there_is_nothing(
    tables: tuple[Table, Table], world: World
) -> None:
    source, target = tables
    source.fill(world, world.source)
    target.fill(world, world.target)
    ours, theirs = source.rows(), target.rows()
    found = compare(
        source.database.dsn, target.database.dsn, Selection(parts=ROWS.parts, schemas=("w",))
    )
    assert not found.unseen
    assert (found.state is State.EQUAL) == (Counter(ours) == Counter(theirs))
    _check_counts(found, world, ours, theirs)


def _check_counts(
    found: Comparison, world: World, ours: list[Values], theirs: list[Values]
) -> None:
    (table,) = found.tables
    assert table.unknown == ""
    assert (table.source_rows, table.target_rows) == (len(ours), len(theirs))
    missing, extra = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    assert table.missing + table.changed == missing.total()
    assert table.extra + table.changed == extra.total()
    if not world.key:
        assert table.changed == 0
    elif world.key_kind == "PRIMARY KEY":
        keys = [
            {tuple(row[place] for place in world.key) for row in rows} for rows in (missing, extra)
        ]
        assert table.changed == len(keys[0] & keys[1])
    shown = Counter[Values]()
    for change in table.shown:
        if change.source is not None:
            shown[_ordered(change.source, world)] += change.count
    assert shown == missing


def _ordered(row: object, world: World) -> Values:
    return tuple(row[f"c{place}"] for place in range(len(world.types)))  # type: ignore[index]
