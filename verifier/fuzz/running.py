"""A whole search: the worlds of earlier runs, then new ones; what is kept, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verifier.config import Config
from verifier.errors import UsageError
from verifier.fuzz.handing_out import Handout, named
from verifier.fuzz.keeping import Kept
from verifier.fuzz.pool import Found, Pool
from verifier.fuzz.reporting import Report
from verifier.fuzz.worker import Limits
from verifier.model.world import World
from verifier.worlds.store import decode

SHRINKING = 60.0
"""Seconds that one failing world may take to be made small."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a search is asked to do."""

    config: Config
    seed: int
    jobs: int
    out: Path
    """For the files of what is found."""
    database: Path
    """For failing worlds, until the next run."""
    replay: Path | None = None
    """The world of this file, and nothing else."""


def run(wanted: Wanted, tell: Callable[[Found], None] = lambda found: None) -> Report:
    """Search, keep what failed, and say what it came to. No file of a failure is written yet.

    Raises :class:`~verifier.errors.RestoreVerifierError` where nothing could be run.
    """
    config = wanted.config
    limits = Limits(config.world_timeout, SHRINKING)
    if wanted.replay is not None:
        worlds = [_read(wanted.replay)]
        found = Pool(config, 1, limits, tell).run(0, wanted.seed, worlds, draw=False)
        return _report(wanted, found)
    kept = Kept(wanted.database, config.implementation, str(config.schema or ""))
    earlier = kept.fetch()
    pool = Pool(config, wanted.jobs, limits, tell)
    found = pool.run(config.minutes * 60, wanted.seed, earlier)
    mended = [world for number, world in enumerate(earlier) if found.kept.get(number) is False]
    small = [each.world for each in found.failures if each.interrupted is None]
    # One that failed as before may have been made smaller, or fails as another one does.
    tried = [world for number, world in enumerate(earlier) if number in found.kept]
    kept.replace(tried, small)
    return _report(wanted, found, len(mended))


def _report(wanted: Wanted, found: Found, gone: int = 0) -> Report:
    handouts: list[Handout] = []
    for failure in found.failures:
        taken = [each.name for each in handouts]
        handouts.append(named(failure, wanted.out, taken))
    return Report(
        implementation=wanted.config.implementation,
        seed=wanted.seed,
        found=found,
        handouts=handouts,
        gone=gone,
    )


def _read(path: Path) -> World:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"--replay {path} cannot be read: {error.strerror}; name a file that a fuzz wrote"
        ) from None
    except UsageError as error:
        raise UsageError(f"--replay {path}: {error}") from None
