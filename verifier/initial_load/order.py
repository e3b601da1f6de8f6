"""The order of tables: parents first, tables of one cycle together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


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
