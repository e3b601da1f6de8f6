"""Proves a PostgreSQL backup/restore implementation right or wrong."""

__version__ = "0.1.0"
