"""Services under test: backups and restores that are asked for over HTTP.

``tables`` and ``described`` read the configuration, ``halves`` do what it says: start the
services (``services``), send the requests in their order (``exchange``, ``templates``,
``values``, ``calls``), and make a claim of the answer (``answers``, ``paths``, ``telling``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import UsageError
from verifier.implementations.tables import Table

if TYPE_CHECKING:
    from verifier.implementations.http.halves import HttpBackup, HttpRestore

_LIBRARIES = ("httpx", "jsonpath")


def backup_of(half: Table, implementation: Table, directory: Path) -> HttpBackup:
    """The backup that ``half`` configures. Raises :class:`UsageError`."""
    _check_libraries()
    from verifier.implementations.http import reading

    return reading.backup_of(half, implementation, directory)


def restore_of(half: Table, implementation: Table, directory: Path) -> HttpRestore:
    """The restore that ``half`` configures. Raises :class:`UsageError`."""
    _check_libraries()
    from verifier.implementations.http import reading

    return reading.restore_of(half, implementation, directory)


def _check_libraries() -> None:
    """The libraries are no part of a plain installation."""
    for name in _LIBRARIES:
        try:
            __import__(name)
        except ImportError as error:
            raise UsageError(
                f"a service is put under test with libraries of which {name} cannot be imported "
                f"({error}); pip install 'restore-verifier[http]'"
            ) from None
