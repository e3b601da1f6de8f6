from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg import sql

from verifier.errors import ServerError
from verifier.servers import Database, Databases, Pair, Server, Side, sessions


@pytest.fixture(params=list(Side))
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


@pytest.fixture
def server(pair: Pair, side: Side) -> Server:
    return pair.source if side is Side.SOURCE else pair.target


@pytest.fixture
def databases(pair: Pair, side: Side) -> Databases:
    return pair.databases(side)


def fill(session: psycopg.Connection[Any]) -> None:
    session.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
    session.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")


def names(server: Server) -> set[str]:
    with sessions.connect(server.admin) as session:
        return {name for (name,) in session.execute("SELECT datname FROM pg_database")}


def test_a_new_database_is_the_users_and_knows_utf8(databases: Databases) -> None:
    database = databases.create("fresh")
    assert database.name.startswith("rv_")
    assert database.execute(
        "SELECT pg_get_userbyid(datdba) = current_user, pg_encoding_to_char(encoding)"
        " FROM pg_database WHERE datname = current_database()"
    ) == [(True, "UTF8")]
    database.execute("CREATE SCHEMA s; CREATE TABLE s.t (emoji text); CREATE TABLE public.p ()")
    assert database.execute("INSERT INTO s.t VALUES (%s) RETURNING emoji", ["🍜"]) == [("🍜",)]


def test_a_template_is_built_once_and_its_clones_are_independent(databases: Databases) -> None:
    built = []

    def build(session: psycopg.Connection[Any]) -> None:
        built.append(session.info.user)
        fill(session)

    template = databases.template("shop", build)
    assert databases.template("shop", build) is template
    assert built == [template.server.user.parameters["user"]]
    one, other = databases.create("one", template), databases.create("other", template)
    one.execute("DELETE FROM t")
    assert one.execute("SELECT count(*) FROM t") == [(0,)]
    assert other.execute("SELECT id, name FROM t ORDER BY id") == [(1, "one"), (2, "two")]


def test_nobody_can_sit_in_a_template(databases: Databases) -> None:
    template = databases.template("closed", fill)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        template.connect()


def test_a_template_that_could_not_be_built_is_not_kept(
    server: Server, databases: Databases
) -> None:
    before = names(server)
    with pytest.raises(psycopg.errors.DivisionByZero):
        databases.template("half", lambda session: session.execute("SELECT 1/0") and None)
    assert names(server) == before
    assert databases.create("whole", databases.template("half", fill)).execute("TABLE t")


def test_a_private_clone_is_out_of_the_users_reach(databases: Databases) -> None:
    open_ = databases.create("open", databases.template("private", fill))
    private = databases.create("frozen", open_, private=True)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        private.connect()
    with sessions.connect(private.admin) as session:
        assert session.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


def test_the_administrator_can_change_what_the_user_owns(databases: Databases) -> None:
    database = databases.create("probed", databases.template("probed", fill))
    with sessions.connect(database.admin) as session:
        session.execute("CREATE SCHEMA probe")
        session.execute(
            "CREATE FUNCTION probe.note() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END'"
        )
        session.execute("CREATE TRIGGER probe AFTER INSERT ON t EXECUTE FUNCTION probe.note()")


def test_shutting_a_database_cuts_its_sessions_until_it_is_reopened(databases: Databases) -> None:
    database = databases.create("shut")
    with database.connect() as cut:
        databases.shut(database)
        with pytest.raises(psycopg.OperationalError):
            cut.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        database.connect()
    databases.reopen(database)
    assert database.execute("SELECT 1") == [(1,)]


def test_dropping_cuts_sessions(server: Server, databases: Databases) -> None:
    database = databases.create("dropped")
    with database.connect():
        databases.drop(database)
    assert database.name not in names(server)


def test_only_databases_of_this_run_are_touched(
    pair: Pair, server: Server, databases: Databases
) -> None:
    foreign = Database(server, "rv_notes")
    for act in (databases.drop, databases.shut, databases.reopen):
        with pytest.raises(ServerError, match="rv_notes was not made by this run"):
            act(foreign)
    other = pair.databases(Side.TARGET if server is pair.source else Side.SOURCE)
    with pytest.raises(ServerError, match="was not made by this run"):
        other.drop(databases.create("of this side"))


def test_names_are_unique_plain_and_within_the_limit(databases: Databases) -> None:
    hints = ["A long hint " * 10, "A long hint " * 10, 'quoted " and %s {}', "Ünïcode 🍜", ""]
    made = [databases.create(hint) for hint in hints]
    assert len({database.name for database in made}) == len(hints)
    for database in made:
        assert len(database.name.encode()) <= 63
        assert database.execute("SELECT current_database()") == [(database.name,)]


def test_threads_may_ask_for_the_same_template(databases: Databases) -> None:
    found: list[Database] = []

    def ask() -> None:
        found.append(databases.create("thread", databases.template("threads", fill)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [database.execute("SELECT count(*) FROM t") for database in found] == [[(2,)]] * 4


def test_leaving_the_block_drops_what_was_made_and_nothing_else(server: Server) -> None:
    before = names(server)
    with Databases(server, prefix="rv_block_") as own:
        own.create("gone", own.template("gone", fill))
        foreign = sql.Identifier("rv_block")
        with sessions.connect(server.admin) as session:
            session.execute(sql.SQL("CREATE DATABASE {}").format(foreign))
    assert names(server) - before == {"rv_block"}
    with sessions.connect(server.admin) as session:
        session.execute(sql.SQL("DROP DATABASE {}").format(foreign))


def test_a_database_in_another_encoding_and_its_clone(databases: Databases) -> None:
    template = databases.template("latin", lambda _: None, encoding="LATIN1")
    clone = databases.create("clone", template)
    clone.execute('CREATE TABLE "menü" (t text); INSERT INTO "menü" VALUES (\'£\')')
    assert clone.execute(
        'SELECT pg_encoding_to_char(encoding), octet_length(t::bytea) FROM pg_database, "menü"'
        " WHERE datname = current_database()"
    ) == [("LATIN1", 1)]
