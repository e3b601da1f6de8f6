"""Implementations that are bad company: they hang, die, or take the server along."""

from __future__ import annotations

import os
import time

import psutil
import psycopg

from verifier.contract import Claim
from verifier.implementations.base import Backup, Endpoint
from verifier.implementations.row_by_row import RowByRow


class Bad(RowByRow):
    """Restores as it should, unless the target has a certain table."""

    def restore(self, backup: Backup, target: Endpoint) -> Claim:
        with psycopg.connect(target.dsn.conninfo) as session:
            query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
            (number,) = session.execute(query).fetchone() or (0,)
        if number:
            self.misbehave(target)
        return super().restore(backup, target)

    def misbehave(self, target: Endpoint) -> None:
        raise NotImplementedError


class Hangs(Bad):
    """It never ends where there is a foreign key."""

    name = "hangs"

    def misbehave(self, target: Endpoint) -> None:
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                continue


class Dies(Bad):
    """It ends the process that it runs in."""

    name = "dies"

    def misbehave(self, target: Endpoint) -> None:
        os._exit(3)


class CrashesTheServer(Bad):
    """It kills the server as a lack of memory would."""

    name = "crashes-the-server"

    def misbehave(self, target: Endpoint) -> None:
        port = int(target.dsn.parameters["port"])
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres" and _listens(process, port):
                process.kill()
                process.wait(10)


def _listens(process: psutil.Process, port: int) -> bool:
    return f"--port={port}" in process.cmdline()
