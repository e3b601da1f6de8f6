"""A model is the table that it clearly is, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.initial_load.reading.targets import target
from verifier.errors import BackupRefused
from verifier.initial_load.reading.models import Fields, Tables, Unmapped
from verifier.initial_load.reading.prisma import Model, parse, read_models

SCHEMA = """
// A comment with model Nothing { id Int }
generator client { provider = "prisma-client-js" }
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL") /* of model Another { } */
}
enum Kind {
  A // @map("a")
  B @map("b b")
  @@map("kinds")
}
model User {
  id        Int      @id @default(autoincrement())
  fullName  String?  @map("full_name") @db.VarChar(80) // @map("no")
  note      String   @default("} @@map(\\"x\\") // no") @map(name: "remark")
  tags      String[]
  Kind      Kind
  posts     Post[]
  /// @@map("neither")
  @@unique([fullName,
            note])
  @@map("app_users")
  @@schema("auth")
}
model Post { /* nor @@map("this") */
  id Int @id
  author User @relation(fields: [authorId], references: [id], map: "fk")
  authorId Int
}
"""


def find(model: str, *tables: str) -> str:
    return Tables(target(**{table: {} for table in tables})).take(model)[0].quoted


def refusal(model: str, *tables: str) -> str:
    with pytest.raises(Unmapped) as caught:
        find(model, *tables)
    return str(caught.value)


def pairs(text: str) -> list[tuple[str, str]]:
    return [(one, many) for one, _, many in (word.partition("/") for word in text.split())]


@pytest.mark.parametrize(
    ("model", "table"),
    pairs(
        """Business/businesses businesses/businesses BusinessCategory/business_categories
        businessCategories/business_categories productVariants/product_variants
        ProductVariant/product_variants emojiLookup/emoji_lookup EmojiLookup/emoji_lookup
        InitialLoadSession/InitialLoadSessions initialLoadSessions/InitialLoadSessions
        _ProductVariantToTag/_ProductVariantToTag ProductVariantToTag/_ProductVariantToTag
        APIKey/api_keys aPIKey/api_keys userRoles/user_roles User_roles/user_roles Address/addresses
        Status/statuses Person/people salesPerson/sales_people box/boxes Key/keys day/days
        Leaf/leaves knife/knives company/companies child/children Hero/heroes photo/photos
        analysis/analyses branches/branch Orders/order people/Person quizzes/quiz index/indices
        news/news order/order Case-Study/case_studies""",
    ),
)
def test_names_of_one_table(model: str, table: str) -> None:
    assert find(model, table, "zzz") == f"public.{table}"


@pytest.mark.parametrize("model", ["orders", "Use", "Users2", "Busines", "Businessess", "", "é"])
def test_a_name_that_is_no_table(model: str) -> None:
    assert "no table of the target is called like" in refusal(model, "users", "businesses")


def test_an_unknown_name_gets_candidates() -> None:
    assert "did you mean public.product_variants?" in refusal("productVarints", "product_variants")


def test_the_exact_name_wins_over_its_case_pair() -> None:
    names = ("businessProducts", "businessproducts", "business_products")
    assert [find(name, *names) for name in names] == [f"public.{name}" for name in names]


@pytest.mark.parametrize(
    "tables",
    [
        ("businessProducts", "businessproducts"),
        ("business_product", "business_products"),
        ("one__business_products", "two__business_products"),
    ],
)
def test_an_ambiguous_name_is_refused_with_all_that_it_may_be(tables: tuple[str, str]) -> None:
    said = refusal("BusinessProduct", *tables)
    assert all(table.replace("__", ".") in said for table in tables)
    assert "--models" in said


def test_one_name_in_two_schemas_is_ambiguous() -> None:
    assert "one.users, two.users" in refusal("users", "one__users", "two__users")


def test_two_models_of_one_table() -> None:
    tables = Tables(target(users={}))
    tables.take("users")
    with pytest.raises(Unmapped, match=r"users and User would both be the table public\.users"):
        tables.take("User")
    with pytest.raises(Unmapped, match="the model users occurs twice"):
        tables.take("users")


def test_a_partition_is_found_by_its_own_name_alone() -> None:
    catalog = target(events={}, event={})
    object.__setattr__(catalog.tables[2], "root", 1)
    assert Tables(catalog).take("Event")[0].name == "events"
    assert Tables(catalog).take("event")[0].name == "event"


COLUMNS = {"id": "integer", "domain_id": "text", "order": "text", "aB": "text", "ab": "text"}


@pytest.mark.parametrize(
    ("field", "name"), pairs("id/id domainId/domain_id order/order Order/order aB/aB ab/ab")
)
def test_fields(field: str, name: str) -> None:
    (table,) = target(t={**COLUMNS}).tables.values()
    assert Fields(table).column(field).name == name


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("AB", 'several such columns: "aB", "ab"'),
        ("domainID2", 'no such column (did you mean "domain_id"'),
        ("orders", "no such column"),
        ("sum", "computes"),
    ],
)
def test_a_field_that_is_no_column(field: str, said: str) -> None:
    (table,) = target(t={**COLUMNS, "sum": "integer*"}).tables.values()
    with pytest.raises(Unmapped) as caught:
        Fields(table).column(field)
    assert said in str(caught.value)


def test_a_prisma_schema() -> None:
    user, post = parse(SCHEMA, "schema.prisma")
    columns = {
        "id": "id",
        "fullName": "full_name",
        "note": "remark",
        "tags": "tags",
        "Kind": "Kind",
    }
    assert user == Model("User", "app_users", "auth", columns, {"posts"}, {"Kind": {"B": "b b"}})
    assert post == Model("Post", "Post", None, {"id": "id", "authorId": "authorId"}, {"author"})


def test_what_prisma_says_wins_over_names() -> None:
    catalog = target(
        users={"fullName": "text"}, auth__app_users={"full_name": "text", "fullName": "text"},
        other__app_users={}, Post={},
    )  # fmt: skip
    for name in ("User", "user", "users", "Users"):
        table, fields = Tables(catalog, parse(SCHEMA, "s")).take(name)
        assert table.quoted == ("public.users" if name == "users" else "auth.app_users")
        assert fields.is_relation("posts") == (name != "users")
        if name != "users":
            assert fields.column("fullName").name == "full_name"
            assert fields.column("full_name").name == "full_name"


def test_a_prisma_model_keeps_its_fields_when_it_is_named_as_its_table() -> None:
    catalog = target(auth__app_users={"full_name": "text"})
    fields = Tables(catalog, parse(SCHEMA, "s")).take("app_users")[1]
    assert fields.column("fullName").name == "full_name"
    assert fields.is_relation("posts")


def test_what_prisma_says_and_the_target_has_not() -> None:
    tables = Tables(target(users={}), parse(SCHEMA, "s"))
    with pytest.raises(Unmapped, match=r"User is the table auth\.app_users, which the target does"):
        tables.take("User")
    _, fields = Tables(target(auth__app_users={"x": "text"}), parse(SCHEMA, "s")).take("User")
    with pytest.raises(Unmapped, match="the column full_name, which"):
        fields.column("fullName")


def test_a_table_without_a_prisma_model_is_found_by_name() -> None:
    assert Tables(target(_AToB={}), parse(SCHEMA, "s")).take("_AToB")[0].name == "_AToB"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no model"),
        ("enum A { B }", "holds no model"),
        ("model A { id Int", "ends inside a block"),
        ("model A B { id Int }", "no Prisma schema"),
        ("CREATE TABLE x (id int);", "no Prisma schema"),
        ('model A { id Int @map("x) }', "line 1: a text does not end"),
        ("model A { id Int }\nmodel A { id Int }", "two models called A"),
    ],
)
def test_what_is_no_prisma_schema(text: str, said: str) -> None:
    with pytest.raises(BackupRefused) as caught:
        parse(text, "schema.prisma")
    assert said in str(caught.value)


def test_a_prisma_schema_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="cannot be read"):
        read_models(tmp_path / "none.prisma")
    (tmp_path / "latin").write_bytes(b"model \xe9 {}")
    with pytest.raises(BackupRefused, match="not UTF-8"):
        read_models(tmp_path / "latin")
