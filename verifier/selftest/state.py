"""Mutations of states: what neither a row nor a definition shows."""

from __future__ import annotations

from verifier.selftest import witnesses as look
from verifier.selftest.mutation import Mutation, in_state

_POSITIONS = (
    in_state("a sequence behind",
        ("sequence position", "public.tickets"), look.position_of("public.tickets"),
        "SELECT setval('public.tickets', 45)"),
    in_state("a sequence ahead",
        ("sequence position", "public.tickets"), look.position_of("public.tickets"),
        "SELECT setval('public.tickets', 55)"),
    in_state("a sequence's is_called",
        ("sequence position", "public.owned"), look.position_of("public.owned"),
        "SELECT setval('public.owned', 7, true)"),
    in_state("a sequence used for the first time",
        ("sequence position", "public.fresh"), look.position_of("public.fresh"),
        "SELECT nextval('public.fresh')"),
    in_state("a serial's sequence behind",
        ("sequence position", "public.parents_id_seq"), look.position_of("public.parents_id_seq"),
        "SELECT setval('public.parents_id_seq', 1)"),
    in_state("an identity's sequence behind",
        ("sequence position", "public.children_id_seq"), look.position_of("public.children_id_seq"),
        "ALTER TABLE public.children ALTER COLUMN id RESTART WITH 1"),
    in_state("a sequence behind the rows that it feeds",
        ("constraint", "id on public.children"), look.position_of("public.children_id_seq"),
        "SELECT setval('public.children_id_seq', 2)"),
)  # fmt: skip

_STATES = (
    in_state("a foreign key NOT VALID",
        ("foreign key", "children_parent on public.children"), look.CONSTRAINTS,
        "ALTER TABLE public.children DROP CONSTRAINT children_parent,"
        " ADD CONSTRAINT children_parent"
        " FOREIGN KEY (parent_id) REFERENCES public.parents ON DELETE CASCADE NOT VALID"),
    in_state("a check NOT VALID",
        ("check", "price_not_negative on public.products"), look.CONSTRAINTS,
        "UPDATE pg_constraint SET convalidated = false WHERE conname = 'price_not_negative'"),
    in_state("a NOT VALID check validated",
        ("check", "qty_sane on public.products"), look.CONSTRAINTS,
        "ALTER TABLE public.products VALIDATE CONSTRAINT qty_sane"),
    in_state("a not-null NOT VALID", ("column", "public.modern.a"), look.CONSTRAINTS,
        "ALTER TABLE public.modern DROP CONSTRAINT a_given;"
        "ALTER TABLE public.modern ADD CONSTRAINT a_given NOT NULL a NOT VALID", 18),
    in_state("a trigger disabled", ("trigger", "stamped on public.parents"), look.TRIGGERS,
        "ALTER TABLE public.parents DISABLE TRIGGER stamped"),
    in_state("a trigger enabled", ("trigger", "resting on public.parents"), look.TRIGGERS,
        "ALTER TABLE public.parents ENABLE TRIGGER resting"),
    in_state("a trigger that fired always", ("trigger", "always on public.parents"), look.TRIGGERS,
        "ALTER TABLE public.parents ENABLE TRIGGER always"),
    in_state("a trigger that fires on a replica only",
        ("trigger", "stamped on public.parents"), look.TRIGGERS,
        "ALTER TABLE public.parents ENABLE REPLICA TRIGGER stamped"),
    in_state("the triggers of a foreign key disabled, the child's side",
        ("foreign key", "children_parent on public.children"), look.TRIGGERS,
        "ALTER TABLE public.children DISABLE TRIGGER ALL"),
    in_state("the triggers of a foreign key disabled, the parent's side",
        ("foreign key", "links_pair on public.links"), look.TRIGGERS,
        "ALTER TABLE public.pairs DISABLE TRIGGER ALL"),
    in_state("a rule disabled",
        ("rule", "keep on public.legacy"),
        "SELECT rulename, ev_enabled FROM pg_rewrite ORDER BY 1, 2",
        "ALTER TABLE public.legacy DISABLE RULE keep"),
    in_state("an index invalid", ("index", "public.products_price"), look.INDEXES,
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'public.products_price'::regclass"),
    in_state("an index not ready", ("index", "public.products_price"), look.INDEXES,
        "UPDATE pg_index SET indisready = false, indisvalid = false"
        " WHERE indexrelid = 'public.products_price'::regclass"),
    in_state("a unique key's index invalid",
        ("unique", "products_sku on public.products"), look.INDEXES,
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'public.products_sku'::regclass"),
)  # fmt: skip


def _past_index(index: str, sql: str) -> str:
    """Run ``sql`` while ``index`` is not looked at or written to."""
    ready = f"UPDATE pg_index SET indisready = {{}} WHERE indexrelid = '{index}'::regclass"  # noqa: S608
    return f"{ready.format('false')}; {sql}; {ready.format('true')}"


_RULES = (
    in_state("an orphan under convalidated = t",
        ("constraint", "children_parent on public.children"), look.rows_of("public.children"),
        "SET LOCAL session_replication_role = replica;"
        "UPDATE public.children SET parent_id = 99 WHERE name = 'one'"),
    in_state("an orphan by a parent that is gone",
        ("constraint", "grandchildren_child on public.grandchildren"),
        look.rows_of("public.children"),
        "SET LOCAL session_replication_role = replica;"
        "DELETE FROM public.children WHERE name = 'three'"),
    in_state("an orphan of a reference of two columns",
        ("constraint", "links_pair on public.links"), look.rows_of("public.links"),
        "SET LOCAL session_replication_role = replica;"
        "UPDATE public.links SET b = 'r' WHERE id = 1"),
    in_state("half a reference under MATCH FULL",
        ("constraint", "links_pair on public.links"), look.rows_of("public.links"),
        "SET LOCAL session_replication_role = replica;"
        "UPDATE public.links SET b = NULL WHERE id = 1"),
    in_state("a branch without its root",
        ("constraint", "tree_up on public.tree"), look.rows_of("public.tree"),
        "SET LOCAL session_replication_role = replica;"
        "DELETE FROM public.tree WHERE id = 1"),
    in_state("a duplicate under a primary key",
        ("constraint", "codes_pkey on public.codes"), look.rows_of("public.codes"),
        _past_index("public.codes_pkey", "INSERT INTO public.codes VALUES ('alpha', 'A')")),
    in_state("a duplicate under a unique key",
        ("constraint", "products_sku on public.products"), look.rows_of("public.products"),
        _past_index("public.products_sku",
                    "UPDATE public.products SET sku = 'A-1' WHERE sku = 'B-2'")),
    in_state("a duplicate under a unique index of an expression",
        ("constraint", "accounts_email on public.accounts"), look.rows_of("public.accounts"),
        _past_index("public.accounts_email",
                    "UPDATE public.accounts SET email = 'a@X' WHERE id = 3")),
    in_state("a second NULL under nulls not distinct",
        ("constraint", "singles_k on public.singles"), look.rows_of("public.singles"),
        _past_index("public.singles_k", "INSERT INTO public.singles VALUES (NULL, 'more')"), 15),
    in_state("an overlap under an exclusion",
        ("constraint", "no_overlap on public.bookings"), look.rows_of("public.bookings"),
        _past_index("public.no_overlap",
                    "UPDATE public.bookings SET during = '[2024-01-01,2024-01-04)' WHERE id = 2")),
    in_state("a row against a check",
        ("constraint", "price_not_negative on public.products"), look.rows_of("public.products"),
        "ALTER TABLE public.products DROP CONSTRAINT price_not_negative;"
        "UPDATE public.products SET price = -1 WHERE sku = 'A-1';"
        "ALTER TABLE public.products"
        " ADD CONSTRAINT price_not_negative CHECK (price >= 0) NOT VALID;"
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'price_not_negative';"
        "COMMENT ON CONSTRAINT price_not_negative ON public.products IS 'nothing is given away'"),
    in_state("NULL under not-null",
        ("constraint", "name on public.parents"), look.rows_of("public.parents"),
        "UPDATE pg_attribute SET attnotnull = false"
        " WHERE attrelid = 'public.parents'::regclass AND attname = 'name';"
        "UPDATE public.parents SET name = NULL WHERE id = 3;"
        "UPDATE pg_attribute SET attnotnull = true"
        " WHERE attrelid = 'public.parents'::regclass AND attname = 'name'"),
)  # fmt: skip

_LARGE_OBJECTS = (
    in_state("a large object's byte", ("large object", "900001"), look.LARGE_OBJECTS,
        r"SELECT lo_put(900001, 3, '\xfe')"),
    in_state("a large object's byte on a later page",
        ("large object", "900002"), look.LARGE_OBJECTS,
        r"SELECT lo_put(900002, 4999, '\xac')"),
    in_state("a large object longer by a zero", ("large object", "900001"), look.LARGE_OBJECTS,
        r"SELECT lo_put(900001, 4, '\x00')"),
    in_state("an empty large object filled", ("large object", "900003"), look.LARGE_OBJECTS,
        r"SELECT lo_put(900003, 0, '\x00')"),
    in_state("a large object more", ("large object", "900004"), look.LARGE_OBJECTS,
        "SELECT lo_create(900004)"),
    in_state("a large object less", ("large object", "900002"), look.LARGE_OBJECTS,
        "SELECT lo_unlink(900002)"),
    in_state("an empty large object less", ("large object", "900003"), look.LARGE_OBJECTS,
        "SELECT lo_unlink(900003)"),
    in_state("a large object's comment", ("comment", "large object 900001"), look.LARGE_OBJECTS,
        "COMMENT ON LARGE OBJECT 900001 IS 'another picture'"),
)  # fmt: skip

STATE: tuple[Mutation, ...] = (*_POSITIONS, *_STATES, *_RULES, *_LARGE_OBJECTS)
