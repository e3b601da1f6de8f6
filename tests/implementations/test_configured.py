"""Implementations that a TOML file configures: what is put together, and what is refused."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from tests.implementations.configuring import FILE, configured, listed, script
from verifier.contract import Claim, Guarantee
from verifier.dsn import Dsn
from verifier.errors import BackupError, UsageError
from verifier.implementations import Backup, Endpoint
from verifier.implementations.command import CommandBackup, CommandRestore
from verifier.implementations.configured import Configured
from verifier.implementations.initial_load import InitialLoad
from verifier.implementations.pg_dump import DumpFormat, PgDump
from verifier.transfer import Format

OURS = 'backup = "initial-load"\n'
TRUE = '[implementations.acme]\nbackup = { command = "true" }\nrestore = { command = "true" }\n'
ENDPOINT = Endpoint(Dsn.parse("host=db"), 18, Path())
OBJECTS = """
import threading
from verifier import Backup, Claim

class Acme:
    resumable = True
    name, not_offered = "the object's own", {"merging": "never"}
    def backup(self, source): return Backup(())
    def restore(self, backup, target): return Claim(success=True, message="of the class")

def restore(backup, target): return Claim(success=True, message="of the function")
def silent(backup, target): return None
nameless = lambda backup, target: Claim(success=True)

class Locked(Acme):
    resumable = True
    def __init__(self): self.lock = threading.Lock()

class Other:
    made = Acme()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module beside the configuration, found by its directory alone."""
    name = f"objects_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(OBJECTS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


def acme(directory: Path, toml: str) -> Configured:
    found = configured(directory, f"[implementations.acme]\n{toml}")
    assert isinstance(found, Configured)
    return found


def refused(directory: Path, toml: str, name: str = "acme") -> str:
    with pytest.raises(UsageError) as caught:
        configured(directory, toml, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_halves_of_different_makers_with_options_of_their_own(tmp_path: Path) -> None:
    made = acme(
        tmp_path,
        'not_offered = { merging = "an operator does it" }\n'
        'backup = { implementation = "initial-load", format = "inserts", compress = "gz" }\n'
        'restore = { implementation = "pg_dump", timeout = 5 }\n',
    )
    assert made.not_offered == {Guarantee.MERGING: "an operator does it"}
    assert isinstance(made.backs_up, InitialLoad)
    assert made.backs_up.file == "backup.sql.gz"
    assert isinstance(made.restores, PgDump)
    assert made.restores.timeout == 5
    assert listed(tmp_path)["acme"] == "configured: initial-load, restored by pg_dump"


def test_every_format_that_we_write_can_be_asked_for(tmp_path: Path) -> None:
    for form in Format:
        made = acme(
            tmp_path,
            f'backup = {{ implementation = "initial-load", format = "{form}" }}\n'
            'restore = "initial-load"\n',
        )
        assert isinstance(made.backs_up, InitialLoad)
        assert made.backs_up.file.startswith("backup.")
    for dumped in DumpFormat:
        made = acme(
            tmp_path,
            f'backup = {{ implementation = "pg_dump", format = "{dumped}" }}\nrestore = "pg_dump"',
        )
        assert isinstance(made.backs_up, PgDump)
        assert made.backs_up.form is dumped


def test_a_half_can_be_taken_from_another_configured_one(tmp_path: Path) -> None:
    made = configured(
        tmp_path,
        '[implementations.acme]\nbackup = "base"\nrestore = { command = "true" }\n'
        f'[implementations.base]\n{OURS}restore = "pg_dump"\nnot-offered = {{ honesty = "no" }}\n',
    )
    assert made.not_offered == {Guarantee.HONESTY: "no"}
    assert refused(
        tmp_path,
        '[implementations.acme]\nbackup = "base"\nrestore = "base"\n'
        f'[implementations.base]\n{OURS}restore = "acme"\n',
    ).startswith("implementation 'acme' is made of itself: acme -> base -> acme")


def test_a_python_object_class_or_function(tmp_path: Path, module: str) -> None:
    whole = acme(tmp_path, f'python = "{module}:Acme"\nnot-offered = {{ ordering = "why" }}')
    assert whole.name == "acme"
    assert whole.not_offered == {"merging": "never", Guarantee.ORDERING: "why"}
    assert whole.restore(Backup(()), ENDPOINT).message == "of the class"
    for attribute, words in (
        ("restore", "of the function"),
        ("Acme", "of the class"),
        ("Other.made", "of the class"),
    ):
        made = acme(tmp_path, f'{OURS}restore = {{ python = "{module}:{attribute}" }}')
        assert made.restore(Backup(()), ENDPOINT) == Claim(success=True, message=words)
    made = acme(tmp_path, f'{OURS}restore = {{ python = "{module}:silent" }}')
    with pytest.raises(TypeError, match="restore returned None; it has to return"):
        made.restore(Backup(()), ENDPOINT)


def test_whatever_is_configured_can_be_made_anew_in_another_process(
    tmp_path: Path, module: str
) -> None:
    for whole in (
        f'{OURS}restore = {{ python = "{module}:restore" }}',
        f'{OURS}restore = {{ python = "{module}:nameless" }}',
        f'python = "{module}:Locked"',
        f'{OURS}restore = {{ request = {{ url = "http://127.0.0.1/x" }} }}',
        f'resumable = true\n{OURS}restore = {{ command = "true", claim = "json-lines" }}',
    ):
        made = acme(tmp_path, whole)
        (tmp_path / FILE).unlink()
        anew = pickle.loads(pickle.dumps(made))
        assert (anew.name, anew.kind, anew.resumable) == ("acme", made.kind, made.resumable)
        assert type(anew.restores) is type(made.restores)


def test_a_restore_says_that_it_can_be_resumed(tmp_path: Path, module: str) -> None:
    command = f'{OURS}restore = {{ command = "true" }}\n'
    assert not acme(tmp_path, command).resumable
    assert acme(tmp_path, f"{command}resumable = true").resumable
    assert acme(tmp_path, f'python = "{module}:Locked"').resumable
    assert acme(tmp_path, f'{OURS}restore = {{ python = "{module}:Locked" }}').resumable
    assert not acme(tmp_path, f'python = "{module}:Locked"\nresumable = false').resumable
    assert "resumable in [implementations.acme] of" in refused(
        tmp_path, f'[implementations.acme]\n{command}resumable = "no"'
    )


def test_an_object_is_named_without_any_configuration(tmp_path: Path, module: str) -> None:
    made = configured(tmp_path, "", f"{module}:Acme")
    assert made.name == "the object's own"
    assert sys.path[-1] == str(tmp_path)
    message = refused(tmp_path, "", f"{module}:Acne")
    assert f"'{module}:Acne' cannot be loaded: AttributeError" in message
    assert f"and in {tmp_path}" in message
    assert "ModuleNotFoundError: No module named 'nowhere'" in refused(
        tmp_path, "", "nowhere.at.all:x"
    )


def test_commands_run_where_the_file_is_that_configures_them(tmp_path: Path) -> None:
    script(tmp_path, "go.sh", "")
    made = acme(tmp_path, 'backup = { command = "./go.sh" }\nrestore = { command = "./go.sh" }')
    assert isinstance(made.backs_up, CommandBackup)
    assert isinstance(made.restores, CommandRestore)
    assert made.restores.command.directory == tmp_path
    assert listed(tmp_path)["acme"] == "configured: command"


def test_the_tables_of_a_pyproject_are_the_same(tmp_path: Path) -> None:
    for prefix, name in (("tool.restore-verifier.", "pyproject.toml"), ("", FILE)):
        text = TRUE.replace("[impl", f"[{prefix}impl").replace("acme", "acne")
        (tmp_path / name).write_text(text.replace("restore =", "restroe ="))
        message = refused_by_file(tmp_path)
        (tmp_path / name).unlink()
        assert f"[{prefix}implementations.acne] of {tmp_path / name} has no restore" in message


def refused_by_file(directory: Path) -> str:
    with pytest.raises(UsageError) as caught:
        listed(directory)
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('restore = "pg_dump"', "has no backup; write [implementations.acme.backup], and give it"),
        (OURS, "has no restore; write [implementations.acme.restore]"),
        (OURS + 'restore = "pgdump"', "no implementation 'pgdump' (did you mean 'pg_dump'?)"),
        (OURS + "restore = 3", "restore in [implementations.acme] of"),
        (OURS + "restore = {}", "acme.restore] of"),
        (OURS + 'restore = { comand = "x" }', "(did you mean command?)"),
        (OURS + 'restore = { command = "true", python = "a:b" }', "has command and python; keep"),
        (OURS + 'restore = { python = "nothing" }', "is 'nothing'; write it as module:attribute"),
        (OURS + 'restore = { implementation = "pg_dump", format = "tar" }', "unknown key format"),
        (
            'restore = "pg_dump"\nbackup = { implementation = "pg_dump", format = "tra" }',
            "mean tar",
        ),
        (
            'restore = "pg_dump"\nbackup = { implementation = "initial-load", compress = "bz2" }',
            "compress in [implementations.acme.backup]",
        ),
        (OURS + 'restore = "pg_dump"\nnot_ofered = {}', "(did you mean not-offered?)"),
        (OURS + 'restore = "pg_dump"\nnot_offered = { mergin = "x" }', "(did you mean merging?)"),
        (
            OURS + 'restore = "pg_dump"\nnot_offered = { merging = " " }',
            "merging of not-offered in",
        ),
        (OURS + 'restore = "pg_dump"\nnot_offered = ["merging"]', "give a table"),
    ],
)
def test_what_cannot_be_put_together_is_refused(tmp_path: Path, toml: str, told: str) -> None:
    message = refused(tmp_path, f"[implementations.acme]\n{toml}")
    assert told in message
    assert str(tmp_path) in message or "did you mean 'pg_dump'" in message


@pytest.mark.parametrize(
    ("restore", "told"),
    [
        ("command = []", "is empty; name a program"),
        ("command = ''", "is empty; name a program"),
        ("command = 3", "give text in quotes, or a list of texts"),
        ("command = './x \"'", "no closing quotation; close it"),
        ("command = './missing.sh x'", "there is no program {0}/missing.sh; name one that is"),
        ("command = './plain.sh'", "{0}/plain.sh is not executable; chmod +x {0}/plain.sh"),
        ("command = '{directory}/plain.sh'", "{0}/plain.sh is not executable"),
        ("command = 'no-such-program'", "there is no program no-such-program on the PATH"),
        ("command = 'sh'\nenvironment = { PATH = '/nowhere' }", "no program sh on the PATH"),
        ("command = 'true {source.host}'", "unknown placeholder {source.host}"),
        ("command = 'true {target.url}'", "has {target.url} in its arguments, where everybody"),
        ("command = 'true'\ntimeout = 0", "timeout in [implementations.acme.restore]"),
        ("command = 'true'\nexit-codes = 'all'", "give whole numbers, such as [0, 3]"),
        ("command = 'true'\nenvironment = { A = '{x}' }", "A of environment in"),
        ("command = 'true'\nenvironment = { 'A=B' = 'x' }", "'A=B', which can be no variable"),
        ('command = "true \\u0000"', "no program can be given a NUL character"),
        ("command = 'true'\ntiemout = 5", "unknown key tiemout"),
        ("command = 'true'\nfile = '{workdir}/x'", "unknown key file"),
        ("command = 'true'\nclaim = 'jsno'", "(did you mean json?)"),
        ("command = 'true'\nclaim = {}", "has to be one of several things"),
        ("command = 'true'\nclaim = { jsn = 'x' }", "unknown key jsn"),
        ("command = 'true'\nclaim = { json = 'claim.json' }", "a file in the work directory"),
        ("command = 'true'\nclaim = { json = 'stdout', patterns = ['x'] }", "one of several"),
        ("command = 'true'\nclaim = { json = 'stdout', lenient = true }", "unknown key lenient"),
        ("command = 'true'\nclaim = { patterns = ['('] }", "cannot be read: missing )"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_before_any_server_starts(
    tmp_path: Path, restore: str, told: str
) -> None:
    (tmp_path / "plain.sh").write_text("#!/bin/sh\n")
    table = f"[implementations.acme]\n{OURS}[implementations.acme.restore]\n{restore}\n"
    message = refused(tmp_path, table)
    assert told.replace("{0}", str(tmp_path)) in message
    assert f"of {tmp_path / FILE}" in message


@pytest.mark.parametrize("file", ["/tmp/x", "backup.sql", "{workdir}", "{workdir}/../x"])
def test_a_backup_outside_of_the_work_directory_is_refused(tmp_path: Path, file: str) -> None:
    message = refused(
        tmp_path,
        f'[implementations.acme]\nrestore = "pg_dump"\n'
        f"backup = {{ command = 'true', file = '{file}' }}\n",
    )
    assert f"is {file!r}; name a place in the work directory of the run" in message


def test_several_files_have_no_one_name(tmp_path: Path) -> None:
    backup = "backup = { command = 'true {backup}', file = '{workdir}/*.sql' }"
    message = refused(tmp_path, f'[implementations.acme]\nrestore = "pg_dump"\n{backup}\n')
    assert "unknown placeholder {backup}" in message


def test_passwords_may_be_arguments_when_that_is_asked_for(tmp_path: Path) -> None:
    asked = "restore = { command = 'true {target.url}', secrets-in-arguments = true }"
    assert acme(tmp_path, f"{OURS}{asked}").name == "acme"


def test_a_built_in_name_cannot_be_given_away(tmp_path: Path) -> None:
    toml = TRUE.replace("implementations.acme", "implementations.pg_dump")
    for name in ("pg_dump", "initial-load"):
        message = refused(tmp_path, toml, name)
        assert "[implementations.pg_dump] of" in message
        assert "has the name of a built-in implementation" in message


def test_a_misspelt_name_finds_a_configured_one(tmp_path: Path) -> None:
    assert "no implementation 'acne' (did you mean 'acme'?)" in refused(tmp_path, TRUE, "acne")


def test_a_program_that_is_gone_by_then_is_a_backup_that_failed(tmp_path: Path) -> None:
    path = script(tmp_path, "go.sh", "")
    made = acme(tmp_path, 'backup = { command = "./go.sh" }\nrestore = "pg_dump"')
    path.unlink()
    with pytest.raises(BackupError, match=r"could not be started: there is no program .*go\.sh"):
        made.backup(Endpoint(Dsn.parse("host=db"), 18, tmp_path))


def test_a_restore_that_goes_on_where_it_ended_is_declared_by_its_object_or_by_the_table(
    tmp_path: Path, module: str
) -> None:
    command = 'restore = { command = "true" }\n'
    assert acme(tmp_path, f'python = "{module}:Acme"').resumable
    assert acme(tmp_path, f'{OURS}restore = {{ python = "{module}:Acme" }}').resumable
    assert acme(tmp_path, f"{OURS}{command}resumable = true").resumable
    assert not acme(tmp_path, f'python = "{module}:Acme"\nresumable = false').resumable
    assert not acme(tmp_path, OURS + command).resumable


def test_a_declaration_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, f'[implementations.acme]\n{OURS}restore = "pg_dump"\nresumable = 3')
    assert "resumable in [implementations.acme]" in told
    assert "give true or false" in told
