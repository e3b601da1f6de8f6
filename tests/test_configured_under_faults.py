"""Commands and services of a configuration, struck by faults: killed, swept, and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faults.test_apart import alive
from tests.implementations.configuring import configured, script
from tests.implementations.test_http_verdicts import SOURCE, TARGET, TOKEN, documented
from verifier.config import Config
from verifier.contract import Guarantee, Severity, Verdict
from verifier.faults import BackupCut, BackupPoisoned, Fault
from verifier.faults.vocabulary import Faults
from verifier.implementations import Implementation
from verifier.scenario import Outcome, Scenario, Seed
from verifier.servers import Pair

pytestmark = pytest.mark.slow

G = Guarantee
ALONE = """
    [implementations.acme]
    backup = { command = "./backup.sh {backup}" }
    restore = { command = "./restore.sh {backup}" }
"""
WHOLE = 'psql -X -q -1 -v ON_ERROR_STOP=1 -c "TRUNCATE tea, cup" -f "$1"'
HEEDLESS = 'psql -X -q -c "TRUNCATE tea, cup" -f "$1" || true'
ARCHIVE = """
psql -X -q -c "TRUNCATE tea, cup"
pg_restore --data-only -1 -d "$PGDATABASE" "$1"
"""
BY_TABLE = """
psql -X -q -v ON_ERROR_STOP=1 <<END || exit 1
INSERT INTO tea VALUES (1, 'green'), (2, 'black') ON CONFLICT DO NOTHING;
INSERT INTO cup VALUES (1, 1), (2, 1), (3, 2) ON CONFLICT DO NOTHING;
END
"""
# Takes the first table for the whole of its work.
GIVES_UP = (
    """
test "$(psql -X -A -t -c 'SELECT count(*) FROM tea')" = 0 || exit 0
"""
    + BY_TABLE
)


def empty(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE tea (id int PRIMARY KEY, name text)")
    connection.execute("CREATE TABLE cup (id int PRIMARY KEY, tea int REFERENCES tea)")


def full(connection: psycopg.Connection) -> None:
    empty(connection)
    connection.execute("INSERT INTO tea VALUES (1, 'green'), (2, 'black')")
    connection.execute("INSERT INTO cup VALUES (1, 1), (2, 1), (3, 2)")


def of_shop(connection: psycopg.Connection) -> None:
    connection.execute(SOURCE.encode())


def stricter_shop(connection: psycopg.Connection) -> None:
    connection.execute(TARGET.encode())


Build = Callable[[psycopg.Connection], None]
Begin = Callable[..., Scenario]
Acme = Callable[..., Implementation]


@pytest.fixture
def begin(servers: Pair, tmp_path: Path) -> Iterator[Begin]:
    made: list[Scenario] = []

    def make(
        implementation: Implementation, source: Build = full, target: Build = empty
    ) -> Scenario:
        scenario = Scenario(
            "tea", servers, implementation, Config(), focus=(), workdir=tmp_path / "work"
        )
        (tmp_path / "work").mkdir(exist_ok=True)
        made.append(scenario)
        seeds = (Seed(f"{build.__name__} under faults", build) for build in (source, target))
        scenario.begin(source=next(seeds), target=next(seeds))
        return scenario

    yield make
    for each in made:
        each.close()


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    """``acme(restore, more)``: a shell script as restore, and ``more`` TOML about the whole."""

    def make(restore: str = WHOLE, more: str = "") -> Implementation:
        script(tmp_path, "backup.sh", 'pg_dump --data-only -f "$1"')
        script(tmp_path, "restore.sh", restore)
        return configured(tmp_path, ALONE + more)

    return make


def dumped(form: str) -> str:
    """A backup and a restore by PostgreSQL's programs, in one of their forms of archive."""
    return f"""
        [implementations.acme]
        backup = {{ implementation = "pg_dump", format = "{form}" }}
        restore = {{ command = "./restore.sh {{backup}}" }}
    """


def broken(outcome: Outcome) -> dict[Guarantee, list[str]]:
    found: dict[Guarantee, list[str]] = {}
    for each in outcome.proof.findings:
        if each.severity > Severity.NOTE:
            found.setdefault(each.guarantee, []).append(each.title)
    return found


def test_a_shell_script_is_killed_with_its_children(
    begin: Begin, acme: Acme, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    noting = f"echo $$ >> {pids}; sleep 300 & echo $! >> {pids}; {WHOLE}; code=$?; kill $!"
    outcome = begin(acme(f"{noting}; exit $code")).restore(fault=Faults().kill(before="COMMIT"))
    assert broken(outcome) == {}
    assert outcome.proof.verdict is Verdict.KEPT
    assert outcome.proof.verdicts[G.ATOMICITY] is Verdict.KEPT
    assert outcome.proof.verdicts[G.RECOVERABILITY] is Verdict.KEPT
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_a_service_that_a_restore_has_started_is_killed_with_it(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNC_TOKEN", TOKEN)
    service = configured(tmp_path, documented(), "shop-api")
    scenario = begin(service, source=of_shop, target=stricter_shop)
    outcome = scenario.restore(fault=Faults().kill(before="INSERT"))
    assert broken(outcome) == {}
    assert outcome.proof.verdict is Verdict.KEPT


def test_a_shell_script_is_swept(begin: Begin, acme: Acme) -> None:
    outcome = begin(acme()).sweep(Faults().kill, part=1, of=4)
    assert broken(outcome) == {}
    (note,) = [each.title for each in outcome.proof.findings if each.title.startswith("swept")]
    assert ", 0 rows lost, 0 false successes, 0 unequal re-runs" in note
    assert int(note.split()[1]) >= 4


@pytest.mark.parametrize("more", ["", "resumable = true"])
def test_a_restore_that_commits_by_table_has_to_say_that_it_goes_on(
    begin: Begin, acme: Acme, more: str
) -> None:
    outcome = begin(acme(BY_TABLE, more)).restore(fault=Faults().kill(statement=2))
    if more:
        assert broken(outcome) == {}
        assert outcome.proof.verdict is Verdict.KEPT
    else:
        assert outcome.proof.verdicts[G.ATOMICITY] is Verdict.BROKEN


def test_a_restore_that_only_says_that_it_goes_on_is_caught(begin: Begin, acme: Acme) -> None:
    # One statement is its question, one the first table, and then it is killed.
    outcome = begin(acme(GIVES_UP, "resumable = true")).restore(fault=Faults().kill(statement=3))
    assert outcome.proof.verdicts[G.RECOVERABILITY] is Verdict.BROKEN
    assert outcome.proof.findings[0].severity is Severity.LIE


@pytest.mark.parametrize("fault", [BackupCut(0.3), BackupPoisoned()], ids=["cut", "poisoned"])
@pytest.mark.parametrize("form", ["directory", "custom", "tar"])
def test_an_archive_that_arrives_wrong_is_refused_by_a_right_restore(
    begin: Begin, tmp_path: Path, form: str, fault: Fault
) -> None:
    script(tmp_path, "restore.sh", ARCHIVE)
    outcome = begin(configured(tmp_path, dumped(form))).restore(fault=fault)
    assert not outcome.claim.success
    assert outcome.proof.verdicts[G.CONTAINMENT] is Verdict.KEPT
    assert broken(outcome) == {}


@pytest.mark.parametrize("fault", [BackupCut(0.3), BackupPoisoned()], ids=["cut", "poisoned"])
def test_files_that_arrive_wrong_and_are_taken_are_found(
    begin: Begin, tmp_path: Path, fault: Fault
) -> None:
    body = 'for file in "$1"/*.sql; do psql -X -q -f "$file"; done; true'
    script(tmp_path, "restore.sh", f'psql -X -q -c "TRUNCATE tea, cup"; {body}')
    dump = 'pg_dump --data-only -t "$t" -f "$1/$n.sql"'
    script(tmp_path, "backup.sh", f'mkdir "$1"; t=tea n=1; {dump}; t=cup n=2; {dump}')
    outcome = begin(configured(tmp_path, ALONE)).restore(fault=fault)
    assert outcome.proof.verdicts[G.CONTAINMENT] is Verdict.BROKEN
    executed = "executed a shell command" in str(broken(outcome)[G.CONTAINMENT])
    assert executed is isinstance(fault, BackupPoisoned)


def test_a_backup_without_a_byte_cannot_be_cut(begin: Begin, acme: Acme, tmp_path: Path) -> None:
    implementation = acme("exit 0")
    script(tmp_path, "backup.sh", ': > "$1"')
    outcome = begin(implementation).restore(fault=BackupCut(0.5))
    assert outcome.proof.verdicts[G.CONTAINMENT] is Verdict.UNKNOWN
