"""SQL that would make the target's object like the source's, for reading."""

from __future__ import annotations

from verifier.oracle.structure import create
from verifier.oracle.structure.model import CONSTRAINTS, KINDS, SchemaObject


def remedy(
    source: SchemaObject | None, target: SchemaObject | None, differing: tuple[str, ...]
) -> str:
    """Create it, drop it, or alter it; empty where one statement cannot say it."""
    if source is None:
        return "" if target is None else _drop(target)
    if target is None:
        return source.create
    return _alter(source, target, frozenset(differing))


def _drop(found: SchemaObject) -> str:
    name = found.name
    match found.kind:
        case "column":
            return f"ALTER TABLE {found.relation} DROP COLUMN {_own_name(found)}"
        case kind if kind in CONSTRAINTS:
            return f"ALTER TABLE {found.relation} DROP CONSTRAINT {_own_name(found)}"
        case "comment":
            return create.comment(*_commented(name), None)
        case "table" if found.properties.get("kind") == "foreign":
            return f"DROP FOREIGN TABLE {name}"
        case kind:
            return f"DROP {create.keyword(kind)} {name}"


def _own_name(found: SchemaObject) -> str:
    """The name without its table: ``fk`` of ``fk on public.t``, ``c`` of ``public.t.c``."""
    if found.kind == "column":
        return found.name.removeprefix(f"{found.relation}.")
    return found.name.removesuffix(f" on {found.relation}")


def _commented(name: str) -> tuple[str, str]:
    """Kind and name of what a comment is on; kinds may have several words."""
    kinds = (kind for kind in sorted(KINDS, key=len, reverse=True) if name.startswith(f"{kind} "))
    kind = next(kinds, name.partition(" ")[0])
    return kind, name.removeprefix(f"{kind} ")


def _alter(source: SchemaObject, target: SchemaObject, differing: frozenset[str]) -> str:
    kind = source.kind
    if kind == "column":
        text = _alter_column(source, target, differing)
    elif kind == "table":
        text = _alter_table(source, differing)
    elif kind in CONSTRAINTS:
        text = _alter_constraint(source, target, differing)
    elif kind == "enum":
        text = _more_labels(source, target)
    elif kind in ("trigger", "rule") and differing == {"enabled"}:
        enabled = source.properties.get("enabled")
        text = create.state(source.relation, kind.upper(), _own_name(source), enabled)
    elif kind == "sequence" and "identity of" not in source.properties:
        text = create.sequence(source.name, source.properties, "ALTER")
    elif kind == "view":
        text = source.create.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
    elif kind == "materialised view" and differing == {"populated"}:
        text = f"REFRESH MATERIALIZED VIEW {source.name}"
    elif kind in ("function", "procedure", "comment") or not source.create:
        text = source.create
    else:
        text = f"{_drop(target)};\n{source.create}"
    return text


def _alter_column(source: SchemaObject, target: SchemaObject, differing: frozenset[str]) -> str:
    has, statements = source.properties, []
    if differing & {"type", "collation"}:
        collation = f" COLLATE {has['collation']}" if has.get("collation") else ""
        statements.append(f"TYPE {has['type']}{collation}")
    if "default" in differing:
        given = has.get("default")
        statements.append(f"SET DEFAULT {given}" if given else "DROP DEFAULT")
    if "not null" in differing:
        statements.append("DROP NOT NULL" if has.get("not null") == "no" else "SET NOT NULL")
    if "identity" in differing:
        statements.append(_identity(has.get("identity"), target.properties.get("identity")))
    if "expression" in differing and has.get("expression") and "generated" not in differing:
        statements.append(f"SET EXPRESSION AS ({has['expression']})")
    if "storage" in differing and has.get("storage"):
        statements.append(f"SET STORAGE {has['storage']}")
    if "compression" in differing:
        statements.append(f"SET COMPRESSION {has.get('compression') or 'default'}")
    if "statistics target" in differing:
        statements.append(f"SET STATISTICS {has.get('statistics target') or -1}")
    if not statements:
        return ""
    name = _own_name(source)
    clauses = ", ".join(f"ALTER COLUMN {name} {statement}" for statement in statements)
    return f"ALTER TABLE {source.relation} {clauses}"


def _identity(wanted: str | None, held: str | None) -> str:
    if wanted is None:
        return "DROP IDENTITY"
    verb = "ADD" if held is None else "SET"
    words = f"{verb} GENERATED {wanted.upper()}"
    return f"{words} AS IDENTITY" if held is None else words


def _alter_table(source: SchemaObject, differing: frozenset[str]) -> str:
    has, clauses = source.properties, []
    if "row security" in differing:
        verb = "ENABLE" if has["row security"] == "yes" else "DISABLE"
        clauses.append(f"{verb} ROW LEVEL SECURITY")
    if "row security forced" in differing:
        verb = "FORCE" if has["row security forced"] == "yes" else "NO FORCE"
        clauses.append(f"{verb} ROW LEVEL SECURITY")
    if "options" in differing and has.get("options"):
        clauses.append(f"SET ({has['options']})")
    if "persistence" in differing:
        clauses.append("SET UNLOGGED" if has["persistence"] == "unlogged" else "SET LOGGED")
    if "replica identity" in differing and has["replica identity"] != "index":
        clauses.append(f"REPLICA IDENTITY {str(has['replica identity']).upper()}")
    return f"ALTER TABLE {source.name} {', '.join(clauses)}" if clauses else ""


def _alter_constraint(source: SchemaObject, target: SchemaObject, differing: frozenset[str]) -> str:
    if differing == {"validated"} and source.properties["validated"] == "yes":
        return f"ALTER TABLE {source.relation} VALIDATE CONSTRAINT {_own_name(source)}"
    if differing == {"enabled"} and source.properties.get("enabled") == "yes":
        return f"ALTER TABLE {source.relation} ENABLE TRIGGER ALL"
    return f"{_drop(target)};\n{source.create}"


def _more_labels(source: SchemaObject, target: SchemaObject) -> str:
    """Labels can be added one by one; they cannot be moved or taken away."""
    wanted, held = (str(each.properties["labels"]).split(", ") for each in (source, target))
    if [label for label in wanted if label in held] != held:
        return ""
    statements = []
    for place, label in enumerate(wanted):
        if label not in held:
            where = f"AFTER {wanted[place - 1]}" if place else f"BEFORE {held[0]}" if held else ""
            statements.append(f"ALTER TYPE {source.name} ADD VALUE {label} {where}".rstrip())
    return ";\n".join(statements)
