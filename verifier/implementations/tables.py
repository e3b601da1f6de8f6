"""A TOML table that is read key by key, with errors that say where a value stands.

Keys are written with hyphens or with underscores. What nobody asked for by the end is a
typing error, and :meth:`Table.finish` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast, overload

from verifier.errors import UsageError
from verifier.readers import Reader, suggestion

T = TypeVar("T")


class Table:
    """The TOML table ``name`` of ``file``. Raises :class:`UsageError` if it is none."""

    def __init__(self, content: object, name: str, file: str) -> None:
        self.name, self.file = name, file
        if not isinstance(content, Mapping):
            raise UsageError(f"{name} of {file} is {content!r}; write a table, [{name}]")
        self._content: dict[str, object] = {}
        self._asked: set[str] = set()
        self._parts: list[Table] = []
        for key, value in cast(Mapping[str, object], content).items():
            if _key(key) in self._content:
                raise UsageError(f"{self.where(_key(key))} is given twice; give it once")
            self._content[_key(key)] = value

    def __str__(self) -> str:
        return f"[{self.name}] of {self.file}"

    def where(self, key: str) -> str:
        """What an error calls the value of ``key``."""
        return f"{key} in {self}"

    def has(self, key: str) -> bool:
        """Whether ``key`` is given; it counts as asked for."""
        self._asked.add(key)
        return key in self._content

    @overload
    def read(self, key: str, reader: Reader[T]) -> T | None: ...
    @overload
    def read(self, key: str, reader: Reader[T], default: T) -> T: ...
    def read(self, key: str, reader: Reader[T], default: T | None = None) -> T | None:
        """The value of ``key`` (with hyphens) as ``reader`` reads it, else ``default``."""
        if not self.has(key):
            return default
        return reader(self._content[key], self.where(key))

    def required(self, key: str, reader: Reader[T], advice: str) -> T:
        """The value of ``key``; ``advice`` says what to write where there is none."""
        if not self.has(key):
            raise UsageError(f"{self} has no {key}; {advice}")
        return reader(self._content[key], self.where(key))

    def table(self, key: str) -> Table | None:
        """The table under ``key``; what is unknown in it is found by this table's `finish`."""
        if not self.has(key):
            return None
        part = Table(self._content[key], f"{self.name}.{key}", self.file)
        self._parts.append(part)
        return part

    def holds_table(self, key: str) -> bool:
        """Whether the value of ``key`` is a table, where it may be something shorter as well."""
        return isinstance(self._content.get(key), Mapping)

    @property
    def keys(self) -> tuple[str, ...]:
        """What is given, with hyphens, in the order of the file."""
        return tuple(self._content)

    def finish(self) -> None:
        """Raises :class:`UsageError` for a key that nobody has asked for, here and below."""
        for key in self._content:
            if key not in self._asked:
                known = sorted(self._asked)
                raise UsageError(
                    f"unknown key {self.where(key)}{suggestion(key, known)}; "
                    f"known here are {', '.join(known)}"
                )
        for part in self._parts:
            part.finish()


def _key(given: str) -> str:
    return given.replace("_", "-")


def strings(given: object, where: str) -> tuple[str, ...]:
    """Reads a list of texts, or one text alone."""
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise UsageError(f"{where} is {given!r}; give a text in quotes, or a list of them")
    return tuple(found)


def whole_numbers(given: object, where: str) -> tuple[int, ...]:
    """Reads a list of whole numbers, or one alone."""
    found = given if isinstance(given, list) else [given]
    if not found or not all(isinstance(one, int) and not isinstance(one, bool) for one in found):
        raise UsageError(f"{where} is {given!r}; give whole numbers, such as [0, 3]")
    return tuple(found)


def texts(given: object, where: str) -> dict[str, str]:
    """Reads a table whose values are texts (numbers count as such); its keys stay as they are."""
    if not isinstance(given, Mapping):
        raise UsageError(f'{where} is {given!r}; give a table, such as {{ NAME = "value" }}')
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"{name} of {where} is {value!r}; give text in quotes")
        found[str(name)] = str(value)
    return found
