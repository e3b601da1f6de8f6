"""The search for values of several columns that satisfy the rules that tie them together.

A column is added after the other. As soon as all columns of a rule are there, the server says
which of the beginnings satisfy it, and the search goes on with some of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from verifier.model.schema import Column, Row, Table, Value
from verifier.worlds.trials import Refusal, Rule, Trials

_TRIED = 1200
"""Beginnings that the server is asked about at once, at most."""
_KEPT = 64
"""Beginnings that the search goes on with."""
_CHOICES = 150
"""What is enough at the end, beside what the seed has. Keys need many: of what refers to them
only a part agrees with any other column."""


def filtered(
    trials: Trials,
    table: Table,
    values: Mapping[str, Sequence[Value]],
    generated: Sequence[Column],
    rules: Sequence[Rule],
    samples: Sequence[Row],
) -> list[Row] | Refusal:
    """Rows of the columns of ``values`` that satisfy ``rules``, those of ``samples`` first.

    ``generated`` are the columns that follow from them.
    """
    order = _order([*values], generated, rules)
    places = [[*values].index(name) for name in order]
    known = [tuple(sample[place] for place in places) for sample in samples]
    found: list[Row] | Refusal = [()]
    done: set[str] = set()
    for count in range(1, len(order) + 1):
        assert not isinstance(found, Refusal)
        begun = [row[:count] for row in known]
        longer = [(*row, value) for row in found for value in values[order[count - 1]]]
        tried = list(dict.fromkeys([*begun, *_spread(longer, _TRIED)]))
        columns = set(order[:count])
        made = [each for each in generated if each.generated and each.generated.reads <= columns]
        columns |= {each.name for each in made}
        ready = [rule for rule in rules if rule.columns <= columns]
        news = {rule.name for rule in ready} | {each.name for each in made}
        if news > done:
            names = [each.name for each in made]
            found = trials.rows(table, order[:count], names, ready, tried)
            if isinstance(found, Refusal):
                return found
            done = news
        else:
            found = tried
        kept = [row for row in found if row in set(begun)]
        rest = [row for row in found if row not in set(begun)]
        found = kept + _spread(rest, _KEPT if count < len(order) else _CHOICES)
    assert not isinstance(found, Refusal)
    back = [order.index(name) for name in values]
    return [tuple(row[place] for place in back) for row in found]


def _order(names: list[str], generated: Sequence[Column], rules: Sequence[Rule]) -> list[str]:
    """The columns so that rules are complete as early as can be."""
    reads = {each.name: each.generated.reads for each in generated if each.generated}
    wanted = [_stored(rule.columns, reads, names) for rule in rules]
    wanted += [_stored(read, reads, names) for read in reads.values()]
    found: list[str] = []
    while wanted:
        wanted = [each - set(found) for each in wanted if each - set(found)]
        if wanted:
            nearest = min(wanted, key=len)
            found += [name for name in names if name in nearest]
    return found + [name for name in names if name not in found]


def _stored(
    columns: Iterable[str], reads: Mapping[str, frozenset[str]], names: Sequence[str]
) -> set[str]:
    """``columns``, with what generated ones among them read in their place."""
    found = {name for name in columns if name in names}
    return found.union(*(reads.get(name, frozenset()) for name in columns)) & set(names)


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """``count`` of ``rows`` in their order, so that as many values as can be are in one of them."""
    if len(rows) <= count or len(rows[0]) == 1:
        return [*rows[:count]]
    places = [*range(len(rows))]
    Random(len(rows)).shuffle(places)  # noqa: S311 (repeatable, no secret)
    seen: set[tuple[int, Value]] = set()
    first: list[int] = []
    rest: list[int] = []
    for place in places:
        cells = set(enumerate(rows[place]))
        (rest if cells <= seen else first).append(place)
        seen |= cells
    return [rows[place] for place in sorted((first + rest)[:count])]
