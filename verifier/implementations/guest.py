"""An installed implementation, held to what the protocol says that it raises and returns."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.contract import Claim, Guarantee
from verifier.errors import BackupError, NotOffered
from verifier.implementations.base import Backup, Endpoint, Implementation


class Guest:
    """``hosted``, whose slips are findings about it instead of errors of the verifier's."""

    def __init__(self, hosted: Implementation) -> None:
        self.hosted = hosted

    @property
    def name(self) -> str:
        return self.hosted.name

    @property
    def not_offered(self) -> Mapping[Guarantee, str]:
        return self.hosted.not_offered

    @property
    def resumable(self) -> bool:
        """Whether it says that it goes on where a run that failed has ended."""
        return bool(getattr(self.hosted, "resumable", False))

    def backup(self, source: Endpoint) -> Backup:
        """Its backup. Raises :class:`BackupError` for whatever else it raises or returns."""
        try:
            made: object = self.hosted.backup(source)
        except (BackupError, NotOffered):
            raise
        except (Exception, SystemExit) as error:
            raise BackupError(f"{type(error).__name__}: {error}") from error
        if not isinstance(made, Backup):
            raise BackupError(_returned("backup", made, Backup))
        return made

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """Its claim. Raises what it raises, a ``RuntimeError`` in place of an exit."""
        try:
            claim: object = self.hosted.restore(backup, target)
        except SystemExit as error:
            raise RuntimeError(f"restore called for an exit with {error.code!r}") from error
        if not isinstance(claim, Claim):
            raise TypeError(_returned("restore", claim, Claim))
        return claim


def _returned(method: str, value: object, wanted: type) -> str:
    kind = "None" if value is None else f"a value of type {type(value).__name__}"
    return f"{method} returned {kind}; it has to return a verifier.{wanted.__name__}"
