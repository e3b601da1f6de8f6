"""Restores that are wrong on purpose, to prove that the verifier sees it.

Each is a mistake made in the field (``docs/traps.md``), and each is a right restore with one
step changed: :class:`~verifier.implementations.row_by_row.RowByRow`, the built-in one, or
pg_dump and psql. :data:`FAULTY` says which guarantee each one breaks, and how that shows.
"""

from verifier.implementations.faulty.table import FAULTY, Faulty

__all__ = ["FAULTY", "Faulty"]
