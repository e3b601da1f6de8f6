"""Worlds drawn by Hypothesis, batch by batch: the same seed gives the same worlds."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from verifier.fuzz.catalogue import fixtures
from verifier.fuzz.subject import Subject
from verifier.model.world import Options, World

BATCH = 40
"""Worlds in a batch. Hypothesis begins each with small ones."""


def invented(subject: Subject) -> SearchStrategy[World]:
    """Worlds that ``subject`` can be put to."""
    options = None if subject.promises else Options()
    found: SearchStrategy[World] = fixtures("strategies").worlds(
        options=options, forms=subject.forms
    )
    return found


def batch(worlds: SearchStrategy[World], number: int, part: int, size: int = BATCH) -> list[World]:
    """The worlds of the batch ``part`` that follow from the seed ``number``, each once.

    There may be fewer than ``size``, where there are no more.
    """
    found: dict[str, World] = {}

    @seed(number * 1_000_003 + part)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds)
    def collect(world: World) -> None:
        found.setdefault(repr(world), world)

    collect()
    return list(found.values())
