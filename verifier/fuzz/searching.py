"""World after world put to one implementation, in one process; what fails is made small."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg

from verifier.errors import NotOffered, RestoreVerifierError, ServerError
from verifier.fuzz.confirming import confirm
from verifier.fuzz.drawing import batch, invented
from verifier.fuzz.failure import Cause, Failure, cause_of
from verifier.fuzz.interrupted import Interrupted
from verifier.fuzz.interrupting import strike
from verifier.fuzz.judging import Judged, judge
from verifier.fuzz.shrinking import shrink
from verifier.fuzz.slips import slip
from verifier.fuzz.subject import Subject, subject
from verifier.implementations import Implementation
from verifier.model.breach import Breach
from verifier.model.world import BackupForm, World
from verifier.servers import Pair
from verifier.worlds.run import Ground, Unfit


@dataclass
class Tally:
    """What was tried."""

    worlds: int = 0
    failing: int = 0
    """Worlds in which something was wrong, known or not."""
    interrupted: int = 0
    """Restores that were interrupted."""
    unfit: int = 0
    """Worlds that the servers did not take."""
    unmodelled: Counter[str] = field(default_factory=Counter)
    """Worlds of which the model did not know what to expect, by the reason."""
    remarks: Counter[str] = field(default_factory=Counter)
    """What else is to be told, such as that something is not offered."""
    undrawn: Counter[str] = field(default_factory=Counter)
    """Worlds that the verifier failed to draw, by its words."""
    unjudged: dict[str, World] = field(default_factory=dict)
    """Worlds that the verifier itself failed in, by its words: the first of each."""

    def add(self, other: Tally) -> None:
        self.worlds += other.worlds
        self.failing += other.failing
        self.interrupted += other.interrupted
        self.unfit += other.unfit
        self.unmodelled.update(other.unmodelled)
        self.remarks.update(other.remarks)
        self.undrawn.update(other.undrawn)
        self.unjudged = {**other.unjudged, **self.unjudged}


class Listener(Protocol):
    """Hears what a search does, and says which failures are worth the work."""

    def begins(self, world: World) -> None:
        """It is about to be restored."""

    def confirms(self, world: World) -> None:
        """It is about to be run as a scenario."""

    def wanted(self, world: World, breaches: Iterable[Breach]) -> list[Breach]:
        """Of the breaches in ``world`` those that are new, and to be looked into."""

    def smaller(self, world: World, breach: Breach) -> None:
        """A smaller world for a wanted breach was found."""


class Known:
    """A listener that wants every cause once."""

    def __init__(self) -> None:
        self.causes: set[Cause] = set()

    def begins(self, world: World) -> None:
        pass

    def confirms(self, world: World) -> None:
        pass

    def wanted(self, world: World, breaches: Iterable[Breach]) -> list[Breach]:
        new = [each for each in breaches if cause_of(each) not in self.causes]
        self.causes.update(map(cause_of, new))
        return new

    def smaller(self, world: World, breach: Breach) -> None:
        pass


class Search:
    """Puts worlds to an implementation, on databases of its own on ``pair``."""

    def __init__(
        self, subject: Subject, pair: Pair, listener: Listener, *, shrink_seconds: float = 60.0
    ) -> None:
        self._subject, self._pair, self._listener = subject, pair, listener
        self._seconds = shrink_seconds
        self._ground = Ground(pair)
        self.tally = Tally()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(psycopg.Error, ServerError):  # what is gone needs no clearing away
            self._ground.close()

    def consider(self, world: World, interrupted: Interrupted | None = None) -> Iterator[Failure]:
        """Put one world to it; the new failures as they are made small.

        If it is to be ``interrupted``, it is run as a scenario.
        """
        judged = self.judged(world, interrupted)
        if judged is None:
            return
        if interrupted is None:
            self.tally.worlds += 1
            self.tally.failing += bool(judged.breaches)
        else:
            self.tally.interrupted += 1
        if judged.unmodelled:
            self.tally.unmodelled[judged.unmodelled] += 1
        wanted = self._listener.wanted(world, judged.breaches)
        told: set[Cause] = set()
        for breach in wanted:
            if cause_of(breach) not in told:
                failure = self.shrunk(judged, breach, interrupted)
                # What shows in its small world, too, needs no other one.
                told.update(map(cause_of, failure.breaches))
                yield failure

    def judged(self, world: World, interrupted: Interrupted | None = None) -> Judged | None:
        """What became of ``world``; ``None`` where that says nothing."""
        try:
            if interrupted is not None:
                return self._struck(world, interrupted)
            self._listener.begins(world)
            judged = judge(self._subject, self._ground, world)
        except Unfit as error:
            self.tally.unfit += 1
            self.tally.remarks[f"a world could not be made: {error}"] += 1
            return None
        except NotOffered as error:
            self.tally.remarks[f"not offered: {error}"] += 1
            return None
        except Exception as error:  # a slip of ours, which is told and must not end the search
            self.tally.unjudged[slip(error)] = world
            return None
        if judged.run is None:
            self._revive()
        return judged

    def _struck(self, world: World, interrupted: Interrupted) -> Judged:
        self._listener.confirms(world)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            found, outcome = strike(
                world, interrupted, self._subject.implementation, self._pair, Path(place)
            )
        return Judged(world, found, None, None, claim=outcome.claim)

    def shrunk(
        self, judged: Judged, breach: Breach, interrupted: Interrupted | None = None
    ) -> Failure:
        """``breach`` in the smallest world that is found for it."""
        cause, last = cause_of(breach), judged

        def fails(candidate: World) -> bool:
            nonlocal last
            again = self._tried(candidate, interrupted)
            if again is None or not again.shows(cause):
                return False
            last = again
            return True

        try:
            finished = shrink(
                judged.world,
                fails,
                near=breach.table,
                forms=self._subject.forms if interrupted is None else (BackupForm.OWN,),
                seconds=self._seconds,
                tell=lambda world: self._listener.smaller(world, breach),
            ).finished
        except (EOFError, BrokenPipeError, RestoreVerifierError):
            raise  # nobody listens, or there are no servers
        except Exception as error:  # what was found is told all the same
            self.tally.unjudged[slip(error)] = last.world
            finished = False
        failure = self._failure(judged, cause, last, finished)
        if interrupted is not None:
            return replace(failure, interrupted=interrupted)
        if last.run is None:
            return failure  # a scenario of it would end as this did
        self._listener.confirms(last.world)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            tested = self._subject.implementation
            agreement = confirm(last.world, cause[0], tested, self._pair, Path(place))
        self._revive()
        return replace(failure, agreement=agreement)

    def _tried(self, candidate: World, interrupted: Interrupted | None) -> Judged | None:
        """A step of shrinking, which is not counted."""
        counted, self.tally = self.tally, Tally()
        try:
            return self.judged(candidate, interrupted)
        finally:
            self.tally = counted

    def _failure(self, first: Judged, cause: Cause, last: Judged, finished: bool) -> Failure:
        ordered = sorted(last.breaches, key=lambda each: cause_of(each) != cause)
        run = last.run
        return Failure(
            implementation=self._subject.name,
            world=last.world,
            breaches=tuple(ordered),
            claim=last.claim,
            expected=last.expected.rows if last.expected else None,
            observed=run.observation.rows if run else None,
            first_size=first.world.size,
            finished=finished,
        )

    def _revive(self) -> None:
        """Have servers that are gone answer again, and begin with new databases on them."""
        gone = [each for each in (self._pair.source, self._pair.target) if not each.alive()]
        for server in gone:
            if server.controllable:
                server.stop()
                server.start()
        if gone:
            self._ground = Ground(self._pair)


def search(
    implementation: Implementation,
    pair: Pair,
    *,
    seconds: float,
    seed: int = 0,
    stop_at_first: bool = False,
    shrink_seconds: float = 60.0,
) -> list[Failure]:
    """Look for invented worlds in which ``implementation`` fails, for ``seconds``.

    In this process, so that one that hangs or ends its process is not survived. What is found
    last may be made small beyond that time, for at most ``shrink_seconds``.
    """
    deadline = time.monotonic() + seconds
    found: list[Failure] = []
    tested = subject(implementation)
    strategy = invented(tested, pair)
    with Search(tested, pair, Known(), shrink_seconds=shrink_seconds) as looking:
        for part in count():
            for world in batch(strategy, seed, part).worlds:
                if time.monotonic() > deadline:
                    return found
                found += looking.consider(world)
                if found and stop_at_first:
                    return found
    return found
