"""One size of the table and one kind of key: every contender in every state, round by round."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import contenders
import peer
import shop
from contenders import Contender, Sides, WrongAnswer
from measuring import Finished, measure

from verifier.servers import Pair, Side

MANY = 2_000_000
"""Rows beyond which one round has to do, and reladiff's best settings are those found before."""
PATIENCE = 10.0
"""How many times our own time reladiff gets when every row differs."""


@dataclass(slots=True)
class Timing:
    """What one contender did with one state of the table."""

    key: str
    rows: int
    state: str
    contender: str
    settings: str = ""
    seconds: list[float] = field(default_factory=list)
    """Of each round."""
    peak: int = 0
    """Bytes in memory, of all rounds the most."""
    wrong: str = ""
    """What was wrong with its answer; it is out of the race then."""

    @property
    def best(self) -> float | None:
        return min(self.seconds) if self.seconds and not self.wrong else None

    def take(self, finished: Finished, contender: Contender, expected: int) -> None:
        self.seconds.append(finished.seconds)
        self.peak = max(self.peak, finished.peak)
        try:
            contender.check(finished, expected)
        except WrongAnswer as error:
            self.wrong = str(error)


class Bench:
    """Times contenders on one pair of servers; ``program`` is reladiff, if it takes part."""

    def __init__(
        self,
        pair: Pair,
        program: Path | None,
        rounds: int,
        states: Sequence[shop.State],
        tell: Callable[[str], None],
    ) -> None:
        self._pair, self._program, self._rounds, self._tell = pair, program, rounds, tell
        self._states = states
        self._tuned: dict[tuple[str, str], Sequence[str]] = {}
        # What asks for more is refused: the servers' data is in the same memory.
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._memory = max(free // 2, 2 << 30)

    def run(self, key: str, rows: int) -> Iterator[Timing]:
        """The timings of every state of a table with ``rows`` rows."""
        with self._sides() as sides:
            self._tell(f"{rows:,} rows with a key of {key} are made on both sides")
            shop.fill(sides, key, rows)
            before = shop.STATES[0]
            for state in self._states:
                if state is not before:
                    shop.change(sides[1], state, before, rows)
                before = state
                yield from self._raced(sides, key, rows, state)

    @contextmanager
    def _sides(self) -> Iterator[Sides]:
        source, target = (self._pair.databases(side).create("benchmark") for side in Side)
        try:
            yield source, target
        finally:
            for side, database in zip(Side, (source, target), strict=True):
                self._pair.databases(side).drop(database)

    def _raced(self, sides: Sides, key: str, rows: int, state: shop.State) -> list[Timing]:
        racing = list(self._contenders(sides, key, rows, state))
        timings = [Timing(key, rows, state.name, each.name, each.settings) for each in racing]
        rounds = 1 if rows > MANY else self._rounds
        for number in range(rounds):
            self._tell(f"{rows:,} rows, {key} key, {state.words}: round {number + 1} of {rounds}")
            for contender, timing in zip(racing, timings, strict=True):
                if timing.wrong:
                    continue
                impatient = state.name == "every" and self._is_peer(contender)
                deadline = timings[0].seconds[0] * PATIENCE if impatient else 3600.0
                timing.take(
                    self._measured(sides, contender, deadline), contender, state.differing(rows)
                )
        return timings

    def _contenders(
        self, sides: Sides, key: str, rows: int, state: shop.State
    ) -> Iterator[Contender]:
        yield contenders.ours(sides)
        if self._program and not (state.name == "every" and rows > MANY):
            yield contenders.reladiff(sides, self._program, contenders.DEFAULT, ())
            settings = self._best(sides, self._program, key, rows, state)
            if settings:
                yield contenders.reladiff(sides, self._program, contenders.BEST, settings)
        yield from contenders.aggregates(sides)

    def _best(
        self, sides: Sides, program: Path, key: str, rows: int, state: shop.State
    ) -> Sequence[str]:
        """reladiff's fastest settings for a state of the table; empty when none gets it right."""
        if state.name == "every":  # too slow to try them all
            return self._tuned.get((key, "percent"), ())
        if rows > MANY and (key, state.name) in self._tuned:
            return self._tuned[key, state.name]
        self._tell(f"{rows:,} rows, {key} key, {state.words}: looking for reladiff's best settings")
        times: dict[Sequence[str], float] = {}
        for tuning in peer.TUNINGS:
            settings = (*tuning, *peer.LEAN)
            contender = contenders.reladiff(sides, program, contenders.BEST, settings)
            timing = Timing(key, rows, state.name, contender.name)
            timing.take(self._measured(sides, contender), contender, state.differing(rows))
            if timing.best is not None:
                times[settings] = timing.best
        self._tuned[key, state.name] = min(times, key=times.__getitem__) if times else ()
        return self._tuned[key, state.name]

    def _measured(self, sides: Sides, contender: Contender, deadline: float = 3600.0) -> Finished:
        memory = self._memory if self._is_peer(contender) else 0
        finished = measure(contender.command, contender.environ, deadline=deadline, memory=memory)
        if finished.overdue:  # its queries would go on, and be in the way of the next
            for side in sides:
                side.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        return finished

    @staticmethod
    def _is_peer(contender: Contender) -> bool:
        return contender.name in (contenders.DEFAULT, contenders.BEST)
