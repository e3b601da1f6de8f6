"""Faults of the backup on its way: a part of it, or more than data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from verifier.contract import Claim, Evidence, Finding, Guarantee
from verifier.faults.base import Scene


class BackupCut:
    """Only the first part of the backup arrives; then the whole of it, for the retry."""

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self, keep: float) -> None:
        """``keep``: the share of each file that arrives, between 0 and 1."""
        self._keep = keep

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        with _replaced(scene, lambda content: content[: int(len(content) * self._keep)]):
            yield

    def findings(self, claim: Claim) -> list[Finding]:
        return _accepted(claim, "a backup of which the end was missing")


class BackupPoisoned:
    """A command for psql to run in a shell stands at the head of the backup.

    It makes a file; that file must never exist.
    """

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self) -> None:
        self._executed: Path | None = None

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        canary = scene.workdir / "canary"
        command = f"\\! touch '{canary}'\n".encode()
        with _replaced(scene, lambda content: command + content):
            yield
        if canary.exists():
            self._executed = canary

    def findings(self, claim: Claim) -> list[Finding]:
        if self._executed is None:
            return _accepted(claim, "a backup that holds a shell command")
        return [
            Finding(
                guarantee=Guarantee.CONTAINMENT,
                title="the restore executed a shell command that stood in the backup",
                evidence=(Evidence("backup", {"line 1": "\\! touch …/canary"}),),
            )
        ]


def _accepted(claim: Claim, what: str) -> list[Finding]:
    if not claim.success:
        return []
    return [
        Finding(
            guarantee=Guarantee.CONTAINMENT,
            title=f"the restore accepted {what}",
            evidence=(claim.evidence(),),
        )
    ]


@contextmanager
def _replaced(scene: Scene, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """The backup's files with other content, and as they were afterwards."""
    files = scene.backup.files if scene.backup else ()
    originals = {path: path.read_bytes() for path in files}
    try:
        for path, content in originals.items():
            path.write_bytes(change(content))
        yield
    finally:
        for path, content in originals.items():
            path.write_bytes(content)
