"""Implementations that a TOML file configures: a backup and a restore, of the same maker or not.

Each of the two is a command, the calls of a service, a Python object, or a part of another
implementation, and says so by the keys that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol, cast

from verifier.contract import Claim, Guarantee
from verifier.errors import BackupError, UsageError
from verifier.implementations import command, http, objects, options
from verifier.implementations.base import Backup, Endpoint, Implementation
from verifier.implementations.guest import Guest
from verifier.implementations.tables import Table, texts
from verifier.readers import suggestion, switch, text
from verifier.settings import Definitions

BACKUP, RESTORE = "backup", "restore"
_COMMAND, _PYTHON, _IMPLEMENTATION = "command", "python", "implementation"
_RESUMABLE = "resumable"
_HTTP, _SERVICE = "http", ("request", "start")
_ADVICE = (
    f'give it a {_COMMAND}, a {_SERVICE[0]} to a service, {_PYTHON} = "module:attribute" or '
    f'{_IMPLEMENTATION} = "initial-load"'
)


class MakesBackups(Protocol):
    """The half of an implementation that backs up."""

    def backup(self, source: Endpoint) -> Backup: ...


class Restores(Protocol):
    """The half of an implementation that restores."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim: ...


@dataclass(frozen=True, slots=True)
class Configured:
    """An implementation that is put together from a backup and a restore."""

    name: str
    not_offered: Mapping[Guarantee, str]
    kind: str
    """What it is put together from, in a few words."""
    backs_up: MakesBackups
    restores: Restores
    resumable: bool
    """Whether a restore that failed may leave a part of its work, and the next one goes on."""
    definitions: Definitions

    def __reduce__(self) -> tuple[Callable[..., Configured], tuple[object, ...]]:
        """To another process goes what is configured, and it is put together there anew.

        A Python object may hold what cannot be sent, such as a lock or a function without a name.
        """
        return _anew, (self.name, self.definitions.to_plain())

    def backup(self, source: Endpoint) -> Backup:
        """Its backup. Raises :class:`BackupError` and :class:`NotOffered`."""
        try:
            return self.backs_up.backup(source)
        except UsageError as error:
            raise BackupError(str(error)) from error

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        return self.restores.restore(backup, target)


def _anew(name: str, plain: Mapping[str, object]) -> Configured:
    from verifier.implementations import registry  # which finds the others that it is made of

    return cast(Configured, registry.implementation(name, Definitions.from_plain(plain)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an implementation is configured, for those who read a part of it."""

    whole: Table
    """``[implementations.NAME]``, in which both parts may find what they share."""
    directory: Path
    """What relative paths are relative to."""
    named: Callable[[str], Implementation]
    """The implementation of another name. Raises :class:`UsageError`."""


def configured(
    name: str, definitions: Definitions, named: Callable[[str], Implementation]
) -> Configured:
    """The implementation ``name`` of ``definitions``; ``named`` finds others.

    Raises :class:`UsageError` with the table and the key that cannot be right.
    """
    table = Table(definitions.tables[name], f"{definitions.name}.{_quoted(name)}", definitions.file)
    place = Place(table, definitions.directory, named)
    refused, resumable = _not_offered(table), table.read(_RESUMABLE, switch)
    if table.has(_PYTHON):
        whole = objects.hosted(*_object(table, place))
        table.finish()
        refused = {**whole.not_offered, **refused}
        goes_on = _goes_on(whole, resumable)
        return Configured(name, refused, _PYTHON, whole, whole, goes_on, definitions)
    back_kind, backs_up = _half(table, BACKUP, place)
    kind, restores = _half(table, RESTORE, place)
    table.finish()
    kinds = kind if kind == back_kind else f"{back_kind}, restored by {kind}"
    # What a half that is an implementation of its own does not give, the whole does not either.
    for each in (restores, backs_up):
        refused = {**getattr(each, "not_offered", {}), **refused}
    return Configured(
        name,
        refused,
        kinds,
        cast(MakesBackups, backs_up),
        cast(Restores, restores),
        _goes_on(restores, resumable),
        definitions,
    )


def _goes_on(restores: object, said: bool | None) -> bool:
    """Whether the whole is resumable: as it is ``said``, else as the restoring half has it."""
    return bool(getattr(restores, _RESUMABLE, False)) if said is None else said


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'


def _not_offered(table: Table) -> dict[Guarantee, str]:
    found: dict[Guarantee, str] = {}
    where = table.where("not-offered")
    for name, reason in (table.read("not-offered", texts) or {}).items():
        if name not in tuple(Guarantee):
            raise UsageError(
                f"{where} has the unknown guarantee {name}{suggestion(name, Guarantee)}; "
                f"choose from {', '.join(Guarantee)}"
            )
        if not reason.strip():
            raise UsageError(f"{name} of {where} has no reason; say why it is not offered")
        found[Guarantee(name)] = reason.strip()
    return found


def _half(table: Table, half: str, place: Place) -> tuple[str, object]:
    """What the backup or the restore of ``table`` is, in a word, and who does it."""
    if not table.has(half):
        raise UsageError(f"{table} has no {half}; write [{table.name}.{half}], and {_ADVICE}")
    if not table.holds_table(half):
        name = table.required(half, text, _ADVICE)
        return name, place.named(name)
    part = table.table(half)
    assert part is not None
    kinds = [key for key in _KINDS if part.has(key)]
    if not kinds:
        close = next(filter(None, (suggestion(key, _KINDS) for key in part.keys)), "")
        raise UsageError(f"{part} does not say what it is{close}; {_ADVICE}")
    if len(kinds) > 1 and not set(kinds) <= set(_SERVICE):
        raise UsageError(f"{part} has {' and '.join(kinds)}; keep one of them")
    return _KINDS[kinds[0]](part, half, place)


def _command(part: Table, half: str, place: Place) -> tuple[str, object]:
    if half == BACKUP:
        return _COMMAND, command.backup_of(part, place.directory)
    return _COMMAND, command.restore_of(part, place.directory)


def _service(part: Table, half: str, place: Place) -> tuple[str, object]:
    if half == BACKUP:
        return _HTTP, http.backup_of(part, place.whole, place.directory)
    return _HTTP, http.restore_of(part, place.whole, place.directory)


def _python(part: Table, half: str, place: Place) -> tuple[str, object]:
    """An object with the one method, or a function that is it."""
    load, what, advice = _object(part, place)
    found = objects.loaded(load, what, advice)
    if callable(found) and not isinstance(found, type) and objects.missing(found, [half]):
        found = SimpleNamespace(**{half: found})
    made = objects.made(lambda: found, what, advice, [half])
    return _PYTHON, Guest(cast(Implementation, made))


def _object(table: Table, place: Place) -> tuple[Callable[[], object], str, str]:
    """How to load what ``python`` names, and what an error says of it."""
    where = table.where(_PYTHON)
    name = table.required(_PYTHON, text, _ADVICE)
    if not objects.is_object(name):
        raise UsageError(f"{where} is {name!r}; write it as module:attribute")
    return (
        objects.finder(name, place.directory),
        f"{where}, {name!r},",
        objects.advice(place.directory),
    )


def _part(part: Table, half: str, place: Place) -> tuple[str, object]:
    """A half of another implementation, with options of its own where it has some."""
    name = part.required(_IMPLEMENTATION, text, _ADVICE)
    maker = options.OF.get((name, half))
    return name, maker(part, place.directory) if maker else place.named(name)


_KINDS: Mapping[str, Callable[[Table, str, Place], tuple[str, object]]] = {
    _COMMAND: _command,
    **dict.fromkeys(_SERVICE, _service),
    _PYTHON: _python,
    _IMPLEMENTATION: _part,
}
"""By the key that tells one from another."""
