"""Catalogue queries about tables, views, their columns and sequences (PostgreSQL 13 to 18).

Each query is one pass over its catalogue. A column's alias is the property's name; what
comes before the first property is named in the reader (:mod:`.tables`).
"""

# ruff: noqa: E501  (catalogue queries read best in their own layout)
from __future__ import annotations

from verifier.oracle.structure.model import GONE

FIRST_USER_OID = 16384
"""Objects below this were made by ``initdb`` (``FirstNormalObjectId`` in transam.h)."""

_WORD = "CASE {} WHEN true THEN 'yes' WHEN false THEN 'no' END"


def flag(expression: str) -> str:
    """SQL of ``yes`` or ``no`` for a boolean."""
    return _WORD.format(expression)


def or_gone(given: str, text: str) -> str:
    """SQL of ``text`` where the catalogue says that there is one: it cannot be NULL then."""
    return f"CASE WHEN {given} THEN coalesce({text}, '{GONE}') END"


def sorted_text(array: str) -> str:
    """SQL of a text array as one line whose order says nothing."""
    return f"(SELECT string_agg(o::text, ', ' ORDER BY o::text) FROM unnest({array}) o)"


INHERITANCE = f"""
SELECT inhrelid, inhparent FROM pg_inherits WHERE inhrelid >= {FIRST_USER_OID}
"""

RELATIONS = f"""
SELECT c.oid, c.relnamespace, quote_ident(c.relname) AS name, c.relkind::text AS relkind,
       c.relispartition,
       CASE c.relkind WHEN 'r' THEN 'ordinary' WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' END
           AS kind,
       CASE WHEN c.relpersistence = 'u' THEN 'unlogged' WHEN c.relkind <> 'v' THEN 'permanent' END
           AS persistence,
       {or_gone("c.relkind = 'p'", "pg_get_partkeydef(c.oid)")} AS "partition key",
       {or_gone("c.relispartition", "pg_get_expr(c.relpartbound, c.oid)")} AS "partition bound",
       CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS "of type",
       CASE WHEN c.relkind IN ('r', 'p') THEN {flag("c.relrowsecurity")} END AS "row security",
       CASE WHEN c.relkind IN ('r', 'p') THEN {flag("c.relforcerowsecurity")} END
           AS "row security forced",
       CASE WHEN c.relkind IN ('r', 'p', 'm') THEN
           CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full'
                               WHEN 'i' THEN 'index' END END AS "replica identity",
       am.amname AS "access method",
       {sorted_text("c.reloptions")} AS options,
       {sorted_text("toast.reloptions")} AS "toast options",
       quote_ident(server.srvname) AS server,
       {sorted_text("ft.ftoptions")} AS "server options",
       CASE WHEN c.relkind = 'm' THEN {flag("c.relispopulated")} END AS populated,
       {or_gone("c.relkind IN ('v', 'm')", "pg_get_viewdef(c.oid)")} AS definition,
       space.spcname AS tablespace,
       pg_get_userbyid(c.relowner) AS owner,
       {sorted_text("c.relacl")} AS rights
FROM pg_class c
LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid AND toast.reloptions IS NOT NULL
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_tablespace space ON space.oid = c.reltablespace
LEFT JOIN pg_foreign_table ft ON ft.ftrelid = c.oid
LEFT JOIN pg_foreign_server server ON server.oid = ft.ftserver
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND c.oid >= {FIRST_USER_OID}
"""


def columns(version: int) -> str:
    """The columns of all relations, and those of indexes that have a statistics target."""
    compression = "nullif(a.attcompression::text, '')" if version >= 14 else "NULL"
    return f"""
SELECT a.attrelid, a.attnum, quote_ident(a.attname) AS name, c.relkind::text AS relkind,
       a.attislocal,
       nullif(format_type(a.atttypid, a.atttypmod), '???') AS type,
       CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
           AS collation,
       {flag("a.attnotnull")} AS "not null",
       CASE WHEN a.attgenerated = '' THEN
           {or_gone("a.atthasdef", "pg_get_expr(d.adbin, d.adrelid)")} END AS "default",
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
       CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END AS generated,
       {or_gone("a.attgenerated <> ''", "pg_get_expr(d.adbin, d.adrelid)")} AS expression,
       CASE WHEN a.attstorage <> t.typstorage THEN
           CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'
                             WHEN 'x' THEN 'extended' END END AS storage,
       CASE {compression} WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END AS "statistics target",
       CASE WHEN a.attoptions IS NOT NULL THEN {sorted_text("a.attoptions")} END AS options,
       CASE WHEN a.attfdwoptions IS NOT NULL THEN {sorted_text("a.attfdwoptions")} END
           AS "server options",
       CASE WHEN a.attacl IS NOT NULL THEN {sorted_text("a.attacl")} END AS rights
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relpersistence <> 't'
  AND a.attrelid >= {FIRST_USER_OID}
  AND (c.relkind IN ('r', 'p', 'f', 'v', 'm') OR c.relkind IN ('i', 'I') AND a.attstattarget >= 0)
ORDER BY a.attrelid, a.attnum
"""


SEQUENCES = f"""
SELECT c.oid, c.relnamespace, quote_ident(c.relname) AS name,
       d.refobjid AS owning, d.refobjsubid AS owning_column, d.deptype = 'i' AS identity,
       CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END AS persistence,
       format_type(q.seqtypid, NULL) AS type, q.seqstart::text AS start,
       q.seqincrement::text AS increment, q.seqmin::text AS min, q.seqmax::text AS max,
       {flag("q.seqcycle")} AS cycle, q.seqcache::text AS cache,
       pg_get_userbyid(c.relowner) AS owner,
       {sorted_text("c.relacl")} AS rights
FROM pg_sequence q
JOIN pg_class c ON c.oid = q.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
                     AND d.deptype IN ('a', 'i')
WHERE c.relpersistence <> 't' AND c.oid >= {FIRST_USER_OID}
"""
