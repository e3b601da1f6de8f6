"""The reports of a restore and of a backup: what they hold, and what they keep harmless."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.report import backup, restore, restore_json
from verifier.report.json import dumps
from verifier.report.text import plain
from verifier.transfer import BackedUp, Restored


def shown(claim: Claim, width: int = 100, **about) -> list[str]:
    restored = Restored(file="a.sql", target="postgresql://h/t", claim=claim, **about)
    found = plain(restore.lines(restored, width)).splitlines()
    assert all(line.isprintable() for line in found)
    assert all(len(line) <= width for line in found[3:-1])
    return found


def rejection(number: int, reason: str = "too long", constraint: str = "") -> Rejection:
    key = {"id": str(number)}
    return Rejection(table="public.tea", key=key, reason=reason, constraint=constraint)


def failed(*rejections: Rejection) -> Claim:
    return Claim(success=False, exit_code=1, message="no", rejections=rejections, merges=())


def test_a_table_of_numbers():
    counts = {"public.tea": Counts(inserted=12345, merged=1), 'public."a b"': Counts()}
    lines = shown(Claim(success=True, exit_code=0, message="done", counts=counts), seconds=2.04)
    assert lines[3:6] == [
        "inserted  updated  unchanged  merged  rejected  table",
        "  12,345        .          .       1         .  public.tea",
        '       .        .          .       .         .  public."a b"',
    ]
    assert lines[-1] == "RESTORED: done (2.0 s)"


@pytest.mark.parametrize(
    ("claim", "about", "word"),
    [
        (Claim(success=True, message="m"), {}, "RESTORED"),
        (Claim(success=True, message="m"), {"dry_run": True}, "DRY RUN"),
        (replace(failed(rejection(1)), success=True), {"quarantine": "q"}, "IN PART"),
        (replace(failed(rejection(1)), success=True), {"dry_run": True}, "DRY RUN"),
        (failed(rejection(1)), {}, "REJECTED"),
        (failed(rejection(1)), {"dry_run": True}, "REJECTED"),
        (failed(), {}, "FAILED"),
        (Claim(success=False, exit_code=2, message="m"), {"dry_run": True}, "FAILED"),
    ],
)
def test_the_last_line_begins_with_what_it_came_to(claim, about, word):
    lines = shown(claim, **about)
    assert lines[-1].startswith(f"{word}: ")


def test_what_to_do_about_rejected_rows():
    def advised(claim: Claim, **about) -> str:
        return restore.advice(Restored(file="a", target="t", claim=claim, **about))

    kept = replace(failed(rejection(1)), success=True)
    assert advised(failed()) == advised(Claim(success=True)) == ""
    assert "set them aside with --quarantine" in advised(failed(rejection(1)))
    assert advised(kept, quarantine="q") == "mend them in that file, and restore it"
    assert "leave --dry-run out" in advised(kept, dry_run=True)


def test_a_claim_without_words_is_summed_up():
    counts = {"a": Counts(inserted=2), "b": Counts(inserted=1, unchanged=4)}
    assert (
        "RESTORED: 2 tables: 3 inserted, 4 unchanged"
        in shown(Claim(success=True, counts=counts))[-1]
    )
    assert "nothing was said about it" in shown(Claim(success=False))[-1]


def test_the_first_merges_are_shown_by_table():
    merges = tuple(
        Merge(table=table, key={"id": str(n)}, survivor={"id": "0"}, constraint="tea_name")
        for table in ("public.cup", "public.tea")
        for n in range(1, 8)
    )
    lines = shown(Claim(success=True, message="m", merges=merges))
    assert "merged: 14 rows" in lines
    assert "    id = '7' -> id = '0'  (tea_name)" in lines
    assert sum(" -> " in line for line in lines) == 10
    assert "  and 4 more; --json FILE holds them all" in lines


def test_rejected_rows_are_grouped_by_their_cause():
    lines = shown(
        failed(
            rejection(1),
            rejection(2, "no parent 7", "tea_cup"),
            rejection(3),
            rejection(4, "no parent 8", "tea_cup"),
            rejection(5, "not null", "tea_nn"),
        )
    )
    start = lines.index("rejected: 5 rows")
    assert lines[start + 1 : start + 9] == [
        "  public.tea: too long: 2 rows",
        "    id = '1'",
        "    id = '3'",
        "  public.tea: tea_cup: 2 rows",
        "    id = '2': no parent 7",
        "    id = '4': no parent 8",
        "  public.tea: not null: tea_nn: 1 row",
        "    id = '5'",
    ]


def test_of_many_rejected_rows_the_first_are_shown_and_all_are_counted():
    rows = [rejection(n, f"no parent {n}", "tea_cup") for n in range(1, 1001)]
    rows.append(rejection(1001, "too long"))
    lines = shown(failed(*rows))
    assert "  public.tea: tea_cup: 1,000 rows" in lines
    assert sum(line.startswith("    id") for line in lines) == 20
    assert "  and 981 more; --json FILE holds them all" in lines


def test_a_row_without_a_key_and_hostile_values_do_no_harm():
    evil = "\x1b]0;evil\x07\n\u202e'" + "x" * 500
    rejected = Rejection(table=f"public.{evil}", key={evil: evil}, reason=evil, constraint=evil)
    merged = Merge(table=evil, key={}, survivor={evil: None}, constraint=evil)
    claim = Claim(
        success=False,
        message=evil,
        merges=(merged,),
        rejections=(rejected, Rejection(table="t", key={}, reason="r")),
        notes=(evil,),
        counts={"t": Counts()},
    )
    lines = shown(claim, width=60, quarantine="q.jsonl")
    assert "    a row without a key" in lines


def test_the_same_for_programs():
    claim = Claim(
        success=False,
        exit_code=1,
        message="why",
        counts={"public.tea": Counts(rejected=1)},
        merges=(Merge(table="t", key={"id": "1"}, survivor={"id": "2"}),),
        rejections=(rejection(3, "r", "c"),),
        notes=("n",),
    )
    restored = Restored(file="-", target="postgresql://h/t", claim=claim, quarantine="q", seconds=1)
    read = json.loads(dumps(restore_json.document(restored, 1)))
    counts = {"inserted": 0, "updated": 0, "unchanged": 0, "merged": 0, "rejected": 1}
    assert read == {
        "schema": 1,
        "success": False,
        "exit_code": 1,
        "message": "why",
        "dry_run": False,
        "file": "-",
        "target": "postgresql://h/t",
        "seconds": 1,
        "tables": {"public.tea": counts},
        "merges": [{"table": "t", "key": {"id": "1"}, "survivor": {"id": "2"}, "constraint": None}],
        "rejections": [
            {"table": "public.tea", "key": {"id": "3"}, "reason": "r", "constraint": "c"}
        ],
        "notes": ["n"],
        "quarantine": "q",
        "written": None,
    }
    bare = restore_json.document(Restored(file="a", target="t", claim=Claim(success=True)), 0)
    assert (bare["merges"], bare["rejections"], bare["tables"]) == ([], [], {})


def test_a_backup_is_reported():
    done = BackedUp(
        path=Path("a.sql"),
        rows={"public.tea": 1200, "public.cup": 0},
        left_out={"public.tea": 3, "public.pot": 1},
        notes=("a note \x1b[31m",),
    )
    lines = plain(backup.lines(done, "postgresql://h/s", 1_234_567, 0.5, 100)).splitlines()
    assert lines == [
        "source  postgresql://h/s",
        "",
        " rows  left out  table",
        "1,200         3  public.tea",
        "    .         .  public.cup",
        "    .         1  public.pot",
        "",
        "notes",
        "  a note \\x1b[31m",
        "",
        "BACKED UP: 1,200 rows of 2 tables in a.sql, 1.2 MB, 4 rows left out (0.5 s)",
    ]
    read = backup.to_plain(done, "postgresql://h/s", 999, 0.5)
    assert read["tables"]["public.pot"] == {"rows": 0, "left_out": 1}
    assert (read["schema"], read["bytes"], read["notes"]) == (1, 999, list(done.notes))


def test_a_backup_of_nothing():
    done = BackedUp(path=Path("a.sql"), rows={})
    lines = plain(backup.lines(done, "s", 12, 0, 100)).splitlines()
    assert "there is no table to back up" in lines
    assert lines[-1] == "BACKED UP: 0 rows of 0 tables in a.sql, 12 bytes (0.0 s)"


def test_a_name_is_not_broken_where_it_fits_on_a_line():
    name = "business_categories_businessType_domainId_name_key"
    merge = Merge(table="t", key={"id": "a" * 20}, survivor={"id": "b" * 20}, constraint=name)
    lines = shown(Claim(success=True, message="m", merges=(merge,)), width=70)
    at = lines.index(f"      ({name})")
    assert lines[at - 1] == f"    id = '{'a' * 20}' -> id = '{'b' * 20}'"
