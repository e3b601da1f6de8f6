"""The shop's ``product_variants``, the same on both sides, and rows of it that differ."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from verifier.servers import Database

TABLE = "product_variants"
UNIT = 1000
"""A table has a multiple of so many rows, which makes all counts below exact."""

_ROW = 320
"""Bytes of a row with its key's index."""
_LOG, _MOST_LOG = 600, 1_500_000_000
"""Bytes of write-ahead log that a row makes; and how much the server keeps of it."""


def space(rows: int) -> int:
    """Bytes that both sides take up, once every row of one of them was changed."""
    return 3 * rows * _ROW + 2 * min(rows * _LOG, _MOST_LOG)


_KEYS = {
    "text": ("TEXT", "'c' || left(md5('variant ' || n), 24)"),
    "integer": ("INTEGER", "n"),
}
KEYS = tuple(_KEYS)

# As in fixtures/sql/shop.sql. Its other two indexes are left out, as nobody here reads them.
_CREATE = """
CREATE TABLE product_variants (
    "id" {type} NOT NULL,
    "productId" TEXT NOT NULL,
    "name" TEXT,
    "sku" TEXT NOT NULL,
    "price" DECIMAL(10,2) NOT NULL,
    "stockQuantity" INTEGER NOT NULL DEFAULT 0,
    "attributes" JSONB,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL
)"""
VARIANTS = """
INSERT INTO product_variants
SELECT {id},
       'c' || left(md5('product ' || {product}), 24),
       CASE WHEN n % 16 > 0 THEN initcap(concat_ws(' / ', size, colour, material)) END,
       'SKU-' || lpad(n::text, 9, '0'),
       round((1.10 + n::bigint * 7919 % 98890 / 100.0)::numeric, 2),
       n * 31 % 500,
       CASE WHEN n % 10 > 0 THEN jsonb_build_object('size', size, 'colour', colour,
           'material', material, 'weight', n % 400 / 100.0, 'tags', jsonb_build_array('new', n % 7))
       END,
       n % 12 > 0,
       timestamp '2024-01-01' + n * interval '1.234 seconds',
       timestamp '2025-01-01' + n * interval '0.567 seconds'
FROM generate_series(1, {rows}) n,
LATERAL (SELECT (ARRAY['s', 'm', 'l', 'xl', 'xxl'])[1 + n % 5] AS size,
    (ARRAY['red', 'blue', 'green', 'black', 'white', 'grey', 'café au lait'])[1 + n % 7] AS colour,
    (ARRAY['cotton', 'wool', 'linen'])[1 + n % 3] AS material) words"""
"""``rows`` variants, each under an ``id`` and of a ``product`` that are SQL over its number n."""
_NUMBER = "right(sku, 9)::int"


@dataclass(frozen=True, slots=True)
class State:
    """What differs between the two sides."""

    name: str
    words: str
    condition: str
    """Of the rows that differ; ``{step}`` is a tenth of the table."""

    def differing(self, rows: int) -> int:
        return {"equal": 0, "ten": 10, "percent": rows // 100, "every": rows}[self.name]


STATES = (
    State("equal", "identical", "false"),
    State("ten", "10 rows differ", f"{_NUMBER} % {{step}} = 50"),
    State("percent", "1 % differ", f"{_NUMBER} % 100 = 50"),
    State("every", "every row differs", "true"),
)
"""Each takes in the rows of the one before, so that a side is made once and then changed on."""


def fill(databases: Sequence[Database], key: str, rows: int) -> None:
    """Make the table with ``rows`` rows in each of ``databases``, at once."""
    kind, id_ = _KEYS[key]

    def make(database: Database) -> None:
        database.execute(_CREATE.format(type=kind))
        database.execute(VARIANTS.format(id=id_, product="n / 4", rows=rows))
        database.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        database.execute(f"VACUUM (ANALYZE) {TABLE}")

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(make, databases))


def change(target: Database, state: State, before: State, rows: int) -> None:
    """Bring ``target`` from the state ``before`` to ``state``: prices go up by a cent."""
    step = rows // 10
    wanted = f"({state.condition}) AND NOT ({before.condition})".format(step=step)
    changed = target.execute(
        f"WITH changed AS (UPDATE {TABLE} SET price = price + 0.01 WHERE {wanted} RETURNING 1)"
        " SELECT count(*) FROM changed"
    )[0][0]
    assert changed == state.differing(rows) - before.differing(rows), (state, changed)
    target.execute(f"VACUUM (ANALYZE) {TABLE}")
