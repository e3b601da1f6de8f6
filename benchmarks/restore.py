"""``restore-verifier restore`` beside psql and a file of upserts; ``docs/benchmarks.md``.

    python benchmarks/restore.py                    100,000 and 1,000,000 rows
    python benchmarks/restore.py --huge             and 10,000,000
    python benchmarks/restore.py --only copy,ours-copy --rounds 5

Starts a pair of servers of its own, makes the shop on one of them and backups of it, and has
every contender restore its backup into a new shop on the other, in interleaved rounds (the
median counts), each as a command in a process of its own. What can be repeated is restored
once more into the same shop. After every restore, the target has to hold what the source holds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import goods
import restored
import restorers
from restorers import Backup, Restorer
from restoring import Bench, Timing

from verifier import __version__
from verifier.config import Config, ServerKind
from verifier.errors import RestoreVerifierError
from verifier.servers import Pair, choose, sessions

_HUGE = 10_000_000
_SEED_ROW = 8 << 10
"""Bytes for which the servers make room per row that they are announced."""
_BASE = 1 << 30
_STORED, _LOG, _MOST_LOG = 1500, 1200, 1_500_000_000
"""Bytes that a row takes up in both databases, in staging and as an old version; what it
makes of write-ahead log, and how much of that a server keeps."""
_WRITTEN = {Backup.COPY: 270, Backup.INSERTS: 470, Backup.UPSERTS: 840, Backup.OWN: 270}
"""Bytes of a row in each backup."""


def main() -> int:
    options = _options()
    rows = max(options.rows)
    stored = rows * _STORED + 2 * min(rows * _LOG, _MOST_LOG) + _BASE
    config = Config(
        servers=ServerKind.EMBEDDED,
        source_version=18,
        target_version=18,
        # Servers go to memory where there is twice the room for so many rows of theirs.
        rows=max(1, (stored - _BASE) // _SEED_ROW),
    )
    timings: list[Timing] = []
    try:
        with choose(config).start() as pair:
            place, settings = _about(pair)
            _room(place, stored, rows, options.only)
            machine = _machine(pair, place, settings)
            print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
            bench = Bench(pair, options.only, options.rounds, _tell)
            for each in options.rows:
                found = bench.run(each)
                print("\n".join(restored.of_one_size(found)), flush=True)
                timings += found
    except RestoreVerifierError as error:
        print(f"benchmarks/restore.py: {error}", file=sys.stderr)
        return 2
    print("\n".join([*restored.growth(timings), *restored.claims(timings)]))
    if options.out:
        found_all = [asdict(each) for each in timings]
        options.out.write_text(
            json.dumps({"machine": machine, "timings": found_all}, indent=1) + "\n"
        )
    return 1 if any(each.wrong for each in timings) else 0


def _tell(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _about(pair: Pair) -> tuple[Path, str]:
    """Where the servers keep their data, and the settings that timings depend on."""
    names = ("data_directory", "shared_buffers", "fsync", "max_wal_size")
    with sessions.connect(pair.target.admin) as session:
        place, *values = (
            str(value) for name in names for (value,) in session.execute(f"SHOW {name}").fetchall()
        )
    return Path(place), ", ".join(map(" = ".join, zip(names[1:], values, strict=True)))


def _room(place: Path, stored: int, rows: int, racing: list[Restorer]) -> None:
    """Say how much room is needed; raises when there is too little."""
    kinds = {each.backup for each in racing}
    if Backup.UPSERTS in kinds:
        kinds.add(Backup.INSERTS)
    written = rows * sum(_WRITTEN[kind] for kind in kinds)
    files = Path(tempfile.gettempdir())
    _tell(f"servers take up to {stored / 1e9:.1f} GB, backups {written / 1e9:.1f} GB in {files}")
    needs = {place: stored, files: written}
    if place.stat().st_dev == files.stat().st_dev:
        needs = {place: stored + written}
    for directory, need in needs.items():
        free = shutil.disk_usage(directory).free
        if free < need:
            raise RestoreVerifierError(
                f"shops of this size take about {need / 1e9:.1f} GB in {directory}, which has"
                f" {free / 1e9:.1f} GB free; make room there, set TMPDIR to a roomier directory,"
                " or ask for fewer --rows"
            )


def _machine(pair: Pair, place: Path, settings: str) -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    where = "memory" if place.is_relative_to("/dev/shm") else "files"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {memory / 1e9:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "servers": f"PostgreSQL {pair.target.version}, embedded, data in {where}; {settings}",
        "restore-verifier": f"{__version__}, Python {platform.python_version()}",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(each.name for each in restorers.ALL)
    parser.add_argument("--rows", type=_sizes, default=[100_000, 1_000_000], metavar="N,N")
    parser.add_argument("--huge", action="store_true", help=f"{_HUGE:,} rows, too, in one round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="3 unless given")
    parser.add_argument(
        "--only", type=_restorers, default=list(restorers.ALL), metavar="NAME,NAME", help=names
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    if options.huge:
        options.rows = sorted({*options.rows, _HUGE})
    if options.rounds < 1:
        parser.error("--rounds has to be 1 or more")
    return options


def _restorers(text: str) -> list[Restorer]:
    names = text.split(",")
    found = [each for each in restorers.ALL if each.name in names]
    if len(found) != len(names):
        raise argparse.ArgumentTypeError(
            f"choose from {', '.join(each.name for each in restorers.ALL)}"
        )
    return found


def _sizes(text: str) -> list[int]:
    try:
        sizes = sorted({int(each.replace("_", "")) for each in text.split(",")})
    except ValueError:
        sizes = [0]
    if any(size < goods.UNIT or size % goods.UNIT for size in sizes):
        raise argparse.ArgumentTypeError(f"give multiples of {goods.UNIT:,}")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
