"""What holds for every world, whatever the model says of it.

Each is asked of a few worlds that are the same on every run, and of many others with
``HYPOTHESIS_PROFILE=thorough``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import assume, given, reject
from hypothesis import strategies as st

from fixtures.strategies import worlds
from tests.worlds.conftest import WORLDS
from tests.worlds.place import Case, Place, Restored, bags
from verifier.contract import Claim, Counts, Rejection
from verifier.errors import Unfit
from verifier.implementations.initial_load import clean, convert
from verifier.model.breach import NotModelled
from verifier.model.compare import differences
from verifier.model.restore import expect
from verifier.model.schema import Row, Schema, Table
from verifier.model.state import column
from verifier.model.values import comparable
from verifier.model.world import BackupForm, Observation, Options, World
from verifier.transfer import Format, Style
from verifier.worlds import ddl
from verifier.worlds.spelling import of_table


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # Not ``map``, with which a failing test would tell the calls and not the case.
    return Case(draw(worlds()))


CASES = cases()


def counted(claim: Claim, table: Table) -> Counts:
    return (claim.counts or {}).get(of_table(table), Counts())


def summed(claim: Claim) -> Counter[str]:
    """The counts of all tables together."""
    return sum((Counter(_asdict(each)) for each in (claim.counts or {}).values()), Counter())


def _asdict(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts.__slots__}


def said(claim: Claim) -> tuple[Any, ...]:
    """What a claim says of the rows, in no order."""
    merges = Counter((each.table, str(each.key), str(each.survivor)) for each in claim.merges or ())
    rejections = Counter((each.table, str(each.key)) for each in claim.rejections or ())
    return claim.success, claim.exit_code, claim.counts, merges, rejections


@WORLDS
@given(case=CASES)
def test_result_is_what_the_model_says(place: Place, case: Case) -> None:
    run = place.run(case.world)
    assert_promised(place, case.world, run.claim, run.after)


def assert_promised(place: Place, world: World, claim: Claim, after: Observation) -> None:
    try:
        expected = expect(world, place.target.asker())
    except NotModelled:
        reject()
    found = differences(world, expected, claim, after)
    assert not found, "\n".join(f"{each.guarantee}: {each.words}" for each in found)


@WORLDS
@given(case=CASES)
def test_restoring_again_changes_nothing(place: Place, case: Case) -> None:
    first = place.run(case.world)
    before = place.versions(case.world.schema)
    again = place.restore(first.path, case.world.options)
    if first.claim.success and may_fit_by_then(first.claim, case.world.options):
        later = replace(case.world, present=first.after.rows)
        assert_promised(place, later, again, place.target.observe())
        return
    assert place.versions(case.world.schema) == before
    assert place.target.observe() == first.after
    if first.claim.success:
        assert again.success, again.message
        sums = summed(again)
        assert (sums["inserted"], sums["updated"]) == (0, 0)
        assert sums.total() == summed(first.claim).total()


def may_fit_by_then(claim: Claim, options: Options) -> bool:
    """Whether rows that were set aside may fit once the others are written.

    A key that they needed is free then, or a row of the target is newer than theirs, and stays.
    The second restore is held to what is promised of it instead.
    """
    reasons = [each.reason for each in claim.rejections or ()]
    return any("is taken over by another row" in reason for reason in reasons) or (
        bool(reasons) and bool(options.prefer)
    )


@WORLDS
@given(case=CASES)
def test_rows_are_conserved(place: Place, case: Case) -> None:
    run = place.run(case.world)
    before, after = bags(run.before.rows), bags(run.after.rows)
    assert run.claim.counts is not None
    if not run.claim.success:
        assert after == before
        return
    for table in case.world.schema.tables:
        counts = counted(run.claim, table)
        source = len(case.world.source.get(table.id, ()))
        assert sum(_asdict(counts).values()) == source, table.id
        ours, theirs = before.get(table.id, Counter()), after.get(table.id, Counter())
        assert theirs.total() == ours.total() + counts.inserted, table.id
        written = counts.inserted + counts.updated
        assert (theirs - ours).total() <= written + counts.merged, table.id
        if table.primary is not None:
            assert (theirs - ours).total() >= written, table.id
            keys = partial(_keys, case.world.schema, table)
            assert keys(ours) <= keys(theirs), "rows were removed"
    for table, row in _restored(run):
        assert _fixed(table, row) in {_fixed(table, each) for each in after[table.id]}, (
            f"{table.id} {row} is neither restored, merged nor rejected"
        )


def _keys(schema: Schema, table: Table, rows: Counter[Row]) -> set[tuple[Any, ...]]:
    """Of 1 and 1.0 the target has one."""
    assert table.primary is not None
    types = [column(table, name).type for name in table.primary.columns]
    return {
        tuple(
            comparable(type_, schema, value)
            for type_, value in zip(types, _key(table, row), strict=True)
        )
        for row in rows
    }


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    primary = table.primary
    names = primary.columns if primary is not None else tuple(table.places)
    return tuple(row[table.places[name]] for name in names)


def _restored(run: Restored) -> Iterator[tuple[Table, Row]]:
    """The source's rows that are said to be restored and have their own key in the target."""
    if run.world.options.local_ids or run.world.options.prefer:
        return
    told = [(each.table, each.key) for each in run.claim.rejections or ()]
    told += [(each.table, each.key) for each in run.claim.merges or ()]
    told += [(each.table, each.survivor) for each in run.claim.merges or ()]
    named = {(table, tuple(sorted(key.items()))) for table, key in told}
    for table in run.world.schema.tables:
        if table.primary is None or _moving(table).intersection(table.primary.columns):
            continue
        for row in run.world.source.get(table.id, ()):
            key = dict(zip(table.primary.columns, _key(table, row), strict=True))
            if (of_table(table), tuple(sorted(key.items()))) not in named:
                yield table, row


def _fixed(table: Table, row: Row) -> Row:
    """``row`` without what follows a merge of other rows."""
    moving = _moving(table)
    return tuple(row[place] for name, place in table.places.items() if name not in moving)


def _moving(table: Table) -> set[str]:
    return {name for key in table.foreign_keys for name in key.columns}


@WORLDS
@given(case=CASES)
def test_claim_says_no_more_than_there_is(place: Place, case: Case) -> None:
    run = place.run(case.world)
    claim, world = run.claim, case.world
    by_name = {of_table(table): table for table in world.schema.tables}
    if claim.exit_code == 2:
        assert not claim.success
        assert not claim.rejections
    else:
        assert claim.exit_code == (0 if claim.success and not claim.rejections else 1)
    for each in (*(claim.rejections or ()), *(claim.merges or ())):
        table = by_name[each.table]
        assert _has(table, world.source[table.id], each.key), f"no such row in the backup: {each}"
    for merge in claim.merges or ():
        table = by_name[merge.table]
        assert _has(table, run.after.rows[table.id], merge.survivor), f"no such row: {merge}"
    for table in world.schema.tables:
        mine = [each for each in claim.rejections or () if each.table == of_table(table)]
        assert len(mine) == counted(claim, table).rejected
    assert not run.after.trouble


def _has(table: Table, rows: tuple[Row, ...], key: Mapping[str, Any]) -> bool:
    places = table.places
    return any(all(row[places[name]] == value for name, value in key.items()) for row in rows)


@WORLDS
@given(case=CASES, random=st.randoms(use_true_random=False))
def test_order_of_the_tables_does_not_matter(place: Place, case: Case, random: Any) -> None:
    run = place.run(case.world)
    order = [table.id for table in case.world.schema.tables]
    random.shuffle(order)
    other = place.run(replace(case.world, order=tuple(order)))
    assert said(other.claim) == said(run.claim)
    assert bags(other.after.rows) == bags(run.after.rows)


@WORLDS
@given(case=CASES, random=st.randoms(use_true_random=False))
def test_order_of_the_rows_does_not_matter(place: Place, case: Case, random: Any) -> None:
    """Where another thing than their order tells duplicates apart, and nothing is numbered."""
    assume(not case.world.options.local_ids)
    world = _aged(case.world)
    run = place.run(world)
    assume(run.claim.success)
    told = {each.table for each in (*(run.claim.merges or ()), *(run.claim.rejections or ()))}
    recency = world.options.prefer
    assume(all(recency in each.places for each in world.schema.tables if of_table(each) in told))
    shuffled = {id: tuple(random.sample(rows, len(rows))) for id, rows in world.source.items()}
    other = place.run(replace(world, source=shuffled))
    assert said(other.claim) == said(run.claim)
    assert bags(other.after.rows) == bags(run.after.rows)


def _aged(world: World) -> World:
    """``world`` with no two rows of a table as old as each other, the newest preferred."""
    source = dict(world.source)
    for table in world.schema.tables:
        place = table.places.get("updated")
        if place is not None:
            source[table.id] = tuple(
                (*row[:place], f"2024-01-01 00:00:{second:02}", *row[place + 1 :])
                for second, row in enumerate(source.get(table.id, ()))
            )
    aged = any("updated" in table.places for table in world.schema.tables)
    prefer = "updated" if aged else ""
    return replace(world, source=source, options=replace(world.options, prefer=prefer))


@WORLDS
@given(case=CASES)
def test_backup_of_the_result_is_the_result(place: Place, case: Case) -> None:
    run = place.run(case.world)
    schema = case.world.schema
    backup = place.own_backup(place.target.database)
    place.other.make(schema, {}, {})
    moved = place.restore(backup, Options(), place.other)
    assert moved.success, moved.message
    assert bags(place.other.observe().rows) == bags(run.after.rows)
    before = place.versions(schema)
    same = place.restore(backup, Options())
    assert same.success, same.message
    assert set(summed(same)) <= {"unchanged"}
    assert place.versions(schema) == before


@WORLDS
@given(case=CASES)
def test_rejected_rows_are_kept_and_taken_in_again(place: Place, case: Case) -> None:
    world = replace(case.world, options=replace(case.world.options, quarantine=True))
    assume(not world.options.local_ids)
    place.target.make(world.schema, world.present, {})
    path = place.back_up(world)
    kept = place.workdir() / "kept.jsonl"
    claim = place.restore(path, world.options, quarantine=kept)
    assume(claim.exit_code != 2)
    assert claim.success, claim.message
    assert kept.exists() == bool(claim.rejections)
    after = place.target.observe()
    mended = replace(world, lacks=frozenset())
    while claim.rejections:
        for table in world.schema.tables:
            rows = [_fixed(table, row) for row in _kept(kept, table)]
            assert len(rows) == counted(claim, table).rejected
            source = (_fixed(table, row) for row in world.source.get(table.id, ()))
            assert not Counter(rows) - Counter(source)
        before, mended = mended, _mended(mended, claim.rejections)
        assert mended.lacks > before.lacks, "it does not say what the row was rejected by"
        place.target.make(ddl.of_source(mended), after.rows, {})
        last, kept = kept, place.workdir() / "kept.jsonl"
        again = place.restore(last, Options(), quarantine=kept)
        assert again.success, again.message
        assert summed(again).total() == len(claim.rejections)
        claim, after = again, place.target.observe()


_COLUMN = re.compile(
    r'(?:column )?"?(.*?)"? is (?:NULL|GENERATED ALWAYS and cannot be changed)', re.DOTALL
)


def _mended(world: World, rejections: Iterable[Rejection]) -> World:
    """``world`` without the rules that its target rejected rows by."""
    ids = {of_table(table): table.id for table in world.schema.tables}
    checks = {check.name for domain in world.schema.domains for check in domain.checks}
    gone = set(world.lacks)
    for each in rejections:
        gone.update(filter(None, each.constraint.split(", ")))
        gone.update(name for name in checks if name in each.reason)
        column = _COLUMN.fullmatch(each.reason)
        if column is not None:
            name = column[1].replace('""', '"')
            gone.add(f"{ids[each.table]}.{name}")
    return replace(world, lacks=frozenset(gone))


def _kept(path: Path, table: Table) -> list[Row]:
    """The rows of a table in a file of rejected rows."""
    found = [json.loads(line) for line in path.read_text().splitlines()[1:-1]]
    rows = [each["row"] for each in found if each["table"] == of_table(table)]
    assert all(set(row) == set(table.places) for row in rows)
    return [tuple(row[name] for name in table.places) for row in rows]


@WORLDS
@given(case=CASES)
def test_every_format_gives_the_same(place: Place, case: Case) -> None:
    """Of those that can hold the values."""
    runs = []
    for form in BackupForm:
        with suppress(Unfit):
            runs.append(place.run(replace(case.world, form=form)))
    assert len(runs) >= len(BackupForm) - 1
    for run in runs[1:]:
        assert said(run.claim) == said(runs[0].claim), run.world.form
        assert bags(run.after.rows) == bags(runs[0].after.rows), run.world.form


@WORLDS
@given(case=CASES)
def test_dry_run_says_what_is_done_and_does_nothing(place: Place, case: Case) -> None:
    world = case.world
    place.target.make(world.schema, world.present, {})
    path = place.back_up(world)
    before, versions = place.target.observe(), place.versions(world.schema)
    dry = place.restore(path, world.options, dry_run=True)
    assert place.target.observe() == before
    assert place.versions(world.schema) == versions
    claim = place.restore(path, world.options)
    assert said(dry) == said(claim)
    assert dry.notes == claim.notes


@WORLDS
@given(case=CASES, style=st.sampled_from(Style))
def test_converted_backup_does_what_the_restore_does(
    place: Place, case: Case, style: Style
) -> None:
    """Where it can be converted, and no trigger of the target takes part."""
    world = case.world
    assume(not world.options.local_ids and not world.options.strict_ids)
    assume(not any(table.triggers for table in world.schema.tables))
    run = place.run(world)
    place.target.make(world.schema, world.present, {})
    database, out = place.target.database, place.workdir() / "out.sql"
    claim = convert(run.path, database.dsn, out, style, place.options(world.options))
    assert out.exists() == claim.success
    if not claim.success:
        assert run.claim.success is False or claim.exit_code == 2, claim.message
        return
    assert said(claim) == said(run.claim)
    place.psql(out)
    assert bags(place.target.observe().rows) == bags(run.after.rows)
    versions = place.versions(world.schema)
    place.psql(out)
    assert place.versions(world.schema) == versions


@WORLDS
@given(case=CASES, form=st.sampled_from([Format.COPY, Format.INSERTS]))
def test_cleaned_backup_does_what_the_restore_does(place: Place, case: Case, form: Format) -> None:
    world = replace(case.world, options=replace(case.world.options, quarantine=True))
    assume(not world.options.local_ids)
    run = place.run(world)
    place.target.make(world.schema, world.present, {})
    database, out = place.target.database, place.workdir() / "out.sql"
    claim = clean(run.path, database.dsn, out, form, place.options(world.options))
    assert said(claim) == said(run.claim)
    restored = place.restore(out, replace(world.options, quarantine=False))
    assume(restored.exit_code != 2)  # no row is left that has a column to prefer by
    assert restored.success, restored.message
    assert not restored.rejections
    assert bags(place.target.observe().rows) == bags(run.after.rows)
