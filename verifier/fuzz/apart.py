"""An implementation whose calls cannot take the verifier along: when one hangs or dies."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

from verifier.contract import Claim, Guarantee
from verifier.errors import ObservationError
from verifier.faults.apart import Ended, Killed, OwnProcess, start
from verifier.implementations import Backup, Endpoint, Implementation
from verifier.model.breach import Breach
from verifier.transfer import RestoreOptions

HANGS = "the restore did not come to an end"
DIES = "the restore ended the process that it ran in"

_LOOK = 0.05
"""Seconds between two looks whether the process has started."""


def hangs(seconds: float) -> Breach:
    """It was waited for so long."""
    words = f"it did not end within {seconds:g} s, and was stopped"
    return Breach(Guarantee.RECOVERABILITY, HANGS, words=words)


def dies(words: str) -> Breach:
    """It took its process along."""
    return Breach(Guarantee.HONESTY, DIES, words=words)


class Apart:
    """``inner``, each call in a process of its own that ends after ``seconds``."""

    def __init__(
        self, inner: Implementation, seconds: float, fates: list[Breach] | None = None
    ) -> None:
        start()
        self._inner, self._seconds = inner, seconds
        self.fates: list[Breach] = [] if fates is None else fates
        """What became of calls that did not end by themselves. Whoever reads it empties it."""
        self.resumable = bool(getattr(inner, "resumable", False))

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def not_offered(self) -> Mapping[Guarantee, str]:
        return self._inner.not_offered

    def asked(self, options: RestoreOptions) -> Apart:
        """The same with ``options``, if it takes any."""
        own: Any = getattr(self._inner, "hosted", self._inner)
        inner = own.asked(options) if hasattr(own, "asked") else self._inner
        return Apart(inner, self._seconds, self.fates)

    def backup(self, source: Endpoint) -> Backup:
        made: Backup = self._call("backup", source)
        return made

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim: Claim = self._call("restore", backup, target)
        return claim

    def _call(self, method: str, *arguments: object) -> Any:
        process = OwnProcess()

        over = threading.Event()

        def end() -> None:
            while not process.started and not over.wait(_LOOK):
                pass
            if not over.is_set():
                with suppress(ObservationError, psutil.Error):
                    process.kill()

        limit = threading.Timer(self._seconds, end)
        limit.start()
        try:
            return process.call(self._inner, method, *arguments)
        except Killed:
            self.fates.append(hangs(self._seconds))
            raise RuntimeError(HANGS) from None
        except Ended as ended:
            self.fates.append(dies(str(ended)))
            raise
        finally:
            over.set()
            limit.cancel()
            limit.join()
