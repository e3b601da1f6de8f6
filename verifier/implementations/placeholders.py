"""Texts with placeholders: ``{target.host}`` in a configuration, filled at each call.

``{{`` and ``}}`` stand for braces. A name that is not known where it is used is refused when
the configuration is read, and never when a database is waiting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verifier import programs
from verifier.errors import NotOffered, ServerUnavailable, UsageError
from verifier.implementations.base import Endpoint
from verifier.readers import Reader, suggestion

_PARTS = ("dsn", "url", "host", "port", "user", "password", "dbname")
_SECRET = (".dsn", ".url", ".password")
_PROGRAMS = "programs"
LEAVE_OUT = "leave-out"
"""Stands for the rows that are not to be moved: ``TABLE: CONDITION``, one a line."""
COMMON = ("workdir", "directory", "version", "control-tables", _PROGRAMS)
_MARK = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

BACKUP = "backup"
SOURCE, TARGET = "source", "target"
DATABASE = "database"
"""The one of the two that is at hand, for what lives in both calls."""
VARIABLE = "env."
"""Begins the placeholder of a variable of the environment."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders in it."""

    text: str
    """As it is written in the configuration."""
    pieces: tuple[tuple[str, str], ...]
    """A literal text, and the name of the placeholder behind it (empty for none)."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.pieces if name)

    @property
    def secret(self) -> tuple[str, ...]:
        """The placeholders that carry a password (or whatever an environment variable holds)."""
        return tuple(each for each in self.names if is_secret(each))

    @property
    def alone(self) -> str:
        """The name of the placeholder that is the whole text; empty where there is more."""
        return self.pieces[0][1] if len(self.pieces) == 1 and not self.pieces[0][0] else ""

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with ``values``, by name; ``env.NAME`` is taken from the environment."""
        return "".join(literal + _value(name, values) for literal, name in self.pieces)


def _value(name: str, values: Mapping[str, str]) -> str:
    if name.startswith(VARIABLE):
        return os.environ.get(name.removeprefix(VARIABLE), "")
    if name == _PROGRAMS and name not in values:
        raise UsageError(
            f"{{{_PROGRAMS}}} stands for PostgreSQL's client programs, and none here fit a server "
            f"of version {values['version']}; install them"
        )
    return values[name] if name else ""


def is_secret(name: str) -> bool:
    """Whether what stands for the placeholder ``name`` must not be seen in a process list."""
    of_database = name.partition(".")[0] in (SOURCE, TARGET, DATABASE)
    return (of_database and name.endswith(_SECRET)) or name.startswith(VARIABLE)


def is_in_workdir(file: Template) -> bool:
    """Whether ``file`` is a place in the work directory of the call, by the way it is written."""
    return file.text.startswith("{workdir}/") and ".." not in Path(file.text).parts


def known(side: str, *more: str) -> tuple[str, ...]:
    """The names that are known where ``side`` (``source``, ``target``) is at hand, and ``more``."""
    selecting = (LEAVE_OUT,) if side == SOURCE else ()
    return (*(f"{side}.{part}" for part in _PARTS), *COMMON, *selecting, *more)


def template(names: Collection[str]) -> Reader[Template]:
    """Reads a text whose placeholders are among ``names``, or ``env.`` and a variable's name."""

    def read(given: object, where: str) -> Template:
        if not isinstance(given, str):
            raise UsageError(f"{where} is {given!r}; give text in quotes")
        return parse(given, names, where)

    return read


def parse(text: str, names: Collection[str], where: str) -> Template:
    """Take ``text`` apart. Raises :class:`UsageError` for a placeholder that is none."""
    if "\0" in text:
        raise UsageError(f"{where} is {text!r}; no program can be given a NUL character")
    pieces: list[tuple[str, str]] = []
    literal, end = "", 0
    for found in _MARK.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found[0] in ("{{", "}}"):
            literal += found[0][0]
            continue
        name = found[1]
        if name is None:
            raise UsageError(
                f"{where} is {text!r}, with a brace that is not closed or not opened; "
                "write {{ and }} for braces"
            )
        _check(name, names, where)
        pieces.append((literal, name))
        literal = ""
    literal += text[end:]
    if literal or not pieces:
        pieces.append((literal, ""))
    return Template(text, tuple(pieces))


def _check(name: str, names: Collection[str], where: str) -> None:
    if name.startswith(VARIABLE):
        variable = name.removeprefix(VARIABLE)
        if variable not in os.environ:
            raise UsageError(
                f"{where} asks for the environment variable {variable}, which is unset"
            )
    elif name not in names:
        raise UsageError(
            f"{where} has the unknown placeholder {{{name}}}{_suggested(name, names)}; known here "
            f"are {', '.join(f'{{{each}}}' for each in names)} and {{env.NAME}}, and {{{{ }}}} "
            "stands for braces"
        )


def _suggested(name: str, names: Iterable[str]) -> str:
    return suggestion(name.replace("_", "-").lower(), names)


def check_leave_out(source: Endpoint, texts: Iterable[Template]) -> None:
    """Raises :class:`NotOffered` where rows are to be left out and ``texts`` tell nobody which."""
    if not source.leave_out:
        return
    if not any(LEAVE_OUT in text.names for text in texts):
        raise NotOffered(
            "rows are to be left out, and nothing in the configuration of the backup says how it "
            f"is told which: {{{LEAVE_OUT}}} stands nowhere"
        )
    for each in source.leave_out:
        if len(str(each).splitlines()) > 1:
            raise NotOffered(
                f"{{{LEAVE_OUT}}} gives one condition a line, and that for {each.table} has several"
            )


def values(
    side: str, endpoint: Endpoint, directory: Path, backup: Path | None = None
) -> dict[str, str]:
    """What stands for each placeholder of ``side``; ``directory`` is the configuration's.

    ``backup`` is the backup's one path, where there is one.
    """
    dsn = endpoint.dsn
    parts = {"dsn": dsn.conninfo, "url": dsn.url, "dbname": dsn.database}
    parts |= {name: dsn.parameters.get(name, "") for name in ("host", "user", "password")}
    parts["port"] = dsn.parameters.get("port") or "5432"
    found = {f"{side}.{name}": value for name, value in parts.items()}
    found |= {
        "workdir": str(endpoint.workdir),
        "directory": str(directory),
        "version": str(endpoint.major),
        "control-tables": ",".join(endpoint.control_tables),
        LEAVE_OUT: "\n".join(map(str, endpoint.leave_out)),
    }
    with suppress(ServerUnavailable):
        found[_PROGRAMS] = str(programs.client("psql", server=endpoint.major).parent)
    return found if backup is None else {**found, BACKUP: str(backup)}
