"""A failure in words, for somebody who did not see the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from verifier.contract import Claim, Guarantee
from verifier.fuzz.failure import Agreement, Failure
from verifier.model.schema import Action, ForeignKey, Identity, Key, Row, Schema, Table, Value
from verifier.model.types import Kind, resolve
from verifier.model.world import BackupForm, Options, World
from verifier.report.literal import literal, printable
from verifier.report.text import counted, listed
from verifier.worlds.spelling import expression, name, qualified

_ALL = 12
"""Rows of a side that are told one by one."""
_SAID = 300
"""Characters of somebody's words."""

DEMANDS: Mapping[Guarantee, str] = {
    Guarantee.COMPLETENESS: "every row of the source is restored, merged into a named survivor, or "
    "rejected and reported with table, key and reason; nothing is lost, nothing is invented",
    Guarantee.FIDELITY: "a restored row equals its source row, column by column, exactly",
    Guarantee.MERGING: "source rows that collide on a unique key of the target become one "
    "survivor, and every child of every merged row points to the survivor",
    Guarantee.ORDERING: "parents are written before children whatever the order in the backup, "
    "and enforcement is neither switched off nor left off",
    Guarantee.INTEGRITY: "after the restore every foreign key, unique key, check and not-null "
    "holds, the target's schema is unchanged, and every sequence is past the values that it feeds",
    Guarantee.IDEMPOTENCE: "the second restore of the same backup changes no row, and says so",
    Guarantee.ATOMICITY: "a restore that fails, is refused or is killed leaves the target as it "
    "was before",
    Guarantee.HONESTY: "the claim equals what can be observed: success if and only if the target "
    "is right, counts that equal rows, every rejected row named",
    Guarantee.PRESERVATION: "rows of the target that are not in the backup are untouched",
    Guarantee.RECOVERABILITY: "a run that was cut off is visible as failed, leaves nothing behind "
    "and does not block the next run",
    Guarantee.CONTAINMENT: "a backup is data and never code, and secrets appear in no output",
}
"""The guarantees of ``docs/contract.md`` as half a sentence each."""


def paragraph(failure: Failure) -> str:
    """What there is, what the contract demands and what was observed, in one paragraph."""
    return " ".join(sentences(failure))


def sentences(failure: Failure) -> Iterator[str]:
    """The same, sentence by sentence."""
    world = failure.world
    yield from tables(world.schema)
    yield from _differences(world)
    yield _held("The target holds", world.schema, world.present)
    if world.form is BackupForm.OWN:
        yield _held("The source holds", world.schema, world.source)
        how = f"; {failure.interrupted}" if failure.interrupted else ""
        asked = _asked(world.options)
        yield f"{failure.implementation} backs it up and restores that{asked}{how}."
    else:
        ordered = {table: world.source.get(table, ()) for table in (*world.order, *world.source)}
        yield _held("The backup holds", world.schema, ordered)
        yield f"{failure.implementation} restores it{_asked(world.options)}."
    breach = failure.breach
    yield f"The contract demands of it ({breach.guarantee}) that {DEMANDS[breach.guarantee]}."
    seen = breach.words.rstrip(".") or breach.cause
    if breach.cause not in seen:
        seen = f"{breach.cause}: {seen}"
    if failure.claim is None:
        yield f"But {seen}."
    else:
        yield f"{_claimed(failure.claim)} But {seen}."


def agreement(found: Agreement | None) -> str:
    """Whether the oracle sees it, too."""
    if found is None:
        return "It was not run as a scenario."
    if found.verdict is None:
        why = f" ({found.titles[0]})" if found.titles else ""
        return f"It could not be run as a scenario{why}: only the model says that it is wrong."
    said = f" {quoted(found.titles[0])}" if found.titles else ""
    if found.verdict.value == "broken":
        how = ", given the backup as it is here" if found.written else ""
        return f"As a scenario{how}, the oracle finds it, too:{said}."
    return (
        f"The oracle does not agree: run as a scenario, it is {found.verdict}."
        f"{said} One of the two is wrong, the model or the oracle; please report it."
    )


def quoted(text: str) -> str:
    """What somebody said, on one line and not too long."""
    line = " ".join(printable(text).split())
    return f"“{line if len(line) <= _SAID else line[:_SAID].rstrip() + ' …'}”"


def tables(schema: Schema) -> Iterator[str]:
    """What there is, and a sentence for each table that has rules."""
    begin = "There is the table" if len(schema.tables) == 1 else "There are the tables"
    yield f"{begin} {listed([_table(table, schema) for table in schema.tables])}."
    for table in schema.tables:
        said = list(_rules(table, schema))
        if said:
            yield f"In {called(table.id, schema)}, {listed(said)}."


def _table(table: Table, schema: Schema) -> str:
    columns = ", ".join(f"{name(column.name)} {column.type}" for column in table.columns)
    return f"{called(table.id, schema)} ({columns})"


def called(table: str, schema: Schema) -> str:
    """A table's name, with its schema where that is not the usual one."""
    found = schema.by_id.get(table)
    if found is None or found.schema == "public":
        return name(table.removeprefix("public."))
    return qualified(found.schema, found.name)


def _rules(table: Table, schema: Schema) -> Iterator[str]:
    yield from map(_key, table.keys)
    yield from (_foreign_key(key, schema) for key in table.foreign_keys)
    yield from (f"{check.name} checks {expression(check.condition)}" for check in table.checks)
    for column in table.columns:
        if column.generated is not None:
            yield f"{name(column.name)} is computed as {expression(column.generated)}"
        if column.identity is not Identity.NONE:
            yield f"a sequence numbers {name(column.name)}"
    yield from (f"a trigger {_TRIGGERS[each]}" for each in table.triggers)
    if table.partitioning is not None:
        yield f"there are partitions by {table.partitioning.by} of {table.partitioning.column}"


_TRIGGERS = {
    "touch": "sets the time of the last change",
    "audit": "notes every change in a table of its own",
    "shout": "writes a text in capitals",
}


def _key(key: Key) -> str:
    parts = _several([expression(part) for part in key.parts])
    said = f"{parts} is the primary key" if key.primary else f"{parts} is unique ({key.name})"
    if key.predicate is not None:
        said += f" where {expression(key.predicate)}"
    if not key.nulls_distinct:
        said += ", NULLs being equal"
    return f"{said}, checked at the end of a transaction" if key.deferrable else said


def _foreign_key(key: ForeignKey, schema: Schema) -> str:
    parent = called(key.parent, schema)
    own, theirs = (_several([*map(name, each)]) for each in (key.columns, key.references))
    said = f"{own} refers to {theirs} of {parent} ({key.name})"
    if key.on_delete is not Action.NO_ACTION:
        said += f", on delete {key.on_delete}"
    if key.on_update is not Action.NO_ACTION:
        said += f", on update {key.on_update}"
    return said


def _several(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _differences(world: World) -> Iterator[str]:
    if world.lacks:
        names = listed([name.removeprefix("public.") for name in sorted(world.lacks)])
        yield f"The source does not have {names}, so that its rows may break that."


def _held(begin: str, schema: Schema, rows: Mapping[str, tuple[Row, ...]]) -> str:
    some = {table: each for table, each in rows.items() if each}
    if not some:
        return f"{begin} no rows."
    if sum(map(len, some.values())) > _ALL:
        numbers = [
            f"{counted(len(each), 'row')} of {called(table, schema)}"
            for table, each in some.items()
        ]
        return f"{begin} {listed(numbers)}."
    told = [
        f"{called(table, schema)} {row(schema.by_id[table], each, schema)}"
        for table, held in some.items()
        for each in held
    ]
    return f"{begin} {listed(told)}."


def row(table: Table, values: Row, schema: Schema) -> str:
    """``(id 1, name 'Tea')``."""
    cells = (
        f"{name(column.name)} {_value(value, resolve(column.type, schema).kind)}"
        for column, value in zip(table.stored, values, strict=True)
    )
    return f"({', '.join(cells)})"


def _value(value: Value, kind: Kind) -> str:
    number = kind in (Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8)
    return value if number and value is not None else literal(value)


def _asked(options: Options) -> str:
    flags = [
        flag
        for flag, given in (
            ("--ids local", options.local_ids),
            ("--strict-ids", options.strict_ids),
            (f"--prefer newest:{options.prefer}", options.prefer),
            ("--quarantine", options.quarantine),
        )
        if given
    ]
    flags = [
        *flags,
        *(f"--reference for {each.table}.{each.column}" for each in options.references),
    ]
    return f" with {listed(flags)}" if flags else ""


def _claimed(claim: Claim) -> str:
    if claim.success:
        return "The restore said that it had succeeded."
    return f"The restore said that it had failed: {quoted(claim.message)}."
