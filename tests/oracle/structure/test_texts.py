"""Views as 15 and 16 print them: the same one is the same, another one is not."""

from __future__ import annotations

import pytest

from verifier.oracle.structure.texts import same_view, tokens

SAME = {
    "one table": (
        " SELECT t.a,\n    t.b\n   FROM x.t\n  WHERE (t.a > 1);",
        " SELECT a,\n    b\n   FROM x.t\n  WHERE (a > 1);",
    ),
    "a subquery keeps its names": (
        " SELECT t.a\n   FROM x.t\n  WHERE (EXISTS ( SELECT\n           FROM x.u\n"
        "          WHERE (u.a = t.a)));",
        " SELECT a\n   FROM x.t\n  WHERE (EXISTS ( SELECT\n           FROM x.u\n"
        "          WHERE (u.a = t.a)));",
    ),
    "a column named like its table": (
        " SELECT g.g\n   FROM generate_series(1, 3) g(g);",
        " SELECT g\n   FROM generate_series(1, 3) g(g);",
    ),
    "a whole row keeps its name": (
        " SELECT json_agg(t.*) AS j,\n    max(t.c) AS max\n   FROM x.t;",
        " SELECT json_agg(t.*) AS j,\n    max(c) AS max\n   FROM x.t;",
    ),
    "quoted names and strings with dots in them": (
        """ SELECT "New T"."t.x",\n    'New T.t'::text AS s\n   FROM x."New T";""",
        """ SELECT "t.x",\n    'New T.t'::text AS s\n   FROM x."New T";""",
    ),
    "no difference": (" SELECT 1 AS one;", " SELECT 1 AS one;"),
}
ANOTHER = {
    "another column": (" SELECT t.a\n   FROM x.t;", " SELECT b\n   FROM x.t;"),
    "another table": (" SELECT t.a\n   FROM x.t;", " SELECT a\n   FROM x.u;"),
    "another schema": (" SELECT t.a\n   FROM x.t;", " SELECT a\n   FROM t;"),
    "another string": (
        " SELECT t.a\n   FROM x.t\n  WHERE (t.b = 'x.y'::text);",
        " SELECT a\n   FROM x.t\n  WHERE (b = 'y'::text);",
    ),
    "less of it": (
        " SELECT t.a\n   FROM x.t\n  WHERE (t.a > 1);",
        " SELECT a\n   FROM x.t;",
    ),
    "the newer one has the prefix": (" SELECT a\n   FROM x.t;", " SELECT t.a\n   FROM x.t;"),
    "two tables' names left out": (
        " SELECT t.a,\n    u.b\n   FROM x.t,\n    x.u;",
        " SELECT a,\n    b\n   FROM x.t,\n    x.u;",
    ),
    "a number is no name": (" SELECT a.1\n   FROM t;", " SELECT 1\n   FROM t;"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_view_printed_by_two_versions(name: str) -> None:
    assert same_view(*SAME[name])


@pytest.mark.parametrize("name", ANOTHER)
def test_another_view_is_not_taken_for_the_same(name: str) -> None:
    assert not same_view(*ANOTHER[name])


def test_what_looks_like_a_name_inside_a_string_or_a_quoted_name_is_one_token() -> None:
    text = """E'it\\'s t.a' || "a ""b"".c" || $x$ t.a $$ $x$ || U&'\\0041'"""
    assert [token for _, token in tokens(text)] == [
        "E'it\\'s t.a'", "|", "|", '"a ""b"".c"', "|", "|", "$x$ t.a $$ $x$", "|", "|",
        "U&'\\0041'",
    ]  # fmt: skip
