"""One frozen configuration: flag > environment > file > default.

Each field of :class:`Config` is a setting (see :mod:`verifier.settings`).

A password in a flag is visible in the machine's list of processes, and one in
``pyproject.toml`` ends up in version control: prefer the environment for
``RESTORE_VERIFIER_SOURCE_DSN`` and ``RESTORE_VERIFIER_TARGET_DSN``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from verifier import readers
from verifier.comparison import Ignore, Part, Selection
from verifier.dsn import Dsn
from verifier.references import references
from verifier.seeds import Place, Seeds, place, seeds
from verifier.settings import (
    CALL,
    CONFIG,
    IMPLEMENTATIONS,
    PREFIX,
    Definitions,
    Setting,
    reject_unknown,
    section,
    setting,
)
from verifier.transfer import BackupOptions, Exclude, Format, Ids, Reference, RestoreOptions, Style

VERIFY, DIFF, SELFTEST, BACKUP, RESTORE = "verify", "diff", "selftest", "backup", "restore"
CONVERT, CLEAN, MATRIX, FUZZ = "convert", "clean", "matrix", "fuzz"
"""The commands that have settings; ``verify`` stands for the pytest plugin, too."""


class ServerKind(StrEnum):
    """Where PostgreSQL comes from (``--servers``)."""

    AUTO = "auto"
    DOCKER = "docker"
    EMBEDDED = "embedded"
    EXTERNAL = "external"


_version = readers.whole("a major version as a whole number, such as 16 or 18", least=1)
_rows = readers.whole("a whole number of rows, 1 or more", least=1)
_limit = readers.whole("a whole number of rows, 0 or more", least=0)
_jobs = readers.whole("a whole number, 1 or more", least=1)

_SERVERS = (VERIFY, SELFTEST, MATRIX, FUZZ)
_WORLDS = (VERIFY, FUZZ)
_FROM_FILE = (RESTORE, CONVERT, CLEAN)
"""The commands that read a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; ``None`` means that the provider decides."""

    servers: ServerKind = setting(
        ServerKind.AUTO,
        readers.member(ServerKind),
        "KIND",
        f"where PostgreSQL comes from: {', '.join(ServerKind)}",
        _SERVERS,
    )
    source_version: int | None = setting(
        None, _version, "MAJOR", "major version of the source server", _SERVERS
    )
    target_version: int | None = setting(
        None, _version, "MAJOR", "major version of the target server", _SERVERS
    )
    source_image: str | None = setting(
        None,
        readers.text,
        "IMAGE",
        "Docker image of the source server; wins over its version",
        _SERVERS,
    )
    target_image: str | None = setting(
        None,
        readers.text,
        "IMAGE",
        "Docker image of the target server; wins over its version",
        _SERVERS,
    )
    source_dsn: Dsn | None = setting(
        None,
        readers.dsn,
        "DSN",
        "external source server, or the database that is compared or backed up",
        (*_SERVERS, DIFF, BACKUP),
    )
    target_dsn: Dsn | None = setting(
        None,
        readers.dsn,
        "DSN",
        "external target server, or the database that is compared or restored into",
        (*_SERVERS, DIFF, RESTORE),
    )
    implementation: str = setting(
        "initial-load",
        readers.text,
        "NAME",
        "the backup/restore implementation under test",
        _WORLDS,
    )
    rows: int = setting(
        300, _rows, "N", "about how many rows a seeded source holds, over all tables", (VERIFY,)
    )
    schema: Place | None = setting(
        None,
        place,
        "FILE|DSN",
        "a schema of one's own to make scenarios' tables from: SQL, or a database to copy it from",
        _WORLDS,
    )
    seed: Seeds = setting(
        Seeds(),
        seeds,
        "N|FILE|DSN",
        "a number that the generated data follow from; or SQL or a database with rows that data "
        "for --schema take values from; or both, given one by one",
        _WORLDS,
        repeatable=True,
    )
    minutes: float = setting(
        5.0, readers.minutes, "N", "how long to search for worlds in which something fails", (FUZZ,)
    )
    world_timeout: float = setting(
        30.0,
        readers.seconds,
        "SECONDS",
        "how long one world may take; an implementation that takes longer is stopped, and told of",
        (FUZZ,),
    )
    control_tables: tuple[str, ...] = setting(
        ("_prisma_migrations", "InitialLoadSessions"),
        readers.names,
        "NAMES",
        "tables that describe a database itself and are never moved, separated by commas",
        (VERIFY, BACKUP, *_FROM_FILE),
    )
    ignore: tuple[Ignore, ...] = setting(
        (),
        readers.ignores,
        "'TABLE[.COLUMN]: REASON'",
        "a deliberate difference, left out and reported with its reason; repeatable",
        (DIFF,),
        repeatable=True,
    )
    schemas: tuple[str, ...] = setting(
        (), readers.patterns, "NAMES", "schemas to compare, separated by commas; else all", (DIFF,)
    )
    tables: tuple[str, ...] = setting(
        (),
        readers.patterns,
        "NAMES",
        "tables to compare, as [SCHEMA.]TABLE, separated by commas; else all",
        (DIFF,),
    )
    columns: tuple[str, ...] = setting(
        (),
        readers.patterns,
        "NAMES",
        "columns to compare, as [TABLE.]COLUMN, separated by commas; else all",
        (DIFF,),
    )
    limit: int = setting(
        100, _limit, "N", "differing rows to show of each table; all of them are counted", (DIFF,)
    )
    jobs: int = setting(
        # Half of the processors a side, where servers and client share a machine.
        min(max((os.cpu_count() or 2) // 2, 1), 4),
        _jobs,
        "N",
        "tables (or parts of one) that are read at once on each side",
        (DIFF,),
    )
    only: tuple[Part, ...] = setting(
        tuple(Part),
        readers.parts,
        "PARTS",
        f"what to compare, separated by commas: {', '.join(Part)}",
        (DIFF,),
    )
    format: Format = setting(
        Format.COPY,
        readers.member(Format),
        "FORMAT",
        f"how the rows of a backup are written: {', '.join(Format)}",
        (BACKUP, CLEAN),
    )
    exclude: tuple[Exclude, ...] = setting(
        (),
        readers.excludes,
        "'TABLE: CONDITION'",
        "rows to leave out of a backup, with all that refers to them; repeatable",
        (BACKUP,),
        repeatable=True,
    )
    lock_timeout: float | None = setting(
        None,
        readers.seconds,
        "SECONDS",
        "how long to wait for a table that another session has locked; else as the account has it",
        (BACKUP, RESTORE),
    )
    ids: Ids = setting(
        Ids.SHARED,
        readers.member(Ids),
        "KIND",
        "whether numbers that a sequence made identify a row in both databases (shared) or "
        "each database numbered its rows on its own (local)",
        (RESTORE,),
    )
    strict_ids: bool = setting(
        False,
        readers.switch,
        "",
        "reject a row that has a target row's number and differs in every other unique key, and "
        "what refers by such a number to a row that is rejected",
        (RESTORE,),
    )
    prefer: str | None = setting(
        None,
        readers.prefer,
        "newest:COLUMN",
        "which of several duplicates survives: the newest by COLUMN; else the last one",
        _FROM_FILE,
    )
    reference: tuple[Reference, ...] = setting(
        (),
        references,
        "'TABLE.COLUMN[PATH] -> PARENT'",
        "a reference that no constraint declares and that has to follow merges; repeatable",
        _FROM_FILE,
        repeatable=True,
    )
    refresh: bool = setting(
        False, readers.switch, "", "refresh the target's materialised views", (RESTORE,)
    )
    models: Path | None = setting(
        None,
        readers.path,
        "FILE",
        "a Prisma schema that says which table a model is, for JSON backups",
        _FROM_FILE,
    )

    style: Style = setting(
        Style.ROWS,
        readers.member(Style),
        "STYLE",
        "how a converted backup is written: every row an upsert (rows), or one merge a table (set)",
        (CONVERT,),
    )
    definitions: Definitions = field(default=Definitions(), compare=False)
    """The implementations that the file configures: no setting, but read with them."""

    @classmethod
    def load(
        cls,
        options: Mapping[str, object],
        environ: Mapping[str, str],
        directory: Path,
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> Config:
        """The settings from flags, the environment and a file.

        The file is the one that ``--config`` or its variable names, else ``pyproject.toml``
        or ``restore-verifier.toml`` in ``directory``.
        ``options`` maps field names to what the command line gave; ``None`` stands for
        a flag that was not given, while an empty string or 0 was given and counts.
        ``called`` names options that were not given by their flag, for the messages.
        What a DSN leaves out is taken from the environment's ``PG*`` variables.
        Raises :class:`UsageError` for unknown names and for values that cannot be right.
        """
        variables = {
            name: given
            for name, given in environ.items()
            if name.startswith(PREFIX) and name != CALL
        }
        known = [each.variable for each in (*SETTINGS, CONFIG)]
        reject_unknown(variables, known, "environment variable")
        chosen = _first(
            (options.get(CONFIG.name), CONFIG.flag),
            (variables.get(CONFIG.variable), CONFIG.variable),
        )
        file = section(directory, readers.path(*chosen) if chosen else None)
        keys = [each.key for each in SETTINGS]
        reject_unknown(file.values, [*keys, IMPLEMENTATIONS], f"key in {file.place},")
        found: dict[str, Any] = {"definitions": file.definitions}
        for each in SETTINGS:
            given = _first(
                (options.get(each.name), called.get(each.name, each.flag)),
                (_listed(each, variables.get(each.variable)), each.variable),
                (file.values.get(each.key), f"{each.key} in {file.place}"),
            )
            if given is not None:
                found[each.name] = _completed(each.read(*given), environ)
        return cls(**found)

    @property
    def dsns(self) -> tuple[Dsn, ...]:
        """Every database that a setting names: whose passwords must not be shown."""
        named = (self.source_dsn, self.target_dsn, self.schema, self.seed.rows)
        return tuple(each for each in named if isinstance(each, Dsn))

    @property
    def selection(self) -> Selection:
        """What ``diff`` compares, and how much of the difference it shows."""
        return Selection(
            parts=frozenset(self.only),
            schemas=self.schemas,
            tables=self.tables,
            columns=self.columns,
            ignored=self.ignore,
            limit=self.limit,
            jobs=self.jobs,
        )

    @property
    def backup(self) -> BackupOptions:
        """What a backup holds."""
        return BackupOptions(
            format=self.format,
            exclude=self.exclude,
            control_tables=self.control_tables,
            lock_timeout=self.lock_timeout,
        )

    def restore(self, *, quarantine: Path | None, dry_run: bool) -> RestoreOptions:
        """How a restore works."""
        return RestoreOptions(
            control_tables=self.control_tables,
            ids=self.ids,
            strict_ids=self.strict_ids,
            prefer=readers.recency(self.prefer),
            quarantine=quarantine,
            dry_run=dry_run,
            references=self.reference,
            refresh=self.refresh,
            lock_timeout=self.lock_timeout,
            models=self.models,
        )

    def to_plain(self) -> dict[str, object]:
        """The settings as text, numbers and lists, **passwords included**.

        For handing them to another process through memory, never through a file.
        """
        plain = {setting.name: _plain(getattr(self, setting.name)) for setting in SETTINGS}
        return {**plain, "definitions": self.definitions.to_plain()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Config:
        """The reverse of :meth:`to_plain`."""
        found: dict[str, Any] = {"definitions": Definitions.from_plain(plain["definitions"])}
        for each in SETTINGS:
            if plain[each.name] is not None:
                found[each.name] = each.read(plain[each.name], each.name)
        return cls(**found)


SETTINGS = tuple(
    Setting(each.name, each.default, **each.metadata) for each in fields(Config) if each.metadata
)


def settings_of(command: str) -> tuple[Setting, ...]:
    """The settings of one command. The environment and the file may hold those of others, too."""
    return tuple(each for each in SETTINGS if command in each.commands)


def _first(*places: tuple[object, str]) -> tuple[object, str] | None:
    """The first value that was given, and where."""
    return next((place for place in places if place[0] is not None), None)


def _listed(each: Setting, variable: str | None) -> object:
    """What a variable gives; an empty one, where it may list things, lists none."""
    return [] if each.repeatable and variable == "" else variable


def _completed(value: object, environ: Mapping[str, str]) -> object:
    """``value`` with what the environment says of the databases that it names."""
    if isinstance(value, Seeds) and isinstance(value.rows, Dsn):
        return replace(value, rows=value.rows.completed(environ))
    return value.completed(environ) if isinstance(value, Dsn) else value


def _plain(value: object) -> object:
    if isinstance(value, Dsn):
        return value.conninfo
    if isinstance(value, Seeds):
        return value.to_plain()
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, str | Path) else value
