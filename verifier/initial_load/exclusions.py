"""The target's exclusion constraints, ``WITHOUT OVERLAPS`` keys among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.rows import dict_row

from verifier.initial_load.catalog import Connection, Table, UniqueKey
from verifier.initial_load.session import paste


@dataclass(frozen=True, slots=True)
class Exclusion:
    key: UniqueKey
    """Its parts, predicate and columns; not unique in the sense of equality."""
    operators: tuple[str, ...]
    """``OPERATOR(schema.name)`` for each part; all must hold for a conflict."""
    index: str
    """``method (k1 opclass, k2 opclass …)`` for an index over the parts."""
    ranges: tuple[bool, ...]
    """Whether an empty value of this part conflicts with nothing."""
    kinds: tuple[str, ...]
    """``=`` for a part that is compared by equality, ``r`` for ranges by overlap, or ``?``."""

    def conflict(self, a: Iterable[str], b: str) -> str:
        """SQL for the parts ``a`` conflicting with the columns ``k1`` … of ``b``."""
        return " AND ".join(
            f"{part} {operator} {b}.k{no}"
            for no, (part, operator) in enumerate(zip(a, self.operators, strict=True), 1)
        )

    def some_conflict(self, places: str) -> str | None:
        """SQL for whether any two of ``places`` (``k1`` …) conflict, without comparing them all.

        Of intervals in order of where they begin, two neighbours overlap if any two do.
        ``None`` if the operators are others than equality and, once, overlap of ranges.
        """
        if "?" in self.kinds or self.kinds.count("r") > 1:
            return None
        parts = [f"k{no}" for no, _ in enumerate(self.kinds, 1)]
        equal = [part for part, kind in zip(parts, self.kinds, strict=True) if kind == "="]
        by = f"PARTITION BY {', '.join(equal)}" if equal else ""
        if "r" in self.kinds:
            part = parts[self.kinds.index("r")]
            hit = f"lag({part}) OVER ({by} ORDER BY {part}) && {part}"
        else:
            hit = f"count(*) OVER ({by}) > 1"
        return paste(
            "EXISTS (SELECT FROM (SELECT {hit} AS hit FROM ({places}) p) h WHERE h.hit)",
            hit=hit,
            places=places,
        )

    def harmless(self) -> str:
        """SQL over a row of the table: it conflicts with no other, whatever that is."""
        out = [f"({self.key.predicate}) IS NOT TRUE"] if self.key.predicate else []
        for part, empty in zip(self.key.expressions, self.ranges, strict=True):
            out.append(f"({part}) IS NULL" + (f" OR isempty({part})" if empty else ""))
        return f"({' OR '.join(out)})"


_EXCLUSIONS = """
SELECT k.conrelid::bigint AS oid, k.conname AS name, i.indimmediate AS immediate,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       array_agg(pg_get_indexdef(i.indexrelid, p.no::int, false) ORDER BY p.no)
         AS expressions,
       array_agg(format('OPERATOR(%%I.%%s)', n.nspname, o.oprname) ORDER BY p.no) AS operators,
       format('%%I (%%s)', m.amname,
              string_agg(format('k%%s %%I.%%I', p.no, cn.nspname, c.opcname), ', ' ORDER BY p.no))
         AS index,
       array_agg(o.oprname = '&&' AND y.typcategory = 'R' ORDER BY p.no) AS ranges,
       array_agg(CASE WHEN o.oprname = '=' AND o.oprcanmerge THEN '='
                      WHEN o.oprname = '&&' AND y.typtype = 'r' THEN 'r' ELSE '?' END
                 ORDER BY p.no) AS kinds,
       (SELECT coalesce(array_agg(a.attname::text), '{}') FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum = ANY (k.conkey)) AS plain,
       (SELECT coalesce(array_agg(DISTINCT a.attname::text), '{}') FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND (a.attnum = ANY (k.conkey) OR a.attnum IN (
          SELECT d.refobjsubid FROM pg_depend d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid))) AS columns
FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
CROSS JOIN unnest(k.conexclop) WITH ORDINALITY p(op, no)
JOIN pg_operator o ON o.oid = p.op JOIN pg_namespace n ON n.oid = o.oprnamespace
JOIN pg_opclass c ON c.oid = i.indclass[p.no - 1]
JOIN pg_namespace cn ON cn.oid = c.opcnamespace
JOIN pg_attribute f ON f.attrelid = i.indexrelid AND f.attnum = p.no
JOIN pg_type y ON y.oid = f.atttypid
WHERE k.contype IN ('x', 'p', 'u') AND k.conexclop IS NOT NULL AND k.conrelid = ANY (%s)
GROUP BY k.oid, k.conrelid, k.conname, k.conkey, i.indrelid, i.indexrelid, i.indimmediate,
         i.indpred, m.amname
ORDER BY 1, 2
"""


def load(conn: Connection, tables: Iterable[Table]) -> dict[int, list[Exclusion]]:
    """The exclusion constraints of ``tables``, by the table's oid."""
    found: dict[int, list[Exclusion]] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_EXCLUSIONS, [[table.oid for table in tables]]):
            key = UniqueKey(
                name=row["name"],
                expressions=tuple(row["expressions"]),
                columns=frozenset(row["columns"]),
                plain=tuple(row["plain"]),
                predicate=row["predicate"],
                nulls_distinct=True,
                primary=False,
                immediate=row["immediate"],
                identifying=False,
            )
            exclusion = Exclusion(
                key,
                tuple(row["operators"]),
                row["index"],
                tuple(row["ranges"]),
                tuple(row["kinds"]),
            )
            found.setdefault(row["oid"], []).append(exclusion)
    return found
