"""One size of the shop: every restorer into a database of its own, round by round."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import goods
import psycopg
import restorers
from measuring import Finished, measure
from restorers import Backup, Restorer
from watching import Seen, Watch

from verifier.errors import RestoreVerifierError
from verifier.servers import Database, Pair, Side, sessions

MANY = 2_000_000
"""Rows beyond which one round has to do."""
_DEADLINE = 4 * 3600.0
Content = Mapping[str, tuple[int, str]]
"""Of each table: how many rows it has, and a digest of them."""


@dataclass(slots=True)
class Timing:
    """What one restorer did with a shop; ``again`` is the same backup once more."""

    rows: int
    restorer: str
    again: bool
    seconds: list[float] = field(default_factory=list)
    """Of each round."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of the processor, client and server together, of each round."""
    client: int = 0
    """Bytes of the client's processes, of all rounds the most; so are the next two."""
    server: int = 0
    temporary: int = 0
    wrong: str = ""
    """Why it is out of the race: what it said, or what the target held afterwards."""

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds and not self.wrong else None

    @property
    def median_cpu(self) -> float | None:
        return statistics.median(self.cpu) if self.cpu and not self.wrong else None

    def take(self, finished: Finished, seen: Seen) -> None:
        self.seconds.append(finished.seconds)
        self.cpu.append(finished.cpu + seen.cpu)
        self.client = max(self.client, finished.peak, seen.client)
        self.server = max(self.server, seen.server)
        self.temporary = max(self.temporary, seen.temporary)
        if finished.overdue:
            self.wrong = f"not done after {_DEADLINE:.0f} s"
        elif finished.exit_code:
            said = " ".join(finished.stderr.split())[-300:]
            self.wrong = f"exit code {finished.exit_code}: {said}"


class Bench:
    """Times ``racing`` on one pair of servers; ``tell`` hears what is going on."""

    def __init__(
        self, pair: Pair, racing: Sequence[Restorer], rounds: int, tell: Callable[[str], None]
    ) -> None:
        self._pair, self._racing, self._rounds, self._tell = pair, racing, rounds, tell

    def run(self, rows: int) -> list[Timing]:
        """The timings of every restorer with a shop of ``rows`` rows, first and again."""
        with (
            tempfile.TemporaryDirectory(prefix="restore-verifier-benchmark-") as name,
            self._database(Side.SOURCE) as source,
        ):
            self._tell(f"{rows:,} rows: making the shop")
            goods.create(source)
            goods.fill(source, rows)
            content = goods.digest(source)
            assert {table: count for table, (count, _) in content.items()} == goods.expected(rows)
            backups = self._backups(source, Path(name))
            return self._raced(rows, content, backups)

    @contextmanager
    def _database(self, side: Side) -> Iterator[Database]:
        databases = self._pair.databases(side)
        database = databases.create("benchmark")
        try:
            yield database
        finally:
            databases.drop(database)

    def _backups(self, source: Database, directory: Path) -> dict[Backup, Path | str]:
        """Each backup that is needed: its file, or why there is none."""
        needed = {each.backup for each in self._racing}
        if Backup.UPSERTS in needed:
            needed.add(Backup.INSERTS)  # it is made of them
        found: dict[Backup, Path | str] = {}
        for backup in Backup:
            if backup in needed:
                self._tell(f"making {backup}")
                try:
                    found[backup] = restorers.back_up(source, backup, directory)
                except (RestoreVerifierError, OSError) as error:
                    found[backup] = f"no backup: {error}"
        return found

    def _raced(
        self, rows: int, content: Content, backups: Mapping[Backup, Path | str]
    ) -> list[Timing]:
        """Interleaved, so that what else the machine does hits everybody."""
        times = {each: _timings(rows, each) for each in self._racing}
        rounds = 1 if rows > MANY else self._rounds
        for number in range(rounds):
            for restorer, timings in times.items():
                self._tell(f"{rows:,} rows: {restorer.words}, round {number + 1} of {rounds}")
                backup = backups[restorer.backup]
                if isinstance(backup, str):
                    timings[0].wrong = backup
                if not any(each.wrong for each in timings):
                    self._restored(restorer, Path(backup), content, timings)
        return [timing for timings in times.values() for timing in timings]

    def _restored(
        self, restorer: Restorer, backup: Path, content: Content, timings: Sequence[Timing]
    ) -> None:
        """Restore ``backup`` into a new shop, as many times as there are ``timings``."""
        with self._database(Side.TARGET) as target:
            goods.create(target)
            watch = Watch(target)
            command = restorer.command(backup, target.server.major)
            for timing in timings:
                with sessions.connect(target.admin) as session:
                    session.execute("CHECKPOINT")  # nobody writes what another one has changed
                finished = measure(
                    command,
                    restorer.environ(target.dsn),
                    deadline=_DEADLINE,
                    watching=watch.during,
                )
                timing.take(finished, watch.seen)
                timing.wrong = timing.wrong or _difference(target, content)
                if timing.wrong:
                    return


def _timings(rows: int, restorer: Restorer) -> list[Timing]:
    return [Timing(rows, restorer.name, again) for again in (False, True)[: 1 + restorer.again]]


def _difference(target: Database, content: Content) -> str:
    """What is wrong with the restored shop; empty when it holds what the source held."""
    try:
        found = goods.digest(target)
    except psycopg.Error as error:
        return f"the target cannot be read: {error}"
    wrong = [
        f"{table} has {found[table][0]} rows of {content[table][0]}"
        if found[table][0] != content[table][0]
        else f"{table} has other rows than the source"
        for table in content
        if found[table] != content[table]
    ]
    return "; ".join(wrong)
