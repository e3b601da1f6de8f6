"""What a restore does and a file of upserts cannot, refused by its name."""

from __future__ import annotations

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import ForeignKey
from verifier.initial_load.handing_on import handed_on
from verifier.initial_load.plan import Plan
from verifier.initial_load.referred_to import merely_follows
from verifier.initial_load.session import run
from verifier.initial_load.stage import Staged


def refuse(plan: Plan) -> None:
    """Raise :class:`~verifier.errors.BackupRefused` for what no upserts can do."""
    _exchanges(plan)
    _changes(plan)
    _parents(plan)


def _exchanges(plan: Plan) -> None:
    """A value that passes from one row to another takes two steps, which a file cannot plan."""
    for staged in (staged for tables in plan.order for staged in tables):
        for key in handed_on(plan.conn, staged) + plan.overlaps.handed_on(staged):
            raise BackupRefused(
                f"rows of {staged.table.quoted} hand values of {key} on to others, which upserts "
                "cannot do; restore the backup, or convert it for another target"
            )


def _changes(plan: Plan) -> None:
    """A row of the target has to be named to be changed, and some have no name."""
    for staged in (staged for tables in plan.order for staged in tables):
        if staged.updates and not staged.identity:
            raise BackupRefused(
                f"{staged.table.quoted} has no key whose columns are all NOT NULL, by which "
                "upserts could find the rows of the target that change; restore the backup"
            )


def _parents(plan: Plan) -> None:
    """What rows of the target refer to changes with them, or not at all; a file has it in turn."""
    for parent in (staged for tables in plan.order for staged in tables):
        fixed = {column.name for column in parent.identity}
        for key in plan.catalog.foreign_keys:
            linked = key.parent == parent.table.root and parent.updates
            # No action of a foreign key waits for the end, if its check does.
            at_once = merely_follows(plan.catalog, key) or (key.deferrable and not key.acts)
            at_once |= set(key.references) <= fixed
            if linked and not at_once and _loses_children(plan, parent, key):
                child = plan.catalog.tables[key.child].quoted
                raise BackupRefused(
                    f"rows of {child} in the target refer to what rows of {parent.table.quoted} "
                    f"change ({key.name}), and upserts cannot change both at once; restore the "
                    "backup, or make the foreign key deferrable, with NO ACTION"
                )


def _loses_children(plan: Plan, parent: Staged, key: ForeignKey) -> bool:
    """Whether a row of the target refers to columns that ``parent`` is to change."""
    child = plan.catalog.tables[key.child]
    theirs = [parent.table.columns[name].quoted for name in key.references]
    ours = [child.columns[name].quoted for name in key.columns]
    found = run(
        plan.conn,
        "SELECT EXISTS (SELECT FROM {change} c JOIN {rows} s ON s.{n} = c.n"
        " JOIN {target} t ON t.tableoid = c.t_oid AND t.ctid = c.t_ctid"
        " JOIN {child} k ON {refers} WHERE ({old}) IS DISTINCT FROM ({new}))",
        change=parent.change,
        rows=parent.rows,
        n=parent.ordinal,
        target=parent.table.only,
        child=child.only,
        refers=" AND ".join(f"k.{a} = t.{b}" for a, b in zip(ours, theirs, strict=True)),
        old=", ".join(f"t.{column}" for column in theirs),
        new=", ".join(f"s.{column}" for column in theirs),
    ).fetchone()
    return bool(found and found[0])
