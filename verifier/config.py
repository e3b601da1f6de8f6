"""One frozen configuration: flag > environment > file > default.

Each field of :class:`Config` is a setting, and says in its metadata how it is
read. From that one table follow the command line flag (``--source-version``), the
environment variable (``RESTORE_VERIFIER_SOURCE_VERSION``) and the key in
``[tool.restore-verifier]`` of ``pyproject.toml`` (``source-version``).

A password in a flag is visible in the machine's list of processes, and one in
``pyproject.toml`` ends up in version control: prefer the environment for
``RESTORE_VERIFIER_SOURCE_DSN`` and ``RESTORE_VERIFIER_TARGET_DSN``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from verifier import readers
from verifier.comparison import Ignore, Part, Selection
from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.readers import Reader, suggestion

T = TypeVar("T")

PREFIX = "RESTORE_VERIFIER_"
FILE = "pyproject.toml"
SECTION = "restore-verifier"

VERIFY, DIFF, SELFTEST = "verify", "diff", "selftest"
"""The commands that have settings; ``verify`` stands for the pytest plugin, too."""


class ServerKind(StrEnum):
    """Where PostgreSQL comes from (``--servers``)."""

    AUTO = "auto"
    DOCKER = "docker"
    EMBEDDED = "embedded"
    EXTERNAL = "external"


_version = readers.whole("a major version as a whole number, such as 16 or 18", least=1)
_rows = readers.whole("a whole number of rows, 1 or more", least=1)
_number = readers.whole("a whole number", least=None)
_limit = readers.whole("a whole number of rows, 0 or more", least=0)
_jobs = readers.whole("a whole number, 1 or more", least=1)

_SERVERS = (VERIFY, SELFTEST)
_EVERYWHERE = (VERIFY, DIFF, SELFTEST)


def _setting(
    default: T,
    read: Reader[object],
    metavar: str,
    text: str,
    commands: tuple[str, ...] = (VERIFY,),
    *,
    repeatable: bool = False,
) -> T:
    """A field of :class:`Config`, with everything that :class:`Setting` needs to know of it."""
    about = {"read": read, "metavar": metavar, "help": text, "commands": commands}
    return field(default=default, metadata={**about, "repeatable": repeatable})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; ``None`` means that the provider decides."""

    servers: ServerKind = _setting(
        ServerKind.AUTO,
        readers.member(ServerKind),
        "KIND",
        f"where PostgreSQL comes from: {', '.join(ServerKind)}",
        _SERVERS,
    )
    source_version: int | None = _setting(
        None, _version, "MAJOR", "major version of the source server", _SERVERS
    )
    target_version: int | None = _setting(
        None, _version, "MAJOR", "major version of the target server", _SERVERS
    )
    source_image: str | None = _setting(
        None,
        readers.text,
        "IMAGE",
        "Docker image of the source server; wins over its version",
        _SERVERS,
    )
    target_image: str | None = _setting(
        None,
        readers.text,
        "IMAGE",
        "Docker image of the target server; wins over its version",
        _SERVERS,
    )
    source_dsn: Dsn | None = _setting(
        None,
        readers.dsn,
        "DSN",
        "external source server, or the source database of a comparison",
        _EVERYWHERE,
    )
    target_dsn: Dsn | None = _setting(
        None,
        readers.dsn,
        "DSN",
        "external target server, or the target database of a comparison",
        _EVERYWHERE,
    )
    implementation: str = _setting(
        "initial-load", readers.text, "NAME", "the backup/restore implementation under test"
    )
    rows: int = _setting(
        300, _rows, "N", "about how many rows a seeded source holds, over all tables"
    )
    seed: int = _setting(
        20251208, _number, "N", "of the generated data; the same seed makes the same data"
    )
    control_tables: tuple[str, ...] = _setting(
        ("_prisma_migrations", "InitialLoadSessions"),
        readers.names,
        "NAMES",
        "tables that describe a database itself and are never moved, separated by commas",
    )
    ignore: tuple[Ignore, ...] = _setting(
        (),
        readers.ignores,
        "'TABLE[.COLUMN]: REASON'",
        "a deliberate difference, left out and reported with its reason; repeatable",
        (DIFF,),
        repeatable=True,
    )
    schemas: tuple[str, ...] = _setting(
        (), readers.patterns, "NAMES", "schemas to compare, separated by commas; else all", (DIFF,)
    )
    tables: tuple[str, ...] = _setting(
        (),
        readers.patterns,
        "NAMES",
        "tables to compare, as [SCHEMA.]TABLE, separated by commas; else all",
        (DIFF,),
    )
    columns: tuple[str, ...] = _setting(
        (),
        readers.patterns,
        "NAMES",
        "columns to compare, as [TABLE.]COLUMN, separated by commas; else all",
        (DIFF,),
    )
    limit: int = _setting(
        100, _limit, "N", "differing rows to show of each table; all of them are counted", (DIFF,)
    )
    jobs: int = _setting(
        # Half of the processors a side, where servers and client share a machine.
        min(max((os.cpu_count() or 2) // 2, 1), 4),
        _jobs,
        "N",
        "tables (or parts of one) that are read at once on each side",
        (DIFF,),
    )
    only: tuple[Part, ...] = _setting(
        tuple(Part),
        readers.parts,
        "PARTS",
        f"what to compare, separated by commas: {', '.join(Part)}",
        (DIFF,),
    )

    @classmethod
    def load(
        cls,
        options: Mapping[str, object],
        environ: Mapping[str, str],
        directory: Path,
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> Config:
        """The settings from flags, the environment and ``directory``'s ``pyproject.toml``.

        ``options`` maps field names to what the command line gave; ``None`` stands for
        a flag that was not given, while an empty string or 0 was given and counts.
        ``called`` names options that were not given by their flag, for the messages.
        What a DSN leaves out is taken from the environment's ``PG*`` variables.
        Raises :class:`UsageError` for unknown names and for values that cannot be right.
        """
        path = directory / FILE
        table = _table(path)
        variables = {name: given for name, given in environ.items() if name.startswith(PREFIX)}
        _reject_unknown(variables, [each.variable for each in SETTINGS], "environment variable")
        _reject_unknown(
            table, [each.key for each in SETTINGS], f"key in [tool.{SECTION}] of {path},"
        )
        found: dict[str, Any] = {}
        for each in SETTINGS:
            for given, where in (
                (options.get(each.name), called.get(each.name, each.flag)),
                (variables.get(each.variable), each.variable),
                (table.get(each.key), f"{each.key} in [tool.{SECTION}] of {path}"),
            ):
                if given is not None:
                    value = each.read(given, where)
                    found[each.name] = value.completed(environ) if isinstance(value, Dsn) else value
                    break
        return cls(**found)

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

    def to_plain(self) -> dict[str, object]:
        """The settings as text, numbers and lists, **passwords included**.

        For handing them to another process through memory, never through a file.
        """
        return {setting.name: _plain(getattr(self, setting.name)) for setting in SETTINGS}

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> Config:
        """The reverse of :meth:`to_plain`."""
        found: dict[str, Any] = {}
        for each in SETTINGS:
            if plain[each.name] is not None:
                found[each.name] = each.read(plain[each.name], each.name)
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Setting:
    """How one field of :class:`Config` is named and read, wherever it comes from."""

    name: str
    default: object
    read: Reader[object]
    metavar: str
    help: str
    commands: tuple[str, ...]
    """The commands that it is a setting of."""
    repeatable: bool
    """Whether its flag may be given more than once; the values then come as a list."""

    @property
    def key(self) -> str:
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        return f"--{self.key}"

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS = tuple(Setting(each.name, each.default, **each.metadata) for each in fields(Config))


def settings_of(command: str) -> tuple[Setting, ...]:
    """The settings of one command. The environment and the file may hold those of others, too."""
    return tuple(each for each in SETTINGS if command in each.commands)


def _plain(value: object) -> object:
    if isinstance(value, Dsn):
        return value.conninfo
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, str) else value


def _reject_unknown(names: Iterable[str], known: list[str], noun: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown {noun} {name}{suggestion(name, known)}; known are {', '.join(known)}"
            )


def _table(path: Path) -> Mapping[str, object]:
    """``[tool.restore-verifier]`` of a ``pyproject.toml``; empty where there is none."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; correct the file") from None
    tool = content.get("tool", {})
    table = tool.get(SECTION, {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{SECTION} in [tool] of {path} is no table; write [tool.{SECTION}]")
    return table
