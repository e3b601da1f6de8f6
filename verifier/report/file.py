"""The files that reports are written to: whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def prepare(path: Path) -> None:
    """See to it, before the work is done, that its outcome can be written to ``path``.

    An earlier outcome is removed: work that ends early must not leave it for its own.
    Raises :class:`OSError` when ``path`` cannot be written.
    """
    check(path)
    path = _place(path)
    if not _is_special(path):
        path.unlink(missing_ok=True)


def check(path: Path) -> None:
    """See whether ``path`` can be written to, and leave what is there.

    Raises :class:`OSError` when it cannot.
    """
    path = _place(path)
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(None, "it may not be written to", str(path))
        return
    if path.is_dir():
        raise IsADirectoryError(None, "it is a directory", str(path))
    trial = _beside(path)
    os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    os.unlink(trial)


def write(text: str, path: Path) -> None:
    """Write ``text`` at once: a reader of ``path`` sees the old file or the whole new one.

    Raises :class:`OSError` when ``path`` cannot be written.
    """
    path = _place(path)
    if _is_special(path):
        # Appended: /dev/stdout may be a file, with what was printed before in it.
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return
    name = _beside(path)
    try:
        with open(name, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def is_ordinary(path: Path) -> bool:
    """Whether ``path`` is, or can become, a file that another file may take the place of."""
    return not _is_special(_place(path))


def is_one(path: Path, other: Path) -> bool:
    """Whether what is written to the one would replace what is written to the other."""
    path, other = _place(path), _place(other)
    return path.resolve() == other.resolve() and not _is_special(path)


def _place(path: Path) -> Path:
    """Where the links from ``path`` lead, so that they stay; a process's open file stays as it is.

    ``/dev/stdout`` is a link to one of those (``/proc/self/fd/1``), whatever file is behind it.
    """
    seen = set()
    while path.is_symlink() and path not in seen and not _is_open_file(path):
        seen.add(path)
        path = path.parent / path.readlink()
    return path


def _is_open_file(path: Path) -> bool:
    return path.parent.resolve().is_relative_to("/proc")


def _is_special(path: Path) -> bool:
    """A terminal, a pipe, ``/dev/null``, a process's open file: not to be replaced by a file."""
    there = path.exists() and not path.is_dir()
    return there and (not path.is_file() or _is_open_file(path))


def _beside(path: Path) -> Path:
    """A new name in the same directory, and thus on the same file system."""
    return path.with_name(f".restore-verifier-{secrets.token_hex(8)}")
