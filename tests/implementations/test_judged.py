"""Commands under test, judged: what is wrong with one is found, and a right one is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.implementations.configuring import configured, script
from tests.implementations.test_process import gone
from verifier.config import Config
from verifier.contract import Finding, Guarantee, Proof, Severity, Verdict
from verifier.scenario import Scenario, Seed
from verifier.servers import Pair

G = Guarantee
RESTORE = 'psql -X -q -1 -v ON_ERROR_STOP=1 -f "$1"'
Judged = Callable[..., Proof]


def empty(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE tea (id int PRIMARY KEY, name text)")


def full(connection: psycopg.Connection) -> None:
    empty(connection)
    connection.execute("INSERT INTO tea VALUES (1, 'green'), (2, 'black'), (3, 'white')")


def strict(connection: psycopg.Connection) -> None:
    empty(connection)
    connection.execute("ALTER TABLE tea ADD CONSTRAINT no_black CHECK (name <> 'black')")


@pytest.fixture
def judged(servers: Pair, tmp_path: Path) -> Iterator[Judged]:
    """``judged(restore, options, backup=…)``: the proof of a restore by these scripts."""
    made: list[Scenario] = []

    def judge(
        restore: str,
        options: str = "",
        *,
        arguments: str = "",
        backup: str = 'pg_dump --data-only -f "$1"',
        target: Callable[[psycopg.Connection], None] = empty,
    ) -> Proof:
        script(tmp_path, "backup.sh", backup)
        script(tmp_path, "restore.sh", restore)
        toml = f"""
            [implementations.acme]
            backup = {{ command = "./backup.sh {{backup}}" }}
            [implementations.acme.restore]
            command = "./restore.sh {{backup}} {arguments}"
            {options}
        """
        scenario = Scenario(
            "tea", servers, configured(tmp_path, toml), Config(), focus=(), workdir=tmp_path
        )
        made.append(scenario)
        scenario.begin(source=Seed("full tea", full), target=Seed(f"tea {target.__name__}", target))
        return scenario.restore().proof

    yield judge
    for each in made:
        each.close()


def of(proof: Proof, guarantee: Guarantee) -> list[Finding]:
    return [
        each
        for each in proof.findings
        if each.guarantee is guarantee and each.severity > Severity.NOTE
    ]


def test_an_honest_restore_that_can_be_repeated_keeps_everything(judged: Judged) -> None:
    proof = judged(
        'psql -X -q -1 -c "TRUNCATE tea" -f "$1" && echo "tea: 3 rows"',
        "claim = { patterns = ['^(?P<table>.*): (?P<rows>[0-9]+) rows'] }",
    )
    assert [each for guarantee in G for each in of(proof, guarantee)] == []
    assert proof.verdict is Verdict.KEPT


def test_rows_that_are_rejected_and_named_are_believed(judged: Judged) -> None:
    body = """
        grep -v black "$1" > "$1.fit"
        psql -X -q -1 -c "TRUNCATE tea" -f "$1.fit"
        echo "tea: 2 rows"; echo "skipped tea 2: black"
    """
    options = """claim = { patterns = [
        '^(?P<table>.*): (?P<rows>[0-9]+) rows',
        '^skipped (?P<table>.*) (?P<key>.*): (?P<reason>.*)']}
    """
    proof = judged(body, options, target=strict)
    assert of(proof, G.COMPLETENESS) == []
    assert of(proof, G.HONESTY) == []
    silent = judged(body, target=strict)
    (finding,) = of(silent, G.COMPLETENESS)
    assert finding.title.startswith("a row that cannot be restored is not named")


def test_success_with_an_error_on_stderr_is_a_lie_that_shows_the_error(judged: Judged) -> None:
    proof = judged('psql -X -q -1 -f "$1"; true', target=strict)
    lie = proof.findings[0]
    assert (lie.guarantee, lie.severity) == (G.HONESTY, Severity.LIE)
    assert 'violates check constraint "no_black"' in lie.evidence[0].words
    assert of(proof, G.COMPLETENESS)


@pytest.mark.parametrize("number", [2, 4])
def test_a_wrong_number_is_found(judged: Judged, number: int) -> None:
    proof = judged(
        f'{RESTORE} && echo "{number} rows in all"',
        "claim = { patterns = ['(?P<rows>[0-9]+) rows in all'] }",
    )
    (finding,) = of(proof, G.HONESTY)
    assert finding.title == "the claimed number of transferred rows is not what is observed"
    assert finding.evidence[0].row == {"rows": str(number)}


LEFT = 'echo $! >> "$(dirname "$0")/left"'
BAD = {
    "an empty backup": ({"backup": ': > "$1"'}, G.COMPLETENESS, "a source row is neither"),
    "a backup without a file": ({"backup": "echo"}, G.COMPLETENESS, "no backup could be made"),
    "garbage for a claim": (
        {"restore": f"{RESTORE}; head -c 500 /dev/urandom", "options": 'claim = "json"'},
        G.COMPLETENESS, "the restore failed although the target can take every row"),
    "a restore that hangs": (
        {"restore": "echo at work; sleep 300", "options": "timeout = 0.5"},
        G.COMPLETENESS, "the restore failed although the target can take every row"),
    "a failure without words": ({"restore": "exit 3"}, G.HONESTY, "without a word about the cause"),
    "files left behind": (
        {"restore": f'{RESTORE}; : > "$W/x"', "options": 'environment = { W = "{workdir}" }'},
        G.RECOVERABILITY, "left files behind"),
    "a password": (
        {"restore": f'echo "using $PGPASSWORD"; {RESTORE}'}, G.CONTAINMENT, "the password of a"),
    "a password in the list of processes": (
        {"restore": f"exec {RESTORE}", "arguments": "{target.url}",
         "options": "secrets-in-arguments = true"},
        G.CONTAINMENT, "a password stands in the list of processes"),
    "a process left in its group": (
        {"restore": f"sleep 60 & {LEFT}; {RESTORE}"},
        G.RECOVERABILITY, "the restore left a process running"),
    "a process left in a group of its own": (
        {"restore": f"setsid sleep 60 > /dev/null 2>&1 & {LEFT}; {RESTORE}"},
        G.RECOVERABILITY, "the restore left a process running"),
    "a process that the backup leaves": (
        {"backup": f'setsid sleep 60 & {LEFT}; pg_dump --data-only -f "$1"'},
        G.RECOVERABILITY, "the backup left a process running"),
    "a backup that writes to the source": (
        {"backup": 'pg_dump --data-only -f "$1"; psql -X -q -c "UPDATE tea SET id = id + 10"'},
        G.PRESERVATION, "the backup changed the source"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_command_is_a_clear_finding_and_never_a_pass(
    what: str, judged: Judged, servers: Pair, tmp_path: Path
) -> None:
    given, guarantee, title = BAD[what]
    proof = judged(**{"restore": RESTORE, **given})
    assert proof.verdict is Verdict.BROKEN
    assert any(title in each.title for each in of(proof, guarantee)), proof.findings
    password = servers.target.user.password
    assert password
    assert password not in repr(proof)
    left = tmp_path / "left"
    assert left.exists() is ("process left" in what or "the backup leaves" in what)
    if left.exists():
        assert all(gone(int(pid)) for pid in left.read_text().split())
