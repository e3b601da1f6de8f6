"""How long the search takes to find each fault that is planted in a copy of the engine.

    python -m benchmarks.planted [--seed N] [--seconds N] [--jobs N] [NAME ...]

Each search runs in one process, ``--jobs`` of them side by side (2), each with servers of its
own. Prints the table of docs/fuzz.md. Exit code 1: a fault was not found, or not in a world of at
most three tables and six rows.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator

from tests.planted.hunting import Hunt, hunt
from tests.planted.plants import PLANTS
from verifier.config import Config, ServerKind
from verifier.servers import choose

_HEAD = """\
| fault | worlds | seconds | shrinking | tables | rows | found as |
|---|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", default=list(PLANTS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    for name in asked.names:
        if name not in PLANTS:
            parser.error(f"there is no planted fault {name!r}; choose from {', '.join(PLANTS)}")
    print(_HEAD, flush=True)
    tasks = [(name, asked.seed, asked.seconds) for name in asked.names]
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=1) as pool:
        fine = [_printed(*told) for told in pool.imap_unordered(_told, tasks)]
    return 0 if all(fine) else 1


def _printed(row: str, fine: bool) -> bool:
    print(row, flush=True)
    return fine


def _told(task: tuple[str, int, float]) -> tuple[str, bool]:
    """A row of the table, and whether it is as it should be."""
    name, seed, seconds = task
    config = Config(servers=ServerKind.EMBEDDED)
    with choose(config).start() as pair:
        found = hunt(PLANTS[name], pair, seconds=seconds, seed=seed)
    return f"| {' | '.join(_cells(found))} |", _small(found)


def _cells(found: Hunt) -> Iterator[str]:
    yield f"`{found.plant.name}`: {found.plant.says}"
    yield f"{found.worlds}"
    yield f"{found.seconds:.1f}"
    failure = found.failure
    if failure is None:
        yield from ("", "", "", "not found")
        return
    yield f"{found.shrinking:.1f}"
    yield f"{len(failure.world.schema.tables)}"
    yield f"{failure.world.size}"
    yield f"{failure.breach.guarantee}: {failure.breach.cause}"


def _small(found: Hunt) -> bool:
    failure = found.failure
    return bool(failure and len(failure.world.schema.tables) <= 3 and failure.world.size <= 6)


if __name__ == "__main__":
    raise SystemExit(main())
