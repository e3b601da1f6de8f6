"""The files of a failure: a script, words, a scenario, and the world to be tried again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from verifier.fuzz.failure import Failure
from verifier.fuzz.telling import scenario, words
from verifier.fuzz.telling.script import script
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
        yield f"{self.name}.json", encode(failure.world).decode() + "\n"

    def _page(self) -> str:
        failure = self.failure
        others = "".join(f"- {each.guarantee}: {each.cause}\n" for each in failure.breaches[1:])
        parts = [
            f"# {failure.implementation} breaks {failure.breach.guarantee}: {failure.breach.cause}",
            words.paragraph(failure),
            words.agreement(failure.agreement),
            f"In the same world:\n\n{others}" if others else "",
            f"`{self.name}.sql` makes both databases and says what was to be expected; "
            f"`{self.scenario}` is a scenario of it; "
            f"`restore-verifier fuzz --implementation {failure.implementation} --replay "
            f"{self.name}.json` tries it again.",
        ]
        return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def named(failure: Failure, directory: Path, taken: Collection[str] = ()) -> Handout:
    """``failure`` under a name that is not ``taken``, and no file in ``directory`` has."""
    cause = re.sub(r"[^a-z0-9]+", "_", failure.breach.cause.lower()).strip("_")
    base = f"{failure.breach.guarantee}_{cause}"[:_LONGEST].strip("_")
    for number in count(1):
        name = base if number == 1 else f"{base}_{number}"
        files = (f"{name}.sql", f"{name}.md", f"{name}.json", f"test_{name}.py")
        if name not in taken and not any((directory / each).exists() for each in files):
            return Handout(failure, name, directory)
    raise AssertionError("numbers do not end")
