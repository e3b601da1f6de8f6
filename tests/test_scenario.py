"""Scenarios with implementations that misbehave in ways of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

import verifier
from verifier.config import Config
from verifier.contract import Claim, Guarantee, Rejection, Verdict
from verifier.errors import BackupError, NotOffered
from verifier.implementations import Backup, Endpoint, Implementation
from verifier.scenario import GuaranteeBroken, Scenario, Seed
from verifier.servers import Pair, Side

G = Guarantee
TABLE = "CREATE TABLE item (id int PRIMARY KEY, name text);"
ROWS = "INSERT INTO item VALUES (1, 'a'), (2, 'b')"
DONE = Claim(success=True, exit_code=0, message="done")


def seed(name: str, script: str) -> Seed:
    return Seed(name, lambda connection: connection.execute(script.encode()) and None)


class Copier:
    """An honest restore of the one table, with a step that a test can add."""

    name = "copier"
    not_offered: Mapping[Guarantee, str] = {}

    def __init__(self, then: Callable[[Endpoint], Claim | None] = lambda target: None) -> None:
        self._then = then

    def backup(self, source: Endpoint) -> Backup:
        path = source.workdir / "rows"
        with psycopg.connect(source.dsn.conninfo) as connection:
            rows = connection.execute("SELECT id, name FROM item").fetchall()
        path.write_text("".join(f"{id_} {name}\n" for id_, name in rows))
        return Backup((path,))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        rows = [line.split() for line in backup.files[0].read_text().splitlines()]
        with psycopg.connect(target.dsn.conninfo) as connection:
            for row in rows:
                connection.execute("INSERT INTO item VALUES (%s, %s) ON CONFLICT DO NOTHING", row)
        return self._then(target) or DONE


@pytest.fixture
def begin(servers: Pair, tmp_path: Path) -> Iterator[Callable[[Implementation], Scenario]]:
    made: list[Scenario] = []

    def make(implementation: Implementation) -> Scenario:
        scenario = Scenario(
            "test", servers, implementation, config=Config(), focus=(), workdir=tmp_path
        )
        scenario.begin(source=seed("items", TABLE + ROWS), target=seed("no_items", TABLE))
        made.append(scenario)
        return scenario

    yield make
    for scenario in made:
        scenario.close()


Begin = Callable[[Implementation], Scenario]


def test_a_right_restore_is_kept_and_the_databases_are_dropped(begin: Begin, servers: Pair) -> None:
    scenario = begin(Copier())
    outcome = scenario.restore()
    outcome.prove()
    assert outcome.claim == DONE
    assert [proof.verdict for proof in scenario.proofs] == [Verdict.KEPT]
    scenario.restore().prove()  # once more in the same scenario
    name = scenario.target.name
    scenario.close()
    with psycopg.connect(servers.target.admin.conninfo) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname = %s"
        assert connection.execute(query, (name,)).fetchone() == (0,)


def test_neither_the_source_nor_its_frozen_clone_can_be_reached_during_the_restore(
    begin: Begin, servers: Pair
) -> None:
    refused: dict[str, str] = {}

    def look_around(target: Endpoint) -> None:
        with psycopg.connect(servers.source.admin.conninfo) as connection:
            names = [name for (name,) in connection.execute("SELECT datname FROM pg_database")]
        for name in names:
            if name.endswith(("_source", "_frozen")):
                with pytest.raises(psycopg.OperationalError) as caught:
                    psycopg.connect(servers.source.user.with_(dbname=name).conninfo)
                refused[name.rsplit("_", 1)[1]] = str(caught.value)

    scenario = begin(Copier(look_around))
    scenario.restore().prove()
    assert "is not currently accepting connections" in refused["source"]
    assert "permission denied for database" in refused["frozen"]


def test_a_password_in_the_claim_breaks_containment_and_is_not_shown(begin: Begin) -> None:
    def tell(target: Endpoint) -> Claim:
        return Claim(success=True, exit_code=0, message=f"restored with {target.dsn.conninfo}")

    scenario = begin(Copier(tell))
    with pytest.raises(GuaranteeBroken) as caught:
        scenario.restore().prove()
    assert caught.value.proof.verdicts[G.CONTAINMENT] is Verdict.BROKEN
    password = scenario.target.dsn.password
    assert password is not None
    assert password not in str(caught.value)
    assert "****" in str(caught.value)


def test_files_left_behind_break_recoverability(begin: Begin) -> None:
    def litter(target: Endpoint) -> None:
        (target.workdir / "half-a-backup.tmp").write_text("x")

    with pytest.raises(GuaranteeBroken, match=r"half-a-backup\.tmp") as caught:
        begin(Copier(litter)).restore().prove()
    assert caught.value.proof.verdicts[G.RECOVERABILITY] is Verdict.BROKEN


def test_what_a_restore_raises_is_its_failure(begin: Begin) -> None:
    def fail(target: Endpoint) -> None:
        raise ValueError("no such thing as item item_pkey")

    outcome = begin(Copier(fail)).restore()
    assert not outcome.claim.success
    assert outcome.claim.message == "ValueError: no such thing as item item_pkey"
    # The rows were committed before it failed.
    assert outcome.proof.verdicts[G.ATOMICITY] is Verdict.BROKEN


def test_no_backup_is_not_a_pass(begin: Begin) -> None:
    class NoBackup(Copier):
        def backup(self, source: Endpoint) -> Backup:
            raise BackupError(f"pg_dump of {source.dsn.conninfo} failed")

    scenario = begin(NoBackup())
    outcome = scenario.restore()
    assert outcome.proof.verdict is Verdict.BROKEN
    password = scenario.source.dsn.password
    assert password is not None
    assert password not in str(GuaranteeBroken(outcome.proof))


def test_a_target_that_cannot_be_looked_at_is_unknown_and_not_a_pass(begin: Begin) -> None:
    def vanish(target: Endpoint) -> None:
        away = target.dsn.with_(dbname="postgres")
        with psycopg.connect(away.conninfo, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{target.dsn.database}" WITH (FORCE)'.encode())

    with pytest.raises(GuaranteeBroken, match="could not look") as caught:
        begin(Copier(vanish)).restore().prove()
    assert set(caught.value.proof.verdicts.values()) == {Verdict.UNKNOWN}


def test_what_was_seen_before_the_target_was_gone_still_stands(begin: Begin) -> None:
    def litter_and_vanish(target: Endpoint) -> None:
        (target.workdir / "half.tmp").write_text("x")
        away = target.dsn.with_(dbname="postgres")
        with psycopg.connect(away.conninfo, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{target.dsn.database}" WITH (FORCE)'.encode())

    proof = begin(Copier(litter_and_vanish)).restore().proof
    assert proof.verdicts[G.RECOVERABILITY] is Verdict.BROKEN
    assert proof.verdicts[G.COMPLETENESS] is Verdict.UNKNOWN


def test_a_password_in_the_reason_of_a_rejection(begin: Begin) -> None:
    def tell(target: Endpoint) -> Claim:
        reason = f"could not use {target.dsn.password}"
        rejected = Rejection(table="public.item", key={"id": "1"}, reason=reason)
        return Claim(success=True, exit_code=0, rejections=(rejected,))

    scenario = begin(Copier(tell))
    outcome = scenario.restore()
    assert outcome.proof.verdicts[G.CONTAINMENT] is Verdict.BROKEN
    password = scenario.target.dsn.password
    assert password is not None
    assert password not in str((outcome.claim, outcome.proof))


def test_rows_that_cannot_be_left_out_are_not_offered_for_a_reason(begin: Begin) -> None:
    class MovesEverything(Copier):
        def backup(self, source: Endpoint) -> Backup:
            if source.leave_out:
                raise NotOffered(f"cannot leave out {source.leave_out[0]}")
            return super().backup(source)

    scenario = begin(MovesEverything())
    scenario.restore().prove()
    scenario.leave_out("item", "id = 1")
    outcome = scenario.restore()
    outcome.prove()
    assert set(outcome.proof.verdicts.values()) == {Verdict.NOT_OFFERED}
    assert set(outcome.proof.reasons.values()) == {"in test: cannot leave out item: id = 1"}


def test_rows_that_were_to_be_left_out_and_arrive_are_found(begin: Begin) -> None:
    scenario = begin(Copier())
    scenario.leave_out("item", "id = 1")
    with pytest.raises(GuaranteeBroken) as caught:
        scenario.restore().prove()
    assert caught.value.proof.verdicts[G.COMPLETENESS] is Verdict.BROKEN


def test_what_is_not_offered_is_said_with_its_reason_and_is_no_failure(begin: Begin) -> None:
    class Litters(Copier):
        not_offered: Mapping[Guarantee, str] = {G.RECOVERABILITY: "keeps its files for the audit"}

    def litter(target: Endpoint) -> None:
        (target.workdir / "audit.log").write_text("x")

    outcome = begin(Litters(litter)).restore()
    outcome.prove()
    assert outcome.proof.verdicts[G.RECOVERABILITY] is Verdict.NOT_OFFERED
    assert outcome.proof.reasons == {G.RECOVERABILITY: "keeps its files for the audit"}
    assert not any(f.guarantee is G.RECOVERABILITY for f in outcome.proof.findings)


def test_a_lie_is_the_first_finding(begin: Begin) -> None:
    class Idle(Copier):
        def restore(self, backup: Backup, target: Endpoint) -> Claim:
            return DONE

    with pytest.raises(GuaranteeBroken) as caught:
        begin(Idle()).restore().prove()
    assert caught.value.proof.findings[0].title.startswith("success was claimed, but")


def test_templates_are_built_once(servers: Pair, tmp_path: Path) -> None:
    built: list[str] = []

    def build(connection: psycopg.Connection[Any]) -> None:
        built.append(connection.info.dbname)
        connection.execute("CREATE TABLE t (id int)")

    for _ in range(2):
        scenario = Scenario("twice", servers, Copier(), config=Config(), focus=(), workdir=tmp_path)
        scenario.begin(source=Seed("counted", build))
        scenario.source.execute("INSERT INTO t VALUES (1)")
        assert scenario.source.execute("SELECT count(*) FROM t") == [(1,)]
        scenario.close()
    assert len(built) == 1
    assert servers.databases(Side.SOURCE) is servers.databases(Side.SOURCE)


def test_public_names_exist_and_are_sorted() -> None:
    assert sorted(verifier.__all__) == verifier.__all__
    assert all(hasattr(verifier, name) for name in verifier.__all__)
