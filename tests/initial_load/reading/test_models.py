"""Names of models and fields: found exactly, or refused with candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.errors import BackupRefused
from verifier.initial_load.catalog import Catalog, Column, Table
from verifier.initial_load.reading import prisma
from verifier.initial_load.reading.models import Mapped, UnmappableError, map_models


def column(name: str) -> Column:
    return Column(
        name=name, quoted=f'"{name}"', base="text", type="text", collation=None, exact=True,
        kind="S", not_null=False, default=None, fed=False, always=False, generated=False,
        length=None, builtin=True,
    )  # fmt: skip


def catalog(*names: str, columns: tuple[str, ...] = ("id",)) -> Catalog:
    tables = {}
    for oid, name in enumerate(names):
        schema, _, bare = name.rpartition("/")
        tables[oid] = Table(
            oid=oid, schema=schema or "public", name=bare, quoted=f"{schema or 'public'}.{bare}",
            partitioned=False, root=oid, columns={each: column(each) for each in columns}, keys=(),
            checks=(), sequences=(),
        )  # fmt: skip
    return Catalog(tables, ())


def found(name: str, *tables: str) -> str:
    mapped, problems = map_models([name], catalog(*tables))
    return mapped[name].table.quoted if mapped else problems[0]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("businesses", "businesses"), ("Business", "businesses"), ("business", "businesses"),
        ("businessCategories", "business_categories"), ("BusinessCategory", "business_categories"),
        ("businessCategory", "businessCategories"), ("productVariants", "product_variants"),
        ("ProductVariant", "product_variants"), ("emojiLookup", "emoji_lookup"),
        ("userRoles", "user_roles"), ("user_role", "UserRole"), ("APIKey", "api_keys"),
        ("aPIKey", "ApiKey"), ("Address", "addresses"), ("addresses", "Address"),
        ("Status", "statuses"), ("OrderStatus", "order_statuses"), ("Box", "boxes"),
        ("Person", "people"), ("people", "Person"), ("Child", "children"), ("Company", "companies"),
        ("Day", "days"), ("Expense", "expenses"), ("expenses", "Expense"), ("House", "houses"),
        ("Series", "series"), ("Shelf", "shelves"), ("Analysis", "analyses"), ("Hero", "heroes"),
        ("InitialLoadSession", "InitialLoadSessions"), ("tax", "Taxes"), ("Size", "sizes"),
    ],
)  # fmt: skip
def test_a_name_finds_its_table(name: str, table: str) -> None:
    assert found(name, table, "other_things", "x") == f"public.{table}"


def test_an_exact_name_wins_and_every_other_has_to_be_the_only_one() -> None:
    assert found("businessProducts", "businessProducts", "businessproducts").endswith("ssProducts")
    assert found("businessproducts", "businessProducts", "businessproducts").endswith("ssproducts")
    said = found("BusinessProducts", "businessProducts", "businessproducts")
    assert "can mean more than one table (public.businessProducts, public.businessproducts)" in said
    assert "more than one table (public.business, public.businesses)" in found(
        "Business", "business", "businesses"
    )
    assert "more than one table (a.users, b.users)" in found("users", "a/users", "b/users")
    assert found("CategoryToPost", "_CategoryToPost").startswith("'CategoryToPost' is no table")


def test_an_unknown_name_is_shown_what_it_may_be() -> None:
    said = found("busines", "businesses", "products")
    assert said.startswith("'busines' is no table of the target: is it businesses?")
    assert "--models" in said
    assert "is it" not in found("zzz", "businesses")


def test_two_names_of_one_table_are_refused() -> None:
    mapped, problems = map_models(["business", "Business"], catalog("businesses"))
    assert list(mapped) == ["business"]
    assert problems == ["'business' and 'Business' are both public.businesses"]


def test_fields_are_columns_by_name_then_by_case() -> None:
    (table,) = catalog("t", columns=("createdAt", "business_id", "a_b", "aB")).tables.values()
    mapped = Mapped(table, None)
    assert mapped.column("createdAt").name == "createdAt"
    assert mapped.column("businessId").name == "business_id"
    assert mapped.column("aB").name == "aB"
    with pytest.raises(UnmappableError, match="'created_at' are both the column"):
        mapped.column("created_at")
    with pytest.raises(UnmappableError, match="more than one column"):
        mapped.column("AB")
    with pytest.raises(UnmappableError, match="no column of the target: is it createdAt"):
        mapped.column("createAt")


SCHEMA = r"""
// model Commented { id Int @map("no") }
datasource db {
  provider = "postgresql"
}
enum Role {
  ADMIN @map("the admin")
  USER
  @@map("roles")
}
model Business {
  id        String   @id @map("business_id") // @map("not")
  url       String   @default("http://x//{}") @map("web")
  note      String?  @default("a \"}\" // b")
  role      Role     @default(USER)
  products  Product[]
  owner     User?    @relation("o", fields: [ownerId], references: [id], map: "fk")
  ownerId   Int?     @map(name: "owner_id")
  /// @map("neither")
  @@unique([
    id,
    url
  ], map: "u")
  @@map("companies")
  @@schema("crm")
}
model Product { id Int @id }
model User {
  id Int @id
}
"""


def test_a_prisma_schema_says_what_it_maps(tmp_path: Path) -> None:
    path = tmp_path / "schema.prisma"
    path.write_text(SCHEMA)
    models = {model.name: model for model in prisma.load(path)}
    business = models["Business"]
    assert list(models) == ["Business", "Product", "User"]
    assert (business.table, business.schema) == ("companies", "crm")
    assert business.columns == {
        "id": "business_id", "url": "web", "note": "note", "role": "role", "ownerId": "owner_id",
    }  # fmt: skip
    assert business.relations == {"products", "owner"}
    assert business.labels == {"role": {"ADMIN": "the admin"}}
    assert models["Product"].columns == {"id": "id"}
    assert prisma.load(tmp_path) == prisma.load(path)


def test_a_model_of_the_schema_is_its_table_under_all_its_names(tmp_path: Path) -> None:
    path = tmp_path / "schema.prisma"
    path.write_text(SCHEMA)
    here = catalog("crm/companies", "public/companies", "Business", "User")
    for name in ("Business", "business", "businesses", "companies"):
        mapped, problems = map_models([name], here, prisma.load(path))
        assert problems == []
        assert mapped[name].table.quoted == "crm.companies"
        with pytest.raises(UnmappableError, match="is a relation"):
            mapped[name].column("owner")
        with pytest.raises(UnmappableError, match=r"'web' of the Prisma schema, which crm\.compan"):
            mapped[name].column("url")
    _, problems = map_models(["product"], here, prisma.load(path))
    assert "the model 'Product' is the table 'Product' in the Prisma schema" in problems[0]
    mapped, _ = map_models(["Business", "User"], here, prisma.load(path))
    assert mapped["User"].table.quoted == "public.User"


def test_what_is_no_prisma_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "schema.prisma"
    with pytest.raises(BackupRefused, match="cannot be read: No such file"):
        prisma.load(path)
    path.write_text("CREATE TABLE x ();")
    with pytest.raises(BackupRefused, match="no Prisma schema"):
        prisma.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BackupRefused, match="not UTF-8"):
        prisma.load(path)
    path.write_text(SCHEMA[: SCHEMA.index("@@schema")])
    with pytest.raises(BackupRefused, match="the model Business has no end"):
        prisma.load(path)
