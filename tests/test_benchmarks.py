"""The benchmarks run to their end and get right answers; how long they take is not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_every_contender_but_the_peer_gives_the_right_answer_in_every_state(tmp_path):
    out = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "diff.py"
    sizes = ["--rows", "2000", "--keys", "text,integer", "--rounds", "1"]
    run = subprocess.run(
        [sys.executable, script, *sizes, "--without-peer", "--out", out],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    timings = json.loads(out.read_text())["timings"]
    assert [each["wrong"] for each in timings] == [""] * len(timings)
    raced = {(each["key"], each["state"], each["contender"]) for each in timings}
    assert len(raced) == len(timings) == 2 * 4 * 3
    for each in timings:
        assert 1e7 < each["peak"] < 150e6
        assert len(each["seconds"]) == 1
    assert "NO ANSWER" not in run.stdout
    assert "2,000 rows, integer key" in run.stdout


@pytest.fixture
def benchmark_modules(monkeypatch):
    """The benchmark's modules as it imports them."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return lambda name: pytest.importorskip(name)


def restore(*arguments, cwd, **environ):
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "restore.py", *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_every_restorer_restores_the_shop_and_what_can_be_repeated_once_more(tmp_path):
    out = tmp_path / "figures.json"
    sizes = ["--rows", "1000,2000", "--rounds", "1"]
    run = restore(*sizes, "--out", out, cwd=tmp_path, TMPDIR=str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    timings = json.loads(out.read_text())["timings"]
    assert [each["wrong"] for each in timings] == [""] * len(timings)
    raced = {(each["rows"], each["restorer"], each["again"]) for each in timings}
    assert len(raced) == len(timings) == 2 * (6 + 4)
    for each in timings:
        assert 1e6 < each["client"] < 200e6
        assert len(each["seconds"]) == len(each["cpu"]) == 1
    assert "FAILED" not in run.stdout
    assert "not measured" not in run.stdout
    assert "time for a row, 2,000 rows against 1,000" in run.stdout
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_a_program_that_fails_is_told_and_the_others_go_on(tmp_path):
    """A directory in the place of the home of ``restore-verifier`` lets every start of it fail."""
    (tmp_path / "verifier").mkdir()
    (tmp_path / "verifier" / "__init__.py").write_text("raise SystemExit('not today')")
    out = tmp_path / "figures.json"


def test_an_upsert_ends_where_its_insert_ends(tmp_path, benchmark_modules):
    dump, file = tmp_path / "inserts.sql", tmp_path / "upserts.sql"
    head = 'INSERT INTO public.shop (id, "isOpen", name) VALUES '
    dump.write_text(
        "SET row_security = off;\n"
        f"{head}('a', true, 'it''s);\nnot over);\n');\n"
        f"{head}('b', false, NULL);\n"
        "SELECT pg_catalog.setval('s', 1);\n"
    )
    benchmark_modules("upserts").write(dump, file)
    clause = ' ON CONFLICT (id) DO UPDATE SET "isOpen" = EXCLUDED."isOpen", name = EXCLUDED.name;\n'
    assert file.read_text() == (
        "SET row_security = off;\n"
        f"{head}('a', true, 'it''s);\nnot over);\n'){clause}"
        f"{head}('b', false, NULL){clause}"
        "SELECT pg_catalog.setval('s', 1);\n"
    )
