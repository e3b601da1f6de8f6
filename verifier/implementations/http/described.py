"""Services as the configuration describes them: what starts one, where it is, when it lives."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from verifier.errors import UsageError
from verifier.implementations import placeholders
from verifier.implementations.command import Command, command_of
from verifier.implementations.http.exchange import STEPS
from verifier.implementations.http.services import LOOPBACK, Launch, free_ports
from verifier.implementations.http.templates import fill_all
from verifier.implementations.placeholders import (
    BACKUP,
    DATABASE,
    SOURCE,
    TARGET,
    Template,
    template,
)
from verifier.implementations.tables import Table
from verifier.readers import member, seconds, whole

SERVICES, URL = "services", "url"
_TIMEOUT = 30.0
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_RESERVED = (SOURCE, TARGET, DATABASE, BACKUP, "env", *placeholders.COMMON, *STEPS)


class During(StrEnum):
    """The calls that a service may live in."""

    BACKUP = "backup"
    RESTORE = "restore"


_SIDES = {During.BACKUP: SOURCE, During.RESTORE: TARGET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A service with its placeholders."""

    name: str
    command: Command | None = None
    """What starts it; ``None`` for one that is running already, at ``url``."""
    port: int | None = None
    """``None``: one that is free."""
    url: Template | None = None
    health: Template | None = None
    timeout: float
    """Seconds until it must be ready."""
    during: tuple[During, ...] = ()
    """Empty: wherever it is spoken of."""

    def templates(self) -> Iterator[Template]:
        """Every text of it that may hold placeholders."""
        if self.command is not None:
            yield from self.command.templates()
        yield from (each for each in (self.url, self.health) if each is not None)

    def launch(self, environ: Mapping[str, str], values: Mapping[str, str]) -> Launch:
        """What starts it; ``environ`` is what it inherits. Raises :class:`UsageError`."""
        health = "" if self.health is None else self.health.fill(values)
        command = self.command
        if command is None:
            return Launch(name=self.name, health=health, timeout=self.timeout)
        environ = {**environ, **fill_all(command.environment, values)}
        name, *arguments = (each.fill(values) for each in command.arguments)
        return Launch(
            name=self.name,
            command=(command.program(name, environ.get("PATH")), *arguments),
            environ=environ,
            directory=command.directory,
            port=int(values[f"{self.name}.port"]),
            health=health,
            timeout=self.timeout,
        )

    def names(self) -> tuple[str, ...]:
        """The placeholders that it gives to others."""
        return tuple(f"{self.name}.{part}" for part in (("url",) if self.url else ("url", "port")))


def described(implementation: Table, directory: Path) -> tuple[Described, ...]:
    """The services of an implementation, in their order. Raises :class:`UsageError`."""
    table = implementation.table(SERVICES)
    if table is None:
        return ()
    parts = [part for name in table.keys if (part := table.table(name)) is not None]
    names = [part.name.rpartition(".")[2] for part in parts]
    for name in names:
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise UsageError(
                f"{table} has a service {name!r}; give it a name of letters, digits and hyphens, "
                f"and none of {', '.join(_RESERVED)}"
            )
    sides = (placeholders.known(side) for side in (SOURCE, TARGET, DATABASE))
    known = [*dict.fromkeys(itertools.chain(*sides))]
    for part, name in zip(parts, names, strict=True):
        known += [] if part.has(URL) else [f"{name}.url", f"{name}.port"]
    elsewhere = [f"{name}.url" for part, name in zip(parts, names, strict=True) if part.has(URL)]
    return tuple(
        _described(part, name, (known, elsewhere), directory)
        for part, name in zip(parts, names, strict=True)
    )


def _described(
    table: Table, name: str, known: tuple[Collection[str], Collection[str]], directory: Path
) -> Described:
    """``known`` are the placeholders, and those of services that somebody else has started.

    The latter are not for the place of another such service, which is not known in time.
    """
    names = (*known[0], *known[1])
    if table.has("command") == table.has(URL):
        raise UsageError(
            f'{table} has to have either a command that starts it, or the url = "http://…" '
            "where it is running"
        )
    started = None
    if table.has("command"):
        started = command_of(table, names, directory, timeout=_TIMEOUT, ends=False)
    return Described(
        name=name,
        command=started,
        port=table.read("port", _port) if started else None,
        url=table.read(URL, template(known[0])),
        health=table.read("health", template(names)),
        timeout=started.timeout if started else table.read("timeout", seconds, _TIMEOUT),
        during=table.read("during", _during, ()),
    )


def _port(given: object, where: str) -> int:
    number = whole("a port, 1 to 65535", least=1)(given, where)
    if number > 65535:
        raise UsageError(f"{where} is {given!r}; give a port, 1 to 65535")
    return number


def _during(given: object, where: str) -> tuple[During, ...]:
    found = given if isinstance(given, list) else [given]
    return tuple(member(During)(each, where) for each in found)


def places(services: Sequence[Described], values: Mapping[str, str]) -> dict[str, str]:
    """``values`` by placeholder, and with them where each service is in this call."""
    found = dict(values)
    started = [each for each in services if each.command is not None]
    for each, free in zip(started, free_ports(len(started)), strict=True):
        port = each.port or free
        found |= {f"{each.name}.url": f"http://{LOOPBACK}:{port}", f"{each.name}.port": str(port)}
    for each in services:
        if each.url is not None:
            found[f"{each.name}.url"] = each.url.fill(found).rstrip("/")
    return found


def check_needed(services: Sequence[Described], implementation: Table) -> None:
    """Raises :class:`UsageError` for a service of which nobody can know when it is to live."""
    halves = [str(implementation.read(half, lambda given, where: given)) for half in During]
    for each in services:
        others = {name for other in services if other != each for name in _spoken_of(other)}
        asked = any(f"{{{each.name}." in half for half in halves) or each.name in others
        if not (asked or each.during or {SOURCE, TARGET} & _spoken_of(each)):
            raise UsageError(
                f"nothing speaks of the service {each.name} in {implementation}; say when it is to "
                f'live, such as during = ["{During.RESTORE}"]'
            )


def living(
    services: Sequence[Described], during: During, spoken_of: Iterable[Template]
) -> tuple[Described, ...]:
    """The services of one call: those that say so, and those that its requests speak of.

    ``spoken_of`` are the texts of the call's requests. A service that another one speaks of
    lives where that one lives, and one that speaks of a database where that is at hand.
    Raises :class:`UsageError` for a service that is needed in a call and speaks of the
    database of the other one.
    """
    side = _SIDES[during]
    other = next(each for each in _SIDES.values() if each != side)
    wanted = {name.partition(".")[0] for each in spoken_of for name in each.names}
    for _ in services:
        for each in services:
            own = _spoken_of(each)
            if each.name in wanted or during in each.during or (not each.during and side in own):
                wanted |= {each.name, *own}
    found = tuple(each for each in services if each.name in wanted)
    for each in found:
        if each.during and during not in each.during:
            raise UsageError(
                f"the {during} needs the service {each.name}, which is to live during "
                f"{' and '.join(each.during)}; add {during!r} to its during"
            )
        if other in _spoken_of(each):
            raise UsageError(
                f"the service {each.name} is needed during the {during} and speaks of the {other}, "
                f"which is out of reach then; write {{{DATABASE}.url}} for the database of the "
                "call, or describe two services"
            )
    return found


def _spoken_of(service: Described) -> set[str]:
    return {name.partition(".")[0] for each in service.templates() for name in each.names}
