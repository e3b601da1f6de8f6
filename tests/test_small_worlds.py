"""The built-in restore and the oracle agree on small worlds that are nothing like the shop.

They share no code, so each of these is a test of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from verifier.config import Config
from verifier.contract import Claim, Verdict
from verifier.implementations import implementation
from verifier.scenario import Scenario, Seed
from verifier.servers import Pair


@dataclass(frozen=True)
class World:
    target: str
    """Schema of the target."""
    rows: str
    """Of the source."""
    present: str = ""
    """Rows that the target has before."""
    source: str | None = None
    """Schema of the source, where it is not the target's."""
    rejected: int = 0
    merged: int | None = None
    """Rows that have to be merged, where it is worth counting."""


WORLDS = {
    "join rows that collide after a merge": World(
        source="CREATE TABLE p (id int PRIMARY KEY, k text);"
        "CREATE TABLE j (a int NOT NULL REFERENCES p, b int NOT NULL);",
        target="CREATE TABLE p (id int PRIMARY KEY, k text UNIQUE);"
        "CREATE TABLE j (a int NOT NULL REFERENCES p, b int NOT NULL, UNIQUE (a, b));",
        rows="INSERT INTO p VALUES (1, 'x'), (2, 'x'); INSERT INTO j VALUES (1,7), (2,7), (2,8)",
    ),
    "one id twice in a source without primary key": World(
        source="CREATE TABLE p (id int, k text);",
        target="CREATE TABLE p (id int PRIMARY KEY, k text);",
        rows="INSERT INTO p VALUES (1, 'x'), (1, 'y'), (2, 'z')",
    ),
    "a table without key is a multiset": World(
        target="CREATE TABLE l (a int, b text);",
        rows="INSERT INTO l VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
        present="INSERT INTO l VALUES (1, 'x'), (5, 't')",
    ),
    "a unique key that may be NULL and no other": World(
        source="CREATE TABLE n (code text, v int);",
        target="CREATE TABLE n (code text UNIQUE, v int);",
        rows="INSERT INTO n VALUES ('k', 1), (NULL, 2), (NULL, 2)",
        present="INSERT INTO n VALUES ('k', 9)",
    ),
    "values swapped between rows": World(
        target="CREATE TABLE s (id int PRIMARY KEY, slug text UNIQUE);",
        rows="INSERT INTO s VALUES (1, 'b'), (2, 'a'), (3, 'c')",
        present="INSERT INTO s VALUES (1, 'a'), (2, 'b'), (4, 'd')",
    ),
    "a row that is two rows of the target": World(
        target="CREATE TABLE u (id int PRIMARY KEY, email text UNIQUE, slug text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, u int REFERENCES u);",
        rows="INSERT INTO u VALUES (1, 'a@x', 's1'), (9, 'n', 'n');"
        "INSERT INTO c VALUES (1, 1), (2, 9)",
        present="INSERT INTO u VALUES (1, 'old', 'old'), (2, 'a@x', 'z'), (3, 'q', 's1')",
        rejected=1,
    ),
    "a tree whose root was written last": World(
        target="CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, name text);",
        rows="INSERT INTO t VALUES (1, NULL, 'r');"
        "INSERT INTO t VALUES (5, 1, 'a'), (2, 5, 'b'), (3, 2, 'c');"
        "UPDATE t SET name = 'R' WHERE id = 1",
    ),
    "rows in a circle": World(
        target="CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t);",
        rows="INSERT INTO t VALUES (1, NULL); INSERT INTO t VALUES (5, 1), (2, 5), (3, 2);"
        "UPDATE t SET up = 3 WHERE id = 5",
    ),
    "tables in a circle, nothing deferrable": World(
        target="CREATE TABLE d (id int PRIMARY KEY, boss int);"
        "CREATE TABLE e (id int PRIMARY KEY, d int NOT NULL REFERENCES d);"
        "ALTER TABLE d ADD FOREIGN KEY (boss) REFERENCES e;",
        rows="INSERT INTO d VALUES (1, NULL), (2, NULL); INSERT INTO e VALUES (1, 1), (2, 2);"
        "UPDATE d SET boss = 2",
    ),
    "duplicates that carry on down a tree": World(
        source="CREATE TABLE t (id int PRIMARY KEY, k text, up int REFERENCES t);",
        target="CREATE TABLE t (id int PRIMARY KEY, k text, up int REFERENCES t);"
        "CREATE UNIQUE INDEX t_k ON t (k, up) NULLS NOT DISTINCT;",
        rows="INSERT INTO t VALUES (1, 'r', NULL), (2, 'r', NULL), (3, 'c', 1), (4, 'c', 2),"
        " (5, 'g', 3), (6, 'g', 4), (7, 'h', 6)",
        merged=3,
    ),
    "a NULL that is nobody's parent": World(
        source="CREATE TABLE t (a text, up text);",
        target="CREATE TABLE t (a text UNIQUE, up text REFERENCES t (a));",
        rows="INSERT INTO t VALUES (NULL, 'gone'), ('w', NULL)",
        rejected=1,
    ),
    "a key column that is part of an optional reference": World(
        target="CREATE TABLE p (id int, part int, PRIMARY KEY (id, part));"
        "CREATE TABLE c (id int PRIMARY KEY, b text, f int, FOREIGN KEY (f, id) REFERENCES p);",
        rows="INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, NULL, 1)",
        present="INSERT INTO c VALUES (1, 'w', NULL)",
    ),
    "two rows of one identity, of which one is an orphan": World(
        source="CREATE TABLE t (a text, b text);",
        target="CREATE TABLE p (b text PRIMARY KEY);"
        "CREATE TABLE t (a text NOT NULL UNIQUE, b text REFERENCES p);",
        rows="INSERT INTO t VALUES ('y', 'x'), ('y', NULL)",
        rejected=1,
    ),
    "NULLS NOT DISTINCT": World(
        source="CREATE TABLE t (id int PRIMARY KEY, a int, b text);",
        target="CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
        "CREATE UNIQUE INDEX t_ab ON t (a, b) NULLS NOT DISTINCT;",
        rows="INSERT INTO t VALUES (1, NULL, 'x'), (2, NULL, 'x'), (3, 1, 'x')",
    ),
    "a partial key that changes hands": World(
        target="CREATE TABLE t (id int PRIMARY KEY, email text, dead bool);"
        "CREATE UNIQUE INDEX t_live ON t (email) WHERE NOT dead;",
        rows="INSERT INTO t VALUES (1, 'a', true), (2, 'a', false)",
        present="INSERT INTO t VALUES (1, 'a', false), (2, 'a', true)",
    ),
    "a key on an expression": World(
        source="CREATE TABLE t (id int PRIMARY KEY, email text);",
        target="CREATE TABLE t (id int PRIMARY KEY, email text);"
        "CREATE UNIQUE INDEX t_lower ON t (lower(email));",
        rows="INSERT INTO t VALUES (1, 'Ann@x'), (2, 'ann@X')",
    ),
    "identity always, and a generated column": World(
        target="CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,"
        " b int GENERATED ALWAYS AS (a * 2) STORED);",
        rows="INSERT INTO t (a) VALUES (1), (2)",
    ),
    "names that need quotes, in another schema": World(
        target='CREATE SCHEMA "Tenant-B"; CREATE TABLE "Tenant-B"."weird ""tbl"".x"'
        ' (id int PRIMARY KEY, "a,b" text, "c)d" text, "select" text);',
        rows='INSERT INTO "Tenant-B"."weird ""tbl"".x" VALUES (1, \'x\', \'y);\', \'z\')',
    ),
    "children of rows that are known by their parent": World(
        source="CREATE TABLE p (id int PRIMARY KEY, k text);"
        "CREATE TABLE q (id int PRIMARY KEY REFERENCES p, v int);"
        "CREATE TABLE r (id int PRIMARY KEY, q int REFERENCES q);",
        target="CREATE TABLE p (id int PRIMARY KEY, k text UNIQUE);"
        "CREATE TABLE q (id int PRIMARY KEY REFERENCES p, v int);"
        "CREATE TABLE r (id int PRIMARY KEY, q int REFERENCES q);",
        rows="INSERT INTO p VALUES (1, 'x'), (2, 'x'); INSERT INTO q VALUES (1, 5);"
        "INSERT INTO r VALUES (9, 1)",
        merged=1,
    ),
    "children of rows whose tenants merge": World(
        source="CREATE TABLE o (id int PRIMARY KEY, name text);"
        "CREATE TABLE p (o int REFERENCES o, id int, PRIMARY KEY (o, id));"
        "CREATE TABLE c (id int PRIMARY KEY, o int, p int, FOREIGN KEY (o, p) REFERENCES p);",
        target="CREATE TABLE o (id int PRIMARY KEY, name text UNIQUE);"
        "CREATE TABLE p (o int REFERENCES o, id int, PRIMARY KEY (o, id));"
        "CREATE TABLE c (id int PRIMARY KEY, o int, p int, FOREIGN KEY (o, p) REFERENCES p);",
        rows="INSERT INTO o VALUES (3, 'z'), (2, 'z'); INSERT INTO p VALUES (3, 1), (2, 2);"
        "INSERT INTO c VALUES (7, 3, 1), (8, 2, 2)",
        merged=1,
    ),
    "a code that changes together with its references": World(
        target="CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE x (id int PRIMARY KEY);"
        "CREATE TABLE c (id int PRIMARY KEY, code text NOT NULL UNIQUE REFERENCES p (code),"
        " x int REFERENCES x);"
        "CREATE TABLE d (id int PRIMARY KEY, code text REFERENCES c (code));",
        rows="INSERT INTO p VALUES (1, 'b'), (2, 'n'); INSERT INTO x VALUES (1);"
        "INSERT INTO c VALUES (1, 'b', 1), (2, 'n', 1); INSERT INTO d VALUES (1, 'b'), (2, 'n')",
        present="INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 'a', NULL);"
        "INSERT INTO d VALUES (1, 'a')",
    ),
    "a code that changes in a tree of codes": World(
        target="CREATE TABLE t"
        " (id int PRIMARY KEY, code text UNIQUE, up text REFERENCES t (code));",
        rows="INSERT INTO t VALUES (1, 'b', 'b'), (2, 'c', 'b')",
        present="INSERT INTO t VALUES (1, 'a', 'a')",
    ),
    "types whose texts are easily changed": World(
        target="CREATE TABLE t (id int PRIMARY KEY, j json, c char(5), f float8, n numeric,"
        " r int4range, i interval, b bit(3), m money, a int[], d timestamptz);",
        rows="""INSERT INTO t VALUES
            (1, '{"b":1,"a":2,"a":3, "n":1.10}', 'ab', '-0', 1.10, '[1,5]', '1 mon -2 days',
             B'101', 12.5, '[0:2]={1,2,3}', '0044-03-15 12:00 BC'),
            (2, 'null', NULL, 'NaN', 'NaN', 'empty', '-1:00', NULL, -3, '{{1,2},{3,4}}',
             'infinity')""",
    ),
}


@pytest.fixture
def scenario(servers: Pair, tmp_path: Path) -> Iterator[Scenario]:
    made = Scenario(
        "world",
        servers,
        implementation("initial-load"),
        config=Config(),
        focus=(),
        workdir=tmp_path,
    )
    yield made
    made.close()


@pytest.mark.parametrize("name", WORLDS)
def test_small_world(scenario: Scenario, name: str) -> None:
    world = WORLDS[name]

    def build(script: str) -> Seed:
        return Seed(f"{name}: {script}", lambda connection: _run(connection, script))

    scenario.begin(
        source=build((world.source or world.target) + world.rows),
        target=build(world.target + world.present),
    )
    outcome = scenario.restore()
    outcome.prove()
    assert outcome.proof.verdict is Verdict.KEPT
    assert _rejected(outcome.claim) == world.rejected
    assert outcome.claim.success is (world.rejected == 0)
    if world.merged is not None:
        assert len(outcome.claim.merges or ()) == world.merged


def _run(connection: psycopg.Connection[Any], script: str) -> None:
    connection.execute(script.encode())


def _rejected(claim: Claim) -> int:
    return sum(counts.rejected for counts in (claim.counts or {}).values())
