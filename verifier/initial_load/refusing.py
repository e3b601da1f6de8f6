"""The end of a restore that is not to be: nothing of the target is changed."""

from __future__ import annotations

from verifier.contract import Claim
from verifier.initial_load import outcome


class Refused(Exception):
    """Rows or the whole backup do not fit; holds the claim that says so."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim


def refuse(problems: list[str], exit_code: int = 1) -> None:
    """Raise :class:`Refused` if there are ``problems``, a sentence each."""
    if problems:
        raise Refused(outcome.failed(f"{'; '.join(problems)}; nothing was changed", exit_code))
