"""One process of a search: it has servers of its own, and does what it is told world by world."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory

from hypothesis.configuration import set_hypothesis_home_dir

from verifier.config import Config
from verifier.dsn import libpq_set_aside
from verifier.errors import RestoreVerifierError, UsageError
from verifier.fuzz.apart import Apart
from verifier.fuzz.drawing import batch, invented
from verifier.fuzz.failure import Failure
from verifier.fuzz.interrupted import Interrupted, interruption
from verifier.fuzz.interrupting import as_scenario
from verifier.fuzz.searching import Search, Tally
from verifier.fuzz.slips import slip
from verifier.fuzz.subject import Subject, subject
from verifier.implementations import implementation
from verifier.model.breach import Breach
from verifier.model.own import Own
from verifier.model.world import World
from verifier.servers import Pair, choose
from verifier.worlds.own import load

# -- what it is told -------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """Put a batch of worlds to it, without the first ``skip``."""

    seed: int
    part: int
    skip: int = 0


@dataclass(frozen=True)
class Try:
    """Put one world to it, which failed once."""

    world: World
    number: int = 0
    """Among those that an earlier run has kept."""
    fate: Breach | None = None
    """It took its process along: each call gets a process of its own."""


@dataclass(frozen=True)
class Stop:
    """No more worlds; what was begun is brought to its end."""


Task = Draw | Try
_PATIENCE = 5.0
"""Seconds that a call may take which hung once: each step of shrinking waits so long."""
_SCENARIO = 4
"""Times the limit of a world that a scenario of it may take, with its clones and retries."""

# -- what it says ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The servers run."""

    versions: tuple[str, str]
    unmade: tuple[str, ...] = ()
    """Of a schema of one's own, what no rows can be made for."""


@dataclass(frozen=True)
class Begins:
    """A world is about to be restored; that must not take longer than so many ``seconds``."""

    world: World
    seconds: float


@dataclass(frozen=True)
class Asks:
    """Which of these breaches are new? The answer is a list of them."""

    world: World
    breaches: tuple[Breach, ...]


@dataclass(frozen=True)
class Smaller:
    """So far it could be made small."""

    world: World
    breach: Breach


@dataclass(frozen=True)
class Found:
    failure: Failure


@dataclass(frozen=True)
class Drawn:
    """A batch is about to be tried."""

    tally: Tally


@dataclass(frozen=True)
class Tried:
    """A world is through."""

    tally: Tally


@dataclass(frozen=True)
class Over:
    """The task is done."""


@dataclass(frozen=True)
class Trouble:
    """It cannot work at all."""

    words: str
    usage: bool


Said = Ready | Begins | Asks | Smaller | Found | Drawn | Tried | Over | Trouble


@dataclass(frozen=True)
class Limits:
    """Seconds."""

    world: float
    """For one world, from its first table to what the second restore left."""
    shrinking: float


def work(plain: dict[str, object], limits: Limits, channel: Connection) -> None:
    """Do tasks until there are no more.

    To be run in a process of its own, which is told to stop by SIGTERM.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this
    config = Config.from_plain(plain)
    home = TemporaryDirectory(prefix="fuzz-")
    set_hypothesis_home_dir(home.name)  # not the directory in which the command was called
    try:
        tested = subject(implementation(config.implementation, config.definitions))
        with libpq_set_aside(), choose(config).start() as pair:
            own = _own(config, pair)
            unmade = tuple(map(str, own.unmade)) if own else ()
            channel.send(Ready((pair.source.version, pair.target.version), unmade))
            _Worker(tested, own, pair, limits, channel).run()
    except UsageError as error:
        channel.send(Trouble(str(error), usage=True))
    except RestoreVerifierError as error:
        channel.send(Trouble(str(error), usage=False))
    except (EOFError, BrokenPipeError):
        pass  # who gave the tasks is gone
    except Exception as error:  # a slip of ours, told in one line
        channel.send(Trouble(f"{slip(error)}; please report it", usage=False))
    finally:
        channel.close()
        home.cleanup()


def _own(config: Config, pair: Pair) -> Own | None:
    if config.schema is None:
        return None
    return load(pair, config.schema, config.seed.rows, config.control_tables)


class _Worker:
    """Listens to what its search does, and passes it on."""

    def __init__(
        self, tested: Subject, own: Own | None, pair: Pair, limits: Limits, channel: Connection
    ) -> None:
        self._tested, self._pair, self._limits = tested, pair, limits
        self._worlds = invented(tested, pair, own)
        self._channel = channel
        self._stopped = False

    def run(self) -> None:
        with self._search(self._tested) as search:
            while not self._stopped:
                task = self._heard()
                if isinstance(task, Draw):
                    self._draw(search, task)
                elif isinstance(task, Try) and task.fate is not None:
                    with self._search(self._careful()) as apart:
                        self._try(apart, task.world)
                elif isinstance(task, Try):
                    self._try(search, task.world)

    def _search(self, tested: Subject) -> Search:
        return Search(tested, self._pair, self, shrink_seconds=self._limits.shrinking)

    def _careful(self) -> Subject:
        apart = Apart(self._tested.implementation, min(self._limits.world, _PATIENCE))
        return replace(self._tested, implementation=apart)

    def _draw(self, search: Search, task: Draw) -> None:
        drawn = batch(self._worlds, task.seed, task.part)
        if not task.skip:  # what is drawn once more was told the first time
            self._channel.send(Drawn(Tally(undrawn=drawn.undrawn)))
        for number, world in islice(enumerate(drawn.worlds), task.skip, None):
            if self._is_stopped():
                break
            self._put(search, world, interruption(task.seed, task.part, number))
        self._channel.send(Over())

    def _try(self, search: Search, world: World) -> None:
        self._put(search, world)
        self._channel.send(Over())

    def _put(self, search: Search, world: World, interrupted: Interrupted | None = None) -> None:
        search.tally = Tally()
        for failure in search.consider(world):
            self._channel.send(Found(failure))
        if interrupted is not None:
            for failure in search.consider(as_scenario(world), interrupted):
                self._channel.send(Found(failure))
        self._channel.send(Tried(search.tally))

    def _is_stopped(self) -> bool:
        while self._channel.poll():
            self._heard()
        return self._stopped

    def _heard(self) -> object:
        """What it is told next; :class:`Stop` is kept in mind."""
        told: object = self._channel.recv()
        self._stopped |= isinstance(told, Stop)
        return told

    # What a search tells its listener.

    def begins(self, world: World) -> None:
        self._channel.send(Begins(world, self._limits.world))

    def confirms(self, world: World) -> None:
        self._channel.send(Begins(world, _SCENARIO * self._limits.world))

    def wanted(self, world: World, breaches: Iterable[Breach]) -> list[Breach]:
        asked = tuple(breaches)
        if not asked:
            return []
        self._channel.send(Asks(world, asked))
        while not isinstance(answer := self._heard(), list):
            pass
        return answer

    def smaller(self, world: World, breach: Breach) -> None:
        self._channel.send(Smaller(world, breach))
