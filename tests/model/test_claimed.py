"""Claims of single rows, held against what was expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.small import merge, reject
from verifier.contract import Claim, Rejection
from verifier.model.claimed import merges, rejections
from verifier.model.outcome import Merged, Turned
from verifier.model.restore import Expected

CIRCLE = reject("item", "2")
ORPHAN = replace(CIRCLE, constraint="item_up")


@pytest.mark.parametrize(
    ("told", "causes"),
    [
        ((CIRCLE, ORPHAN), []),
        ((ORPHAN, CIRCLE), []),
        ((ORPHAN, ORPHAN), ["a rejection names another constraint"]),
        ((ORPHAN,), ["a rejected row is not named"]),
        ((ORPHAN, CIRCLE, CIRCLE), ["a row is rejected that fits"]),
    ],
)
def test_rows_of_one_key_are_told_apart_by_their_constraints(
    told: tuple[Rejection, ...], causes: list[str]
) -> None:
    due = (Turned("public.item", {"id": "2"}, "", frozenset(names)) for names in (["item_up"], []))
    expected = Expected(success=False, exit_code=1, rows={}, rejections=tuple(due))
    claim = Claim(success=False, exit_code=1, rejections=told)
    assert [each.cause for each in rejections(expected, claim)] == causes


@pytest.mark.parametrize(
    ("told", "right"),
    [
        (("one", "other"), True),
        (("other", "one"), True),
        (("", "one"), True),
        (("one", "one, other"), True),
        (("other", "other"), False),
        (("one", "third"), False),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_rows_of_one_key_that_have_a_cause_in_common(
    told: tuple[str, ...], right: bool, place: int
) -> None:
    due = [frozenset({"one"})]
    due.insert(place, frozenset({"one", "other"}))
    expected = Expected(
        success=True,
        exit_code=1,
        rows={},
        rejections=tuple(Turned("public.item", {"id": "2"}, "", names) for names in due),
        merges=tuple(Merged("public.item", {"id": "2"}, {"id": "1"}, names) for names in due),
    )
    claim = Claim(
        success=True,
        rejections=tuple(replace(CIRCLE, constraint=name) for name in told),
        merges=tuple(replace(merge("item", "2", "1"), constraint=name) for name in told),
    )
    assert (not [*rejections(expected, claim)]) is right
    assert (not [*merges(expected, claim)]) is right
