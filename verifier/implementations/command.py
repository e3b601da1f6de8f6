"""A command line under test: whatever makes a backup, or restores one, when it is started.

Commands run where their configuration is, with the database in the environment
(``DATABASE_URL`` and libpq's variables). What they say is theirs: nothing is hidden in it
here, so that a password that they print is found by whoever judges them.
"""

from __future__ import annotations

import glob
import os
import shlex
import shutil
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.contract import Claim
from verifier.errors import BackupError, UsageError
from verifier.implementations import placeholders, process, spelling, telling
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.placeholders import BACKUP, SOURCE, TARGET, Template, template
from verifier.implementations.tables import Table, texts, whole_numbers
from verifier.readers import Reader, seconds, switch

_FILE = "{workdir}/backup"
_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program with its arguments, and how it is run."""

    arguments: tuple[Template, ...]
    environment: Mapping[str, Template]
    directory: Path
    """Where it runs; a program with a slash in its name is looked for there, too."""
    timeout: float
    """Seconds."""
    exit_codes: tuple[int, ...]
    """Those that mean success."""

    def __str__(self) -> str:
        return self.arguments[0].text

    def templates(self) -> Iterator[Template]:
        """Every text of it that may hold placeholders."""
        yield from (*self.arguments, *self.environment.values())

    def run(
        self,
        side: str,
        endpoint: Endpoint,
        files: Sequence[Path] = (),
        *,
        keep: int = process.KEPT,
    ) -> process.Finished:
        """Run it to its end against ``endpoint``, which is ``side``.

        ``files`` are the backup's. Raises :class:`UsageError` when it cannot be started, or
        when a placeholder asks for the one file of a backup that has several.
        """
        path = files[0] if len(files) == 1 else None
        values = placeholders.values(side, endpoint, self.directory, path)
        arguments: list[str] = []
        for each in self.arguments:
            arguments += map(str, files) if each.alone == BACKUP else [self._filled(each, values)]
        environ = process.environ(endpoint.dsn) | {"DATABASE_URL": endpoint.dsn.url}
        environ |= {name: self._filled(each, values) for name, each in self.environment.items()}
        arguments[0] = self.program(arguments[0], environ.get("PATH"))
        return process.run(
            arguments, environ=environ, cwd=self.directory, timeout=self.timeout, keep=keep
        )

    def _filled(self, text: Template, values: Mapping[str, str]) -> str:
        if BACKUP in text.names and BACKUP not in values:
            raise UsageError(
                f"{text.text!r} asks for the backup's one file, and the backup is not one file; "
                "write {backup} as an argument of its own, which becomes one for each file"
            )
        return text.fill(values)

    def program(self, name: str, path: str | None) -> str:
        """The file that ``name`` starts. Raises :class:`UsageError` when it starts none."""
        place = str(self.directory / name) if os.sep in name else name
        found = shutil.which(place, path=path)
        if found is not None:
            return str(Path(found).absolute())
        if os.sep not in name:
            raise UsageError(
                f"there is no program {name} on the PATH; install it, or write ./{name} for a file "
                f"in {self.directory}"
            )
        if Path(place).is_file():
            raise UsageError(f"{place} is not executable; chmod +x {shlex.quote(place)}")
        raise UsageError(f"there is no program {place}; name one that is there")

    def outcome(self, done: process.Finished, said: str) -> str:
        """How it ended, in its own words (``said``) as far as it had any."""
        if done.timed_out:
            words = said or done.last_words() or "it had said nothing"
            return f"{self} was stopped after {self.timeout:g} s: {words}"
        if done.exit_code > 128:
            return (
                f"{self} was ended by {_signal(done.exit_code - 128)}: {said or 'without a word'}"
            )
        return said


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"exit code {128 + number}"


@dataclass(frozen=True, slots=True)
class CommandBackup:
    """A command that writes a backup."""

    command: Command
    file: Template
    """Under ``{workdir}``: a file, a directory, or a pattern of several."""

    def backup(self, source: Endpoint) -> Backup:
        """Run the command, and find what it wrote.

        Raises :class:`BackupError`, and :class:`NotOffered` where rows are to be left out and
        the command is not told which.
        """
        placeholders.check_leave_out(source, self.command.templates())
        values = placeholders.values(SOURCE, source, self.command.directory)
        named = () if _is_glob(self.file) else (Path(self.file.fill(values)),)
        try:
            done = self.command.run(SOURCE, source, named)
        except UsageError as error:
            raise BackupError(f"the backup could not be started: {error}") from None
        if done.exit_code not in self.command.exit_codes or done.timed_out:
            raise BackupError(self._failed(done))
        files = self._files(values)
        if not files:
            raise BackupError(
                f"{self.command} ended with exit code {done.exit_code} and did not write "
                f"{self.file.fill(values)}: {done.last_words() or 'without a word'}"
            )
        for each in files:
            if not each.resolve().is_relative_to(source.workdir.resolve()):
                raise BackupError(
                    f"{each} leads to {each.resolve()}, outside of the work directory "
                    f"{source.workdir}; a backup has to be written there"
                )
            if not (each.is_file() or each.is_dir()):
                # Whoever opened a pipe would wait for ever.
                raise BackupError(f"{each} is neither a file nor a directory, and no backup")
        return Backup(files)

    def _failed(self, done: process.Finished) -> str:
        if done.timed_out or done.exit_code > 128:
            return self.command.outcome(done, done.last_words())
        said = done.last_words() or "without a word"
        return f"{self.command} ended with exit code {done.exit_code}: {said}"

    def _files(self, values: Mapping[str, str]) -> tuple[Path, ...]:
        if not _is_glob(self.file):
            path = Path(self.file.fill(values))
            return (path,) if path.exists() else ()
        literal = {name: glob.escape(value) for name, value in values.items()}
        pattern = self.file.fill(literal)
        return tuple(map(Path, sorted(glob.glob(pattern, recursive=True, include_hidden=True))))


def _is_glob(file: Template) -> bool:
    return any(_GLOB & set(literal) for literal, _ in file.pieces)


@dataclass(frozen=True, slots=True)
class CommandRestore:
    """A command that restores a backup, and what is its claim."""

    command: Command
    claim: telling.Telling
    tables: Mapping[str, str]
    """Names that the command gives to tables, and the tables that it means."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Run the command; whatever goes wrong with it is a failed claim."""
        values = placeholders.values(TARGET, target, self.command.directory)
        try:
            done = self.command.run(TARGET, target, backup.files, keep=self.claim.keep)
        except UsageError as error:
            return Claim(success=False, message=f"the restore could not be started: {error}")
        succeeded = done.exit_code in self.command.exit_codes and not done.timed_out
        words = self.command.outcome(done, self.claim.words(done))
        # What counts as a success here has no failing exit code to be held against it.
        code = None if succeeded and done.exit_code else done.exit_code
        try:
            said = self.claim.read(done, values)
        except telling.Unreadable as error:
            unread = f"the claim of {self.command} cannot be read: {error}"
            if not succeeded:
                return Claim(success=False, exit_code=code, message=words, notes=(unread,))
            message = unread + (f"; its last words: {words}" if words else "")
            return Claim(success=False, exit_code=code or None, message=message)
        if done.timed_out:
            said.success, said.message = False, ""
        claim = said.claim(success=succeeded, exit_code=code, words=words)
        return spelling.resolved(claim, target.dsn, self.tables)


# -- configuration ------------------------------------------------------------------------------


def backup_of(table: Table, directory: Path) -> CommandBackup:
    """The backup that ``table`` configures. Raises :class:`UsageError`."""
    reader = template(placeholders.known(SOURCE))
    file = table.read("file", reader) or reader(_FILE, "file")
    if not placeholders.is_in_workdir(file):
        raise UsageError(
            f"{table.where('file')} is {file.text!r}; name a place in the work directory of the "
            f"run, such as {_FILE!r}: elsewhere it could be the backup of another run"
        )
    names = () if _is_glob(file) else (BACKUP,)
    return CommandBackup(command_of(table, placeholders.known(SOURCE, *names), directory), file)


def restore_of(table: Table, directory: Path) -> CommandRestore:
    """The restore that ``table`` configures. Raises :class:`UsageError`."""
    command = command_of(table, placeholders.known(TARGET, BACKUP), directory)
    names = table.read("tables", texts) or {}
    return CommandRestore(command, telling.of(table, placeholders.known(TARGET)), names)


def command_of(
    table: Table,
    names: Collection[str],
    directory: Path,
    *,
    timeout: float = process.TIMEOUT,
    ends: bool = True,
) -> Command:
    """The command of ``table``, whose placeholders are among ``names``.

    ``ends`` says whether it is to end by itself, with an exit code. Raises :class:`UsageError`.
    """
    reader = template(names)
    where = table.where("command")
    arguments = table.required("command", _words, "write the command line, as text or as a list")
    command = Command(
        arguments=tuple(reader(each, where) for each in arguments),
        environment=_environment(table, reader),
        directory=directory,
        timeout=table.read("timeout", seconds, timeout),
        exit_codes=table.read("exit-codes", whole_numbers, (0,)) if ends else (),
    )
    if not table.read("secrets-in-arguments", switch, default=False):
        _no_secrets(command, where)
    _startable(command, where)
    return command


def _environment(table: Table, reader: Reader[Template]) -> dict[str, Template]:
    where = table.where("environment")
    found: dict[str, Template] = {}
    for name, value in (table.read("environment", texts) or {}).items():
        if not name or "=" in name or "\0" in name:
            raise UsageError(f"{where} has {name!r}, which can be no variable; name another one")
        found[name] = reader(value, f"{name} of {where}")
    return found


def _words(given: object, where: str) -> tuple[str, ...]:
    """Reads a command line: a list, or a text that is split as a shell would."""
    if isinstance(given, str):
        try:
            given = shlex.split(given)
        except ValueError as error:
            raise UsageError(f"{where} is {given!r}: {str(error).lower()}; close it") from None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise UsageError(f"{where} is {given!r}; give text in quotes, or a list of texts")
    if not given or not given[0]:
        raise UsageError(f"{where} is empty; name a program")
    return tuple(given)


def _no_secrets(command: Command, where: str) -> None:
    found = [name for each in command.arguments for name in each.secret]
    if found:
        raise UsageError(
            f"{where} has {{{found[0]}}} in its arguments, where everybody on the machine can read "
            "it; take it from DATABASE_URL or libpq's variables, which the command gets, put it "
            "into environment, or ask for it with secrets-in-arguments = true"
        )


def _startable(command: Command, where: str) -> None:
    """Raises :class:`UsageError` for a program that is not there, where that can be known."""
    program, path = command.arguments[0], command.environment.get("PATH")
    if set(program.names) - {"directory"} or (path is not None and path.names):
        return
    name = program.fill({"directory": str(command.directory)})
    try:
        command.program(name, os.environ.get("PATH") if path is None else path.text)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
