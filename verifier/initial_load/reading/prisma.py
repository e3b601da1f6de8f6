"""The models of a Prisma schema: which table each is, and which column each field.

Read as far as that goes: ``model`` and ``enum`` with ``@map``, ``@@map`` and ``@@schema``.
Source: https://www.prisma.io/docs/orm/reference/prisma-schema-reference
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from verifier.errors import BackupRefused

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|//[^\n]*|/\*.*?\*/)
      |(?P<line>\n)
      |(?P<text>"(?:[^"\\\n]|\\.)*")
      |(?P<word>[^\W\d][\w-]*)
      |(?P<mark>@@|[^\s"])""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(slots=True)
class Model:
    name: str
    table: str
    schema: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """Column by field, for the fields that have one."""
    relations: set[str] = field(default_factory=set)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """The database's labels by the enum's values, by field; those that differ."""


def read_models(path: Path) -> tuple[Model, ...]:
    """The models of the Prisma schema ``path``.

    Raises :class:`~verifier.errors.BackupRefused` when it cannot be read as one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BackupRefused(f"--models: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BackupRefused(f"--models: {path} is no Prisma schema: it is not UTF-8") from error
    return parse(text, path.name)


def parse(text: str, name: str) -> tuple[Model, ...]:
    """The models in ``text``, see :func:`read_models`; ``name`` is the file's."""
    models: dict[str, tuple[Model, dict[str, str]]] = {}
    """By name, with the type of every field."""
    enums: dict[str, dict[str, str]] = {}
    for kind, called, body in _blocks(text, name):
        if kind == "model":
            if called in models:
                raise BackupRefused(f"--models: {name} has two models called {called}")
            models[called] = _model(called, body)
        elif kind == "enum":
            mapped = ((line[0], _map(line)) for line in body)
            enums[called] = {value: label for value, label in mapped if label is not None}
    if not models:
        raise BackupRefused(
            f"--models: {name} holds no model; give the application's Prisma schema"
        )
    for model, types in models.values():
        for each, type_ in types.items():
            if type_ in models:
                model.relations.add(each)
                del model.columns[each]
            elif enums.get(type_):
                model.labels[each] = enums[type_]
    return tuple(model for model, _ in models.values())


def _model(name: str, body: list[list[str]]) -> tuple[Model, dict[str, str]]:
    model = Model(name, name)
    types = {}
    for line in body:
        if line[0] != "@@":
            types[line[0]] = line[1] if len(line) > 1 else ""
            model.columns[line[0]] = _map(line) or line[0]
        elif line[1:2] == ["map"]:
            model.table = _argument(line, 2) or name
        elif line[1:2] == ["schema"]:
            model.schema = _argument(line, 2)
    return model, types


def _blocks(text: str, name: str) -> Iterator[tuple[str, str, list[list[str]]]]:
    """Every block: its kind, its name, and the tokens of each of its lines."""
    head: list[str] = []
    body: list[list[str]] | None = None
    depth = 0
    for word in _tokens(text, name):
        if body is None:
            if word == "{":
                if len(head) != 2:
                    raise BackupRefused(
                        f"--models: {name} is no Prisma schema: {' '.join(head)} {{"
                    )
                body, depth = [[]], 0
            elif word != "\n":
                head.append(word)
        elif word == "}" and not depth:
            yield head[0], head[1], [line for line in body if line]
            head, body = [], None
        elif word == "\n" and not depth:
            body.append([])
        elif word != "\n":
            depth += (word in _OPEN) - (word in _CLOSE)
            body[-1].append(word)
    if head or body is not None:
        raise BackupRefused(f"--models: {name} is no Prisma schema, or ends inside a block")


def _tokens(text: str, name: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise BackupRefused(f"--models: {name}, line {line}: a text does not end")
        at = found.end()
        if found["blank"] is None:
            yield found[0]


def _map(tokens: list[str]) -> str | None:
    """What the ``@map`` in a line says."""
    for at in range(len(tokens) - 1):
        if tokens[at] == "@" and tokens[at + 1] == "map":
            return _argument(tokens, at + 2)
    return None


def _argument(tokens: list[str], at: int) -> str | None:
    """The text in ``("…")`` or ``(name: "…")``."""
    inside = [token for token in tokens[at : at + 4] if token not in ("(", "name", ":")]
    if not inside or not inside[0].startswith('"'):
        return None
    text: str = json.loads(inside[0])
    return text
