"""How many invented worlds a second one core makes, without a database.

    python benchmarks/worlds.py [--worlds 2000] [--rounds 3] [--out figures.json]

What is measured is all that a test has to pay: hypothesis, schema, rows of both sides.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).parent.parent))

from hypothesis import HealthCheck, Phase, given, seed, settings

from fixtures.strategies import schemas, worlds
from verifier.model.schema import Schema
from verifier.model.world import World


def timed(number: int, start: int, strategy: object, seen: Callable[[object], None]) -> float:
    """Seconds of the processor for a draw, over ``number`` of them."""

    @seed(start)
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(each: object) -> None:
        seen(each)

    began = time.process_time()
    draw()
    return time.process_time() - began


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    figures = [_measured(asked.worlds, start) for start in range(asked.rounds)]
    found = {name: median(each[name] for each in figures) for name in figures[0]}
    if asked.out:
        asked.out.write_text(json.dumps(found))
    print("| worlds/s | schemas/s | tables a world | rows a world | rows/s |")
    print("|---|---|---|---|---|")
    print(
        f"| {found['worlds']:,.0f} | {found['schemas']:,.0f} | {found['tables']:.1f} "
        f"| {found['rows']:.1f} | {found['worlds'] * found['rows']:,.0f} |"
    )


def _measured(number: int, start: int) -> dict[str, float]:
    drawn: list[World] = []
    others: list[Schema] = []
    seconds = timed(number, start, worlds(), drawn.append)
    bare = timed(number, start, schemas(), others.append)
    return {
        "worlds": len(drawn) / seconds,
        "schemas": len(others) / bare,
        "tables": mean(len(world.schema.tables) for world in drawn),
        "rows": mean(world.size for world in drawn),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
