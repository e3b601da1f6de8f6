"""Mutations of everything that is defined besides tables."""

from __future__ import annotations

from verifier.selftest import witnesses as look
from verifier.selftest.mutation import Mutation, in_object

# Views, code and policies -------------------------------------------------------------

_CODE = (
    in_object("view's definition", ("view", "public.cheap"), look.VIEWS,
        "CREATE OR REPLACE VIEW public.cheap AS SELECT id, sku, price FROM public.products"
        " WHERE price < 3"),
    in_object("view dropped", ("view", "public.cheap"), look.VIEWS, "DROP VIEW public.cheap"),
    in_object("view's option", ("view", "public.guarded"), look.RELATIONS,
        "ALTER VIEW public.guarded RESET (security_barrier)"),
    in_object("view's check option", ("view", "public.guarded"), look.RELATIONS,
        "ALTER VIEW public.guarded SET (check_option = cascaded)"),
    in_object("materialised view's definition", ("materialised view", "public.stock"), look.VIEWS,
        "DROP MATERIALIZED VIEW public.stock;"
        "CREATE MATERIALIZED VIEW public.stock AS SELECT sku, sum(qty + 0) AS qty FROM"
        " public.products GROUP BY sku;"
        "CREATE UNIQUE INDEX stock_sku ON public.stock (sku)"),
    in_object("materialised view emptied", ("materialised view", "public.stock"), look.RELATIONS,
        "REFRESH MATERIALIZED VIEW public.stock WITH NO DATA"),
    in_object("materialised view filled", ("materialised view", "public.later"), look.RELATIONS,
        "REFRESH MATERIALIZED VIEW public.later"),
    in_object("function's body", ("function", "public.twice(integer)"), look.ROUTINES,
        "CREATE OR REPLACE FUNCTION public.twice(n int)"
        " RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n'"),
    in_object("overloaded function dropped", ("function", "public.twice(text)"), look.ROUTINES,
        "DROP FUNCTION public.twice(text)"),
    in_object("function's volatility", ("function", "public.twice(text)"), look.ROUTINES,
        "ALTER FUNCTION public.twice(text) VOLATILE"),
    in_object("function made security definer", ("function", "public.twice(text)"), look.ROUTINES,
        "ALTER FUNCTION public.twice(text) SECURITY DEFINER"),
    in_object("function's setting", ("function", "public.twice(text)"), look.ROUTINES,
        "ALTER FUNCTION public.twice(text) SET search_path = ''"),
    in_object("function's default argument",
        ("function", "public.greet(text, text)"), look.ROUTINES,
        "CREATE OR REPLACE FUNCTION public.greet(name text, greeting text DEFAULT 'bye')"
        " RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN greeting || ' ' || name;"
        "END $$"),
    in_object("procedure's body", ("procedure", "public.tidy(integer)"), look.ROUTINES,
        "CREATE OR REPLACE PROCEDURE public.tidy(days int) LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM days + 1;"
        "END $$"),
    in_object("aggregate's initial value", ("aggregate", "public.product(numeric)"), look.ROUTINES,
        "CREATE OR REPLACE AGGREGATE public.product(numeric) (SFUNC = numeric_mul, STYPE ="
        " numeric, INITCOND = '2')"),
    in_object("trigger dropped", ("trigger", "stamped on public.parents"), look.TRIGGERS,
        "DROP TRIGGER stamped ON public.parents"),
    in_object("trigger's event", ("trigger", "stamped on public.parents"), look.TRIGGERS,
        "DROP TRIGGER stamped ON public.parents;"
        "CREATE TRIGGER stamped BEFORE UPDATE OR INSERT"
        " ON public.parents FOR EACH ROW EXECUTE FUNCTION public.stamp();"
        "COMMENT ON TRIGGER stamped ON public.parents IS 'on every change'"),
    in_object("trigger's condition", ("trigger", "stamped on public.parents"), look.TRIGGERS,
        "DROP TRIGGER stamped ON public.parents;"
        "CREATE TRIGGER stamped BEFORE UPDATE"
        " ON public.parents FOR EACH ROW WHEN (OLD.name <> '') EXECUTE FUNCTION public.stamp();"
        "COMMENT ON TRIGGER stamped ON public.parents IS 'on every change'"),
    in_object("policy's condition", ("policy", "own_rows on public.secrets"), look.POLICIES,
        "ALTER POLICY own_rows ON public.secrets USING (true)"),
    in_object("policy dropped", ("policy", "no_delete on public.secrets"), look.POLICIES,
        "DROP POLICY no_delete ON public.secrets"),
    in_object("policy made permissive", ("policy", "no_delete on public.secrets"), look.POLICIES,
        "DROP POLICY no_delete ON public.secrets;"
        "CREATE POLICY no_delete ON public.secrets FOR DELETE USING (false)"),
    in_object("policy's role", ("policy", "own_rows on public.secrets"), look.POLICIES,
        "ALTER POLICY own_rows ON public.secrets TO pg_monitor"),
    in_object("rule's action", ("rule", "keep on public.legacy"), look.RULES,
        "CREATE OR REPLACE RULE keep AS ON DELETE TO public.legacy DO ALSO NOTHING"),
    in_object("rule dropped", ("rule", "keep on public.legacy"), look.RULES,
        "DROP RULE keep ON public.legacy"),
)  # fmt: skip

# Types, sequences and the rest --------------------------------------------------------

_REST = (
    in_object("enum: a label added", ("enum", "public.size"), look.ENUMS,
        "ALTER TYPE public.size ADD VALUE 'huge'"),
    in_object("enum: a label renamed", ("enum", "public.size"), look.ENUMS,
        "ALTER TYPE public.size RENAME VALUE 'middle' TO 'medium'"),
    in_object("enum: the order of labels", ("enum", "public.size"), look.ENUMS,
        "DROP TYPE public.size;"
        "CREATE TYPE public.size AS ENUM ('small', 'large', 'middle')"),
    in_object("domain's check changed", ("domain", "public.share"), look.CONSTRAINTS,
        "ALTER DOMAIN public.share DROP CONSTRAINT share_range;"
        "ALTER DOMAIN public.share ADD CONSTRAINT share_range CHECK (VALUE BETWEEN 0 AND 2)"),
    in_object("domain's check dropped", ("domain", "public.share"), look.CONSTRAINTS,
        "ALTER DOMAIN public.share DROP CONSTRAINT share_range"),
    in_object("domain's default", ("domain", "public.email"), look.TYPES,
        "ALTER DOMAIN public.email DROP DEFAULT"),
    in_object("domain's not-null", ("domain", "public.email"), look.TYPES,
        "ALTER DOMAIN public.email DROP NOT NULL"),
    in_object("composite type: an attribute added",
        ("composite type", "public.measure"), look.COLUMNS,
        "ALTER TYPE public.measure ADD ATTRIBUTE note text"),
    in_object("composite type: an attribute's scale",
        ("composite type", "public.measure"), look.COLUMNS,
        "ALTER TYPE public.measure ALTER ATTRIBUTE amount TYPE numeric(10,3)"),
    in_object("range type of another subtype", ("range type", "public.cents"), look.TYPES,
        "ALTER TABLE public.spans ALTER COLUMN c TYPE text;"
        "DROP TYPE public.cents;"
        "CREATE TYPE public.cents AS RANGE (subtype = numeric);"
        "ALTER TABLE public.spans ALTER COLUMN c TYPE public.cents USING c::public.cents"),
    in_object("type dropped", ("enum", "public.size"), look.TYPES, "DROP TYPE public.size"),
    in_object("extension's schema", ("extension", "plpgsql"), look.EXTENSIONS,
        "UPDATE pg_extension SET extnamespace = 'archive'::regnamespace"
        " WHERE extname = 'plpgsql'"),
    in_object("extension's version", ("extension", "plpgsql"), look.EXTENSIONS,
        "UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'plpgsql'"),
    in_object("extension dropped: vector", ("extension", "vector"), look.EXTENSIONS,
        "DROP EXTENSION vector CASCADE", needs="vector"),
    in_object("extension in another schema", ("extension", "vector"), look.EXTENSIONS,
        "ALTER EXTENSION vector SET SCHEMA archive", needs="vector"),
    in_object("extension dropped: pg_trgm", ("extension", "pg_trgm"), look.EXTENSIONS,
        "DROP EXTENSION pg_trgm CASCADE", needs="pg_trgm"),
    in_object("sequence's increment", ("sequence", "public.tickets"), look.SEQUENCES,
        "ALTER SEQUENCE public.tickets INCREMENT BY 1"),
    in_object("sequence's cycle", ("sequence", "public.tickets"), look.SEQUENCES,
        "ALTER SEQUENCE public.tickets NO CYCLE"),
    in_object("sequence's greatest value", ("sequence", "public.tickets"), look.SEQUENCES,
        "ALTER SEQUENCE public.tickets MAXVALUE 999"),
    in_object("sequence's start", ("sequence", "public.tickets"), look.SEQUENCES,
        "ALTER SEQUENCE public.tickets START WITH 15"),
    in_object("sequence's cache", ("sequence", "public.tickets"), look.SEQUENCES,
        "ALTER SEQUENCE public.tickets CACHE 1"),
    in_object("sequence's type", ("sequence", "public.fresh"), look.SEQUENCES,
        "ALTER SEQUENCE public.fresh AS int"),
    in_object("sequence's owner column", ("sequence", "public.owned"), look.SEQUENCES,
        "ALTER SEQUENCE public.owned OWNED BY NONE"),
    in_object("sequence dropped", ("sequence", "public.fresh"), look.SEQUENCES,
        "DROP SEQUENCE public.fresh"),
    in_object("identity's increment", ("sequence", "public.children_id_seq"), look.SEQUENCES,
        "ALTER TABLE public.children ALTER COLUMN id SET INCREMENT BY 2"),
    *(
        in_object(f"comment {what}: {kind}", ("comment", f"{kind} {name}"), look.COMMENTS,
                f"COMMENT ON {'TYPE' if kind == 'enum' else kind} {name} IS {text}")
        for kind, name, what, text in (
            ("table", "public.products", "changed", "'what was for sale'"),
            ("table", "public.texts", "added", "'words'"),
            ("column", "public.products.price", "dropped", "NULL"),
            ("column", "public.products.qty", "added", "'pieces'"),
            ("index", "public.products_title", "dropped", "NULL"),
            ("view", "public.cheap", "changed", "'for spenders'"),
            ("function", "public.twice(integer)", "dropped", "NULL"),
            ("trigger", "stamped on public.parents", "dropped", "NULL"),
            ("enum", "public.mood", "changed", "'how one felt'"),
            ("domain", "public.positive", "dropped", "NULL"),
            ("schema", "archive", "changed", "'what was over'"),
            ("sequence", "public.tickets", "added", "'numbers'"),
            ("policy", "own_rows on public.secrets", "added", "'mine'"),
        )
    ),
    in_object("comment changed: check",
        ("comment", "check price_not_negative on public.products"), look.COMMENTS,
        "COMMENT ON CONSTRAINT price_not_negative ON public.products IS 'nothing is free'"),
)  # fmt: skip

OBJECTS: tuple[Mutation, ...] = (*_CODE, *_REST)
