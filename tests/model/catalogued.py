"""The databases of a scenario as a world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass

import psycopg

from verifier.dsn import Dsn
from verifier.model.breach import NotModelled
from verifier.model.restore import Expected, expect
from verifier.model.schema import Column, Identity, Row, Schema
from verifier.model.world import Observation, World
from verifier.oracle import queries
from verifier.worlds import reading
from verifier.worlds.asking import Asker
from verifier.worlds.reading import Connection, ask
from verifier.worlds.reflect import Reflected, reflect
from verifier.worlds.rows import numbered
from verifier.worlds.spelling import literal, of_table

_MOST_ROWS = 6000
_COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = c.oid
                  AND d.classid = 'pg_class'::regclass)
ORDER BY c.oid, a.attnum
"""
_HARMLESS = ("policies", "it is there", "it is not enforced", "its own", "by which values")
"""What the restore does not heed, or only tells when rows of a world are made up."""
_VOLATILE = ("nextval(", "now()", "CURRENT_", "random", "gen_", "clock", "uuid")


class Ground:
    """What stays the same between the restores of a scenario: the schema, the frozen source.

    Raises :class:`NotModelled` for a source or a schema that the model does not know.
    """

    def __init__(self, target: Dsn, source: Dsn, control: tuple[str, ...]) -> None:
        self._control = control
        with closing(reading.connect(target)) as session:
            reflected = reflect(session)
            self.schema = reflected.schema
            self._sequences = _sequences(session, self.schema, self.schema.by_id)
            with closing(reading.connect(source)) as frozen:
                self._read(session, frozen)
        _known(reflected, self.source)

    def _read(self, target: Connection, frozen: Connection) -> None:
        """Read the rows of the source that the target has a table for."""
        columns, spelled = _columns(frozen)
        if ask(frozen, "SELECT FROM pg_largeobject_metadata LIMIT 1")[0]:
            raise NotModelled("large objects")
        self.source: dict[str, tuple[Row, ...]] = {}
        self.filled: dict[str, dict[str, str | None]] = {}
        """Table id → what new rows have in columns that the source lacks."""
        self.refusal = ""
        """Why columns do not go together."""
        for made, there in columns.items():
            if made.rpartition(".")[2] in self._control:
                continue
            [rows] = ask(frozen, f"SELECT * FROM {spelled[made]}")
            if not rows:
                continue
            self.source[made] = self._rows(made, there, rows, target)
        both = self.source
        self._positions = {
            place: int(standing)
            for place, sequence in _sequences(frozen, self.schema, both, columns).items()
            for (standing, called) in ask(frozen, f"SELECT last_value, is_called FROM {sequence}")[
                0
            ]
            if called == "t" and standing is not None
        }

    def _rows(
        self, made: str, there: Mapping[str, str], rows: list[Row], target: Connection
    ) -> tuple[Row, ...]:
        table = self.schema.by_id.get(made)
        if table is None or there.keys() - {each.name for each in table.columns}:
            self.refusal = f"the target lacks {made}, or a column of it"
            return ()
        cells = dict(zip(there, zip(*rows, strict=True), strict=True))
        columns: list[Row] = []
        for each in table.stored:
            if each.name in there:
                columns.append(_read_as(target, cells[each.name], there[each.name], each.type))
            elif each.not_null and each.default is None and each.identity is Identity.NONE:
                self.refusal = f"the source lacks {made}.{each.name}"
                return ()
            else:
                value = _default(target, each)
                self.filled.setdefault(made, {})[each.name] = value
                columns.append((value,) * len(rows))
        return tuple(zip(*columns, strict=True)) if columns else tuple(() for _ in rows)

    def before(self, target: Dsn) -> Before:
        """The world before a restore into ``target``."""
        with closing(reading.connect(target)) as session:
            present = self.observe(session).rows
        for made, filled in self.filled.items():
            table = self.schema.by_id[made]
            for row in present[made]:
                if any(row[table.places[name]] != value for name, value in filled.items()):
                    raise NotModelled("rows of the target have what the source has no column for")
        world = World(
            schema=self.schema, source=self.source, present=present, positions=self._positions
        )
        if world.size > _MOST_ROWS:
            raise NotModelled("too many rows")
        return Before(self, world)

    def observe(self, session: Connection) -> Observation:
        statements = [reading._select(table) for table in self.schema.tables]
        statements += map(reading._following, self._sequences.values())
        results = iter(ask(session, ";".join(statements)) if statements else [])
        rows, generated = {}, {}
        for table in self.schema.tables:
            found = next(results)
            rows[table.id] = tuple(reading._some(found, table, stored=True))
            if len(table.stored) < len(table.columns):
                generated[table.id] = tuple(reading._some(found, table, stored=False))
        following = {place: int(next(results)[0][0] or 0) for place in self._sequences}
        return Observation(rows=rows, generated=generated, sequences=following)


@dataclass(frozen=True)
class Before:
    """A world in front of a restore."""

    ground: Ground
    world: World

    def expect(self, session: Connection) -> Expected:
        """How the restore is to end; raises :class:`NotModelled`."""
        if self.ground.refusal:
            return Expected(
                success=False, exit_code=1, rows=self.world.present, refusal=self.ground.refusal
            )
        return expect(self.world, Asker(session, self.world.schema))


def _known(reflected: Reflected, source: Mapping[str, tuple[Row, ...]]) -> None:
    """Raise :class:`NotModelled` if the backup has rows of a table that the model does not know."""
    for each in reflected.unmade:
        harmless = each.what == queries.PROBE_SCHEMA or any(why in each.why for why in _HARMLESS)
        if each.table in reflected.barred and each.table in source and not harmless:
            raise NotModelled(each.why)


def _columns(session: Connection) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    spelled = {}
    for made, column, type, table in ask(session, _COLUMNS)[0]:
        assert made is not None
        assert table is not None
        spelled[made] = table
        columns.setdefault(made, {})
        if column is not None and type is not None:
            columns[made][column] = type
    return columns, spelled


def _default(session: Connection, column: Column) -> str | None:
    if column.default is None and column.identity is Identity.NONE:
        return None
    if column.default is None or any(word in column.default for word in _VOLATILE):
        raise NotModelled("the source lacks a column whose default is another one each time")
    value: str | None = ask(session, f"SELECT ({column.default})::{column.type}")[0][0][0]
    return value


def _read_as(session: Connection, cells: Row, given: str, due: str) -> Row:
    """``cells`` of type ``given`` as a column of type ``due`` has them."""
    if given == due:
        return cells
    values = ", ".join(map(literal, cells))
    query = (
        f"SELECT x::{due}, x::{due}::{given}::text IS NOT DISTINCT FROM x"
        f" FROM unnest(ARRAY[{values}]::text[]) WITH ORDINALITY u(x, n) ORDER BY n"
    )
    try:
        [found] = ask(session, query)
    except psycopg.Error:
        raise NotModelled("a value that the column's type refuses") from None
    if any(same != "t" for _, same in found):
        raise NotModelled("a value that the column's type has not exactly")
    return tuple(value for value, _ in found)


def _sequences(
    session: Connection,
    schema: Schema,
    tables: Collection[str],
    there: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, str]:
    """The sequences that feed columns, by ``table id.column``; not those that count down."""
    places = {
        f"{table.id}.{column}": f"pg_get_serial_sequence({literal(of_table(table))},"
        f" {literal(column)})"
        for table, column in numbered(schema)
        if table.id in tables and (there is None or column in there[table.id])
    }
    if not places:
        return {}
    pairs = ", ".join(f"({literal(place)}, {call})" for place, call in places.items())
    found = ask(
        session,
        f"SELECT place, sequence FROM (VALUES {pairs}) v(place, sequence)"
        " JOIN pg_sequence ON seqrelid = sequence::regclass WHERE seqincrement > 0",
    )[0]
    return {place: sequence for place, sequence in found if place and sequence}
