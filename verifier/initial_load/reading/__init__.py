"""Backups as data, whatever their format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from verifier.initial_load.reading.events import Event
from verifier.initial_load.reading.sql import read_sql


def read(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        yield from read_sql(file, path.name)
