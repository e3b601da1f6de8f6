"""Reading an inventory: everything that makes two databases differ but rows and positions.

Left out are what belongs to extensions, to the system and to the probe, temporary
objects, subscriptions and user mappings (a plain role may not read them), default
privileges, security labels, and comments on extensions (each release words its own).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg

from verifier.oracle.structure import catalogues, create, relations, rules
from verifier.oracle.structure.model import Key, SchemaObject
from verifier.oracle.structure.rows import Rows, ask
from verifier.oracle.structure.tables import Tables
from verifier.oracle.structure.world import Place, World

Inventory = Mapping[Key, SchemaObject]


def read(connection: psycopg.Connection[Any]) -> dict[Key, SchemaObject]:
    """The inventory of the connection's database, by kind and name.

    The connection has the settings of :mod:`verifier.oracle.session`: an empty search
    path, so that every name prints in full, and one snapshot. Definitions are printed by
    the server from its newest catalogue; what was dropped since the snapshot reads as
    :data:`~.model.GONE`, or makes psycopg raise.
    """
    version = connection.info.server_version // 10000
    plain = catalogues.plain(version)
    answers = ask(connection, _queries(version) | {query: query for _, query in plain})
    present = {catalog for (catalog,) in answers["present"]}
    rare = [each for each in catalogues.rare(version) if each[0] in present]
    if rare:
        answers |= ask(connection, {query: query for _, query in rare})
    world = World(
        {oid: name for oid, _, _, name, *_ in answers["schemas"]},
        set(answers["members"]),
    )
    _add_plain(world, "pg_namespace", answers["schemas"])
    for catalog, query in (*plain, *rare):
        _add_plain(world, "pg_proc" if catalog == "pg_aggregate" else catalog, answers[query])
    Tables(world, answers).add()
    _add_statistics(world, answers["statistics"])
    _add_parts(world, answers)
    _add_comments(world, answers["comments"])
    return world.objects


def _queries(version: int) -> dict[str, str]:
    return {
        "schemas": catalogues.SCHEMAS,
        "members": catalogues.MEMBERS,
        "present": catalogues.PRESENT,
        "relations": relations.RELATIONS,
        "columns": relations.columns(version),
        "sequences": relations.SEQUENCES,
        "inheritance": relations.INHERITANCE,
        "constraints": rules.constraints(version),
        "indexes": rules.INDEXES,
        "triggers": rules.TRIGGERS,
        "rules": rules.RULES,
        "policies": rules.POLICIES,
        "statistics": catalogues.STATISTICS,
        "attributes": catalogues.ATTRIBUTES,
        "domain checks": catalogues.DOMAIN_CHECKS,
        "comments": catalogues.COMMENTS,
    } | (
        {"not null": rules.NOT_NULL_STATES, "not null commented": rules.NOT_NULL_COMMENTED}
        if version >= 18
        else {}
    )


def _without_in(definition: str) -> str:
    """A procedure's definition without ``IN``, which is printed from PostgreSQL 14 on."""
    head, line, body = definition.partition("\n")
    return re.sub(r"(?<=[(, ])IN (?=\S)", "", head) + line + body


def _add_plain(world: World, catalog: str, rows: Rows) -> None:
    for (oid, namespace, kind, name), properties in rows.split(rows.names[4]):
        full = world.qualified(namespace, name) if namespace else name
        if full is None or world.extended(catalog, oid):
            continue
        definition = properties.get("definition")
        if kind == "procedure" and definition is not None:
            properties["definition"] = _without_in(definition)
        if "definition" in rows.names:
            world.definite(properties)
        text = create.plain(kind, full, properties)
        world.add(catalog, oid, SchemaObject(kind, full, "", properties, text))


def _add_statistics(world: World, rows: Rows) -> None:
    for (oid, namespace, kind, name, relation), properties in rows.split("definition"):
        full, table = world.qualified(namespace, name), world.at("pg_class", relation)
        if full is None or table is None or world.extended("pg_statistic_ext", oid):
            continue
        definition = world.definite(properties)
        found = SchemaObject(kind, full, table.name, properties, definition, (table.key,))
        world.add("pg_statistic_ext", oid, found)


def _add_parts(world: World, answers: Mapping[str, Rows]) -> None:
    """Where comments may be on something that is a property here, not an object."""
    for type_oid, relation, number, name in answers["attributes"]:
        owner = world.at("pg_type", type_oid)
        if owner is not None:
            world.alias("pg_class", relation, number, ("column", f"{owner.name}.{name}"), owner.key)
    for oid, relation, number, name in answers.get("not null commented", ()):
        column = world.at("pg_class", relation, number)
        if column is not None:
            key = ("constraint", f"{name} on {column.relation}")
            world.alias("pg_constraint", oid, 0, key, column.key)
    for oid, type_oid, name in answers["domain checks"]:
        owner = world.at("pg_type", type_oid)
        if owner is not None:
            key = ("constraint", f"{name} ON DOMAIN {owner.name}")
            world.alias("pg_constraint", oid, 0, key, owner.key)


def _add_comments(world: World, rows: Rows) -> None:
    for catalog, oid, number, text in rows:
        place = world.place(catalog, oid, number)
        if catalog == "pg_largeobject":
            # Not in the inventory: their content is compared like rows.
            place = Place(("large object", str(oid)), ("large object", str(oid)), "")
        if place is None or place.key[0] == "extension":
            continue
        kind, name = place.key
        found = SchemaObject(
            "comment",
            f"{kind} {name}",
            place.relation,
            {"text": text},
            create.comment(kind, name, text),
            (place.owner,),
        )
        world.add("pg_description", 0, found)
