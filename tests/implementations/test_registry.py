"""Implementations by name: built in, installed, misspelt and broken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import verifier.implementations
from verifier.dsn import Dsn
from verifier.errors import BackupError, NotOffered, UsageError
from verifier.implementations import Backup, Endpoint, implementation, kinds, names
from verifier.implementations.faulty import FAULTY
from verifier.settings import Definitions

BUILT_IN = ("initial-load", "pg_dump", *FAULTY)
GOOD = """
class Acme:
    name = "acme"
    not_offered = {}
    def backup(self, source): ...
    def restore(self, backup, target): ...

def make(): return Acme()
ready = Acme()

class Half:
    name = "half"
    def backup(self, source): ...

class Costly(Acme):
    def __init__(self): raise RuntimeError("no ACME_URL in the environment")

class Ending(Acme):
    def __init__(self): raise SystemExit("acme: no licence")
"""
ACTING = """
class Acme:
    name, not_offered = "acme", {}
    def backup(self, source): %s
    def restore(self, backup, target): %s
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one module and its entry points on ``sys.path``."""

    def put(distribution: str, points: str, module: str = GOOD) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(f"[restore_verifier.implementations]\n{points}\n")
        (site / f"{distribution}_backups.py").write_text(module)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, f"{distribution}_backups", raising=False)

    return put


def test_the_built_in_names_come_first(install: Install) -> None:
    install("acme", "acme = acme_backups:Acme")
    assert names() == (*BUILT_IN, "acme")
    assert kinds(Definitions()) == dict.fromkeys(BUILT_IN, "built in") | {"acme": "installed"}


def test_a_configured_implementation_wins_over_an_installed_one(install: Install) -> None:
    install("acme", "acme = acme_backups:Half")
    definitions = Definitions({"acme": {"backup": "pg_dump", "restore": "initial-load"}})
    assert names(definitions) == (*BUILT_IN, "acme")
    assert kinds(definitions)["acme"] == "configured: pg_dump, restored by initial-load"


def test_every_faulty_implementation_has_a_prefix_and_a_class_of_its_own() -> None:
    assert all(name.startswith("faulty:") for name in FAULTY)
    assert len({faulty.home for faulty in FAULTY.values()}) == len(FAULTY)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_implementation_is_made_under_its_own_name(name: str) -> None:
    made = implementation(name)
    assert made.name == name
    assert not made.not_offered
    assert callable(made.backup)
    assert callable(made.restore)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, verifier.implementations as room\n"
        "room.names(); room.implementation('pg_dump')\n"
        "assert 'verifier.implementations.pg_dump' in sys.modules\n"
        "assert 'verifier.implementations.faulty.claims' not in sys.modules\n"
        "assert 'verifier.implementations.initial_load' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", ["Acme", "make", "ready"])
def test_an_entry_point_may_be_a_class_a_function_or_an_object(
    install: Install, value: str
) -> None:
    install("acme", f"acme = acme_backups:{value}")
    assert implementation("acme").name == "acme"


def test_a_built_in_implementation_cannot_be_replaced_by_installing_something(
    install: Install,
) -> None:
    install("acme", "pg_dump = acme_backups:Acme")
    assert names().count("pg_dump") == 1
    assert implementation("pg_dump").name == "pg_dump"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("initial_load", "initial-load"),
        ("pgdump", "pg_dump"),
        ("faulty:upsert-by-ids", "faulty:upsert-by-id"),
        ("swallow-error", "faulty:swallow-errors"),
        ("acne", "acme"),
    ],
)
def test_a_misspelt_name_gets_the_closest_one_suggested(
    install: Install, typed: str, meant: str
) -> None:
    install("acme", "acme = acme_backups:Acme")
    with pytest.raises(UsageError) as caught:
        implementation(typed)
    message = str(caught.value)
    assert f"no implementation {typed!r} (did you mean {meant!r}?)" in message
    assert all(name in message for name in names())


def test_a_faulty_name_cut_short_is_told_the_rest_and_no_module_alone() -> None:
    with pytest.raises(UsageError, match=r"\(did you mean 'faulty:upsert-by-id'\?\) cannot be"):
        implementation("faulty:upsert")


def test_a_name_like_no_other_gets_the_list_and_no_guess() -> None:
    with pytest.raises(UsageError, match=r"no implementation 'zzzzzzz'; choose one of: initial-"):
        implementation("zzzzzzz")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere_backups:Acme", "ModuleNotFoundError: No module named 'nowhere_backups'"),
        (
            "acme_backups:Nothing",
            "AttributeError: module 'acme_backups' has no attribute 'Nothing'",
        ),
        ("acme_backups:Costly", "RuntimeError: no ACME_URL in the environment"),
        ("acme_backups:Ending", "SystemExit: acme: no licence"),
        ("acme_backups:Half", "has no not_offered, restore"),
    ],
)
def test_a_broken_entry_point_is_reported_with_its_distribution(
    install: Install, value: str, said: str
) -> None:
    install("acme", f"acme = {value}")
    with pytest.raises(UsageError) as caught:
        implementation("acme")
    message = str(caught.value)
    assert "'acme'" in message
    assert f"distribution acme 1.2 ({value})" in message
    assert said in message


def test_a_module_that_cannot_be_imported_is_reported_with_its_distribution(
    install: Install,
) -> None:
    install("acme", "acme = acme_backups:Acme", module="import acme_driver_that_is_not_here")
    with pytest.raises(UsageError, match=r"distribution acme 1\.2 .*acme_driver_that_is_not_here"):
        implementation("acme")


ENDPOINT = Endpoint(Dsn.parse("host=db"), 18, Path())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "backup returned None; it has to return a verifier.Backup"),
        ("return 'backup.sql'", "backup returned a value of type str; it has to return"),
        ("raise ValueError('disk full')", "ValueError: disk full"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_slip_of_an_installed_backup_is_a_backup_that_failed(
    install: Install, body: str, said: str
) -> None:
    install("acme", "acme = acme_backups:Acme", module=ACTING % (body, "pass"))
    with pytest.raises(BackupError, match=said):
        implementation("acme").backup(ENDPOINT)


def test_what_an_installed_backup_does_not_offer_is_no_failure(install: Install) -> None:
    says = "import verifier; raise verifier.NotOffered('whole databases only')"
    install("acme", "acme = acme_backups:Acme", module=ACTING % (says, "pass"))
    with pytest.raises(NotOffered, match="whole databases only"):
        implementation("acme").backup(ENDPOINT)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "restore returned None; it has to return a verifier.Claim"),
        ("return 'restored'", "restore returned a value of type str; it has to return"),
        ("raise ValueError('disk full')", "disk full"),
        ("raise SystemExit(3)", "restore called for an exit with 3"),
    ],
)
def test_a_slip_of_an_installed_restore_is_an_error_of_the_restore(
    install: Install, body: str, said: str
) -> None:
    install("acme", "acme = acme_backups:Acme", module=ACTING % ("pass", body))
    with pytest.raises(Exception, match=said):
        implementation("acme").restore(Backup(()), ENDPOINT)


def test_a_name_that_two_distributions_offer_is_refused(install: Install) -> None:
    install("acme", "acme = acme_backups:Acme")
    install("apex", "acme = apex_backups:Acme")
    with pytest.raises(UsageError, match=r"distribution acme 1\.2 .* and distribution apex 1\.2"):
        implementation("acme")


def test_the_public_names_are_there() -> None:
    public = verifier.implementations.__all__
    assert set(public) == {
        "Backup",
        "Endpoint",
        "Implementation",
        "implementation",
        "kinds",
        "names",
    }
    assert all(hasattr(verifier.implementations, name) for name in public)
