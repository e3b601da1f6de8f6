"""Run one command; tell how long it took and how much memory it had, as JSON in a file.

    python -I -S stopwatch.py REPORT SECONDS BYTES COMMAND...

A small process of its own, because Linux counts the memory of the process that starts a
command into the command's peak.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time


def main(report: str, seconds: str, memory: str, *command: str) -> None:
    """End ``command`` after ``seconds``; let it have ``memory`` bytes of address space (0: any)."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        if int(memory):
            resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
        os.execvp(command[0], command)
    overdue = False

    def end(*_: object) -> None:
        nonlocal overdue
        overdue = True
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    try:
        _, status, usage = os.wait4(child, 0)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGKILL)
        raise
    found = {
        "seconds": time.monotonic() - began,
        "peak": usage.ru_maxrss * 1024,  # Linux tells kilobytes
        "cpu": usage.ru_utime + usage.ru_stime,
        "exit_code": os.waitstatus_to_exitcode(status),
        "overdue": overdue,
    }
    with open(report, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
