"""A small file system for a server, which can be filled to the last byte (Linux, as root)."""

from __future__ import annotations

import subprocess
from pathlib import Path

MEGABYTES = 16
"""Of the small file system of a server."""
_MOUNTS = Path("/proc/self/mounts")


def mount(place: Path, uid: int, gid: int) -> bool:
    """Mount a file system in memory at ``place``, owned by ``uid``; whether that worked."""
    options = f"size={MEGABYTES}m,mode=0700,uid={uid},gid={gid}"
    command = ["mount", "-t", "tmpfs", "-o", options, "restore-verifier", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def release(directory: Path) -> None:
    """Take away every file system that is mounted below ``directory``."""
    try:
        mounts = _MOUNTS.read_text().splitlines()
    except OSError:
        return
    for line in mounts:
        place = line.split(" ")[1].encode().decode("unicode_escape")  # \040 for a space
        if place.startswith(f"{directory}/"):
            subprocess.run(["umount", place], capture_output=True, check=False)
