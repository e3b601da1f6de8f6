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
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(None, "it may not be written to", str(path))
        return
    if path.is_dir():
        raise IsADirectoryError(None, "it is a directory", str(path))
    trial = _beside(path)
    os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    os.unlink(trial)
    path.unlink(missing_ok=True)


def write(text: str, path: Path) -> None:
    """Write ``text`` at once: a reader of ``path`` sees the old file or the whole new one.

    Raises :class:`OSError` when ``path`` cannot be written.
    """
    if _is_special(path):  # a terminal, a pipe, /dev/null: not to be replaced by a file
        path.write_text(text, "utf-8", errors="backslashreplace")
        return
    name = _beside(path)
    try:
        with open(name, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _beside(path: Path) -> Path:
    """A new name in the same directory, and thus on the same file system."""
    return path.with_name(f".restore-verifier-{secrets.token_hex(8)}")
