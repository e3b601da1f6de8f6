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

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from verifier.dsn import Dsn
from verifier.errors import UsageError

PREFIX = "RESTORE_VERIFIER_"
FILE = "pyproject.toml"
SECTION = "restore-verifier"

T = TypeVar("T")
Reader = Callable[[object, str], T]
"""Turns what was given (text, or a TOML value) and where into a field's value."""


class ServerKind(StrEnum):
    """Where PostgreSQL comes from (``--servers``)."""

    AUTO = "auto"
    DOCKER = "docker"
    EMBEDDED = "embedded"
    EXTERNAL = "external"


def suggestion(word: str, choices: Iterable[str]) -> str:
    """`` (did you mean …?)`` for the closest of ``choices``, else the empty string."""
    close = get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _text(given: object, where: str) -> str:
    if not isinstance(given, str):
        raise UsageError(f"{where} is {given!r}; give text in quotes")
    if not given.strip():
        raise UsageError(f"{where} is given but empty; give a value or leave it out")
    return given.strip()


def _kind(given: object, where: str) -> ServerKind:
    word = _text(given, where)
    try:
        return ServerKind(word)
    except ValueError:
        hint = suggestion(word, ServerKind)
        raise UsageError(
            f"{where} is {word!r}{hint}; choose from {', '.join(ServerKind)}"
        ) from None


def _whole(what: str, *, least: int | None) -> Reader[int]:
    def read(given: object, where: str) -> int:
        shown = given if isinstance(given, int) else _text(given, where)
        try:
            number = int(shown)
        except ValueError:
            number = None
        if number is None or isinstance(given, bool) or (least is not None and number < least):
            raise UsageError(f"{where} is {given!r}; give {what}")
        return number

    return read


def _dsn(given: object, where: str) -> Dsn:
    if not isinstance(given, str):
        raise UsageError(f"{where} is not text; give a connection string in quotes")
    try:
        return Dsn.parse(_text(given, where))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _names(given: object, where: str) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{where} is {given!r}; give names separated by commas, or a list of them")
    return tuple(word.strip() for word in words if word.strip())


_version = _whole("a major version as a whole number, such as 16 or 18", least=1)
_rows = _whole("a whole number of rows, 1 or more", least=1)
_number = _whole("a whole number", least=None)


def _how(read: Reader[object], metavar: str, text: str) -> dict[str, object]:
    return {"read": read, "metavar": metavar, "help": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; ``None`` means that the provider decides."""

    servers: ServerKind = field(
        default=ServerKind.AUTO,
        metadata=_how(_kind, "KIND", f"where PostgreSQL comes from: {', '.join(ServerKind)}"),
    )
    source_version: int | None = field(
        default=None, metadata=_how(_version, "MAJOR", "major version of the source server")
    )
    target_version: int | None = field(
        default=None, metadata=_how(_version, "MAJOR", "major version of the target server")
    )
    source_image: str | None = field(
        default=None,
        metadata=_how(_text, "IMAGE", "Docker image of the source server; wins over its version"),
    )
    target_image: str | None = field(
        default=None,
        metadata=_how(_text, "IMAGE", "Docker image of the target server; wins over its version"),
    )
    source_dsn: Dsn | None = field(
        default=None,
        metadata=_how(_dsn, "DSN", "external source server; its database is only connected to"),
    )
    target_dsn: Dsn | None = field(
        default=None,
        metadata=_how(_dsn, "DSN", "external target server; its database is only connected to"),
    )
    implementation: str = field(
        default="initial-load",
        metadata=_how(_text, "NAME", "the backup/restore implementation under test"),
    )
    rows: int = field(
        default=300,
        metadata=_how(_rows, "N", "about how many rows a seeded source holds, over all tables"),
    )
    seed: int = field(
        default=20251208,
        metadata=_how(_number, "N", "of the generated data; the same seed makes the same data"),
    )
    control_tables: tuple[str, ...] = field(
        default=("_prisma_migrations", "InitialLoadSessions"),
        metadata=_how(
            _names,
            "NAMES",
            "tables that describe a database itself and are never moved, separated by commas",
        ),
    )

    @classmethod
    def load(
        cls, options: Mapping[str, object], environ: Mapping[str, str], directory: Path
    ) -> Config:
        """The settings from flags, the environment and ``directory``'s ``pyproject.toml``.

        ``options`` maps field names to what the command line gave; ``None`` stands for
        a flag that was not given, while an empty string or 0 was given and counts.
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
                (options.get(each.name), each.flag),
                (variables.get(each.variable), each.variable),
                (table.get(each.key), f"{each.key} in [tool.{SECTION}] of {path}"),
            ):
                if given is not None:
                    value = each.read(given, where)
                    found[each.name] = value.completed(environ) if isinstance(value, Dsn) else value
                    break
        return cls(**found)

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


def _plain(value: object) -> object:
    if isinstance(value, Dsn):
        return value.conninfo
    if isinstance(value, tuple):
        return list(value)
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
