"""A backup or a restore over HTTP, from its table of the configuration."""

from __future__ import annotations

from pathlib import Path

from verifier.errors import UsageError
from verifier.implementations import placeholders
from verifier.implementations.http.described import (
    Described,
    During,
    check_needed,
    described,
    living,
)
from verifier.implementations.http.exchange import RESULT, STATUS, Exchange
from verifier.implementations.http.halves import HttpBackup, HttpRestore
from verifier.implementations.http.tables import exchange, json_path, telling
from verifier.implementations.http.values import BASE64, TEXT
from verifier.implementations.placeholders import BACKUP, SOURCE, TARGET, template
from verifier.implementations.tables import Table

_FILE = "{workdir}/backup"


def backup_of(half: Table, implementation: Table, directory: Path) -> HttpBackup:
    """The backup that ``half`` configures. Raises :class:`UsageError`."""
    services = described(implementation, directory)
    requests = exchange(half, _known(SOURCE, services))
    check_needed(services, implementation)
    file = half.read("file", template(placeholders.known(SOURCE)))
    if file is None:
        file = placeholders.parse(_FILE, placeholders.known(SOURCE), "file")
    if not placeholders.is_in_workdir(file):
        raise UsageError(
            f"{half.where('file')} is {file.text!r}; name a place in the work directory of the "
            f"run, such as {_FILE!r}"
        )
    member = half.read("member", json_path)
    if requests.status is not None and requests.result is None and member is None:
        raise UsageError(
            f"{half} has a {STATUS} and no {RESULT}; say with {RESULT} where the backup is to be "
            "had when it is done, or with member where it stands in the last status"
        )
    return HttpBackup(
        exchange=requests,
        services=_living(services, During.BACKUP, requests),
        directory=directory,
        file=file,
        member=member,
    )


def restore_of(half: Table, implementation: Table, directory: Path) -> HttpRestore:
    """The restore that ``half`` configures. Raises :class:`UsageError`."""
    services = described(implementation, directory)
    requests = exchange(half, _known(TARGET, services, BACKUP, BASE64, TEXT))
    check_needed(services, implementation)
    return HttpRestore(
        exchange=requests,
        services=_living(services, During.RESTORE, requests),
        directory=directory,
        telling=telling(half),
    )


def _known(side: str, services: tuple[Described, ...], *more: str) -> tuple[str, ...]:
    places = (name for service in services for name in service.names())
    return placeholders.known(side, *more, *places)


def _living(
    services: tuple[Described, ...], during: During, requests: Exchange
) -> tuple[Described, ...]:
    return living(services, during, requests.templates())
