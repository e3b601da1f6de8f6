"""Where PostgreSQL comes from: embedded, docker, external.

``choose(config).start()`` gives a :class:`Pair`, and ``pair.databases(side)`` the
databases on one side.
"""

from verifier.servers.base import Pair, Server, Side
from verifier.servers.choice import Choice, choose
from verifier.servers.databases import Database, Databases

__all__ = ["Choice", "Database", "Databases", "Pair", "Server", "Side", "choose"]
