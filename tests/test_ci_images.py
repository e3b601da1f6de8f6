"""The images of ``.ci/docker-images`` keep the contract of the official PostgreSQL image.

Skipped, by name, where no engine answers or the images have not been built.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import psycopg
import pytest
from docker.errors import DockerException, ImageNotFound

REPOSITORY = "restore-verifier/postgres"
ROOT = Path(__file__).parents[1]
PASSWORD = "a canary: '\"\\ $HOME é"
QUICK = {"POSTGRES_PASSWORD": PASSWORD, "POSTGRES_INITDB_ARGS": "--no-sync"}
PATIENCE = 60  # seconds until a started container has to answer or to end

Container = Any  # docker publishes no types

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    try:
        client = docker.from_env(timeout=PATIENCE)
        client.ping()
    except DockerException:
        pytest.skip("no Docker engine answers, the images are not tested; try .ci/docker-engine")
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="module", params=["15", "18"])
def image(engine: Any, request: pytest.FixtureRequest) -> str:
    name = f"{REPOSITORY}:{request.param}"
    try:
        engine.images.get(name)
    except ImageNotFound:
        pytest.skip(f"{name} is not there; build it with .ci/docker-images")
    return name


@contextlib.contextmanager
def _container(engine: Any, image: str, command: list[str], **options: Any) -> Iterator[Container]:
    options.setdefault("environment", QUICK)
    made = engine.containers.run(
        image, command, detach=True, ports={"5432/tcp": ("127.0.0.1", None)}, **options
    )
    try:
        yield made
    finally:
        made.remove(force=True, v=True)


def _connect(container: Container, **parameters: Any) -> psycopg.Connection[Any]:
    container.reload()
    port = container.ports["5432/tcp"][0]["HostPort"]
    defaults = {"user": "postgres", "password": PASSWORD, "dbname": "postgres"}
    return psycopg.connect(
        host="127.0.0.1", port=port, connect_timeout=5, **{**defaults, **parameters}
    )


def _wait(container: Container, **parameters: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            _connect(container, **parameters).close()
            return
        except (psycopg.OperationalError, LookupError) as error:
            container.reload()
            if container.status == "exited" or time.monotonic() > deadline:
                raise AssertionError(
                    f"the server does not answer: {error}\n{_log(container)}"
                ) from error
            time.sleep(0.1)


def _log(container: Container) -> str:
    return str(container.logs().decode())


def _value(container: Container, query: str, **parameters: Any) -> Any:
    with _connect(container, **parameters) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def _ended(container: Container) -> tuple[int, str]:
    return container.wait(timeout=PATIENCE)["StatusCode"], _log(container)


@pytest.fixture(scope="module")
def server(engine: Any, image: str) -> Iterator[Container]:
    """A server with every setting of its own, that the tests below only read from."""
    environment = {
        **QUICK,
        "POSTGRES_USER": "the owner",
        "POSTGRES_DB": 'The "Shop"',
        "POSTGRES_INITDB_ARGS": "--no-sync --text-search-config='simple'",
    }
    arguments = ["-c", "fsync=off", "-c", "application_name=one two"]
    with _container(engine, image, arguments, environment=environment) as container:
        _wait(container, user="the owner", dbname='The "Shop"')
        yield container


def _shown(server: Container, setting: str) -> Any:
    return _value(server, f"SHOW {setting}", user="the owner", dbname='The "Shop"')


def test_user_and_database_are_made_as_told(server: Container) -> None:
    superuser = "SELECT current_user || ' ' || usesuper FROM pg_user WHERE usename = current_user"
    assert _value(server, superuser, user="the owner", dbname='The "Shop"') == "the owner true"


@pytest.mark.parametrize("password", [PASSWORD.upper(), "", None])
def test_a_wrong_password_is_refused(server: Container, password: str | None) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        _connect(server, user="the owner", dbname="postgres", password=password)


def test_the_password_is_stored_as_scram_and_never_logged(server: Container) -> None:
    stored = _value(server, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin", user="the owner")
    assert stored.startswith("SCRAM-SHA-256$")
    assert "canary" not in _log(server)
    assert "canary" not in str(server.top())


def test_text_is_utf8_and_sorted_by_a_language(server: Container) -> None:
    assert _shown(server, "server_encoding") == "UTF8"
    query = "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,B,a,é,f}'::text[]) x"
    assert _value(server, query, user="the owner", dbname='The "Shop"') == "abBéf"


def test_arguments_reach_the_server(server: Container) -> None:
    assert _shown(server, "fsync") == "off"


def test_quotes_in_initdb_arguments_count(server: Container) -> None:
    assert _shown(server, "default_text_search_config") == "pg_catalog.simple"


def test_the_server_is_the_first_process_and_not_root(server: Container) -> None:
    code, line = server.exec_run("cat /proc/1/comm")
    assert (code, line) == (0, b"postgres\n")
    code, owner = server.exec_run("stat -c %U /proc/1")
    assert (code, owner) == (0, b"postgres\n")


def test_readiness_is_logged_once_for_the_first_start_and_once_for_good(server: Container) -> None:
    before, _, after = _log(server).partition('listening on IPv4 address "0.0.0.0", port 5432')
    ready = "database system is ready to accept connections"
    assert before.count(ready) == 1
    assert after.count(ready) == 1


def test_tools_inside_find_the_server_by_themselves(server: Container) -> None:
    query = ["psql", "-U", "the owner", "-d", 'The "Shop"', "-Atc", "SELECT 6 * 7"]
    assert server.exec_run(query) == (0, b"42\n")


def test_the_image_declares_port_volume_signal_and_command(engine: Any, image: str) -> None:
    config = engine.images.get(image).attrs["Config"]
    assert list(config["ExposedPorts"]) == ["5432/tcp"]
    assert config["StopSignal"] == "SIGINT"
    assert config["Cmd"] == ["postgres"]
    data = next(v[len("PGDATA=") :] for v in config["Env"] if v.startswith("PGDATA="))
    assert any(data.startswith(volume) for volume in config["Volumes"])


def test_debian_brings_icu_libxml_and_contrib(engine: Any, image: str) -> None:
    if not image.endswith(":15"):
        pytest.skip("the embedded builds have no ICU, no libxml and no contrib extensions")
    with _container(engine, image, []) as container:
        _wait(container)
        with _connect(container) as connection:
            connection.execute("CREATE EXTENSION citext")
            connection.execute("CREATE COLLATION de (provider = icu, locale = 'de')")
            same = connection.execute(
                "SELECT 'A'::citext = 'a', xmlelement(name a)::text, 'ä' < 'b' COLLATE de"
            ).fetchone()
    assert same == (True, "<a/>", True)


def test_data_outlives_stop_and_kill_without_a_second_initialisation(
    engine: Any, image: str
) -> None:
    with _container(engine, image, ["postgres", "-c", "full_page_writes=on"]) as container:
        _wait(container)
        with _connect(container) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS stop")
        container.stop(timeout=PATIENCE)
        assert _ended(container)[0] == 0, "SIGINT ends in an orderly shutdown"
        container.start()
        _wait(container)
        with _connect(container) as connection:
            connection.execute("INSERT INTO kept VALUES (2)")
        container.kill()
        container.start()
        _wait(container)
        assert _value(container, "SELECT sum(stop) FROM kept") == 3
        assert _log(container).count("The database cluster will be initialized") == 1


@pytest.mark.parametrize("password", [None, ""])
def test_without_a_password_it_refuses_to_start(
    engine: Any, image: str, password: str | None
) -> None:
    environment = {} if password is None else {"POSTGRES_PASSWORD": password}
    with _container(engine, image, [], environment=environment) as container:
        code, log = _ended(container)
    assert code == 1
    assert "set POSTGRES_PASSWORD" in log
    assert "POSTGRES_HOST_AUTH_METHOD=trust" in log


def test_trust_needs_no_password(engine: Any, image: str) -> None:
    environment = {"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_INITDB_ARGS": "--no-sync"}
    with _container(engine, image, [], environment=environment) as container:
        _wait(container, password=None)


def _scripts(folder: Path, **scripts: str | bytes) -> dict[str, Any]:
    """``volumes`` for a container whose first start runs these scripts."""
    folder.chmod(0o755)
    for name, text in scripts.items():
        file = folder / name.replace("_", ".")
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o644)
    return {str(folder): {"bind": "/docker-entrypoint-initdb.d", "mode": "ro"}}


def test_first_start_scripts_run_in_order_of_name(engine: Any, image: str, tmp_path: Path) -> None:
    psql = 'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
    volumes = _scripts(
        tmp_path,
        a_sql="CREATE TABLE ran (name text);",
        b_sh=f"{psql} -c \"INSERT INTO ran VALUES ('sh')\"",
        c_sql_gz=gzip.compress(b"INSERT INTO ran VALUES ('gz');"),
        d_txt="not for PostgreSQL",
    )
    environment = {**QUICK, "POSTGRES_USER": "app"}
    with _container(engine, image, [], environment=environment, volumes=volumes) as container:
        _wait(container, user="app", dbname="app")
        ran = "SELECT string_agg(name, ' ') FROM ran"
        assert _value(container, ran, user="app", dbname="app") == "sh gz"
        assert "d.txt alone" in _log(container)


def test_a_failing_first_start_script_ends_the_container(
    engine: Any, image: str, tmp_path: Path
) -> None:
    volumes = _scripts(tmp_path, a_sql="SELECT 1 / 0;", b_sql="SELECT 'too far';")
    with _container(engine, image, [], volumes=volumes) as container:
        code, log = _ended(container)
    assert code != 0
    assert "division by zero" in log
    assert "too far" not in log


def test_the_password_can_come_from_a_file(engine: Any, image: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o444)
    options = {
        "environment": {"POSTGRES_PASSWORD_FILE": "/secret", "POSTGRES_INITDB_ARGS": "--no-sync"},
        "volumes": {str(secret): {"bind": "/secret", "mode": "ro"}},
    }
    with _container(engine, image, [], **options) as container:
        _wait(container)


def test_other_commands_run_as_they_are(engine: Any, image: str) -> None:
    major = image.rpartition(":")[2]
    for command in (["--version"], ["postgres", "-V"], ["psql", "--version"]):
        with _container(engine, image, command, environment={}) as container:
            code, log = _ended(container)
        assert (code, f"(PostgreSQL) {major}." in log) == (0, True), log


def test_testcontainers_starts_it_like_the_official_image(
    engine: Any, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)  # its image is not here
    started = PostgresContainer(image, username="app", password="p w", dbname="shop", driver=None)
    with started.with_command("-c fsync=off") as postgres:
        host, port = postgres.get_container_host_ip(), postgres.get_exposed_port(5432)
        with psycopg.connect(
            host=host, port=port, user="app", password="p w", dbname="shop"
        ) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        postgres.get_docker_client().client.close()


def _docker_engine(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci" / "docker-engine"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_docker_engine_leaves_a_running_engine_alone(engine: Any) -> None:
    result = _docker_engine()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_docker_engine_starts_none_in_place_of_the_one_that_was_named() -> None:
    result = _docker_engine(DOCKER_HOST="tcp://127.0.0.1:1")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        ".ci/docker-engine: no Docker engine: DOCKER_HOST names an engine that does not answer"
    )
