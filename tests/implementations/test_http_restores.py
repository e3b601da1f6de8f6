"""Backups and restores over HTTP as they are configured, against peers that answer as told."""

from __future__ import annotations

import base64
import json
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.implementations.peers import Reply, answer, serving
from tests.implementations.test_process import gone
from verifier.contract import Claim, Merge, Rejection
from verifier.dsn import Dsn
from verifier.errors import BackupError
from verifier.implementations import Backup, Endpoint, Implementation, implementation
from verifier.implementations.http.services import free_ports
from verifier.settings import Definitions

TOKEN = "sesame-5417"
PASSWORD = "pass word"
AUTHORIZED = 'headers = { Authorization = "Bearer {env.SHOP_TOKEN}" }'
REQUEST = 'request = { method = "POST", url = "{shop.url}/restore", body-file = "{backup}" }\n'
CLAIM = """
[restore.claim]
success = { path = "$.success", values = [true] }
message = "$.error.message"
"""
Make = Callable[[str], Implementation]
Restored = Callable[..., Claim]


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)


@pytest.fixture
def endpoint(tmp_path: Path) -> Endpoint:
    """Nobody is there: what is tested here asks no database."""
    workdir = tmp_path / "work"
    workdir.mkdir()
    url = f"postgresql://app:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{free_ports(1)[0]}/shop"
    return Endpoint(Dsn.parse(url), 18, workdir)


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """``made(text)``: the implementation whose table is ``text``."""

    def make(text: str) -> Implementation:
        table = tomllib.loads(text)
        file = str(tmp_path / "restore-verifier.toml")
        return implementation("shop", Definitions({"shop": table}, file=file, directory=tmp_path))

    return make


@pytest.fixture
def restored(made: Make, endpoint: Endpoint, tmp_path: Path) -> Restored:
    """``restored(restore, *replies)``: the claim after such replies, and what was asked."""
    backup = tmp_path / "backup.sql"
    backup.write_bytes(b"COPY t FROM stdin;\n\\.\n")

    def restore(text: str, *replies: Reply) -> tuple[Claim, list[bytes]]:
        with serving(*replies) as peer:
            whole = f'backup = "initial-load"\n[services.shop]\nurl = "{peer.url}"\n[restore]\n'
            claim = made(whole + text).restore(Backup((backup,)), endpoint)
            return claim, peer.requests

    return restore


# -- the claim --------------------------------------------------------------------------------


def test_the_status_code_alone_is_the_claim_where_nothing_else_is_said(restored: Restored) -> None:
    claim, (request,) = restored(REQUEST, answer(200, {"success": False}))
    assert claim == Claim(success=True, message='HTTP 200 OK: {"success": false}')
    assert request.startswith(b"POST /restore HTTP/1.1")
    assert request.endswith(b"\r\n\r\nCOPY t FROM stdin;\n\\.\n")


def test_an_error_of_http_is_a_failure_in_the_words_of_the_answer(restored: Restored) -> None:
    body = {"error": {"message": "products: products_category is broken"}, "success": True}
    claim, _ = restored(REQUEST + CLAIM, answer(409, body))
    assert not claim.success
    assert claim.exit_code is None
    assert claim.message.startswith("HTTP 409 Conflict: POST http://127.0.0.1:")
    assert claim.message.endswith("/restore was refused: products: products_category is broken")


def test_an_error_page_is_a_failure_as_well(restored: Restored) -> None:
    claim, _ = restored(REQUEST + CLAIM, answer(502, b"<h1>Bad Gateway</h1>"))
    assert (claim.success, claim.message.rpartition(": ")[2]) == (False, "<h1>Bad Gateway</h1>")


@pytest.mark.parametrize(
    ("body", "success", "said"),
    [
        ({"success": True}, True, "HTTP 200 OK: "),
        (
            {"success": False, "error": {"message": "no room"}},
            False,
            "HTTP 200 OK: $.success is False: no room",
        ),
        ({"success": "true"}, False, "HTTP 200 OK: $.success is 'true': "),
        ({"success": 1}, False, "HTTP 200 OK: $.success is 1: "),
        ({"done": True}, False, "HTTP 200 OK: $.success finds nothing in it: "),
        ([], False, "HTTP 200 OK: $.success finds nothing in it: []"),
    ],
)
def test_a_200_is_what_its_document_says(
    restored: Restored, body: object, success: bool, said: str
) -> None:
    claim, _ = restored(REQUEST + CLAIM, answer(200, body))
    assert claim.success is success
    assert claim.message.startswith(said)


@pytest.mark.parametrize(("second", "success"), [("processed", True), ("failed", False)])
def test_every_value_at_the_path_has_to_be_right(
    restored: Restored, second: str, success: bool
) -> None:
    rule = '[restore.claim]\nsuccess = { path = "$.events[*].status", values = ["processed"] }'
    body = {"success": True, "events": [{"status": "processed"}, {"status": second}]}
    claim, _ = restored(REQUEST + rule, answer(200, body))
    assert claim.success is success


LISTS = """
[restore.claim]
rows = "$.transferred"
counts = { each = "$.tables.*", inserted = "$.new", unchanged = "$.old" }
[restore.claim.rejections]
each = "$.errors[*]"
table = "$.model"
reason = "$.why"
constraint = "$.rule"
[restore.claim.rejections.key]
id = "$.row"
[restore.claim.merges]
each = "$.twins[*]"
table = "$.model"
key = "$.row"
survivor = "$.stays"
"""


def test_counts_rejections_and_merges_are_read_by_their_paths(restored: Restored) -> None:
    body = {
        "transferred": 5,
        "tables": {"products": {"new": 2, "old": 1}, "categories": {"new": 2}},
        "errors": [{"model": "products", "row": 7, "why": "no parent", "rule": "products_fkey"}],
        "twins": [{"model": "categories", "row": {"id": "a"}, "stays": {"id": "b"}}],
    }
    claim, _ = restored(REQUEST + LISTS, answer(200, body))
    assert claim.success
    assert claim.figures == {
        "": {"rows": 5},
        "products": {"inserted": 2, "unchanged": 1},
        "categories": {"inserted": 2},
    }
    assert claim.rejections == (
        Rejection(
            table="products", key={"id": "7"}, reason="no parent", constraint="products_fkey"
        ),
    )
    assert claim.merges == (Merge(table="categories", key={"id": "a"}, survivor={"id": "b"}),)


def test_an_error_of_http_may_list_what_was_rejected(restored: Restored) -> None:
    body = {"transferred": 0, "errors": [{"model": "products", "row": 7, "why": "no parent"}]}
    claim, _ = restored(REQUEST + LISTS, answer(422, body))
    assert not claim.success
    assert claim.rejections is not None
    assert claim.rejections[0].key == {"id": "7"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "answered HTTP 200 OK with something other than JSON"),
        ({}, "cannot be read: 0 values at $.transferred, and no number"),
        ({"transferred": -1}, "cannot be read: rows is -1; write a whole number"),
        ({"transferred": 1, "errors": [{}]}, "cannot be read: rejections[0] has no reason"),
    ],
)
def test_a_claim_that_cannot_be_read_is_a_failure(
    restored: Restored, body: object, said: str
) -> None:
    claim, _ = restored(REQUEST + LISTS, answer(200, body))
    assert not claim.success
    assert said in claim.message


def test_an_answer_may_hold_a_claim_as_our_own_restore_writes_it(restored: Restored) -> None:
    said = {"success": False, "message": "rejected", "tables": {"t": {"rejected": 1}}, "rows": 0}
    rule = '[restore.claim]\ndocument = "$.claim"'
    claim, _ = restored(REQUEST + rule, answer(200, {"claim": said}))
    assert (claim.success, claim.message) == (False, "HTTP 200 OK: rejected")
    assert claim.figures == {"": {"rows": 0}, "t": {"rejected": 1}}


# -- one request after the other ---------------------------------------------------------------

STEPS = f"""
timeout = 5
[restore.upload]
url = "{{shop.url}}/backups"
{AUTHORIZED}
json = {{ name = "backup.sql", parts = [{{ data = "{{backup.base64}}" }}], force = true }}
[restore.start]
url = "{{shop.url}}/restores"
json = {{ id = "{{upload.$.id}}", database = "{{target.dbname}}", text = "{{backup.text}}" }}
[restore.status]
url = "{{start.header.location}}"
params = {{ id = "{{upload.$.id}}" }}
every = 0.01
done = {{ path = "$.status", values = ["COMPLETED"] }}
failed = {{ path = "$.status", values = ["FAILED"] }}
[restore.result]
url = "{{shop.url}}/results/{{upload.$.id}}?of={{start.status}}"
"""


def test_each_request_is_filled_from_the_answers_before_it(restored: Restored) -> None:
    claim, asked = restored(
        STEPS + CLAIM,
        answer(201, {"id": "a/b?c d"}),
        answer(202, b"", {"Location": "/restores/77"}),
        answer(200, {"status": "RUNNING"}),
        answer(200, {"status": "COMPLETED"}),
        answer(200, {"success": True}),
    )
    assert claim == Claim(success=True, message='HTTP 200 OK: {"success": true}')
    upload, start, first, second, result = asked
    assert f"authorization: Bearer {TOKEN}".encode() in upload
    assert json.loads(upload.partition(b"\r\n\r\n")[2]) == {
        "name": "backup.sql",
        "parts": [{"data": base64.b64encode(b"COPY t FROM stdin;\n\\.\n").decode()}],
        "force": True,
    }
    assert json.loads(start.partition(b"\r\n\r\n")[2]) == {
        "id": "a/b?c d",
        "database": "shop",
        "text": "COPY t FROM stdin;\n\\.\n",
    }
    assert first.startswith(b"GET /restores/77?id=a%2Fb%3Fc+d HTTP/1.1")
    assert second == first
    assert result.startswith(b"GET /results/a%2Fb%3Fc%20d?of=202 HTTP/1.1")


BEGUN = (answer(201, {"id": "7"}), answer(202, b"", {"Location": "/restores/77"}))


def test_a_status_of_failure_is_a_failure_in_its_own_words(restored: Restored) -> None:
    body = {"status": "FAILED", "error": {"message": "products_category"}, "success": True}
    claim, asked = restored(STEPS + CLAIM, *BEGUN, answer(200, body))
    assert claim == Claim(
        success=False, message="HTTP 200 OK: $.status is 'FAILED': products_category"
    )
    assert len(asked) == 3


def test_a_restore_that_is_never_done_is_a_failure_with_its_last_status(
    restored: Restored,
) -> None:
    began = time.monotonic()
    steps = STEPS.replace("timeout = 5", "timeout = 1")
    claim, asked = restored(steps, *BEGUN, answer(200, {"status": "TRANSFERRING", "progress": 71}))
    assert not claim.success
    assert "did not come to an end within 1 s; its last answer was HTTP 200 OK" in claim.message
    assert '{"status": "TRANSFERRING", "progress": 71} ($.status is \'TRANSFERRING\')' in (
        claim.message
    )
    assert len(asked) > 3
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([answer(500, b"no disk")], "/backups was refused: no disk"),
        ([answer(200, {"name": 1})], "{upload.$.id} finds no single value in the answer to POST"),
        ([answer(200, {"id": {}})], "{upload.$.id} finds no single value in the answer to POST"),
        ([answer(200, b"<html>")], "with something other than JSON"),
        ([answer(200, {"id": 1}), answer(202, {})], "{start.header.location} finds no single"),
        ([*BEGUN, answer(404, b"no such session")], "was refused: no such session"),
        ([*BEGUN, answer(200, b"<html>")], "with something other than JSON"),
        ([*BEGUN, answer(200, {"status": "X"}), b""], "; the status before was HTTP 200 OK: "),
        ([*BEGUN, answer(200, {"status": "COMPLETED"}), b""], "the answer is not complete"),
    ],
)
def test_whatever_breaks_off_is_a_failure_that_says_where(
    restored: Restored, replies: list[Reply], said: str
) -> None:
    claim, _ = restored(STEPS, *replies)
    assert not claim.success
    assert said in claim.message


def test_a_service_that_cannot_be_reached_is_a_failure(made: Make, endpoint: Endpoint) -> None:
    port = free_ports(1)[0]
    shop = made(
        f'backup = "initial-load"\n[restore]\nrequest = {{ url = "http://127.0.0.1:{port}/x" }}'
    )
    claim = shop.restore(Backup((endpoint.workdir / "backup.sql",)), endpoint)
    assert not claim.success
    assert f"tried GET http://127.0.0.1:{port}/x: no connection could be made" in claim.message


def test_a_backup_of_several_files_is_not_sent_in_part(made: Make, endpoint: Endpoint) -> None:
    shop = made('backup = "initial-load"\n[restore]\nrequest = { url = "http://127.0.0.1/x" }')
    claim = shop.restore(Backup((Path("a"), Path("b"))), endpoint)
    assert (claim.success, claim.message) == (
        False,
        "the backup has 2 files; over HTTP goes one alone",
    )


def test_a_form_and_a_header_that_would_break_the_request(
    restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", f"{TOKEN}\nX-Admin: 1")
    claim, asked = restored(f'[restore.request]\nurl = "{{shop.url}}"\n{AUTHORIZED}', b"")
    assert "the header authorization would hold a line break" in claim.message
    assert TOKEN not in claim.message
    assert asked == []


# -- secrets ------------------------------------------------------------------------------------


def test_a_token_is_in_no_claim_whoever_says_it(restored: Restored) -> None:
    body = {
        "success": True,
        "errors": [{"model": "t", "row": 1, "why": f"token {TOKEN} is known"}],
        "transferred": 1,
    }
    text = f'[restore.request]\nurl = "{{shop.url}}/?key={{env.SHOP_TOKEN}}"\n{AUTHORIZED}\n'
    claim, (request,) = restored(text + LISTS, answer(200, body))
    assert request.count(TOKEN.encode()) == 2
    assert TOKEN not in repr(claim)
    assert "token **** is known" in repr(claim)
    refused, _ = restored(text, answer(401, f"Bearer {TOKEN} expired".encode()))
    assert TOKEN not in repr(refused)


def test_a_password_that_a_service_tells_stays_in_its_claim_for_the_judge(
    restored: Restored,
) -> None:
    text = '[restore.request]\nurl = "{shop.url}"\njson = { url = "{target.url}" }'
    claim, (request,) = restored(text, answer(500, f"cannot log in with {PASSWORD}".encode()))
    assert b"pass%20word" in request
    assert PASSWORD in claim.message


def test_a_password_in_a_url_is_not_told_by_us(restored: Restored) -> None:
    text = 'request = { url = "{shop.url}", params = { dsn = "{target.url}" } }'
    claim, (request,) = restored(text, answer(500, b"no"))
    assert b"pass%2520word" in request
    assert "pass" not in claim.message


# -- backups ------------------------------------------------------------------------------------

BACKUP = 'restore = "initial-load"\n[services.shop]\nurl = "%s"\n[backup]\n'


def backed_up(made: Make, endpoint: Endpoint, text: str, *replies: Reply) -> bytes:
    with serving(*replies) as peer:
        (path,) = made(BACKUP % peer.url + text).backup(endpoint).files
    assert path.parent == endpoint.workdir
    return path.read_bytes()


def test_the_answer_is_the_backup(made: Make, endpoint: Endpoint) -> None:
    text = 'request = { url = "{shop.url}/backup" }\nfile = "{workdir}/shop.sql"'
    content = b"\x00\xff" * 3_000_000
    assert backed_up(made, endpoint, text, answer(200, content)) == content
    assert (endpoint.workdir / "shop.sql").exists()


def test_the_backup_stands_in_a_document(made: Make, endpoint: Endpoint) -> None:
    text = 'request = { url = "{shop.url}/backup" }\nmember = "$.file.data"'
    content = b"\x00\xff" * 3_000_000  # more than a document about a restore may have
    body = {"file": {"data": base64.b64encode(content).decode()}}
    assert backed_up(made, endpoint, text, answer(200, body)) == content


def test_a_backup_is_had_when_it_is_done(made: Make, endpoint: Endpoint) -> None:
    text = """
        start = { method = "POST", url = "{shop.url}/exports" }
        result = { url = "{shop.url}/exports/{start.$.id}/file" }
        [backup.status]
        url = "{shop.url}/exports/{start.$.id}"
        every = 0.01
        done = { path = "$.ready", values = [true] }
    """
    replies = (answer(202, {"id": 7}), answer(200, {"ready": False}), answer(200, {"ready": True}))
    assert backed_up(made, endpoint, text, *replies, answer(200, b"rows")) == b"rows"


@pytest.mark.parametrize(
    ("more", "reply", "said"),
    [
        ("", answer(503, b"later"), "/backup was refused: HTTP 503 Service Unavailable: later"),
        ("", answer(200, b""), "/backup answered HTTP 200 OK with nothing"),
        ("", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "the answer is not complete"),
        ('member = "$.data"', answer(200, {"date": ""}), "answered without a text at $.data"),
        ('member = "$.data"', answer(200, {"data": "\u00e9"}), "at $.data is no base64"),
        ('member = "$.data"', answer(200, b"<html>"), "with something other than JSON"),
        ('file = "{workdir}/no/place"', answer(200, b"rows"), "cannot be written: No such file"),
    ],
)
def test_what_is_no_backup_is_an_error_that_says_why(
    made: Make, endpoint: Endpoint, more: str, reply: Reply, said: str
) -> None:
    text = f'request = {{ url = "{{shop.url}}/backup" }}\n{more}'
    with pytest.raises(BackupError) as caught:
        backed_up(made, endpoint, text, reply)
    assert said in str(caught.value)


# -- services -----------------------------------------------------------------------------------

SERVED = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = "DATABASE_URL PGPASSWORD PGSERVICE SIDE PEER RESTORE_VERIFIER_CALL".split()
        seen = {name: os.environ.get(name) for name in names}
        body = json.dumps({"pid": os.getpid(), **seen}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.mark.slow
def test_a_service_lives_in_the_calls_that_speak_of_it_with_the_database_of_the_call(
    made: Make, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_VERIFIER_CALL", "c1")
    monkeypatch.setenv("PGSERVICE", "production")
    (tmp_path / "server.py").write_text(SERVED)
    command = json.dumps([sys.executable, "{directory}/server.py"])
    shop = made(f"""
        backup = {{ request = {{ url = "{{sender.url}}/backup" }} }}
        restore = {{ request = {{ url = "{{receiver.url}}/restore" }} }}
        [services.sender]
        command = {command}
        environment = {{ PORT = "{{sender.port}}", SIDE = "{{source.dbname}}" }}
        [services.receiver]
        command = {command}
        environment.PORT = "{{receiver.port}}"
        environment.SIDE = "{{database.port}}"
        environment.PEER = "{{side.url}}"
        [services.side]
        command = {command}
        environment = {{ PORT = "{{side.port}}" }}
    """)
    backup = shop.backup(endpoint)
    told = json.loads(backup.files[0].read_text())
    assert (told["SIDE"], told["PEER"]) == ("shop", None)
    assert told["RESTORE_VERIFIER_CALL"] == "c1"
    assert (told["DATABASE_URL"], told["PGPASSWORD"]) == (endpoint.dsn.url, PASSWORD)
    assert told["PGSERVICE"] is None
    assert gone(told["pid"])
    claim = shop.restore(backup, endpoint)
    assert claim.success, claim.message
    told = json.loads(claim.message.removeprefix("HTTP 200 OK: "))
    assert told["SIDE"] == endpoint.dsn.parameters["port"]
    assert told["PEER"].startswith("http://127.0.0.1:")
    assert gone(told["pid"])


def test_a_service_that_does_not_start_is_a_failure_of_its_call(
    made: Make, endpoint: Endpoint
) -> None:
    shop = made("""
        backup = { request = { url = "{receiver.url}/backup" } }
        restore = { request = { url = "{receiver.url}/restore" } }
        [services.receiver]
        command = ["sh", "-c", "echo no licence for {database.dbname} >&2; exit 4"]
    """)
    said = "the service receiver ended with exit code 4 (it printed last: no licence for shop)"
    with pytest.raises(BackupError, match="exit code 4") as caught:
        shop.backup(endpoint)
    assert str(caught.value) == f"{said} before it was ready"
    claim = shop.restore(Backup((endpoint.workdir / "backup.sql",)), endpoint)
    assert (claim.success, claim.message) == (False, f"{said} before it was ready")
