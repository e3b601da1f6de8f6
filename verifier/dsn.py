"""A PostgreSQL connection string that never shows its password by accident."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, quote_plus, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from verifier.errors import UsageError

HIDDEN = "****"
_SECRETS = ("password", "sslpassword")
_URL = re.compile(r"\s*postgres(?:ql)?://", re.IGNORECASE)

# libpq's environment variable for each parameter that decides where a program connects,
# as whom, and how the way there is protected.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "gsslib": "PGGSSLIB",
    "krbsrvname": "PGKRBSRVNAME",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "service": "PGSERVICE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_PLACES = ("host", "hostaddr", "service")
# Variables that libpq sends to the server without a parameter for them.
_SESSION = ("PGDATESTYLE", "PGTZ", "PGGEQO")
# This one says nothing but where to look something up.
_HARMLESS = "PGPASSFILE"


@dataclass(frozen=True, slots=True)
class Dsn:
    """Connection parameters by libpq name; ``str()`` and ``repr()`` hide the password."""

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Read a libpq keyword string or a ``postgresql://`` URL.

        Raises :class:`UsageError` without repeating the text, which may hold a password.
        """
        try:
            found = conninfo_to_dict(text)
        except psycopg.ProgrammingError:
            raise UsageError(
                "the connection string cannot be read; "
                "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        return cls({name: str(value) for name, value in found.items() if value is not None})

    def completed(self, environ: Mapping[str, str]) -> Dsn:
        """A copy in which ``PG*`` variables stand for what is left out, as libpq has it.

        With one difference: where a host is named, no variable leads to another one.
        A service is left to fill in all the rest.
        """
        found = {
            name: environ[variable]
            for name, variable in _VARIABLES.items()
            if environ.get(variable) and name not in self.parameters
        }
        if not self.parameters.keys().isdisjoint(_PLACES):
            found = {name: value for name, value in found.items() if name not in _PLACES}
        service = self.parameters.get("service") or found.get("service")
        return Dsn({**({"service": service} if service else found), **self.parameters})

    @property
    def conninfo(self) -> str:
        """The libpq keyword string, password included: for connecting, not for showing."""
        return make_conninfo("", **self.parameters)

    @property
    def url(self) -> str:
        """The same as a ``postgresql://`` URL, password included (``DATABASE_URL``)."""
        rest = dict(self.parameters)
        user, password = rest.pop("user", ""), rest.pop("password", None)
        host, port, name = rest.pop("host", ""), rest.pop("port", None), rest.pop("dbname", "")
        login = quote(user, safe="") + ("" if password is None else ":" + quote(password, safe=""))
        if host.startswith("/"):
            rest["host"], host = host, ""
        place = host + (f":{port}" if port else "")
        query = f"?{urlencode(rest)}" if rest else ""
        return f"postgresql://{login + '@' if login else ''}{place}/{quote(name, safe='')}{query}"

    @property
    def environ(self) -> dict[str, str]:
        """The ``PG*`` variables that make a libpq program connect here.

        A password in the environment is not visible in the process list.
        """
        return {
            _VARIABLES[name]: value for name, value in self.parameters.items() if name in _VARIABLES
        }

    @property
    def password(self) -> str | None:
        return self.parameters.get("password")

    @property
    def database(self) -> str:
        """The database's name, which libpq takes from the user when it is not given."""
        return self.parameters.get("dbname") or self.parameters.get("user", "")

    def with_(self, **parameters: str) -> Dsn:
        """A copy with some parameters replaced: ``dsn.with_(dbname="postgres")``."""
        return Dsn({**self.parameters, **parameters})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: the password, and that of the client's key."""
        return tuple(filter(None, (self.parameters.get(name) for name in _SECRETS)))

    def __str__(self) -> str:
        shown = Dsn({k: v for k, v in self.parameters.items() if k not in _SECRETS})
        if self.password is None:
            return shown.url
        stand_in = "hidden"  # letters, which the URL does not encode
        return shown.with_(password=stand_in).url.replace(f":{stand_in}@", f":{HIDDEN}@", 1)

    __repr__ = __str__


def is_dsn(text: str) -> bool:
    """Whether ``text`` is, or was meant to be, a connection string and no name of a file."""
    if text.startswith(("/", "./", "../")):
        return False
    return bool(_URL.match(text) or _keywords().search(text))


@cache
def _keywords() -> re.Pattern[str]:
    """Any of libpq's parameters and an equals sign."""
    names = "|".join(re.escape(each.keyword.decode()) for each in pq.Conninfo.get_defaults())
    return re.compile(rf"(?:^|\s)(?:{names})\s*=")


@cache
def _libpq_variables() -> frozenset[str]:
    """Every variable that changes a connection of libpq's; its own list, so none is missed."""
    known = {each.envvar.decode() for each in pq.Conninfo.get_defaults() if each.envvar}
    return frozenset({*known, *_VARIABLES.values(), *_SESSION} - {_HARMLESS})


def without_libpq(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what could change or redirect a connection whose DSN says where it goes.

    Other names that begin with ``PG`` (``PGBACKREST_STANZA``) are no business of libpq's.
    """
    return {name: value for name, value in environ.items() if name not in _libpq_variables()}


@contextmanager
def libpq_set_aside() -> Iterator[None]:
    """No variable of libpq's in this process's environment for the time of a ``with`` block.

    The DSNs hold what was meant for them by then. Anywhere else, in this process or in a
    program that it starts, the variables would lead to other servers, or change how the
    right ones answer; and not every one of them (``PGSERVICE``) could be outdone by a DSN.
    """
    kept = without_libpq(os.environ)
    aside = {name: os.environ.pop(name) for name in set(os.environ) - set(kept)}
    try:
        yield
    finally:
        os.environ.update(aside)


def redact(text: str, *dsns: Dsn) -> str:
    """``text`` with every password of ``dsns`` hidden: the last step before anything is shown."""
    return hide(text, *(secret for dsn in dsns for secret in dsn.secrets))


def hide(text: str, *secrets: str) -> str:
    """``text`` with every one of ``secrets`` hidden, in whatever form it stands there."""
    for secret in filter(None, secrets):
        for form in _written_forms(secret):
            text = text.replace(form, HIDDEN)
    return text


@cache
def _written_forms(secret: str) -> tuple[str, ...]:
    """How ``secret`` may stand in a text, longest first: as it is, in a URL, inside quotes."""
    backslashes = secret.replace("\\", "\\\\")
    forms = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        backslashes,  # as Python shows it in double quotes
        backslashes.replace("'", "\\'"),  # a keyword string, Python's single quotes
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.replace("'", "''"),  # SQL
    }
    return tuple(sorted(forms, key=len, reverse=True))
