"""What an implementation under test has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from verifier.contract import Claim, Guarantee
from verifier.dsn import Dsn
from verifier.transfer import Exclude


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A database that an implementation may use, with its account's password."""

    dsn: Dsn
    major: int
    """Major version of the server."""
    workdir: Path
    """An empty directory of this run; whatever is left there is thrown away with it."""
    control_tables: tuple[str, ...] = ()
    """Tables that describe the database itself (``_prisma_migrations``, session tables):
    not part of what is moved. Unqualified names as the catalogue spells them."""
    leave_out: tuple[Exclude, ...] = ()
    """Rows of the source that are not to be moved either, nor what depends on them through the
    source's foreign keys. Who cannot do that raises :class:`~verifier.errors.NotOffered`."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What an implementation made of a source: one or more files."""

    files: tuple[Path, ...]


class Implementation(Protocol):
    """A backup/restore system under test.

    Both methods block until the work is done. ``restore`` must not raise for a
    restore that fails: that is a :class:`~verifier.contract.Claim` with
    ``success=False``. Whatever it raises is reported as a failure without a claim.

    An attribute ``resumable``, if it has one that is true, declares that a restore that
    failed may leave a part of its work, and that the next one ends like a clean run.
    """

    @property
    def name(self) -> str: ...

    @property
    def not_offered(self) -> Mapping[Guarantee, str]:
        """Guarantees that the implementation does not give, each with its reason."""

    def backup(self, source: Endpoint) -> Backup:
        """Back up ``source``.

        Raises :class:`~verifier.errors.BackupError`, and
        :class:`~verifier.errors.NotOffered` for what the endpoint asks and it does not do.
        """

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Restore ``backup`` into ``target`` and say what happened."""
