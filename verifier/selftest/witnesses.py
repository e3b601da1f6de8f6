"""The self-test's own look at catalogues: queries whose results a mutation has to change."""

from __future__ import annotations

RELATIONS = """
SELECT oid::regclass::text, relkind, relpersistence, relrowsecurity, relforcerowsecurity,
       relispartition, relispopulated, reloptions::text, relreplident,
       pg_get_expr(relpartbound, oid)
FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND oid >= 16384 ORDER BY 1
"""
COLUMNS = """
SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation,
       a.attnotnull, a.attidentity, a.attgenerated, a.attstattarget, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, contypid::regtype::text, conname, contype, convalidated,
       pg_get_constraintdef(oid), connoinherit
FROM pg_constraint WHERE oid >= 16384 ORDER BY 1, 2, 3
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid, indisready,
       indisclustered
FROM pg_index WHERE indexrelid >= 16384 ORDER BY 1
"""
TRIGGERS = """
SELECT tgrelid::regclass::text, tgfoid::regproc::text, tgenabled, count(*),
       string_agg(CASE WHEN NOT tgisinternal THEN pg_get_triggerdef(oid) END, ' ' ORDER BY tgname)
FROM pg_trigger GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
POLICIES = "SELECT * FROM pg_policies ORDER BY schemaname, tablename, policyname"
RULES = """
SELECT ev_class::regclass::text, rulename, ev_enabled, pg_get_ruledef(oid) FROM pg_rewrite
WHERE oid >= 16384 ORDER BY 1, 2
"""
VIEWS = """
SELECT oid::regclass::text, pg_get_viewdef(oid) FROM pg_class
WHERE relkind IN ('v', 'm') AND oid >= 16384 ORDER BY 1
"""
ROUTINES = """
SELECT oid::regprocedure::text, prokind, CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END,
       (SELECT agginitval FROM pg_aggregate WHERE aggfnoid = p.oid)
FROM pg_proc p WHERE oid >= 16384 ORDER BY 1
"""
ENUMS = "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum ORDER BY 1, enumsortorder"
TYPES = """
SELECT t.oid::regtype::text, t.typtype, t.typnotnull, t.typdefault, r.rngsubtype FROM pg_type t
LEFT JOIN pg_range r ON r.rngtypid = t.oid WHERE t.oid >= 16384 ORDER BY 1
"""
EXTENSIONS = """
SELECT extname, extnamespace::regnamespace::text, extversion FROM pg_extension ORDER BY 1
"""
SEQUENCES = """
SELECT s.seqrelid::regclass::text, s.seqtypid, s.seqstart, s.seqincrement, s.seqmax, s.seqmin,
       s.seqcache, s.seqcycle, d.refobjid::regclass::text, d.refobjsubid
FROM pg_sequence s LEFT JOIN pg_depend d ON d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
                                        AND d.refobjsubid > 0
ORDER BY 1
"""
STATISTICS = "SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext ORDER BY 1"
COMMENTS = """
SELECT classoid::regclass::text, objoid, objsubid, description FROM pg_description
WHERE objoid >= 16384 ORDER BY 1, 2, 3, 4
"""
SCHEMAS = "SELECT nspname FROM pg_namespace ORDER BY 1"
INHERITS = """
SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits ORDER BY 1, 2
"""
LARGE_OBJECTS = """
SELECT m.oid, lo_get(m.oid), obj_description(m.oid, 'pg_largeobject')
FROM pg_largeobject_metadata m ORDER BY 1
"""


def rows_of(table: str) -> str:
    """Every row of ``table`` with the relation that it is stored in."""
    # The alias must not be a column's name, or it would stand for the column.
    return f"SELECT a_row.tableoid::regclass::text, a_row::text FROM {table} a_row ORDER BY 1, 2"  # noqa: S608


def position_of(sequence: str) -> str:
    """Where ``sequence`` stands."""
    return f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608
