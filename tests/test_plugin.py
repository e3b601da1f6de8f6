"""The plugin, run for real: pytest in a process of its own, on embedded servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from verifier.config import Config, ServerKind
from verifier.servers import Pair, choose

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
COMMON = """
import pytest
from verifier import Seed

def bare(connection):
    connection.execute("CREATE TABLE tea (id int PRIMARY KEY, name text NOT NULL)")

def filled(connection):
    bare(connection)
    connection.execute("INSERT INTO tea VALUES (1, 'green'), (2, 'black')")

@pytest.fixture
def tea(scenario):
    scenario.begin(source=Seed("filled", filled), target=Seed("bare", bare))
    return scenario
"""
KEPT = """
@pytest.mark.guarantee("completeness", "fidelity")
def test_first_load(tea):
    tea.restore().prove()
"""
MIXED = """
@pytest.mark.guarantee("honesty")
@pytest.mark.own_servers
def test_nobody_can_look(tea):
    tea.source, tea.target
    tea.pair.target.stop()
    tea.restore().prove()

@pytest.mark.guarantee("merging")
def test_that_forgets_to_prove(tea):
    tea.restore()

def test_that_crashes(tea):
    print("printed:", tea.target.dsn.password)
    raise RuntimeError(f"crashed: {tea.target.dsn.conninfo}")
"""
DYING = """
def test_kills_the_shared_server(tea):
    tea.source, tea.target
    tea.pair.target.stop()
    assert False, "first"

def test_that_must_not_run(tea):
    assert False, "second"
"""
MARKED = """
@pytest.mark.guarantee("merging")
@pytest.mark.pg(since=99, reason="reading minds")
def test_of_the_future(tea):
    tea.restore().prove()

@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.pg(since=13, reason="DROP DATABASE WITH (FORCE)")
def test_of_the_past(tea):
    tea.restore().prove()
"""
PLAIN = "def test_without_servers():\n    pass\n"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    report: Path

    @property
    def everything(self) -> str:
        return self.out + self.err

    def read(self) -> Any:
        return json.loads(self.report.read_text())


def project(directory: Path, **files: str) -> Path:
    """A directory of tests; each file begins with the tea shop."""
    (directory / "conftest.py").write_text('pytest_plugins = ["verifier.plugin"]\n')
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    for name, text in files.items():
        (directory / f"test_{name}.py").write_text(COMMON + text)
    return directory


def pytest_in(directory: Path, *arguments: str, **environ: str) -> Ran:
    report = directory / "report.json"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RESTORE_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        + ([] if "--restore-report" in arguments else ["--restore-report", str(report)]),
        check=False,
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr, report)


EMBEDDED = ("--servers", "embedded")


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Ran:
    """A run in which something is broken, something unknown, and one test just crashes."""
    directory = project(tmp_path_factory.mktemp("broken"), load=KEPT, mixed=MIXED)
    junit = directory / "junit.xml"
    return pytest_in(directory, *EMBEDDED, "--implementation", "pg_dump", f"--junit-xml={junit}")


def test_a_run_in_which_everything_is_kept(tmp_path):
    ran = pytest_in(project(tmp_path, load=KEPT), *EMBEDDED)
    assert ran.code == 0, ran.everything
    assert "implementation initial-load" in ran.out
    assert "source PostgreSQL 18." in ran.out
    assert "embedded 18 -> 18: asked for" in ran.out
    assert "KEPT: initial-load keeps" in ran.out
    assert ran.read()["verdict"] == "kept"
    assert ran.out.isascii()


def test_a_broken_guarantee_fails_the_run_and_names_the_finding(broken):
    assert broken.code == 1
    assert "BROKEN: pg_dump breaks" in broken.out
    load = next(row for row in broken.read()["scenarios"] if row["scenario"] == "load::first_load")
    assert load["verdict"] == "broken"
    title = load["findings"][0]["title"]
    assert broken.out.count(title) == 1, "in the summary, and not a second time"


def test_a_broken_proof_shows_no_python(broken):
    failures = broken.out.split("= FAILURES =")[1].split("restore verification")[0]
    shown = failures.split("test_first_load _")[1].split("\n_____")[0]
    assert "(see below)" in shown
    assert "Traceback" not in shown
    assert ".py" not in shown


def test_a_junit_file_holds_the_findings(broken):
    tree = ET.parse(broken.report.parent / "junit.xml")
    texts = {case.get("name"): "".join(case.itertext()) for case in tree.iter("testcase")}
    title = broken.read()["scenarios"][0]["findings"][0]["title"]
    assert title in texts["test_first_load"]


def test_a_scenario_without_a_proof_is_unknown_and_fails(broken):
    rows = {row["scenario"]: row for row in broken.read()["scenarios"]}
    forgotten = rows["mixed::that_forgets_to_prove"]
    assert forgotten["verdicts"] == {"merging": "unknown"}
    assert "proved nothing" in forgotten["findings"][0]["title"]
    assert rows["mixed::that_crashes"]["verdict"] == "unknown"
    assert rows["mixed::nobody_can_look"]["verdicts"]["honesty"] == "unknown"


def test_only_a_crash_counts_as_a_test_that_failed_on_its_own(broken):
    assert broken.read()["failures"] == ["test_mixed.py::test_that_crashes"]


def test_passwords_of_the_servers_are_hidden_everywhere(broken):
    assert "crashed:" in broken.out
    assert "printed: ****" in broken.out
    assert "password=****" in broken.out
    assert "password=****" in broken.report.read_text()


def test_unknown_alone_ends_with_2(tmp_path):
    ran = pytest_in(project(tmp_path, mixed=MIXED), *EMBEDDED, "-k", "nobody or forgets")
    assert ran.code == 2, ran.everything
    assert "UNKNOWN: could not verify" in ran.out
    assert ran.read()["exit_code"] == 2


def test_parallel_workers_come_to_the_same(broken):
    ran = pytest_in(broken.report.parent, *EMBEDDED, "--implementation", "pg_dump", "-n", "2")
    alone, together = broken.read(), ran.read()
    assert ran.code == broken.code
    assert [(row["scenario"], row["verdicts"]) for row in together["scenarios"]] == [
        (row["scenario"], row["verdicts"]) for row in alone["scenarios"]
    ]
    assert together["about"] == alone["about"]
    assert together["failures"] == alone["failures"]
    assert "servers: embedded 18 -> 18: asked for" in ran.out
    assert "password=****" in ran.out


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "worker"])
def test_a_dead_server_ends_the_run_once(workers, tmp_path):
    ran = pytest_in(project(tmp_path, dying=DYING), *EMBEDDED, *workers)
    assert ran.code == 2, ran.everything
    assert "first" in ran.out
    assert "second" not in ran.out
    assert "the target server (embedded, PostgreSQL 18." in ran.out
    assert ran.out.count("the server's last log lines") == 1
    assert "database system is ready to accept connections" in ran.out
    assert ran.read()["aborted"].startswith("the target server")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--servers", "dokcer"], "did you mean docker?"),
        (["--implementation", "initial-laod"], "did you mean 'initial-load'?"),
        (["--servers", "embedded", "--target-version", "9"], "PostgreSQL 9"),
        (["--servers", "external"], "--source-dsn is missing"),
        (["--servers", "external", "-n", "1"], "--source-dsn is missing"),
        (["--restore-report", "/nonexistent/report.json"], "/nonexistent/report.json"),
    ],
    ids=["value", "implementation", "version", "server", "server-parallel", "report"],
)
def test_bad_usage_is_one_sentence(arguments, told, tmp_path):
    ran = pytest_in(project(tmp_path, load=KEPT), *arguments)
    assert ran.code == pytest.ExitCode.USAGE_ERROR, ran.everything
    (line,) = ran.err.strip().splitlines()
    assert line.startswith("ERROR: ")
    assert told in line
    assert "Traceback" not in ran.everything


def test_a_typo_in_a_variable_is_told(tmp_path):
    ran = pytest_in(project(tmp_path, load=KEPT), RESTORE_VERIFIER_SEVERS="embedded")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "did you mean RESTORE_VERIFIER_SERVERS?" in ran.err


def test_broken_stays_broken_when_the_run_stops_early(tmp_path):
    stop = ("-n", "1", "-x", "--implementation", "pg_dump")
    ran = pytest_in(project(tmp_path, load=KEPT), *EMBEDDED, *stop)
    assert "stopping after 1 failures" in ran.out
    assert ran.code == 1, ran.everything


LIBPQ = {
    "PGHOSTADDR": "192.0.2.1",
    "PGSERVICE": "nowhere",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c statement_timeout=1 -c search_path=nowhere",
    "PGCLIENTENCODING": "LATIN1",
    "PGTARGETSESSIONATTRS": "read-only",
}


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "worker"])
def test_libpqs_variables_neither_redirect_nor_change_a_run(workers, tmp_path):
    directory = project(tmp_path, load=KEPT)
    tests = directory / "test_load.py"
    tests.write_text(tests.read_text().replace("green", "緑"))  # which Latin 1 cannot spell
    ran = pytest_in(directory, *EMBEDDED, *workers, **LIBPQ)
    assert ran.code == 0, ran.everything


def test_tests_without_a_scenario_need_no_servers(tmp_path):
    directory = project(tmp_path, plain=PLAIN, load=KEPT)
    nowhere = ("--servers", "external")
    assert pytest_in(directory, *nowhere, "test_plain.py").code == 0
    collected = pytest_in(directory, *nowhere, "--collect-only")
    assert collected.code == 0
    assert "restore verification" not in collected.out
    assert pytest_in(directory, "--servers", "dokcer", "--help").code == 0


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "parallel"])
def test_an_unknown_guarantee_is_an_error_of_collection(workers, tmp_path):
    text = KEPT.replace("fidelity", "fidelty")
    ran = pytest_in(project(tmp_path, load=text), *EMBEDDED, *workers)
    assert ran.code == 2
    assert "unknown guarantee 'fidelty' (did you mean fidelity?)" in ran.out
    assert "Traceback" not in ran.out


def test_scenarios_are_selected_by_what_they_are_marked_with(tmp_path):
    directory = project(tmp_path, load=KEPT, mixed=MIXED, marked=MARKED)

    def selected(expression: str) -> list[str]:
        ran = pytest_in(directory, "--collect-only", "-q", "-m", expression)
        return [line.partition("::test_")[2] for line in ran.out.splitlines() if "::" in line]

    assert selected("merging") == ["of_the_future", "of_the_past", "that_forgets_to_prove"]
    assert selected("honesty and slow") == ["nobody_can_look"]
    assert selected("pg(since=99)") == ["of_the_future"]
    assert selected("completeness or honesty and not pg") == ["first_load", "nobody_can_look"]


def test_what_needs_a_newer_postgresql_is_not_verified_and_says_so(tmp_path):
    ran = pytest_in(project(tmp_path, marked=MARKED), *EMBEDDED, "-rs")
    assert ran.code == 0, ran.everything
    assert "NOT VERIFIED on PostgreSQL 18: reading minds came with 99" in ran.out
    assert [row["scenario"] for row in ran.read()["scenarios"]] == ["marked::of_the_past"]


def test_a_need_that_does_not_say_why_is_an_error_of_collection(tmp_path):
    text = MARKED.replace(', reason="reading minds"', "")
    ran = pytest_in(project(tmp_path, marked=text), *EMBEDDED)
    assert ran.code == 2
    assert "pg{'since': 99} does not say what is needed; write pg(since=15, reason=" in ran.out
    assert "Traceback" not in ran.out


@pytest.fixture
def external() -> Iterator[Pair]:
    """Two servers that are someone else's for the run under test."""
    with choose(Config(servers=ServerKind.EMBEDDED)).start() as pair:
        yield pair


def test_external_servers_are_not_stopped_and_their_passwords_not_shown(tmp_path, external):
    directory = project(tmp_path, load=KEPT, mixed=MIXED)
    passwords = [server.admin.password for server in (external.source, external.target)]
    ran = pytest_in(
        directory,
        "-rs",
        RESTORE_VERIFIER_SERVERS="external",
        RESTORE_VERIFIER_SOURCE_DSN=external.source.admin.url,
        RESTORE_VERIFIER_TARGET_DSN=str(external.target.admin).replace(":****@", "@"),
        PGPASSWORD=external.target.admin.password or "",
    )
    assert "external" in ran.out
    assert "NOT VERIFIED on external servers" in ran.out
    rows = {row["scenario"]: row["verdict"] for row in ran.read()["scenarios"]}
    assert rows["load::first_load"] == "kept"
    assert "mixed::nobody_can_look" not in rows
    assert external.target.alive()
    for password in passwords:
        assert password
        assert password not in ran.everything + ran.report.read_text()
