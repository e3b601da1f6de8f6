"""The processes of a search, and the one that gives them their tasks and hears what they find.

A process that hangs in one world is killed with everything that it has started, as if the
implementation had killed it itself; another one goes on with the next world.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import cast

from verifier.config import Config
from verifier.errors import RestoreVerifierError, UsageError
from verifier.fuzz import worker
from verifier.fuzz.apart import dies, hangs
from verifier.fuzz.failure import Cause, Failure, cause_of
from verifier.fuzz.process import Process
from verifier.fuzz.searching import Tally
from verifier.fuzz.worker import Limits
from verifier.interrupts import Stopped, stoppable
from verifier.model.breach import Breach
from verifier.model.world import World

_LOOK = 0.25
"""Seconds between two looks at the clock."""
_FOR_EVER = float("inf")


@dataclass
class Found:
    """What a search came to, or has come to so far."""

    failures: list[Failure] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    seen: Counter[Cause] = field(default_factory=Counter)
    """Worlds in which each failure showed."""
    kept: dict[int, bool] = field(default_factory=dict)
    """Of the worlds of earlier runs that were tried again, whether they still fail."""
    versions: tuple[str, str] = ("", "")
    unmade: tuple[str, ...] = ()
    """Of a schema of one's own, what no rows can be made for."""
    seconds: float = 0.0
    """From the first world to the last."""
    left: float = 0.0
    """Seconds that are left."""
    stopped: Stopped | None = None
    """It was told to stop before its time was over."""
    ended: str = ""
    """Why it could not go on before its time was over."""


class Pool:
    """``jobs`` processes that put worlds to the implementation of ``config``."""

    def __init__(
        self,
        config: Config,
        jobs: int,
        limits: Limits,
        tell: Callable[[Found], None] = lambda found: None,
    ) -> None:
        self._config, self._jobs, self._limits, self._tell = config, jobs, limits, tell
        self._found = Found()
        self._known: set[Cause] = set()
        self._tasks: deque[worker.Task] = deque()
        self._careful: deque[worker.Try] = deque()
        """Worlds that took a process along. They are looked into whatever the time is."""
        self._workers: list[Process] = []
        self._began = self._until = 0.0

    def run(
        self, seconds: float, seed: int, kept: Sequence[World] = (), *, draw: bool = True
    ) -> Found:
        """Search for ``seconds``, in the worlds of earlier runs first.

        Without ``draw`` these are all, whatever time they take.

        Raises :class:`RestoreVerifierError` where no process can work at all.
        """
        self._seconds = seconds if draw else _FOR_EVER
        self._tasks.extend(worker.Try(world, number) for number, world in enumerate(kept))
        self._batches = (worker.Draw(seed, part) for part in (count() if draw else ()))
        try:
            with stoppable("what was found until then is told"):
                for _ in range(self._jobs):
                    self._start()
                while self._workers:
                    self._listen()
                    if self._careful and not self._workers:
                        self._start()
        except Stopped as stopped:
            self._found.stopped = stopped
            self._give_up()
        except RestoreVerifierError as error:
            self._give_up()
            if not (self._found.tally.worlds or self._found.failures):
                raise
            self._found.ended = str(error)
        finally:
            self._end()
        return self._found

    # -- processes ---------------------------------------------------------------------------

    def _start(self) -> None:
        self._workers.append(Process(self._config, self._limits))

    def _end(self) -> None:
        for each in self._workers:
            each.terminate()
        for each in self._workers:
            each.end()
        self._workers.clear()

    def _listen(self) -> None:
        channels = {each.channel: each for each in self._workers}
        for ready in wait(list(channels), _LOOK):
            each = channels[cast(Connection, ready)]
            try:
                said = each.channel.recv()
            except (EOFError, OSError):
                self._gone(each)
            else:
                self._heard(each, said)
        now = time.monotonic()
        for each in [each for each in self._workers if now > each.deadline]:
            self._lost(each, hangs(self._limits.world))
        if self._until:
            self._found.left = max(self._until - now, 0)
            self._found.seconds = now - self._began
            if now > self._until:
                for each in self._workers:
                    each.stop()
        self._tell(self._found)

    def _heard(self, each: Process, said: object) -> None:
        each.hears(said)
        match said:
            case worker.Ready(versions=versions, unmade=unmade):
                self._found.versions, self._found.unmade = versions, unmade
                if not self._until:
                    self._began = time.monotonic()
                    self._until = self._began + self._seconds
                self._give(each)
            case worker.Asks(world=world, breaches=breaches):
                each.asked(world, breaches, self._new(breaches))
            case worker.Found(failure=failure):
                self._add(failure)
            case worker.Drawn(tally=tally):
                self._found.tally.add(tally)
            case worker.Tried(tally=tally):
                self._found.tally.add(tally)
                self._keep(each, fails=tally.failing > 0)
            case worker.Over():
                self._give(each)
            case worker.Trouble(words=words, usage=usage):
                raise (UsageError if usage else RestoreVerifierError)(words)

    def _give(self, each: Process) -> None:
        """The next task, if there is time for one."""
        done = each.task
        if isinstance(done, worker.Try) and done.fate is not None and each.fruitless:
            # By itself it did no harm: what was seen is told as it was.
            self._add(self._unfinished(done.world, done.fate))
        each.task = None
        if self._careful and not each.stopped:
            each.give(self._careful.popleft())
        elif time.monotonic() > self._until:
            each.stop()
        elif task := self._tasks.popleft() if self._tasks else next(self._batches, None):
            each.give(task)
        else:
            each.stop()

    def _gone(self, each: Process) -> None:
        """Its channel has ended."""
        if each.stopped and not each.busy:
            self._workers.remove(each)
            each.end()
        elif each.world is None:
            raise RestoreVerifierError(
                f"a process of the search ended before its work was done ({each.ending()}); "
                "run it again"
            )
        else:
            self._lost(each, dies(each.ending()))

    def _lost(self, each: Process, fate: Breach) -> None:
        """A process hangs in a world, or was ended by it: go on with another one."""
        self._workers.remove(each)
        each.kill()
        world = each.world
        assert world is not None
        for wanted, breach in each.wanted.values():
            self._add(self._unfinished(wanted, breach))
        if each.careful:
            self._add(self._unfinished(world, fate))
        elif self._new([fate]):
            self._careful.append(worker.Try(world, fate=fate))
        self._found.tally.add(Tally(worlds=1, failing=1))
        self._keep(each, fails=True)
        rest = each.rest()
        if rest is not None:
            self._tasks.appendleft(rest)
        if time.monotonic() < self._until or self._careful:
            self._start()

    # -- what was found ----------------------------------------------------------------------

    def _new(self, breaches: Sequence[Breach]) -> list[Breach]:
        """Those that nobody has met, and that whoever asks is to look into."""
        causes = {cause_of(each): each for each in breaches}
        self._found.seen.update(causes.keys())
        new = [each for cause, each in causes.items() if cause not in self._known]
        self._known.update(causes)
        return new

    def _add(self, failure: Failure) -> None:
        self._known.update(map(cause_of, failure.breaches))
        named = replace(failure, implementation=self._config.implementation)
        self._found.failures.append(named)

    def _unfinished(self, world: World, breach: Breach) -> Failure:
        return Failure(
            implementation=self._config.implementation,
            world=world,
            breaches=(breach,),
            first_size=world.size,
            finished=False,
        )

    def _keep(self, each: Process, *, fails: bool) -> None:
        """Note whether a world of an earlier run still fails."""
        if isinstance(each.task, worker.Try) and each.task.fate is None:
            self._found.kept[each.task.number] = fails

    def _give_up(self) -> None:
        """Tell of what could not be made small, as it is."""
        for each in self._workers:
            for world, breach in each.wanted.values():
                self._add(self._unfinished(world, breach))
        for task in self._careful:
            if task.fate is not None:
                self._add(self._unfinished(task.world, task.fate))
