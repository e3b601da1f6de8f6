"""Catalogue queries about what belongs to a table: constraints, indexes, triggers, policies."""

# ruff: noqa: E501  (catalogue queries read best in their own layout)
from __future__ import annotations

from verifier.oracle.structure.relations import FIRST_USER_OID, flag, or_gone, sorted_text


def constraints(version: int) -> str:
    """Constraints of tables; from PostgreSQL 18 on one may be there without being enforced.

    Not-null is not among them: before 18 it is no constraint, so it is read as a property
    of its column on every version.
    """
    enforced = "k.conenforced" if version >= 18 else "true"
    return f"""
SELECT k.oid, k.conrelid, quote_ident(k.conname) AS name, k.conparentid, k.conindid, k.confrelid,
       CASE k.contype WHEN 'c' THEN 'check' WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique'
                      WHEN 'x' THEN 'exclusion' WHEN 'f' THEN 'foreign key' END AS kind,
       k.conislocal,
       pg_get_constraintdef(k.oid) AS definition,
       CASE WHEN k.contype <> 'c' THEN {flag("k.condeferrable")} END AS deferrable,
       CASE WHEN k.contype <> 'c' THEN {flag("k.condeferred")} END AS "initially deferred",
       CASE WHEN k.contype IN ('c', 'f') THEN {flag("k.convalidated")} END AS validated,
       CASE WHEN k.contype IN ('c', 'f') THEN {flag(enforced)} END AS enforced,
       CASE WHEN k.contype = 'c' THEN {flag("k.connoinherit")} END AS "no inherit"
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype IN ('c', 'p', 'u', 'x', 'f') AND c.relpersistence <> 't'
  AND k.conrelid >= {FIRST_USER_OID}
"""


NOT_NULL_STATES = f"""
SELECT k.conrelid, k.conkey[1],
       concat_ws(', ', CASE WHEN k.convalidated THEN 'yes' ELSE 'not valid' END,
                 CASE WHEN k.connoinherit THEN 'no inherit' END) AS state
FROM pg_constraint k
WHERE k.contype = 'n' AND (NOT k.convalidated OR k.connoinherit) AND k.conrelid >= {FIRST_USER_OID}
"""

NOT_NULL_COMMENTED = f"""
SELECT k.oid, k.conrelid, k.conkey[1], quote_ident(k.conname)
FROM pg_constraint k JOIN pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass
WHERE k.contype = 'n' AND k.conrelid >= {FIRST_USER_OID}
"""

INDEXES = f"""
SELECT i.indexrelid, i.indrelid, x.relnamespace, quote_ident(x.relname) AS name,
       pg_get_indexdef(i.indexrelid) AS definition,
       {flag("i.indisvalid")} AS valid, {flag("i.indisready")} AS ready,
       {flag("i.indisclustered")} AS clustered, {flag("i.indisreplident")} AS "replica identity",
       {sorted_text("x.reloptions")} AS options, space.spcname AS tablespace
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid
LEFT JOIN pg_tablespace space ON space.oid = x.reltablespace
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND i.indrelid >= {FIRST_USER_OID}
"""

# Up to PostgreSQL 14 a partition's copy of its parent's trigger counts as internal.
TRIGGERS = f"""
SELECT g.oid, g.tgrelid, quote_ident(g.tgname) AS name, g.tgconstraint, g.tgparentid,
       NOT g.tgisinternal OR g.tgparentid <> 0 AS written,
       CASE g.tgenabled WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN 'on a replica only'
                        WHEN 'A' THEN 'always' END AS enabled,
       {or_gone("NOT g.tgisinternal OR g.tgparentid <> 0", "pg_get_triggerdef(g.oid)")} AS definition
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
WHERE c.relpersistence <> 't' AND g.tgrelid >= {FIRST_USER_OID}
"""

RULES = f"""
SELECT r.oid, r.ev_class, quote_ident(r.rulename) AS name,
       pg_get_ruledef(r.oid) AS definition,
       CASE r.ev_enabled WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN 'on a replica only'
                         WHEN 'A' THEN 'always' END AS enabled
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
WHERE r.rulename <> '_RETURN' AND c.relpersistence <> 't' AND r.ev_class >= {FIRST_USER_OID}
"""

POLICIES = f"""
SELECT p.oid, p.polrelid, quote_ident(p.polname) AS name,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                     WHEN 'd' THEN 'DELETE' WHEN '*' THEN 'ALL' END AS command,
       {flag("p.polpermissive")} AS permissive,
       (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END, ', '
                          ORDER BY CASE o WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o) END)
        FROM unnest(p.polroles) o) AS roles,
       {or_gone("p.polqual IS NOT NULL", "pg_get_expr(p.polqual, p.polrelid)")} AS "using",
       {or_gone("p.polwithcheck IS NOT NULL", "pg_get_expr(p.polwithcheck, p.polrelid)")} AS "check"
FROM pg_policy p
"""
