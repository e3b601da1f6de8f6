"""The target's catalogue: what the restore has to respect, read once at its start.

Names come back quoted by the server (``format('%I')``), so that everything
downstream can paste them; expressions come from ``pg_get_expr`` and friends and
name their columns without a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.Connection[tuple[Any, ...]]

BOUNDS = "partition bounds"
"""The name under which a partition's bounds are one of its checks."""
PARTITIONS = "partitions"
"""The name under which those of all its partitions together are a check of the whole."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    """As the catalogue spells it."""
    quoted: str
    base: str
    """Type without length or precision, so that staging never rounds or cuts."""
    type: str
    """Type as declared."""
    underlying: str
    """:attr:`base`, or what its domain is over."""
    collation: str | None
    """Set only where it is not the type's own."""
    exact: bool
    """Whether equal values always have the same text."""
    kind: str
    """Category letter of ``pg_type.typcategory``."""
    not_null: bool
    default: str | None
    fed: bool
    """Whether the default draws from a sequence (serial, identity)."""
    always: bool
    """``GENERATED ALWAYS AS IDENTITY``."""
    generated: bool
    builtin: bool
    """Whether the type is PostgreSQL's own."""
    length: int | None
    """Most characters of a ``varchar(n)`` or ``char(n)``."""
    local: bool = False
    """Whether it holds numbers that identify nothing elsewhere (:mod:`local_ids`)."""

    def mentioned(self, expression: str) -> bool:
        """Whether ``expression``, as the server prints it, reads the column."""
        name = re.escape(self.quoted)
        return re.search(rf"(?<![\w$\"]){name}(?![\w$\"])", expression) is not None

    @property
    def bounded(self) -> bool:
        return self.base != self.type


@dataclass(frozen=True, slots=True)
class UniqueKey:
    name: str
    expressions: tuple[str, ...]
    columns: frozenset[str]
    """Every column that the key depends on, also in expressions and the predicate."""
    plain: tuple[str, ...]
    """The columns that are parts of the key as they are."""
    predicate: str | None
    nulls_distinct: bool
    primary: bool
    immediate: bool
    identifying: bool
    """Plain columns only, none of them nullable, no predicate: every row has a key."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    child: int
    parent: int
    """The topmost table, under which rows are staged, also where one partition is meant."""
    columns: tuple[str, ...]
    references: tuple[str, ...]
    full: bool
    """MATCH FULL: all columns NULL or none."""
    deferrable: bool
    follows: bool
    """Whether the server itself changes children along with a parent's columns."""
    acts: bool = False
    """Whether the server does anything when they change, and be it in how they are spelled."""
    period: bool = False
    """The last column is a range, to be covered by those of the parents together."""
    partition: int | None = None
    """The partition that is referred to by itself, if not the whole of :attr:`parent`."""
    bounds: str | None = None
    """SQL over a row of :attr:`parent` that says whether it belongs there."""

    @property
    def referred(self) -> int:
        """The table that the constraint names."""
        return self.parent if self.partition is None else self.partition


@dataclass(frozen=True, slots=True)
class SoftReference:
    """A reference that no constraint declares, as the operator does (trap U13)."""

    child: int
    column: str
    parent: int
    key: str
    """The parent's column whose values the cells hold."""
    path: tuple[str, ...]
    condition: tuple[str, str] | None
    """Column and text value that say for which rows it holds."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Sequence:
    quoted: str
    column: str
    """Unquoted name of the column that it feeds."""


@dataclass(frozen=True, slots=True)
class Table:
    oid: int
    schema: str
    name: str
    quoted: str
    """``schema.table`` as SQL writes it; the name in claims."""
    partitioned: bool
    root: int
    """The topmost table that this one is a partition of; itself if it is none."""
    columns: dict[str, Column]
    keys: tuple[UniqueKey, ...]
    checks: tuple[Check, ...]
    sequences: tuple[Sequence, ...]
    excluding: frozenset[str]
    """Every column that an exclusion constraint depends on (:mod:`exclusions`)."""

    @property
    def only(self) -> str:
        """The table in a FROM clause, without the tables that inherit from it."""
        return self.quoted if self.partitioned else f"ONLY {self.quoted}"

    @property
    def identity(self) -> UniqueKey | None:
        """The key by which a row is itself: the primary key, else one that every row has."""
        primary = [key for key in self.keys if key.primary]
        others = [key for key in self.keys if key.identifying]
        return next(iter(primary + others), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    tables: dict[int, Table]
    foreign_keys: tuple[ForeignKey, ...]
    by_name: dict[tuple[str, str], Table] = field(default_factory=dict)
    references: tuple[SoftReference, ...] = ()

    def bounds(self, table: Table) -> list[str]:
        """SQL for what each partition of ``table``'s root takes; nothing where there are none."""
        parts = (one for one in self.tables.values() if one.root == table.root)
        return [check.expression for one in parts for check in one.checks if check.name == BOUNDS]

    def rules(self, table: Table) -> list[str]:
        """SQL of what reads a row of ``table`` by itself: checks, generated columns, bounds."""
        made = [each.default or "" for each in table.columns.values() if each.generated]
        return [check.expression for check in table.checks] + made + self.bounds(table)

    def referenced(self, table: Table) -> set[str]:
        """The columns of ``table`` that foreign keys refer to."""
        keys = (key for key in self.foreign_keys if key.parent == table.root)
        return {name for key in keys for name in key.references}

    def called_otherwise(self, table: Table) -> bool:
        """Whether foreign keys refer to ``table`` by columns that its identity does not hold."""
        identity = table.identity
        return not self.referenced(table) <= (identity.columns if identity else set())


_TABLES = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
       format('%I.%I', n.nspname, c.relname) AS quoted, c.relkind = 'p' AS partitioned,
       coalesce((SELECT a.relid FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, step)
                 ORDER BY a.step DESC LIMIT 1), c.oid)::oid::bigint AS root,
       CASE WHEN c.relispartition THEN pg_get_partition_constraintdef(c.oid)
            WHEN c.relkind = 'p' THEN (
              SELECT coalesce(string_agg(format('(%s)', pg_get_partition_constraintdef(p.relid)),
                                         ' OR '), 'false')
              FROM pg_partition_tree(c.oid) p WHERE p.isleaf AND p.relid <> c.oid)
       END AS bounds,
       ARRAY(SELECT a.attname::text FROM pg_constraint k JOIN pg_attribute a
               ON a.attrelid = k.conrelid AND a.attnum > 0
             WHERE k.conrelid = c.oid AND k.conexclop IS NOT NULL AND (a.attnum = ANY (k.conkey)
               OR a.attnum IN (SELECT d.refobjsubid FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = k.conindid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid))) AS excluding
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp_)'
ORDER BY n.nspname, c.relname
"""

_NAMES = """
SELECT format('%I.%I', n.nspname, c.relname) AS quoted
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$)'
"""

_COLUMNS = """
SELECT a.attrelid::bigint AS oid, a.attname AS name, format('%I', a.attname) AS quoted,
       format_type(a.atttypid, -1) AS base, format_type(a.atttypid, a.atttypmod) AS type,
       (WITH RECURSIVE d AS (SELECT y.oid, y.typbasetype AS below UNION ALL
          SELECT b.oid, b.typbasetype FROM d JOIN pg_type b ON b.oid = d.below)
        SELECT format_type(d.oid, -1) FROM d WHERE d.below = 0) AS underlying,
       CASE WHEN a.attcollation <> y.typcollation AND a.attcollation <> 0
            THEN format('%I.%I', ln.nspname, l.collname) END AS collation,
       (y.typtype = 'e' OR y.oid = ANY ('{bool,bytea,int2,int4,int8,oid,uuid,date,timestamp,
          timestamptz,text,varchar}'::regtype[])) AND coalesce(l.collisdeterministic, true)
          AS exact,
       y.typcategory::text AS kind,
       a.attnotnull OR (
         WITH RECURSIVE d AS (SELECT y.typbasetype AS below, y.typnotnull AS filled UNION ALL
           SELECT b.typbasetype, b.typnotnull FROM d JOIN pg_type b ON b.oid = d.below)
         SELECT bool_or(filled) FROM d) AS not_null,
       pg_get_expr(d.adbin, d.adrelid) AS default,
       a.attidentity <> '' OR EXISTS (
         SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
         WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
           AND p.refclassid = 'pg_class'::regclass) AS fed,
       a.attidentity = 'a' AS always, a.attgenerated <> '' AS generated,
       y.oid < 16384 AS builtin,
       CASE WHEN y.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4
            THEN a.atttypmod - 4 END AS length
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

# A key WITHOUT OVERLAPS is one by equality, too: equal rows overlap.
# An index that is invalid refuses duplicates all the same, once it is ready to be written to;
# that of a partitioned table only has its partitions' to do so, and is not complete then.
# {nulls}: the column is new in PostgreSQL 15.
_KEYS = """
SELECT i.indrelid::bigint AS oid, x.relname AS name, i.indisprimary AS primary,
       i.indimmediate AS immediate, {nulls} AS nulls_distinct,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       (SELECT array_agg(pg_get_indexdef(i.indexrelid, k.no, false) ORDER BY k.no)
        FROM generate_series(1, i.indnkeyatts) k(no)) AS expressions,
       (SELECT coalesce(array_agg(DISTINCT a.attname::text), '{{}}') FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND (a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
          OR a.attnum IN (SELECT p.refobjsubid FROM pg_depend p
                          WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
                            AND p.refclassid = 'pg_class'::regclass
                            AND p.refobjid = i.indrelid AND p.refobjsubid > 0
                            AND p.refobjsubid <> ALL (i.indkey[i.indnkeyatts:]))))
         AS columns,
       (SELECT coalesce(array_agg(a.attname::text ORDER BY k.no), '{{}}')
        FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(att, no)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att) AS plain,
       i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
         SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
           AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) AS identifying
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indisunique AND (i.indisvalid OR i.indisready AND x.relkind <> 'I')
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, x.relname
"""

# Of a partitioned table's foreign keys, those that repeat the parent's on the
# same child (one for each partition that is referenced) are left out.
_FOREIGN_KEYS = """
SELECT k.conname AS name, k.conrelid::bigint AS child, k.confrelid::bigint AS parent,
       k.confmatchtype = 'f' AS full, k.condeferrable AS deferrable,
       k.confupdtype = 'c' AS follows, k.confupdtype <> 'a' AS acts,
       {period} AS period,
       (SELECT array_agg(a.attname::text ORDER BY u.no) FROM unnest(k.conkey)
          WITH ORDINALITY u(att, no)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.att) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY u.no) FROM unnest(k.confkey)
          WITH ORDINALITY u(att, no)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.att) AS references
FROM pg_constraint k
WHERE k.contype = 'f' AND {enforced} AND NOT EXISTS (
  SELECT FROM pg_constraint o WHERE o.oid = k.conparentid AND o.conrelid = k.conrelid)
ORDER BY k.conrelid, k.conname
"""

_CHECKS = """
SELECT k.conrelid::bigint AS oid, k.conname AS name,
       pg_get_expr(k.conbin, k.conrelid) AS expression
FROM pg_constraint k
WHERE k.contype = 'c' AND k.convalidated AND {enforced} AND k.conrelid <> 0
ORDER BY k.conrelid, k.conname
"""

_SEQUENCES = """
SELECT DISTINCT a.attrelid::bigint AS oid, format('%I.%I', n.nspname, s.relname) AS quoted,
       a.attname AS column
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN (SELECT p.objid AS seq, p.refobjid AS rel, p.refobjsubid AS att FROM pg_depend p
      WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
        AND p.deptype IN ('a', 'i') AND p.refobjsubid > 0
      UNION
      SELECT p.refobjid, d.adrelid, d.adnum FROM pg_depend p JOIN pg_attrdef d ON d.oid = p.objid
      WHERE p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass
     ) f ON f.seq = s.oid
JOIN pg_attribute a ON a.attrelid = f.rel AND a.attnum = f.att
WHERE s.relkind = 'S'
ORDER BY 1, 2
"""


def names(conn: Connection) -> list[str]:
    """Every table of the users', quoted; asked without a lock on any of them."""
    return [row["quoted"] for row in _rows(conn, _NAMES)]


def load(conn: Connection) -> Catalog:
    """Read the catalogue of the database that ``conn`` is connected to."""
    major = conn.info.server_version // 10000
    nulls = "NOT i.indnullsnotdistinct" if major >= 15 else "true"
    enforced = "k.conenforced" if major >= 18 else "true"
    period = "k.conperiod" if major >= 18 else "false"
    columns = _grouped(conn, _COLUMNS)
    keys = _grouped(conn, _KEYS.format(nulls=nulls))
    checks = _grouped(conn, _CHECKS.format(enforced=enforced))
    sequences = _grouped(conn, _SEQUENCES)
    tables = {}
    for row in _rows(conn, _TABLES):
        oid, bounds, excluding = row["oid"], row.pop("bounds"), row.pop("excluding")
        own = [Check(**check) for check in checks.get(oid, [])]
        if bounds:
            own.append(Check(BOUNDS if row["root"] != oid else PARTITIONS, bounds))
        tables[oid] = Table(
            **row,
            columns={column["name"]: Column(**column) for column in columns.get(oid, [])},
            keys=tuple(_key(key) for key in keys.get(oid, [])),
            checks=tuple(own),
            sequences=tuple(Sequence(**sequence) for sequence in sequences.get(oid, [])),
            excluding=frozenset(excluding),
        )
    foreign = []
    for row in _rows(conn, _FOREIGN_KEYS.format(enforced=enforced, period=period)):
        foreign.append(_foreign_key(row, tables))
    named = {(table.schema, table.name): table for table in tables.values()}
    return Catalog(tables, tuple(foreign), named)


def _key(row: dict[str, Any]) -> UniqueKey:
    row["expressions"], row["plain"] = tuple(row["expressions"]), tuple(row["plain"])
    row["columns"] = frozenset(row["columns"])
    return UniqueKey(**row)


def _foreign_key(row: dict[str, Any], tables: dict[int, Table]) -> ForeignKey:
    row["columns"], row["references"] = tuple(row["columns"]), tuple(row["references"])
    named = tables[row["parent"]]
    if named.root != named.oid:
        bounds = next((c.expression for c in named.checks if c.name == BOUNDS), None)
        row |= {"parent": named.root, "partition": named.oid, "bounds": bounds}
    return ForeignKey(**row)


def _rows(conn: Connection, query: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def _grouped(conn: Connection, query: str) -> dict[int, list[dict[str, Any]]]:
    """The rows by table, without the table's oid."""
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in _rows(conn, query):
        groups.setdefault(row.pop("oid"), []).append(row)
    return groups
