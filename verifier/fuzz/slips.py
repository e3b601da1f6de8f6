"""Errors of the verifier's own, which a search survives and tells."""

from __future__ import annotations

import traceback
from pathlib import Path


def slip(error: Exception) -> str:
    """What went wrong, and where it was raised, in one line without a machine's paths."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return f"{type(error).__name__} at {place}: {error}".partition("\n")[0]
