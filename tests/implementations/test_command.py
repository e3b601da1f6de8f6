"""Commands under test on real servers: what they are given, and what becomes of their claims."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.implementations.configuring import configured, script
from tests.implementations.conftest import MakeEndpoint, execute, rows
from tests.implementations.test_process import gone
from verifier.contract import Claim, Merge, Rejection
from verifier.errors import BackupError, NotOffered
from verifier.implementations import Backup, Endpoint, Implementation
from verifier.servers import Side
from verifier.transfer import Exclude

SCHEMA = "CREATE TABLE tea (id int PRIMARY KEY, name text);"
DATA = "INSERT INTO tea VALUES (1, 'green'), (2, 'black');"
BACKUP = 'backup = "initial-load"\n'
RESTORE = 'restore = "initial-load"\n'
COMMAND = 'command = "./backup.sh {backup}"'
Restored = Callable[..., Claim]


@pytest.fixture
def target(endpoint: MakeEndpoint) -> Endpoint:
    return endpoint(Side.TARGET, SCHEMA)


@pytest.fixture
def source(endpoint: MakeEndpoint) -> Endpoint:
    return endpoint(Side.SOURCE, SCHEMA, DATA)


@pytest.fixture
def restored(tmp_path: Path, target: Endpoint) -> Restored:
    """``restored(body, options)``: the claim of a restore that is a shell script."""

    def restore(body: str, options: str = "") -> Claim:
        script(tmp_path, "restore.sh", body)
        table = f'{BACKUP}[implementations.acme.restore]\ncommand = ["./restore.sh"]\n{options}\n'
        return configured(tmp_path, f"[implementations.acme]\n{table}").restore(Backup(()), target)

    return restore


def backing_up(directory: Path, body: str, options: str = "") -> Implementation:
    script(directory, "backup.sh", body)
    table = f"{RESTORE}[implementations.acme.backup]\n{options}\n"
    if "command" not in options:
        table += 'command = "./backup.sh"\n'
    return configured(directory, f"[implementations.acme]\n{table}")


# -- what a command is given --------------------------------------------------------------------


def test_it_is_told_which_rows_to_leave_out(tmp_path: Path, source: Endpoint) -> None:
    rules = Exclude("tea", "id = 1"), Exclude("public.tea", "name = '{x}'")
    asked = replace(source, leave_out=rules)
    options = 'environment = { OUT = "{leave-out}" }'
    able = backing_up(tmp_path, 'printf %s "$OUT" > "$1"', f"{options}\n{COMMAND}")
    (file,) = able.backup(asked).files
    assert file.read_text() == "tea: id = 1\npublic.tea: name = '{x}'"
    (file,) = able.backup(source).files
    assert file.read_text() == ""
    lines = replace(source, leave_out=(Exclude("tea", "id = 1\nOR id = 2"),))
    with pytest.raises(NotOffered, match="one condition a line, and that for tea has several"):
        able.backup(lines)


def test_rows_to_leave_out_are_not_offered_where_nothing_says_which(
    tmp_path: Path, source: Endpoint
) -> None:
    asked = replace(source, leave_out=(Exclude("tea", "id = 1"),))
    with pytest.raises(NotOffered, match=r"\{leave-out\} stands nowhere"):
        backing_up(tmp_path, "true").backup(asked)
    service = '[implementations.acme]\nrestore = "pg_dump"\n[implementations.acme.backup]\n'
    service += 'request = { url = "http://127.0.0.1:9/x", params = { out = "%s" } }'
    with pytest.raises(NotOffered, match="is told which"):
        configured(tmp_path, service % "all").backup(asked)
    with pytest.raises(BackupError, match=r"127\.0\.0\.1:9"):
        configured(tmp_path, service % "{leave-out}").backup(asked)


def test_two_scripts_back_up_and_restore(
    tmp_path: Path, source: Endpoint, target: Endpoint
) -> None:
    script(tmp_path, "backup.sh", 'pg_dump --data-only -f "$1" && pwd > "$2/where"')
    script(tmp_path, "restore.sh", 'psql -X -1 -v ON_ERROR_STOP=1 -f "$1" "$DATABASE_URL"')
    made = configured(
        tmp_path,
        """
        [implementations.acme]
        backup = { command = "./backup.sh {backup} '{workdir}'", file = "{workdir}/tea.sql" }
        restore = { command = ["./restore.sh", "{backup}"] }
        """,
    )
    backup = made.backup(source)
    assert backup.files == (source.workdir / "tea.sql",)
    assert (source.workdir / "where").read_text().strip() == str(tmp_path)
    claim = made.restore(backup, target)
    assert (claim.success, claim.exit_code, claim.figures) == (True, 0, None)
    assert "COPY 2" in claim.message
    assert rows(target.dsn, "SELECT id, name FROM tea ORDER BY id") == [(1, "green"), (2, "black")]


def test_the_environment_holds_the_database_and_what_is_asked_for(
    restored: Restored, target: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_VERIFIER_CALL", "a mark")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    claim = restored(
        'echo "$PGHOST $PGPASSWORD $DATABASE_URL $MODE $PLACE $RESTORE_VERIFIER_CALL.$PGSERVICE."',
        'environment = { MODE = "full", PLACE = "{target.host}:{target.port}" }',
    )
    host, port, password = (target.dsn.parameters[name] for name in ("host", "port", "password"))
    assert claim.message == f"{host} {password} {target.dsn.url} full {host}:{port} a mark..", (
        "a password that is printed is left for the judge to find"
    )


def test_arguments_are_not_read_by_a_shell(tmp_path: Path, source: Endpoint) -> None:
    command = "command = \"./backup.sh '$(touch x)' a\\\\ b ; > x\""
    made = backing_up(
        tmp_path,
        'printf "%s|" "$@" > "$PLACE"',
        f'{command}\nenvironment = {{ PLACE = "{{backup}}" }}',
    )
    (path,) = made.backup(source).files
    assert path.read_text() == "$(touch x)|a b|;|>|x|"
    assert not (tmp_path / "x").exists()


def test_several_files_and_directories_are_backups(tmp_path: Path, source: Endpoint) -> None:
    made = backing_up(
        tmp_path,
        'cd "$1"; touch b.sql a.sql c.txt',
        'command = "./backup.sh {workdir}"\nfile = "{workdir}/*.sql"',
    )
    backup = made.backup(source)
    assert [each.name for each in backup.files] == ["a.sql", "b.sql"]
    made = configured(
        tmp_path,
        f'[implementations.acme]\n{BACKUP}restore = {{ command = ["echo", "{{backup}}", "-x"] }}',
    )
    said = made.restore(backup, source).message
    assert said == f"{backup.files[0]} {backup.files[1]} -x"
    made = configured(
        tmp_path,
        f'[implementations.acme]\n{BACKUP}restore = {{ command = ["echo", "a={{backup}}"] }}',
    )
    claim = made.restore(backup, source)
    assert not claim.success
    assert "'a={backup}' asks for the backup's one file" in claim.message

    made = backing_up(tmp_path, 'mkdir "$1"', 'command = "./backup.sh {backup}"')
    assert made.backup(source).files == (source.workdir / "backup",)


def test_a_password_is_an_argument_only_when_asked_for(tmp_path: Path, target: Endpoint) -> None:
    made = configured(
        tmp_path,
        f"[implementations.acme]\n{BACKUP}"
        'restore = { command = "echo {target.url}", secrets-in-arguments = true }',
    )
    assert made.restore(Backup(()), target).message == target.dsn.url


# -- backups that are none ------------------------------------------------------------------------


def test_backups_that_were_not_made_say_why(tmp_path: Path, source: Endpoint) -> None:
    place = source.workdir / "backup"
    for body, options, told in (
        ("echo all fine", "", f"ended with exit code 0 and did not write {place}: all fine"),
        ("exit 0", 'file = "{workdir}/*.sql"', f"did not write {source.workdir}/*.sql: without"),
        ("echo no licence >&2; exit 7", "", "./backup.sh ended with exit code 7: no licence"),
        ("exit 7", "", "./backup.sh ended with exit code 7: without a word"),
        ("kill -SEGV $$", "", "./backup.sh was ended by SIGSEGV: without a word"),
        ("exit 0", "exit-codes = [3]", "./backup.sh ended with exit code 0"),
        (f"mkfifo {place}", "", "backup is neither a file nor a directory"),
        (
            f"rm {place}; ln -s /etc/passwd {place}",
            "",
            "leads to /etc/passwd, outside of the work directory",
        ),
    ):
        with pytest.raises(BackupError) as caught:
            backing_up(tmp_path, body, options).backup(source)
        assert told in str(caught.value)


def test_a_backup_that_hangs_is_stopped_with_its_children(tmp_path: Path, source: Endpoint) -> None:
    began = time.monotonic()
    with pytest.raises(BackupError, match=r"\./backup\.sh was stopped after 0\.5 s: at work"):
        backing_up(
            tmp_path, "echo at work; sleep 300 & echo $! > child; wait", "timeout = 0.5"
        ).backup(source)
    assert time.monotonic() - began < 6
    assert gone(int((tmp_path / "child").read_text()))


# -- what is claimed ------------------------------------------------------------------------------


def test_an_exit_code_is_a_claim(restored: Restored) -> None:
    assert restored("exit 0") == Claim(success=True, exit_code=0)
    assert restored("echo it broke >&2; exit 3") == Claim(
        success=False, exit_code=3, message="it broke"
    )
    claim = restored("echo ERROR: half of it >&2")
    assert claim == Claim(success=True, exit_code=0, message="ERROR: half of it")
    assert restored("exit 3", "exit-codes = [0, 3]") == Claim(success=True)
    assert restored("exit 0", "exit-codes = [3]") == Claim(success=False, exit_code=0)
    claim = restored("echo gone >&2; kill -KILL $$")
    assert (claim.success, claim.exit_code) == (False, 137)
    assert claim.message == "./restore.sh was ended by SIGKILL: gone"


def test_a_restore_that_hangs_is_stopped_whatever_it_has_claimed(
    tmp_path: Path, restored: Restored
) -> None:
    body = "echo '{\"success\": true}'; sleep 300 & echo $! > child; wait"
    claim = restored(body, 'timeout = 0.5\nclaim = "json"')
    assert (claim.success, claim.exit_code) == (False, 124)
    assert claim.message == './restore.sh was stopped after 0.5 s: {"success": true}'
    assert gone(int((tmp_path / "child").read_text()))


DOCUMENT = {
    "message": "one of three",
    "tables": {"TEA": {"inserted": 1}},
    "rejections": [{"table": "tea", "key": 2, "reason": "black"}],
    "merges": [{"table": "tea", "key": {"ID": 3}, "survivor": {"ID": 1}}],
}
CLAIMED = Claim(
    success=True,
    exit_code=0,
    message="one of three",
    figures={"public.tea": {"inserted": 1}},
    rejections=(Rejection(table="public.tea", key={"id": "2"}, reason="black"),),
    merges=(Merge(table="public.tea", key={"id": "3"}, survivor={"id": "1"}),),
)


def test_a_json_document_is_a_claim(restored: Restored, target: Endpoint) -> None:
    document = json.dumps(DOCUMENT)
    assert restored(f"cat <<'E'\n{document}\nE", 'claim = "json"') == CLAIMED
    body = f"echo at work; cat > \"$CLAIM\" <<'E'\n{document}\nE"
    options = 'claim = {json = "{workdir}/c.json"}\nenvironment = {CLAIM = "{workdir}/c.json"}'
    assert restored(body, options) == CLAIMED
    assert list(target.workdir.iterdir()) == [], "the claim is no leftover of the restore"


def test_json_lines_and_patterns_are_claims(restored: Restored) -> None:
    lines = [
        {"table": "tea", "inserted": 1},
        {"rejection": DOCUMENT["rejections"][0]},
        {"merge": DOCUMENT["merges"][0]},
        {"message": DOCUMENT["message"]},
    ]
    body = "\n".join(f"echo '{json.dumps(line)}'" for line in lines)
    assert restored(body, 'claim = "json-lines"') == CLAIMED
    # No end of a line to JSON, though it is one to Python.
    assert restored('printf \'{"note": "a\u2028b"}\\r\\n\'', 'claim = "json-lines"').notes == (
        "a\u2028b",
    )
    assert (
        restored(f"echo 50%\n{body}", "claim = {json-lines = 'stdout', lenient = true}") == CLAIMED
    )
    printed = "echo 'tea: 1 inserted'; echo 'no tea 2: black' >&2; echo '= one of three'; "
    options = r"""claim = { patterns = [
        '^(?P<table>\w+): (?P<inserted>\d+) inserted',
        '^no (?P<table>\w+) (?P<key>\w+): (?P<reason>.*)',
        '^(?P<table>\w+) (?P<key_id>\w+) -> (?P<survivor_id>\w+)', '^= (?P<message>.*)'] }"""
    assert restored(printed + "echo 'tea 3 -> 1'", options) == CLAIMED
    named = restored("echo 'Teas: 1 inserted'", options + '\ntables = { Teas = "tea" }')
    assert named.figures == {"public.tea": {"inserted": 1}}


def test_an_exit_code_and_a_document_that_contradict_each_other_are_both_claimed(
    restored: Restored,
) -> None:
    claim = restored("echo '{\"success\": true}'; exit 4", 'claim = "json"')
    assert (claim.success, claim.exit_code) == (True, 4)
    claim = restored('echo \'{"success": false, "message": "no"}\'', 'claim = "json"')
    assert (claim.success, claim.exit_code, claim.message) == (False, 0, "no")


UNREADABLE = {
    "garbage": ("head -c 3000 /dev/urandom; echo bad >&2", '"json"', "has no JSON in line 1"),
    "broken": ("printf '{\\n\"success\": tru}'", '"json"', "no JSON in line 2, column 12"),
    "too large": (
        "head -c 40000000 /dev/zero | tr '\\0' x", '"json"', "longer than 16,777,216 bytes"),
    "too much to search": (
        "head -c 40000000 /dev/zero >&2", "{patterns = ['(?P<rows>.)']}", "stderr longer than"),
    "missing": ("true", '{json = "{workdir}/c.json"}', "c.json was not written"),
    "a large file": (
        "head -c 40000000 /dev/zero > $W/c.json", '{json = "{workdir}/c.json"}', "is longer than"),
    "a pipe": ("mkfifo $W/c.json", '{json = "{workdir}/c.json"}', "c.json is no file"),
    "a directory": ("mkdir $W/c.json", '{json = "{workdir}/c.json"}', "c.json is no file"),
    "no object": ("echo 5", '"json-lines"', "has line 1: the line is 5, and no object"),
    "no number": ("echo x rows", "{patterns = ['(?P<rows>.) rows']}", "is no whole number"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_claim_that_cannot_be_read_is_a_failure_that_says_so(
    what: str, restored: Restored, target: Endpoint
) -> None:
    body, claim, told = UNREADABLE[what]
    found = restored(body, f'claim = {claim}\nenvironment = {{ W = "{{workdir}}" }}')
    assert not found.success
    assert found.message.startswith("the claim of ./restore.sh cannot be read: ")
    assert told in found.message
    assert len(found.message) < 3000


def test_a_restore_that_failed_before_its_claim_says_why_in_its_own_words(
    restored: Restored,
) -> None:
    claim = restored("echo no licence >&2; exit 2", 'claim = { json = "{workdir}/c.json" }')
    assert (claim.success, claim.exit_code, claim.message) == (False, 2, "no licence")
    (note,) = claim.notes
    assert note.endswith("c.json was not written")


def test_a_program_that_cannot_be_started_is_a_failed_restore(
    tmp_path: Path, target: Endpoint
) -> None:
    path = tmp_path / "restore.sh"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    made = configured(
        tmp_path, f'[implementations.acme]\n{BACKUP}restore = {{ command = "./restore.sh" }}'
    )
    claim = made.restore(Backup(()), target)
    assert not claim.success
    assert claim.message.startswith("the restore could not be started: tried to start")


# -- of different makers --------------------------------------------------------------------------

DUMPS = ("plain", "custom", "directory", "tar")
PAIRS = [
    *((f'{{ implementation = "pg_dump", format = "{form}" }}', "pg_dump") for form in DUMPS),
    *((f'{{ implementation = "pg_dump", format = "{form}" }}', "initial-load") for form in DUMPS),
    *(
        (f'{{ implementation = "initial-load", format = "{form}" }}', "pg_dump")
        for form in ("copy", "inserts")
    ),
    *(
        (f'{{ implementation = "initial-load", format = "{form}" }}', "initial-load")
        for form in ('inserts", compress = "gz', 'copy", compress = "zst')
    ),
]


@pytest.mark.parametrize(("backup", "restore"), PAIRS)
def test_what_one_maker_writes_another_restores(
    tmp_path: Path, source: Endpoint, target: Endpoint, backup: str, restore: str
) -> None:
    made = configured(
        tmp_path, f'[implementations.acme]\nbackup = {backup}\nrestore = "{restore}"\n'
    )
    claim = made.restore(made.backup(source), target)
    assert claim.success, claim.message
    assert rows(target.dsn, "SELECT id, name FROM tea ORDER BY id") == [(1, "green"), (2, "black")]
    assert list(target.workdir.iterdir()) == []


@pytest.mark.parametrize("form", DUMPS)
def test_a_dump_that_cannot_be_restored_fails_and_keeps_nothing(
    tmp_path: Path, source: Endpoint, target: Endpoint, form: str
) -> None:
    made = configured(
        tmp_path,
        '[implementations.acme]\nrestore = "pg_dump"\n'
        f'backup = {{ implementation = "pg_dump", format = "{form}" }}\n',
    )
    backup = made.backup(source)
    execute(target.dsn, "ALTER TABLE tea ADD CONSTRAINT sweet CHECK (name <> 'black')")
    claim = made.restore(backup, target)
    assert not claim.success
    assert 'violates check constraint "sweet"' in claim.message
    assert rows(target.dsn, "SELECT id FROM tea") == []
