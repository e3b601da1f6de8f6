"""What the built-in implementation promises to make of a world (``docs/contract.md``).

Tables come in the order of the target's foreign keys, parents first, those of a cycle
together. Of each:

1. rows that do not fit by themselves are rejected, and rows without a parent, and so on
   with all that refer to them; those that name no row of either side before anything moves;
2. the others are told apart: duplicates are merged, and rows become rows of the target
   (:mod:`matching`). References follow what they refer to (:mod:`following`), which may
   make rows equal that were not: within a cycle this goes on until nothing moves;
3. rows that cannot become what was decided are rejected, and the rest is decided anew.

If any row was rejected, nothing is written, unless they may be set aside (quarantine).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from verifier.contract import Counts
from verifier.model import fitting, matching, numbering, outcome
from verifier.model.breach import NotModelled
from verifier.model.expressions import Ask, refuse
from verifier.model.following import cascade, follow
from verifier.model.keys import identity
from verifier.model.order import components, turns
from verifier.model.outcome import Merged, Turned
from verifier.model.rules import of_row
from verifier.model.schema import Row, Table
from verifier.model.state import Rejected, State
from verifier.model.world import World


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How a restore is to end."""

    success: bool
    exit_code: int
    rows: Mapping[str, tuple[Row, ...]]
    """Table id → what the target holds, in no order. All tables of the schema."""
    generated: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Table id → the values of its generated columns, row by row as in ``rows``."""
    counts: Mapping[str, Counts] = field(default_factory=dict)
    """By table id; of a failure only what is rejected."""
    rejections: tuple[Turned, ...] = ()
    merges: tuple[Merged, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)
    """``table id.column`` → the least number that its sequence may give next."""
    refusal: str = ""
    """Why nothing was done, if that is no matter of single rows."""


def expect(world: World, ask: Ask = refuse) -> Expected:
    """What the built-in implementation promises to make of ``world``.

    ``ask`` evaluates what only a server can. Raises
    :class:`~verifier.model.breach.NotModelled`, and what ``ask`` raises.
    """
    causes: list[Rejected] = []
    while True:
        state = State(world, ask)
        refusal = _decide(state, causes)
        if refusal is not None:
            return refusal
        cascade(state)
        late = fitting.forsaking(state)
        if not late:
            return _told(state)
        causes += late


def _told(state: State) -> Expected:
    world = state.world
    if state.rejected and not world.options.quarantine:
        return Expected(
            success=False,
            exit_code=1,
            rows=_present(world),
            counts=outcome.rejected_counts(state),
            rejections=outcome.rejections(state),
        )
    late = [
        table
        for table in world.schema.tables
        if world.options.local_ids and _fails_at_the_end(state, table)
    ]
    if late:
        return _refused(world, 1, f"rows of {late[0].id} break a rule with their new numbers")
    return Expected(
        success=True,
        exit_code=1 if state.rejected else 0,
        rows={table.id: tuple(state.afterwards(table)) for table in world.schema.tables},
        generated={
            table.id: tuple(map(partial(state.generated, table), state.afterwards(table)))
            for table in world.schema.tables
        },
        counts=outcome.counts(state),
        rejections=outcome.rejections(state),
        merges=outcome.merges(state),
        sequences=outcome.sequences(state),
    )


def _unusable(state: State) -> str:
    """Why the options do not fit the world, or each other."""
    world, options = state.world, state.world.options
    if options.local_ids and options.quarantine:
        return "rows that are set aside would hold numbers of both databases"
    for soft in options.references:
        own = identity(world.schema.by_id[soft.parent])
        if own is None or len(own.columns) != 1:
            return "a declared reference is to a table without a key of one column"
        if soft.column not in world.schema.by_id[soft.table].places:
            return "a declared reference is in a column that is generated"
    tables = world.schema.tables
    if options.prefer and not any(matching.recency(state, table) for table in tables):
        return "no table of the backup has the column to prefer rows by"
    return ""


def _refused(world: World, exit_code: int, why: str) -> Expected:
    return Expected(success=False, exit_code=exit_code, rows=_present(world), refusal=why)


def _present(world: World) -> dict[str, tuple[Row, ...]]:
    return {table.id: tuple(world.present.get(table.id, ())) for table in world.schema.tables}


def _decide(state: State, causes: list[Rejected]) -> Expected | None:
    """Decide what becomes of every row; the end, if it is not to be.

    ``causes``: rejections that were found when all was decided before.
    """
    world = state.world
    why = _unusable(state)
    if why:
        return _refused(world, 2, why)
    if world.options.local_ids and (why := numbering.detach(state)):
        return _refused(world, 1, why)
    for table in world.schema.tables:
        fitting.unreadable(state, table)
    for each in causes:
        state.reject_again(each)
    for tables in components(world) if world.options.local_ids else ():
        if why := numbering.unfindable(state, tables):
            return _refused(world, 1, why)
    fitting.lone(state)
    for tables in components(world):
        _settle(state, tables)
    return None


def _settle(state: State, tables: list[Table]) -> None:
    """Decide what becomes of the rows of ``tables``."""
    local = state.options.local_ids
    _begin(state, tables)
    while fitting.lost(state, tables):
        _begin(state, tables)
    for table in tables:
        fitting.misfits(state, table)
    while True:
        _begin(state, tables)
        fitting.orphans(state, tables)
        if local and numbering.reject_circular(state, tables):
            continue
        # What followed a row that is rejected now may have been wrong.
        if not (_match(state, tables) or _unfit(state, tables)):
            break
    if local:
        for table in tables:
            numbering.number(state, table)
        _follow(state, tables)


def _unfit(state: State, tables: list[Table]) -> int:
    """Reject rows that are told apart and cannot be restored as what they are now."""
    circular = numbering.reject_circular(state, tables) if state.options.local_ids else 0
    return circular or fitting.unwritable(state, tables)


def _begin(state: State, tables: list[Table]) -> None:
    """Every row is its own again, and refers to what its parents became."""
    for table in tables:
        for entry in state.entries[table.id]:
            entry.forget()
            entry.begun = entry.row
    _follow(state, tables)
    for table in tables:
        for entry in state.entries[table.id]:
            entry.begun = entry.row


def _follow(state: State, tables: list[Table]) -> bool:
    """Let all follow what they refer to, until nothing moves; whether anything did."""
    seen: set[tuple[Row, ...]] = set()
    while follow(state, tables):
        now = tuple(entry.row for table in tables for entry in state.entries[table.id])
        if now in seen:  # references that share a column pull it to and fro in a circle
            raise NotModelled("the references of these rows follow each other without an end")
        seen.add(now)
    return bool(seen)


def _match(state: State, tables: list[Table]) -> int:
    """Tell the rows of ``tables`` apart; the number of rows that had to be rejected.

    The rest is told apart without them, from the beginning: what moved may have been wrong.
    """
    for turn in turns(state.world, tables, partial(numbering.by_whole_rows, state)):
        moved = True
        while moved:
            rejected = 0
            for table in turn:
                rejected += matching.match(state, table)
                matching.pair(state, table)
            if rejected:
                return rejected
            moved = follow(state, turn)
            others = _follow(state, tables)
            if (moved or others) and (found := fitting.orphans(state, tables)):
                return found
    return 0


def _fails_at_the_end(state: State, table: Table) -> bool:
    """Whether a row with new numbers breaks what could not be asked before."""
    return any(
        any(of_row(state.known, table, state.final(entry), sure=True))
        for entry in state.survivors(table)
    )
