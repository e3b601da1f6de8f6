"""A PostgreSQL connection string that never shows its password by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from verifier.errors import UsageError

HIDDEN = "****"

# libpq's environment variable for each parameter that a client program may need.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "service": "PGSERVICE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


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

    def __str__(self) -> str:
        if self.password is None:
            return self.url
        stand_in = "hidden"  # letters, which the URL does not encode
        return self.with_(password=stand_in).url.replace(f":{stand_in}@", f":{HIDDEN}@", 1)

    __repr__ = __str__


def redact(text: str, *dsns: Dsn) -> str:
    """``text`` with every password of ``dsns`` hidden: the last step before anything is shown."""
    for dsn in dsns:
        secret = dsn.password
        if secret:
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, HIDDEN)
    return text
