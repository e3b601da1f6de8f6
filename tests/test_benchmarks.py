"""The benchmarks run to their end and get right answers; how long they take is not looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from verifier.servers import Side

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
    return import_module


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
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # the servers' account has to get through
        run = restore(*sizes, "--out", out, cwd=tmp_path, TMPDIR=place)
        left = [each.name for each in Path(place).glob("*benchmark*")]
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
    assert left == []


def spoilt(modules, monkeypatch, spoil):
    """The timings of two restorers of a COPY dump, once ``spoil`` has changed its bytes."""
    restorers, restoring = modules("restorers"), modules("restoring")
    back_up = restorers.back_up

    def made(source, backup, directory):
        file = back_up(source, backup, directory)
        file.write_bytes(spoil(file.read_bytes()))
        return file

    monkeypatch.setattr(restorers, "back_up", made)
    return lambda servers: restoring.Bench(
        servers, [restorers.COPY, restorers.OURS_COPY], 2, lambda words: None
    ).run(1000)


def test_a_restore_of_other_rows_is_a_failure_however_fast(servers, benchmark_modules, monkeypatch):
    def without_a_row(dump):
        return re.sub(rb"\n[^\n]*\tSKU-000000007\t[^\n]*", b"", dump, count=1)

    timings = spoilt(benchmark_modules, monkeypatch, without_a_row)(servers)
    assert timings[0].wrong == "product_variants has 799 rows of 800"
    assert timings[1].wrong == "product_variants has 799 rows of 800"
    assert [len(each.seconds) for each in timings] == [1, 1, 0]


def test_a_restore_of_other_values_is_a_failure_however_fast(
    servers, benchmark_modules, monkeypatch
):
    def with_another_price(dump):
        return re.sub(rb"(\tSKU-000000007\t[0-9]+)", rb"\g<1>1", dump, count=1)

    timings = spoilt(benchmark_modules, monkeypatch, with_another_price)(servers)
    assert timings[0].wrong == "product_variants has other rows than the source"
    assert timings[1].wrong == "product_variants has other rows than the source"


def test_a_program_that_fails_is_told_with_what_it_said(servers, benchmark_modules, monkeypatch):
    def unreadable(dump):
        return dump.replace(b"\tSKU-000000007\t", b"\tSKU-000000007\tmuch\t", 1)

    timings = spoilt(benchmark_modules, monkeypatch, unreadable)(servers)
    assert timings[0].wrong.startswith("exit code 3: ")
    assert "extra data after last expected column" in timings[0].wrong
    assert timings[1].wrong.startswith("exit code ")
    assert [each.median for each in timings] == [None] * 3


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


@pytest.mark.slow
def test_both_methods_of_an_initial_load_move_every_record_twice(tmp_path):
    out = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "record_by_record.py"
    run = subprocess.run(
        [sys.executable, script, "--products", "200", "--out", out],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    loads = json.loads(out.read_text())["loads"]
    assert [each["wrong"] for each in loads] == [""] * 4
    assert len({(each["method"], each["again"]) for each in loads}) == 4
    for each in loads:
        assert 1e6 < each["client"] < 200e6
        assert len(each["seconds"]) == 1
    assert "200 products, 1,600 records" in run.stdout


def test_a_record_that_the_receiver_refuses_ends_the_load(servers, benchmark_modules):
    goods, records = benchmark_modules("goods"), benchmark_modules("records")
    bench = benchmark_modules("record_by_record")
    source = servers.databases(Side.SOURCE).create("benchmark")
    target = servers.databases(Side.TARGET).create("benchmark")
    for database in (source, target):
        goods.create(database)
    goods.fill(source, 1000)
    target.execute("ALTER TABLE business_products ADD CHECK (slug <> 'product-7')")
    (command,) = bench._commands(bench.BY_RECORD, source, target, Path())
    finished = benchmark_modules("measuring").measure(*command)
    assert finished.exit_code == 1
    assert "business_products_slug_check" in finished.stderr
    assert records.TARGET in command[1], "not in the arguments, which everybody can read"
    assert target.execute("SELECT count(*) FROM business_products") < [(200,)]
