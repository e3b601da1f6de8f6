"""Slips of the verifier's own: they end no search, lose nothing that was found, and are told."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st

from tests.fuzz.test_telling import WORLD
from verifier.contract import Guarantee
from verifier.fuzz import drawing, searching
from verifier.fuzz.failure import Failure
from verifier.fuzz.judging import Judged
from verifier.fuzz.pool import Found
from verifier.fuzz.reporting import Report, lines, sentence
from verifier.fuzz.searching import Known, Search, Tally
from verifier.fuzz.subject import subject
from verifier.implementations.initial_load import InitialLoad
from verifier.model.breach import Breach
from verifier.model.world import World
from verifier.servers import Pair

BREACH = Breach(Guarantee.COMPLETENESS, "a row is missing")


def test_a_world_that_cannot_be_drawn_takes_no_other_one_along(
    servers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    @st.composite
    def some(draw: st.DrawFn) -> World:
        number = draw(st.integers(0, 9))
        if number % 2:
            raise ArithmeticError("of odd numbers nothing is known")
        return WORLD

    worlds = SimpleNamespace(worlds=lambda **settings: some())
    monkeypatch.setattr(drawing, "fixtures", lambda name: worlds)
    drawn = drawing.batch(drawing.invented(subject(InitialLoad()), servers), 1, 1)
    assert drawn.worlds == [WORLD]
    ((told, times),) = drawn.undrawn.items()
    assert times > 1
    assert told.startswith("ArithmeticError at test_slips.py:")
    assert told.endswith("of odd numbers nothing is known")


def test_a_failure_that_cannot_be_made_small_is_told_as_it_is(
    servers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slips(*arguments: object, **settings: object) -> None:
        raise ArithmeticError("it is small enough")

    monkeypatch.setattr(searching, "shrink", slips)
    with Search(subject(InitialLoad()), servers, Known()) as search:
        monkeypatch.setattr(
            search, "judged", lambda world, interrupted: Judged(world, (BREACH,), None, None)
        )
        (failure,) = search.consider(WORLD)
    assert isinstance(failure, Failure)
    assert (failure.world, failure.breaches, failure.finished) == (WORLD, (BREACH,), False)
    ((told, world),) = search.tally.unjudged.items()
    assert "it is small enough" in told
    assert world == WORLD


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Found(tally=Tally(worlds=9, unjudged={"a slip": WORLD})), "1 world could not be judged"),
        (Found(tally=Tally(worlds=9, undrawn=Counter(oh=2))), "2 worlds could not be drawn"),
        (Found(tally=Tally(worlds=9)), ""),
        (Found(tally=Tally(worlds=9), ended="the servers are gone"), "it ended before its time"),
    ],
)
def test_nothing_is_proved_where_it_slipped(found: Found, told: str) -> None:
    report = Report("initial-load", 1, found, ())
    assert report.exit_code == (2 if told else 0)
    assert told in sentence(report)
    text = "".join(part for line in lines(report, 100) for part, _ in line)
    reasons = [*found.tally.unjudged, *found.tally.undrawn, found.ended]
    assert all(reason in text for reason in reasons)


def test_what_was_found_counts_also_where_it_could_not_go_on() -> None:
    failure = Failure(implementation="initial-load", world=WORLD, breaches=(BREACH,))
    found = Found([failure], Tally(worlds=9, failing=1), ended="the servers are gone")
    report = Report("initial-load", 1, found, ())
    assert report.exit_code == 1
    assert "1 distinct failure in 9 worlds" in sentence(report)
