"""A world whose restore is interrupted, run as a scenario and judged by the oracle.

The model knows restores that come to an end. What has to become of one that is killed, and of
the retry, the oracle knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from verifier.config import Config
from verifier.contract import Finding, Guarantee, Severity, Verdict
from verifier.faults import Interruption
from verifier.faults.blows import Blow, Cut, Kill, Terminate
from verifier.faults.moment import Moment
from verifier.fuzz.confirming import clear_away, prepare
from verifier.fuzz.interrupted import Interrupted, Kind
from verifier.implementations import Implementation
from verifier.model.breach import Breach
from verifier.model.schema import Schema
from verifier.model.world import BackupForm, Options, World
from verifier.scenario import Outcome, Scenario
from verifier.servers import Pair

_FOCUS = (Guarantee.ATOMICITY, Guarantee.RECOVERABILITY)


_BLOWS: Mapping[Kind, Blow] = {Kind.KILL: Kill(), Kind.CUT: Cut(), Kind.TERMINATE: Terminate()}


def as_scenario(world: World) -> World:
    """``world`` as a scenario has it: by default, and with a backup of the implementation's."""
    return replace(world, options=Options(), form=BackupForm.OWN, order=())


def strike(
    world: World, interrupted: Interrupted, implementation: Implementation, pair: Pair, place: Path
) -> tuple[tuple[Breach, ...], Outcome]:
    """What was wrong with a restore of ``world`` that was interrupted, and with its retry."""
    scenario = Scenario("fuzz", pair, implementation, Config(), _FOCUS, place)
    try:
        prepare(world, scenario, written=False)
        fault = Interruption(_BLOWS[interrupted.kind], Moment(share=interrupted.share))
        outcome = scenario.restore(fault)
    finally:
        clear_away(scenario)
    found = [each for each in outcome.proof.findings if _counts(each)]
    return tuple(_breach(each, world.schema) for each in found), outcome


def _counts(finding: Finding) -> bool:
    """What an uninterrupted restore does wrong as well, the model says better."""
    broken = finding.verdict is Verdict.BROKEN and finding.severity >= Severity.BREACH
    return broken and finding.guarantee in _FOCUS


def _breach(finding: Finding, schema: Schema) -> Breach:
    words = "; ".join(each.words for each in finding.evidence if each.words)
    cause = _without_names(finding.title, schema)
    return Breach(finding.guarantee, cause, words=f"{finding.title}: {words}" if words else "")


def _without_names(title: str, schema: Schema) -> str:
    """``title`` that is the same for every world."""
    names = {
        f'"?{re.escape(table.schema)}"?\\."?{re.escape(table.name)}"?' for table in schema.tables
    }
    return re.sub("|".join(names) or "$^", "…", title)
