"""The oracle's catalogue queries (PostgreSQL 13 to 18), one constant each.

They are its own on purpose: the built-in restore asks the catalogue in its own
words, so that a mistake in one cannot hide in the other.
"""

from __future__ import annotations

PROBE_SCHEMA = "rv_probe"

_TABLE_KINDS = "c.relkind IN ('r', 'p')"
_USER_TABLE = f"""
    {_TABLE_KINDS} AND NOT c.relispartition
    AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', '{PROBE_SCHEMA}')
    AND n.nspname NOT LIKE 'pg\\_toast%'
    AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
"""  # a table that an extension owns is not data of the application


def with_materialised(query: str) -> str:
    """One of the queries about tables, asked about materialised views, too."""
    return query.replace(_TABLE_KINDS, "c.relkind IN ('r', 'p', 'm')")


# Equal values of these types may print differently: 1.10 and 1.1, -0 and 0, 1 mon and 30 days.
_LOOSE = """
    SELECT y.oid FROM pg_type y WHERE y.typname = 'citext'
       OR y.oid = ANY (ARRAY['numeric', 'float4', 'float8', 'interval', 'timetz', 'jsonb']::regtype[])
"""


def _canonical(type_oid: str, expression: str) -> str:
    """SQL that makes the SQL of one text for all values that an index takes for equal.

    It yields ``NULL`` where the plain text is that already.
    """
    return f"""
    (WITH RECURSIVE d AS (
         SELECT {type_oid} AS oid
         UNION ALL
         SELECT y.typbasetype FROM d JOIN pg_type y ON y.oid = d.oid WHERE y.typtype = 'd')
     SELECT CASE
         WHEN y.oid = 'numeric'::regtype THEN format('trim_scale(%s)::text', {expression})
         WHEN y.oid IN ('float4'::regtype, 'float8'::regtype)
         THEN format('((%s) + 0)::text', {expression})
         WHEN y.oid = 'bpchar'::regtype THEN format('(%s)::text', {expression})
         WHEN y.oid IN ({_LOOSE})
           OR EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = y.oid AND r.rngsubtype IN ({_LOOSE}))
         THEN format('CASE num_nulls(%1$s) WHEN 0 THEN'
                     ' hash_array_extended(ARRAY[%1$s], 0)::text END', {expression})
         WHEN y.typcategory = 'A' AND y.typelem IN ({_LOOSE})
         THEN format('CASE num_nulls(%1$s) WHEN 0 THEN'
                     ' concat(array_dims(%1$s), '' '', hash_array_extended(%1$s, 0)) END', {expression})
     END
     FROM d JOIN pg_type y ON y.oid = d.oid WHERE y.typtype <> 'd')
    """


# From PostgreSQL 18 on a constraint can be there without holding anybody to it.
_ENFORCED = "coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)"

TABLES = f"""
SELECT format('%I.%I', n.nspname, c.relname), c.relname, c.relkind = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER_TABLE}
ORDER BY 1
"""

COLUMNS = f"""
SELECT format('%I.%I', n.nspname, c.relname), a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attgenerated <> '', a.atthasdef OR a.attidentity <> '',
       {_canonical("a.atttypid", "quote_ident(a.attname)")}, y.typcategory IN ('A', 'C'),
       a.attidentity = 'a'
FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_USER_TABLE}
ORDER BY 1, a.attnum
"""

CHECKS = f"""
SELECT k.conname::text, format('%I.%I', n.nspname, c.relname),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)),
       pg_get_expr(k.conbin, k.conrelid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'c' AND {_ENFORCED} AND {_USER_TABLE}
ORDER BY 2, 1
"""

FOREIGN_KEYS = f"""
SELECT k.conname::text, format('%I.%I', n.nspname, c.relname),
       (SELECT array_agg(a.attname::text ORDER BY u.place)
        FROM unnest(k.conkey) WITH ORDINALITY u(num, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),
       (SELECT format('%I.%I', rn.nspname, r.relname) FROM pg_class r
        JOIN pg_namespace rn ON rn.oid = r.relnamespace
        WHERE r.oid = coalesce(pg_partition_root(p.oid), p.oid)),
       (SELECT array_agg(a.attname::text ORDER BY u.place)
        FROM unnest(k.confkey) WITH ORDINALITY u(num, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),
       k.confmatchtype = 'f',
       (SELECT array_agg(format('%I.%s', s.nspname, o.oprname) ORDER BY u.place)
        FROM unnest(k.conpfeqop) WITH ORDINALITY u(num, place)
        JOIN pg_operator o ON o.oid = u.num JOIN pg_namespace s ON s.oid = o.oprnamespace),
       coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false),
       CASE WHEN p.relispartition THEN format('%I.%I', pn.nspname, p.relname) END,
       CASE WHEN p.relispartition THEN pg_get_partition_constraintdef(p.oid) END,
       k.confupdtype = 'c', k.confupdtype <> 'a'
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {_ENFORCED} AND {_USER_TABLE}
ORDER BY 2, 1
"""

# Exclusion constraints, and from PostgreSQL 18 on keys WITHOUT OVERLAPS.
EXCLUSIONS = f"""
SELECT k.conname::text, format('%I.%I', n.nspname, c.relname), part.columns, part.definitions, part.operators,
       pg_get_expr(i.indpred, i.indrelid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = k.conindid
CROSS JOIN LATERAL (
    SELECT array_remove(array_agg(a.attname::text ORDER BY place), NULL) AS columns,
           array_agg(format('(%s)', pg_get_indexdef(i.indexrelid, place, true)) ORDER BY place) AS definitions,
           array_agg(format('%I.%s', s.nspname, o.oprname) ORDER BY place) AS operators
    FROM generate_series(1, i.indnkeyatts) place
    JOIN pg_operator o ON o.oid = k.conexclop[place] JOIN pg_namespace s ON s.oid = o.oprnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place - 1]
                            AND i.indkey[place - 1] > 0
) part
WHERE k.conexclop IS NOT NULL AND {_ENFORCED} AND {_USER_TABLE}
ORDER BY 2, 1
"""

# A domain may be made of another one: all of their checks hold for the column.
DOMAIN_CHECKS = f"""
WITH RECURSIVE used AS (
    SELECT a.attrelid, a.attname, a.attnum, y.oid, y.typbasetype
    FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'd'
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT u.attrelid, u.attname, u.attnum, y.oid, y.typbasetype
    FROM used u JOIN pg_type y ON y.oid = u.typbasetype AND y.typtype = 'd'
)
SELECT k.conname::text, format('%I.%I', n.nspname, c.relname), u.attname, pg_get_expr(k.conbin, 0)
FROM used u JOIN pg_constraint k ON k.contypid = u.oid AND k.contype = 'c'
JOIN pg_class c ON c.oid = u.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER_TABLE}
ORDER BY 2, u.attnum, 1
"""

SEQUENCES = f"""
SELECT format('%I.%I', n.nspname, s.relname)
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE s.relkind = 'S' AND s.relpersistence <> 't' AND n.nspname <> '{PROBE_SCHEMA}'
ORDER BY 1
"""

# What a comparison needs to know of a table before it reads it: the files it is in, with its
# partitions those of all of them, and about how many rows. Nothing here waits for a lock.
EXTENTS = f"""
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid AS leaf, format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USER_TABLE}
    UNION ALL
    SELECT t.root, i.inhrelid, t.name, t.kind
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.leaf JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relispartition
)
SELECT t.name, t.kind = 'm', bool_and(c.relispopulated), t.root::int8, t.kind = 'p',
       string_agg(nullif(c.relfilenode, 0)::text, ',' ORDER BY c.oid),
       sum(greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0)
           * (c.relkind IN ('r', 'm'))::int)::bigint
FROM tree t JOIN pg_class c ON c.oid = t.leaf
GROUP BY t.name, t.kind, t.root
"""

_WIDEST = "(2::numeric ^ (8 * a.attlen - 1))"
# A sequence feeds an integer column when the column owns it (serial, identity) or when
# its next value, and nothing made of it, is the column's default.
FEEDS = f"""
SELECT DISTINCT format('%I.%I', sn.nspname, s.relname), format('%I.%I', n.nspname, c.relname), a.attname,
       q.seqincrement,
       CASE WHEN q.seqcycle THEN NULL
            WHEN q.seqincrement > 0 THEN least(q.seqmax, {_WIDEST} - 1)
            ELSE greatest(q.seqmin, -{_WIDEST}) END::int8
FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid
CROSS JOIN LATERAL (
    SELECT d.refobjid AS relid, d.refobjsubid AS num FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid
      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass
      AND pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\\([^()]*\\)$'
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
) fed
JOIN pg_class c ON c.oid = fed.relid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = fed.relid AND a.attnum = fed.num
WHERE s.relkind = 'S' AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  AND {_USER_TABLE}
ORDER BY 1
"""


def unique_keys(server_version: int) -> str:
    """The unique keys of all user tables, the primary key first; invalid ones, too.

    ``NULLS NOT DISTINCT`` exists from PostgreSQL 15 on.
    """
    nulls_distinct = "NOT i.indnullsnotdistinct" if server_version >= 150000 else "true"
    return f"""
    SELECT x.relname::text, format('%I.%I', n.nspname, c.relname), i.indisprimary,
           part.columns, part.canonical, part.definitions, pg_get_expr(i.indpred, i.indrelid), {nulls_distinct},
           i.indisvalid, NOT i.indimmediate
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT array_agg(a.attname::text ORDER BY place) AS columns,
               array_agg(coalesce({_canonical("k.atttypid", "definition")},
                                  format('(%s)::text', definition)) ORDER BY place) AS canonical,
               array_agg(format('(%s)', definition) ORDER BY place) AS definitions
        FROM generate_series(1, i.indnkeyatts) place
        JOIN pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = place
        CROSS JOIN LATERAL (SELECT pg_get_indexdef(i.indexrelid, place, true) AS definition) d
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place - 1]
                                AND i.indkey[place - 1] > 0
    ) part
    WHERE i.indisunique AND (i.indisvalid OR i.indisready AND x.relkind <> 'I') AND {_USER_TABLE}
    ORDER BY 2, i.indisprimary DESC, 1
    """
