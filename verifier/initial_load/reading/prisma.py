"""A Prisma schema, as far as it says which table a model is and which column a field.

Source: Prisma schema reference, "Models" (``@@map``, ``@@schema``, ``@map``). Every field,
attribute and enum value is on a line of its own there; only lists go over several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verifier.errors import BackupRefused

_BLOCK = re.compile(r"(model|enum|view|type|datasource|generator)\s+(\w+)\s*\{")
_STRING = r'"((?:[^"\\]|\\.)*)"'
_COMMENT = re.compile(rf"{_STRING}|//.*")
_MAP = re.compile(rf"@map\(\s*(?:name\s*:\s*)?{_STRING}\s*\)")
_BLOCK_MAP = re.compile(rf"@@map\(\s*(?:name\s*:\s*)?{_STRING}\s*\)")
_SCHEMA = re.compile(rf"@@schema\(\s*(?:map\s*:\s*)?{_STRING}\s*\)")
_FIELD = re.compile(r"(\w+)\s+(\w+)")


@dataclass(slots=True)
class Model:
    name: str
    table: str
    schema: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """Field → column; relations are none."""
    relations: set[str] = field(default_factory=set)
    labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Field → what its enum's values are called in the database, where that differs."""


def load(path: Path) -> tuple[Model, ...]:
    """The models of the Prisma schema ``path``, a file or a directory of ``.prisma`` files.

    Raises :class:`~verifier.errors.BackupRefused`.
    """
    try:
        files = sorted(path.rglob("*.prisma")) if path.is_dir() else [path]
        text = "\n".join(file.read_text(encoding="utf-8-sig") for file in files)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BackupRefused(f"the Prisma schema {path} cannot be read: {why}") from error
    blocks = list(_blocks(text, path))
    if not any(kind == "model" for kind, _, _ in blocks):
        raise BackupRefused(f"{path} is no Prisma schema: there is no model in it")
    names = {name for kind, name, _ in blocks if kind in ("model", "view")}
    enums = {name: _labels(lines) for kind, name, lines in blocks if kind == "enum"}
    return tuple(
        _model(name, lines, names, enums) for kind, name, lines in blocks if kind == "model"
    )


def _blocks(text: str, path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, name and lines (without comments) of every block."""
    kind, name = "", ""
    lines: list[str] = []
    for written in text.splitlines():
        line = _COMMENT.sub(_without_comment, written).strip()
        if not kind:
            if found := _BLOCK.match(line):
                kind, name, lines = found[1], found[2], []
                if line.endswith("}"):
                    yield kind, name, [line[found.end() : -1].strip()]
                    kind = ""
        elif line == "}":
            yield kind, name, lines
            kind = ""
        else:
            lines.append(line)
    if kind:
        raise BackupRefused(f"{path} is truncated: the {kind} {name} has no end")


def _without_comment(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else ""


def _labels(lines: list[str]) -> Mapping[str, str]:
    found = ((re.match(r"\w+", line), _MAP.search(line)) for line in lines if line[:1] != "@")
    return {value[0]: _string(mapped[1]) for value, mapped in found if value and mapped}


def _model(
    name: str, lines: list[str], models: set[str], enums: Mapping[str, Mapping[str, str]]
) -> Model:
    model = Model(name, name)
    for line in lines:
        if line.startswith("@@"):
            if found := _BLOCK_MAP.match(line):
                model.table = _string(found[1])
            elif found := _SCHEMA.match(line):
                model.schema = _string(found[1])
        elif found := _FIELD.match(line):
            given, type_name = found.groups()
            if type_name in models:
                model.relations.add(given)
                continue
            mapped = _MAP.search(line, found.end())
            model.columns[given] = _string(mapped[1]) if mapped else given
            if enums.get(type_name):
                model.labels[given] = enums[type_name]
    return model


def _string(inside: str) -> str:
    return re.sub(r"\\(.)", r"\1", inside)
