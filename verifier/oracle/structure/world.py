"""What has been read so far: objects by name, and where each is in the catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.oracle.structure.model import GONE, Key, SchemaObject


@dataclass(frozen=True, slots=True)
class Place:
    """What a row of a catalogue is called."""

    key: Key
    owner: Key
    """The object it is a part of; itself, if it is an object."""
    relation: str


class World:
    """The objects of one database; ``schemas`` maps oid → quoted name of those that count."""

    def __init__(self, schemas: Mapping[int, str], members: set[tuple[str, int]]) -> None:
        self._schemas = schemas
        self._members = members
        self._places: dict[tuple[str, int, int], Place] = {}
        self.objects: dict[Key, SchemaObject] = {}

    def qualified(self, namespace: int, name: str) -> str | None:
        """``schema.name``; ``None`` in a schema that is not the application's."""
        schema = self._schemas.get(namespace)
        return None if schema is None else f"{schema}.{name}"

    def extended(self, catalog: str, oid: int) -> bool:
        """Whether an extension brought it along."""
        return (catalog, oid) in self._members

    def add(self, catalog: str, oid: int, found: SchemaObject, number: int = 0) -> None:
        self.objects[found.key] = found
        if oid:
            self._places[catalog, oid, number] = Place(found.key, found.key, found.relation)

    def alias(self, catalog: str, oid: int, number: int, key: Key, owner: Key) -> None:
        """Name something that can have a comment and is no object of its own."""
        held = self.objects.get(owner)
        self._places[catalog, oid, number] = Place(key, owner, held.relation if held else "")

    def place(self, catalog: str, oid: int, number: int = 0) -> Place | None:
        return self._places.get((catalog, oid, number))

    def at(self, catalog: str, oid: int, number: int = 0) -> SchemaObject | None:
        place = self._places.get((catalog, oid, number))
        return None if place is None else self.objects.get(place.key)

    @staticmethod
    def definite(properties: dict[str, str | None], name: str = "definition") -> str:
        """The definition among ``properties``; one that the server cannot give is marked so."""
        return properties.setdefault(name, GONE) or GONE
