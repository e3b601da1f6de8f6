"""The source after a backup: a backup reads, and leaves everything as it was."""

from __future__ import annotations

from verifier.contract import Finding, Guarantee
from verifier.dsn import Dsn
from verifier.oracle.diff import changes
from verifier.oracle.session import looking
from verifier.oracle.snapshot import Snapshot

_WATERMARK = """
SELECT format('%s %s', txid_snapshot_xmax(txid_current_snapshot()), coalesce(
    (SELECT string_agg(format('%s=%s', c.oid, pg_sequence_last_value(c.oid::regclass)), ' '
                       ORDER BY c.oid) FROM pg_class c WHERE c.relkind = 'S'), ''))
"""


def watermark(dsn: Dsn) -> str:
    """What moves whenever something is written to the database at ``dsn``.

    It also moves when somebody writes to another database of the server; where it does
    not, nothing was written, and nothing has to be read again.
    """
    with looking(dsn) as connection:
        ((mark,),) = connection.execute(_WATERMARK).fetchall()
    return str(mark)


def judge_source(frozen: Snapshot, now: Snapshot) -> list[Finding]:
    """What is not as it was before the backup: rows, sequences, large objects, structure."""
    return [
        change.finding(
            Guarantee.PRESERVATION,
            "the backup changed the source",
            labels=("source before", "source"),
            database="source",
        )
        for change in changes(frozen, now)
    ]
