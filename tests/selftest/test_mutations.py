"""The list of mutations itself: whole, without doubles, and each with a witness of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from verifier.selftest import MUTATIONS


def test_there_are_enough_in_every_area():
    counts = Counter(each.area for each in MUTATIONS)
    assert set(counts) == {"data", "structure", "state"}
    assert counts["data"] >= 50
    assert counts["structure"] >= 30
    assert counts["state"] >= 20


def test_no_two_have_one_name():
    counts = Counter((each.area, each.name) for each in MUTATIONS)
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_two_change_the_same():
    counts = Counter(each.sql for each in MUTATIONS)
    assert [sql for sql, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    "kind",
    [
        "schema", "extension", "table", "column", "check", "primary key", "unique", "exclusion",
        "foreign key", "index", "trigger", "rule", "policy", "view", "materialised view",
        "function", "aggregate", "enum", "domain", "composite type", "range type", "sequence",
        "statistics", "comment", "sequence position", "large object", "constraint",
    ],
)  # fmt: skip
def test_every_kind_of_object_is_changed_at_least_once(kind):
    # Not only where the servers happen to be new enough or to have an extension.
    assert any(each.where[0] == kind and each.since == 13 and not each.needs for each in MUTATIONS)
