"""The search for worlds in which an implementation fails, and the telling of what was found.

=====================  =======================================================================
:mod:`subject`         what can be asked of an implementation
:mod:`drawing`         worlds, batch by batch
:mod:`judging`         one world, restored and held against the model
:mod:`shrinking`       … made small (:mod:`edits`, :mod:`plainer`, :mod:`renaming`)
:mod:`confirming`      … and run as a scenario, for the oracle's word
:mod:`searching`       all of these, in one process
:mod:`worker`          … in a process that is told what to do
:mod:`pool`            … in several, any of which may be lost
:mod:`keeping`         failing worlds, until the next run
:mod:`telling`         script, words and scenario of a failure
:mod:`running`         a whole run, which :mod:`reporting` tells of
=====================  =======================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.fuzz.failure import Failure
    from verifier.fuzz.searching import search

__all__ = ["Failure", "search"]


def __getattr__(name: str) -> object:
    """Loaded when it is asked for: Hypothesis is no part of a plain installation."""
    if name == "search":
        from verifier.fuzz.searching import search

        return search
    if name == "Failure":
        from verifier.fuzz.failure import Failure

        return Failure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
