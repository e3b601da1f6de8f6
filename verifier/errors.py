"""Every error that this project raises on purpose.

::

    RestoreVerifierError            exit code 2: could not verify
    ├── UsageError                  an option, a setting or a name that cannot be right
    ├── ServerError                 a PostgreSQL server
    │   ├── ServerUnavailable       cannot be started or reached; nothing was verified
    │   └── ServerDied              was running and is gone; the run is aborted once
    ├── NotOffered                  an implementation says that it does not do what is asked
    ├── BackupError                 a backup cannot be made
    │   └── BackupRefused           … or is not accepted as data (names the line)
    ├── ObservationError            the oracle could not look: the verdict is unknown
    └── Unfit                       a world that cannot be made on real servers

A message names what was tried, what was found and what to do, and never holds a
password: connection strings go through :class:`verifier.dsn.Dsn`, which shows
itself redacted.
"""

from __future__ import annotations


class RestoreVerifierError(Exception):
    """Base of all errors of this project."""


class UsageError(RestoreVerifierError):
    """A bad option, setting or name."""


class ServerError(RestoreVerifierError):
    """Something about a PostgreSQL server."""


class ServerUnavailable(ServerError):
    """A server cannot be started or reached."""


class ServerDied(ServerError):
    """A server that was running is gone."""


class NotOffered(RestoreVerifierError):
    """What a scenario asks for is nothing that the implementation offers; the text says why."""


class BackupError(RestoreVerifierError):
    """A backup cannot be made."""


class BackupRefused(BackupError):
    """A backup is not accepted: not a backup, truncated, or more than data."""


class ObservationError(RestoreVerifierError):
    """The oracle could not look; whatever it was about to judge is unknown."""


class Unfit(RestoreVerifierError):
    """A world that cannot be made: its schema is refused, a row by its own side, or its form."""
