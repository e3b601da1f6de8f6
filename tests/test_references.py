"""How references without a constraint are written, and what a bad one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verifier.config import Config
from verifier.errors import UsageError
from verifier.references import references
from verifier.transfer import Reference, parts, quoted


def read(text: str) -> Reference:
    (found,) = references([text], "--reference")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders.buyerId -> users", Reference("orders", "buyerId", "users")),
        ("a.orders.tags->b.tags", Reference("a.orders", "tags", "b.tags")),
        ("t.j[items][*][id] -> p", Reference("t", "j", "p", ("items", "*", "id"))),
        (
            """t.j['it''s'] ["a ""b"" ]"][ two-three ] -> p""",
            Reference("t", "j", "p", ("it's", 'a "b" ]', "two-three")),
        ),
        ("t.j['0'] -> p", Reference("t", "j", "p", ("0",))),
        (
            '''"odd "" .name"."a -> b"[x] -> "WHERE"."p q"''',
            Reference('"odd "" .name"', "a -> b", '"WHERE"."p q"', ("x",)),
        ),
        ("t.c -> p WHERE kind = 'shop'", Reference("t", "c", "p", (), ("kind", "shop"))),
        ("t.c -> p where kind=3", Reference("t", "c", "p", (), ("kind", "3"))),
        (
            """t.c -> p WHERE "of kind" = 'it''s -> x WHERE y = z' """,
            Reference("t", "c", "p", (), ("of kind", "it's -> x WHERE y = z")),
        ),
        ("t.c -> p WHERE k = ''", Reference("t", "c", "p", (), ("k", ""))),
        ("größe.é -> p_1", Reference("größe", "é", "p_1")),
    ],
)
def test_a_reference_is_read_and_written_again(text, expected):
    assert read(text) == expected
    assert read(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read; give it as 'TABLE.COLUMN -> PARENT'"),
        ("orders -> users", "cannot be read"),
        ("a.b.c.d -> users", "cannot be read"),
        ("orders.buyerId", "cannot be read"),
        ("orders.buyerId = users", "cannot be read"),
        ("orders.buyerId -> users.id.x", "cannot be read"),
        ("orders.buyerId[] -> users", "cannot be read"),
        ("orders.buyerId[a -> users", "cannot be read"),
        ("orders.buyerId[a b] -> users", "cannot be read"),
        ('orders."buyerId -> users', "cannot be read"),
        ("t.c -> p WHERE", "cannot be read"),
        ("t.c -> p WHERE a = 'b", "cannot be read"),
        ("t.c -> p WHERE a = 'b' OR true", "cannot be read"),
        ("t.c -> p WHERE a = b; DROP TABLE p", "cannot be read"),
        ("t.c -> p WHERE a = b;", "cannot be read"),
        ("t.c -> p WHERE a.b = 1", "cannot be read"),
        ("t.c[3] -> p", "[*] stands for every element, ['3'] for a key that is called 3"),
        ("t.c['*'] -> p", "a key that is called * cannot be named"),
    ],
)
def test_what_is_no_reference_is_refused(text, told):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert str(caught.value).startswith("--reference is ")
    assert told in str(caught.value)


def test_references_come_from_everywhere(tmp_path):
    lines = ["t.c -> p", "t.j['a, b'] -> p WHERE k = 'x'"]
    expected = (read(lines[0]), read(lines[1]))
    nowhere = Path("/nonexistent")
    from_flags = Config.load({"reference": lines}, {}, nowhere)
    assert from_flags.reference == expected
    assert from_flags.restore(quarantine=None, dry_run=False).references == expected
    environ = {"RESTORE_VERIFIER_REFERENCE": "\n".join(lines)}
    assert Config.load({}, environ, nowhere).reference == expected
    text = f"[tool.restore-verifier]\nreference = {json.dumps(lines)}\n"
    (tmp_path / "pyproject.toml").write_text(text)
    assert Config.load({}, {}, tmp_path).reference == expected
    assert Config.from_plain(from_flags.to_plain()) == from_flags


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tea", ("tea",)),
        ('shop."a.b"', ("shop", "a.b")),
        ('"a""b"', ('a"b',)),
        ("", ()),
        ("a..b", ()),
        (".a", ()),
        ('a"b"', ()),
        ('"a', ()),
        ('""', ()),
    ],
)
def test_the_parts_of_a_name(name, expected):
    assert parts(name) == expected


@pytest.mark.parametrize("name", ["tea", "Tea", "a.b", 'a"b', "1", "a b", "é", "select", "a$"])
def test_a_name_is_quoted_so_that_it_is_read_back(name):
    assert parts(quoted(name)) == (name,)
