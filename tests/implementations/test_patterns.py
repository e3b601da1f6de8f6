"""Claims from what a program prints for people."""

from __future__ import annotations

import pytest

from verifier.contract import Merge, Rejection
from verifier.errors import UsageError
from verifier.implementations import claims
from verifier.implementations.claims import Unreadable
from verifier.implementations.patterns import of_output, read

ACME = read(
    [
        r"^(?P<table>\S+): (?P<inserted>[\d,]+) inserted(?:, (?P<updated>\d+) updated)?",
        r"^(?P<rows>\S+) rows in all",
        r"^rejected (?P<table>\S+) (?P<key>\S+): (?P<reason>.*?)(?: \[(?P<constraint>\w+)\])?$",
        r"^merged (?P<table>\S+) (?P<key_id>\S+) into (?P<survivor_id>\S+)",
        r"^ERROR: (?P<failure>.*)",
        r"^note: (?P<note>.*)",
        r"^(?P<success>all is well)",
        r"^summary: (?P<message>.*)",
    ],
    "patterns",
)


def said(*lines: str) -> claims.Testimony:
    return of_output(ACME, lines)


def test_numbers_rows_and_words_are_found() -> None:
    found = said(
        "public.tea: 1,234 inserted, 5 updated",
        "public.tea: 6 inserted",
        "1240 rows in all",
        "rejected public.cup c1: no parent [cup_tea_fkey]",
        "merged public.tea 2 into 1",
        "note: odd",
        "summary: nearly",
    )
    assert dict(found.figures) == {
        "public.tea": {"inserted": 1240, "updated": 5},
        "": {"rows": 1240},
    }
    assert found.rejections == [
        Rejection(table="public.cup", key={"": "c1"}, reason="no parent", constraint="cup_tea_fkey")
    ]
    assert found.merges == [Merge(table="public.tea", key={"id": "2"}, survivor={"id": "1"})]
    assert (found.notes, found.message, found.success) == (["odd"], "nearly", None)


def test_no_line_for_rejected_rows_means_that_none_was_rejected() -> None:
    assert said("nothing").rejections == []
    assert said("nothing").merges == []
    assert of_output(read(r"(?P<rows>\d+)", "patterns"), ["nothing"]).rejections is None


def test_a_failure_that_is_printed_is_one_whatever_follows() -> None:
    found = said("ERROR: the first", "ERROR: the second", "all is well")
    assert (found.success, found.message) == (False, "the first")
    assert said("all is well").success is True


def test_a_number_that_is_none_cannot_be_read() -> None:
    with pytest.raises(Unreadable, match=r"'many', found by .* in 'many rows in all', is no whole"):
        said("many rows in all")


def test_a_very_long_line_is_looked_at_in_part() -> None:
    assert dict(said("x" * 5000 + " 3 rows in all").figures) == {}
    # Quadratic in the line's length: it would take hours over all of it.
    slow = read(r"(?P<rows>\d+) (?:\w+\s?)*rows$", "patterns")
    assert dict(of_output(slow, ["7" * 10_000_000]).figures) == {}


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "cannot be read: missing )"),
        (r"(?P<insrted>\d+)", "unknown group 'insrted' (did you mean inserted?)"),
        (r"\d+ rows", "is about nothing; name its groups"),
        (r"(?P<table>\w+)", "is about nothing"),
        (r"(?P<rows>\d+) (?P<reason>.*)", "is about numbers and a rejected row"),
        (r"(?P<key>\d+): (?P<reason>.*)", "names no table; add a group"),
        (3, "give a text in quotes"),
    ],
)
def test_an_expression_that_cannot_be_right_is_refused(pattern: object, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read([pattern], "patterns in [x] of y")
    assert str(caught.value).startswith("patterns in [x] of y ")
    assert told in str(caught.value)
