"""The model's word against the oracle's: a failing world run as the scenario that is handed out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from verifier.config import Config
from verifier.contract import Claim, Guarantee, Proof, Severity, Verdict
from verifier.errors import RestoreVerifierError, ServerError
from verifier.fuzz.catalogue import fixtures
from verifier.fuzz.failure import Agreement
from verifier.fuzz.telling import sql
from verifier.implementations import Implementation
from verifier.model.world import BackupForm, Options, World
from verifier.scenario import Scenario
from verifier.servers import Pair
from verifier.worlds.backups import dump
from verifier.worlds.run import restore_options


def confirm(
    world: World, guarantee: Guarantee, implementation: Implementation, pair: Pair, workdir: Path
) -> Agreement:
    """What the oracle says of ``world``, with the implementation's own backup of the source.

    Where that is nothing bad, and the world's backup was written by the verifier, the same
    with that backup.
    """
    why = _beyond(world.options)
    if why:
        return Agreement(verdict=None, titles=(why,))
    found = _ran(world, guarantee, implementation, pair, workdir, written=False)
    if found.verdict is Verdict.BROKEN or world.form is BackupForm.OWN:
        return found
    given = _ran(world, guarantee, implementation, pair, workdir, written=True)
    return given if given.verdict is Verdict.BROKEN else found


def _beyond(options: Options) -> str:
    """What of ``options`` the oracle does not know."""
    if options.quarantine:
        return "rows that are set aside are no part of a scenario"
    if options.local_ids:
        return "that numbers may say nothing is nothing that the oracle knows"
    if options.references:
        return "what no constraint declares is no reference to the oracle"
    return "which row is newer is nothing that the oracle knows" if options.prefer else ""


def _suspected(options: Options, claim: Claim) -> str:
    """What of ``claim`` rests on numbers that ``--strict-ids`` suspects.

    A restore that rejects nothing for it is held to all that any other is.
    """
    told = (each.reason for each in claim.rejections or ())
    if options.strict_ids and any("--strict-ids" in each for each in told):
        return "which numbers are suspected is nothing that the oracle knows"
    return ""


def _ran(
    world: World,
    guarantee: Guarantee,
    implementation: Implementation,
    pair: Pair,
    workdir: Path,
    *,
    written: bool,
) -> Agreement:
    scenario = Scenario("fuzz", pair, implementation, Config(), (guarantee,), workdir)
    try:
        prepare(world, scenario, written=written)
        outcome = scenario.restore()
        why = _suspected(world.options, outcome.claim)
        return Agreement(verdict=None, titles=(why,)) if why else _told(outcome.proof, written)
    except Exception as error:  # whatever it is, the failure itself is to be told
        if isinstance(error, RestoreVerifierError):
            return Agreement(verdict=None, titles=(str(error).partition(";")[0],))
        return Agreement(verdict=None, titles=(f"{type(error).__name__}: {error}",))
    finally:
        clear_away(scenario)


def clear_away(scenario: Scenario) -> None:
    """Drop what ``scenario`` made, if there is still a server that has it."""
    with suppress(psycopg.Error, ServerError):
        scenario.close()


def prepare(world: World, scenario: Scenario, *, written: bool) -> None:
    """Do what the scenario of ``world`` does before it restores."""
    make: Any = fixtures("world").World(scenario)
    both, source, target = sql.both(world)
    make(both, source=source, target=target)
    if world.schema.script:
        source, target = sql.rows(world)
        make.load(source=source, target=target)
    if world.options != Options():
        asked = restore_options(world.options, scenario.workdir)
        make.asks(
            ids=asked.ids,
            strict_ids=asked.strict_ids,
            prefer=asked.prefer,
            references=asked.references,
        )
    if written:
        make.backed_up(dump(world))


def _told(proof: Proof, written: bool) -> Agreement:
    bad = [each for each in proof.findings if each.severity >= Severity.BREACH]
    return Agreement(
        verdict=proof.verdict,
        titles=tuple(each.title for each in bad),
        guarantees=frozenset(each.guarantee for each in bad if each.verdict is Verdict.BROKEN),
        written=written,
    )
