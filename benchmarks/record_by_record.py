"""The built-in backup and restore beside one HTTP request for each record; ``docs/benchmarks.md``.

    python benchmarks/record_by_record.py                        10,000 products
    python benchmarks/record_by_record.py --products 2000 --rounds 3

Starts a pair of servers of its own and makes a shop on one of them: products, and four variants
of each. Both methods then load it into a new shop on the other, and once more into the same,
in interleaved rounds of which the median counts. Afterwards, the target has to hold what the
source holds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import goods
import records
from measuring import Finished, measure
from watching import Seen, Watch

from verifier import __version__
from verifier.config import Config, ServerKind
from verifier.errors import RestoreVerifierError
from verifier.servers import Database, Pair, Side, choose, sessions

OURS, BY_RECORD = "backup and restore", "a request for each record"
_PROGRAM = Path(sys.executable).with_name("restore-verifier")
_MEGABYTE = 1_000_000
_DEADLINE = 4 * 3600.0
_UNIT = 200
"""Products of the smallest shop: what makes all counts of :mod:`goods` exact."""


@dataclass(slots=True)
class Load:
    """What one method took; ``again`` is the same load once more."""

    method: str
    again: bool
    seconds: list[float] = field(default_factory=list)
    """Of each round."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of the processor, of the processes that move the rows and of their sessions in
    the target together, of each round: other work on the machine disturbs these less."""
    client: int = 0
    """Bytes of the processes that move the rows, together, of all rounds the most."""
    server: int = 0
    """The same of their sessions in the target."""
    wrong: str = ""
    """What was said, or what the target held afterwards; what is wrong counts for nothing."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds and not self.wrong else 0.0

    @property
    def median_cpu(self) -> float:
        return statistics.median(self.cpu) if self.cpu and not self.wrong else 0.0

    def take(self, finished: Sequence[Finished], seen: Sequence[Seen]) -> None:
        self.seconds.append(sum(each.seconds for each in finished))
        self.cpu.append(sum(each.cpu for each in (*finished, *seen)))
        self.client = max([self.client, *(each.peak for each in finished)])
        self.client = max([self.client, *(each.client for each in seen)])
        self.server = max([self.server, *(each.server for each in seen)])
        for each in finished:
            if each.exit_code or each.overdue:
                said = " ".join(each.stderr.split())[-300:]
                self.wrong = f"exit code {each.exit_code}: {said}"


def main() -> int:
    options = _options()
    rows = options.products * 5
    config = Config(servers=ServerKind.EMBEDDED, source_version=18, target_version=18, rows=rows)
    try:
        with choose(config).start() as pair:
            machine = _machine(pair)
            print("\n".join(f"{name}: {value}" for name, value in machine.items()), end="\n\n")
            loads = _race(pair, rows, options.rounds)
    except RestoreVerifierError as error:
        print(f"benchmarks/record_by_record.py: {error}", file=sys.stderr)
        return 2
    print("\n".join(_table(loads, options.products, sum(goods.expected(rows).values()))))
    if options.out:
        found = [asdict(each) for each in loads]
        options.out.write_text(json.dumps({"machine": machine, "loads": found}, indent=1) + "\n")
    return 1 if any(each.wrong for each in loads) else 0


def _race(pair: Pair, rows: int, rounds: int) -> list[Load]:
    databases = pair.databases(Side.SOURCE)
    source = databases.create("benchmark")
    _tell(f"making a shop of {rows // 5:,} products")
    goods.create(source)
    goods.fill(source, rows)
    content = goods.digest(source)
    loads = [Load(method, again) for method in (OURS, BY_RECORD) for again in (False, True)]
    for number in range(rounds):
        for method in (OURS, BY_RECORD):
            _tell(f"{method}, round {number + 1} of {rounds}")
            _load(pair, source, content, [each for each in loads if each.method == method])
    return loads


def _load(
    pair: Pair, source: Database, content: Mapping[str, tuple[int, str]], loads: Sequence[Load]
) -> None:
    """Into a new shop, as many times as there are ``loads``."""
    databases = pair.databases(Side.TARGET)
    target = databases.create("benchmark")
    goods.create(target)
    watch = Watch(target)
    for load in loads:
        with closing(sessions.connect(target.admin)) as session:
            session.execute("CHECKPOINT")  # nobody writes what another one has changed
        with tempfile.TemporaryDirectory(prefix="restore-verifier-benchmark-") as name:
            finished, seen = [], []
            for command, environ in _commands(load.method, source, target, Path(name)):
                finished.append(
                    measure(command, environ, deadline=_DEADLINE, watching=watch.during)
                )
                seen.append(watch.seen)
        load.take(finished, seen)
        if not load.wrong and goods.digest(target) != content:
            load.wrong = "the target holds other rows than the source"
    databases.drop(target)


def _commands(
    method: str, source: Database, target: Database, directory: Path
) -> list[tuple[Sequence[str | Path], Mapping[str, str]]]:
    if method == BY_RECORD:
        script = Path(records.__file__)
        dsns = {records.SOURCE: source.dsn.conninfo, records.TARGET: target.dsn.conninfo}
        return [([sys.executable, script, "send"], dsns)]
    file = directory / "shop.sql"
    return [
        ([_PROGRAM, "backup", file], {"RESTORE_VERIFIER_SOURCE_DSN": source.dsn.conninfo}),
        ([_PROGRAM, "restore", file], {"RESTORE_VERIFIER_TARGET_DSN": target.dsn.conninfo}),
    ]


def _table(loads: Sequence[Load], products: int, count: int) -> list[str]:
    names = ("seconds", "/ ours", "cpu s", "/ ours", "records/s", "client MB", "server MB")
    lines = [f"{products:,} products, {count:,} records", _line("", names)]
    ours = {each.again: each for each in loads if each.method == OURS}
    for each in loads:
        words, limit = f"{each.method}{', again' * each.again}", ours[each.again]
        if each.wrong:
            lines.append(f"{words:<34}FAILED: {each.wrong}")
            continue
        figures = (
            f"{each.median:.2f}",
            f"{each.median / limit.median:.1f}" if limit.median else "",
            f"{each.median_cpu:.1f}",
            f"{each.median_cpu / limit.median_cpu:.1f}" if limit.median_cpu else "",
            f"{count / each.median:,.0f}",
            f"{each.client / _MEGABYTE:.0f}",
            f"{each.server / _MEGABYTE:.0f}",
        )
        lines.append(_line(words, figures))
    return lines


def _line(words: str, figures: Sequence[str]) -> str:
    return f"{words:<34}" + "".join(f"{each:>11}" for each in figures)


def _machine(pair: Pair) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "servers": f"PostgreSQL {pair.target.version}, embedded",
        "restore-verifier": f"{__version__}, Python {platform.python_version()}",
    }


def _tell(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--products", type=int, default=10_000, metavar="N", help="10,000 unless given"
    )
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="1 unless given")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    if options.products < _UNIT or options.products % _UNIT:
        parser.error(f"--products has to be a multiple of {_UNIT}")
    if options.rounds < 1:
        parser.error("--rounds has to be 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
