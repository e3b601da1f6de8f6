"""The account that embedded servers run as, and programs that it can reach."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.errors import ServerUnavailable

_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """Oneself, or for root the system's unprivileged account: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def choose(cls) -> Account:
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        try:
            entry = pwd.getpwnam(_UNPRIVILEGED)
        except KeyError:
            raise ServerUnavailable(
                f"PostgreSQL cannot run as root and there is no account {_UNPRIVILEGED!r} to run "
                f"it as; run as a normal user, or use --servers docker"
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def other(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def process(self) -> dict[str, Any]:
        """Arguments that make :mod:`subprocess` run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}

    def own(self, path: Path, mode: int) -> None:
        """Give ``path`` to the account, readable by nobody else."""
        path.chmod(mode)
        if self.other:
            os.chown(path, self.uid, self.gid)

    def passes(self, directory: Path) -> bool:
        """Whether the account can pass through ``directory`` and all above it."""
        return not self.other or all(
            path.stat().st_mode & 0o001 for path in (directory, *directory.parents)
        )

    def _reads(self, tree: Path) -> bool:
        """Whether the account can read everything below ``tree``."""
        if not self.other:
            return True
        return self.passes(tree) and all(
            (path.stat().st_mode & wanted) == wanted
            for path in tree.rglob("*")
            for wanted in ((0o005 if path.is_dir() else 0o004),)
        )

    def programs(self, tree: Path, copies: Path) -> Path:
        """The ``bin`` directory of the PostgreSQL at ``tree``, or of a copy the account can read.

        A virtual environment below a private home directory is out of reach for
        another account. Nothing there is opened up: the programs are copied to
        ``copies`` together with their libraries, which they find by relative path
        (RPATH ``$ORIGIN/../../../<package>.libs``, or ``.dylibs`` on macOS).
        """
        package = tree.parent
        libraries = [package.parent / f"{package.name}.libs", package / ".dylibs"]
        wanted = [tree, *(path for path in libraries if path.is_dir())]
        if all(self._reads(path) for path in wanted):
            return tree / "bin"
        for path in wanted:
            copy = copies / path.relative_to(package.parent)
            if not copy.exists():
                shutil.copytree(path, copy, ignore=shutil.ignore_patterns("include", "*.a"))
        _open(copies.rglob("*"))
        return copies / tree.relative_to(package.parent) / "bin"


def _open(paths: Iterable[Path]) -> None:
    for path in paths:
        runnable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runnable else 0o644)
