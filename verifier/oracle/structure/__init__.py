"""Everything that makes two databases differ, apart from rows and sequence positions.

:func:`read` takes the inventory of one database, :func:`compare` says how two differ.
"""

from verifier.oracle.structure.differences import changes_within, compare
from verifier.oracle.structure.inventory import Inventory, read
from verifier.oracle.structure.model import CLUSTER_WIDE, GONE, Key, SchemaObject

__all__ = [
    "CLUSTER_WIDE",
    "GONE",
    "Inventory",
    "Key",
    "SchemaObject",
    "changes_within",
    "compare",
    "read",
]
