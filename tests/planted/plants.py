"""The faults: what each does, and the one place of the engine that it changes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.planted.planter import Plant

_ALL = (
    Plant(
        name="second_level",
        says="only rows that refer to nothing take their children along when they merge",
        file="repoint.py",
        old="""\
    if not _moved(conn, catalog, parent):
""",
        new="""\
    below = any(key.child == parent.table.oid for key in catalog.foreign_keys)
    if not _moved(conn, catalog, parent) or below:
""",
    ),
    Plant(
        name="key_made_of_a_reference",
        says="a child follows its merged parent, but what refers to the child by that column stays",
        file="following.py",
        old="changed |= shift(conn, catalog, tables, link, follows, depth + 1)",
        new="changed |= set()",
    ),
    Plant(
        name="null_equals_nothing",
        says="keys are matched by = instead of IS NOT DISTINCT FROM (NULLS NOT DISTINCT)",
        file="equal.py",
        old="terms.append(equal if key.nulls_distinct or part in certain else null)",
        new="terms.append(equal)",
    ),
    Plant(
        name="partial_as_full",
        says="a partial unique index is taken for one of all rows",
        file="equal.py",
        old='where = [f"({key.predicate})"] if key.predicate else []',
        new="where = []",
    ),
    Plant(
        name="no_tie_rule",
        says="of equally new duplicates the last in the backup wins, and not one by its key",
        file="duplicates.py",
        old="DESC NULLS LAST {key}, g.n DESC",
        new="DESC NULLS LAST, g.n DESC",
    ),
    Plant(
        name="sequence_from_the_backup",
        says="a sequence is set to the backup's position, whatever rows there are",
        file="sequences.py",
        old="""\
    # At its end, a sequence cannot be moved further; its next value fails anyway.
""",
        new="""\
    target = target if said is None else wanted[1]
""",
    ),
    Plant(
        name="half_null_is_an_orphan",
        says="a composite foreign key with one NULL in it has to have a parent",
        file="parents.py",
        old="""\
    where = [f"s.{column} IS NOT NULL" for column in columns]
""",
        new="""\
    told_ = [f"coalesce({each}, 'NULL')" for each in told_]
    where = [f"num_nonnulls({', '.join(f's.{column}' for column in columns)}) > 0"]
""",
    ),
    Plant(
        name="swap_one_by_one",
        says="values of a unique key that change places are written without a step in between",
        file="handing_on.py",
        old="spot = staged.parking.get(key.name)",
        new="spot = None",
    ),
    Plant(
        name="children_after_their_parent",
        says="a row takes over the target's key before its children follow, which then find none",
        file="repoint.py",
        old="""\
    before = kept(conn, catalog, tables, parent)
""",
        new="""\
    before = kept(conn, catalog, tables, parent)
    _adopt(conn, parent)
""",
    ),
    Plant(
        name="cycle_at_the_wrong_table",
        says="tables of a cycle are written one after another, from where the search began",
        file="order.py",
        old="low[node] = min(low[node], index[following])",
        new="pass",
    ),
    Plant(
        name="quarantine_without_grandchildren",
        says="what refers to a row that was rejected for its own parent is kept",
        file="parents.py",
        old="""\
        f"NOT EXISTS (SELECT FROM {among(staged.rows, key)} p WHERE {same}{written(staged)}"
        f"{survives(staged) if planned else ''})"
""",
        new="""\
        f"NOT EXISTS (SELECT FROM {among(staged.rows, key)} p WHERE {same}) AND NOT EXISTS ("
        f"SELECT FROM pg_temp.restore_rejected r WHERE r.reason LIKE 'its parent is rejected%'"
        f" AND r.tab = {staged.number} AND ("
        + ", ".join(f"r.data->>{literal(name)}" for name in key.references)
        + f") = ({', '.join(f's.{c}::text' for c in columns)}))"
""",
    ),
    Plant(
        name="orphans_once",
        says="orphans are looked for once, and not what refers to them in the same table",
        file="parents.py",
        old="""\
        if not found:
            return total
""",
        new="""\
        return total
""",
    ),
    Plant(
        name="merged_counted_as_inserted",
        says="merged rows are counted as inserted",
        file="outcome.py",
        old="""\
        inserted, updated, kept = row
""",
        new="""\
        inserted, updated, kept = row
        merged = staged.total - kept - rejected
        inserted, kept = inserted + merged, kept + merged
""",
    ),
    Plant(
        name="mixture",
        says="a survivor takes what it has not from the rows that merged into it",
        file="changes.py",
        old="""\
    staged.grouped, staged.all_new = True, False
""",
        new="""\
    staged.grouped, staged.all_new = True, False
    loose = [column.quoted for column in staged.given if not column.not_null]
    if loose:
        run(
            conn,
            "UPDATE {rows} w SET {set} FROM {fate} f JOIN {rows} l ON l.{n} = f.n"
            " WHERE w.{n} = f.winner AND f.n <> f.winner",
            rows=staged.rows,
            fate=staged.fate,
            n=staged.ordinal,
            set=", ".join(f"{name} = coalesce(w.{name}, l.{name})" for name in loose),
        )
""",
    ),
    Plant(
        name="expression_as_column",
        says="an expression in a unique key is taken for the column that it reads",
        file="catalog.py",
        old="""\
    row["columns"] = frozenset(row["columns"])
""",
        new="""\
    import re

    row["columns"] = frozenset(row["columns"])
    row["expressions"] = tuple(
        re.sub(r"^\\(*\\w+\\((\\w+).*$", r"\\1", part) for part in row["expressions"]
    )
""",
    ),
    Plant(
        name="soft_reference_stays",
        says="a declared reference does not follow a merge",
        file="repoint.py",
        old="    changed |= _follow_softly(conn, catalog, tables, parent, before)\n",
        new="",
    ),
    Plant(
        name="identity_always",
        says="rows are inserted without OVERRIDING SYSTEM VALUE",
        file="write.py",
        old='f"({names}) OVERRIDING SYSTEM VALUE"',
        new='f"({names})"',
    ),
    Plant(
        name="first_rejection_only",
        says="of a table's rejected rows only the first is reported",
        file="ledger.py",
        old="SELECT tab, key, reason, con FROM pg_temp.restore_rejected ORDER BY n",
        new="SELECT DISTINCT ON (tab) tab, key, reason, con FROM pg_temp.restore_rejected"
        " ORDER BY tab, n",
    ),
    Plant(
        name="commit_despite_rejections",
        says="what is not rejected is committed, also without being asked to",
        file="plan.py",
        old="if suspected or (self.rejections and not self.options.quarantine):",
        new="if suspected:",
    ),
    Plant(
        name="rewrites_equal_rows",
        says="rows that the target has already are written again and counted as updated",
        file="changes.py",
        old='f"(record_image_ne(ROW({ours}), ROW({theirs}))"',
        new='f"(true OR record_image_ne(ROW({ours}), ROW({theirs}))"',
    ),
    Plant(
        name="equal_by_value",
        says="a value that equals the target's and prints otherwise (1.1, 1.10) is not restored",
        file="changes.py",
        old="""\
    if column.exact and not column.bounded:
        return f"s.""",
        new="""\
    if column.base != "json":
        return f"s.""",
    ),
    Plant(
        name="guesses",
        says="a row that is two rows of the target becomes one of them",
        file="match.py",
        old="if not _ambiguous(conn, staged):",
        new="if staged:",
    ),
    Plant(
        name="triggers_stay_on",
        says="triggers of the target fire, and change or add to what is restored",
        file="engine.py",
        old="off = triggers.Off(conn, touched)",
        new="off = triggers.Off(conn, [])",
    ),
)

PLANTS: Mapping[str, Plant] = {plant.name: plant for plant in _ALL}
