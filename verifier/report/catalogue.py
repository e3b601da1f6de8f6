"""The scenarios that there are, for people: on a screen, and as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from verifier.contract import Guarantee
from verifier.report.literal import printable
from verifier.report.text import Line, counted, markdown_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a scenario says of itself."""

    name: str
    """``merging::duplicates_below_duplicates``"""
    sentence: str
    """What breaks in the field."""
    guarantees: tuple[Guarantee, ...]
    """Which it was written for, the first one first."""
    traps: tuple[str, ...] = ()
    slow: bool = False
    needs: str = ""
    """``18: WITHOUT OVERLAPS``: the oldest PostgreSQL that it can be run on, and why."""
    runs: int = 1
    """How many times it is run, with other parameters each."""


def lines(scenarios: Sequence[Listed], width: int) -> Iterator[Line]:
    """Each scenario with its sentence, below the guarantee that it was written for."""
    for title, those in _by_guarantee(scenarios).items():
        yield [(title, "strong")]
        for each in those:
            about = [*each.traps, *_cost(each), *([f"PostgreSQL {each.needs}"] * bool(each.needs))]
            yield [(f"  {printable(each.name)}", ""), (f"  {', '.join(about)}".rstrip(), "faint")]
            for line in wrap(printable(each.sentence), max(40, width - 6)):
                yield [(f"      {line}", "faint")]
        yield []
    yield [(_total(scenarios), "strong")]


def markdown(scenarios: Sequence[Listed]) -> str:
    """The same as a page, with the traps and who shows them at its end."""
    text = [_HEAD.format(total=_total(scenarios))]
    for title, those in _by_guarantee(scenarios).items():
        text.append(f"## {title.capitalize()}\n")
        text.append("| scenario | what breaks in the field | traps | also for | |")
        text.append("|---|---|---|---|---|")
        for each in those:
            also = ", ".join(each.guarantees[1:])
            rest = ", ".join([*_cost(each), *([f"PostgreSQL {each.needs}"] * bool(each.needs))])
            cells = [f"`{each.name}`", each.sentence, " ".join(each.traps), also, rest]
            text.append(markdown_row(*cells))
        text.append("")
    text.append("## By trap\n")
    text.append(
        "What each trap is, and what the built-in restore does about it: [traps.md](traps.md)."
    )
    text.append("\n| trap | scenarios |")
    text.append("|---|---|")
    for trap in sorted({trap for each in scenarios for trap in each.traps}):
        names = ", ".join(f"`{each.name}`" for each in scenarios if trap in each.traps)
        text.append(markdown_row(trap, names))
    return "\n".join([*text, ""])


_HEAD = """# The scenarios

<!-- Written by `restore-verifier scenarios --markdown`; change the scenarios, not this page. -->

**{total}.** Every one of them is held to every guarantee of
[the contract](contract.md), and stands below the one that it was written for first. Each is
proved able to fail by a restore that is wrong about it (`tests/test_scenarios_can_fail.py` and
its neighbours). The plan of the initial load is `first_load`.

`restore-verifier verify --select EXPRESSION` (`-m` of pytest) runs those whose marks match:

- `merging`, `atomicity`, …: written for that guarantee, if not for it in the first place
- `slow`: more than about two seconds, or servers or processes of its own
- `pg`: needs a version of PostgreSQL, on both sides; with an older one it is skipped as
  NOT VERIFIED, with the reason. `pg(since=18)` are those that need 18

So `--select "merging and not slow"`, or `--select "not pg"`.
"""


def _by_guarantee(scenarios: Sequence[Listed]) -> Mapping[str, Sequence[Listed]]:
    """In the order of the contract; those without any guarantee last."""
    found: dict[str, list[Listed]] = {guarantee.value: [] for guarantee in Guarantee}
    for each in scenarios:
        place = each.guarantees[0].value if each.guarantees else "no guarantee in particular"
        found.setdefault(place, []).append(each)
    return {title: those for title, those in found.items() if those}


def _cost(each: Listed) -> list[str]:
    return [*(["slow"] * each.slow), *([f"{each.runs} runs"] * (each.runs > 1))]


def _total(scenarios: Sequence[Listed]) -> str:
    runs = sum(each.runs for each in scenarios)
    said = counted(len(scenarios), "scenario")
    return f"{said}, run {counted(runs, 'time')} in all" if runs != len(scenarios) else said
