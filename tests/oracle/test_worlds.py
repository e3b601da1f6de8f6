"""Schemas with less usual rules: what is right is kept there, what is wrong is found."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from threading import Thread

import psycopg
import pytest

from tests.oracle.conftest import DONE, Bench, broken, findings
from verifier.contract import Claim, Counts, Guarantee, Merge, Rejection, Verdict

G = Guarantee


@dataclass(frozen=True)
class World:
    target: str
    rows: str
    """Of the source."""
    restore: str | None = None
    """``None``: the source's rows as they are."""
    source: str | None = None
    """Schema of the source, where it is not the target's."""
    present: str = ""
    """Rows that the target has before."""
    claim: Claim = DONE
    admin: bool = False
    wrong: set[Guarantee] = field(default_factory=set)
    unseen: bool = False
    """Whether there is something that cannot be known."""
    control: tuple[str, ...] = ()


FULL = """CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE c (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES p MATCH FULL);"""
NAMES = (
    'CREATE SCHEMA "od%s {d}"; CREATE TABLE "od%s {d}"."T ""q"" %(x)s"'
    ' ("k""%s" int PRIMARY KEY, "v {0}" json);'
)
TENANT = """CREATE TABLE tenant (id text PRIMARY KEY);
CREATE TABLE cat (tenant text REFERENCES tenant, id int, PRIMARY KEY (tenant, id));
CREATE TABLE item (id int PRIMARY KEY, tenant text REFERENCES tenant, cat int, code text,
    FOREIGN KEY (tenant, cat) REFERENCES cat);"""
TENANT_ROWS = "INSERT INTO tenant VALUES ('t'); INSERT INTO cat VALUES ('t', 1), ('t', 2);"
PART = """CREATE TABLE m (id int, y int, PRIMARY KEY (id, y)) PARTITION BY RANGE (y);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10);
CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (10) TO (20);"""

TWO_KEYS = "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE, b int UNIQUE);"


def merged(key: str, *, into: str) -> Claim:
    done = Merge(table="public.t", key={"id": key}, survivor={"id": into})
    return Claim(success=True, counts={"public.t": Counts(merged=1, inserted=1)}, merges=(done,))


WORLDS = {
    "match full, all there": World(
        FULL, "INSERT INTO p VALUES (1,1); INSERT INTO c VALUES (1,1,1), (2,NULL,NULL)"
    ),
    "match full, half a reference": World(
        FULL,
        "INSERT INTO p VALUES (1,1); INSERT INTO c VALUES (1,NULL,NULL)",
        "SET session_replication_role = replica; INSERT INTO p VALUES (1,1); "
        "INSERT INTO c VALUES (1, NULL, 1)",
        admin=True,
        wrong={G.INTEGRITY, G.ORDERING, G.FIDELITY, G.HONESTY},
    ),
    "match full, half a reference in the source": World(
        FULL,
        "INSERT INTO p VALUES (1,1); INSERT INTO c VALUES (1,NULL,1)",
        "",
        source=FULL.replace("MATCH FULL", ""),
        claim=Claim(
            success=False,
            exit_code=1,
            message="c: c_a_b_fkey",
            rejections=(Rejection(table="public.c", key={"id": "1"}, reason="half"),),
        ),
    ),
    "two foreign keys share a column": World(
        TENANT + "CREATE UNIQUE INDEX item_code ON item (tenant, code);",
        TENANT_ROWS
        + "INSERT INTO item VALUES (1, 't', 1, 'x'), (2, 't', 2, 'x'), (3, 't', NULL, 'x')",
        TENANT_ROWS + "INSERT INTO item VALUES (3, 't', NULL, 'x')",
        source=TENANT,
    ),
    "a foreign key to a unique key that is merged": World(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, k text UNIQUE); "
        "CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p (code));",
        "INSERT INTO p VALUES (1, 'a', 'k'), (2, 'b', 'k'); "
        "INSERT INTO c VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO p VALUES (2, 'b', 'k'); INSERT INTO c VALUES (1, 'b'), (2, 'b')",
        source="CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, k text); "
        "CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p (code));",
    ),
    "names": World(NAMES, 'INSERT INTO "od%s {d}"."T ""q"" %(x)s" VALUES (1, \'{"a": 1}\')'),
    "names, wrong": World(
        NAMES,
        'INSERT INTO "od%s {d}"."T ""q"" %(x)s" VALUES (1, \'{"a": 1}\')',
        'INSERT INTO "od%s {d}"."T ""q"" %(x)s" VALUES (1, \'{"a":1}\')',
        wrong={G.FIDELITY, G.HONESTY},
    ),
    "keyless json": World(
        "CREATE TABLE l (a json, b point);",
        "INSERT INTO l VALUES ('{\"a\":1}', '(1,2)')",
        "",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "zero columns": World(
        "CREATE TABLE z ();", "INSERT INTO z DEFAULT VALUES; INSERT INTO z DEFAULT VALUES"
    ),
    "zero columns, lost": World(
        "CREATE TABLE z ();",
        "INSERT INTO z DEFAULT VALUES; INSERT INTO z DEFAULT VALUES",
        "INSERT INTO z DEFAULT VALUES",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "partitioned": World(PART, "INSERT INTO m VALUES (1, 1), (2, 11)"),
    "partitioned, leaves": World(
        PART,
        "INSERT INTO m VALUES (1, 1), (2, 11)",
        "INSERT INTO m1 VALUES (1, 1); INSERT INTO m2 VALUES (2, 11)",
    ),
    "partitioned, enforcement off": World(
        PART,
        "INSERT INTO m VALUES (1, 1), (2, 11)",
        "SET session_replication_role = replica; INSERT INTO m1 VALUES (1, 1); "
        "INSERT INTO m2 VALUES (2, 11)",
        admin=True,
        wrong={G.ORDERING},
    ),
    "inheritance": World(
        "CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE d (PRIMARY KEY (id)) INHERITS (b);",
        "INSERT INTO b VALUES (1); INSERT INTO d VALUES (1)",
    ),
    "inheritance fk": World(
        "CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE d (PRIMARY KEY (id)) "
        "INHERITS (b); CREATE TABLE r (id int PRIMARY KEY, b int REFERENCES b);",
        "INSERT INTO d VALUES (1)",
        "SET session_replication_role = replica; INSERT INTO d VALUES (1); "
        "INSERT INTO r VALUES (1, 1)",
        admin=True,
        wrong={G.ORDERING, G.COMPLETENESS, G.INTEGRITY, G.HONESTY},
    ),
    "text fed by a sequence": World(
        "CREATE SEQUENCE s; CREATE TABLE t (id text PRIMARY KEY DEFAULT 'X' || nextval('s'));",
        "INSERT INTO t VALUES ('X1')",
    ),
    "a sequence at its end": World(
        "CREATE TABLE t (id bigserial PRIMARY KEY);",
        "INSERT INTO t VALUES (9223372036854775807)",
        "INSERT INTO t VALUES (9223372036854775807); "
        "SELECT setval('t_id_seq', 9223372036854775807)",
    ),
    "descending": World(
        "CREATE SEQUENCE s INCREMENT -1; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'));",
        "INSERT INTO t VALUES (-5)",
        wrong={G.INTEGRITY, G.HONESTY},
    ),
    "multiple of a sequence": World(
        "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s') * 10);",
        "INSERT INTO t VALUES (30)",
        "INSERT INTO t VALUES (30); SELECT setval('s', 3)",
    ),
    "numeric fk": World(
        "CREATE TABLE p (id numeric PRIMARY KEY); "
        "CREATE TABLE c (id int PRIMARY KEY, p numeric REFERENCES p);",
        "INSERT INTO p VALUES (1.10); INSERT INTO c VALUES (1, 1.1)",
    ),
    "char fk": World(
        "CREATE TABLE p (id char(5) PRIMARY KEY); "
        "CREATE TABLE c (id int PRIMARY KEY, p char(3) REFERENCES p);",
        "INSERT INTO p VALUES ('ab'); INSERT INTO c VALUES (1, 'ab')",
    ),
    "domain numeric key": World(
        "CREATE DOMAIN money2 AS numeric; CREATE TABLE t (id int PRIMARY KEY, v money2 UNIQUE);",
        "INSERT INTO t VALUES (1, 1.10), (2, 1.1)",
        "INSERT INTO t VALUES (2, 1.1)",
        source="CREATE DOMAIN money2 AS numeric; CREATE TABLE t (id int PRIMARY KEY, v money2);",
    ),
    "float zero key": World(
        "CREATE TABLE t (id int PRIMARY KEY, v float8 UNIQUE);",
        "INSERT INTO t VALUES (1, '-0'), (2, 0)",
        "INSERT INTO t VALUES (2, 0)",
        source="CREATE TABLE t (id int PRIMARY KEY, v float8);",
    ),
    "jsonb key": World(
        "CREATE TABLE t (id int PRIMARY KEY, v jsonb UNIQUE);",
        "INSERT INTO t VALUES (1, '1.10'), (2, '1.1')",
        "INSERT INTO t VALUES (2, '1.1')",
        source="CREATE TABLE t (id int PRIMARY KEY, v jsonb);",
    ),
    "a key that is equal and prints differently": World(
        "CREATE TABLE t (id numeric PRIMARY KEY, v int);",
        "INSERT INTO t VALUES (1.10, 1)",
        "UPDATE t SET id = 1.10, v = 1",
        present="INSERT INTO t VALUES (1.1, 0)",
        claim=Claim(success=True, counts={"public.t": Counts(updated=1)}),
    ),
    "a key that is equal and keeps the other text": World(
        "CREATE TABLE t (id numeric PRIMARY KEY, v int);",
        "INSERT INTO t VALUES (1.10, 1)",
        "UPDATE t SET v = 1",
        present="INSERT INTO t VALUES (1.1, 0)",
        claim=Claim(success=True, counts={"public.t": Counts(updated=1)}),
        wrong={G.FIDELITY, G.HONESTY},
    ),
    "keys that are no primary key, passed on": World(
        "CREATE TABLE t (a text NOT NULL UNIQUE, b int NOT NULL UNIQUE);",
        "INSERT INTO t VALUES ('y', 3), ('x', 1)",
        "UPDATE t SET b = 3; INSERT INTO t VALUES ('x', 1)",
        present="INSERT INTO t VALUES ('y', 1)",
        claim=Claim(success=True, counts={"public.t": Counts(updated=1, inserted=1)}),
    ),
    "a row of the target that two rows collide with becomes the one": World(
        TWO_KEYS,
        "INSERT INTO t VALUES (10, 'y', 3), (11, 'x', 1)",
        "UPDATE t SET b = 3; INSERT INTO t VALUES (11, 'x', 1)",
        present="INSERT INTO t VALUES (1, 'y', 1)",
        claim=merged("10", into="1"),
    ),
    "a row of the target that two rows collide with becomes the other": World(
        TWO_KEYS,
        "INSERT INTO t VALUES (10, 'y', 3), (11, 'x', 1)",
        "UPDATE t SET a = 'x'; INSERT INTO t VALUES (10, 'y', 3)",
        present="INSERT INTO t VALUES (1, 'y', 1)",
        claim=merged("11", into="1"),
    ),
    "a row of the target that two rows collide with becomes both": World(
        TWO_KEYS,
        "INSERT INTO t VALUES (10, 'y', 3), (11, 'x', 1)",
        "UPDATE t SET a = 'x'",
        present="INSERT INTO t VALUES (1, 'y', 1)",
        claim=merged("11", into="1"),
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "a parent that only the target has, and that is overwritten": World(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p (code));",
        "INSERT INTO p VALUES (1, 'new'); INSERT INTO c VALUES (1, 'old'), (2, 'new')",
        "",
        source="CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, p text);",
        present="INSERT INTO p VALUES (1, 'old')",
        claim=Claim(
            success=False,
            exit_code=1,
            message="c: c_p_fkey",
            rejections=(Rejection(table="public.c", key={"id": "1"}, reason="orphan"),),
        ),
    ),
    "a parent that only the target has, and that is merged into": World(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);",
        "INSERT INTO p VALUES (2, 'k'); INSERT INTO c VALUES (1, 1), (2, 2)",
        "INSERT INTO c VALUES (1, 1), (2, 1)",
        source="CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, p int);",
        present="INSERT INTO p VALUES (1, 'k')",
    ),
    "array key": World(
        "CREATE TABLE t (id int PRIMARY KEY, v numeric[] UNIQUE);",
        "INSERT INTO t VALUES (1, '{1.10}'), (2, '{1.1}'), (3, '{{1.1}}')",
        "INSERT INTO t VALUES (2, '{1.1}'), (3, '{{1.1}}')",
        source="CREATE TABLE t (id int PRIMARY KEY, v numeric[]);",
    ),
    "interval key": World(
        "CREATE TABLE t (id int PRIMARY KEY, v interval UNIQUE);",
        "INSERT INTO t VALUES (1, '30 days'), (2, '1 mon')",
        "INSERT INTO t VALUES (2, '1 mon')",
        source="CREATE TABLE t (id int PRIMARY KEY, v interval);",
    ),
    "a column of the target alone is emptied": World(
        "CREATE TABLE t (id int PRIMARY KEY, v text, own text);",
        "INSERT INTO t VALUES (1, 'new')",
        "UPDATE t SET v = 'new', own = NULL",
        present="INSERT INTO t VALUES (1, 'old', 'mine')",
        source="CREATE TABLE t (id int PRIMARY KEY, v text);",
        wrong={G.PRESERVATION, G.HONESTY},
    ),
    "a key of the target alone": World(
        "CREATE TABLE t (id serial PRIMARY KEY, v text);",
        "INSERT INTO t VALUES ('a'), ('b')",
        "INSERT INTO t (v) VALUES ('a'), ('b')",
        source="CREATE TABLE t (v text);",
    ),
    "a key of the target alone, lost": World(
        "CREATE TABLE t (id serial PRIMARY KEY, v text);",
        "INSERT INTO t VALUES ('a'), ('b')",
        "INSERT INTO t (v) VALUES ('a')",
        source="CREATE TABLE t (v text);",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "keyless with a column of the target alone": World(
        "CREATE TABLE t (v text, at timestamptz DEFAULT now());",
        "INSERT INTO t VALUES ('a'), ('b')",
        "INSERT INTO t (v) VALUES ('a'), ('b')",
        source="CREATE TABLE t (v text);",
    ),
    "generated from the key": World(
        "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, g int GENERATED ALWAYS AS (id * 2) "
        "STORED);",
        "INSERT INTO t VALUES (1, 'x')",
        "",
        present="INSERT INTO t VALUES (7, 'x')",
    ),
    "virtual": World(
        "CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2));",
        "INSERT INTO t VALUES (1)",
        source="CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED);",
    ),
    "a table dropped": World(
        "CREATE TABLE p (id int PRIMARY KEY); "
        "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p);",
        "INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1)",
        "INSERT INTO p VALUES (1); DROP TABLE t",
        unseen=True,
        wrong={G.INTEGRITY, G.HONESTY},
    ),
    "a column dropped": World(
        "CREATE TABLE t (id int PRIMARY KEY, v text);",
        "INSERT INTO t VALUES (1, 'x')",
        "ALTER TABLE t DROP COLUMN id; INSERT INTO t VALUES ('x')",
        unseen=True,
        wrong={G.INTEGRITY, G.HONESTY},
    ),
    "another column dropped": World(
        "CREATE TABLE t (id int PRIMARY KEY, v text);",
        "INSERT INTO t VALUES (1, 'x')",
        "ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (1)",
        unseen=True,
        wrong={G.INTEGRITY, G.HONESTY},
    ),
    "a trigger of the probe dropped": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        "DROP TRIGGER rv_probe ON t; INSERT INTO t VALUES (1)",
        wrong={G.INTEGRITY, G.ORDERING, G.HONESTY},
    ),
    "a table the target lacks, refused": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO extra VALUES (1)",
        "",
        source="CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE extra (id int PRIMARY KEY);",
        claim=Claim(success=False, exit_code=1, message="table extra does not exist in the target"),
    ),
    "counts of a table that is not there": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(
            success=True,
            counts={"public.t": Counts(inserted=1), "public.nonsense": Counts(inserted=3)},
        ),
        wrong={G.HONESTY},
    ),
    "counts of a control table": World(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE session (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1); INSERT INTO session VALUES (1)",
        "INSERT INTO t VALUES (1)",
        control=("session",),
        claim=Claim(
            success=True,
            counts={"public.t": Counts(inserted=1), "public.session": Counts(inserted=1)},
        ),
        wrong={G.HONESTY},
    ),
    "negative counts": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(success=True, counts={"public.t": Counts(inserted=2, updated=-1)}),
        wrong={G.HONESTY},
    ),
    "a merge that never was": World(
        "CREATE TABLE t (id int PRIMARY KEY, v text);",
        "INSERT INTO t VALUES (1), (2)",
        claim=Claim(
            success=True, merges=(Merge(table="public.t", key={"id": "1"}, survivor={"id": "2"}),)
        ),
        wrong={G.HONESTY},
    ),
    "a merge into another survivor": World(
        "CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE);",
        "INSERT INTO t VALUES (1, 'a'), (2, 'a'), (3, 'b')",
        "INSERT INTO t VALUES (2, 'a'), (3, 'b')",
        source="CREATE TABLE t (id int PRIMARY KEY, v text);",
        claim=Claim(
            success=True, merges=(Merge(table="public.t", key={"id": "1"}, survivor={"id": "3"}),)
        ),
        wrong={G.HONESTY},
    ),
    "a rejection of nothing": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(
            success=True, rejections=(Rejection(table="public.t", key={"id": "99"}, reason="x"),)
        ),
        wrong={G.HONESTY},
    ),
    "a rejection without a key": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(success=True, rejections=(Rejection(table="public.t", key={}, reason="x"),)),
        wrong={G.HONESTY},
    ),
    "success with exit code 1": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(success=True, exit_code=1),
        wrong={G.HONESTY},
    ),
    "an orphan at infinity": World(
        "CREATE TABLE p (id int PRIMARY KEY); "
        "CREATE TABLE c (at timestamp PRIMARY KEY, p int REFERENCES p);",
        "INSERT INTO p VALUES (1); INSERT INTO c VALUES ('infinity', 1), ('0044-03-15 BC', 1)",
        "SET session_replication_role = replica; "
        "INSERT INTO c VALUES ('infinity', 1), ('0044-03-15 BC', 1)",
        admin=True,
        wrong={G.INTEGRITY, G.ORDERING, G.COMPLETENESS, G.HONESTY},
    ),
    "not enforced": World(
        "CREATE TABLE p (id int PRIMARY KEY); "
        "CREATE TABLE c (id int PRIMARY KEY CHECK (id > 5) "
        "NOT ENFORCED, p int REFERENCES p NOT ENFORCED);",
        "INSERT INTO c VALUES (1, 1)",
        source="CREATE TABLE c (id int PRIMARY KEY, p int);",
    ),
    "exclusion": World(
        "CREATE TABLE e (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));",
        "INSERT INTO e VALUES (1, '[1,3)'), (2, '[3,5)')",
    ),
    "exclusion: one of the target stays in the way": World(
        "CREATE TABLE e (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));",
        "INSERT INTO e VALUES (1, '[1,3)'), (2, '[20,21)')",
        "",
        source="CREATE TABLE e (id int PRIMARY KEY, r int4range);",
        present="INSERT INTO e VALUES (1, '[14,16)'), (9, '[2,4)')",
        claim=Claim(
            success=False,
            exit_code=1,
            message="e: e_r_excl",
            rejections=(Rejection(table="public.e", key={"id": "1"}, reason="in the way"),),
        ),
    ),
    "exclusion: rows of the source are in each other's way": World(
        "CREATE TABLE e (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));",
        "INSERT INTO e VALUES (1, '[1,3)'), (2, '[2,5)'), (3, '[7,8)')",
        "",
        source="CREATE TABLE e (id int PRIMARY KEY, r int4range);",
        claim=Claim(
            success=False,
            exit_code=1,
            message="e: e_r_excl",
            rejections=tuple(
                Rejection(table="public.e", key={"id": key}, reason="x") for key in ("1", "2")
            ),
        ),
    ),
    "deferrable": World(
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED,"
        " v int UNIQUE DEFERRABLE);",
        "INSERT INTO t VALUES (1, 1), (2, 2)",
    ),
    "include": World(
        "CREATE TABLE t (id int PRIMARY KEY, v int, w json); "
        "CREATE UNIQUE INDEX tv ON t (v) INCLUDE (w);",
        "INSERT INTO t VALUES (1, 1, '1')",
    ),
    "check without columns": World(
        "CREATE TABLE t (id int PRIMARY KEY, CHECK (true));", "INSERT INTO t VALUES (1)"
    ),
    "composite arrays": World(
        "CREATE TYPE pt AS (x int, y text); "
        "CREATE TABLE t (id int PRIMARY KEY, v pt[], m pt UNIQUE);",
        "INSERT INTO t VALUES (1, ARRAY[ROW(1, 'a,\"b')::pt], ROW(1,'q'))",
    ),
    "rls": World(
        "CREATE TABLE t (id int PRIMARY KEY); "
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; "
        "CREATE POLICY x ON t USING (false);",
        "",
        "SELECT 1",
    ),
    "unlogged": World("CREATE UNLOGGED TABLE t (id int PRIMARY KEY);", "INSERT INTO t VALUES (1)"),
    "simple with nulls": World(
        FULL.replace("MATCH FULL", ""),
        "INSERT INTO p VALUES (1,1); INSERT INTO c VALUES (1,7,NULL)",
    ),
    "matview and view and rule": World(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t; "
        "CREATE MATERIALIZED VIEW mv AS SELECT * FROM t; "
        "CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id);",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO v VALUES (1)",
    ),
    "a column of the target alone is emptied, in rows without key": World(
        "CREATE TABLE t (v text, own text);",
        "INSERT INTO t VALUES ('a')",
        "UPDATE t SET own = NULL; INSERT INTO t VALUES ('a')",
        present="INSERT INTO t VALUES ('z', 'mine')",
        source="CREATE TABLE t (v text);",
        wrong={G.PRESERVATION, G.HONESTY},
    ),
    "an empty claim of a merge": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1)",
        claim=Claim(success=True, merges=(Merge(table="public.t", key={}, survivor={}),)),
        wrong={G.HONESTY},
    ),
    "arrays of json in rows without key": World(
        "CREATE TABLE l (a json[]);",
        "INSERT INTO l VALUES ('{1}')",
        "",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "all rows of a table that the target lacks are rejected": World(
        "CREATE TABLE t (id int PRIMARY KEY);",
        "INSERT INTO t VALUES (1); INSERT INTO extra VALUES (1), (2)",
        "INSERT INTO t VALUES (1)",
        source="CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE extra (id int PRIMARY KEY);",
        claim=Claim(
            success=True,
            message="the target has no table extra",
            counts={"public.t": Counts(inserted=1), "public.extra": Counts(rejected=2)},
            rejections=tuple(
                Rejection(table="public.extra", key={"id": key}, reason="no such table")
                for key in ("1", "2")
            ),
        ),
    ),
    "a row of the target follows its parent": World(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, k text UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p (code) ON UPDATE CASCADE);",
        "INSERT INTO p VALUES (1, 'a', 'k')",
        "UPDATE p SET code = 'a'",
        present="INSERT INTO p VALUES (7, 'b', 'k'); INSERT INTO c VALUES (5, 'b');",
    ),
    "large objects": World(
        "CREATE TABLE t (id int PRIMARY KEY, o oid);",
        "SELECT lo_from_bytea(7001, 'a'), lo_from_bytea(7002, ''); INSERT INTO t VALUES (1, 7001)",
        "SELECT lo_from_bytea(7001, 'a'), lo_put(7002, 0, ''); INSERT INTO t VALUES (1, 7001)",
        present="SELECT lo_from_bytea(7002, ''), lo_from_bytea(7009, 'own')",
    ),
    "a large object that is missing": World(
        "CREATE TABLE t (id int PRIMARY KEY, o oid);",
        "SELECT lo_from_bytea(7001, 'a'); INSERT INTO t VALUES (1, 7001)",
        "INSERT INTO t VALUES (1, 7001)",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "a large object of the target under the number of another": World(
        "CREATE TABLE t (id int PRIMARY KEY, o oid);",
        "SELECT lo_from_bytea(7001, 'a'); INSERT INTO t VALUES (1, 7001)",
        "INSERT INTO t VALUES (1, 7001)",
        present="SELECT lo_from_bytea(7001, 'other')",
        wrong={G.FIDELITY, G.HONESTY},
    ),
    "a large object of the target alone is gone": World(
        "CREATE TABLE t (id int PRIMARY KEY, o oid);",
        "INSERT INTO t VALUES (1, NULL)",
        "INSERT INTO t VALUES (1, NULL); SELECT lo_unlink(7009)",
        present="SELECT lo_from_bytea(7009, 'own')",
        wrong={G.PRESERVATION, G.HONESTY},
    ),
    "a large object out of nowhere": World(
        "CREATE TABLE t (id int PRIMARY KEY, o oid);",
        "INSERT INTO t VALUES (1, NULL)",
        "INSERT INTO t VALUES (1, NULL); SELECT lo_from_bytea(7010, 'x')",
        wrong={G.COMPLETENESS, G.HONESTY},
    ),
    "a large object left by a failure": World(
        "CREATE TABLE t (id int PRIMARY KEY CONSTRAINT small CHECK (id < 5));",
        "SELECT lo_from_bytea(7001, 'a'); INSERT INTO t VALUES (7)",
        "SELECT lo_from_bytea(7001, 'a')",
        source="CREATE TABLE t (id int PRIMARY KEY);",
        claim=Claim(
            success=False,
            exit_code=1,
            message="t: small",
            rejections=(Rejection(table="public.t", key={"id": "7"}, reason="x"),),
        ),
        wrong={G.ATOMICITY},
    ),
    "a rejection of nothing in a failure": World(
        "CREATE TABLE t (id int PRIMARY KEY CONSTRAINT small CHECK (id < 5));",
        "INSERT INTO t VALUES (7)",
        "",
        source="CREATE TABLE t (id int PRIMARY KEY);",
        claim=Claim(
            success=False,
            exit_code=1,
            message="t: small",
            rejections=(
                Rejection(table="public.t", key={"id": "7"}, reason="x"),
                Rejection(table="public.t", key={"id": "8"}, reason="x"),
            ),
        ),
        wrong={G.HONESTY},
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_world(bench: Bench, name: str) -> None:
    world = WORLDS[name]
    source = (world.source or world.target) + world.rows
    bench.begin(source, world.target + world.present, control=world.control)
    script = world.rows if world.restore is None else world.restore
    judgement = bench.restore(script, world.claim, admin=world.admin)
    assert broken(judgement) == world.wrong, [f.title for f in findings(judgement)]
    assert (Verdict.UNKNOWN in judgement.verdicts().values()) is world.unseen
    for finding in findings(judgement):
        if finding.sql:
            asked = bench.source if finding.database == "source" else bench.target
            # Counted only, for values that Python has no type for.
            asked.execute(f"SELECT count(*) FROM ({finding.sql}) shown")


THINGS = """
CREATE TABLE t (id int PRIMARY KEY);
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE DOMAIN d AS int CHECK (VALUE > 0);
CREATE POLICY p ON t FOR INSERT WITH CHECK (true);
"""


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("DROP VIEW v", "view public.v"),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", "view public.m"),
        ("DROP RULE r ON t", "rule r on public.t"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'", "function"),
        ("ALTER DOMAIN d DROP CONSTRAINT d_check", "domain public.d"),
        ("ALTER POLICY p ON t WITH CHECK (false)", "policy p on public.t"),
        ("GRANT ALL ON t TO PUBLIC", "table public.t"),
        ("CREATE TABLE staged (id int)", "table public.staged"),
    ],
)
def test_what_a_restore_of_data_must_leave_alone(bench: Bench, script: str, what: str) -> None:
    bench.begin(THINGS + "INSERT INTO t VALUES (1)", THINGS)
    judgement = bench.restore(f"INSERT INTO t VALUES (1); {script}")
    assert broken(judgement) == {G.INTEGRITY, G.HONESTY}
    assert any(what in f.title for f in findings(judgement))


def test_a_row_that_matches_two_rows_of_the_target_is_named_with_a_key(bench: Bench) -> None:
    table = "CREATE TABLE a (id int PRIMARY KEY, email text UNIQUE);"
    bench.begin(
        table + "INSERT INTO a VALUES (1, 'x')", table + "INSERT INTO a VALUES (1, 'y'), (2, 'x')"
    )
    (finding,) = [f for f in findings(bench.restore("")) if f.guarantee is G.COMPLETENESS]
    assert (finding.table, finding.key) == ("public.a", {"id": "1"})
    assert finding.constraint in ("a_pkey", "a_email_key")


def test_whoever_writes_a_partition_is_held_as_well(bench: Bench) -> None:
    bench.begin("", PART)
    with closing(psycopg.connect(bench.target.admin.conninfo, autocommit=True)) as session:
        write = Thread(target=session.execute, args=("INSERT INTO m1 VALUES (1, 1)",))
        with bench.probe.hold("public.m") as held:
            write.start()
            stood_still = held.wait(5, given_up=lambda: not write.is_alive())
        write.join()
    assert stood_still
