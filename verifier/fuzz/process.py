"""A process of a search, as the one sees it that gives it tasks."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import psutil

from verifier.config import Config
from verifier.fuzz import worker
from verifier.fuzz.failure import Cause, cause_of
from verifier.model.breach import Breach
from verifier.model.world import World

_PARTING = 5.0
"""Seconds in which a process that was told to stop has to have ended its servers."""
_START = 120.0
"""Seconds that servers may take to start."""
_FOR_EVER = float("inf")


class Process:
    """Started at once; :attr:`channel` is where it is heard."""

    def __init__(self, config: Config, limits: worker.Limits) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take over threads
        self.channel, there = context.Pipe()
        self._process = context.Process(
            target=worker.work, args=(config.to_plain(), limits, there), daemon=False
        )
        self._process.start()
        there.close()  # so that the end of the process is the end of the channel
        self._servers: list[psutil.Process] = []
        self.deadline = time.monotonic() + _START
        self.task: worker.Task | None = None
        self.world: World | None = None
        """The one that it is restoring."""
        self.wanted: dict[Cause, tuple[World, Breach]] = {}
        """What it is about to make small, each in the smallest world so far."""
        self.stopped = self.fruitless = False
        self._through = 0

    @property
    def careful(self) -> bool:
        return isinstance(self.task, worker.Try) and self.task.fate is not None

    @property
    def busy(self) -> bool:
        return self.task is not None

    def give(self, task: worker.Task) -> None:
        self.task, self._through, self.fruitless = task, 0, True
        self._send(task)

    def stop(self) -> None:
        """No more worlds."""
        if not self.stopped:
            self.stopped = True
            self._send(worker.Stop())

    def asked(self, world: World, breaches: Sequence[Breach], new: Sequence[Breach]) -> None:
        """It asked which ``breaches`` are new: these are, and what its task is about."""
        fate = self.task.fate if isinstance(self.task, worker.Try) else None
        looked_for = [] if fate is None else [cause_of(fate)]
        wanted = [each for each in breaches if each in new or cause_of(each) in looked_for]
        self.wanted = {cause_of(each): (world, each) for each in wanted}
        self._send(wanted)

    def hears(self, said: object) -> None:
        """Keep in mind what it said last."""
        self.deadline = _FOR_EVER
        match said:
            case worker.Ready():
                with suppress(psutil.Error):
                    self._servers = self._tree()
            case worker.Begins(world=world, seconds=seconds):
                self.world, self.deadline = world, time.monotonic() + seconds
            case worker.Smaller(world=world, breach=breach):
                self.wanted[cause_of(breach)] = world, breach
            case worker.Found(failure=failure):
                self.fruitless = False
                for breach in failure.breaches:
                    self.wanted.pop(cause_of(breach), None)
            case worker.Tried():
                self._through += 1
            case worker.Over():
                pass

    def rest(self) -> worker.Task | None:
        """What is left of its task without the world that it was at."""
        if isinstance(self.task, worker.Draw):
            return replace(self.task, skip=self.task.skip + self._through + 1)
        return None

    def ending(self) -> str:
        """How it ended."""
        self._process.join(_PARTING)
        return f"its process ended with exit code {self._process.exitcode}"

    def terminate(self) -> None:
        self._process.terminate()

    def end(self) -> None:
        """Return when it is gone, and its servers with it."""
        self._process.join(_PARTING)
        if self._process.is_alive():
            self.kill()
        self.channel.close()

    def kill(self) -> None:
        """End it with whatever it has started: it may not even hear a signal."""
        tree = list(self._servers)
        with suppress(psutil.Error):
            tree += self._tree()
        self._process.terminate()
        self._process.join(_PARTING / 2)
        self._process.kill()
        for each in tree:
            with suppress(psutil.Error):
                each.kill()
        self._process.join()
        self.channel.close()

    def _tree(self) -> list[psutil.Process]:
        assert self._process.pid is not None
        found: list[psutil.Process] = psutil.Process(self._process.pid).children(recursive=True)
        return found

    def _send(self, told: object) -> None:
        with suppress(OSError):  # it is gone, which its channel will show
            self.channel.send(told)
