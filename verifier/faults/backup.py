"""Faults of the backup on its way: a part of it, or more than data.

A backup may be a file, several, or a directory of them; whatever file it has is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from verifier.contract import Claim, Evidence, Finding, Guarantee
from verifier.faults.base import Scene, not_struck

_HEAD = 4096
_CONTROL = frozenset(range(32)) - set(b"\t\n\v\f\r")


class BackupCut:
    """Only the first part of the backup arrives; then the whole of it, for the retry."""

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self, keep: float) -> None:
        """``keep``: the share of each file that arrives, between 0 and 1."""
        self._keep, self._whole = keep, True

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        originals = _contents(scene)
        parts = {path: whole[: int(len(whole) * self._keep)] for path, whole in originals.items()}
        self._whole = parts == originals
        with _replaced(originals, parts):
            yield

    def findings(self, claim: Claim) -> list[Finding]:
        if self._whole:
            why = "the backup has no bytes that could be missing"
            return [not_struck(why, guarantee=Guarantee.CONTAINMENT)]
        return _accepted(claim, "a backup of which the end was missing")


class BackupPoisoned:
    """A command for psql to run in a shell stands at the head of the backup.

    It makes a file; that file must never exist. Of several files, those that hold text begin
    with it, and all of them where none does: an archive that begins so is none any more.
    """

    exercises = frozenset({Guarantee.CONTAINMENT})

    def __init__(self) -> None:
        self._executed: Path | None = None

    @contextmanager
    def strike(self, scene: Scene) -> Iterator[None]:
        canary = scene.workdir / "canary"
        command = f"\\! touch '{canary}'\n".encode()
        originals = _contents(scene)
        texts = {path: content for path, content in originals.items() if _is_text(content)}
        poisoned = {path: command + content for path, content in (texts or originals).items()}
        with _replaced(originals, poisoned):
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


def _contents(scene: Scene) -> dict[Path, bytes]:
    """Every file of the backup, once, also where it stands in a directory of the backup."""
    paths = scene.backup.files if scene.backup else ()
    files = (each for path in paths for each in (path, *sorted(path.rglob("*"))))
    return {each.resolve(): each.read_bytes() for each in files if each.is_file()}


def _is_text(content: bytes) -> bool:
    """Whether it begins without the control characters that archives and compression have."""
    return not set(content[:_HEAD]) & _CONTROL


@contextmanager
def _replaced(originals: Mapping[Path, bytes], others: Mapping[Path, bytes]) -> Iterator[None]:
    """The backup's files with other contents, and as they were afterwards."""
    try:
        for path, content in others.items():
            path.write_bytes(content)
        yield
    finally:
        for path, content in originals.items():
            path.parent.mkdir(parents=True, exist_ok=True)  # the restore may have tidied up
            path.write_bytes(content)
