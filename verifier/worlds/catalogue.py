"""What the catalogue says of a database's tables, as rows that :mod:`reflect` reads.

To be asked with an empty ``search_path``, so that every name that needs a schema has one.
"""

from __future__ import annotations

TABLES = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)
               AND c.relkind <> 'p') AS inherits,
       c.relrowsecurity AS secured,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) AS rewritten
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = c.oid
                  AND d.classid = 'pg_class'::regclass)
ORDER BY n.nspname, c.relname
"""

COLUMNS = """
SELECT a.attrelid::bigint AS table, a.attname AS name,
       format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
       pg_get_expr(d.adbin, d.adrelid) AS expression,
       a.attidentity AS identity, a.attgenerated AS generated,
       pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname) AS sequence
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(tables)s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

# INCLUDE columns are no parts of a key. A collation that is not deterministic takes texts for
# equal that are not.
KEYS = """
SELECT i.indrelid::bigint AS table, x.relname AS name, i.indisprimary AS primary,
       k.oid IS NOT NULL AS constraint, coalesce(k.condeferrable, false) AS deferrable,
       i.indisexclusion AS exclusion, i.indisvalid AS valid,
       coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false) AS nulls_equal,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       ARRAY(SELECT a.attname FROM generate_series(1, i.indnkeyatts) g(n)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g.n - 1]
             ORDER BY g.n)::text[] AS columns,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, g.n, false)
             FROM generate_series(1, i.indnkeyatts) g(n) ORDER BY g.n) AS parts,
       ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
             WHERE a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
             ORDER BY a.attnum) AS types,
       NOT EXISTS (SELECT FROM unnest(i.indcollation::oid[]) o(oid)
                   JOIN pg_collation l ON l.oid = o.oid
                   WHERE NOT l.collisdeterministic) AS deterministic
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = ANY (%(tables)s) AND (i.indisunique OR i.indisexclusion)
ORDER BY i.indrelid, NOT i.indisprimary, x.relname
"""

# Those of a partitioned table's partitions follow from their parents'.
CONSTRAINTS = """
SELECT k.conrelid::bigint AS table, k.conname AS name, k.contype AS kind,
       k.condeferrable AS deferrable, k.confrelid::bigint AS parent,
       k.confupdtype AS on_update, k.confdeltype AS on_delete, k.confmatchtype AS match,
       pg_get_expr(k.conbin, k.conrelid) AS expression,
       coalesce((to_jsonb(k)->>'conperiod')::boolean, false) AS period,
       coalesce((to_jsonb(k)->>'conenforced')::boolean, true) AS enforced,
       to_jsonb(k)->>'confdelsetcols' AS some_columns,
       ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY g(n, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = g.n
             ORDER BY g.place)::text[] AS columns,
       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY g(n, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = g.n
             ORDER BY g.place)::text[] AS references
FROM pg_constraint k
WHERE k.conrelid = ANY (%(tables)s) AND k.contype IN ('f', 'c') AND k.conparentid = 0
ORDER BY k.conrelid, k.conname
"""

TRIGGERS = """
SELECT g.tgrelid::bigint AS table, g.tgname AS name, g.tgconstraint <> 0 AS enforces,
       g.tgenabled AS enabled
FROM pg_trigger g WHERE g.tgrelid = ANY (%(tables)s) AND NOT g.tgisinternal
ORDER BY g.tgrelid, g.tgname
"""

ENUMS = """
SELECT t.typname AS name,
       ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid
             ORDER BY e.enumsortorder)::text[] AS labels
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = t.oid
                  AND d.classid = 'pg_type'::regclass)
ORDER BY n.nspname, t.typname
"""

# A domain may be over another one, with checks of its own.
DOMAINS = """
SELECT t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS base,
       t.typnotnull AS not_null,
       ARRAY(SELECT k.conname FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'
             ORDER BY k.conname)::text[] AS names,
       ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k
             WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS checks
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid = t.oid
                  AND d.classid = 'pg_type'::regclass)
ORDER BY n.nspname, t.typname
"""

# A partition may have partitions; what is its own and not its parent's counts as well, and
# binds what is below it.
PARTITIONS = """
SELECT r.oid::bigint AS root, c.relname AS name, p.level, p.isleaf AS leaf,
       pg_get_expr(c.relpartbound, c.oid) AS bound,
       pg_get_partition_constraintdef(c.oid) AS condition,
       ARRAY(SELECT pg_get_expr(k.conbin, k.conrelid) FROM pg_constraint k
             WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname) AS checks,
       ARRAY(SELECT k.conname FROM pg_constraint k WHERE k.conrelid = c.oid
             AND k.contype = 'c' AND k.coninhcount = 0 ORDER BY k.conname)::text[] AS own_checks,
       ARRAY(SELECT k.conname FROM pg_constraint k
             WHERE k.conrelid = c.oid AND k.contype IN ('f', 'u', 'p', 'x')
               AND k.conparentid = 0 AND k.coninhcount = 0
             UNION SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
             WHERE i.indrelid = c.oid AND i.indisunique
               AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
             )::text[] AS constraints
FROM unnest(%(tables)s::oid[]) r(oid), pg_partition_tree(r.oid) p
JOIN pg_class c ON c.oid = p.relid
WHERE p.level > 0 ORDER BY r.oid, p.level, c.relname
"""

KEYS_OF_PARTITIONING = """
SELECT p.partrelid::bigint AS table, p.partstrat AS strategy,
       ARRAY(SELECT a.attname FROM unnest(p.partattrs::int2[]) WITH ORDINALITY g(n, place)
             LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = g.n
             ORDER BY g.place)::text[] AS columns,
       pg_get_partkeydef(p.partrelid) AS definition
FROM pg_partitioned_table p WHERE p.partrelid = ANY (%(tables)s)
"""
