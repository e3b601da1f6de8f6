"""A small schema, and worlds of it in a line or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.model.allowed import breaches
from verifier.model.schema import (
    Check,
    Column,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Row,
    Schema,
    Table,
    column,
    literal,
)
from verifier.model.world import Observation, Options, World

Rows = Mapping[str, Sequence[Row]]
"""Table → rows; tables are named without their schema."""


def table(name: str, columns: str, *more: Key | ForeignKey | Check) -> Table:
    """``columns``: ``id:integer code:text!``, where ``!`` is NOT NULL and ``#`` has a sequence."""
    made = []
    for each in columns.split():
        called, type = each.rstrip("!#").split(":")
        made.append(
            Column(
                name=called,
                type=type,
                not_null=each.endswith(("!", "#")),
                identity=Identity.SERIAL if each.endswith("#") else Identity.NONE,
            )
        )
    return Table(
        name=name,
        columns=tuple(made),
        keys=tuple(each for each in more if isinstance(each, Key)),
        foreign_keys=tuple(each for each in more if isinstance(each, ForeignKey)),
        checks=tuple(each for each in more if isinstance(each, Check)),
    )


def key(name: str, *columns: str, primary: bool = False) -> Key:
    return Key(name=name, parts=tuple(map(column, columns)), primary=primary)


def refers(name: str, columns: str, parent: str, references: str = "id") -> ForeignKey:
    return ForeignKey(
        name=name,
        columns=tuple(columns.split()),
        parent=f"public.{parent}",
        references=tuple(references.split()),
    )


POSITIVE = Check(
    name="item_count",
    condition=Expression(op=Op.LESS, arguments=(literal("0"), column("count"))),
)
SCHEMA = Schema(
    tables=(
        # Children first, as no order may matter.
        table("note", "id:integer item:integer", key("note_pk", "id", primary=True),
              refers("note_item", "item", "item")),
        table("item", "id:integer# shop:integer name:text count:integer",
              key("item_pk", "id", primary=True), key("item_name", "shop", "name"),
              refers("item_shop", "shop", "shop"), POSITIVE),
        table("shop", "id:integer code:text mail:text rate:numeric name:text",
              key("shop_pk", "id", primary=True), key("shop_code", "code"),
              key("shop_mail", "mail")),
        table("log", "at:text what:text"),
        table("deed", "id:integer updatedAt:timestamp", key("deed_pk", "id", primary=True)),
    )
)  # fmt: skip
NO_KEYS = frozenset({"shop_code", "shop_mail", "item_name", "item_shop", "item_count"})


def rows(given: Rows) -> dict[str, tuple[Row, ...]]:
    return {each.id: tuple(given.get(each.name, ())) for each in SCHEMA.tables}


def world(source: Rows, present: Rows | None = None, options: Options | None = None) -> World:
    return World(
        schema=SCHEMA,
        source=rows(source),
        present=rows(present or {}),
        lacks=NO_KEYS,
        options=options or Options(),
    )


def seen(after: Rows, **more: object) -> Observation:
    return Observation(rows=rows(after), **more)  # type: ignore[arg-type]


DONE = Claim(success=True, exit_code=0)


def failed(*rejections: Rejection, message: str = "item: item_shop has no parent") -> Claim:
    return Claim(success=False, exit_code=1, message=message, rejections=rejections or None)


def partly(*rejections: Rejection) -> Claim:
    """A success with some rows set aside."""
    return Claim(success=True, exit_code=1, rejections=rejections)


def reject(name: str, id: str) -> Rejection:
    return Rejection(table=f"public.{name}", key={"id": id}, reason="for a reason")


def merge(name: str, id: str, survivor: str) -> Merge:
    return Merge(table=f"public.{name}", key={"id": id}, survivor={"id": survivor})


def counts(**each: Counts) -> dict[str, Counts]:
    return {f"public.{name}": told for name, told in each.items()}


def found(
    given: World, claim: Claim, after: Rows, again: tuple[Claim, Rows] | None = None
) -> set[str]:
    """``guarantee: cause`` of everything that is forbidden, without the lie that follows."""
    second = (again[0], seen(again[1])) if again else None
    causes = {
        f"{each.guarantee}: {each.cause}" for each in breaches(given, claim, seen(after), second)
    }
    return causes - {LIE}


LIE = "honesty: success was claimed, and the target is wrong"
