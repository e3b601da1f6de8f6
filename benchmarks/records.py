"""The method that an initial load once had: an HTTP request for each record.

    BENCHMARK_SOURCE=... BENCHMARK_TARGET=... python benchmarks/records.py send
    BENCHMARK_TARGET=... python benchmarks/records.py receive

``send`` reads the shop's records, parents first, and posts each to a receiver that it starts;
that upserts it by its id, in a transaction of its own, and answers. Both keep their one
connection open, on one machine, so what is measured is the least that the method costs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import goods
import psycopg
from psycopg import sql

SOURCE, TARGET = "BENCHMARK_SOURCE", "BENCHMARK_TARGET"
"""Where the connection strings are: other users of the machine do not see the environment."""


def main() -> int:
    if sys.argv[1:] == ["receive"]:
        with psycopg.connect(os.environ[TARGET], autocommit=True) as connection:
            _receive(connection)
        return 0
    command = [sys.executable, Path(__file__), "receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        try:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            with psycopg.connect(os.environ[SOURCE]) as connection:
                return _send(connection, port)
        finally:
            receiver.terminate()


def _send(connection: psycopg.Connection, port: int) -> int:
    """Post every record; 1 where one was not taken, which is told."""
    http = HTTPConnection("127.0.0.1", port)
    for table in goods.TABLES:
        for record in _records(connection, table):
            body = json.dumps({"table": table, "record": record})
            http.request("POST", "/api/sync/receive", body, {"Content-Type": "application/json"})
            answer = http.getresponse()
            said = answer.read()
            if answer.status != 200:
                print(f"{table}: {said.decode()}", file=sys.stderr)
                return 1
    return 0


def _records(connection: psycopg.Connection, table: str) -> Iterator[dict[str, str | None]]:
    """The rows as PostgreSQL's own texts, which no JavaScript has rounded."""
    about = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
    names = [column.name for column in about.description or ()]
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
    with connection.cursor("records") as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(table)))
        for row in cursor:
            yield dict(zip(names, row, strict=True))


def _receive(connection: psycopg.Connection) -> None:
    """Serve on a free port, whose number is printed first, until it is ended."""

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                _upsert(connection, event["table"], event["record"])
            except psycopg.Error as error:
                self._answer(500, {"success": False, "error": str(error)})
            else:
                self._answer(200, {"success": True, "processed": 1})

        def _answer(self, status: int, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line for each of fifty thousand records helps nobody."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def _upsert(connection: psycopg.Connection, table: str, record: dict[str, str | None]) -> None:
    names = [sql.Identifier(name) for name in record]
    changes = [sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(sql.Placeholder() * len(names)),
            sql.SQL(", ").join(changes),
        ),
        list(record.values()),
    )


if __name__ == "__main__":
    sys.exit(main())
