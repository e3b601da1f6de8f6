"""A small application with a backup and restores over HTTP, much like one from the field.

``python sync_service.py``, with ``PORT``, ``DATABASE_URL`` and ``SYNC_TOKEN`` in the environment.
Nothing in it knows that it is under test. One of its two restores is right. The other one takes
record after record, catches every error, and answers 200 OK whatever became of them.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

DATABASE_URL, TOKEN = os.environ["DATABASE_URL"], os.environ["SYNC_TOKEN"]
CONTROL = ("_prisma_migrations", "InitialLoadSessions")
FOLDER = tempfile.TemporaryDirectory()
sessions: dict[str, dict[str, Any]] = {}


def records() -> bytes:
    """Every row of every table, one JSON object a line; tables in the order of their names."""
    with psycopg.connect(DATABASE_URL) as database:
        found = database.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        lines = []
        for (table,) in found:
            if table not in CONTROL:
                rows = sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(table))
                lines += [
                    json.dumps({"table": table, "record": row}) for (row,) in database.execute(rows)
                ]
    return "\n".join(lines).encode()


def backup() -> bytes:
    """A backup with a manifest."""
    from verifier.dsn import Dsn
    from verifier.implementations import initial_load
    from verifier.transfer import BackupOptions

    path = Path(FOLDER.name) / "backup.sql"
    initial_load.backup(Dsn.parse(DATABASE_URL), path, BackupOptions(control_tables=CONTROL))
    return path.read_bytes()


def receive(lines: bytes) -> dict[str, Any]:
    """Write record after record; the caller is told of a success in any case."""
    events = []
    with psycopg.connect(DATABASE_URL, autocommit=True) as database:
        for number, line in enumerate(lines.splitlines()):
            change = json.loads(line)
            event = {"id": number, "status": "processed", "error": None}
            try:
                apply(database, change["table"], change["record"])
            except psycopg.Error as error:
                event |= {"status": "failed", "error": str(error)}
            events.append(event)
    return {"success": True, "processedCount": len(events), "processedEvents": events}


def apply(database: psycopg.Connection, table: str, record: dict[str, Any]) -> None:
    """An upsert by id."""
    columns = [sql.Identifier(column) for column in record]
    database.execute(
        sql.SQL(
            "INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb)"
            ' ON CONFLICT ("id") DO UPDATE SET ({columns}) = ROW ({values})'
        ).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(columns),
            values=sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(each) for each in columns),
        ),
        [json.dumps(record)],
    )


def restore(session: dict[str, Any]) -> None:
    """Restore the backup of a session: all or nothing."""
    from verifier.dsn import Dsn
    from verifier.implementations import initial_load
    from verifier.transfer import RestoreOptions

    session["status"] = "RESTORING"
    options = RestoreOptions(control_tables=CONTROL)
    claim = initial_load.restore(session["file"], Dsn.parse(DATABASE_URL), options)

    def model(table: str) -> str:
        return table.removeprefix("public.")

    session["result"] = {
        "success": claim.success,
        "error": {"message": claim.message},
        "tables": [
            {"name": model(name), "created": each.inserted, "changed": each.updated,
             "same": each.unchanged, "merged": each.merged, "refused": each.rejected}
            for name, each in (claim.counts or {}).items()
        ],
        "twins": [
            {"model": model(each.table), "row": dict(each.key), "stays": dict(each.survivor)}
            for each in claim.merges or ()
        ],
        "errors": [
            {"model": model(each.table), "row": dict(each.key), "why": each.reason,
             "rule": each.constraint}
            for each in claim.rejections or ()
        ],
    }  # fmt: skip
    session["status"] = "COMPLETED" if claim.success else "FAILED"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path.split("/")[1:]:
            case ["health"]:
                self.answer(200, {"status": "ok"})
            case _ if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.answer(401, {"error": {"message": "no token, no answer"}})
            case ["api", "backup"]:
                self.answer(200, backup(), "application/sql")
            case ["api", "records"]:
                self.answer(200, records(), "application/jsonl")
            case ["api", "sync", "sessions", name] if name in sessions:
                self.answer(200, {"status": sessions[name]["status"]})
            case ["api", "sync", "sessions", name, "result"] if name in sessions:
                result = sessions[name].get("result")
                self.answer(200 if result else 409, result or {"error": {"message": "not yet"}})
            case _:
                self.answer(404, {"error": {"message": f"there is no {self.path}"}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path.split("/")[1:]:
            case _ if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.answer(401, {"error": {"message": "no token, no answer"}})
            case ["api", "sync", "receive"]:
                self.answer(200, receive(body))
            case ["api", "sync", "receive-backup"]:
                given, name = json.loads(body), uuid.uuid4().hex
                file = Path(FOLDER.name) / name
                file.write_bytes(base64.b64decode(given["data"]))
                sessions[name] = {"status": "TRANSFERRED", "file": file}
                self.answer(201, {"session": {"sessionId": name}})
            case ["api", "sync", "restore-backup"]:
                session = sessions[json.loads(body)["sessionId"]]
                threading.Thread(target=restore, args=[session], daemon=True).start()
                self.answer(202, {"accepted": True})
            case _:
                self.answer(404, {"error": {"message": f"there is no {self.path}"}})

    def answer(self, status: int, body: object, kind: str = "application/json") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.serve_forever()
