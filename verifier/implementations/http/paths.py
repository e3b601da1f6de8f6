"""JSON paths (RFC 9535): what they find in an answer, and what must stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.exceptions import JSONPathRecursionError

from verifier.errors import UsageError
from verifier.implementations.http.failure import Failed

_RFC = JSONPathEnvironment(strict=True)
_LONGEST = 200
"""Characters of a value that an error repeats."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path, and what it finds; ``str()`` is the path as the configuration has it."""

    text: str
    query: JSONPath

    @classmethod
    def parse(cls, text: str, where: str) -> JsonPath:
        """Raises :class:`UsageError` for what is no path, with its place in the configuration."""
        try:
            query = _RFC.compile(text)
        except JSONPathError as error:
            # Its str() fails where the trouble is at the end of the path.
            words = error.args[0] if error.args else type(error).__name__
            raise UsageError(
                f"{where} is {text!r}, which is no JSON path: {words}; "
                "write it as RFC 9535 has it, such as $.status or $.errors[*].message"
            ) from None
        if not isinstance(query, JSONPath):
            raise UsageError(f"{where} is {text!r}: give one JSON path, not several")
        return cls(text, query)

    def named(self, document: object) -> list[tuple[str, object]]:
        """Every value that the path finds, with the name (or the number) under which it stands.

        Raises :class:`Failed` for a document that is too deep to be searched.
        """
        if not isinstance(document, dict | list):
            return [("", document)] if self.text == "$" else []
        try:
            matches = list(self.query.finditer(document))
        except (JSONPathRecursionError, RecursionError):
            raise Failed(f"the answer is nested too deeply to look for {self}") from None
        except JSONPathError as error:
            raise Failed(f"{self} cannot be looked for: {error.args[0]}") from None
        return [(str(each.parts[-1]) if each.parts else "", each.obj) for each in matches]

    def values(self, document: object) -> list[object]:
        """Every value that the path finds. Raises :class:`Failed` as :meth:`named` does."""
        return [value for _, value in self.named(document)]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Condition:
    """What must stand at a path: one of some values of JSON, of the same type."""

    path: JsonPath
    values: tuple[object, ...]

    def holds(self, document: object) -> bool:
        """Whether the path finds something, and nothing but these values."""
        found = self.path.values(document)
        return bool(found) and all(self._is_one(value) for value in found)

    def touches(self, document: object) -> bool:
        """Whether the path finds one of these values, whatever else it finds."""
        return any(self._is_one(value) for value in self.path.values(document))

    def found(self, document: object) -> str:
        """What stands at the path, in words."""
        found = self.path.values(document)
        if not found:
            return f"{self.path} finds nothing in it"
        return f"{self.path} is {shown(found if len(found) > 1 else found[0])}"

    def _is_one(self, value: object) -> bool:
        return any(_same(value, wanted) for wanted in self.values)


def shown(value: object) -> str:
    """A value as Python shows it, not too much of it."""
    words = repr(value)
    return words if len(words) <= _LONGEST else words[:_LONGEST] + " …"


def _same(value: object, wanted: object) -> bool:
    """Equal as JSON has it: true is not 1, and 1 is 1.0."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, Sequence) and isinstance(wanted, Sequence) and not isinstance(value, str):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    return value == wanted
