"""The files of a failure: a script, words, a scenario, and the world to be tried again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from verifier.fuzz.failure import Failure
from verifier.fuzz.telling import scenario, words
from verifier.fuzz.telling.script import script
from verifier.model.world import World
from verifier.report import file
from verifier.worlds.store import encode

_LONGEST = 60
"""Characters of a name."""


@dataclass(frozen=True)
class Handout:
    """A failure and what is written of it."""

    failure: Failure
    name: str
    directory: Path

    @property
    def scenario(self) -> str:
        """The name of the scenario's file."""
        return f"test_{self.name}.py"

    def is_taken(self) -> bool:
        """Whether one of its files is there, or something else of that name."""
        return any((self.directory / name).exists() for name, _ in self._files())

    def is_there(self) -> bool:
        """Whether an earlier run has written of the same world."""
        try:
            there = (self.directory / f"{self.name}.json").read_bytes()
        except OSError:
            return False
        return there == _world(self.failure.world)

    def write(self) -> None:
        """Write the files. Raises :class:`OSError`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, text in self._files():
            file.write(text, self.directory / name)

    def _files(self) -> Iterator[tuple[str, str]]:
        failure = self.failure
        yield f"{self.name}.sql", script(failure, self.name)
        yield f"{self.name}.md", self._page()
        yield self.scenario, scenario.scenario(failure, self.name)
        yield f"{self.name}.json", _world(failure.world).decode()

    def _page(self) -> str:
        failure = self.failure
        others = "".join(f"- {each.guarantee}: {each.cause}\n" for each in failure.breaches[1:])
        again = (
            ""
            if failure.interrupted
            else f"; `restore-verifier fuzz --implementation {failure.implementation} --replay "
            f"{self.name}.json` tries it again"
        )
        oracle = "" if failure.interrupted else words.agreement(failure.agreement)
        parts = [
            f"# {failure.implementation} breaks {failure.breach.guarantee}: {failure.breach.cause}",
            words.paragraph(failure),
            oracle,
            f"In the same world:\n\n{others}" if others else "",
            f"`{self.name}.sql` makes both databases and says what was to be expected; "
            f"`{self.scenario}` is a scenario of it{again}.",
        ]
        return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _world(world: World) -> bytes:
    return encode(world) + b"\n"


def put_aside(worlds: Iterable[World], directory: Path) -> None:
    """Write worlds that could not be judged to ``unjudged_N.json``. Raises :class:`OSError`."""
    numbers = count(1)
    for world in worlds:
        directory.mkdir(parents=True, exist_ok=True)
        name = next(n for n in numbers if not (directory / f"unjudged_{n}.json").exists())
        file.write(_world(world).decode(), directory / f"unjudged_{name}.json")


def named(failure: Failure, directory: Path, taken: Collection[str] = ()) -> Handout:
    """``failure`` under a name that is not ``taken``, and no file in ``directory`` has.

    But for files of the same world, which say the same.
    """
    cause = re.sub(r"[^a-z0-9]+", "_", failure.breach.cause.lower()).strip("_")
    base = f"{failure.breach.guarantee}_{cause}"[:_LONGEST].strip("_")
    for number in count(1):
        name = base if number == 1 else f"{base}_{number}"
        found = Handout(failure, name, directory)
        if name not in taken and (found.is_there() or not found.is_taken()):
            return found
    raise AssertionError("numbers do not end")
