"""Backing up and restoring by asking services over HTTP."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from verifier.contract import Claim
from verifier.dsn import hide
from verifier.errors import BackupError, UsageError
from verifier.implementations import placeholders, process, spelling
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.http.answers import Answer
from verifier.implementations.http.calls import Caller
from verifier.implementations.http.described import Described, places
from verifier.implementations.http.exchange import Exchange, Send
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.paths import JsonPath
from verifier.implementations.http.services import running
from verifier.implementations.http.telling import Telling
from verifier.implementations.http.values import Values
from verifier.implementations.placeholders import DATABASE, SOURCE, TARGET, VARIABLE, Template

_EMBEDDED = 64 * 1024 * 1024
"""Bytes of an answer that holds the backup in a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What a backup and a restore have in common: services, and requests to them."""

    exchange: Exchange
    services: Sequence[Described]
    """In the order in which they are started."""
    directory: Path
    """The configuration's own."""

    @contextmanager
    def _calling(
        self, side: str, endpoint: Endpoint, backup: Path | None = None
    ) -> Iterator[tuple[Caller, Values]]:
        """Every service running. Raises :class:`Failed`, and ``UsageError``."""
        values = placeholders.values(side, endpoint, self.directory, backup)
        values |= placeholders.values(DATABASE, endpoint, self.directory)
        values = places(self.services, values)
        environ = process.environ(endpoint.dsn) | {"DATABASE_URL": endpoint.dsn.url}
        launches = [each.launch(environ, values) for each in self.services]
        hide_all = partial(self._hide_all, endpoint.dsn.secrets)
        try:
            with running(launches, hide_all):
                yield Caller(self.exchange.timeout, hide_all, self.hide), Values(values, backup)
        except Failed as failed:
            raise Failed(self.hide(str(failed))) from None

    def hide(self, text: str) -> str:
        """``text`` without what the requests take from the environment: tokens."""
        return hide(text, *self._tokens())

    def _hide_all(self, passwords: Sequence[str], text: str) -> str:
        return hide(self.hide(text), *passwords)

    def _tokens(self) -> Iterator[str]:
        for template in self.exchange.templates():
            for name in template.names:
                token = name.startswith(VARIABLE) and os.environ.get(name.removeprefix(VARIABLE))
                if token:
                    yield token


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBackup(Half):
    """A backup that a service makes."""

    file: Template
    """Where it is put."""
    member: JsonPath | None = None
    """Where in the answer it stands, in base64; ``None``: the answer is the backup."""

    def backup(self, source: Endpoint) -> Backup:
        """The backup's one file.

        Raises :class:`BackupError`, and :class:`NotOffered` where rows are to be left out and
        neither a request nor a service is told which.
        """
        placeholders.check_leave_out(source, self._templates())
        try:
            with self._calling(SOURCE, source) as (caller, values):
                path = Path(self.file.fill(values))
                ended = self.exchange.run(caller, values, self._sender(caller, path))
                if ended.failure:
                    raise Failed(f"{ended.failure}: {ended.answer.said()}")
                if self.member is not None:
                    _write(path, _decoded(self.member, ended.answer))
                if not path.stat().st_size:
                    raise Failed(f"{ended.answer.asked} answered {ended.answer.code} with nothing")
                return Backup((path,))
        except Failed as failed:
            raise BackupError(str(failed)) from None

    def _templates(self) -> Iterator[Template]:
        yield from self.exchange.templates()
        for each in self.services:
            yield from each.templates()

    def _sender(self, caller: Caller, path: Path) -> Send:
        """What sends the request whose answer is, or holds, the backup."""
        if self.member is not None:
            return partial(caller.fetch, limit=_EMBEDDED)
        return partial(caller.download, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRestore(Half):
    """A restore that a service does."""

    telling: Telling

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        """What the service says of it; a service that does not do its part is a failure."""
        if len(backup.files) != 1:
            words = f"the backup has {len(backup.files)} files; over HTTP goes one alone"
            return Claim(success=False, message=words)
        try:
            with self._calling(TARGET, target, backup.files[0]) as (caller, values):
                claim = self.telling.claim(self.exchange.run(caller, values, caller.fetch))
        except (Failed, UsageError) as error:
            return Claim(success=False, message=str(error))
        return spelling.resolved(claim.reworded(self.hide), target.dsn, self.telling.names)


def _decoded(member: JsonPath, answer: Answer) -> bytes:
    found = member.values(answer.document())
    if len(found) != 1 or not isinstance(found[0], str):
        raise Failed(f"{answer.asked} answered without a text at {member}: {answer.said()}")
    try:
        return base64.b64decode(found[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Failed(f"what {answer.asked} answered at {member} is no base64: {error}") from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from error
