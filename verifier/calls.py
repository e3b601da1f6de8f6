"""The calls of an implementation under test, and what has to be noticed about each.

Whatever it is written in and wherever it comes from: what it raises, what it leaves in its
directory and among the processes, and where it shows a password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from verifier.contract import Claim, Evidence, Finding, Guarantee, Severity
from verifier.dsn import Dsn, redact
from verifier.errors import BackupError, NotOffered
from verifier.faults import Way
from verifier.faults.apart import Killed, Unsendable, start
from verifier.implementations import Backup, Endpoint, Implementation
from verifier.servers import Database
from verifier.servers.lifecycle import heed
from verifier.transfer import Exclude
from verifier.watch import Watch

_STRAIGHT = Way()


@dataclass(frozen=True, slots=True)
class Told:
    """How a call ended, by its own words unless it was killed."""

    claim: Claim
    silent: bool = False
    backup: Backup | None = None


class Calls:
    """Calls ``implementation``; findings go to ``add``, without any password of ``dsns``."""

    def __init__(
        self,
        implementation: Implementation,
        workdir: Path,
        control: tuple[str, ...],
        left_out: tuple[Exclude, ...],
        dsns: tuple[Dsn, ...],
        add: Callable[[Iterable[Finding]], None],
    ) -> None:
        self._implementation, self._workdir = implementation, workdir
        self._control, self._left_out = control, left_out
        self._dsns, self._add = dsns, add

    def backup(self, source: Database, way: Way | None = None) -> Told:
        """Have ``source`` backed up; there is a backup if, and only if, it succeeded.

        Raises :class:`NotOffered` where the implementation cannot leave out what it has to.
        """
        way = way or _STRAIGHT
        endpoint = self._endpoint(source, way)
        try:
            made: Backup = self._call("backup", way, endpoint)
        except Killed:
            return _KILLED
        except BackupError as error:
            return Told(self._clean(Claim(success=False, message=str(error)), "error"))
        return Told(Claim(success=True), backup=made)

    def restore(self, backup: Backup, target: Database, way: Way | None = None) -> Told:
        """Have ``backup`` restored into ``target``."""
        way = way or _STRAIGHT
        endpoint = self._endpoint(target, way)
        try:
            claim: Claim = self._call("restore", way, backup, endpoint)
        except (NotOffered, Unsendable):
            raise
        except Killed:
            self._add(_left_files(endpoint.workdir, Severity.NOTE))
            return _KILLED
        except Exception as error:  # whatever someone's restore raises is its failure
            claim = Claim(success=False, message=f"{type(error).__name__}: {error}")
        self._add(_left_files(endpoint.workdir, Severity.BREACH))
        return Told(self._clean(claim, "claim"))

    def _endpoint(self, database: Database, way: Way) -> Endpoint:
        # A directory of its own for every call, empty whatever an earlier call left.
        workdir = Path(mkdtemp(prefix=f"{database.server.side}-", dir=self._workdir))
        dsn = way.dsn or database.dsn
        return Endpoint(dsn, database.server.major, workdir, self._control, self._left_out)

    def _call(self, method: str, way: Way, *arguments: object) -> Any:
        heed()
        if way.process is not None:
            start()
        watch = Watch(method, *self._dsns)
        try:
            with watch:
                if way.process is not None:
                    return way.process.call(self._implementation, method, *arguments)
                return getattr(self._implementation, method)(*arguments)
        except Killed:
            watch.end()
            raise
        finally:
            self._add(watch.findings())

    def _clean(self, claim: Claim, what: str) -> Claim:
        """``claim`` without passwords; that it held one is a finding."""
        cleaned = claim.reworded(lambda words: redact(words, *self._dsns))
        if cleaned != claim:
            self._add(
                [
                    Finding(
                        guarantee=Guarantee.CONTAINMENT,
                        title=f"the {what} holds the password of a database",
                        evidence=(Evidence(what, words=cleaned.message),),
                    )
                ]
            )
        return cleaned


_KILLED = Told(Claim(success=False, message="killed, before it said anything"), silent=True)


def _left_files(workdir: Path, severity: Severity) -> list[Finding]:
    left = sorted(path.name for path in workdir.iterdir())
    if not left:
        return []
    return [
        Finding(
            guarantee=Guarantee.RECOVERABILITY,
            severity=severity,
            title="the restore left files behind",
            evidence=(Evidence("work directory", {"files": ", ".join(left[:10])}),),
            count=len(left),
        )
    ]
