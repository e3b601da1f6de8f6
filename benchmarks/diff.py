"""``restore-verifier diff`` and reladiff, side by side; ``docs/benchmarks.md`` has the outcome.

    python benchmarks/diff.py                       100,000 and 1,000,000 rows
    python benchmarks/diff.py --huge                and 10,000,000
    python benchmarks/diff.py --kill-rate           what either misses, in place of speed

Starts a pair of servers of its own, makes the shop's ``product_variants`` on both sides,
changes one side step by step, and has every contender compare them, in interleaved rounds
(the best counts), each as a command in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import eyesight
import peer
import shop
import tables
from timing import Bench, Timing

from verifier import __version__
from verifier.config import Config, ServerKind
from verifier.errors import RestoreVerifierError
from verifier.servers import Pair, choose, sessions

_HUGE = 10_000_000
_SEED_ROW = 8 << 10
"""Bytes for which the servers make room per row that they are announced."""
_BASE = 1 << 30
_STATE_NAMES = ", ".join(state.name for state in shop.STATES)


def main() -> int:
    options = _options()
    program = None if options.without_peer else peer.installed()
    rows = [0] if options.kill_rate else options.rows
    need = shop.space(max(rows)) + _BASE
    config = Config(
        servers=ServerKind.EMBEDDED,
        source_version=18,
        target_version=18,
        # Servers go to memory where there is twice the room for so many rows of theirs.
        rows=max(1, (need // 2 - _BASE) // _SEED_ROW),
    )
    try:
        with choose(config).start() as pair:
            place = _roomy(pair, need)
            machine = _machine(pair, place)
            print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
            if options.kill_rate:
                judged = eyesight.Eyesight.prepare(pair, program).judge()
                shown, found = list(eyesight.lines(judged)), [asdict(each) for each in judged]
            else:
                timings = _timed(pair, program, options)
                shown, found = list(tables.summary(timings)), [asdict(each) for each in timings]
    except RestoreVerifierError as error:
        print(f"benchmarks/diff.py: {error}", file=sys.stderr)
        return 2
    print("\n".join(shown))
    if options.out:
        what = "kill_rate" if options.kill_rate else "timings"
        options.out.write_text(json.dumps({"machine": machine, what: found}, indent=1) + "\n")
    return 0


def _timed(pair: Pair, program: Path | None, options: argparse.Namespace) -> list[Timing]:
    """Every timing; each size is shown as soon as it is done."""
    bench = Bench(pair, program, options.rounds, options.states, _tell)
    timings: list[Timing] = []
    for key in options.keys:
        for rows in options.rows:
            found = list(bench.run(key, rows))
            print("\n".join(tables.of_one_size(found)), flush=True)
            timings += found
    return timings


def _tell(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _roomy(pair: Pair, need: int) -> Path:
    """Where the servers keep their data; raises when there is too little room."""
    with sessions.connect(pair.source.admin) as session:
        ((place,),) = session.execute("SHOW data_directory").fetchall()
    free = shutil.disk_usage(place).free
    if free < need:
        raise RestoreVerifierError(
            f"tables of this size take about {need / 1e9:.0f} GB, and {place} has"
            f" {free / 1e9:.1f} GB free; make room there, set TMPDIR to a roomier directory,"
            " or ask for fewer --rows"
        )
    return Path(place)


def _machine(pair: Pair, place: Path) -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {memory / 1e9:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "servers": f"PostgreSQL {pair.source.version} and {pair.target.version}, embedded, data in"
        f" {'memory' if place.is_relative_to('/dev/shm') else 'files'}",
        "restore-verifier": f"{__version__}, Python {platform.python_version()}",
        "reladiff": peer.VERSION,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=_sizes, default=[100_000, 1_000_000], metavar="N,N")
    parser.add_argument("--huge", action="store_true", help=f"{_HUGE:,} rows, too")
    parser.add_argument("--keys", type=_keys, default=list(shop.KEYS), metavar="KIND,KIND")
    parser.add_argument(
        "--states", type=_states, default=list(shop.STATES), metavar="NAME,NAME", help=_STATE_NAMES
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="3 unless given")
    parser.add_argument("--without-peer", action="store_true", help="leave reladiff out")
    parser.add_argument("--kill-rate", action="store_true", help="data mutations: who sees them")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    if options.huge:
        options.rows = sorted({*options.rows, _HUGE})
    if options.kill_rate and options.without_peer:
        parser.error("--kill-rate is about the peer: leave --without-peer out")
    return options


def _states(text: str) -> list[shop.State]:
    names = text.split(",")
    found = [state for state in shop.STATES if state.name in names]
    if len(found) != len(names):
        raise argparse.ArgumentTypeError(f"choose from {_STATE_NAMES}")
    return found


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(each.replace("_", "")) for each in text.split(",")})
    if any(size < shop.UNIT or size % shop.UNIT for size in sizes):
        raise argparse.ArgumentTypeError(f"give multiples of {shop.UNIT:,}")
    return sizes


def _keys(text: str) -> list[str]:
    keys = text.split(",")
    if not set(keys) <= set(shop.KEYS):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(shop.KEYS)}")
    return keys


if __name__ == "__main__":
    sys.exit(main())
