"""Waiting for what another thread, process or server does, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

_PERIOD = 0.01
"""Seconds between two looks."""


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether ``condition`` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PERIOD)
    return True


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return when ``condition`` is true; it is an error if it never is."""
    assert eventually(condition, seconds), "waited in vain"
