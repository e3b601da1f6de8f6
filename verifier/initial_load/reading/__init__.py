"""Backups as data: every format becomes the events of ``events``."""
