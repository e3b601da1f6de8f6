"""A database's structure as short texts, to see what a restore has done to it.

Names of generated objects (the triggers of foreign keys) hold numbers that differ between two
databases of one schema; here they are called after their constraint.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.model.schema import Row

Fingerprint = Mapping[tuple[str, str], str]
"""What an object is, by its kind and name."""

_OURS = "NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_t%'"

_QUERY = """
SELECT 'constraint', coalesce(nullif(c.conrelid, 0)::regclass::text, 'domain ' ||
    c.contypid::regtype) || ' ' || c.conname, concat_ws(' ', pg_get_constraintdef(c.oid),
    CASE WHEN c.condeferred THEN 'initially deferred' END,
    CASE WHEN NOT c.convalidated THEN 'not validated' END, {enforced})
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE nspname {ours} AND c.contype <> 't'
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid),
    CASE WHEN NOT i.indisvalid THEN 'not valid' END)
FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_namespace n
    ON n.oid = r.relnamespace WHERE nspname {ours}
UNION ALL
SELECT 'trigger', t.tgrelid::regclass || ' ' || CASE WHEN t.tgisinternal
    THEN coalesce(c.conname, '') || ' ' || t.tgfoid::regproc ELSE t.tgname END,
    CASE t.tgenabled WHEN 'O' THEN 'on' WHEN 'D' THEN 'off' WHEN 'A' THEN 'on, always'
    ELSE 'on for replicas only' END
FROM pg_trigger t LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint
UNION ALL
SELECT 'column', a.attrelid::regclass || ' ' || a.attname, concat_ws(' ',
    format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
    a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n
    ON n.oid = r.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid
    AND d.adnum = a.attnum
WHERE nspname {ours} AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p')
UNION ALL
SELECT 'relation', r.oid::regclass::text, concat_ws(' ', r.relkind, r.relpersistence,
    r.relrowsecurity::int, r.relforcerowsecurity::int, r.relowner::regrole, r.relacl)
FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE nspname {ours} AND r.relkind NOT IN ('i', 'I', 't', 'c')
UNION ALL
SELECT 'function', p.oid::regprocedure::text, md5(p.prosrc)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname {ours}
UNION ALL
SELECT 'type', t.oid::regtype::text, concat_ws(' ', t.typtype, (SELECT string_agg(enumlabel, ','
    ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE nspname {ours} AND t.typtype IN ('e', 'd')
UNION ALL
SELECT 'schema', quote_ident(nspname), '' FROM pg_namespace WHERE nspname {ours}
UNION ALL
SELECT 'setting', each, '' FROM pg_db_role_setting, unnest(setconfig) each
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'large object', oid::text, '' FROM pg_largeobject_metadata
"""


def query(major: int) -> str:
    """What to ask a server of that version for :func:`read`."""
    enforced = "CASE WHEN NOT c.conenforced THEN 'not enforced' END" if major >= 18 else "NULL"
    return _QUERY.format(ours=_OURS, enforced=enforced)


def read(rows: list[Row]) -> Fingerprint:
    """What :func:`query` gave."""
    return {(kind or "", name or ""): words or "" for kind, name, words in rows}


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """A sentence for each object that is not what it was."""
    found = []
    for place in sorted({*before, *after}):
        was, now = before.get(place), after.get(place)
        what = " ".join(place)
        if now is None:
            found.append(f"the {what} is gone")
        elif was is None:
            found.append(f"the {what} is new")
        elif was != now:
            found.append(f"the {what} was {was!r} and is {now!r}")
    return found
