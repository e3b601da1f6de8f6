"""What is noticed of every call: processes, passwords, a source that is written to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from verifier.config import Config
from verifier.contract import Claim, Finding, Guarantee, Proof, Rejection, Verdict
from verifier.errors import BackupError
from verifier.faults import Faults
from verifier.implementations import Backup, Endpoint, Implementation, implementation
from verifier.scenario import GuaranteeBroken, Scenario
from verifier.servers import Pair, lifecycle

pytestmark = pytest.mark.slow
G = Guarantee
TABLE = "CREATE TABLE item (id serial PRIMARY KEY, name text)"
ROWS = "INSERT INTO item (name) SELECT 'item ' || g FROM generate_series(1, 50) g"


class Also:
    """The built-in backup and restore, and something that it does besides."""

    name = "also"
    not_offered: Mapping[Guarantee, str] = {}

    def __init__(
        self,
        backing_up: Callable[[Endpoint], object] = lambda source: None,
        restoring: Callable[[Endpoint], object] = lambda target: None,
    ) -> None:
        self._backing_up, self._restoring = backing_up, restoring

    def backup(self, source: Endpoint) -> Backup:
        made = implementation("initial-load").backup(source)
        self._backing_up(source)
        return made

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim = implementation("initial-load").restore(backup, target)
        self._restoring(target)
        return claim


@pytest.fixture
def begin(servers: Pair, tmp_path: Path) -> Iterator[Callable[[Implementation], Scenario]]:
    made: list[Scenario] = []

    def make(called: Implementation) -> Scenario:
        scenario = Scenario("watched", servers, called, Config(), (), tmp_path)
        made.append(scenario)
        scenario.source.execute(TABLE)
        scenario.source.execute(ROWS)
        scenario.target.execute(TABLE)
        return scenario

    yield make
    for scenario in made:
        scenario.close()


Begin = Callable[[Implementation], Scenario]


def broken(scenario: Scenario, guarantee: Guarantee, title: str) -> tuple[Proof, Finding]:
    with pytest.raises(GuaranteeBroken) as raised:
        scenario.restore().prove()
    proof = raised.value.proof
    assert proof.verdicts[guarantee] is Verdict.BROKEN
    for secret in (*scenario.source.dsn.secrets, *scenario.target.dsn.secrets):
        assert secret not in str(raised.value)
        assert secret not in repr(proof)
    (found, *_) = [
        each for each in proof.findings if each.guarantee is guarantee and title in each.title
    ]
    return proof, found


SLEEP = [sys.executable, "-c", "import time; time.sleep(60)", "of the restore"]


def test_a_process_that_outlives_its_restore_is_found_and_ended(begin: Begin) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def leave(target: Endpoint) -> None:
        started.append(subprocess.Popen(SLEEP, start_new_session=True))

    _, found = broken(begin(Also(restoring=leave)), G.RECOVERABILITY, "left a process running")
    assert "of the restore" in found.evidence[0].words
    gone(started)


def test_a_process_that_was_cast_off_by_its_parents_is_found(begin: Begin) -> None:
    def leave(source: Endpoint) -> None:
        subprocess.run(["sh", "-c", "sleep 61 > /dev/null 2>&1 &"], check=True)

    _, found = broken(begin(Also(backing_up=leave)), G.RECOVERABILITY, "left a process running")
    assert found.title.startswith("the backup")
    assert found.evidence[0].words == "sleep 61"
    assert not [each for each in psutil.process_iter(["cmdline"]) if _is(each, "sleep", "61")]


def gone(started: list[subprocess.Popen[bytes]]) -> None:
    assert started
    for each in started:
        assert not psutil.pid_exists(each.pid)
        each.wait()


def _is(process: psutil.Process, *words: str) -> bool:
    return process.info["cmdline"] == list(words)


def test_a_process_that_does_not_listen_is_killed(begin: Begin) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def leave(target: Endpoint) -> None:
        deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True)"
        command = [sys.executable, "-c", f"{deaf}; time.sleep(60)"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        with process.stdout as said:
            said.readline()  # it does not listen any more

    broken(begin(Also(restoring=leave)), G.RECOVERABILITY, "left a process running")
    gone(started)


def test_a_process_that_is_just_ending_is_waited_for(begin: Begin) -> None:
    def leave(target: Endpoint) -> None:
        subprocess.run(["sh", "-c", "sleep 0.1 > /dev/null 2>&1 &"], check=True)

    begin(Also(restoring=leave)).restore().prove()
    assert "RESTORE_VERIFIER_CALL" not in os.environ


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("UPDATE item SET name = 'read' WHERE id = 7", "row changed"),
        ("DELETE FROM item WHERE id = 7", "row removed"),
        ("SELECT nextval('item_id_seq')", "sequence moved"),
        ("CREATE TABLE backup_log (at timestamptz)", "table added"),
        ("ALTER TABLE item DISABLE TRIGGER ALL", ""),
        ("SELECT lo_from_bytea(0, 'x')", "large object added"),
    ],
)
def test_a_backup_that_writes_to_the_source_is_found(begin: Begin, script: str, what: str) -> None:
    def write(source: Endpoint) -> None:
        with psycopg.connect(source.dsn.conninfo) as session:
            session.execute(script.encode())

    if not what:  # a statement that changes nothing is no change
        begin(Also(backing_up=write)).restore().prove()
        return
    broken(begin(Also(backing_up=write)), G.PRESERVATION, f"the backup changed the source: {what}")


def test_a_password_in_the_list_of_processes_is_found(begin: Begin) -> None:
    def show(target: Endpoint) -> None:
        command = [sys.executable, "-c", "import time; time.sleep(1)", target.dsn.url]
        subprocess.run(command, check=True)

    scenario = begin(Also(restoring=show))
    _, found = broken(scenario, G.CONTAINMENT, "a password stands in the list of processes")
    assert "****" in found.evidence[0].words


def test_a_password_in_the_words_of_a_failed_backup_is_found(begin: Begin) -> None:
    def fail(source: Endpoint) -> None:
        raise BackupError(f"cannot reach {source.dsn.url}")

    _, found = broken(begin(Also(backing_up=fail)), G.CONTAINMENT, "holds the password")
    assert "****" in found.evidence[0].words


class Loose(Also):
    """Names a place where it should name a table and a rule."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        super().restore(backup, target)
        place = target.dsn.url
        rejection = Rejection(table=place, key={"id": "1"}, reason="taken", constraint=place)
        figures = {place: {"rows": 50}}
        return Claim(success=True, exit_code=0, rejections=(rejection,), figures=figures)


def test_a_password_in_the_name_of_a_table_is_found(begin: Begin) -> None:
    broken(begin(Loose()), G.CONTAINMENT, "the claim holds the password")


class InSteps(Also):
    """Commits each row, so that it can go on where it was."""

    resumable = True

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        rows = [f"({number}, 'item {number}')" for number in range(1, 51)]
        try:
            with psycopg.connect(target.dsn.conninfo, autocommit=True) as session:
                for row in rows:
                    insert = f"INSERT INTO item VALUES {row} ON CONFLICT DO NOTHING"
                    session.execute(insert.encode())
                session.execute("SELECT setval('item_id_seq', 50)")
        except psycopg.Error as error:
            return Claim(success=False, exit_code=1, message=f"lost the connection: {error}")
        return Claim(success=True, exit_code=0)


class Forgetful(InSteps):
    """Says that it could go on, and begins behind the rows that it does not find."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        with psycopg.connect(target.dsn.conninfo) as session:
            (count,) = session.execute("SELECT count(*) FROM item").fetchone() or (0,)
        if count:
            return Claim(success=True, exit_code=0, message="restored already")
        return super().restore(backup, target)


class Unsendable(Also):
    """Holds what no other process can be given, and has a name that nobody knows."""

    name = "nobody's"

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def test_what_cannot_be_killed_is_unknown_and_neither_right_nor_wrong(begin: Begin) -> None:
    proof = begin(Unsendable()).restore(fault=Faults().kill(statement=3)).proof
    assert proof.verdict is Verdict.UNKNOWN
    words = str(proof.findings)
    assert "LookupError" not in words
    assert "nobody's is none by that name" in words


class NotResumable(InSteps):
    resumable = False


def test_a_restore_that_can_be_resumed_may_leave_a_part(begin: Begin) -> None:
    begin(InSteps()).restore(fault=Faults().cut(statement=20)).prove()


@pytest.mark.parametrize("wrong", [Forgetful, NotResumable])
def test_a_restore_that_cannot_be_resumed_may_not(begin: Begin, wrong: type[InSteps]) -> None:
    proof: Any = begin(wrong()).restore(fault=Faults().cut(statement=20)).proof
    guarantee = G.ATOMICITY if wrong is NotResumable else G.RECOVERABILITY
    assert proof.verdicts[guarantee] is Verdict.BROKEN
    assert (proof.verdicts[G.HONESTY] is Verdict.BROKEN) is (wrong is Forgetful)


def test_a_fault_that_never_strikes_is_unknown_and_no_pass(begin: Begin) -> None:
    outcome = begin(Also()).restore(fault=Faults().cut(statement=100_000))
    assert outcome.proof.verdict is Verdict.UNKNOWN
    (found,) = [each for each in outcome.proof.findings if each.verdict is Verdict.UNKNOWN]
    assert found.title == "the fault never struck: nothing was seen before statement 100000"
    assert "statements" in found.evidence[0].words


def test_a_migration_that_no_backup_waits_for_is_unknown_and_taken_back(begin: Begin) -> None:
    scenario = begin(Also())
    outcome = scenario.restore(fault=Faults().migrating("CREATE TABLE of_the_migration (id int)"))
    (found,) = [each for each in outcome.proof.findings if each.verdict is Verdict.UNKNOWN]
    assert found.title == "the fault never struck: the backup did not wait for the migration"
    assert scenario.source.execute("SELECT to_regclass('of_the_migration')") == [(None,)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_a_finaliser_swallowed_ends_the_run_at_the_next_call(
    begin: Callable[[Implementation], Scenario], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        def __del__(self) -> None:
            lifecycle._terminate(signal.SIGTERM, None)

    monkeypatch.setattr(lifecycle, "_asked", [])
    scenario = begin(Also(restoring=lambda target: Deaf()))
    with pytest.raises(lifecycle.Terminated):
        scenario.restore()


def test_a_step_that_cannot_be_run_is_told(begin: Begin) -> None:
    writing = Faults().writing("INSERT INTO nowhere VALUES ({n})", "SELECT 0")
    outcome = begin(Also()).restore(fault=writing)
    (found,) = [each for each in outcome.proof.findings if each.verdict is Verdict.UNKNOWN]
    assert found.title == "the fault never struck: its step could not be run"
    assert "nowhere" in found.evidence[0].words
