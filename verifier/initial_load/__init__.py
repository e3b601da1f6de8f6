"""The built-in backup → transfer → restore system.

``backup`` makes a backup, ``reading`` reads one as data, ``engine`` restores it.
The engine stages the rows in temporary tables of the target and decides and
writes in SQL, set by set, inside one transaction::

    reading ─▶ stage ─▶ checks ─▶ merge ─▶ write ─▶ sequences ─▶ COMMIT
                  ▲        (one strongly connected component of tables after another,
               catalog     parents first; any rejection ends in ROLLBACK)

The module answers to :class:`verifier.contract.Claim` and shares nothing with the
oracle that judges it.
"""

from verifier.initial_load.backup import backup
from verifier.initial_load.convert import convert
from verifier.initial_load.engine import restore
from verifier.initial_load.export import clean

__all__ = ["backup", "clean", "convert", "restore"]
