"""Sequences move past every value that they feed, and never back.

``ALTER SEQUENCE … RESTART`` first: a sequence that was only set stays set when the
transaction fails (trap F03). What is set behind it goes with it, because RESTART gives
the sequence a new file; so it ends in the state that it would have by use, or in the
backup's own.
"""

from __future__ import annotations

from verifier.initial_load import preflight
from verifier.initial_load.catalog import Connection, Sequence
from verifier.initial_load.reading.events import SetVal
from verifier.initial_load.session import literal, run
from verifier.initial_load.stage import Content, Staged
from verifier.initial_load.write import NotWritten


def advance(conn: Connection, content: Content) -> list[str]:
    """Move every sequence that feeds a written table or that the backup positions.

    Returns those that only the backup has, as it writes them.
    """
    fed: dict[str, list[tuple[Staged, Sequence]]] = {}
    for staged in content.tables:
        for sequence in staged.table.sequences:
            fed.setdefault(sequence.quoted, []).append((staged, sequence))
    unknown = []
    moves: dict[str, tuple[int, int | None]] = {}
    for name in {**dict.fromkeys(fed), **dict.fromkeys(content.sequences)}:
        found = _due(conn, name, fed.get(name, []), content.sequences.get(name))
        if found is None:
            unknown.append(name)
        else:
            moves.update(found)
    problems = preflight.immovable(conn, moves)
    if problems:
        raise NotWritten("; ".join(problems))
    for name, (to, last) in moves.items():
        run(conn, "ALTER SEQUENCE {name} RESTART WITH {to}", name=name, to=str(to))
        if last is not None:
            # Owners can take this right from themselves; the next value is right without it.
            run(
                conn,
                "SELECT pg_catalog.setval({name}, {last})"
                " WHERE pg_catalog.has_sequence_privilege({name}, 'UPDATE')",
                name=literal(name),
                last=str(last),
            )
    return unknown


def _due(
    conn: Connection, name: str, feeds: list[tuple[Staged, Sequence]], said: SetVal | None
) -> dict[str, tuple[int, int | None]] | None:
    """Where the sequence has to move, if it has to; ``None`` if the target has no such sequence.

    Its next value, and the last one that was taken, if there is one.
    """
    found = run(
        conn,
        "SELECT format('%I.%I', n.nspname, c.relname), q.seqincrement, q.seqmin, q.seqmax"
        " FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE q.seqrelid = to_regclass({name})",
        name=literal(name),
    ).fetchone()
    if found is None:
        return None
    quoted, step, low, high = found
    row = run(conn, "SELECT last_value, is_called FROM {name}", name=quoted).fetchone()
    assert row is not None
    now = _next(row[0], row[1], step)
    wanted = [now]
    if said is not None:
        wanted.append(_next(said.value, said.called, step))
    for staged, sequence in feeds:
        column = staged.table.columns[sequence.column]
        if column.kind != "N":
            continue
        end = run(
            conn,
            "SELECT trunc({extreme}({column}))::numeric::text FROM {table}",
            extreme="max" if step > 0 else "min",
            column=column.quoted,
            table=staged.table.quoted,
        ).fetchone()
        if end and end[0] is not None and end[0] not in ("NaN", "Infinity", "-Infinity"):
            wanted.append(int(end[0]) + step)
    target = max(wanted) if step > 0 else min(wanted)
    # At its end, a sequence cannot be moved further; its next value fails anyway.
    target = max(low, min(high, target))
    if target != now and (target > now) == (step > 0):
        fresh = said is not None and not said.called and said.value == target
        last = target - step
        return {quoted: (target, last if low <= last <= high and not fresh else None)}
    return {}


def _next(value: int, called: bool, step: int) -> int:
    return value + step if called else value
