"""``--ids local``: merging a database that numbered its rows on its own (trap U12).

Numbers that a sequence made say nothing about rows of another database. So a column of a
table's identity that a sequence feeds (serial, identity) identifies nothing here, and
neither does any other unique key with such a column:

- Right after staging, the numbers of such columns and every reference to them are moved
  (:mod:`offset`) to where no number of the target is. A number of the backup is then never
  taken for a row of the target, nor for the new number of another row, and a
  reference to a row that the backup does not hold is an orphan, whatever the target has.
- Rows match by their other unique keys, and those that no such key covers by the whole
  row without its number (:mod:`whole_rows`). A row that matches takes over the target's
  number, as rows that merge do anyway, and references follow (:mod:`repoint`).
- The others get the sequence's next numbers once their component is settled
  (:mod:`numbering`), and references follow again.

Keys that are references (join tables, a profile with its user's id) follow what they refer
to and are identities then. Text and uuid keys stay identities. A unique column that a
sequence feeds outside the identity (an order number) may be printed on paper: it keeps its
value, which matches nothing; a row whose value another row of the target has is rejected.

Checks over such columns are left to the server, whose refusal ends the whole restore:
they would be evaluated on moved numbers here. So are exclusion constraints over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from verifier.initial_load.catalog import BOUNDS, Catalog, Column, ForeignKey, Table, UniqueKey

Place = tuple[int, str]
"""A table's oid and a column's name."""

_INTEGERS = ("smallint", "integer", "bigint")
_INEXACT = ("real", "double precision")


@dataclass(frozen=True, slots=True)
class LocalIds:
    """Which columns of the target hold numbers that were made locally; none by default."""

    numbered: frozenset[Place] = frozenset()
    """Columns whose numbers a sequence makes."""
    roots: dict[Place, frozenset[Place]] | None = None
    """For every column with such numbers those that it may refer to, itself among them."""
    kept: dict[int, tuple[UniqueKey, ...]] | None = None
    """Unique keys that match nothing, because a sequence feeds them, by table."""

    def holds(self, oid: int, column: str) -> bool:
        return (oid, column) in (self.roots or {})

    def of(self, table: Table) -> tuple[Column, ...]:
        return tuple(c for c in table.columns.values() if (table.oid, c.name) in self.numbered)


def find(catalog: Catalog) -> tuple[Catalog, LocalIds]:
    """What is local in ``catalog``, and a catalogue whose columns can hold moved numbers."""
    numbered = {
        (table.oid, column.name)
        for table in catalog.tables.values()
        for column in _made(catalog, table)
    }
    bound = {(key.child, name) for key in catalog.foreign_keys for name in key.columns}
    numbered -= bound
    roots = _spread(catalog, numbered)
    kept = {
        table.oid: tuple(
            k for k in table.keys if k is not table.identity and _fed(catalog, table, k)
        )
        for table in catalog.tables.values()
    }
    tables = {
        table.oid: _widened(catalog, table, roots, kept[table.oid])
        for table in catalog.tables.values()
    }
    named = {(table.schema, table.name): table for table in tables.values()}
    local = LocalIds(frozenset(numbered), roots, kept)
    return replace(catalog, tables=tables, by_name=named), local


def problems(catalog: Catalog, local: LocalIds, tables: Iterable[Table]) -> list[str]:
    """Why rows of ``tables`` cannot be numbered or follow; a sentence each."""
    found: list[str] = []
    for table in tables:
        found += _unnumbered(catalog, table)
        found += _misplaced(table)
        found += _narrow(table)
        for name in table.columns:
            roots = (local.roots or {}).get((table.oid, name), frozenset())
            if len(roots) > 1:
                found.append(_torn(catalog, table, name, roots))
        for key in catalog.foreign_keys:
            if key.child == table.oid:
                found += _mixed(catalog, local, table, key)
                found += _unplaced(catalog, table, key)
    return found


def _unnumbered(catalog: Catalog, table: Table) -> Iterator[str]:
    for name in table.identity.plain if table.identity else ():
        column = table.columns[name]
        default = column.default or ""
        if "nextval(" in default and not column.fed and column.kind == "N":
            yield (
                f"{table.quoted}.{column.quoted} draws its numbers from a sequence that cannot be "
                f"told from its default ({default}); let it name the sequence: "
                "nextval('…'::regclass)"
            )


def _misplaced(table: Table) -> Iterator[str]:
    for check in table.checks:
        moved = [c for c in table.columns.values() if c.local and c.mentioned(check.expression)]
        if check.name == BOUNDS and moved:
            yield (
                f"{table.quoted} is a partition by {moved[0].quoted}, whose numbers change: its "
                "rows would belong elsewhere; --ids local cannot restore it"
            )


def _narrow(table: Table) -> Iterator[str]:
    for column in table.columns.values():
        # No operator compares arrays of two types, as one does numbers.
        widened = column.base == "bigint[]" != column.underlying
        key = next((key for key in table.keys if column.name in key.plain), None)
        if widened and key:
            yield (
                f"{table.quoted}.{column.quoted} is declared to refer to numbers that a sequence "
                f"made and is part of {key.name}; --ids local can let such a key follow only as "
                f"bigint[], and it is {column.underlying}"
            )


def _mixed(catalog: Catalog, local: LocalIds, table: Table, key: ForeignKey) -> Iterator[str]:
    for ours, theirs in zip(key.columns, key.references, strict=True):
        if local.holds(key.child, ours) and not local.holds(key.parent, theirs):
            yield (
                f"{table.quoted}.{ours} refers to numbers that a sequence made and, by {key.name}, "
                f"to {catalog.tables[key.parent].quoted}.{theirs}, which are none; --ids local "
                "cannot let it follow both"
            )


def _unplaced(catalog: Catalog, table: Table, key: ForeignKey) -> Iterator[str]:
    columns = catalog.tables[key.parent].columns.values()
    moved = [c for c in columns if c.local and key.bounds and c.mentioned(key.bounds)]
    if moved:
        yield (
            f"{key.name} of {table.quoted} refers to {catalog.tables[key.referred].quoted} alone, "
            f"a partition by {moved[0].quoted}, whose numbers change; --ids local cannot tell "
            "which rows belong there"
        )


def _torn(catalog: Catalog, table: Table, name: str, roots: frozenset[Place]) -> str:
    places = sorted(f"{catalog.tables[oid].quoted}.{column}" for oid, column in roots)
    return (
        f"{table.quoted}.{name} refers to {' and '.join(places)}, which number their rows each on "
        "its own; --ids local cannot let it follow both"
    )


def _made(catalog: Catalog, table: Table) -> list[Column]:
    """The columns of the table's identity that a sequence feeds."""
    names = table.identity.plain if table.identity else ()
    return [table.columns[name] for name in names if _is_fed(catalog, table, table.columns[name])]


def _is_fed(catalog: Catalog, table: Table, column: Column) -> bool:
    """A partition's numbers are made by its root, whose identity it may not repeat."""
    root = catalog.tables[table.root].columns.get(column.name, column)
    number = column.kind == "N" and column.base not in _INEXACT
    return number and (column.fed or root.fed)


def _fed(catalog: Catalog, table: Table, key: UniqueKey) -> bool:
    return any(_is_fed(catalog, table, table.columns[name]) for name in key.columns)


def _spread(catalog: Catalog, numbered: set[Place]) -> dict[Place, frozenset[Place]]:
    """From numbered columns to everything that refers to them."""
    links: list[tuple[Place, Place]] = []
    for key in catalog.foreign_keys:
        pairs = zip(key.columns, key.references, strict=True)
        links += [((key.child, ours), (key.parent, theirs)) for ours, theirs in pairs]
    for soft in catalog.references:
        column = catalog.tables[soft.child].columns[soft.column]
        if column.kind == "N":
            links.append(((soft.child, soft.column), (soft.parent, soft.key)))
    for table in catalog.tables.values():
        if table.root != table.oid:
            root = catalog.tables[table.root].columns
            names = [name for name in table.columns if name in root]
            links += [((table.oid, name), (table.root, name)) for name in names]
            links += [((table.root, name), (table.oid, name)) for name in names]
    roots = {place: frozenset([_topmost(catalog, place)]) for place in numbered}
    while True:
        before = dict(roots)
        for ours, theirs in links:
            if theirs in roots:
                roots[ours] = roots.get(ours, frozenset()) | roots[theirs]
        if roots == before:
            return roots


def _topmost(catalog: Catalog, place: Place) -> Place:
    return catalog.tables[place[0]].root, place[1]


def _widened(
    catalog: Catalog,
    table: Table,
    roots: dict[Place, frozenset[Place]],
    kept: tuple[UniqueKey, ...],
) -> Table:
    """``table`` as staging sees it: with room for moved numbers, and without what looks at them."""
    moved = [column for column in table.columns.values() if (table.oid, column.name) in roots]
    arrays = {
        soft.column
        for soft in catalog.references
        if soft.child in (table.oid, table.root) and (soft.parent, soft.key) in roots
    }
    columns = {}
    for column in table.columns.values():
        if column in moved:
            wide = "numeric" if column.base == "numeric" else "bigint"
            columns[column.name] = replace(
                column, base=wide, type=wide, exact=wide == "bigint", local=True
            )
        elif column.name in arrays and column.base in ("smallint[]", "integer[]"):
            columns[column.name] = replace(column, base="bigint[]", type="bigint[]")
        elif column.generated and any(c.mentioned(column.default or "") for c in moved):
            # As a fed column it is not staged: nothing can be made of a moved number.
            columns[column.name] = replace(column, fed=True)
        else:
            columns[column.name] = column
    return replace(
        table,
        columns=columns,
        keys=tuple(key for key in table.keys if key not in kept),
        checks=tuple(
            check
            for check in table.checks
            if check.name == BOUNDS
            or not any(column.mentioned(check.expression) for column in moved)
        ),
        sequences=tuple(dict.fromkeys(table.sequences + catalog.tables[table.root].sequences)),
    )
