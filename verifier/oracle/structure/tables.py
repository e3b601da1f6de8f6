"""Tables and views with all that hangs on them, put together from the catalogues' rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from verifier.oracle.structure import create
from verifier.oracle.structure.constraints import Constraints
from verifier.oracle.structure.model import GONE, Key, SchemaObject
from verifier.oracle.structure.rows import Rows
from verifier.oracle.structure.world import World

_KINDS = {"v": "view", "m": "materialised view"}


class Tables:
    """Adds every relation and its parts to a :class:`World`."""

    def __init__(self, world: World, answers: Mapping[str, Rows]) -> None:
        self._world = world
        self._answers = answers
        self._parents: dict[int, list[int]] = {}
        for child, parent in answers["inheritance"]:
            self._parents.setdefault(child, []).append(parent)

    def add(self) -> None:
        self._add_relations()
        columns = self._add_columns()
        self._add_sequences()
        Constraints(self._world, self._answers, self._parents).add()
        self._add_indexes()
        self._add_triggers()
        self._add_rules()
        self._add_policies()
        for key, found in self._world.objects.items():
            if found.kind == "table":
                text = create.table(found.name, found.properties, columns.get(key, ()))
                self._world.objects[key] = replace(found, create=text)

    def _add_relations(self) -> None:
        found: dict[int, str] = {}
        rows = list(self._answers["relations"].split("kind"))
        for (oid, namespace, name, *_), _ in rows:
            full = self._world.qualified(namespace, name)
            if full is not None:
                found[oid] = full
        for (oid, _, _, relkind, partition), properties in rows:
            if oid not in found or self._world.extended("pg_class", oid):
                continue
            kind, full = _KINDS.get(relkind, "table"), found[oid]
            if kind != "table":
                self._world.definite(properties)
            parents = sorted(found.get(p, GONE) for p in self._parents.get(oid, ()))
            if parents:
                properties["partition of" if partition else "inherits"] = ", ".join(parents)
            text = create.view(kind, full, properties) if kind != "table" else ""
            self._world.add("pg_class", oid, SchemaObject(kind, full, full, properties, text))

    def _add_columns(self) -> dict[Key, list[str]]:
        """Also returns each table's column clauses, in the table's order."""
        clauses: dict[Key, list[str]] = {}
        names: dict[tuple[int, str], Key] = {}
        states = {(r, n): state for r, n, state in self._answers.get("not null", ())}
        rows = self._answers["columns"].split("type")
        self._index_targets: dict[int, list[str]] = {}
        for (relation, number, name, relkind, local), properties in rows:
            if relkind in "iI":
                target = properties.get("statistics target")
                self._index_targets.setdefault(relation, []).append(f"{name} {target}")
                continue
            table = self._world.at("pg_class", relation)
            if table is None:
                continue
            if (relation, number) in states:
                properties["not null"] = states[relation, number]
            self._world.definite(properties, "type")
            names[relation, name] = key = ("column", f"{table.name}.{name}")
            above = [("column", f"{self._name(p)}.{name}") for p in self._parents.get(relation, ())]
            inherited = table.kind == "table" and not local
            if inherited:
                properties["inherited"] = "yes"
            clause = create.column(name, properties)
            if table.kind == "table":
                clauses.setdefault(table.key, [])
                if local:
                    clauses[table.key].append(clause)
            found = SchemaObject(
                *key,
                table.name,
                properties,
                f"ALTER TABLE {table.name} ADD COLUMN {clause}" if table.kind == "table" else "",
                (table.key, *(above if inherited else ())),
            )
            self._world.add("pg_class", relation, found, number)
        return clauses

    def _name(self, oid: int) -> str:
        found = self._world.at("pg_class", oid)
        return found.name if found else GONE

    def _add_sequences(self) -> None:
        rows = self._answers["sequences"].split("persistence")
        for (oid, namespace, name, relation, number, identity), properties in rows:
            full = self._world.qualified(namespace, name)
            if full is None or self._world.extended("pg_class", oid):
                continue
            column = self._world.at("pg_class", relation or 0, number or 0)
            if column is not None:
                properties["identity of" if identity else "owned by"] = column.name
            text = "" if identity else create.sequence(full, properties)
            follows = () if column is None else (column.key,)
            found = SchemaObject("sequence", full, full, properties, text, follows)
            self._world.add("pg_class", oid, found)

    def _add_indexes(self) -> None:
        rows = list(self._answers["indexes"].split("definition"))
        names = {row[0]: (row[2], row[3]) for row, _ in rows}
        for (oid, relation, namespace, name), properties in rows:
            full = self._world.qualified(namespace, name)
            table = self._world.at("pg_class", relation)
            if full is None or table is None or self._world.place("pg_class", oid) is not None:
                continue
            properties.pop("options", None)  # the definition has them
            if oid in self._index_targets:
                properties["statistics targets"] = ", ".join(self._index_targets[oid])
            definition = self._world.definite(properties)
            above = [
                ("index", self._world.qualified(*names[parent]) or "")
                for parent in self._parents.get(oid, ())
                if parent in names
            ]
            found = SchemaObject(
                "index", full, table.name, properties, definition, (table.key, *above)
            )
            self._world.add("pg_class", oid, found)

    def _add_triggers(self) -> None:
        rows = list(self._answers["triggers"].split("written"))
        places = {row[0]: (row[1], row[2]) for row, _ in rows}
        for (oid, relation, name, constraint, parent), properties in rows:
            table, written = self._world.at("pg_class", relation), properties.pop("written")
            if table is None or not written or self._world.place("pg_constraint", constraint):
                continue
            definition = self._world.definite(properties)
            text = definition + create.unusual_state(table.name, "TRIGGER", name, properties)
            above: list[Key] = []
            if parent in places:
                other, same = places[parent]
                above = [("trigger", f"{same} on {self._name(other)}")]
            found = SchemaObject(
                "trigger",
                f"{name} on {table.name}",
                table.name,
                properties,
                text,
                (table.key, *above),
            )
            self._world.add("pg_trigger", oid, found)

    def _add_rules(self) -> None:
        for (oid, relation, name), properties in self._answers["rules"].split("definition"):
            table = self._world.at("pg_class", relation)
            if table is not None:
                definition = self._world.definite(properties)
                text = definition + create.unusual_state(table.name, "RULE", name, properties)
                self._hang(
                    "pg_rewrite", oid, SchemaObject("rule", name, "", properties, text), table
                )

    def _add_policies(self) -> None:
        for (oid, relation, name), properties in self._answers["policies"].split("command"):
            table = self._world.at("pg_class", relation)
            if table is not None:
                text = create.policy(name, table.name, properties)
                self._hang(
                    "pg_policy", oid, SchemaObject("policy", name, "", properties, text), table
                )

    def _hang(self, catalog: str, oid: int, found: SchemaObject, table: SchemaObject) -> None:
        name = f"{found.name} on {table.name}"
        found = replace(found, name=name, relation=table.name, follows=(table.key,))
        self._world.add(catalog, oid, found)
