"""The oracle and the model find the same guarantees broken, by roads that have nothing in common.

The oracle asks databases by SQL and knows no world; the model knows the rows of a world and
no SQL. So each of these is a test of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.model.faults import world_of
from verifier.config import Config
from verifier.contract import Claim, Guarantee, Verdict
from verifier.implementations import Backup, Endpoint, Implementation, implementation
from verifier.model.allowed import breaches
from verifier.model.schema import Row, Schema
from verifier.model.world import Observation
from verifier.scenario import Scenario
from verifier.servers import Pair
from verifier.worlds import ddl, reading, rows

UNSEEN = {Guarantee.ORDERING, Guarantee.RECOVERABILITY, Guarantee.CONTAINMENT}
"""What rows do not show."""


class Watched:
    """An implementation whose restores are looked at, before and after."""

    def __init__(self, hosted: Implementation, schema: Schema) -> None:
        self._hosted, self._structure = hosted, reading.Structure(schema)
        self.name, self.not_offered = hosted.name, hosted.not_offered
        self.before: Observation | None = None
        self.restores: list[tuple[Claim, Observation]] = []

    name: str
    not_offered: Mapping[Guarantee, str]

    def backup(self, source: Endpoint) -> Backup:
        return self._hosted.backup(source)

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        if self.before is None:
            with closing(reading.observer(target.dsn)) as session:
                self.before = self._structure.made(session, "", session)
        claim = self._hosted.restore(backup, target)
        with closing(reading.observer(target.dsn)) as session:
            self.restores.append((claim, self._structure.observe(session)))
        return claim


def _script(schema: Schema, content: Mapping[str, tuple[Row, ...]]) -> str:
    made = [ddl.tables(schema), rows.fill(schema, content), ddl.links(schema)]
    return "".join([*made, *rows.positions(schema, content, {})])


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("initial-load", "one-level"),
        ("initial-load", "swallow-errors"),
        ("faulty:one-level", "one-level"),
        ("faulty:first-duplicate-wins", "one-level"),
        ("faulty:psql-goes-on", "one-level"),
        ("faulty:do-nothing", "do-nothing"),
        ("faulty:counts-the-sent", "counts-the-sent"),
        ("faulty:truncate-first", "truncate-first"),
        ("faulty:sequences-as-in-the-backup", "sequences-as-in-the-backup"),
    ],
)
def test_they_agree(servers: Pair, tmp_path: Path, name: str, world: str) -> None:
    given = world_of(world)
    watched = Watched(implementation(name), given.schema)
    scenario = Scenario("world", servers, watched, config=Config(), focus=(), workdir=tmp_path)
    try:
        scenario.source.execute(_script(ddl.of_source(given), given.source))
        scenario.target.execute(_script(given.schema, given.present))
        proof = scenario.restore().proof
    finally:
        scenario.close()
    (claim, observation), *more = watched.restores
    again = more[0] if more else None
    found = breaches(given, claim, observation, again, before=watched.before)
    assert {each.guarantee for each in found} == {
        guarantee
        for guarantee, verdict in proof.verdicts.items()
        if verdict is Verdict.BROKEN and guarantee not in UNSEEN
    }
