"""Claims of single rows, held against what was expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.small import reject
from verifier.contract import Claim, Rejection
from verifier.model.claimed import rejections
from verifier.model.outcome import Turned
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
