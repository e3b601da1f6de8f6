"""The command: its exit codes, and the last line on stderr."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verifier import __version__
from verifier.cli import main
from verifier.commands import diff
from verifier.implementations import names

ROOT = Path(__file__).parent.parent
COMMAND = "import sys; from verifier.cli import main; sys.exit(main())"
SCENARIO = """
import pytest
from verifier import Seed

def bare(connection):
    connection.execute("CREATE TABLE tea (id int PRIMARY KEY, name text NOT NULL)")

def filled(connection):
    bare(connection)
    connection.execute("INSERT INTO tea VALUES (1, 'green'), (2, 'black')")

@pytest.mark.guarantee("completeness")
def test_load(scenario):
    scenario.begin(source=Seed("filled", filled), target=Seed("bare", bare))
    scenario.restore().prove()
"""

MARKED = """

@pytest.mark.guarantee("merging", "honesty")
@pytest.mark.trap("U01")
@pytest.mark.pg(since=13, reason="DROP DATABASE WITH (FORCE)")
@pytest.mark.parametrize("kind", ["green", "black"])
def test_of_two_kinds(scenario, kind):
    'The tea | arrives as coffee.'
    test_load(scenario)
"""


def started(directory: Path, *arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RESTORE_", "PYTEST_"))}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in a process of its own."""
    process = started(directory, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command line that is refused."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("restore-verifier: ")
    return line


@pytest.fixture
def scenarios(tmp_path):
    """A directory with a ``scenarios/`` in it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_tea.py").write_text(SCENARIO)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            [],
            "choose from verify, scenarios, diff, backup, restore, convert, clean, selftest, "
            "matrix, fuzz, implementations",
        ),
        (["verfy"], "did you mean verify?"),
        (["verify", "--sevrers", "docker"], "did you mean --servers?"),
        (["verify", "--sevrers=docker"], "unknown option --sevrers (did you mean --servers?)"),
        (["verify", "-n", "2"], "after a lone --"),
        (["verify", "--rows"], "expected one argument"),
        (["verify", "--row", "3"], "did you mean --rows?"),
        (["verify", "/nonexistent/scenarios"], "no scenarios at /nonexistent/scenarios"),
        (["verify", "/nonexistent/x.py::test_y"], "no scenarios at /nonexistent/x.py::test_y"),
        (["implementations", "surplus"], "unknown argument surplus"),
        (["diff"], "no connection string for the source"),
        (["diff", "postgresql://h/a"], "got 1 of their connection strings"),
        (["diff", "postgresql://h/a", "--limit", "3", "postgresql://h/b", "c"], "got 3"),
        (["diff", "postgresql://h/a", "nonsense"], "TARGET_DSN: the connection string cannot"),
        (["diff", "dbname=a", "dbname=b", "--source-dsn", "dbname=c"], "give it once"),
        (["diff", "--sorce-dsn", "x"], "did you mean --source-dsn?"),
        (["diff", "--rows", "3"], "unknown option --rows"),
        (["diff", "dbname=a", "dbname=b", "--only", "dat"], "did you mean data?"),
        (["diff", "dbname=a", "dbname=b", "--ignore", "t"], "gives no reason"),
        (["diff", "dbname=a", "dbname=b", "--json", "/nonexistent/x"], "--json '/nonexistent/x'"),
        (["diff", "dbname=a", "dbname=b", "--sql", "/"], "it is a directory"),
        (["diff", "dbname=a", "dbname=b", "--sql", ""], "no name is given"),
        (["diff", "", "dbname=b"], "restore-verifier: SOURCE_DSN is given but empty"),
        (["diff", "--foo"], "unknown option --foo; see restore-verifier diff --help"),
        (["diff", "--only", "data", "--only", "rules"], "--only: given twice; give it once"),
        (["diff", "--json", "a", "--json=b"], "--json: given twice; give it once"),
        (["diff", "dbname=a", "dbname=b", "--json", "-"], "--json '-' cannot be written"),
        (["diff", "dbname=a", "dbname=b", "--json", "x", "--sql", "./x"], "name the same file"),
        (["backup"], "got 0 arguments; write restore-verifier backup SOURCE_DSN FILE"),
        (["backup", "a", "b", "c"], "got 3 arguments"),
        (["backup", "out.sql"], "no connection string for the source; give SOURCE_DSN"),
        (["backup", "dbname=a"], "no FILE is given, only a connection string"),
        (["backup", "out.sql", "dbname=a"], "FILE and SOURCE_DSN have changed places"),
        (["backup", "postgresql://h/a", "service=x"], "FILE is a database, too"),
        (["backup", "shop", "out.sql"], "SOURCE_DSN: the connection string cannot be read"),
        (["backup", "dbname=a", "out.sql", "--source-dsn", "dbname=b"], "give it once"),
        (["backup", "dbname=a", "-"], "FILE '-' cannot be written"),
        (["backup", "dbname=a", ""], "it is no name of a file"),
        (["backup", "dbname=a", "/"], "it is a directory"),
        (["backup", "dbname=a", "/dev/null"], "no ordinary file"),
        (["backup", "dbname=a", "/nonexistent/x"], "No such file or directory"),
        (["backup", "dbname=a", "x", "--json", "./x"], "--json and FILE name the same file"),
        (["backup", "dbname=a", "x", "--fromat", "copy"], "did you mean --format?"),
        (["backup", "dbname=a", "x", "--format", "copyy"], "did you mean copy?"),
        (["backup", "dbname=a", "x", "--exclude", "tea"], "gives no condition"),
        (["restore"], "got 0 arguments; write restore-verifier restore FILE TARGET_DSN"),
        (["restore", "dbname=a"], "no FILE is given, only a connection string"),
        (["restore", "dbname=a", "."], "FILE and TARGET_DSN have changed places"),
        (["restore", "."], "no connection string for the target; give TARGET_DSN"),
        (["restore", ".", "shop"], "TARGET_DSN: the connection string cannot be read"),
        (["restore", "", "dbname=a"], "FILE '' cannot be read: no name is given"),
        (
            ["restore", "/nonexistent/x", "dbname=a"],
            "No such file or directory; name a file that can",
        ),
        (["restore", "--dry-rum", ".", "dbname=a"], "did you mean --dry-run?"),
        (["restore", "--dry-run=1", ".", "dbname=a"], "--dry-run: ignored explicit argument"),
        (["restore", "--json", "x", ".", "dbname=a", "--json", "y"], "given twice; give it once"),
        (["restore", ".", "dbname=a", "--refresh", "--no-refresh"], "given twice; give it once"),
        (["restore", ".", "dbname=a", "--strict-ids", "--ids", "local"], "leave one of the two"),
        (["restore", ".", "dbname=a", "--prefer", "at"], "give it as newest:COLUMN"),
        (["restore", ".", "dbname=a", "--reference", "a -> b"], "give it as 'TABLE.COLUMN"),
        (["restore", ".", "dbname=a", "--models", "/nonexistent"], "--models '/nonexistent' can"),
        (["restore", ".", "dbname=a", "--quarantine", "/"], "--quarantine '/' cannot be written"),
        (["restore", ".", "dbname=a", "--quarantine="], "it is no name of a file"),
        (["restore", ".", "dbname=a", "--quarantine", "/nonexistent/x"], "No such file"),
        (["restore", ".", "dbname=a", "--quarantine", "a", "--quarantine"], "given twice"),
        (["restore", "--quarantine", "x.sql"], "--quarantine takes the word behind it"),
        (["restore", "--quarantine", "x.sql", "dbname=a"], "takes the word behind it"),
        (["restore", ".", "dbname=a", "--json", "x"], "--json names a file within FILE"),
        (["selftest", "surplus"], "unknown argument surplus"),
        (["selftest", "--", "surplus"], "takes no arguments"),
        (["selftest", "--servers", "dokcer"], "did you mean docker?"),
        (["selftest", "--servers", "embedded", "--json", "/nonexistent/x"], "cannot be written"),
        (["implementations", "--", "surplus"], "takes no arguments"),
    ],
)
def test_a_command_line_that_cannot_be_right(arguments, told, capsys):
    assert told in refused(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["postgresql://u:s3cr3t@h/db"],
        ["verify", "--dsn=postgresql://u:s3cr3t@h/%zz"],
        ["verify", "postgresql://u:s3cr3t@h/db"],
        ["implementations", "password=s3cr3t"],
        ["implementations", "--", "user=u password=s3cr3t"],
        ["diff", "postgresql://u:s3cr3t@h/db", "password='s3cr3t"],
        ["diff", "postgresql://u:s3cr3t@h/db", "dbname=x", "--tables", '"s3cr3t'],
        ["diff", "postgresql://u:a@s3cr3t@h/db", "dbname=x"],
        ["diff", "postgresql://u:s3cr3t/b@h:1/db", "dbname=x"],
        ["diff", "postgresql://u:12/s3cr3t@h:1/db", "dbname=x"],
        ["diff", "postgresql://u:/s3cr3t@h/db", "dbname=x"],
        ["restore", "postgresql://u:s3cr3t@h/db"],
        ["restore", "postgresql://u:s3cr3t@h/db", "."],
        ["restore", "dbnam=a password=s3cr3t", "dbname=x"],
        ["restore", "postgresql://u:s3cr3t@h/%zz"],
        ["restore", ".", "postgresql://u:a@s3cr3t@h/db"],
        ["restore", "a", "b", "password=s3cr3t"],
        ["backup", "x", "password = s3cr3t"],
        ["backup", "postgresql://u:s3cr3t@h/db", "/"],
    ],
)
def test_a_password_among_the_arguments_is_not_repeated(arguments, capsys):
    assert "s3cr3t" not in refused(capsys, *arguments)


def test_what_fails_inside_is_no_answer(monkeypatch, capsys):
    monkeypatch.setattr(diff, "compare", lambda *_: 1 / int("s3cr3t"[:0] or 0))
    assert main(["diff", "postgresql://u:s3cr3t@h/a", "dbname=b"]) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("restore-verifier: ZeroDivisionError inside")
    assert "Traceback" in err
    assert "s3cr3t@" not in err


@pytest.mark.slow
def test_scenarios_that_come_along_run_anywhere_and_leave_nothing_there(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('of somebody else')\n")
    name = "keys::tables_without_any_key"
    code, out, err = run(tmp_path, "verify", name, "--servers", "embedded")
    assert code == 0, out + err
    assert name in out
    assert sorted(each.name for each in tmp_path.iterdir()) == ["conftest.py", "pytest.ini"]


def test_a_name_that_is_almost_one_of_the_catalogue(capsys):
    assert "(did you mean merging?)" in refused(capsys, "verify", "mergin::anything")


def test_a_scenario_that_its_file_does_not_hold(capsys):
    told = refused(capsys, "verify", "merging::duplicates_below_duplicate")
    assert "no scenario duplicates_below_duplicate in test_merging.py" in told
    assert "(did you mean duplicates_below_duplicates?)" in told


def test_scenarios_of_ones_own_have_the_names_that_reports_give_them(tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_tea.py").write_text("def test_load(scenario): ...\n")
    arguments = ("verify", "tea::load", "keys::tables_without_any_key")
    code, out, err = run(tmp_path, *arguments, "--", "--collect-only", "-q")
    assert code == 0, err
    assert "test_load" in out
    assert "test_tables_without_any_key" in out
    assert "did you mean tea?" in run(tmp_path, "verify", "tee")[2]


def test_without_scenarios_of_its_own_a_directory_gets_those_that_come_along(tmp_path):
    code, out, err = run(tmp_path, "verify", "--servers", "embedded", "--", "--collect-only", "-q")
    assert "test_duplicates_below_duplicates" in out, err
    assert code == 0, "a list was asked for"


def test_the_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"restore-verifier {__version__}\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_not_change_the_answer(closed):
    shell = f"{sys.executable} -c '{COMMAND}' implementations {closed}"
    assert subprocess.run(["sh", "-c", shell], cwd=ROOT, check=False).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_takes_no_more_is_told_in_a_sentence():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, "implementations"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "could not be written to the output: No space left on device; make room" in line


def test_implementations_lists_every_name(capsys):
    assert main(["implementations"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    assert lines[0].split(maxsplit=1)[1] == "built in"


@pytest.mark.slow
def test_verify_runs_the_scenarios_of_the_directory(scenarios):
    code, out, err = run(scenarios, "verify", "--servers", "embedded")
    assert code == 0, out + err
    assert "KEPT: initial-load keeps" in out
    assert err == ""


@pytest.mark.slow
def test_scenarios_lists_what_verify_would_run(scenarios):
    tests = scenarios / "scenarios" / "test_tea.py"
    marked = tests.read_text() + MARKED
    tests.write_text(marked)
    code, out, err = run(scenarios, "scenarios")
    assert (code, err) == (0, "")
    assert "tea::of_two_kinds  U01, 2 runs, PostgreSQL 13: DROP DATABASE WITH (FORCE)" in out
    assert "      The tea | arrives as coffee." in out
    assert out.splitlines()[-1] == "2 scenarios, run 3 times in all"
    _, page, _ = run(scenarios, "scenarios", "--select", "merging", "--markdown")
    assert "| `tea::of_two_kinds` | The tea \\| arrives as coffee. | U01 | honesty |" in page
    assert "tea::load" not in page
    for command, told in (
        ("scenarios", "that matches 'mergin'"),
        ("verify", "no scenario was selected"),
    ):
        code, out, err = run(scenarios, command, "--select", "mergin")
        assert code == 2
        assert told in err.splitlines()[-1]
        assert "Traceback" not in out + err


@pytest.mark.slow
def test_what_is_broken_is_said_last(scenarios):
    chosen = ("--servers", "embedded", "--implementation", "pg_dump")
    code, out, err = run(scenarios, "verify", "scenarios/test_tea.py", *chosen, "--", "-q")
    assert code == 1, out + err
    assert err.splitlines()[-1].startswith("restore-verifier: pg_dump breaks ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--servers", "dokcer"], "did you mean docker?"),
        (["--servers", "external"], "--source-dsn is missing"),
        (["--servers", "embedded", "--", "-k", "nothing"], "no scenario was selected"),
        (["--", "--no-such-option"], "pytest could not start"),
    ],
)
def test_what_could_not_be_verified_ends_with_2(arguments, told, scenarios):
    code, out, err = run(scenarios, "verify", *arguments)
    assert code == 2, out + err
    assert told in err.splitlines()[-1]
    assert "Traceback" not in out + err


@pytest.mark.slow
def test_a_reader_that_goes_away_gets_no_traceback(scenarios):
    process = started(scenarios, "verify", "--servers", "embedded")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(120) == 2
    assert "Traceback" not in err
    assert "reader of the output went away" in err.splitlines()[-1]
    process.stderr.close()


@pytest.mark.slow
def test_an_interrupt_gets_no_traceback(scenarios):
    slow = SCENARIO.replace(
        "    scenario.restore()",
        "    scenario.source, scenario.target; print(flush=True); import time; time.sleep(60)\n"
        "    scenario.restore()",
    )
    (scenarios / "scenarios" / "test_tea.py").write_text(slow)
    process = started(scenarios, "verify", "--servers", "embedded", "--", "-s")
    assert process.stdout is not None
    for line in process.stdout:
        if "test_tea.py" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, out + err
    assert "Traceback" not in out + err
    assert "is gone" not in out + err
    assert "interrupted" in err.splitlines()[-1]
