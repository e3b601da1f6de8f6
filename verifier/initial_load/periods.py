"""Foreign keys with PERIOD (PostgreSQL 18): a range that parents cover together."""

from __future__ import annotations

from verifier.initial_load.catalog import Catalog, Connection, ForeignKey
from verifier.initial_load.ledger import reject
from verifier.initial_load.session import literal, paste
from verifier.initial_load.stage import Staged, among


def uncovered(
    conn: Connection, catalog: Catalog, parents: list[Staged], child: Staged, key: ForeignKey
) -> int:
    """Reject the rows of ``child`` whose period no parents cover; the number of them.

    ``parents`` are the staged tables that the key may point to. What they hold and what the
    target holds counts together: a parent's key does not change, so it covers what it did.
    """
    parent = catalog.tables[key.referred]
    columns = [child.table.columns[name].quoted for name in key.columns]
    references = [parent.columns[name].quoted for name in key.references]
    *equal, (period, covers) = zip(columns, references, strict=True)
    same = " AND ".join(f"p.{theirs} = s.{ours}" for ours, theirs in equal)
    sources = [among(staged.rows, key) for staged in parents] + [parent.only]
    held = " UNION ALL ".join(
        paste(
            "SELECT p.{covers} AS period FROM {source} p WHERE {same}",
            covers=covers,
            source=source,
            same=same,
        )
        for source in sources
    )
    values = " || ', ' || ".join(f"b.{column}::text" for column in columns)
    place = f"no parents cover it: {parent.quoted} ({', '.join(references)}) = ("
    return reject(
        conn,
        child,
        paste(
            "{given} AND (SELECT coalesce(s.{period} <@ range_agg(h.period), false)"
            " FROM ({held}) h) IS FALSE",
            given=" AND ".join(f"s.{column} IS NOT NULL" for column in columns),
            period=period,
            held=held,
        ),
        f"{literal(place)} || {values} || ')'",
        literal(key.name),
    )
