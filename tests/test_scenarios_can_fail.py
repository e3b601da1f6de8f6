"""Every scenario that writes its world in SQL finds a restore that is wrong about that world.

Each is run as it stands, on real servers, with a restore that is wrong: one of the
implementations that are in use, or the built-in one followed by the statement that a wrong
one would have come to. The guarantee has to be found broken, in the words that name the cause.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from fixtures.world import World
from scenarios import (
    test_contested,
    test_exclusion,
    test_fidelity,
    test_keys,
    test_large_objects,
    test_ordering,
    test_partitions,
    test_refusal,
    test_structure,
    test_triggers,
)
from verifier.config import Config
from verifier.contract import Claim, Guarantee, Severity, Verdict
from verifier.implementations import Backup, Endpoint, Implementation, implementation
from verifier.scenario import GuaranteeBroken, Scenario
from verifier.servers import Pair

G = Guarantee
LOST = "a source row is neither restored, merged nor rejected: it is lost"
DIFFERS = "a restored row differs from its source row"
FAILED = "the restore failed although the target can take every row"
APART = "a source row that collides with a row of the target was not merged into it"
DOUBLE = "source rows that collide on a unique key of the target have no survivor"
OWN = "a row of the target that is not in the backup was changed"
SCHEMA = "the restore changed the target's schema"
UNNAMED = "a row that cannot be restored is not named"
CHANGED = "a failed restore left the target changed"


class Then:
    """The built-in restore, after which ``script`` is run on the target."""

    def __init__(self, script: str, *, admin: bool = False) -> None:
        self._right = implementation("initial-load")
        self._script = script
        self.name = f"initial-load, then {script}"
        self.not_offered = self._right.not_offered

    def backup(self, source: Endpoint) -> Backup:
        return self._right.backup(source)

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        claim = self._right.restore(backup, target)
        with psycopg.connect(target.dsn.conninfo) as session:
            session.execute(self._script.encode())
        return claim


@dataclass(frozen=True)
class Case:
    scenario: Callable[..., None]
    wrong: str
    """An implementation's name, or what happens to the target after the built-in restore."""
    guarantee: Guarantee
    title: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.scenario.__name__, *self.arguments.values()])

    @property
    def implementation(self) -> Implementation:
        named = self.wrong == "pg_dump" or self.wrong.startswith("faulty:")
        return implementation(self.wrong) if named else Then(self.wrong)


def by_id(scenario: Callable[..., None], guarantee: Guarantee, title: str, **given: str) -> Case:
    return Case(scenario, "faulty:upsert-by-id", guarantee, title, given)


keys, values, tables, refusal = test_keys, test_fidelity, test_structure, test_refusal
CASES = [
    # Uniqueness and merging.
    by_id(keys.test_rows_known_by_different_ones_of_several_keys, G.MERGING, APART),
    by_id(keys.test_deleted_rows_are_outside_of_a_partial_key, G.MERGING, APART),
    by_id(keys.test_spellings_that_an_expression_makes_one, G.MERGING, DOUBLE),
    Case(
        keys.test_nulls_that_a_key_takes_for_different,
        "DELETE FROM item WHERE id = 2",
        G.COMPLETENESS,
        LOST,
    ),
    by_id(keys.test_nulls_that_a_key_takes_for_equal, G.MERGING, DOUBLE),
    *(
        by_id(keys.test_values_passed_from_row_to_row, G.COMPLETENESS, FAILED, when=when)
        for when in ("", "DEFERRABLE")
    ),
    Case(
        keys.test_values_passed_from_row_to_row,
        "UPDATE task SET position = position + 10 WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
        {"when": "DEFERRABLE INITIALLY DEFERRED"},
    ),
    by_id(keys.test_primary_key_that_is_checked_at_the_end, G.COMPLETENESS, FAILED),
    by_id(keys.test_row_that_was_made_anew_under_another_id, G.MERGING, APART),
    by_id(keys.test_keys_made_of_foreign_keys_merge_level_by_level, G.MERGING, DOUBLE),
    by_id(keys.test_keys_made_of_foreign_keys_join_the_targets_own, G.MERGING, APART),
    by_id(keys.test_tree_whose_branches_merge, G.MERGING, DOUBLE),
    by_id(keys.test_tables_of_nothing_but_their_key, G.MERGING, APART),
    Case(
        keys.test_tables_without_any_key,
        "INSERT INTO log VALUES ('2025-01-01Z', '1')",
        G.COMPLETENESS,
        "rows of a table without key are there too often",
    ),
    Case(
        keys.test_keys_that_are_equal_and_spelled_differently,
        "UPDATE rate SET id = 1.1 WHERE id = 1.10",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        keys.test_number_that_both_sides_gave_to_something_else,
        "UPDATE purchase SET what = 'of Alice' WHERE id = 2",
        G.PRESERVATION,
        OWN,
    ),
    *(
        Case(
            test_contested.test_two_rows_that_collide_with_one_by_two_keys,
            "DELETE FROM price WHERE code = 'x'",
            G.COMPLETENESS,
            title,
            {"null": null},
        )
        for null, title in (("", "rows of a table without key are missing"), ("NOT NULL", LOST))
    ),
    by_id(
        test_contested.test_two_rows_with_children_that_collide_with_one_by_two_keys,
        G.MERGING,
        APART,
    ),
    Case(
        test_contested.test_parent_that_only_the_target_has_and_that_is_overwritten,
        "faulty:drop-orphans",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        test_exclusion.test_bookings_that_move_over_each_other,
        "faulty:upsert-by-id",
        G.COMPLETENESS,
        FAILED,
    ),
    Case(
        test_exclusion.test_booking_that_overlaps_one_that_stays,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        test_exclusion.test_bookings_that_overlap_each_other,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    # Ordering.
    Case(
        test_ordering.test_tree_whose_children_have_smaller_numbers,
        "faulty:backup-order",
        G.COMPLETENESS,
        FAILED,
    ),
    *(
        by_id(
            test_ordering.test_tables_that_refer_to_each_other,
            G.COMPLETENESS,
            FAILED,
            boss=boss,
            when=when,
        )
        for boss in ("int", "int NOT NULL")
        for when in ("", "DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED")
    ),
    by_id(test_ordering.test_rows_of_a_cycle_that_merge, G.MERGING, DOUBLE),
    # Fidelity.
    Case(
        values.test_numbers_to_their_last_digit,
        "UPDATE n SET d = 0.3 WHERE id = 3",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_moments_at_the_ends_of_time,
        "UPDATE t SET z = date_trunc('milliseconds', z) WHERE id = 5",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_documents_keep_their_text,
        "UPDATE doc SET j = j::jsonb::json WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_values_that_hold_values,
        "UPDATE v SET texts = string_to_array(array_to_string(texts, ','), ',') WHERE id = 2",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_settings_that_change_how_values_are_written,
        "UPDATE t SET d = '2024-04-03'",
        G.FIDELITY,
        DIFFERS,
    ),
    *(
        Case(
            values.test_backslashes_where_they_once_were_escapes,
            "UPDATE t SET v = replace(v, chr(92), repeat(chr(92), 2)) WHERE id = 1",
            G.FIDELITY,
            DIFFERS,
            {"side": side},
        )
        for side in ("source", "target")
    ),
    Case(
        values.test_source_in_another_encoding,
        """UPDATE "menü" SET price = convert_from(convert_to(price, 'UTF8'), 'LATIN1')""",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_names_that_need_quotes,
        'INSERT INTO businessproducts SELECT id + 5, "order" FROM "businessProducts"',
        G.COMPLETENESS,
        "the target holds a row that is neither in the source nor was there before",
    ),
    Case(
        values.test_one_table_name_in_several_schemas,
        "UPDATE other.p SET id = 2",
        G.PRESERVATION,
        "a table that is not part of the restore was touched",
    ),
    Case(
        values.test_columns_in_another_order,
        "UPDATE person SET first = last, last = first",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        values.test_lines_that_a_converter_would_take_for_its_own,
        r"UPDATE l SET t = replace(t, E'\r\n', E'\n')",
        G.FIDELITY,
        DIFFERS,
    ),
    # Tables that are more than rows.
    Case(
        tables.test_tables_that_inherit,
        "INSERT INTO place SELECT id + 10, name FROM city",
        G.COMPLETENESS,
        "the target holds a row that is neither in the source nor was there before",
    ),
    Case(
        tables.test_numbers_and_values_that_the_server_makes,
        "ALTER SEQUENCE bill_id_seq RESTART WITH 2",
        G.INTEGRITY,
        "sequence public.bill_id_seq is behind its column: the next INSERT will fail",
    ),
    Case(
        tables.test_sequences_never_go_back,
        "SELECT setval('bill_id_seq', 3)",
        G.INTEGRITY,
        "sequence public.bill_id_seq is behind its column: the next INSERT will fail",
    ),
    Case(
        tables.test_rows_of_the_target_below_a_row_that_changes,
        "DELETE FROM gone",
        G.PRESERVATION,
        "a row of the target that is not in the backup was removed",
    ),
    Case(
        tables.test_policies_that_hide_rows_from_others_than_the_owner,
        "DELETE FROM page WHERE owner = 'ann'",
        G.COMPLETENESS,
        LOST,
    ),
    Case(tables.test_views_stay_as_they_were, "DROP VIEW titles", G.INTEGRITY, SCHEMA),
    Case(
        test_partitions.test_partitions,
        "UPDATE event SET v = 7 WHERE id = 1",
        G.FIDELITY,
        DIFFERS,
    ),
    Case(
        test_partitions.test_partitions_that_are_cut_otherwise,
        "faulty:upsert-by-id",
        G.COMPLETENESS,
        FAILED,
    ),
    Case(
        test_partitions.test_row_that_moved_to_another_partition,
        "DELETE FROM event WHERE region = 'eu'",
        G.PRESERVATION,
        "a row of the target that is not in the backup was removed",
    ),
    by_id(test_triggers.test_trigger_that_touches_the_time_of_the_last_change, G.FIDELITY, DIFFERS),
    by_id(test_triggers.test_trigger_that_keeps_a_record_of_changes, G.COMPLETENESS, FAILED),
    Case(
        test_triggers.test_triggers_that_are_off_or_always_on_stay_so,
        "ALTER TABLE page DISABLE TRIGGER USER; ALTER TABLE page ENABLE TRIGGER USER",
        G.INTEGRITY,
        SCHEMA,
    ),
    Case(
        test_large_objects.test_documents_come_with_the_rows_that_hold_their_numbers,
        "SELECT lo_unlink(4712)",
        G.COMPLETENESS,
        "a large object of the source is missing",
    ),
    Case(
        test_large_objects.test_documents_of_rows_that_are_refused_do_not_stay,
        "SELECT lo_from_bytea(4711, 'new')",
        G.ATOMICITY,
        CHANGED,
    ),
    # Refusals.
    Case(
        refusal.test_row_that_is_two_rows_of_the_target_by_two_keys,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        refusal.test_values_that_a_stricter_table_refuses,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    Case(
        refusal.test_values_that_a_type_of_the_target_refuses,
        "faulty:swallow-errors",
        G.COMPLETENESS,
        UNNAMED,
    ),
    *(
        Case(
            refusal.test_structure_that_the_target_lacks,
            "INSERT INTO t VALUES (1)",
            G.ATOMICITY,
            CHANGED,
            {"change": change},
        )
        for change in (
            "DROP TABLE IF EXISTS gone",
            "ALTER TABLE gone DROP COLUMN v",
            "ALTER TABLE gone RENAME v TO w",
            "ALTER TABLE gone RENAME TO other",
        )
    ),
    Case(
        refusal.test_policies_that_bind_the_owner_as_well,
        "faulty:swallow-errors",
        G.HONESTY,
        "success was claimed, but",
    ),
    *(
        Case(
            refusal.test_right_that_the_account_lacks,
            "faulty:swallow-errors",
            G.HONESTY,
            "success was claimed, but",
            {"right": right},
        )
        for right in ("INSERT", "UPDATE", "SELECT")
    ),
    Case(
        refusal.test_target_that_is_read_only,
        "faulty:swallow-errors",
        G.HONESTY,
        "success was claimed, but",
    ),
    *(
        Case(
            scenario,
            "pg_dump",
            G.RECOVERABILITY,
            "the restore waited for a lock beyond the lock_timeout of its account",
        )
        for scenario in (
            refusal.test_table_that_somebody_else_has_locked,
            refusal.test_row_that_somebody_else_is_changing,
        )
    ),
]


@contextmanager
def scene(servers: Pair, case: Case, directory: Path) -> Iterator[Scenario]:
    made = Scenario(str(case), servers, case.implementation, Config(), (case.guarantee,), directory)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_restore_is_found(servers: Pair, tmp_path: Path, case: Case) -> None:
    with scene(servers, case, tmp_path) as scenario, pytest.raises(GuaranteeBroken) as raised:
        case.scenario(scenario, World(scenario), **case.arguments)
    proof = raised.value.proof
    assert proof.verdicts[case.guarantee] is Verdict.BROKEN
    titles = [
        finding.title
        for finding in proof.findings
        if finding.guarantee is case.guarantee and finding.severity > Severity.NOTE
    ]
    assert any(title.startswith(case.title) for title in titles), titles


def test_every_scenario_with_a_world_is_here() -> None:
    worlds: set[str] = set()
    for path in (Path(__file__).parents[1] / "scenarios").glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [a.arg for a in node.args.args] if isinstance(node, ast.FunctionDef) else []
            if "world" in names and "faults" not in names:  # those: test_faults_can_fail.py
                worlds.add(node.name)
    assert {case.scenario.__name__ for case in CASES} == worlds
