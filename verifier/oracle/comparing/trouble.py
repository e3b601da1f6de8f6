"""What kept the comparison from looking, in words: what was tried, found, and what to do."""

from __future__ import annotations

import psycopg
from psycopg import errors

from verifier.oracle.comparing.reading import Rewritten
from verifier.oracle.session import first_line

_ADVICE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (errors.InsufficientPrivilege, "grant SELECT to this account, or connect with one that has it"),
    (errors.QueryCanceled, "raise statement_timeout for this account, or compare fewer --tables"),
    (errors.LockNotAvailable, "another session holds the table; run again when it is done"),
    (
        (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedObject),
        "it was changed or dropped meanwhile; run again",
    ),
    (errors.InternalError, "it was changed or dropped meanwhile, or is damaged; run again"),
    (
        (errors.DiskFull, errors.OutOfMemory, errors.ConfigurationLimitExceeded),
        "the server ran out of resources; run again with fewer --jobs",
    ),
)


def reason(label: str, what: str, error: psycopg.Error | Rewritten) -> str:
    """Why ``what`` of the side called ``label`` could not be read, and what to do."""
    if isinstance(error, Rewritten):
        return (
            f"{what} of the {label} was emptied or rewritten, or has other partitions now; "
            "run again when nobody alters tables"
        )
    if str(error).startswith("connection failed"):  # libpq has no code for the reason
        return (
            f"reading {what} of the {label}: no connection could be had ({first_line(error)}); "
            "run again with fewer --jobs, or look at the server"
        )
    if _is_lost(error):
        return (
            f"reading {what} of the {label}: the connection was lost ({first_line(error)}); "
            "look at the server, and run again"
        )
    if "row-level security" in str(error):
        advice = "policies hide rows from this account; connect with one that has BYPASSRLS"
    else:
        advice = next(
            (words for kind, words in _ADVICE if isinstance(error, kind)),
            "look at the value or the type that it names",
        )
    return f"reading {what} of the {label}: {first_line(error)}; {advice}"


def _is_lost(error: psycopg.Error) -> bool:
    if isinstance(error, (errors.UndefinedObject, errors.InvalidParameterValue)):
        # The session that held the snapshot has gone, and the snapshot with it.
        return str(error).startswith(("snapshot", "invalid snapshot"))
    return isinstance(error, psycopg.OperationalError) and (
        error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
    )


def concerns_values(error: psycopg.Error | Rewritten) -> bool:
    """Whether it may be about single columns, so that the others can still be read."""
    if isinstance(error, Rewritten) or _is_lost(error):
        return False
    return not isinstance(
        error,
        (errors.QueryCanceled, errors.LockNotAvailable, errors.UndefinedTable, errors.DiskFull),
    )
