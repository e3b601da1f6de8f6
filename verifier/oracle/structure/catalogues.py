"""Catalogue queries about objects that belong to no table: types, routines and the rest.

All have one shape: ``oid``, ``namespace`` (0 when the object is in no schema), ``kind``,
``name`` (quoted, without its schema), and then the properties.
"""

# ruff: noqa: E501  (catalogue queries read best in their own layout)
from __future__ import annotations

from verifier.oracle.queries import PROBE_SCHEMA
from verifier.oracle.structure.model import GONE
from verifier.oracle.structure.relations import FIRST_USER_OID, flag, or_gone, sorted_text

_ENABLED = """CASE {} WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN 'on a replica only'
                      WHEN 'A' THEN 'always' END"""

# A schema says whose objects are read; it has an extension itself now and then.
SCHEMAS = f"""
SELECT n.oid, 0 AS namespace, 'schema' AS kind, quote_ident(n.nspname) AS name,
       pg_get_userbyid(n.nspowner) AS owner, {sorted_text("n.nspacl")} AS rights
FROM pg_namespace n
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', '{PROBE_SCHEMA}')
"""

# What the server would install is looked up in its files, and only if it has to be.
EXTENSIONS = """
SELECT e.oid, 0 AS namespace, 'extension' AS kind, quote_ident(e.extname) AS name,
       quote_ident(n.nspname) AS schema, e.extversion AS version,
       CASE WHEN e.extname = 'plpgsql' AND e.extversion = '1.0'
                 OR (e.extname, e.extversion) IN (SELECT name, default_version FROM pg_available_extensions())
            THEN 'yes' ELSE 'no' END AS "version is the server's own"
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
"""

# Functions of extensions may be thousands; printing them all would take seconds. Those that
# make a range (deptype i) come with its type, and so do casts to its multirange.
ROUTINES = f"""
SELECT p.oid, p.pronamespace AS namespace,
       CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
       format('%I(%s)', p.proname, oidvectortypes(p.proargtypes)) AS name,
       pg_get_functiondef(p.oid) AS definition,
       pg_get_userbyid(p.proowner) AS owner, {sorted_text("p.proacl")} AS rights
FROM pg_proc p
WHERE p.prokind <> 'a' AND p.oid >= {FIRST_USER_OID}
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass
                  AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
"""

_MODIFY = (
    "CASE {} WHEN 'r' THEN 'read only' WHEN 's' THEN 'shareable' WHEN 'w' THEN 'read write' END"
)

AGGREGATES = f"""
SELECT p.oid, p.pronamespace AS namespace, 'aggregate' AS kind,
       format('%I(%s)', p.proname, CASE WHEN p.pronargs = 0 THEN '*' ELSE oidvectortypes(p.proargtypes) END)
           AS name,
       pg_get_function_arguments(p.oid) AS arguments,
       CASE a.aggkind WHEN 'n' THEN 'normal' WHEN 'o' THEN 'ordered set' WHEN 'h' THEN 'hypothetical set'
           END AS form,
       a.aggtransfn::text AS sfunc, format_type(a.aggtranstype, NULL) AS stype,
       nullif(a.aggtransspace, 0)::text AS sspace,
       nullif(a.aggfinalfn::text, '-') AS finalfunc, {flag("a.aggfinalextra")} AS finalfunc_extra,
       {_MODIFY.format("a.aggfinalmodify")} AS finalfunc_modify,
       nullif(a.aggcombinefn::text, '-') AS combinefunc, nullif(a.aggserialfn::text, '-') AS serialfunc,
       nullif(a.aggdeserialfn::text, '-') AS deserialfunc, a.agginitval AS initcond,
       nullif(a.aggmtransfn::text, '-') AS msfunc, nullif(a.aggminvtransfn::text, '-') AS minvfunc,
       CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
       nullif(a.aggmtransspace, 0)::text AS msspace,
       nullif(a.aggmfinalfn::text, '-') AS mfinalfunc, {flag("a.aggmfinalextra")} AS mfinalfunc_extra,
       CASE WHEN a.aggmtransfn <> 0 THEN {_MODIFY.format("a.aggmfinalmodify")} END AS mfinalfunc_modify,
       a.aggminitval AS minitcond,
       CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS sortop,
       CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' WHEN 'u' THEN 'unsafe' END
           AS parallel,
       pg_get_userbyid(p.proowner) AS owner, {sorted_text("p.proacl")} AS rights
FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
WHERE p.oid >= {FIRST_USER_OID}
"""

_RIGHTS_OF_TYPE = f"pg_get_userbyid(t.typowner) AS owner, {sorted_text('t.typacl')} AS rights"

ENUMS = f"""
SELECT t.oid, t.typnamespace AS namespace, 'enum' AS kind, quote_ident(t.typname) AS name,
       coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = t.oid), '') AS labels,
       {_RIGHTS_OF_TYPE}
FROM pg_type t
WHERE t.typtype = 'e' AND t.oid >= {FIRST_USER_OID}
"""

DOMAINS = f"""
SELECT t.oid, t.typnamespace AS namespace, 'domain' AS kind, quote_ident(t.typname) AS name,
       format_type(t.typbasetype, t.typtypmod) AS type,
       CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END AS collation,
       {or_gone("t.typdefault IS NOT NULL", "coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault)")}
           AS "default",
       {flag("t.typnotnull")} AS "not null",
       (SELECT string_agg(format('%I %s', k.conname, coalesce(pg_get_constraintdef(k.oid), '{GONE}')), ', '
                          ORDER BY k.conname)
        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c') AS checks,
       {_RIGHTS_OF_TYPE}
FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype
WHERE t.typtype = 'd' AND t.oid >= {FIRST_USER_OID}
"""

DOMAIN_CHECKS = f"""
SELECT oid, contypid, quote_ident(conname) FROM pg_constraint
WHERE contypid >= {FIRST_USER_OID} AND contype = 'c'
"""

COMPOSITES = f"""
SELECT t.oid, t.typnamespace AS namespace, 'composite type' AS kind, quote_ident(t.typname) AS name,
       coalesce((SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                                             CASE WHEN a.attcollation <> y.typcollation THEN
                                                 'COLLATE ' || a.attcollation::regcollation::text END),
                                   ', ' ORDER BY a.attnum)
                 FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                 WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') AS attributes,
       {_RIGHTS_OF_TYPE}
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
WHERE c.relkind = 'c' AND t.oid >= {FIRST_USER_OID}
"""

ATTRIBUTES = f"""
SELECT c.reltype, a.attrelid, a.attnum, quote_ident(a.attname)
FROM pg_description d
JOIN pg_class c ON c.oid = d.objoid AND c.relkind = 'c'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
WHERE d.classoid = 'pg_class'::regclass AND d.objoid >= {FIRST_USER_OID}
"""


def ranges(version: int) -> str:
    """Range types; from PostgreSQL 14 on with the name of their multirange."""
    multirange = "r.rngmultitypid::regtype::text" if version >= 14 else "NULL"
    return f"""
SELECT t.oid, t.typnamespace AS namespace, 'range type' AS kind, quote_ident(t.typname) AS name,
       format_type(r.rngsubtype, NULL) AS subtype,
       (SELECT format('%I.%I', n.nspname, o.opcname) FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace
        WHERE o.oid = r.rngsubopc) AS subtype_opclass,
       CASE WHEN r.rngcollation <> y.typcollation THEN r.rngcollation::regcollation::text END AS collation,
       nullif(r.rngcanonical::text, '-') AS canonical, nullif(r.rngsubdiff::text, '-') AS subtype_diff,
       {multirange} AS multirange_type_name,
       {_RIGHTS_OF_TYPE}
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_type y ON y.oid = r.rngsubtype
WHERE t.oid >= {FIRST_USER_OID}
"""


BASE_TYPES = f"""
SELECT t.oid, t.typnamespace AS namespace, 'base type' AS kind, quote_ident(t.typname) AS name,
       nullif(t.typinput::text, '-') AS input, nullif(t.typoutput::text, '-') AS output,
       nullif(t.typreceive::text, '-') AS receive, nullif(t.typsend::text, '-') AS send,
       t.typlen::text AS internallength, {flag("t.typbyval")} AS passedbyvalue,
       t.typalign::text AS alignment, t.typstorage::text AS storage, t.typcategory::text AS category,
       t.typdefault AS "default", t.typdelim::text AS delimiter,
       CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS element,
       {_RIGHTS_OF_TYPE}
FROM pg_type t
WHERE t.typtype = 'b' AND t.oid >= {FIRST_USER_OID}
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)
"""


def collations(version: int) -> str:
    """Collations; how a locale is kept has changed with 15 and with 17, rules exist from 16 on."""
    locale = {13: "NULL", 14: "NULL", 15: "l.colliculocale", 16: "l.colliculocale"}.get(
        version, "l.colllocale"
    )
    rules = "l.collicurules" if version >= 16 else "NULL"
    return f"""
SELECT l.oid, l.collnamespace AS namespace, 'collation' AS kind, quote_ident(l.collname) AS name,
       CASE l.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin'
                           WHEN 'd' THEN 'default' END AS provider,
       {flag("l.collisdeterministic")} AS deterministic,
       coalesce({locale}, nullif(concat_ws(', ', l.collcollate, nullif(l.collctype, l.collcollate)), ''))
           AS locale,
       {rules} AS rules,
       pg_get_userbyid(l.collowner) AS owner
FROM pg_collation l
WHERE l.oid >= {FIRST_USER_OID}
"""


OPERATORS = f"""
SELECT o.oid, o.oprnamespace AS namespace, 'operator' AS kind,
       format('%s (%s, %s)', o.oprname, CASE o.oprleft WHEN 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END,
              CASE o.oprright WHEN 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END) AS name,
       o.oprcode::text AS function, nullif(o.oprcom, 0)::regoperator::text AS commutator,
       nullif(o.oprnegate, 0)::regoperator::text AS negator, nullif(o.oprrest::text, '-') AS restrict,
       nullif(o.oprjoin::text, '-') AS "join", {flag("o.oprcanhash")} AS hashes,
       {flag("o.oprcanmerge")} AS merges, pg_get_userbyid(o.oprowner) AS owner
FROM pg_operator o
WHERE o.oid >= {FIRST_USER_OID} AND o.oprcode <> 0
"""

_MEMBERS_OF_FAMILY = """(
           SELECT string_agg(concat_ws(' ', x.{2}, x.{3}), ', ' ORDER BY x.{2}, (x.{3})::text)
           FROM {0} x WHERE x.{1}family = f.oid
             AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{0}'::regclass AND e.objid = x.oid
                             AND e.refclassid = 'pg_opclass'::regclass AND e.deptype = 'i'))"""

OPERATOR_CLASSES = f"""
SELECT o.oid, o.opcnamespace AS namespace, 'operator class' AS kind,
       format('%I USING %I', o.opcname, m.amname) AS name,
       format_type(o.opcintype, NULL) AS type, {flag("o.opcdefault")} AS "default",
       CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END AS storage,
       (SELECT string_agg(format('%s %s', p.amopstrategy, p.amopopr::regoperator), ', '
                          ORDER BY p.amopstrategy, p.amopopr::regoperator::text)
        FROM pg_amop p WHERE p.amopfamily = o.opcfamily) AS operators,
       (SELECT string_agg(format('%s %s', p.amprocnum, p.amproc::regprocedure), ', '
                          ORDER BY p.amprocnum, p.amproc::regprocedure::text)
        FROM pg_amproc p WHERE p.amprocfamily = o.opcfamily) AS functions,
       pg_get_userbyid(o.opcowner) AS owner
FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
WHERE o.oid >= {FIRST_USER_OID}
"""

# A class makes a family of its own name by the way; what is in it is a property of the class.
OPERATOR_FAMILIES = f"""
SELECT f.oid, f.opfnamespace AS namespace, 'operator family' AS kind,
       format('%I USING %I', f.opfname, m.amname) AS name,
       {_MEMBERS_OF_FAMILY.format("pg_amop", "amop", "amopstrategy", "amopopr::regoperator")} AS operators,
       {_MEMBERS_OF_FAMILY.format("pg_amproc", "amproc", "amprocnum", "amproc::regprocedure")} AS functions,
       pg_get_userbyid(f.opfowner) AS owner
FROM pg_opfamily f JOIN pg_am m ON m.oid = f.opfmethod
WHERE f.oid >= {FIRST_USER_OID}
  AND NOT EXISTS (SELECT FROM pg_opclass c WHERE c.opcfamily = f.oid AND c.opcname = f.opfname
                  AND c.opcnamespace = f.opfnamespace)
"""

CONVERSIONS = f"""
SELECT c.oid, c.connamespace AS namespace, 'conversion' AS kind, quote_ident(c.conname) AS name,
       pg_encoding_to_char(c.conforencoding)::text AS "from", pg_encoding_to_char(c.contoencoding)::text AS "to",
       c.conproc::regproc::text AS function, {flag("c.condefault")} AS "default",
       pg_get_userbyid(c.conowner) AS owner
FROM pg_conversion c
WHERE c.oid >= {FIRST_USER_OID}
"""

LANGUAGES = f"""
SELECT l.oid, 0 AS namespace, 'language' AS kind, quote_ident(l.lanname) AS name,
       l.lanplcallfoid::regprocedure::text AS handler, nullif(l.laninline::regprocedure::text, '-') AS inline,
       nullif(l.lanvalidator::regprocedure::text, '-') AS validator, {flag("l.lanpltrusted")} AS trusted,
       pg_get_userbyid(l.lanowner) AS owner, {sorted_text("l.lanacl")} AS rights
FROM pg_language l
WHERE l.oid >= {FIRST_USER_OID}
"""

TRANSFORMS = f"""
SELECT t.oid, 0 AS namespace, 'transform' AS kind,
       format('FOR %s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname) AS name,
       nullif(t.trffromsql::regprocedure::text, '-') AS "from SQL",
       nullif(t.trftosql::regprocedure::text, '-') AS "to SQL"
FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
WHERE t.oid >= {FIRST_USER_OID}
"""

ACCESS_METHODS = f"""
SELECT m.oid, 0 AS namespace, 'access method' AS kind, quote_ident(m.amname) AS name,
       CASE m.amtype WHEN 't' THEN 'table' WHEN 'i' THEN 'index' END AS type,
       m.amhandler::regprocedure::text AS handler
FROM pg_am m
WHERE m.oid >= {FIRST_USER_OID}
"""

CASTS = f"""
SELECT c.oid, 0 AS namespace, 'cast' AS kind,
       format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS name,
       CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END AS function,
       CASE c.castmethod WHEN 'f' THEN 'function' WHEN 'i' THEN 'inout' WHEN 'b' THEN 'binary' END AS method,
       CASE c.castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'assignment' WHEN 'i' THEN 'implicit' END
           AS context
FROM pg_cast c
WHERE c.oid >= {FIRST_USER_OID}
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass
                  AND e.objid = c.oid AND e.deptype = 'i')
"""

TEXT_SEARCH_DICTIONARIES = f"""
SELECT d.oid, d.dictnamespace AS namespace, 'text search dictionary' AS kind, quote_ident(d.dictname) AS name,
       format('%I.%I', n.nspname, t.tmplname) AS template, d.dictinitoption AS options,
       pg_get_userbyid(d.dictowner) AS owner
FROM pg_ts_dict d JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace n ON n.oid = t.tmplnamespace
WHERE d.oid >= {FIRST_USER_OID}
"""

TEXT_SEARCH_CONFIGURATIONS = f"""
SELECT g.oid, g.cfgnamespace AS namespace, 'text search configuration' AS kind, quote_ident(g.cfgname) AS name,
       format('%I.%I', n.nspname, p.prsname) AS parser,
       (SELECT string_agg(format('%s %s', m.maptokentype, m.mapdict::regdictionary), ', '
                          ORDER BY m.maptokentype, m.mapseqno)
        FROM pg_ts_config_map m WHERE m.mapcfg = g.oid) AS mappings,
       pg_get_userbyid(g.cfgowner) AS owner
FROM pg_ts_config g JOIN pg_ts_parser p ON p.oid = g.cfgparser JOIN pg_namespace n ON n.oid = p.prsnamespace
WHERE g.oid >= {FIRST_USER_OID}
"""

TEXT_SEARCH_PARSERS = f"""
SELECT p.oid, p.prsnamespace AS namespace, 'text search parser' AS kind, quote_ident(p.prsname) AS name,
       p.prsstart::text AS start, p.prstoken::text AS gettoken, p.prsend::text AS "end",
       p.prslextype::text AS lextypes, nullif(p.prsheadline::text, '-') AS headline
FROM pg_ts_parser p
WHERE p.oid >= {FIRST_USER_OID}
"""

TEXT_SEARCH_TEMPLATES = f"""
SELECT t.oid, t.tmplnamespace AS namespace, 'text search template' AS kind, quote_ident(t.tmplname) AS name,
       nullif(t.tmplinit::text, '-') AS init, t.tmpllexize::text AS lexize
FROM pg_ts_template t
WHERE t.oid >= {FIRST_USER_OID}
"""

FOREIGN_DATA_WRAPPERS = f"""
SELECT w.oid, 0 AS namespace, 'foreign data wrapper' AS kind, quote_ident(w.fdwname) AS name,
       CASE WHEN w.fdwhandler <> 0 THEN w.fdwhandler::regproc::text END AS handler,
       CASE WHEN w.fdwvalidator <> 0 THEN w.fdwvalidator::regproc::text END AS validator,
       {sorted_text("w.fdwoptions")} AS options,
       pg_get_userbyid(w.fdwowner) AS owner, {sorted_text("w.fdwacl")} AS rights
FROM pg_foreign_data_wrapper w
WHERE w.oid >= {FIRST_USER_OID}
"""

FOREIGN_SERVERS = f"""
SELECT s.oid, 0 AS namespace, 'foreign server' AS kind, quote_ident(s.srvname) AS name,
       quote_ident(w.fdwname) AS "foreign data wrapper", s.srvtype AS type, s.srvversion AS version,
       {sorted_text("s.srvoptions")} AS options,
       pg_get_userbyid(s.srvowner) AS owner, {sorted_text("s.srvacl")} AS rights
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE s.oid >= {FIRST_USER_OID}
"""

EVENT_TRIGGERS = f"""
SELECT e.oid, 0 AS namespace, 'event trigger' AS kind, quote_ident(e.evtname) AS name,
       e.evtevent::text AS event, e.evtfoid::regprocedure::text AS function,
       {_ENABLED.format("e.evtenabled")} AS enabled, {sorted_text("e.evttags")} AS tags,
       pg_get_userbyid(e.evtowner) AS owner
FROM pg_event_trigger e
WHERE e.oid >= {FIRST_USER_OID}
"""


def publications(version: int) -> str:
    """Publications; lists of columns, conditions and whole schemas exist from 15 on."""
    table = "format('%I.%I', n.nspname, c.relname)"
    schemas, generated = "NULL", "NULL"
    if version >= 15:
        table = f"""concat_ws(' ', {table},
            CASE WHEN r.prattrs IS NOT NULL THEN
                format('(%s)', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)
                                FROM pg_attribute a
                                WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))) END,
            'WHERE ' || pg_get_expr(r.prqual, r.prrelid))"""
        schemas = """(SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname)
                      FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid
                      WHERE s.pnpubid = p.oid)"""
    if version >= 18:
        generated = "CASE p.pubgencols WHEN 's' THEN 'stored' END"
    return f"""
SELECT p.oid, 0 AS namespace, 'publication' AS kind, quote_ident(p.pubname) AS name,
       {flag("p.puballtables")} AS "all tables",
       concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                 CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)
           AS publish,
       {flag("p.pubviaroot")} AS "via root", {generated} AS "generated columns",
       (SELECT string_agg({table}, ', ' ORDER BY n.nspname, c.relname)
        FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid) AS tables,
       {schemas} AS schemas,
       pg_get_userbyid(p.pubowner) AS owner
FROM pg_publication p
"""


STATISTICS = """
SELECT s.oid, s.stxnamespace AS namespace, 'statistics' AS kind, quote_ident(s.stxname) AS name,
       s.stxrelid AS relation, pg_get_statisticsobjdef(s.oid) AS definition,
       CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget::text END AS "statistics target",
       pg_get_userbyid(s.stxowner) AS owner
FROM pg_statistic_ext s
"""

COMMENTS = f"""
SELECT d.classoid::regclass::text, d.objoid, d.objsubid, d.description
FROM pg_description d
WHERE d.objoid >= {FIRST_USER_OID}
   OR d.classoid IN ('pg_namespace'::regclass, 'pg_largeobject'::regclass)
"""

# Which of the rare kinds there are at all. Types come with every table and every enum, so
# of them those count that nothing else brings along.
PRESENT = f"""
SELECT 'pg_type' WHERE EXISTS (SELECT FROM pg_type WHERE oid >= {FIRST_USER_OID} AND (
    typtype IN ('d', 'r') OR typtype = 'b' AND typelem = 0
    OR typtype = 'c' AND (SELECT relkind = 'c' FROM pg_class WHERE pg_class.oid = typrelid)))
UNION ALL
SELECT 'pg_aggregate' WHERE EXISTS (SELECT FROM pg_aggregate WHERE aggfnoid >= {FIRST_USER_OID})
""" + "".join(
    f"""UNION ALL
SELECT '{catalog}' WHERE EXISTS (SELECT FROM {catalog} WHERE oid >= {FIRST_USER_OID})
"""
    for catalog in (
        "pg_collation",
        "pg_operator",
        "pg_opclass",
        "pg_opfamily",
        "pg_cast",
        "pg_conversion",
        "pg_language",
        "pg_transform",
        "pg_am",
        "pg_ts_parser",
        "pg_ts_template",
        "pg_ts_dict",
        "pg_ts_config",
        "pg_foreign_data_wrapper",
        "pg_foreign_server",
        "pg_event_trigger",
        "pg_publication",
    )
)

MEMBERS = """
SELECT d.classid::regclass::text, d.objid FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
"""


def plain(version: int) -> tuple[tuple[str, str], ...]:
    """Catalogue and query, of the kinds that need nothing but the common shape."""
    return (
        ("pg_extension", EXTENSIONS),
        ("pg_type", ENUMS),
        ("pg_proc", ROUTINES),
    )


def rare(version: int) -> tuple[tuple[str, str], ...]:
    """The same, of the kinds that most databases have nothing of: see :data:`PRESENT`."""
    return (
        ("pg_collation", collations(version)),
        ("pg_type", DOMAINS),
        ("pg_type", COMPOSITES),
        ("pg_type", ranges(version)),
        ("pg_type", BASE_TYPES),
        ("pg_aggregate", AGGREGATES),
        ("pg_operator", OPERATORS),
        ("pg_opclass", OPERATOR_CLASSES),
        ("pg_opfamily", OPERATOR_FAMILIES),
        ("pg_cast", CASTS),
        ("pg_conversion", CONVERSIONS),
        ("pg_language", LANGUAGES),
        ("pg_transform", TRANSFORMS),
        ("pg_am", ACCESS_METHODS),
        ("pg_ts_parser", TEXT_SEARCH_PARSERS),
        ("pg_ts_template", TEXT_SEARCH_TEMPLATES),
        ("pg_ts_dict", TEXT_SEARCH_DICTIONARIES),
        ("pg_ts_config", TEXT_SEARCH_CONFIGURATIONS),
        ("pg_foreign_data_wrapper", FOREIGN_DATA_WRAPPERS),
        ("pg_foreign_server", FOREIGN_SERVERS),
        ("pg_event_trigger", EVENT_TRIGGERS),
        ("pg_publication", publications(version)),
    )
