"""The schema that a file or a database of the user's holds, made in a database of ours."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from verifier import programs
from verifier.dsn import Dsn, redact
from verifier.errors import UsageError
from verifier.implementations import process
from verifier.model.own import Unmade
from verifier.seeds import Place
from verifier.servers import sessions
from verifier.worlds import script
from verifier.worlds.script import Piece

_SECONDS = 600.0
_BODIES = "SET check_function_bodies = off"
"""Functions may come before the tables that they read."""
_DUMP = 64 * 1024 * 1024
"""Bytes of a schema, at most."""
_ARGUMENTS = (
    "--schema-only",
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
    "--no-password",
)
_EXTENSION = re.compile(r"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(\S+)", re.IGNORECASE)
_RIGHTS = re.compile(
    r"(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES|CREATE\s+(?:ROLE|USER)|"
    r"(?:SET|RESET)\s+(?:ROLE|ALL|SESSION\s+AUTHORIZATION)|ALTER\s+[^;']*\bOWNER\s+TO|"
    # The owner, who backs up and restores here, would not see every row.
    r"ALTER\s+TABLE\s+[^;']*\bFORCE\s+ROW\s+LEVEL\s+SECURITY)\b",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r'CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:"[^"]+"|[\w.])+)',
    re.IGNORECASE,
)
# A session's own settings of a dump; some of them a server of another version does not know.
_PATH = re.compile(r"SET\s+(?:SESSION\s+)?search_path\b", re.IGNORECASE)
_SETTING = re.compile(
    r"SET\s+(?:SESSION\s+)?\w+\s*(?:=|TO)|SELECT\s+pg_catalog\.set_config\(", re.IGNORECASE
)
_ROWS = re.compile(
    r"(?:INSERT|COPY|UPDATE|DELETE|TRUNCATE|ANALYZE|VACUUM|SELECT\s+(?:pg_catalog\.)?setval)\b",
    re.IGNORECASE,
)
_GONE = (
    errors.UndefinedTable,
    errors.UndefinedObject,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
    errors.UndefinedFile,
)
"""What a statement says that needs what another one would have made."""
_NOT_HERE = (errors.FeatureNotSupported, errors.UndefinedFile, errors.UndefinedObject)


def text_of(place: Place, flag: str) -> str:
    """The SQL that ``place`` holds, or that makes the schema of that database.

    Raises :class:`UsageError`, and :class:`ServerUnavailable` where there is no pg_dump.
    """
    return script.read(place, flag) if isinstance(place, Path) else _dump(place, flag)


def connect(dsn: Dsn, flag: str) -> psycopg.Connection[Any]:
    """A session with a database of the user's. Raises :class:`UsageError`."""
    try:
        return sessions.connect(dsn, client_encoding="UTF8")
    except psycopg.Error as error:
        raise UsageError(
            f"{flag}: tried to connect to {dsn}: {redact(sessions.words(error), dsn)}; "
            "check the connection string and that the server runs"
        ) from None


def _dump(dsn: Dsn, flag: str) -> str:
    with connect(dsn, flag) as session:
        major = sessions.version(session)[1]
    with tempfile.TemporaryDirectory() as directory:
        done = process.run(
            [programs.client("pg_dump", server=major), *_ARGUMENTS],
            environ=process.environ(dsn),
            cwd=Path(directory),
            timeout=_SECONDS,
            secrets=[dsn],
            keep=_DUMP,
        )
    if done.exit_code or done.cut:
        what = done.last_words(lines=2) or f"its schema has more than {_DUMP} bytes"
        raise UsageError(f"{flag}: tried to read the schema of {dsn} with pg_dump: {what}")
    return done.stdout


@dataclass
class Loaded:
    """What came of a script."""

    kept: list[str] = field(default_factory=list)
    """The statements that make the schema."""
    unmade: list[Unmade] = field(default_factory=list)

    @property
    def script(self) -> str:
        return "".join(f"{each};\n" for each in [_BODIES, *self.kept])


def load(text: str, session: psycopg.Connection[Any]) -> Loaded:
    """Run ``text`` in an empty database, and keep what makes its schema.

    Who may do what is left out, and so is an extension that the server does not have with
    what needs it: it is named. Rows are loaded, and are no part of the script. Raises
    :class:`UsageError` for whatever else is wrong, with the line.
    """
    loading = _Loading(session)
    with session.transaction():
        session.execute(_BODIES)
        for piece in script.pieces(text):
            loading.run(piece)
    return loading.end()


class _Loading:
    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self._session = session
        self._loaded = Loaded()
        self._rights: Counter[str] = Counter()
        self._missing: list[str] = []

    def run(self, piece: Piece) -> None:
        if _RIGHTS.match(piece.sql):
            self._rights[piece.sql.split(maxsplit=1)[0].upper()] += 1
            return
        if _SETTING.match(piece.sql) and not _PATH.match(piece.sql):
            return
        try:
            with self._session.transaction():
                piece.run(self._session)
        except psycopg.Error as error:
            if self._session.broken:
                raise
            self._passed_over(piece, error)
            return
        if piece.data is None and not _ROWS.match(piece.sql):
            self._loaded.kept.append(piece.sql)

    def end(self) -> Loaded:
        for words, count in self._rights.items():
            why = f"who may do what is no part of a world ({count} statements)"
            self._loaded.unmade.append(Unmade(what=words, why=why))
        filled = [name for name in self._tables() if self._has_rows(name)]
        if filled:
            self._loaded.kept.append(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY")
        if self._has_rows("pg_largeobject_metadata"):
            self._loaded.kept.append("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
        return self._loaded

    def _passed_over(self, piece: Piece, error: psycopg.Error) -> None:
        """Name a statement that the server refuses for a lack of its own, or raise."""
        extension = _EXTENSION.match(piece.sql)
        if extension and isinstance(error, (*_NOT_HERE, errors.InsufficientPrivilege)):
            self._missing.append(extension[1])
            self._name(piece, f"the server does not have it: {piece.place(error)}")
        elif isinstance(error, errors.InsufficientPrivilege):
            self._missing.append(piece.opening)
            self._name(piece, f"no ordinary account may do it: {piece.place(error)}")
        elif self._missing and isinstance(error, _GONE):
            why = f"it needs what was left out ({', '.join(self._missing[:3])})"
            self._name(piece, f"{why}: {piece.place(error)}")
        else:
            raise UsageError(piece.place(error)) from None

    def _name(self, piece: Piece, why: str) -> None:
        table = _TABLE.match(piece.sql)
        what = f"table {table[1]}" if table else piece.opening
        self._loaded.unmade.append(Unmade(what=what, why=why))

    def _tables(self) -> list[str]:
        query = (
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        )
        return [name for (name,) in self._session.execute(query.encode())]

    def _has_rows(self, table: str) -> bool:
        query = f"SELECT EXISTS (SELECT FROM {table})"
        ((found,),) = self._session.execute(query.encode())
        return bool(found)
