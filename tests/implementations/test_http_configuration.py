"""What cannot be right in the configuration of a service is refused when it is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.implementations.configuring import configured, listed
from tests.implementations.test_http_verdicts import DOCUMENT
from verifier.errors import UsageError

PAGE = DOCUMENT.read_text()
ACME = '[implementations.acme]\nbackup = "initial-load"\n'
RESTORE = ACME + "[implementations.acme.restore]\n"
REQUEST = RESTORE + 'request = { url = "http://h/x" }\n'
SHOP = '[implementations.acme.services.shop]\ncommand = "sleep 9"\n'
ASKED = RESTORE + 'request = { url = "{shop.url}/x" }\n'
POLLED = RESTORE + 'start = { url = "http://h/x" }\n[implementations.acme.restore.status]\n'
BOTH = (
    '[implementations.acme]\nbackup = { request = { url = "{shop.url}" } }\n'
    'restore = { request = { url = "{shop.url}" } }\n'
)
BACKUP = '[implementations.acme]\nrestore = "initial-load"\n[implementations.acme.backup]\n'


def refused(directory: Path, toml: str) -> str:
    with pytest.raises(UsageError) as caught:
        configured(directory, toml)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (RESTORE + 'request = { method = "POST" }', "has no url; write url ="),
        (RESTORE + 'request = { url = "h:80/x" }', "is 'h:80/x'; begin it with http://, https://"),
        (
            RESTORE + 'request = { url = "http://h", method = "PSOT" }',
            "is 'PSOT' (did you mean POST?); choose from GET, POST",
        ),
        (
            RESTORE + 'request = { url = "http://h", headres = {} }',
            "unknown key headres in [implementations.acme.restore.request]",
        ),
        (
            RESTORE + 'request = { url = "http://h", body = "x", json = {} }',
            "has body and json; a request carries one of them",
        ),
        (
            RESTORE + 'request = { url = "http://h", files = { f = "x" }, json = {} }',
            "has json and files; a request carries one of them",
        ),
        (
            RESTORE + 'request = { url = "http://h", json = { at = 2025-01-01 } }',
            "is 2025-01-01, which JSON does not have; give it as text",
        ),
        (
            REQUEST + 'start = { url = "http://h" }',
            "has a request beside start; request stands for the only one, call it start",
        ),
        (
            RESTORE + 'request = { url = "{target.dns}" }',
            "has the unknown placeholder {target.dns} (did you mean target.dsn?)",
        ),
        (RESTORE + 'request = { url = "{source.url}" }', "unknown placeholder {source.url}"),
        (
            RESTORE + 'request = { url = "{env.NO_SUCH_TOKEN}" }',
            "asks for the environment variable NO_SUCH_TOKEN, which is unset",
        ),
        (
            RESTORE + 'start = { url = "http://h/{status.$.id}" }',
            "unknown placeholder {status.$.id}",
        ),
        (
            RESTORE + 'start = { url = "http://h" }\nresult = { url = "http://h/{start.$.[}" }',
            "{start.$.[} is '$.[', which is no JSON path",
        ),
        (
            RESTORE + 'start = { url = "http://h" }\nresult = { url = "http://h/{start.sate}" }',
            "unknown placeholder {start.sate}",
        ),
        (POLLED + 'url = "http://h"', "has no done; write done ="),
        (
            POLLED + 'url = "http://h"\ndone = { path = "$.s" }',
            "has no values; write values = [true], or texts",
        ),
        (
            POLLED + 'url = "http://h"\ndone = { path = "s", values = ["x"] }',
            "is 's', which is no JSON path",
        ),
        (
            POLLED + 'url = "http://h"\ndone = { path = "$.s", values = [{}] }',
            "give texts, numbers, true or false in a list",
        ),
        (REQUEST + 'claim = { sucess = "$.x" }', "unknown key sucess"),
        (REQUEST + 'claim = { message = "$..[" }', "is '$..[', which is no JSON path"),
        (
            REQUEST + 'claim = { document = "$.c", rows = "$.n" }',
            "has a document beside rows, counts, rejections or merges",
        ),
        (
            REQUEST + 'claim = { counts = { table = "$.t" } }',
            'has no each; write where they stand: each = "$.counts[*]"',
        ),
        (
            REQUEST + 'claim = { counts = { each = "$.t[*]", insert = "$.n" } }',
            "unknown key insert in [implementations.acme.restore.claim.counts]",
        ),
        (REQUEST + "timeout = 0", "is 0; give a number of seconds"),
        (BACKUP + 'request = { url = "http://h" }\nfile = "/tmp/b"', "name a place in the work"),
        (
            BACKUP + 'start = { url = "http://h" }\n[implementations.acme.backup.status]\n'
            'url = "http://h"\ndone = { path = "$.s", values = ["x"] }',
            "has a status and no result; say with result where the backup is to be had",
        ),
        (REQUEST + SHOP, "nothing speaks of the service shop"),
        (ASKED + SHOP.replace("shop", "shpo"), "unknown placeholder {shop.url} (did you mean shpo"),
        (ASKED + '[implementations.acme.services.shop]\nhealth = "http://h"', "has to have either"),
        (ASKED + SHOP + 'url = "http://h"', "has to have either a command that starts it, or the"),
        (ASKED + SHOP + "port = 70000", "is 70000; give a port, 1 to 65535"),
        (ASKED + SHOP + 'during = "restoring"', "is 'restoring' (did you mean restore?)"),
        (
            ASKED + SHOP + 'during = ["backup"]',
            "the restore needs the service shop, which is to live during backup",
        ),
        (
            BOTH + SHOP + 'environment = { URL = "{source.url}" }',
            "the service shop is needed during the restore and speaks of the source, which is out",
        ),
        (
            ASKED + SHOP.replace("sleep 9", "serve {target.url}"),
            "has {target.url} in its arguments, where everybody on the machine can read it",
        ),
        (ASKED + SHOP.replace("sleep", "no-such-program"), "there is no program no-such-program"),
        (ASKED + SHOP + "exit-codes = [0]", "unknown key exit-codes"),
        (
            REQUEST + '[implementations.acme.services.target]\ncommand = "sleep 9"',
            "has a service 'target'; give it a name",
        ),
        (
            RESTORE + 'request = { url = "{shop.port}" }\n'
            '[implementations.acme.services.shop]\nurl = "http://h"',
            "unknown placeholder {shop.port}",
        ),
        (
            ASKED + '[implementations.acme.services.shop]\nurl = "{shop.url}"',
            "url in [implementations.acme.services.shop] of",
        ),
    ],
)
def test_it_is_refused_with_its_place_and_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, said: str
) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    assert said in refused(tmp_path, toml)


@pytest.mark.parametrize(
    "table",
    [
        RESTORE + 'request = { url = "http://h", zzz = 1 }',
        POLLED + 'url = "http://h"\nzzz = 1\ndone = { path = "$.s", values = ["x"] }',
        POLLED + 'url = "http://h"\ndone = { path = "$.s", values = ["x"], zzz = 1 }',
        REQUEST + "zzz = 1",
        REQUEST + "claim = { zzz = 1 }",
        REQUEST + 'claim = { counts = { each = "$.t[*]", zzz = "$.n" } }',
        REQUEST + 'claim = { merges = { each = "$.t[*]", zzz = "$.n" } }',
        REQUEST + 'claim = { rejections = { each = "$.t[*]", zzz = "$.n" } }',
        BACKUP + 'request = { url = "http://h" }\nzzz = 1',
        ASKED + SHOP + "zzz = 1",
    ],
)
def test_every_key_that_is_known_is_told_in_the_document(tmp_path: Path, table: str) -> None:
    known = refused(tmp_path, table).partition("known here are ")[2].split(", ")
    assert len(known) > 1
    # What makes a half one of another kind is told elsewhere.
    told = [key for key in known if key not in ("command", "python", "implementation")]
    assert [key for key in told if f"`{key}`" not in PAGE and f"{key} = " not in PAGE] == []


def test_a_service_may_hold_its_own_address_and_secrets_in_its_environment(
    tmp_path: Path,
) -> None:
    shop = SHOP.replace("sleep 9", "sleep {shop.port} --at {shop.url} {database.dbname}")
    environment = 'environment = { URL = "{target.url}", DSN = "{database.dsn}" }'
    assert configured(tmp_path, ASKED + shop + environment).name == "acme"


def test_what_a_service_is_made_of_is_listed(tmp_path: Path) -> None:
    (tmp_path / "restore-verifier.toml").write_text(ASKED + SHOP)
    assert listed(tmp_path)["acme"] == "configured: initial-load, restored by http"


def test_without_its_libraries_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("verifier.implementations.http.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert "pip install 'restore-verifier[http]'" in refused(tmp_path, REQUEST)


def test_no_library_is_imported_where_no_service_is_configured(tmp_path: Path) -> None:
    (tmp_path / "restore-verifier.toml").write_text(ACME + 'restore = "initial-load"\n')
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.implementations.configuring import listed\n"
        f"listed(Path({str(tmp_path)!r}))\n"
        "assert not {'httpx', 'jsonpath'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
