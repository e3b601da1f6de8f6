"""Constraints, with the indexes and the triggers that enforce them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.oracle.structure.model import Key, SchemaObject
from verifier.oracle.structure.rows import Rows
from verifier.oracle.structure.world import World

_TAILS = (  # as pg_get_constraintdef appends them, the last one first
    ("validated", "no", " NOT VALID"),
    ("enforced", "no", " NOT ENFORCED"),
    ("initially deferred", "yes", " INITIALLY DEFERRED"),
    ("deferrable", "yes", " DEFERRABLE"),
    ("no inherit", "yes", " NO INHERIT"),
)


class Constraints:
    """Adds every constraint of a table to a :class:`World`."""

    def __init__(
        self, world: World, answers: Mapping[str, Rows], parents: Mapping[int, Sequence[int]]
    ) -> None:
        self._world = world
        self._parents = parents
        self._rows = list(answers["constraints"].split("kind"))
        self._above = {row[0]: row[3] for row, _ in self._rows}
        self._indexes = {
            row[0]: (row, rest) for row, rest in answers["indexes"].split("definition")
        }
        self._enabled = self._states_of_triggers(answers["triggers"])

    def add(self) -> None:
        names: dict[int, Key] = {}
        for (oid, relation, name, *_), properties in self._rows:
            table = self._world.at("pg_class", relation)
            if table is not None:
                names[oid] = (str(properties["kind"]), f"{name} on {table.name}")
        for (oid, relation, name, above, index, _), properties in self._rows:
            table, kind = self._world.at("pg_class", relation), str(properties.pop("kind"))
            if table is None:
                continue
            if kind == "foreign key" and above:
                # One of the many rows that a foreign key has where partitions are at either
                # end; what is theirs alone, their triggers, is counted with the first one.
                self._world.alias("pg_constraint", oid, 0, names[oid], names[self._root(oid)])
                continue
            definition = self._world.definite(properties)
            properties["definition"] = _without_tails(definition, properties)
            properties.update(self._enforcement(oid, kind, index))
            local = properties.pop("conislocal")
            follows = [table.key]
            if above in names:
                follows.append(names[above])
            elif kind == "check" and not local:
                properties["inherited"] = "yes"
                follows += self._same_check_above(relation, name)
            found = SchemaObject(
                kind,
                f"{name} on {table.name}",
                table.name,
                properties,
                f"ALTER TABLE {table.name} ADD CONSTRAINT {name} {definition}",
                tuple(follows),
            )
            self._world.add("pg_constraint", oid, found)

    def _same_check_above(self, relation: int, name: str) -> list[Key]:
        above = (self._world.at("pg_class", parent) for parent in self._parents.get(relation, ()))
        return [("check", f"{name} on {table.name}") for table in above if table is not None]

    def _root(self, oid: int) -> int:
        while self._above.get(oid) in self._above:
            oid = self._above[oid]
        return oid

    def _states_of_triggers(self, triggers: Rows) -> dict[int, dict[int, set[str]]]:
        """Constraint → table → states of the triggers that enforce it there.

        Their names are generated and their number depends on the server's version.
        """
        found: dict[int, dict[int, set[str]]] = {}
        for (_, relation, _, constraint, *_), properties in triggers.split("written"):
            if constraint in self._above:
                tables = found.setdefault(self._root(constraint), {})
                tables.setdefault(relation, set()).add(str(properties["enabled"]))
        return found

    def _enforcement(self, oid: int, kind: str, index: int) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        states = self._enabled.get(oid)
        if states is not None:
            found["enabled"] = self._said(states)
        if kind in ("primary key", "unique", "exclusion") and index in self._indexes:
            (_, relation, namespace, name), properties = self._indexes[index]
            found |= {key: text for key, text in properties.items() if key != "definition"}
            table = self._world.at("pg_class", relation)
            if table is not None:
                owner = (kind, f"{name} on {table.name}")
                full = self._world.qualified(namespace, name)
                self._world.alias("pg_class", index, 0, ("index", full or name), owner)
        return found

    def _said(self, states: Mapping[int, set[str]]) -> str:
        every = {state for each in states.values() for state in each}
        if len(every) == 1:
            return every.pop()
        tables = {oid: self._world.at("pg_class", oid) for oid in states}
        return "; ".join(
            sorted(
                f"{table.name if table else oid}: {', '.join(sorted(states[oid]))}"
                for oid, table in tables.items()
            )
        )


def _without_tails(definition: str, properties: Mapping[str, Any]) -> str:
    """The definition without what is a property of its own."""
    for name, value, tail in _TAILS:
        if properties.get(name) == value:
            definition = definition.removesuffix(tail)
    return definition
