"""Findings about recoverability: what a call leaves behind when it is over."""

from __future__ import annotations

from time import monotonic, sleep

from verifier.contract import Evidence, Finding, Guarantee
from verifier.dsn import Dsn
from verifier.oracle.session import looking

_GRACE = 3.0
"""Seconds that a server may take to notice that a client is gone."""

_LEFT = """
SELECT 'session' AS what, format('pid %s, %s, %s', pid, state, left(query, 80)) AS which
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
UNION ALL
SELECT 'prepared transaction', gid FROM pg_prepared_xacts WHERE database = current_database()
"""


def leftovers(dsn: Dsn, *, call: str = "restore", side: str = "target") -> list[Finding]:
    """Sessions and prepared transactions that outlived a ``call`` in the database at ``dsn``.

    Every lock belongs to one of the two, so there is no need to list locks.
    """
    until = monotonic() + _GRACE
    while True:
        with looking(dsn) as connection:
            rows = connection.execute(_LEFT).fetchall()
        if not rows or monotonic() > until:
            break
        sleep(0.05)
    return [
        Finding(
            guarantee=Guarantee.RECOVERABILITY,
            title=f"the {call} left a {what} behind",
            evidence=(Evidence(side, {what: which}),),
            sql=_LEFT.strip(),
            database=side,
        )
        for what, which in rows
    ]
