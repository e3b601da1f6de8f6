"""How SQL writes what a schema is made of: names, values, types and expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from verifier.model.schema import Expression, Op, Schema, Table, Value

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)

# Whatever PostgreSQL 16 and 18 list in pg_get_keywords() that is not "unreserved": what
# their quote_identifier() sets in quotes.
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int
    integer intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning
    right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """,
    )
)


def name(text: str) -> str:
    """One name, in double quotes where ``quote_ident`` would set them."""
    if _PLAIN.fullmatch(text) and text not in _KEYWORDS:
        return text
    return '"' + text.replace('"', '""') + '"'


def names(texts: tuple[str, ...]) -> str:
    """Several names with commas between them."""
    return ", ".join(map(name, texts))


def qualified(schema: str, text: str) -> str:
    """A name with its schema: ``public."Order"``."""
    return f"{name(schema)}.{name(text)}"


def of_table(table: Table) -> str:
    """A table's name as SQL writes it, which is how claims name it."""
    return qualified(table.schema, table.name)


def literal(value: Value) -> str:
    """A value in single quotes, under ``standard_conforming_strings``; or ``NULL``."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def of_type(schema: Schema, text: str) -> str:
    """The name of a type; an enum's or a domain's is qualified, if it is not somebody's own."""
    if schema.script:
        return text
    own = {each.name for each in schema.enums} | {each.name for each in schema.domains}
    base, brackets, rest = text.partition("[")
    bare = base[1:-1].replace('""', '"') if base.startswith('"') else base
    return f"{qualified('public', bare)}{brackets}{rest}" if bare in own else text


_FORMS: Mapping[Op, str] = {
    Op.OPAQUE: "({text})",
    Op.LOWER: "lower({parts[0]})",
    Op.LENGTH: "length({parts[0]})",
    Op.IS_NULL: "({parts[0]} IS NULL)",
    Op.NOT: "(NOT {parts[0]})",
}


def expression(
    each: Expression, column: Callable[[str], str] = name, *, schema: Schema | None = None
) -> str:
    """``each`` as SQL, in parentheses where an operator stands in it.

    ``column`` writes a column's name; in a domain's check it is to give ``VALUE``. ``schema``
    has the enums and domains that a literal may be of.
    """
    if each.op is Op.COLUMN:
        return column(each.text)
    if each.op is Op.LITERAL:
        kind = of_type(schema, each.type) if schema is not None else each.type
        return literal(each.text) + (f"::{kind}" if kind else "")
    parts = [expression(argument, column, schema=schema) for argument in each.arguments]
    if each.op in _FORMS:
        return _FORMS[each.op].format(text=each.text, parts=parts)
    if each.op is Op.COALESCE:
        return f"coalesce({', '.join(parts)})"
    return "(" + f" {each.op.value.upper()} ".join(parts) + ")"
