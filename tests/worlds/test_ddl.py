"""What is written of a schema makes that schema, of the source as of the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, seed, settings

from fixtures.strategies import worlds
from verifier.model.schema import (
    Action,
    Check,
    Column,
    Domain,
    Enum,
    Expression,
    ForeignKey,
    Identity,
    Key,
    Op,
    Partition,
    PartitionBy,
    Partitioning,
    Schema,
    Table,
    Trigger,
    column,
    literal,
)
from verifier.model.world import World
from verifier.servers import Pair
from verifier.worlds import ddl
from verifier.worlds.run import Ground


def call(op: Op, *arguments: Expression, kind: str = "") -> Expression:
    return Expression(op=op, arguments=arguments, type=kind)


A, B, K = column("a"), column("B b"), column("key")
POSITIVE = call(Op.LESS, literal("0"), column("value"))
RICH = Table(
    schema="Tenant",
    name='odd " t',
    columns=(
        Column(name="key", type="bigint", not_null=True, identity=Identity.SERIAL),
        Column(name="a", type="text", default="'x'::text"),
        Column(name="B b", type='"Much"[]'),
        Column(name="mood", type="mood"),
        Column(name="order", type="numeric(10,2)", not_null=True),
        Column(name="sum", type="numeric", generated=call(Op.PLUS, column("order"), literal("1"))),
    ),
    keys=(
        Key(name="pk", parts=(K,), primary=True),
        Key(name="Twice", parts=(A, B), nulls_distinct=False),
        Key(name="late", parts=(column("mood"), A), deferrable=True),
        Key(name="low", parts=(call(Op.LOWER, A), column("mood")), constraint=False),
        Key(
            name="part",
            parts=(A,),
            constraint=False,
            predicate=call(Op.NOT, call(Op.IS_NULL, column("mood"))),
        ),
    ),
    foreign_keys=(
        ForeignKey(
            name="up",
            columns=("key",),
            parent="public.list",
            references=("k",),
            on_delete=Action.SET_NULL,
            on_update=Action.CASCADE,
            deferrable=True,
        ),
    ),
    checks=(
        Check(
            name="either",
            condition=call(
                Op.OR,
                call(Op.EQUAL, column("mood"), Expression(op=Op.LITERAL, text="s'd", type="mood")),
                call(Op.AT_MOST, call(Op.LENGTH, call(Op.JOIN, A, literal("!"))), literal("9")),
                Expression(op=Op.OPAQUE, text="a ~ '^x'", columns=("a",)),
                call(Op.EQUAL, call(Op.COALESCE, A, literal("")), literal("y")),
            ),
        ),
    ),
    triggers=(Trigger.SHOUT,),
)


def split(by: PartitionBy, *parts: tuple[str, ...], rest: bool = False) -> Table:
    made = [Partition(name=f"{by.value}_{n}", values=values) for n, values in enumerate(parts)]
    made += [Partition(name=f"{by.value}_rest")] if rest else []
    return Table(
        name=by.value,
        columns=(
            Column(name="k", type="int", not_null=True, identity=Identity.BY_DEFAULT),
            Column(name="at", type="timestamp"),
            Column(name="up", type="int"),
            Column(name="up2", type="int"),
        ),
        keys=(Key(name=f"{by.value}_pk", parts=(column("k"),), primary=True),),
        partitioning=Partitioning(by=by, column="k", parts=tuple(made)),
        triggers=(Trigger.TOUCH, Trigger.AUDIT),
    )


LIST = split(PartitionBy.LIST, ("1", "2"), ("3",), rest=True)
RANGE = split(PartitionBy.RANGE, ("-5", "10"), ("10", "20"))
HASH = replace(
    split(PartitionBy.HASH, ("2", "0"), ("2", "1")),
    foreign_keys=(
        ForeignKey(
            name="both",
            columns=("up", "up2"),
            parent="public.pair",
            references=("a", "b"),
            full=True,
        ),
    ),
)
PAIR = Table(
    name="pair",
    columns=(Column(name="a", type="int"), Column(name="b", type="int")),
    keys=(Key(name="pair_ab", parts=(A, column("b")), constraint=False),),
)
SCHEMA = Schema(
    tables=(RICH, LIST, RANGE, HASH, PAIR),
    enums=(Enum(name="mood", labels=("happy", "s'd")),),
    domains=(
        Domain(name="Much", base="int", checks=(Check(name="positive", condition=POSITIVE),)),
    ),
)


@pytest.fixture(scope="module")
def ground(servers: Pair) -> Iterator[Ground]:
    with Ground(servers) as made:
        yield made


def made(ground: Ground, schema: Schema, query: str) -> set[str]:
    ground.target.make(schema, {}, {})
    return {row[0] for row in ground.target.database.execute(query)}


CONSTRAINTS = """
    SELECT conname || ': ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype IN ('p', 'u', 'c', 'f') AND conparentid = 0 AND conname !~ '^(audit|list|hash|ra)'
        AND connamespace IN ('public'::regnamespace, '"Tenant"'::regnamespace)
"""
INDEXES = """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indexrelid::regclass::text ~ '(low|part|pair_ab)$'
"""
OTHERS = """
    SELECT format('%s %s %s%s', attname, format_type(atttypid, atttypmod),
        pg_get_expr(adbin, adrelid), CASE WHEN attnotnull THEN ' NOT NULL' END)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = '"Tenant"."odd "" t"'::regclass AND attnum > 0
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger
    WHERE NOT tgisinternal AND tgparentid = 0 AND tgrelid::regclass::text ~ 'odd|list'
    UNION ALL SELECT relname || ' ' || pg_get_expr(relpartbound, oid) FROM pg_class
    WHERE relispartition AND relkind = 'r'
"""


def test_keys_checks_and_foreign_keys(ground: Ground) -> None:
    assert made(ground, SCHEMA, CONSTRAINTS) == {
        "pk: PRIMARY KEY (key)",
        'Twice: UNIQUE NULLS NOT DISTINCT (a, "B b")',
        "late: UNIQUE (mood, a) DEFERRABLE",
        "positive: CHECK ((0 < VALUE))",
        "either: CHECK (((mood = 's''d'::mood) OR (length((a || '!'::text)) <= 9)"
        " OR (a ~ '^x'::text) OR (COALESCE(a, ''::text) = 'y'::text)))",
        "up: FOREIGN KEY (key) REFERENCES list(k) ON UPDATE CASCADE ON DELETE SET NULL"
        " DEFERRABLE INITIALLY DEFERRED",
        "both: FOREIGN KEY (up, up2) REFERENCES pair(a, b) MATCH FULL",
    }
    assert made(ground, SCHEMA, INDEXES) == {
        'CREATE UNIQUE INDEX low ON "Tenant"."odd "" t" USING btree (lower(a), mood)',
        'CREATE UNIQUE INDEX part ON "Tenant"."odd "" t" USING btree (a)'
        " WHERE (NOT (mood IS NULL))",
        "CREATE UNIQUE INDEX pair_ab ON public.pair USING btree (a, b)",
    }


def test_columns_triggers_and_partitions(ground: Ground) -> None:
    assert made(ground, SCHEMA, OTHERS) == {
        """key bigint nextval('"Tenant"."odd "" t_key_seq"'::regclass) NOT NULL""",
        "a text 'x'::text",
        'B b "Much"[] ',
        "mood mood ",
        "order numeric(10,2)  NOT NULL",
        "sum numeric (\"order\" + '1'::numeric)",
        'CREATE TRIGGER "odd "" t_shout" BEFORE INSERT OR UPDATE ON "Tenant"."odd "" t"'
        """ FOR EACH ROW EXECUTE FUNCTION "Tenant"."odd "" t_shout"()""",
        "CREATE TRIGGER list_touch BEFORE UPDATE ON public.list FOR EACH ROW"
        " EXECUTE FUNCTION list_touch()",
        "CREATE TRIGGER list_audit AFTER INSERT OR UPDATE ON public.list FOR EACH ROW"
        " EXECUTE FUNCTION list_audit()",
        "list_0 FOR VALUES IN (1, 2)",
        "list_1 FOR VALUES IN (3)",
        "list_rest DEFAULT",
        "range_0 FOR VALUES FROM ('-5') TO (10)",
        "range_1 FOR VALUES FROM (10) TO (20)",
        "hash_0 FOR VALUES WITH (modulus 2, remainder 0)",
        "hash_1 FOR VALUES WITH (modulus 2, remainder 1)",
    }


def test_triggers_do_what_they_are_for(ground: Ground) -> None:
    ground.target.make(SCHEMA, {}, {})
    run = ground.target.database.execute
    run("INSERT INTO public.list VALUES (1); UPDATE public.list SET up = 1")
    run("""INSERT INTO "Tenant"."odd "" t" (a, "order") VALUES ('loud', 1)""")
    assert run("SELECT at IS NOT NULL FROM public.list") == [(True,)]
    assert run("SELECT relation, event FROM public.audit ORDER BY id") == [
        ("public.list", "INSERT"),
        ("public.list", "UPDATE"),
    ]
    assert run("""SELECT a, sum FROM "Tenant"."odd "" t" """) == [("LOUD", 2)]


def as_ones_own(schema: Schema) -> Schema:
    """``schema`` as a script, with types spelled as the catalogue does."""
    columns = (
        replace(column, type=f"public.{column.type}") if '"' in column.type else column
        for column in RICH.columns
    )
    tables = (replace(RICH, columns=tuple(columns)), *schema.tables[1:])
    return replace(schema, tables=tables, script=ddl.create(schema) + "-- the end")


LACKS = frozenset({"either", "low", "pair_ab", "positive", "list_pk", 'Tenant.odd " t.order'})
LEFT = {"pk: PRIMARY KEY (key)", 'Twice: UNIQUE NULLS NOT DISTINCT (a, "B b")',
        "late: UNIQUE (mood, a) DEFERRABLE"}  # fmt: skip


@pytest.mark.parametrize("own", [False, True])
def test_what_a_source_lacks_is_not_there(ground: Ground, own: bool) -> None:
    schema = as_ones_own(SCHEMA) if own else SCHEMA
    source = ddl.of_source(World(schema=schema, source={}, lacks=LACKS))
    assert bool(source.script) == own
    assert made(ground, source, CONSTRAINTS) == LEFT
    names = {definition.split()[3] for definition in made(ground, source, INDEXES)}
    assert names == {"part"}
    assert "order numeric(10,2) " in made(ground, source, OTHERS)


def test_invented_worlds_can_be_made(ground: Ground) -> None:
    @seed(6)
    @settings(
        max_examples=40, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(worlds())
    def make(world: World) -> None:
        target = ground.target.make(world.schema, world.present, {})
        source = ground.source.make(ddl.of_source(world), world.source, world.positions)
        for table in world.schema.tables:
            for found, given_ in ((target, world.present), (source, world.source)):
                assert sorted(found.rows[table.id], key=repr) == sorted(
                    given_.get(table.id, ()), key=repr
                )

    make()
