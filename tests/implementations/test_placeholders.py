"""Texts with placeholders: what they know, what they refuse, and which carry a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.dsn import Dsn
from verifier.errors import UsageError
from verifier.implementations import Endpoint, placeholders
from verifier.implementations.placeholders import SOURCE, TARGET, known, parse, values

DSN = Dsn.parse("postgresql://ann:p%40ss%20word@db.example:5433/shop")
ENDPOINT = Endpoint(DSN, 18, Path("/work"), ("_prisma_migrations", "Sessions"))


def filled(text: str, side: str = SOURCE, endpoint: Endpoint = ENDPOINT) -> str:
    template = parse(text, known(side, "backup"), "it")
    return template.fill(values(side, endpoint, Path("/acme"), Path("/work/a b.sql")))


def refused(text: str, side: str = SOURCE) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text, known(side), "command")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{source.host}:{source.port}/{source.dbname}", "db.example:5433/shop"),
        ("{source.user}", "ann"),
        ("{source.password}", "p@ss word"),
        ("{source.url}?schema=x", "postgresql://ann:p%40ss%20word@db.example:5433/shop?schema=x"),
        ("--file={backup}", "--file=/work/a b.sql"),
        ("{directory}/x {workdir}/y", "/acme/x /work/y"),
        ("{version}", "18"),
        ("{control-tables}", "_prisma_migrations,Sessions"),
        ('{{"a": "{source.user}"}}', '{"a": "ann"}'),
        ("{{{source.user}}}", "{ann}"),
        ("", ""),
        ("plain", "plain"),
    ],
)
def test_what_stands_for_each_placeholder(text: str, found: str) -> None:
    assert filled(text) == found


def test_a_connection_string_reads_back_as_the_same_one() -> None:
    assert Dsn.parse(filled("{source.dsn}")) == DSN


def test_a_port_that_is_left_out_is_postgresqls_own() -> None:
    bare = Endpoint(Dsn.parse("host=db user=ann"), 18, Path("/work"))
    assert filled("{target.port} {target.dbname} {target.password}.", TARGET, bare) == "5432 ann ."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{source.hots}", "unknown placeholder {source.hots} (did you mean source.host?)"),
        ("{target.host}", "unknown placeholder {target.host}"),
        ("{control_tables}", "(did you mean control-tables?)"),
        ("${HOME}", "unknown placeholder {HOME}"),
        ("{}", "unknown placeholder {}"),
        ("{source.host", "a brace that is not closed"),
        ("a}", "a brace that is not closed or not opened; write {{ and }}"),
    ],
)
def test_a_placeholder_that_is_none_is_refused(text: str, said: str) -> None:
    message = refused(text)
    assert message.startswith("command ")
    assert said in message


def test_a_variable_of_the_environment_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "t0ken")
    assert filled("Bearer {env.ACME_TOKEN}") == "Bearer t0ken"
    monkeypatch.delenv("ACME_TOKEN")
    assert "environment variable ACME_TOKEN, which is unset" in refused("{env.ACME_TOKEN}")


def test_what_carries_a_password_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "t0ken")
    text = "{source.dsn} {source.url} {source.password} {env.ACME_TOKEN} {source.host} {workdir}"
    assert parse(text, known(SOURCE), "it").secret == (
        "source.dsn",
        "source.url",
        "source.password",
        "env.ACME_TOKEN",
    )


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("{workdir}/a", True),
        ("{workdir}/a/b.*", True),
        ("{workdir}", False),
        ("{workdir}-2/a", False),
        ("{workdir}/../a", False),
        ("/tmp/a", False),
        ("a", False),
        ("{{workdir}}/a", False),
    ],
)
def test_a_place_in_the_work_directory(file: str, expected: bool) -> None:
    assert placeholders.is_in_workdir(parse(file, known(SOURCE), "file")) is expected
