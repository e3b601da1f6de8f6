"""External servers, for which the embedded pair stands in: two servers, some accounts, DSNs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from tests.servers.conftest import RunPython
from tests.waiting import eventually
from verifier.dsn import Dsn
from verifier.errors import ServerError, ServerUnavailable, UsageError
from verifier.servers import Pair, Server, Side, external, sessions
from verifier.servers.sessions import Login

RUNS = """
import sys, time
from verifier.dsn import Dsn
from verifier.servers import Side, external
pair = external.start_pair(*(Dsn.parse(line) for line in sys.stdin.read().splitlines()))
for side in Side:
    pair.databases(side).create("left")
print("ready", flush=True)
time.sleep(60)
"""


@dataclass
class Accounts:
    """DSNs of accounts on one server, by what they may do."""

    superuser: Dsn
    manager: Dsn
    """CREATEDB and CREATEROLE, no superuser."""
    owner: Dsn
    """CREATEDB only."""
    powerless: Dsn
    before: frozenset[str] = frozenset()
    """What the tests before these made on the shared servers."""

    def ours(self) -> set[str]:
        """Databases and roles there that look like a run's."""
        with sessions.connect(self.superuser) as session:
            found = session.execute(
                "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
            ).fetchall()
        return {name for (name,) in found if name.startswith("rv_")} - self.before


def _accounts(server: Server) -> Iterator[Accounts]:
    made = {}
    with sessions.connect(server.admin) as session:
        for name, rights in (
            ("manager", "CREATEDB CREATEROLE"),
            ("owner", "CREATEDB"),
            ("powerless", "NOCREATEDB"),
        ):
            login = Login.invent(name)
            login.create(session)
            session.execute(f"ALTER ROLE {name} {rights}".encode())
            made[name] = login.on(server.admin)
        accounts = Accounts(server.admin, **made)
        accounts.before = frozenset(accounts.ours())
        yield accounts
        for name in made:
            session.execute(f"DROP ROLE {name}".encode())


@pytest.fixture(scope="module")
def source(pair: Pair) -> Iterator[Accounts]:
    yield from _accounts(pair.source)


@pytest.fixture(scope="module")
def target(pair: Pair) -> Iterator[Accounts]:
    yield from _accounts(pair.target)


@pytest.mark.parametrize("account", ["superuser", "manager", "owner"])
def test_a_run_leaves_nothing_whatever_its_account_may_do(
    source: Accounts, target: Accounts, account: str
) -> None:
    dsns = getattr(source, account), getattr(target, account)
    with external.start_pair(*dsns) as pair:
        for server in (pair.source, pair.target):
            databases = pair.databases(server.side)
            template = databases.template("t", lambda session: session.execute("CREATE TABLE t ()"))
            clone = databases.create("clone", template)
            assert clone.execute("SELECT * FROM t") == []
            rights = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            assert clone.execute(rights) == [(False,)]
            with sessions.connect(clone.admin) as session:
                session.execute("CREATE SCHEMA probe")
                session.execute("ALTER TABLE t ADD COLUMN a int")
            private = databases.create("private", clone, private=True)
            with sessions.connect(private.admin) as session:
                assert session.execute("TABLE t").fetchall() == []
        assert source.ours()
        assert target.ours()
    assert source.ours() == set()
    assert target.ours() == set()


def test_an_account_with_createrole_gives_implementations_one_of_their_own(
    source: Accounts, target: Accounts
) -> None:
    with external.start_pair(source.manager, target.manager) as pair:
        assert pair.source.user.parameters["user"] != "manager"
        databases = pair.databases(Side.SOURCE)
        private = databases.create("private", private=True)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            private.connect()


def test_an_account_without_createrole_is_used_for_both(source: Accounts, target: Accounts) -> None:
    with external.start_pair(source.owner, target.owner) as pair:
        assert pair.source.user == pair.source.admin == source.owner


def test_external_servers_are_neither_stopped_nor_started(
    source: Accounts, target: Accounts
) -> None:
    with external.start_pair(source.owner, target.owner) as pair:
        assert not pair.source.controllable
        for refused in (pair.source.stop, pair.source.start):
            with pytest.raises(ServerError, match="neither stopped nor started"):
                refused()
        assert pair.source.alive()
        assert pair.source.log()


def test_one_database_in_both_roles_is_refused(source: Accounts) -> None:
    # Another account, another spelling of the host: still the same database.
    other = source.manager.with_(host="localhost")
    with pytest.raises(UsageError, match="are the same database, 'postgres' on one server"):
        external.check(source.owner, other)


def test_two_databases_of_one_server_are_two_sides(source: Accounts) -> None:
    second = source.owner.with_(dbname="template1")
    external.check(source.owner, second)
    with external.start_pair(source.owner, second) as pair:
        made = [pair.databases(side).create("same") for side in Side]
        assert made[0].name != made[1].name
        made[0].execute("CREATE TABLE only_here ()")
        with pytest.raises(psycopg.errors.UndefinedTable):
            made[1].execute("TABLE only_here")
    assert source.ours() == set()


def test_an_account_that_cannot_create_databases_is_named_with_the_remedy(
    source: Accounts, target: Accounts
) -> None:
    with pytest.raises(UsageError, match=r'the target server .* ALTER ROLE "powerless" CREATEDB'):
        external.check(source.owner, target.powerless)


def test_a_wrong_password_is_said_and_not_shown(source: Accounts, target: Accounts) -> None:
    wrong = target.owner.with_(password="the-wrong-secret")
    with pytest.raises(ServerUnavailable) as caught:
        external.check(source.owner, wrong)
    assert "password authentication failed" in str(caught.value)
    assert "--target-dsn" in str(caught.value)
    assert "the-wrong-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"port": "1"}, "Connection refused"),
        ({"host": "no-such-host.invalid"}, "no-such-host.invalid"),
        ({"dbname": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"sslmode": "require"}, "server does not support SSL"),
    ],
    ids=["port", "host", "database", "ssl"],
)
def test_a_server_that_cannot_be_reached_is_one_sentence(
    source: Accounts, target: Accounts, parameters: dict[str, str], said: str
) -> None:
    with pytest.raises(ServerUnavailable, match=r"the source server .* --source-dsn$") as caught:
        external.check(source.owner.with_(**parameters), target.owner)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_next_run_removes_a_killed_runs_databases_and_no_live_runs(
    source: Accounts, target: Accounts, run_python: RunPython
) -> None:
    foreign = ["rv_notes", "rv_0123456789ab", "my_rv_0123456789ab_s_1_x", "rv_0123456789AB_s_1"]
    with external.start_pair(source.manager, target.owner) as live:
        kept = live.databases(Side.SOURCE).create("kept")
        with sessions.connect(source.manager) as session:
            for name in foreign:
                session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        before = source.ours() | target.ours()

        killed = run_python(RUNS)
        assert killed.process.stdin is not None
        killed.process.stdin.write(f"{source.manager.conninfo}\n{target.owner.conninfo}\n")
        killed.process.stdin.close()
        assert killed.line() == "ready\n"
        killed.process.kill()
        killed.ends()
        left = (source.ours() | target.ours()) - before
        assert len(left) >= 5  # an anchor and a database on each side, a role on the source
        assert eventually(lambda: not _sessions_in(source, left) | _sessions_in(target, left))

        with external.start_pair(source.manager, target.owner):
            assert left.isdisjoint(source.ours() | target.ours())
        assert kept.execute("SELECT 1") == [(1,)]
    try:
        assert source.ours() == {name for name in foreign if name.startswith("rv_")}
    finally:
        with sessions.connect(source.manager) as session:
            for name in foreign:
                session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    assert source.ours() | target.ours() == set()


def _sessions_in(accounts: Accounts, databases: set[str]) -> set[str]:
    with sessions.connect(accounts.superuser) as session:
        found = session.execute("SELECT datname FROM pg_stat_activity").fetchall()
    return {name for (name,) in found} & databases


def test_what_another_accounts_dead_run_left_is_left_to_it(
    source: Accounts, target: Accounts
) -> None:
    name = "rv_0123456789ab_s_1_other"
    with sessions.connect(source.superuser) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with external.start_pair(source.owner, target.owner):
            assert name in source.ours()
        with external.start_pair(source.superuser, target.owner):
            assert name not in source.ours()


def test_one_sides_failure_takes_the_other_sides_databases_along(
    source: Accounts, target: Accounts
) -> None:
    with pytest.raises(UsageError, match="CREATEDB"):
        external.start_pair(source.manager, target.powerless)
    assert source.ours() == set()
