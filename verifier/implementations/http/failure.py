"""What ends a call early, before it is told as a failed claim or as a backup that failed."""

from __future__ import annotations


class Failed(Exception):
    """A service or a request did not do its part; the words say what was tried and found.

    Caught by the two halves of an implementation, and never seen outside this package.
    """
