"""The built-in backup → transfer → restore system.

``backup`` makes a backup, ``reading`` reads any as data, ``engine`` restores it, ``export``
and ``convert`` write files instead. The rows are staged in temporary tables of the target;
everything is decided and written in SQL, set by set, inside one transaction::

    reading ─▶ staging ─▶ plan (checks ─▶ survey ─▶ match ─▶ repoint ─▶ changes)
                            │   one strongly connected component of tables after another,
                            │   parents first; any rejection ends in ROLLBACK
                            ▼
                          engine (triggers ─▶ write ─▶ sequences ─▶ COMMIT)

The module answers to :class:`verifier.contract.Claim` and shares nothing with the
oracle that judges it.
"""

from verifier.initial_load.backing_up.backup import backup
from verifier.initial_load.convert import convert
from verifier.initial_load.engine import restore
from verifier.initial_load.export import clean

__all__ = ["backup", "clean", "convert", "restore"]
