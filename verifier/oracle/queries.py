"""The oracle's catalogue queries (PostgreSQL 13 to 18), one constant each.

They are its own on purpose: the built-in restore asks the catalogue in its own
words, so that a mistake in one cannot hide in the other.
"""

from __future__ import annotations

PROBE_SCHEMA = "rv_probe"

_USER_TABLE = f"""
    c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', '{PROBE_SCHEMA}')
    AND n.nspname NOT LIKE 'pg\\_toast%'
    AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
"""  # a table that an extension owns is not data of the application

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
       {_canonical("a.atttypid", "quote_ident(a.attname)")}
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
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
       format('%I.%I', pn.nspname, p.relname),
       (SELECT array_agg(a.attname::text ORDER BY u.place)
        FROM unnest(k.confkey) WITH ORDINALITY u(num, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num),
       k.confmatchtype = 'f'
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {_ENFORCED} AND {_USER_TABLE}
ORDER BY 2, 1
"""

SEQUENCES = f"""
SELECT format('%I.%I', n.nspname, s.relname)
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE s.relkind = 'S' AND s.relpersistence <> 't' AND n.nspname <> '{PROBE_SCHEMA}'
ORDER BY 1
"""

# A sequence feeds an integer column when the column owns it (serial, identity) or when
# its next value, and nothing made of it, is the column's default.
FEEDS = f"""
SELECT DISTINCT format('%I.%I', sn.nspname, s.relname), format('%I.%I', n.nspname, c.relname), a.attname,
       q.seqincrement
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

# What a data restore must leave as it was: definitions and, where there is one, the
# state (enabled, validated, valid). The triggers that enforce foreign keys have
# generated names, so they are counted per table and state.
STATE = f"""
WITH own AS (  -- schemas of the application
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', '{PROBE_SCHEMA}') AND nspname NOT LIKE 'pg\\_%'
), part AS (  -- what an extension brought along
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), t AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relrowsecurity, c.relforcerowsecurity,
           c.relowner, c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USER_TABLE}
)
SELECT 'table ' || name,
       format('row security %s, forced %s, owner %s, rights %s',
              relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner), relacl)
FROM t
UNION ALL
SELECT format('view %I.%I', own.nspname, v.relname), format('populated %s, %s', v.relispopulated, pg_get_viewdef(v.oid))
FROM pg_class v JOIN own ON own.oid = v.relnamespace
WHERE v.relkind IN ('v', 'm') AND ('pg_class'::regclass, v.oid) NOT IN (SELECT classid, objid FROM part)
UNION ALL
SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass), format('enabled %s, %s', r.ev_enabled, pg_get_ruledef(r.oid))
FROM pg_rewrite r JOIN t ON t.oid = r.ev_class
UNION ALL
SELECT format('function %s', f.oid::regprocedure), pg_get_functiondef(f.oid)
FROM pg_proc f JOIN own ON own.oid = f.pronamespace
WHERE f.prokind <> 'a' AND ('pg_proc'::regclass, f.oid) NOT IN (SELECT classid, objid FROM part)
UNION ALL
SELECT format('domain %s', d.oid::regtype),
       concat_ws(' ', format_type(d.typbasetype, d.typtypmod), CASE WHEN d.typnotnull THEN 'NOT NULL' END,
                 'default ' || d.typdefault,
                 (SELECT string_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid)), ', ' ORDER BY k.conname)
                  FROM pg_constraint k WHERE k.contypid = d.oid))
FROM pg_type d JOIN own ON own.oid = d.typnamespace
WHERE d.typtype = 'd'
UNION ALL
SELECT format('column %s.%I', t.name, a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                 'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''),
                 'default ' || pg_get_expr(f.adbin, f.adrelid))
FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
UNION ALL
SELECT format('constraint %I on %s', k.conname, t.name),
       format('%s, validated %s, deferrable %s, deferred %s',
              pg_get_constraintdef(k.oid), k.convalidated, k.condeferrable, k.condeferred)
FROM t JOIN pg_constraint k ON k.conrelid = t.oid
UNION ALL
SELECT format('index %s', i.indexrelid::regclass), format('%s, valid %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
FROM t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT format('trigger %I on %s', g.tgname, t.name), format('enabled %s, %s', g.tgenabled, pg_get_triggerdef(g.oid))
FROM t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT format('constraint triggers on %s', t.name),
       string_agg(per.state, ', ' ORDER BY per.state)
FROM t JOIN LATERAL (
    SELECT format('%s enabled %s', count(*), g.tgenabled) AS state
    FROM pg_trigger g WHERE g.tgrelid = t.oid AND g.tgisinternal GROUP BY g.tgenabled
) per ON true
GROUP BY t.name
UNION ALL
SELECT format('policy %I on %s', p.polname, t.name), format('%s, permissive %s, roles %s, using %s, check %s',
       p.polcmd, p.polpermissive, p.polroles::regrole[],
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT format('enum %s', e.enumtypid::regtype), string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
FROM pg_enum e GROUP BY e.enumtypid
UNION ALL
SELECT format('sequence %I.%I', sn.nspname, s.relname),
       format('%s, increment %s, from %s to %s, cycle %s', q.seqtypid::regtype, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle)
FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid JOIN pg_namespace sn ON sn.oid = s.relnamespace
WHERE sn.nspname <> '{PROBE_SCHEMA}'
ORDER BY 1
"""


def unique_keys(server_version: int) -> str:
    """The unique keys of all user tables, the primary key first.

    ``NULLS NOT DISTINCT`` exists from PostgreSQL 15 on.
    """
    nulls_distinct = "NOT i.indnullsnotdistinct" if server_version >= 150000 else "true"
    return f"""
    SELECT x.relname::text, format('%I.%I', n.nspname, c.relname), i.indisprimary,
           part.columns, part.canonical, part.definitions, pg_get_expr(i.indpred, i.indrelid), {nulls_distinct}
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
    WHERE i.indisunique AND i.indisvalid AND {_USER_TABLE}
    ORDER BY 2, i.indisprimary DESC, 1
    """
