"""What is run: the scenarios, the implementations, and what is known of each of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from verifier.catalogue import scenarios
from verifier.contract import Guarantee
from verifier.errors import UsageError
from verifier.implementations.faulty import FAULTY, Faulty
from verifier.readers import suggestion
from verifier.report.matrix_model import Expected

G = Guarantee

EVERYBODY = (
    "first_load::target_with_rows_of_its_own",
    "merging::children_of_both_duplicates_reach_the_survivor",
    "refusal::orphan_variants_are_named",
    "interruption::backup_cut_off_on_the_way[0.7]",
)
"""Scenarios that together put all eleven guarantees to the test. A faulty implementation is
run with these, and with the one in which its mistake shows; a right one with all there are."""

ROWS = 60
"""About how many rows the shop of the panel has; the mistakes show in few."""

_FIRST_LOAD = "first_load::first_load_of_an_empty_target"
RIGHT: Mapping[str, Mapping[str, frozenset[Guarantee]]] = MappingProxyType(
    {
        "initial-load": {},
        "pg_dump": {
            # It adds rows and merges nothing: where the target has some, it fails and says so.
            _FIRST_LOAD: frozenset({G.IDEMPOTENCE}),
            "first_load::target_with_rows_of_its_own": frozenset({G.COMPLETENESS}),
            "fidelity::numbers_to_their_last_digit": frozenset({G.COMPLETENESS}),
            "fidelity::texts_that_look_like_sql_or_like_the_backup": frozenset({G.IDEMPOTENCE}),
            "structure::sequences_never_go_back": frozenset({G.COMPLETENESS}),
            "keys::tables_without_any_key": frozenset({G.COMPLETENESS, G.MERGING}),
            "merging::children_of_both_duplicates_reach_the_survivor": frozenset(
                {G.COMPLETENESS, G.MERGING}
            ),
            "merging::children_that_collide_once_their_parents_are_merged": frozenset(
                {G.COMPLETENESS, G.MERGING}
            ),
            # The order is that of the source's foreign keys, and the first bad row ends it.
            "ordering::variants_before_products_in_the_backup": frozenset(
                {G.COMPLETENESS, G.ORDERING}
            ),
            "refusal::orphan_variants_are_named": frozenset({G.COMPLETENESS, G.ORDERING}),
            # psql takes the end of the file for the end of the rows, and runs what it reads.
            "interruption::backup_cut_off_on_the_way[0.7]": frozenset(
                {G.COMPLETENESS, G.CONTAINMENT, G.FIDELITY, G.HONESTY}
            ),
            "interruption::shell_command_in_the_backup": frozenset({G.CONTAINMENT}),
            # The target's triggers fire.
            "triggers::triggers_that_are_off_or_always_on_stay_so": frozenset(
                {G.FIDELITY, G.HONESTY, G.IDEMPOTENCE}
            ),
        },
    }
)
"""The implementations that are right, and what they are known to break, by scenario."""


def selection(names: Sequence[str]) -> dict[str, Expected | None]:
    """The implementations of the matrix, each with the finding that it has to cause.

    ``names`` selects some of them. Raises :class:`UsageError` for one that is not part of it.
    """
    every: dict[str, Expected | None] = {
        **dict.fromkeys(RIGHT),
        **{name: _expected(faulty) for name, faulty in FAULTY.items()},
    }
    for name in names:
        if name not in every:
            raise UsageError(
                f"{name!r} is no part of the matrix{suggestion(name, every)}; "
                f"choose from {', '.join(every)}"
            )
    return {name: every[name] for name in every if not names or name in names}


def scenarios_for(expected: Expected | None) -> tuple[str, ...]:
    """The scenarios that an implementation is run with, each once."""
    if expected is not None:
        return tuple(dict.fromkeys([*EVERYBODY, expected.scenario]))
    shown = [faulty.scenario for faulty in FAULTY.values()]
    return tuple(dict.fromkeys([_FIRST_LOAD, *EVERYBODY, *shown]))


def node(scenario: str) -> str:
    """The test of ``scenario``, as pytest's command line names it: with all of its parameters."""
    file, _, name = scenario.partition("::")
    return f"{scenarios() / f'test_{file}.py'}::test_{name.partition('[')[0]}"


def _expected(faulty: Faulty) -> Expected:
    return Expected(
        mistake=faulty.mistake,
        trap=faulty.trap,
        guarantee=faulty.breaks,
        title=faulty.title,
        scenario=faulty.scenario,
        table=faulty.table,
        constraint=faulty.constraint,
    )
