"""The small world of the stateful test: its schema, and what can stand in a row of it."""

from __future__ import annotations

from verifier.model.schema import Column, ForeignKey, Identity, Key, Row, Schema, Table, column


def _key(name: str, *columns: str, nulls_distinct: bool = True) -> Key:
    return Key(name=name, parts=tuple(map(column, columns)), nulls_distinct=nulls_distinct)


def _primary(name: str, *columns: str) -> Key:
    return Key(name=name, parts=tuple(map(column, columns)), primary=True)


def _refers(name: str, own: str, parent: str) -> ForeignKey:
    return ForeignKey(name=name, columns=(own,), parent=f"public.{parent}", references=("id",))


SHOP = Table(
    name="shop",
    columns=(
        Column(name="id", type="integer", not_null=True, identity=Identity.SERIAL),
        Column(name="code", type="text"),
        Column(name="version", type="integer"),
    ),
    keys=(_primary("shop_pkey", "id"), _key("shop_code", "code")),
)
CATEGORY = Table(
    name="category",
    columns=(
        Column(name="id", type="text", not_null=True),
        Column(name="shop", type="integer"),
        Column(name="up", type="text"),
        Column(name="name", type="text", not_null=True),
    ),
    keys=(
        _primary("category_pkey", "id"),
        _key("category_shop_name", "shop", "name", nulls_distinct=False),
    ),
    foreign_keys=(
        _refers("category_shop_fkey", "shop", "shop"),
        _refers("category_up_fkey", "up", "category"),
    ),
)
PRODUCT = Table(
    name="product",
    columns=(
        Column(name="id", type="text", not_null=True),
        Column(name="category", type="text", not_null=True),
        Column(name="slug", type="text"),
        Column(name="version", type="integer"),
    ),
    keys=(_primary("product_pkey", "id"), _key("product_category_slug", "category", "slug")),
    foreign_keys=(_refers("product_category_fkey", "category", "category"),),
)
LABEL = Table(
    name="label",
    columns=(
        Column(name="product", type="text", not_null=True),
        Column(name="word", type="text", not_null=True),
        Column(name="note", type="text"),
    ),
    keys=(_primary("label_pkey", "product", "word"),),
    foreign_keys=(_refers("label_product_fkey", "product", "product"),),
)
SCHEMA = Schema(tables=(SHOP, CATEGORY, PRODUCT, LABEL))
SESSIONS = Table(
    name="InitialLoadSessions", columns=(Column(name="status", type="text", not_null=True),)
)
"""What describes the target itself, and nobody restores."""
WITH_SESSIONS = Schema(tables=(*SCHEMA.tables, SESSIONS))
LACKS = frozenset(
    {
        "shop_code",
        "category_shop_name",
        "product_category_slug",
        "category_shop_fkey",
        "category_up_fkey",
        "product_category_fkey",
        "label_product_fkey",
    }
)
"""What the source does without: it may hold duplicates and orphans of every kind."""

POOLS: dict[str, dict[str, tuple[str | None, ...]]] = {
    "shop": {"id": ("1", "2", "3"), "code": ("a", "b", None), "version": ("1", "2", None)},
    "category": {
        "id": ("c1", "c2", "c3"),
        "shop": ("1", "2", "3", None),
        "up": ("c1", "c2", None),
        "name": ("x", "y"),
    },
    "product": {
        "id": ("p1", "p2", "p3"),
        "category": ("c1", "c2", "c3"),
        "slug": ("s", "t", None),
        "version": ("1", "2"),
    },
    "label": {"product": ("p1", "p2", "p3"), "word": ("u", "v"), "note": ("n", "m", None)},
}
"""Table → column → its values: few, so that rows of both sides meet."""


def identity(table: Table, row: Row) -> Row:
    """The row's primary key."""
    assert table.primary is not None
    return tuple(row[table.places[name]] for name in table.primary.columns)
