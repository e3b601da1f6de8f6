"""What a setting is, and where the values of settings are found besides the command line.

Each field of :class:`verifier.config.Config` is a setting, and says in its metadata how it
is read. From that one table follow the command line flag (``--source-version``), the
environment variable (``RESTORE_VERIFIER_SOURCE_VERSION``) and the key (``source-version``) in
``[tool.restore-verifier]`` of ``pyproject.toml``, or in ``restore-verifier.toml``. The same
file configures implementations, in ``[implementations.NAME]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from verifier.errors import UsageError
from verifier.readers import Reader, path, suggestion

T = TypeVar("T")

PREFIX = "RESTORE_VERIFIER_"
FILE = "pyproject.toml"
OWN_FILE = "restore-verifier.toml"
SECTION = "restore-verifier"
IMPLEMENTATIONS = "implementations"
CALL = PREFIX + "CALL"
"""Marks whatever was started during a call of an implementation, and is no setting: a program
under test may well be this one."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How one field of :class:`verifier.config.Config` is named and read, wherever it is from."""

    name: str
    default: object
    read: Reader[object]
    metavar: str
    """What stands for the value in a help text; empty for a setting that is on or off."""
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


def setting(
    default: T,
    read: Reader[object],
    metavar: str,
    text: str,
    commands: tuple[str, ...],
    *,
    repeatable: bool = False,
) -> T:
    """A field of ``Config``, with everything that :class:`Setting` needs to know of it."""
    about = {"read": read, "metavar": metavar, "help": text, "commands": commands}
    return field(default=default, metadata={**about, "repeatable": repeatable})


CONFIG = Setting(
    "config",
    None,
    path,
    "FILE",
    f"the TOML file with settings and implementations; else {FILE} or {OWN_FILE}",
    (),
    False,
)
"""Where the other settings are, and hence none of them."""


def reject_unknown(names: Iterable[str], known: list[str], noun: str) -> None:
    """Raises :class:`UsageError` for a name that is none of the ``known``."""
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown {noun} {name}{suggestion(name, known)}; known are {', '.join(known)}"
            )


@dataclass(frozen=True, slots=True)
class Definitions:
    """The implementations that a file configures, as TOML gives them."""

    tables: Mapping[str, object] = field(default_factory=dict)
    """By name; what is in them is read when the implementation is asked for."""
    name: str = IMPLEMENTATIONS
    """Of the table that holds them all."""
    file: str = ""
    directory: Path = Path()
    """Where the file is: what relative paths are relative to."""

    def to_plain(self) -> dict[str, object]:
        """As text and tables, for another process."""
        place = {"name": self.name, "file": self.file, "directory": str(self.directory)}
        return {"tables": _plain(self.tables), **place}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Definitions:
        """The reverse of :meth:`to_plain`."""
        return cls(**{**plain, "directory": Path(plain["directory"])})


@dataclass(frozen=True, slots=True)
class Section:
    """What a file says: the settings by key, and the implementations."""

    values: Mapping[str, object]
    place: str
    """What an error calls it: ``[tool.restore-verifier] of …/pyproject.toml``, or the file."""
    definitions: Definitions


def section(directory: Path, chosen: Path | None = None) -> Section:
    """What the file ``chosen`` says, else the one in ``directory`` that says anything.

    Raises :class:`UsageError` for a file that cannot be read, and where both
    ``pyproject.toml`` and ``restore-verifier.toml`` have something to say.
    """
    if chosen is not None:
        if not chosen.is_file():
            raise UsageError(f"there is no configuration file {chosen}; name a TOML file")
        return _section(chosen)
    both = [directory / name for name in (FILE, OWN_FILE)]
    found = [_section(path) for path in both if says_something(path)]
    if len(found) > 1:
        raise UsageError(
            f"{directory} has both a [tool.{SECTION}] in {FILE} and a {OWN_FILE}; "
            f"keep one of them, or choose one with {CONFIG.flag}"
        )
    return found[0] if found else _section(both[0])


def is_configured(directory: Path) -> bool:
    """Whether there is a configuration in ``directory``."""
    return any(says_something(directory / name) for name in (FILE, OWN_FILE))


def says_something(path: Path) -> bool:
    """Whether ``path`` is there and, if it is a ``pyproject.toml``, is about us."""
    if path.name != FILE:
        return path.is_file()
    tool = _tool(_content(path))
    slip = SECTION.replace("-", "_")
    if slip in tool:
        raise UsageError(f"[tool.{slip}] in {path} is not read; write [tool.{SECTION}]")
    return SECTION in tool


def _section(path: Path) -> Section:
    content, name, place = _content(path), IMPLEMENTATIONS, str(path)
    if path.name == FILE:
        found = _tool(content).get(SECTION, {})
        if not isinstance(found, dict):
            raise UsageError(f"{SECTION} in [tool] of {path} is no table; write [tool.{SECTION}]")
        content, place = found, f"[tool.{SECTION}] of {path}"
        name = f"tool.{SECTION}.{IMPLEMENTATIONS}"
    values = dict(content)
    tables = values.pop(IMPLEMENTATIONS, {})
    if not isinstance(tables, dict):
        raise UsageError(f"{IMPLEMENTATIONS} in {place} is no table; write [{name}.NAME]")
    singular = IMPLEMENTATIONS.removesuffix("s")
    if isinstance(values.get(singular), dict):
        raise UsageError(f"{singular} in {place} is a table; write [{name}.NAME] to configure one")
    directory = path.absolute().parent
    return Section(values, place, Definitions(tables, name, str(path), directory))


def _content(path: Path) -> dict[str, object]:
    """A TOML file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; correct the file") from None


def _tool(content: Mapping[str, object]) -> Mapping[str, object]:
    tool = content.get("tool", {})
    return tool if isinstance(tool, dict) else {}


def _plain(value: object) -> object:
    """A TOML value without dates and times, which not every serialiser knows."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float) else str(value)
