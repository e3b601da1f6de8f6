"""The triggers of a schema as SQL: a function and a trigger for each, in the table's schema."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.errors import UsageError
from verifier.model.schema import Schema, Table, Trigger
from verifier.worlds.spelling import literal, name, of_table, qualified

AUDIT = "public.audit"
"""The table that audit triggers write to. It is no table of the world."""

_WHEN = {
    Trigger.TOUCH: "BEFORE UPDATE",
    Trigger.AUDIT: "AFTER INSERT OR UPDATE",
    Trigger.SHOUT: "BEFORE INSERT OR UPDATE",
}
# The column that a trigger sets is the first whose type begins so.
_SETS = {
    Trigger.TOUCH: (("timestamp",), "now()"),
    Trigger.SHOUT: (("text", "character varying", "varchar"), "upper(NEW.{})"),
}


def audited(schema: Schema) -> bool:
    """Whether there is a table :data:`AUDIT`."""
    return not schema.script and any(Trigger.AUDIT in table.triggers for table in schema.tables)


def create(schema: Schema) -> Iterator[str]:
    """A statement after the other."""
    if audited(schema):
        yield (
            f"CREATE TABLE {AUDIT} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " relation text NOT NULL, event text NOT NULL);\n"
        )
    for table in schema.tables:
        for trigger in table.triggers:
            yield from _create(table, trigger)


def _create(table: Table, trigger: Trigger) -> Iterator[str]:
    called = f"{table.name}_{trigger.value}"
    function = qualified(table.schema, called)
    yield (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN {_body(table, trigger)} RETURN NEW; END$$;\n"
    )
    yield (
        f"CREATE TRIGGER {name(called)} {_WHEN[trigger]} ON {of_table(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION {function}();\n"
    )


def _body(table: Table, trigger: Trigger) -> str:
    if trigger is Trigger.AUDIT:
        return f"INSERT INTO {AUDIT} (relation, event) VALUES ({literal(table.id)}, TG_OP);"
    kinds, value = _SETS[trigger]
    for column in table.stored:
        if column.type.startswith(kinds) and not column.type.endswith("]"):
            where = name(column.name)
            return f"NEW.{where} := {value.format(where)};"
    raise UsageError(
        f"{table.id} has no column that its trigger {trigger.value} could set; "
        f"give it one of type {kinds[0]}, or leave the trigger out"
    )
