"""What a setting is, and where the values of settings are found besides the command line.

Each field of :class:`verifier.config.Config` is a setting, and says in its metadata how it
is read. From that one table follow the command line flag (``--source-version``), the
environment variable (``RESTORE_VERIFIER_SOURCE_VERSION``) and the key in
``[tool.restore-verifier]`` of ``pyproject.toml`` (``source-version``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from verifier.errors import UsageError
from verifier.readers import Reader, suggestion

T = TypeVar("T")

PREFIX = "RESTORE_VERIFIER_"
FILE = "pyproject.toml"
SECTION = "restore-verifier"


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


def reject_unknown(names: Iterable[str], known: list[str], noun: str) -> None:
    """Raises :class:`UsageError` for a name that is none of the ``known``."""
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown {noun} {name}{suggestion(name, known)}; known are {', '.join(known)}"
            )


def table(path: Path) -> Mapping[str, object]:
    """``[tool.restore-verifier]`` of a ``pyproject.toml``; empty where there is none."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; correct the file") from None
    tool = content.get("tool", {})
    found = tool.get(SECTION, {}) if isinstance(tool, dict) else {}
    if not isinstance(found, dict):
        raise UsageError(f"{SECTION} in [tool] of {path} is no table; write [tool.{SECTION}]")
    return found
