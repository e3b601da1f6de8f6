"""What stands in the way while a file of upserts runs: refused where a restore would not mind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.initial_load.conftest import Move
from tests.initial_load.test_convert import content, expected, psql
from verifier.initial_load.convert import convert
from verifier.transfer import RestoreOptions, Style

# Name: schema, rows of the source, rows of the target; the styles that can, and else why not.
WORLDS: dict[str, tuple[tuple[str, str, str], set[Style], str]] = {
    "new name beside the old reference": (
        (
            "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, name text,"
            " UNIQUE (up, name))",
            "INSERT INTO t VALUES (1, NULL, 'root'), (5, 1, 'b'), (9, 5, 'b')",
            "INSERT INTO t VALUES (1, NULL, 'root'), (9, 1, 'x')",
        ),
        {Style.SET},
        "public.t refer to each other",
    ),
    "new name, same reference": (
        (
            "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, name text,"
            " UNIQUE (up, name))",
            "INSERT INTO t VALUES (1, NULL, 'root'), (5, 1, 'b'), (9, 1, 'y')",
            "INSERT INTO t VALUES (1, NULL, 'root'), (9, 1, 'x')",
        ),
        {Style.SET, Style.ROWS},
        "",
    ),
    "new place beside the old reference": (
        (
            "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, r int4range,"
            " EXCLUDE USING gist (int4range(up, up, '[]') WITH &&, r WITH &&))",
            "INSERT INTO t VALUES (1, NULL, NULL), (5, 1, '[1,3)'), (9, 5, '[1,3)')",
            "INSERT INTO t VALUES (1, NULL, NULL), (9, 1, '[7,9)')",
        ),
        {Style.SET},
        "public.t refer to each other",
    ),
    "half of another reference": (
        (
            "CREATE TABLE o (b int, c int, PRIMARY KEY (b, c));"
            "CREATE TABLE t (id int PRIMARY KEY, b int REFERENCES t, c int NOT NULL,"
            " FOREIGN KEY (b, c) REFERENCES o)",
            "INSERT INTO o VALUES (1, 1), (2, 2);"
            "INSERT INTO t VALUES (1, NULL, 1), (2, NULL, 1), (3, 2, 2)",
            "INSERT INTO o VALUES (1, 1); INSERT INTO t VALUES (1, NULL, 1), (3, 1, 1)",
        ),
        {Style.SET},
        "public.t refer to each other",
    ),
    "half of a reference that is whole or not at all": (
        (
            "CREATE TABLE o (b int, c int, PRIMARY KEY (b, c));"
            "CREATE TABLE t (id int PRIMARY KEY, b int REFERENCES t, c int,"
            " FOREIGN KEY (b, c) REFERENCES o MATCH FULL)",
            "INSERT INTO o VALUES (2, 2); INSERT INTO t VALUES (2, NULL, NULL), (3, 2, 2)",
            "",
        ),
        {Style.SET},
        "public.t refer to each other",
    ),
    "reference with a default": (
        (
            "CREATE TABLE t (id int PRIMARY KEY, up int DEFAULT 7 REFERENCES t)",
            "INSERT INTO t VALUES (1, 2), (2, 1)",
            "",
        ),
        {Style.SET, Style.ROWS},
        "",
    ),
    "reference of a type with a default": (
        (
            "CREATE DOMAIN d AS int DEFAULT 7;"
            "CREATE TABLE t (id int PRIMARY KEY, up d REFERENCES t)",
            "INSERT INTO t VALUES (1, 2), (2, 1)",
            "",
        ),
        {Style.SET, Style.ROWS},
        "",
    ),
    "reference of a type that is never NULL": (
        (
            "CREATE DOMAIN d AS int CHECK (VALUE IS NOT NULL);"
            "CREATE TABLE t (id int PRIMARY KEY, up d REFERENCES t)",
            "INSERT INTO t VALUES (1, 2), (2, 1)",
            "",
        ),
        {Style.SET},
        "public.t refer to each other",
    ),
    "places exchanged": (
        (
            "CREATE TABLE t (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))",
            "INSERT INTO t VALUES (1, '[1,5)'), (2, '[5,9)')",
            "INSERT INTO t VALUES (2, '[1,5)'), (1, '[5,9)')",
        ),
        set(),
        "hand values of t_r_excl on",
    ),
    "key that follows, and meets a row of the backup": (
        (
            "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
            "CREATE TABLE c (id int PRIMARY KEY, code text REFERENCES p (code) ON UPDATE CASCADE,"
            " slot int, UNIQUE (code, slot))",
            "INSERT INTO p VALUES (1, 'x'), (2, 'b');INSERT INTO c VALUES (3, 'x', 1), (7, 'b', 9)",
            "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (7, 'a', 1)",
        ),
        set(),
        "what rows of public.p change (c_code_fkey)",
    ),
    "value that follows, and breaks a check": (
        (
            "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
            "CREATE TABLE c (id int PRIMARY KEY, code text REFERENCES p (code) ON UPDATE CASCADE,"
            " slot int, CHECK (code <> 'x' OR slot > 5))",
            "INSERT INTO p VALUES (1, 'x'); INSERT INTO c VALUES (7, 'x', 9)",
            "INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (7, 'a', 1)",
        ),
        set(),
        "what rows of public.p change (c_code_fkey)",
    ),
    "place that follows, and meets a row of the backup": (
        (
            "CREATE TABLE p (id int PRIMARY KEY, code int UNIQUE);"
            "CREATE TABLE c (id int PRIMARY KEY, code int REFERENCES p (code) ON UPDATE CASCADE,"
            " r int4range, EXCLUDE USING gist (int4range(code, code, '[]') WITH &&, r WITH &&))",
            "INSERT INTO p VALUES (1, 9), (2, 2);"
            "INSERT INTO c VALUES (3, 9, '[1,5)'), (7, 2, '[1,5)')",
            "INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (7, 1, '[1,5)')",
        ),
        set(),
        "what rows of public.p change (c_code_fkey)",
    ),
    "action that does not wait": (
        (
            "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
            "CREATE TABLE c (id int PRIMARY KEY, code text NOT NULL REFERENCES p (code)"
            " ON UPDATE SET NULL DEFERRABLE)",
            "INSERT INTO p VALUES (1, 'x'); INSERT INTO c VALUES (7, 'x')",
            "INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (7, 'a')",
        ),
        set(),
        "what rows of public.p change (c_code_fkey)",
    ),
}


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize(("world", "able", "why"), WORLDS.values(), ids=list(WORLDS))
def test_psql_restores_it_or_it_is_refused(
    move: Move,
    tmp_path: Path,
    world: tuple[str, str, str],
    able: set[Style],
    why: str,
    style: Style,
) -> None:
    wanted = expected(move, world)
    before = move.state()
    out = tmp_path / "upserts.sql"
    claim = convert(move.path, move.target.dsn, out, style, RestoreOptions(dry_run=True))
    assert (claim.success, out.exists()) == (style in able, style in able), claim.message
    assert move.state() == before
    if claim.success:
        done = psql(move.target.dsn, out)
        assert (done.returncode, done.stderr) == (0, "")
        assert content(move) == wanted
    else:
        assert claim.exit_code == 2
        assert why in claim.message
