"""The shop with its products: every table's columns, indexes and foreign keys, rows by number.

100 businesses, 500 categories, and of the rows asked for 20 % products and 80 % variants.
Keys are random texts, as Prisma's cuids are, so that rows come in no order of any index;
some cells hold what a careless reader of SQL trips over.
"""

from __future__ import annotations

from pathlib import Path

import shop

from verifier.servers import Database

TABLES = ("businesses", "business_categories", "business_products", "product_variants")
"""Those that have rows, parents first."""
UNIT = 1000
"""A shop has a multiple of so many rows, which makes all counts exact."""
BUSINESSES, CATEGORIES = 100, 500

_SCHEMA = Path(__file__).parent.parent / "fixtures" / "sql" / "shop.sql"

_BUSINESSES = """
INSERT INTO businesses
SELECT 'c' || left(md5('business ' || n), 24),
       md5('public ' || n)::uuid,
       'Shop ' || n || ' & sons; "the best"',
       (ARRAY['retail', 'wholesale', 'restaurant'])[1 + n % 3],
       CASE WHEN n % 4 > 0 THEN E'Two lines:\\nit''s C:\\\\shop\\\\' || n END,
       CASE WHEN n % 5 > 0 THEN 'TAX-' || n END,
       n * 0.731 - 40, n * 1.37 - 70,
       jsonb_build_object('currency', 'XAF', 'rates', jsonb_build_array(n, n / 7.0)),
       n % 9 > 0, false,
       timestamp '2023-01-01' + n * interval '1 day', timestamp '2025-01-01' + n * interval '7 s'
FROM generate_series(1, {businesses}) n"""
# Five roots come first in the table, and so in a dump: restoring it row by row needs that.
_CATEGORIES = """
INSERT INTO business_categories
SELECT 'c' || left(md5('category ' || n), 24),
       (ARRAY['retail', 'wholesale', 'restaurant'])[1 + n % 3],
       NULL,
       CASE WHEN n > 5 THEN 'c' || left(md5('category ' || 1 + n % 5), 24) END,
       'Category ' || n, (ARRAY['🍞', '👟', '☕️'])[1 + n % 3], '#3B82F6', NULL, n,
       CASE WHEN n % 2 > 0 THEN '{{"sizes": ["s"], "note": "it''s; -- no comment"}}'::jsonb END,
       true, n % 7 = 0,
       timestamp '2023-02-01' + n * interval '1 hour', timestamp '2025-01-01' + n * interval '3 s'
FROM generate_series(1, {categories}) n"""
_PRODUCTS = """
INSERT INTO business_products
SELECT 'c' || left(md5('product ' || n), 24),
       'c' || left(md5('business ' || 1 + n % {businesses}), 24),
       'c' || left(md5('category ' || 1 + n % {categories}), 24),
       'Product ' || n || (ARRAY[' café', ' "large"', ' o''clock', ' (new)'])[1 + n % 4],
       'product-' || n,
       CASE WHEN n % 3 > 0 THEN E'Soft; washable -- at 30°\\nLine two of product ' || n END,
       CASE WHEN n % 8 > 0 THEN '200' || lpad(n::text, 10, '0') END,
       round((1.10 + n::bigint * 7919 % 98890 / 100.0)::numeric, 2),
       CASE WHEN n % 2 > 0 THEN round((0.90 + n::bigint * 104729 % 50000 / 100.0)::numeric, 2) END,
       (ARRAY['NEW', 'USED', 'REFURBISHED'])[1 + n % 3]::"ProductCondition",
       CASE WHEN n % 6 > 0 THEN n % 1000 / 3.0 END,
       ARRAY['shop', 'tag ' || n % 50, 'a, "b"'],
       CASE WHEN n % 10 > 0 THEN jsonb_build_object('brand', 'Brand ' || n % 200, 'origin', 'CM',
           'tags', jsonb_build_array('new', n % 7)) END,
       CASE WHEN n % 20 = 0 THEN decode(md5('thumbnail ' || n), 'hex') END,
       date '2020-01-01' + n % 2000,
       n % 12 > 0,
       timestamp '2024-01-01' + n * interval '1.234 seconds',
       timestamp '2025-01-01' + n * interval '0.567 seconds'
FROM generate_series(1, {products}) n"""


def create(database: Database) -> None:
    """Make the shop's tables in an empty database."""
    database.execute(_SCHEMA.read_text())


def fill(database: Database, rows: int) -> None:
    """Give the empty shop ``rows`` products and variants, and what those refer to."""
    counts = {
        "businesses": BUSINESSES,
        "categories": CATEGORIES,
        "products": rows // 5,
        "variants": rows - rows // 5,
    }
    for query in (_BUSINESSES, _CATEGORIES, _PRODUCTS):
        database.execute(query.format(**counts))
    database.execute(
        shop.VARIANTS.format(
            id="'c' || left(md5('variant ' || n), 24)",
            product=f"1 + n % {counts['products']}",
            rows=counts["variants"],
        )
    )
    database.execute("VACUUM (ANALYZE)")


def expected(rows: int) -> dict[str, int]:
    """How many rows each table of a shop with ``rows`` rows has."""
    counts = (BUSINESSES, CATEGORIES, rows // 5, rows - rows // 5)
    return dict(zip(TABLES, counts, strict=True))


def digest(database: Database) -> dict[str, tuple[int, str]]:
    """Each table's number of rows and a digest of what is in them, whatever their order."""
    return {
        table: database.execute(
            f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {table} t"
        )[0]
        for table in TABLES
    }
