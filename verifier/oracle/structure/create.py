"""SQL that would create an object, for reading: put together from its properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from verifier.oracle.structure.model import CONSTRAINTS, TYPES

Properties = Mapping[str, str | None]


def literal(text: str | None) -> str:
    return sql.Literal(text).as_string()


def column(name: str, properties: Properties) -> str:
    """A column as it stands in ``CREATE TABLE``."""
    words = [name, str(properties["type"])]
    if properties.get("collation"):
        words.append(f"COLLATE {properties['collation']}")
    if properties.get("default"):
        words.append(f"DEFAULT {properties['default']}")
    if properties.get("generated"):
        kind = str(properties["generated"]).upper()
        words.append(f"GENERATED ALWAYS AS ({properties.get('expression')}) {kind}")
    if properties.get("identity"):
        words.append(f"GENERATED {str(properties['identity']).upper()} AS IDENTITY")
    if properties.get("not null", "no") != "no":
        words.append("NOT NULL")
    return " ".join(words)


def table(name: str, properties: Properties, columns: Sequence[str]) -> str:
    words = ["CREATE"]
    if properties.get("persistence") == "unlogged":
        words.append("UNLOGGED")
    words.append("FOREIGN TABLE" if properties.get("kind") == "foreign" else "TABLE")
    words.append(name)
    if properties.get("partition bound"):
        words.append(f"PARTITION OF {properties['partition of']} {properties['partition bound']}")
    elif columns:
        words.append("(\n    " + ",\n    ".join(columns) + "\n)")
    else:
        words.append("()")
    for clause, key in (
        ("INHERITS ({})", "inherits"),
        ("PARTITION BY {}", "partition key"),
        ("SERVER {}", "server"),
        ("WITH ({})", "options"),
    ):
        if properties.get(key):
            words.append(clause.format(properties[key]))
    return " ".join(words)


def view(kind: str, name: str, properties: Properties) -> str:
    options = f" WITH ({properties['options']})" if properties.get("options") else ""
    word = "MATERIALIZED VIEW" if kind == "materialised view" else "VIEW"
    return f"CREATE {word} {name}{options} AS\n{properties['definition']}"


def sequence(name: str, properties: Properties, verb: str = "CREATE") -> str:
    cycle = "CYCLE" if properties["cycle"] == "yes" else "NO CYCLE"
    owned = f" OWNED BY {properties['owned by']}" if properties.get("owned by") else ""
    return (
        f"{verb} SEQUENCE {name} AS {properties['type']} INCREMENT {properties['increment']}"
        f" MINVALUE {properties['min']} MAXVALUE {properties['max']} START {properties['start']}"
        f" CACHE {properties['cache']} {cycle}{owned}"
    )


def policy(name: str, relation: str, properties: Properties) -> str:
    form = "PERMISSIVE" if properties["permissive"] == "yes" else "RESTRICTIVE"
    words = f"CREATE POLICY {name} ON {relation} AS {form} FOR {properties['command']}"
    words += f" TO {properties['roles']}"
    if properties.get("using"):
        words += f" USING ({properties['using']})"
    if properties.get("check"):
        words += f" WITH CHECK ({properties['check']})"
    return words


_STATES = {"no": "DISABLE", "yes": "ENABLE", "on a replica only": "ENABLE REPLICA"}


def state(relation: str, what: str, name: str, enabled: str | None) -> str:
    """SQL that switches a trigger or rule into a state."""
    verb = _STATES.get(enabled or "yes", "ENABLE ALWAYS")
    return f"ALTER TABLE {relation} {verb} {what} {name}"


def unusual_state(relation: str, what: str, name: str, properties: Properties) -> str:
    """The statement that has to follow the definition, if it is not simply enabled."""
    enabled = properties.get("enabled")
    return "" if enabled == "yes" else ";\n" + state(relation, what, name, enabled)


def keyword(kind: str) -> str:
    """What a kind is called in ``COMMENT ON`` and ``DROP``."""
    if kind in CONSTRAINTS:
        return "CONSTRAINT"
    return "TYPE" if kind in TYPES else kind.replace("materialised", "materialized").upper()


def comment(kind: str, name: str, text: str | None) -> str:
    return f"COMMENT ON {keyword(kind)} {name} IS {literal(text)}"


def _domain(name: str, properties: Properties) -> str:
    words = [f"CREATE DOMAIN {name} AS {properties['type']}"]
    words += [f"COLLATE {properties['collation']}"] if properties.get("collation") else []
    words += [f"DEFAULT {properties['default']}"] if properties.get("default") else []
    words += ["NOT NULL"] if properties["not null"] == "yes" else []
    words += [f"/* checks: {properties['checks']} */"] if properties.get("checks") else []
    return " ".join(words)


_FORMS = {
    "schema": "CREATE SCHEMA {name}",
    "extension": "CREATE EXTENSION {name} SCHEMA {schema}",
    "function": "{definition}",
    "procedure": "{definition}",
    "enum": "CREATE TYPE {name} AS ENUM ({labels})",
    "composite type": "CREATE TYPE {name} AS ({attributes})",
    "range type": "CREATE TYPE {name} AS RANGE ({listed})",
    "aggregate": "CREATE AGGREGATE {name} ({listed})",
}
_NO_OPTION = frozenset({"owner", "rights", "arguments", "form"})


def plain(kind: str, name: str, properties: Properties) -> str:
    """For the kinds that need no more than their own properties; empty for the rare ones."""
    if kind == "domain":
        return _domain(name, properties)
    listed = ", ".join(
        f"{key} = {value}" for key, value in properties.items() if key not in _NO_OPTION
    )
    return _FORMS.get(kind, "").format_map({**properties, "name": name, "listed": listed})
