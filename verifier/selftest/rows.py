"""Mutations of keys and whole rows."""

from __future__ import annotations

from verifier.selftest.mutation import Mutation, in_rows

_KEYS = (
    in_rows("a primary key", "public.codes",
            "UPDATE public.codes SET code = 'gamma' WHERE code = 'alpha'"),
    in_rows("a text key's case", "public.codes",
            "UPDATE public.codes SET code = 'Alpha' WHERE code = 'alpha'"),
    in_rows("a text key, a trailing blank added", "public.codes",
            "UPDATE public.codes SET code = 'alpha ' WHERE code = 'alpha'"),
    in_rows("a text key, composed to decomposed", "public.codes",
            r"UPDATE public.codes SET code = E'cafe\u0301' WHERE label = 'C'"),
    in_rows("an empty text key's row", "public.codes",
            "UPDATE public.codes SET label = NULL WHERE code = ''"),
    in_rows("the keys of two rows exchanged", "public.codes",
            "UPDATE public.codes SET label = CASE label WHEN 'A' THEN 'B' ELSE 'A' END"
            " WHERE label IN ('A', 'B')"),
    in_rows("a composite key's parts shifted", "public.pairs",
            "UPDATE public.pairs SET a = 'ab', b = 'c' WHERE a = 'a'"),
    in_rows("a composite key, | shifted", "public.pairs",
            "UPDATE public.pairs SET a = 'x', b = '|y' WHERE a = 'x|'"),
    in_rows("a composite key's parts exchanged", "public.pairs",
            "UPDATE public.pairs SET a = 'q', b = 'p' WHERE b = 'q'"),
    in_rows("the value of a row with a composite key", "public.pairs",
            "UPDATE public.pairs SET v = 5 WHERE b = 'q'"),
    in_rows("a bigint key: 1 to 2^32", "public.bigkeys",
            "UPDATE public.bigkeys SET id = 4294967296 WHERE id = 1"),
    in_rows("a bigint key: -1 to 2^32 - 1", "public.bigkeys",
            "UPDATE public.bigkeys SET id = 4294967295 WHERE id = -1"),
    in_rows("two bigint keys, halves of their 64 bits exchanged", "public.bigkeys",
            "UPDATE public.bigkeys SET id = CASE id WHEN 2 THEN 4 ELSE 8589934592 END"
            " WHERE v = 'same'"),
    in_rows("a bigint key at its limit", "public.bigkeys",
            "UPDATE public.bigkeys SET id = id - 1 WHERE v = 'last'"),
    in_rows("a timestamp key, halves of its 64 bits exchanged", "public.timekeys",
            "UPDATE public.timekeys SET at = '2000-01-01 01:11:34.967296+00' WHERE v = 'x'"),
    in_rows("a uuid key", "public.uuids",
            "UPDATE public.uuids SET id = '11111111-1111-1111-1111-111111111112' WHERE v = 'x'"),
    in_rows("a numeric key: 1.0 to 1", "public.numkeys",
            "UPDATE public.numkeys SET n = 1 WHERE v = 'x'"),
    in_rows("a float key: 0 to -0", "public.floatkeys",
            "UPDATE public.floatkeys SET f = '-0' WHERE v = 'x'"),
    in_rows("the value of the row whose key is NaN", "public.floatkeys",
            "UPDATE public.floatkeys SET v = 'z' WHERE f = 'NaN'"),
    in_rows("a unique key: NULL to ''", "public.optional",
            "UPDATE public.optional SET k = '' WHERE v = 'one'"),
    in_rows("the value of a row whose unique key is NULL", "public.optional",
            "UPDATE public.optional SET v = 'two' WHERE v = 'one'"),
    in_rows("one of two rows less whose unique key is NULL", "public.optional",
            "DELETE FROM public.optional WHERE v = 'one'"),
    in_rows("unique nulls not distinct: the row whose key is NULL", "public.singles",
            "UPDATE public.singles SET v = 'some' WHERE k IS NULL", 15),
)  # fmt: skip

_ROWS = (
    in_rows("values of two rows exchanged", "public.texts",
            "UPDATE public.texts SET a = CASE id WHEN 24 THEN 'swapped two' ELSE 'swapped one' END"
            " WHERE id IN (24, 25)"),
    in_rows("one row more", "public.texts", "INSERT INTO public.texts VALUES (100)"),
    in_rows("one row less", "public.texts", "DELETE FROM public.texts WHERE id = 1"),
    in_rows("one row in an empty table", "public.empty", "INSERT INTO public.empty VALUES (1)"),
    in_rows("one row in a table without columns", "public.nothing",
            "INSERT INTO public.nothing DEFAULT VALUES"),
    in_rows("all rows gone", "public.uuids", "TRUNCATE public.uuids"),
    in_rows("no key: one duplicate more", "public.journal",
            "INSERT INTO public.journal VALUES ('b', 2)"),
    in_rows("no key: two duplicates more", "public.journal",
            "INSERT INTO public.journal VALUES ('b', 2), ('b', 2)"),
    in_rows("no key: one duplicate less", "public.journal",
            "DELETE FROM public.journal WHERE ctid ="
            " (SELECT min(ctid) FROM public.journal WHERE what = 'a')"),
    in_rows("no key: two duplicates less", "public.journal",
            "DELETE FROM public.journal WHERE ctid IN"
            " (SELECT ctid FROM public.journal WHERE what = 'a' LIMIT 2)"),
    in_rows("no key: one duplicate less, another more", "public.journal",
            "UPDATE public.journal SET what = 'b', n = 2 WHERE ctid ="
            " (SELECT min(ctid) FROM public.journal WHERE what = 'a')"),
    in_rows("no key: a row of NULLs less", "public.journal",
            "DELETE FROM public.journal WHERE ctid ="
            " (SELECT min(ctid) FROM public.journal WHERE what IS NULL)"),
    in_rows("no key: NULL to 0", "public.journal",
            "UPDATE public.journal SET n = 0 WHERE what = 'c'"),
    in_rows("no key: '' to NULL", "public.journal",
            "UPDATE public.journal SET what = NULL WHERE what = ''"),
    in_rows("a child moved to another parent", "public.children",
            "UPDATE public.children SET parent_id = 2 WHERE name = 'one'"),
    in_rows("a child taken from its parent", "public.children",
            "UPDATE public.children SET parent_id = NULL WHERE name = 'one'"),
    in_rows("two children exchanged between their parents", "public.children",
            "UPDATE public.children SET parent_id = 3 - parent_id WHERE name IN ('one', 'three')"),
    in_rows("a branch of a tree moved", "public.tree",
            "UPDATE public.tree SET up = 3 WHERE name = 'leaf'"),
    in_rows("a parent renamed", "public.parents",
            "UPDATE public.parents SET note = '' WHERE note IS NULL"),
    in_rows("a row moved to another partition", "public.events",
            "UPDATE public.events SET at = '2024-05-06' WHERE id = 1"),
    in_rows("one row less in the default partition", "public.events",
            "DELETE FROM public.events WHERE id = 3"),
    in_rows("a row moved from the parent table to its heir", "public.cars",
            "WITH gone AS (DELETE FROM ONLY public.vehicles WHERE id = 2 RETURNING *)"
            " INSERT INTO public.cars SELECT * FROM gone"),
    in_rows("a row moved from the heir to its parent table", "public.vehicles",
            "WITH gone AS (DELETE FROM public.bikes RETURNING *)"
            " INSERT INTO public.vehicles SELECT * FROM gone"),
    in_rows("the heir's own column", "public.cars", "UPDATE public.cars SET doors = 5"),
    in_rows("quoted names: a value", 'public."Order"',
            'UPDATE public."Order" SET "mixed Case" = NULL WHERE "Select" = 2'),
    in_rows("quoted names: a column with % and {}", 'public."Order"',
            'UPDATE public."Order" SET "%s {}" = NULL WHERE "Select" = 2'),
    in_rows("quoted names: a schema and a key with a point", '"Odd ""Schema"""."Odd.Table"',
            'UPDATE "Odd ""Schema"""."Odd.Table" SET "c d" = NULL WHERE "a.b" = 2'),
    in_rows("the other of two tables of one name", "archive.texts",
            "UPDATE archive.texts SET a = 'new' WHERE id = 1"),
    in_rows("a row that policies hide", "public.secrets",
            "UPDATE public.secrets SET secret = 'z' WHERE id = 2"),
    in_rows("a generated column's stored value, its function being the same", "public.invoices",
            "CREATE OR REPLACE FUNCTION public.net_of(gross numeric) RETURNS numeric"
            " LANGUAGE sql IMMUTABLE AS 'SELECT gross * 0.9';"
            "UPDATE public.invoices SET gross = gross WHERE id = 1;"
            "CREATE OR REPLACE FUNCTION public.net_of(gross numeric) RETURNS numeric"
            " LANGUAGE sql IMMUTABLE AS 'SELECT gross * 0.8'"),
    in_rows("a materialised view that is stale", "public.stock",
            "UPDATE public.products SET qty = 11 WHERE sku = 'A-1';"
            "REFRESH MATERIALIZED VIEW public.stock;"
            "UPDATE public.products SET qty = 10 WHERE sku = 'A-1'"),
)  # fmt: skip

ROWS: tuple[Mutation, ...] = (*_KEYS, *_ROWS)
