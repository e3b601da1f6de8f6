"""Two databases and a restore written out in SQL, so that the oracle is tested alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from verifier.contract import Claim, Finding, Guarantee, Severity, Verdict
from verifier.oracle import (
    Judge,
    Judgement,
    Probe,
    Restore,
    excluded,
    take,
    unfit,
    violations,
)
from verifier.servers import Database, Pair, Side

SCHEMA = """
CREATE TABLE domain (id text PRIMARY KEY);
CREATE TABLE category (
    id text PRIMARY KEY, bt text NOT NULL, domain_id text REFERENCES domain, name text NOT NULL,
    parent_id text REFERENCES category, color text);
CREATE TABLE product (
    id text PRIMARY KEY, category_id text NOT NULL REFERENCES category, name text NOT NULL,
    price numeric(10,2), attrs jsonb, weight float8, tags text[], image bytea, made timestamp,
    CONSTRAINT product_category_name UNIQUE (category_id, name));
CREATE TABLE label (id serial PRIMARY KEY, word text NOT NULL UNIQUE);
CREATE TABLE "_ProductToLabel" (
    "A" text NOT NULL REFERENCES product, "B" int NOT NULL REFERENCES label, UNIQUE ("A", "B"));
CREATE TABLE log (at timestamptz, message text);
CREATE TABLE session (id int PRIMARY KEY, status text);
"""
KEY = "CREATE UNIQUE INDEX category_key ON category (bt, domain_id, name);"
DATA = """
INSERT INTO domain VALUES ('d');
INSERT INTO category VALUES
    ('tea', 'shop', 'd', 'Tea', NULL, 'green'), ('cake', 'shop', 'd', 'Cake', 'tea', NULL);
INSERT INTO product VALUES
    ('p1', 'tea', 'Assam', 1.10, '{"size": {"ml": 100}}', 0.1, '{a,NULL}', '\\x00ff',
     '2025-01-01 10:00:00.000001'),
    ('p2', 'cake', 'Sponge', NULL, NULL, '-0', '{}', NULL, NULL);
INSERT INTO label VALUES (1, 'new'), (2, 'sale');
INSERT INTO "_ProductToLabel" VALUES ('p1', 1), ('p1', 2), ('p2', 1);
INSERT INTO log VALUES ('2025-01-01Z', 'x'), ('2025-01-01Z', 'x'), (NULL, 'y');
SELECT setval('label_id_seq', 2);
"""
DONE = Claim(success=True, exit_code=0, message="done")


class Bench:
    """Seeds both sides, plays a restore in SQL, and lets the oracle judge it."""

    def __init__(self, servers: Pair) -> None:
        self._servers = servers
        self._made: list[tuple[Side, Database]] = []

    def database(self, side: Side, script: str) -> Database:
        databases = self._servers.databases(side)
        database = databases.create("oracle")
        self._made.append((side, database))
        if script:
            database.execute(script)
        return database

    def begin(self, source: str, target: str, *, control: tuple[str, ...] = ("session",)) -> None:
        """The two databases before the restore; the target has the probe in it."""
        self.source = self.database(Side.SOURCE, source)
        self.target = self.database(Side.TARGET, target)
        self.probe = Probe(self.target.admin)
        self.probe.install()
        self.before = take(self.target.admin)
        source = take(self.source.admin, self.before.schema)
        refused = unfit(self.target.admin, source, self.before)
        self.judge = Judge(
            source,
            self.before,
            violations(self.target.admin, self.before.schema),
            control,
            refused,
            excluded(self.target.admin, source, self.before, refused),
        )

    def observe(self, claim: Claim = DONE) -> Restore:
        after = take(self.target.admin, self.before.schema)
        return Restore(
            after=after,
            claim=claim,
            writes=self.probe.read(),
            violations=violations(self.target.admin, after.schema),
        )

    def restore(self, script: str, claim: Claim = DONE, *, admin: bool = False) -> Judgement:
        """Play ``script`` on the target as the restore, and judge it against ``claim``."""
        if script and admin:
            import psycopg

            with psycopg.connect(self.target.admin.conninfo) as connection:
                connection.execute(script.encode())
        elif script:
            self.target.execute(script)
        return self.judge.judge(self.observe(claim))

    def close(self) -> None:
        for side, database in self._made:
            self._servers.databases(side).drop(database)


@pytest.fixture
def bench(servers: Pair) -> Iterator[Bench]:
    made = Bench(servers)
    yield made
    made.close()


def broken(judgement: Judgement) -> set[Guarantee]:
    return {g for g, verdict in judgement.verdicts().items() if verdict is Verdict.BROKEN}


def findings(judgement: Judgement) -> list[Finding]:
    """Without notes, worst first."""
    return [f for f in judgement.findings.worst_first() if f.severity > Severity.NOTE]
