"""Restores that are wrong about one scenario each, and what the oracle has to say of them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import psycopg
import pytest

from fixtures.plugin import ShopDatabases
from fixtures.world import World
from verifier import Faults, catalogue
from verifier.config import Config
from verifier.contract import Claim, Guarantee, Severity, Verdict
from verifier.implementations import Backup, Endpoint, Implementation, implementation
from verifier.model.own import Own
from verifier.own import OwnTables
from verifier.scenario import GuaranteeBroken, Scenario
from verifier.servers import Pair
from verifier.worlds.own import load

SCENARIOS = Path(__file__).parents[1] / "scenarios"
G = Guarantee
LOST = "a source row is neither restored, merged nor rejected: it is lost"
DIFFERS = "a restored row differs from its source row"
FAILED = "the restore failed although the target can take every row"
APART = "a source row that collides with a row of the target was not merged into it"
DOUBLE = "source rows that collide on a unique key of the target have no survivor"
OWN = "a row of the target that is not in the backup was changed"
REMOVED = "a row of the target that is not in the backup was removed"
FOREIGN = "the target holds a row that is neither in the source nor was there before"
UNTOUCHABLE = "a table that is not part of the restore was touched"
SCHEMA = "the restore changed the target's schema"
UNNAMED = "a row that cannot be restored is not named"
CHANGED = "a failed restore left the target changed"
ACCEPTED = "the restore accepted a backup of which the end was missing"
LIE = "success was claimed, but"


class Wrong:
    """The built-in restore; what is wrong about it comes from those who inherit."""

    def __init__(self, name: str) -> None:
        self._right = implementation("initial-load")
        self.name = f"initial-load, {name}"
        self.not_offered = self._right.not_offered

    def backup(self, source: Endpoint) -> Backup:
        return self._right.backup(source)

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        return self._right.restore(backup, target)


class Then(Wrong):
    """After which ``script`` is run on the target, as a wrong one would have left it."""

    def __init__(self, script: str) -> None:
        super().__init__(f"then {script}")
        self._script = script

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim = super().restore(backup, target)
        with psycopg.connect(target.dsn.conninfo) as session:
            session.execute(self._script.encode())
        return claim


class Heedless(Wrong):
    """Which is told what not to move, and moves it all the same."""

    def __init__(self) -> None:
        super().__init__("heedless")

    def backup(self, source: Endpoint) -> Backup:
        return super().backup(replace(source, control_tables=(), leave_out=()))

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        return super().restore(backup, replace(target, control_tables=(), leave_out=()))


class Deaf(Wrong):
    """Which reports success, whatever the server answered."""

    def __init__(self) -> None:
        super().__init__("deaf")

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        super().restore(backup, target)
        return Claim(success=True, exit_code=0, message="200 OK")


_CALLED: Mapping[str, Callable[[], Implementation]] = {"heedless": Heedless, "deaf": Deaf}


@dataclass(frozen=True)
class Case:
    scenario: Callable[..., None]
    wrong: str | type[Implementation]
    """An implementation or its name, ``heedless``, ``deaf``, or what happens to the target
    after the built-in restore."""
    guarantee: Guarantee
    title: str
    """How the finding begins that has to name the cause."""
    arguments: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        called = [] if isinstance(self.wrong, str) else [self.wrong.__name__]
        return "-".join([self.scenario.__name__, *called, *map(str, self.arguments.values())])

    @property
    def since(self) -> int:
        """The oldest PostgreSQL that the scenario can be run on; 0 for any."""
        return max((mark.kwargs["since"] for mark in self._marks("pg")), default=0)

    @property
    def stops(self) -> bool:
        """Whether the scenario stops servers, and needs some of its own."""
        return bool(self._marks("own_servers"))

    def _marks(self, name: str) -> list[pytest.Mark]:
        return [mark for mark in self.scenario.pytestmark if mark.name == name]

    @property
    def implementation(self) -> Implementation:
        if not isinstance(self.wrong, str):
            return self.wrong()
        if self.wrong in _CALLED:
            return _CALLED[self.wrong]()
        named = self.wrong == "pg_dump" or self.wrong.startswith("faulty:")
        return implementation(self.wrong) if named else Then(self.wrong)


def by_id(scenario: Callable[..., None], guarantee: Guarantee, title: str, **given: str) -> Case:
    return Case(scenario, "faulty:upsert-by-id", guarantee, title, given)


def find(servers: Pair, case: Case, directory: Path, *, rows: int = 200) -> None:
    """Run the scenario of ``case`` as it stands; what is wrong has to be found, and named.

    ``rows``: about how many the shop has.
    """
    scenario = Scenario(
        str(case), servers, case.implementation, Config(rows=rows), (case.guarantee,), directory
    )
    fixtures = {"scenario": lambda: scenario, "faults": Faults}
    fixtures |= {"world": lambda: World(scenario), "shop": lambda: ShopDatabases(scenario)}
    fixtures |= {"own": lambda: OwnTables(scenario, _own(servers))}
    wanted = inspect.signature(case.scenario).parameters.keys() - case.arguments.keys()
    try:
        with pytest.raises(GuaranteeBroken) as raised:
            case.scenario(**{name: fixtures[name]() for name in wanted}, **case.arguments)
    finally:
        scenario.close()
    proof = raised.value.proof
    assert proof.verdicts[case.guarantee] is Verdict.BROKEN, str(raised.value)
    titles = [
        finding.title
        for finding in proof.findings
        if finding.guarantee is case.guarantee and finding.severity > Severity.NOTE
    ]
    assert any(title.startswith(case.title) for title in titles), titles


@cache
def _own(servers: Pair) -> Own:
    """The tables that stand for somebody's own."""
    return load(servers, catalogue.schema())


def name_of(scenario: Callable[..., None]) -> str:
    """Its file and its name: ``test_merging::test_duplicates_below_duplicates``."""
    return f"{scenario.__module__.rpartition('.')[2]}::{scenario.__name__}"


def scenarios_of(paths: Iterable[Path]) -> set[str]:
    """The scenarios in these files, as :func:`name_of` names each."""
    return {
        f"{path.stem}::{node.name}"
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
