"""Implementations as a user configures them: a directory, a TOML file, scripts beside it."""

from __future__ import annotations

import stat
from pathlib import Path

from verifier import programs
from verifier.config import Config
from verifier.implementations import Implementation, implementation, registry

FILE = "restore-verifier.toml"
SHELL = f"""#!/bin/sh
PATH={programs.newest("psql").parent}:$PATH
"""


def script(directory: Path, name: str, body: str) -> Path:
    """An executable shell script in which PostgreSQL's programs are found."""
    path = directory / name
    path.write_text(SHELL + body + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def configured(directory: Path, toml: str, name: str = "acme") -> Implementation:
    """What ``--implementation name`` finds with this file."""
    (directory / FILE).write_text(toml)
    return implementation(name, Config.load({}, {}, directory).definitions)


def listed(directory: Path) -> dict[str, str]:
    return registry.kinds(Config.load({}, {}, directory).definitions)
