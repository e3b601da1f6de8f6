"""What is run: the scenarios, the implementations, and what is known of each of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from verifier.catalogue import scenarios
from verifier.contract import Guarantee
from verifier.errors import UsageError
from verifier.implementations.faulty import FAULTS, Fault
from verifier.readers import suggestion
from verifier.report.matrix import Expected

G = Guarantee

PANEL = (
    "first_load::first_load_of_an_empty_target",
    "first_load::target_with_rows_of_its_own",
    "merging::children_of_both_duplicates_reach_the_survivor",
    "merging::children_that_collide_once_their_parents_are_merged",
    "ordering::variants_before_products_in_the_backup",
    "refusal::orphan_variants_are_named",
    "interruption::backup_cut_off_on_the_way[0.7]",
    "interruption::shell_command_in_the_backup",
    "keys::tables_without_any_key",
    "structure::sequences_never_go_back",
    "fidelity::numbers_to_their_last_digit",
    "fidelity::texts_that_look_like_sql_or_like_the_backup",
    "triggers::triggers_that_are_off_or_always_on_stay_so",
)
"""Scenarios that put all eleven guarantees to the test, and take a second at most."""

ROWS = 60
"""About how many rows the shop of the panel has; the mistakes show in few."""

RIGHT: Mapping[str, Mapping[str, frozenset[Guarantee]]] = MappingProxyType(
    {
        "initial-load": {},
        "pg_dump": {},
    }
)
"""The implementations that are right, and what they are known to break, by scenario."""


def selection(names: Sequence[str] = ()) -> dict[str, Expected | None]:
    """The implementations of the matrix, each with the finding that it has to cause.

    ``names`` selects some of them. Raises :class:`UsageError` for one that is not part of it.
    """
    every: dict[str, Expected | None] = {
        **dict.fromkeys(RIGHT),
        **{name: _expected(fault) for name, fault in FAULTS.items()},
    }
    for name in names:
        if name not in every:
            raise UsageError(
                f"{name!r} is no part of the matrix{suggestion(name, every)}; "
                f"choose from {', '.join(every)}"
            )
    return {name: every[name] for name in every if not names or name in names}


def node(scenario: str) -> str:
    """The test of ``scenario``, as pytest's command line names it: with all of its parameters."""
    file, _, name = scenario.partition("::")
    return f"{scenarios() / f'test_{file}.py'}::test_{name.partition('[')[0]}"


def _expected(fault: Fault) -> Expected:
    return Expected(
        mistake=fault.mistake,
        trap=fault.trap,
        guarantee=fault.breaks,
        title=fault.title,
        scenario=fault.scenario,
        table=fault.table,
        constraint=fault.constraint,
    )
