"""Findings about single numbers that a claim gives, without counting everything."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.contract import Evidence, Finding, Guarantee
from verifier.oracle.collect import Findings
from verifier.oracle.fate import Fates

_TRANSFERRED = "rows"
_TOTAL = ""
_WROTE = ("inserted", "updated")
_ARRIVED = (*_WROTE, "unchanged", "merged")

Numbers = Mapping[str, int]


def judge_figures(
    fates: Fates,
    observed: Mapping[str, Numbers],
    claimed: Mapping[str, Numbers],
    findings: Findings,
) -> None:
    """Each number is the observed one, per table or over all tables.

    Who calls rows transferred may mean those that changed the target, or all that arrived,
    those that became one row included: anything between the two is true.
    """
    for name, told in claimed.items():
        if name == _TOTAL:
            shown = {
                kind: sum(each[kind] for each in observed.values()) for kind in _kinds(observed)
            }
        elif name in observed:
            shown = dict(observed[name])
        else:
            _judge_unselected(fates, name, told, findings)
            continue
        wrong = tuple(kind for kind, number in told.items() if not _is_true(kind, number, shown))
        if not wrong:
            continue
        of = "the claimed number of transferred rows is"
        many = "the claimed counts are"
        findings.add(
            Finding(
                guarantee=Guarantee.HONESTY,
                title=f"{of if wrong == (_TRANSFERRED,) else many} not what is observed",
                table=name,
                columns=wrong,
                evidence=(
                    Evidence("claim", {kind: str(number) for kind, number in told.items()}),
                    Evidence("observed", {kind: str(number) for kind, number in shown.items()}),
                ),
            )
        )


def _kinds(observed: Mapping[str, Numbers]) -> set[str]:
    return {kind for each in observed.values() for kind in each}


def _is_true(kind: str, number: int, shown: Numbers) -> bool:
    if kind != _TRANSFERRED:
        return number == shown.get(kind, 0)
    least, most = (sum(shown.get(each, 0) for each in kinds) for kinds in (_WROTE, _ARRIVED))
    return least <= number <= most


def _judge_unselected(fates: Fates, name: str, told: Numbers, findings: Findings) -> None:
    """Nothing of the table is restored, but all of its rows may be said to be rejected."""
    rows = fates.universe.source.tables.get(name)
    held = len(rows.rows) if rows else 0
    if all(not number or (kind == "rejected" and number == held) for kind, number in told.items()):
        return
    findings.add(
        Finding(
            guarantee=Guarantee.HONESTY,
            title="the claim counts rows of a table that is not part of the restore",
            table=name,
            evidence=(Evidence("claim", {kind: str(number) for kind, number in told.items()}),),
        )
    )
