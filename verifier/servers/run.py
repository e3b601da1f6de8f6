"""One directory for each run, held by a lock; a directory whose lock is free is a dead run's.

::

    <temporary directory, or memory>/restore-verifier-<uid>/
        sweep.lock       held while runs are created and swept, so that neither sees half a run
        identity         a random name for this directory: containers are labelled with it
        <run id>/
            lock         held (flock) by the run's process for as long as it lives
            source/ target/ …

The kernel frees the lock however the process ends, SIGKILL included, and no child
inherits it (Python opens files close-on-exec), so it is true where a pid could lie.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from verifier.errors import ServerUnavailable
from verifier.servers import disks, processes

_RUN_ID = re.compile(r"[0-9a-f]{12}")

# Root's servers run as another account, which has to pass through (not list).
_MODE = 0o711 if os.geteuid() == 0 else 0o700


def base_directory(place: Path | None = None) -> Path:
    """The directory of all runs of this user in ``place``, created if need be.

    ``place`` is the directory for temporary files unless given. Raises
    :class:`ServerUnavailable` if somebody else could have made or can change it.
    """
    place = place or Path(tempfile.gettempdir())
    base = Path(os.path.realpath(place)) / f"restore-verifier-{os.geteuid()}"
    try:
        base.mkdir()
        base.chmod(_MODE)  # whatever the umask says
    except FileExistsError:
        pass  # by an earlier run, or by somebody else: looked at below
    except OSError as error:
        raise ServerUnavailable(
            f"{base} is needed for the servers' data and cannot be made ({error.strerror}); "
            f"set TMPDIR to a directory of your own"
        ) from None
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode):
        fault = "is not a directory"
    elif found.st_uid != os.geteuid():
        fault = f"belongs to another user (uid {found.st_uid})"
    elif found.st_mode & 0o022:
        fault = "can be written to by other users"
    else:
        return base
    raise ServerUnavailable(
        f"{base} is needed for the servers' data but {fault}; "
        f"remove it, or set TMPDIR to a directory of your own"
    )


# Cloning a database writes some 300 small files: 10 ms in memory, 150 ms on a slow disk.
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made below it is checked like any other place


def _memory() -> Path | None:
    """The directory of all runs in memory, if there can be one."""
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None  # the user has said where
    try:
        flags = os.statvfs(_MEMORY).f_flag
        # Programs may have to be copied there, see Account.programs.
        return None if flags & (os.ST_NOEXEC | os.ST_RDONLY) else base_directory(_MEMORY)
    except (OSError, ServerUnavailable):
        return None


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@contextlib.contextmanager
def _sweeping(base: Path) -> Iterator[None]:
    handle = os.open(base / "sweep.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _taken(directory: Path) -> Iterator[bool]:
    """Whether the run's lock could be taken, which is to say: whether the run is dead."""
    try:
        handle = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(handle)


def _sweep(base: Path) -> None:
    for directory in base.iterdir():
        if _RUN_ID.fullmatch(directory.name):
            with _taken(directory) as dead:
                if dead:
                    processes.end(directory)
                    disks.release(directory)
                    # What cannot be removed now is tried again by the next run.
                    shutil.rmtree(directory, ignore_errors=True)


class Run:
    """A live run: its id and its directory. Creating one removes what dead runs left.

    ``room`` is the number of bytes that would do good to have in memory; with it, the
    directory is there if there is ample room.
    """

    def __init__(self, room: int | None = None) -> None:
        self._base = base_directory()
        memory = _memory()
        if memory is not None:
            with _sweeping(memory):
                _sweep(memory)
            if room is not None and _free(memory) >= 2 * room:
                self._base = memory
        with _sweeping(self._base):
            _sweep(self._base)
            self.identity = self._identify()
            self.id = secrets.token_hex(6)
            self.directory = self._base / self.id
            self.directory.mkdir()
            self.directory.chmod(_MODE)
            self._lock: int | None = os.open(
                self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _identify(self) -> str:
        name = self._base / "identity"
        if not name.exists():
            name.write_text(secrets.token_hex(16))
        return name.read_text()

    def make(self, name: str) -> Path:
        """A new directory of this run."""
        path = self.directory / name
        path.mkdir()
        path.chmod(_MODE)
        return path

    def dead(self, run_id: str) -> bool:
        """Whether a run of this base directory has ended."""
        if not _RUN_ID.fullmatch(run_id):
            return False
        with _taken(self._base / run_id) as free:
            return free

    def close(self) -> None:
        """End what still runs in the directory and remove it. Twice does no harm."""
        if self._lock is None:
            return
        processes.end(self.directory)
        disks.release(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)
        self._lock = None
