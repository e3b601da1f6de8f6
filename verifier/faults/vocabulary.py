"""Faults by short names, for scenarios: the ``faults`` fixture."""

from __future__ import annotations

from typing import Any

import pytest

from verifier.faults.base import Fault
from verifier.faults.blows import Blow, Cut, Kill, Restart, Run, Stall, Terminate
from verifier.faults.disk import FullDisk
from verifier.faults.interruption import Interruption
from verifier.faults.migrating import Migrating
from verifier.faults.moment import Moment
from verifier.faults.target import Held, Meanwhile, Together
from verifier.faults.writing import Writing
from verifier.servers import Database, Side


class Faults:
    """Makes faults. What strikes at a moment takes the fields of :class:`Moment` by name.

    ``side="source"`` has it strike while the backup is made.
    """

    def cut(self, *, side: str = "target", **moment: Any) -> Interruption:
        """Every connection is reset; the network is there again at once."""
        return self.strike(Cut(), side=side, **moment)

    def stall(
        self, seconds: float, *, cut: bool = False, side: str = "target", **moment: Any
    ) -> Interruption:
        """Nothing passes for ``seconds``; then everything, or with ``cut`` the connection ends."""
        return self.strike(Stall(seconds, cut), side=side, **moment)

    def terminate(self, *, side: str = "target", **moment: Any) -> Interruption:
        """The administrator terminates the sessions."""
        return self.strike(Terminate(), side=side, **moment)

    def kill(self, *, side: str = "target", **moment: Any) -> Interruption:
        """The client is killed by SIGKILL, with all that it has started."""
        return self.strike(Kill(), side=side, **moment)

    def restart(self, *, side: str = "target", **moment: Any) -> Interruption:
        """The server stops as in a crash and starts again (``@pytest.mark.own_servers``)."""
        return self.strike(Restart(), side=side, **moment)

    def run(
        self, script: str, undo: str = "", *, side: str = "target", **moment: Any
    ) -> Interruption:
        """Another session of the owner's runs ``script``, such as a REVOKE."""
        return self.strike(Run(script, undo), side=side, **moment)

    def strike(self, blow: Blow, *, side: str = "target", **moment: Any) -> Interruption:
        """``blow``, also one of your own, at a moment."""
        return Interruption(blow, Moment(**moment), side=Side(side))

    def meanwhile(self, begin: str, end: str) -> Meanwhile:
        """The target is as ``begin`` makes it while the restore runs."""
        return Meanwhile(begin, end)

    def held(self, statement: str, patience: float = 5.0, *, limit: str = "lock_timeout") -> Held:
        """Another session holds what ``statement`` locks, and gives way after ``patience`` s."""
        return Held(statement, patience, limit=limit)

    def together(self, *faults: Fault) -> Together:
        """All of these at the same time."""
        return Together(*faults)

    def read_only(self, target: Database) -> Meanwhile:
        """Transactions of the target are read-only unless they say otherwise."""
        return self.limited(target, "default_transaction_read_only", "on")

    def limited(self, target: Database, setting: str, value: str) -> Meanwhile:
        """``target`` has another ``setting`` meanwhile, such as a ``statement_timeout``."""
        change = f'ALTER DATABASE "{target.name}"'
        return Meanwhile(
            f"{change} SET {setting} = '{value}'",
            f"BEGIN READ WRITE; SET LOCAL statement_timeout = 0; {change} RESET {setting}; COMMIT",
        )

    def full_disk(self, target: Database, *tables: str) -> FullDisk:
        """The disk on which ``tables`` of ``target`` stand is full; else the scenario is skipped.

        They are moved to a small disk at once, so fill ``target`` before.
        """
        disk = target.server.small_disk()
        if disk is None:
            pytest.skip(
                f"NOT VERIFIED on this {target.server.kind} server: it has no small disk "
                "(embedded servers have one for root, containers always)"
            )
        return FullDisk(target, disk, tables)

    def writing(self, step: str, reached: str) -> Writing:
        """Somebody writes to the source, a transaction before each statement of the backup."""
        return Writing(step, reached)

    def migrating(self, script: str) -> Migrating:
        """The source is migrated by ``script``, which commits while the backup waits for it."""
        return Migrating(script)
