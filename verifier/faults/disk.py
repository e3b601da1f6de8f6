"""A disk of the target that is full while the restore runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg import sql

from verifier.contract import Claim, Finding, Guarantee
from verifier.faults.base import Scene
from verifier.servers import Database

_SPACE = "rv_small"


class FullDisk:
    """Tables of the target stand on a small disk, which is full meanwhile.

    They are moved there at once, with what they hold, before anything is observed.
    """

    exercises: frozenset[Guarantee] = frozenset()

    def __init__(self, target: Database, disk: str, tables: tuple[str, ...]) -> None:
        """``disk`` is a directory of the target's server (``Server.small_disk``)."""
        self._disk, self._ballast = disk, f"{disk}/ballast"
        with closing(target.administer()) as admin:
            known = "SELECT FROM pg_tablespace WHERE spcname = %s"
            if admin.execute(known, (_SPACE,)).fetchone() is None:
                place = f"{disk}/space"
                _execute(admin, f"mkdir -m 700 '{place}'")
                admin.execute(
                    sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(
                        sql.Identifier(_SPACE), sql.Literal(place)
                    )
                )
            for table in tables:
                admin.execute(f"ALTER TABLE {table} SET TABLESPACE {_SPACE}".encode())

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        with closing(scene.target.administer()) as admin:
            # It ends where there is no room left, which is what is wanted.
            _execute(admin, f"cat /dev/zero > '{self._ballast}' 2> /dev/null || true")
            try:
                yield
            finally:
                _execute(admin, f"rm '{self._ballast}'")

    def findings(self, claim: Claim) -> list[Finding]:
        return []


def _execute(admin: psycopg.Connection, command: str) -> None:
    """Run a shell command as the server's account, where the server is."""
    admin.execute(sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(sql.Literal(command)))
