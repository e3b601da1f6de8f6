"""For each planted fault the smallest world in which it shows, made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
    Trigger,
    column,
    literal,
)
from verifier.model.world import Options, SoftReference, World

ID = Column(name="id", type="text", not_null=True)
NUMBER = Column(name="id", type="integer", not_null=True)
Rows = Mapping[str, Iterable[Row]]


def _text(name: str) -> Column:
    return Column(name=name, type="text")


def _primary(table: str, *columns: str) -> Key:
    return Key(name=f"{table}_pkey", parts=tuple(map(column, columns or ("id",))), primary=True)


def _unique(name: str, *columns: str, nulls_distinct: bool = True) -> Key:
    return Key(name=name, parts=tuple(map(column, columns)), nulls_distinct=nulls_distinct)


def _refers(name: str, columns: tuple[str, ...], parent: str, *references: str) -> ForeignKey:
    return ForeignKey(
        name=name, columns=columns, parent=f"public.{parent}", references=references or ("id",)
    )


def _rows(rows: Rows) -> dict[str, tuple[Row, ...]]:
    return {f"public.{name}": tuple(some) for name, some in rows.items()}


def _world(
    *tables: Table,
    source: Rows,
    present: Rows | None = None,
    lacks: Iterable[str] = (),
    positions: Mapping[str, int] | None = None,
    options: Options | None = None,
) -> World:
    return World(
        schema=Schema(tables=tables),
        source=_rows(source),
        present=_rows(present or {}),
        lacks=frozenset(lacks),
        positions=positions or {},
        options=options or Options(),
    )


_NAMED = Table(name="a", columns=(ID, _text("name")), keys=(_primary("a"), _unique("a_k", "name")))
"""Rows with a name that only one of them has."""
_BELOW = Table(
    name="b",
    columns=(ID, _text("a_id")),
    keys=(_primary("b"),),
    foreign_keys=(_refers("b_a", ("a_id",), "a"),),
)
_TREE = Table(
    name="a",
    columns=(ID, _text("parent")),
    keys=(_primary("a"),),
    foreign_keys=(_refers("a_a", ("parent",), "a"),),
)
_COUNTED = Table(
    name="a",
    columns=(Column(name="id", type="integer", not_null=True, identity=Identity.SERIAL),),
    keys=(_primary("a"),),
)
_TWINS = {"a": [("1", "x"), ("2", "x")]}

WORLDS: Mapping[str, World] = {
    "second_level": _world(
        Table(name="a", columns=(ID,), keys=(_primary("a"),)),
        Table(
            name="b",
            columns=(ID, _text("a_id"), _text("name")),
            keys=(_primary("b"), _unique("b_k", "name")),
            foreign_keys=(_refers("b_a", ("a_id",), "a"),),
        ),
        Table(
            name="c",
            columns=(ID, _text("b_id")),
            keys=(_primary("c"),),
            foreign_keys=(_refers("c_b", ("b_id",), "b"),),
        ),
        source={"b": [("1", None, "x"), ("2", None, "x")], "c": [("1", "1")]},
        lacks=["b_k"],
    ),
    "key_made_of_a_reference": _world(
        _NAMED,
        Table(
            name="b",
            columns=(Column(name="a_id", type="text", not_null=True),),
            keys=(_primary("b", "a_id"),),
            foreign_keys=(_refers("b_a", ("a_id",), "a"),),
        ),
        Table(
            name="c",
            columns=(ID, _text("b_id")),
            keys=(_primary("c"),),
            foreign_keys=(_refers("c_b", ("b_id",), "b", "a_id"),),
        ),
        source={**_TWINS, "b": [("1",)], "c": [("1", "1")]},
        lacks=["a_k"],
    ),
    "null_equals_nothing": _world(
        Table(
            name="a",
            columns=(ID, _text("name")),
            keys=(_primary("a"), _unique("a_k", "name", nulls_distinct=False)),
        ),
        source={"a": [("1", None)]},
        present={"a": [("2", None)]},
    ),
    "partial_as_full": _world(
        Table(
            name="a",
            columns=(ID, _text("name"), Column(name="live", type="boolean")),
            keys=(
                _primary("a"),
                Key(
                    name="a_k",
                    parts=(column("name"),),
                    constraint=False,
                    predicate=column("live"),
                ),
            ),
        ),
        source={"a": [("1", "x", "f"), ("2", "x", "f")]},
    ),
    "no_tie_rule": _world(
        Table(
            name="a",
            columns=(ID, _text("name"), Column(name="changed", type="integer")),
            keys=(_primary("a"), _unique("a_k", "name")),
        ),
        source={"a": [("2", "x", "7"), ("1", "x", "7")]},
        lacks=["a_k"],
        options=Options(prefer="changed"),
    ),
    "sequence_from_the_backup": _world(
        _COUNTED, source={"a": [("7",)]}, positions={"public.a.id": 3}
    ),
    "half_null_is_an_orphan": _world(
        Table(
            name="a",
            columns=(ID, Column(name="no", type="text", not_null=True)),
            keys=(_primary("a", "id", "no"),),
        ),
        Table(
            name="b",
            columns=(ID, _text("a_id"), _text("a_no")),
            keys=(_primary("b"),),
            foreign_keys=(_refers("b_a", ("a_id", "a_no"), "a", "id", "no"),),
        ),
        source={"b": [("1", "x", None)]},
    ),
    "swap_one_by_one": _world(
        _NAMED,
        source={"a": [("1", "y"), ("2", "x")]},
        present={"a": [("1", "x"), ("2", "y")]},
    ),
    "children_after_their_parent": _world(
        _NAMED,
        _BELOW,
        source={"a": [("1", "x")], "b": [("1", "1")]},
        present={"a": [("2", "x")]},
    ),
    "cycle_at_the_wrong_table": _world(
        Table(
            name="a",
            columns=(ID, _text("b_id")),
            keys=(_primary("a"),),
            foreign_keys=(_refers("a_b", ("b_id",), "b"),),
        ),
        _BELOW,
        source={"a": [("1", None)], "b": [("1", "1")]},
    ),
    "quarantine_without_grandchildren": _world(
        Table(
            name="a",
            columns=(ID,),
            keys=(_primary("a"),),
            checks=(
                Check(
                    name="a_c",
                    condition=Expression(op=Op.LESS, arguments=(column("id"), literal("5"))),
                ),
            ),
        ),
        _BELOW,
        Table(
            name="c",
            columns=(ID, _text("b_id")),
            keys=(_primary("c"),),
            foreign_keys=(_refers("c_b", ("b_id",), "b"),),
        ),
        source={"a": [("9",)], "b": [("1", "9")], "c": [("1", "1")]},
        lacks=["a_c"],
        options=Options(quarantine=True),
    ),
    "orphans_once": _world(
        _TREE,
        source={"a": [("1", "gone"), ("2", "1")]},
        lacks=["a_a"],
        options=Options(quarantine=True),
    ),
    "merged_counted_as_inserted": _world(_NAMED, source=_TWINS, lacks=["a_k"]),
    "mixture": _world(
        Table(
            name="a",
            columns=(ID, _text("name"), _text("note")),
            keys=(_primary("a"), _unique("a_k", "name")),
        ),
        source={"a": [("1", "x", "old"), ("2", "x", None)]},
        lacks=["a_k"],
    ),
    "expression_as_column": _world(
        Table(
            name="a",
            columns=(ID, _text("name")),
            keys=(
                _primary("a"),
                Key(
                    name="a_k",
                    parts=(Expression(op=Op.LOWER, arguments=(column("name"),)),),
                    constraint=False,
                ),
            ),
        ),
        source={"a": [("1", "X")]},
        present={"a": [("2", "x")]},
    ),
    "soft_reference_stays": _world(
        _NAMED,
        Table(name="b", columns=(ID, _text("a_id")), keys=(_primary("b"),)),
        source={"a": [("1", "x")], "b": [("1", "1")]},
        present={"a": [("2", "x")]},
        options=Options(
            references=(SoftReference(table="public.b", column="a_id", parent="public.a"),)
        ),
    ),
    "identity_always": _world(
        Table(
            name="a",
            columns=(Column(name="id", type="integer", not_null=True, identity=Identity.ALWAYS),),
            keys=(_primary("a"),),
        ),
        source={"a": [("7",)]},
        positions={"public.a.id": 7},
    ),
    "first_rejection_only": _world(
        _NAMED, _BELOW, source={"b": [("1", "gone"), ("2", "gone")]}, lacks=["b_a"]
    ),
    "commit_despite_rejections": _world(
        _NAMED, _BELOW, source={"a": [("1", "x")], "b": [("1", "gone")]}, lacks=["b_a"]
    ),
    "rewrites_equal_rows": _world(_NAMED, source={"a": [("1", "x")]}, present={"a": [("1", "x")]}),
    "equal_by_value": _world(
        Table(name="a", columns=(ID, Column(name="price", type="numeric")), keys=(_primary("a"),)),
        source={"a": [("1", "1.10")]},
        present={"a": [("1", "1.1")]},
    ),
    "guesses": _world(
        Table(
            name="a",
            columns=(ID, _text("name"), _text("mail")),
            keys=(_primary("a"), _unique("a_k", "name"), _unique("a_m", "mail")),
        ),
        source={"a": [("1", "x", "y")]},
        present={"a": [("2", "x", None), ("3", None, "y")]},
    ),
    "triggers_stay_on": _world(
        Table(
            name="a",
            columns=(NUMBER, _text("name")),
            keys=(_primary("a"),),
            triggers=(Trigger.SHOUT,),
        ),
        source={"a": [("1", "x")]},
    ),
}
