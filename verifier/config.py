"""One frozen configuration: flag > environment > file > default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from verifier.dsn import Dsn


class ServerKind(StrEnum):
    """Where PostgreSQL comes from (``--servers``)."""

    AUTO = "auto"
    DOCKER = "docker"
    EMBEDDED = "embedded"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; ``None`` means that the provider decides."""

    servers: ServerKind = ServerKind.AUTO
    source_version: int | None = None
    """Major version of the source server."""
    target_version: int | None = None
    source_image: str | None = None
    """Docker image of the source server; wins over ``source_version``."""
    target_image: str | None = None
    source_dsn: Dsn | None = None
    """External server for the source; the database in it is only connected to."""
    target_dsn: Dsn | None = None
    implementation: str = "initial-load"
    rows: int = 300
    """About how many rows a seeded source holds, over all tables."""
    seed: int = 20251208
    """Of the generated data; the same seed makes the same data."""
    control_tables: tuple[str, ...] = ("_prisma_migrations", "InitialLoadSessions")
    """Tables that describe a database itself and are never moved to another one."""
