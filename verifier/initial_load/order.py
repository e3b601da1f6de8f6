"""The order of tables: parents first, tables of one cycle together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from verifier.initial_load.catalog import Catalog
from verifier.initial_load.stage import Staged, family
from verifier.initial_load.whole_rows import by_whole_rows


def matched_by(staged: Staged, columns: Iterable[str]) -> bool:
    """Whether ``columns`` say which rows of the table are equal."""
    read = {name for key in staged.keys for name in key.columns}
    derived = any(column.generated for column in staged.columns if column.name in read)
    whole = staged.table.identity is None or by_whole_rows(staged)
    return whole or derived or not read.isdisjoint(columns)


def ordered(
    catalog: Catalog,
    tables: list[Staged],
    counts: Callable[[Staged, Iterable[str]], bool] = lambda *_: True,
) -> list[list[Staged]]:
    """The staged tables by components of the target's foreign keys, parents first.

    Of the references by columns that ``counts`` for their table.
    """
    by_number = {staged.number: staged for staged in sorted(tables, key=lambda s: s.table.quoted)}
    above: dict[int, list[int]] = {}
    for number, staged in by_number.items():
        above[number] = [
            parent.number
            for key in catalog.foreign_keys
            if key.child == staged.table.oid and counts(staged, key.columns)
            for parent in family(tables, key.parent)
        ] + [
            parent.number
            for soft in catalog.references
            if staged in family(tables, soft.child) and counts(staged, (soft.column,))
            for parent in family(tables, soft.parent)
        ]
    return [[by_number[number] for number in found] for found in components(above)]


def components(parents: Mapping[int, Iterable[int]]) -> list[list[int]]:
    """Strongly connected components of the graph child → parents, parents first.

    Tarjan's algorithm (SIAM J. Comput. 1, 1972) with a stack of its own, because a
    chain of tables may be longer than Python's recursion limit. The result depends
    on the order of ``parents`` only.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: list[int] = []
    found: list[list[int]] = []
    for root in parents:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        open_.append(root)
        work = [(root, iter(parents[root]))]
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = open_.index(node)
                    found.append(open_[at:])
                    del open_[at:]
            elif following not in index:
                index[following] = low[following] = len(index)
                open_.append(following)
                work.append((following, iter(parents[following])))
            elif following in open_:
                low[node] = min(low[node], index[following])
    return found
