"""What the model expects of the built-in restore is something that the contract allows.

Without a database, so that many worlds can be looked at: the model's word is taken for a claim,
and what it expects to be there for what is observed. ``HYPOTHESIS_PROFILE=thorough`` looks at
other worlds each time, and at many.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings

from fixtures.strategies import worlds
from tests.worlds.conftest import WORLDS
from tests.worlds.place import Case
from verifier.contract import Claim, Merge, Rejection
from verifier.model.allowed import breaches
from verifier.model.breach import NotModelled
from verifier.model.restore import Expected, expect
from verifier.model.world import BackupForm, Observation, World
from verifier.worlds.spelling import of_table

# As the implementation would back it up, a partitioned table comes part by part, which only a
# server can tell.
FORMS = tuple(form for form in BackupForm if form is not BackupForm.OWN)


def said(world: World, expected: Expected) -> tuple[Claim, Observation]:
    """The claim and the observation that ``expected`` amounts to."""
    names = {table.id: of_table(table) for table in world.schema.tables}
    rejections = tuple(
        Rejection(
            table=names[each.table],
            key=dict(each.key),
            reason=each.reason,
            constraint=min(each.constraints, default=""),
        )
        for each in expected.rejections
    )
    claim = Claim(
        success=expected.success,
        exit_code=expected.exit_code,
        message="; ".join(map(worded, rejections)),
        counts={names[table]: counts for table, counts in expected.counts.items()},
        rejections=rejections,
        merges=tuple(
            Merge(table=names[each.table], key=dict(each.key), survivor=dict(each.survivor))
            for each in expected.merges
        ),
    )
    return claim, Observation(rows=expected.rows, generated=expected.generated)


def worded(rejection: Rejection) -> str:
    """As the built-in restore names it, with its key: not every rule has a name."""
    key = ", ".join(f"{name}={value}" for name, value in rejection.key.items())
    return f"{rejection.table} ({key}): {rejection.reason} {rejection.constraint}"


@settings(WORLDS, max_examples=10 * WORLDS.max_examples)
@given(worlds(forms=FORMS))
def test_what_is_expected_is_allowed(world: World) -> None:
    try:
        expected = expect(world)
        assume(not expected.refusal)
        again = None
        if expected.success:
            once_more = replace(world, present=expected.rows)
            again = said(once_more, expect(once_more))
        found = breaches(
            world, *said(world, expected), again, before=Observation(rows=world.present)
        )
    except NotModelled:
        assume(False)
    assert found == [], Case(world)
