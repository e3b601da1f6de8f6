"""What a type's spelling means: which of a few kinds of values it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cache

from verifier.model.schema import Domain, Enum, Schema


class Kind(StrEnum):
    """How values of a type are compared."""

    INTEGER = auto()
    NUMERIC = auto()
    FLOAT4 = auto()
    FLOAT8 = auto()
    BOOLEAN = auto()
    TEXT = auto()
    CHAR = auto()
    """Blanks at the end do not count."""
    DATE = auto()
    """Of dates and timestamps with and without a zone, all of which are printed in UTC."""
    TIME = auto()
    INTERVAL = auto()
    JSON = auto()
    """It has no equality."""
    JSONB = auto()
    ENUM = auto()
    ARRAY = auto()
    RANGE = auto()
    MULTIRANGE = auto()
    EXACT = auto()
    """Two values are equal if and only if they print alike."""
    UNKNOWN = auto()


@dataclass(frozen=True)
class Type:
    kind: Kind
    name: str
    """As SQL spells it in short form, without a modifier; of an enum without quotes."""
    of: Type | None = None
    """What an array or a range consists of."""
    labels: tuple[str, ...] = ()
    """Of an enum."""


_KINDS = {
    Kind.INTEGER: "smallint int2 integer int int4 bigint int8 oid smallserial serial bigserial "
    "serial2 serial4 serial8",
    Kind.NUMERIC: "numeric decimal",
    Kind.FLOAT4: "real float4",
    Kind.FLOAT8: "float8 float double",
    Kind.BOOLEAN: "boolean bool",
    Kind.TEXT: "text varchar name",
    Kind.CHAR: "char character bpchar",
    Kind.DATE: "date timestamp timestamptz",
    Kind.TIME: "time",
    Kind.INTERVAL: "interval",
    Kind.JSON: "json",
    Kind.JSONB: "jsonb",
    Kind.EXACT: "uuid bytea bit varbit money inet cidr macaddr macaddr8 timetz",
}
_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_RANGES = {
    "int4range": "integer",
    "int8range": "bigint",
    "numrange": "numeric",
    "daterange": "date",
    "tsrange": "timestamp",
    "tstzrange": "timestamptz",
}
_LONG = {
    "character varying": "varchar",
    "bit varying": "varbit",
    "double precision": "float8",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "timetz",
    "time without time zone": "time",
}
_MODIFIER = re.compile(r"\([^()]*\)")
_ARRAY = re.compile(
    r"^(?P<element>.+?)(?: array)?((?:\[\d*\])+| array)$", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(r'"(?:[^"]|"")+"|[^".]+')


def resolve(spelling: str, schema: Schema) -> Type:
    """The type that ``spelling`` names, with domains taken for what they are made of."""
    return _resolve(spelling, schema.enums, schema.domains)


def domain_of(spelling: str, schema: Schema) -> Domain | None:
    """The domain that ``spelling`` names, if it is one."""
    name = _bare(spelling)
    return next((domain for domain in schema.domains if domain.name == name), None)


@cache
def _resolve(spelling: str, enums: tuple[Enum, ...], domains: tuple[Domain, ...]) -> Type:
    array = _ARRAY.match(spelling.strip())
    if array:
        return Type(Kind.ARRAY, spelling, of=_resolve(array["element"], enums, domains))
    name = _bare(spelling)
    for domain in domains:
        if domain.name == name:
            return _resolve(domain.base, enums, domains)
    for enum in enums:
        if enum.name == name:
            return Type(Kind.ENUM, name, labels=enum.labels)
    return _built_in(spelling)


def _built_in(spelling: str) -> Type:
    if '"' in spelling:
        return Type(Kind.UNKNOWN, spelling)
    plain = " ".join(_MODIFIER.sub(" ", spelling).lower().removeprefix("pg_catalog.").split())
    name = "interval" if plain.startswith("interval ") else _LONG.get(plain, plain)
    if name in _RANGES:
        return Type(Kind.RANGE, name, of=_built_in(_RANGES[name]))
    single = name.replace("multirange", "range")
    if single != name and single in _RANGES:
        return Type(Kind.MULTIRANGE, name, of=_built_in(single))
    if name == "float" and re.search(r"\(\s*([1-9]|1\d|2[0-4])\s*\)", spelling):
        name = "float4"
    return Type(_BY_NAME.get(name, Kind.UNKNOWN), name)


def _bare(spelling: str) -> str:
    """The last part of a name, without quotes."""
    found = _NAME.findall(spelling)
    last = found[-1] if found else spelling
    return last[1:-1].replace('""', '"') if last.startswith('"') else last
