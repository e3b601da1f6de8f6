"""What is shown of a self-test, for people and for programs."""

from __future__ import annotations

import json

import pytest

from verifier.comparison import Mutated, SelfTest, Sight
from verifier.report.selftest import lines, sentence, to_plain
from verifier.report.text import plain

SEEN = Mutated("data", "NULL to ''", Sight.SEEN, "1 changed in a")
MISSED = Mutated("structure", "view dropped", Sight.MISSED, "called equal; view public.v differs")
UNCHANGED = Mutated("data", "nothing", Sight.UNCHANGED, "its witness reads the same")
UNKNOWN = Mutated("state", "an orphan", Sight.UNKNOWN, "cannot look")
SKIPPED = Mutated("data", "multirange", Sight.SKIPPED, "PostgreSQL 14 and later; the source is 13")


def selftest(*results):
    return SelfTest(source="16.14", target="18.4", results=results)


def shown(*results, width=120):
    return plain(lines(selftest(*results), width)).splitlines()


def test_each_mutation_has_a_line_with_its_sight_its_name_and_what_was_said_of_it():
    text = shown(SEEN, SKIPPED, MISSED)
    assert text[0] == "source PostgreSQL 16.14, target PostgreSQL 18.4"
    for word, mutated in (("seen", SEEN), ("MISSED", MISSED), ("skipped", SKIPPED)):
        (line,) = (line for line in text if mutated.name in line)
        assert line.split()[0] == word
        assert line.endswith(mutated.words)


def test_mutations_stand_under_their_area_with_its_own_count():
    text = shown(SEEN, UNCHANGED, MISSED, UNKNOWN, SKIPPED)
    heads = [line for line in text if line and not line.startswith(" ")]
    assert heads[1:-1] == [
        "data: 1 of 2 seen",
        "structure: 0 of 1 seen",
        "state: 0 of 1 seen",
        "1 skipped",
    ]


@pytest.mark.parametrize(
    ("results", "last"),
    [
        ([SEEN] * 112, "SEEN: 112 of 112 seen (100 %)"),
        ([SEEN, SKIPPED], "SEEN: 1 of 1 seen (100 %), 1 skipped"),
        ([SEEN, MISSED], "MISSED: 1 of 2 seen (50 %), 1 missed"),
        ([SEEN] * 1999 + [MISSED], "MISSED: 1999 of 2000 seen (99.9 %), 1 missed"),
        ([SEEN, UNKNOWN], "UNKNOWN: 1 of 2 seen (50 %), 1 could not be looked at"),
        (
            [SEEN, SEEN, UNCHANGED],
            "UNKNOWN: 2 of 3 seen (66.6 %), 1 changed nothing and have to be corrected",
        ),
        ([SKIPPED], "UNKNOWN: no mutation was tried, nothing is proved"),
        ([], "UNKNOWN: no mutation was tried, nothing is proved"),
    ],
)
def test_the_last_line_tells_the_kill_rate_and_what_is_missing_from_it(results, last):
    assert shown(*results)[-1] == last


def test_long_words_are_cut_to_the_width_unless_something_went_wrong():
    words = " ".join(f"word{number}" for number in range(60))
    seen, missed = (
        Mutated("data", sight.value, sight, words) for sight in (Sight.SEEN, Sight.MISSED)
    )
    text = shown(seen, missed, width=100)
    assert all(len(line) <= 100 for line in text)
    assert next(line for line in text if line.startswith("  seen")).endswith("...")
    after = text[next(n for n, line in enumerate(text) if line.startswith("  MISSED")) + 1 :]
    assert "".join(line[12:] for line in after[: after.index("")]).replace(" ", "") == (
        words.replace(" ", "")
    )


def test_control_characters_of_a_value_do_not_reach_the_terminal():
    hostile = Mutated("data", "a\x1b[2Jname", Sight.SEEN, "b\x1b]0;title\x07 -> c\r")
    assert not any(character in plain(lines(selftest(hostile))) for character in "\x1b\x07\r")


def test_the_plain_form_is_json_and_holds_everything():
    found = json.loads(json.dumps(to_plain(selftest(SEEN, MISSED, SKIPPED))))
    assert found["schema"] == 1
    assert (found["source"], found["target"]) == ("16.14", "18.4")
    assert (found["seen"], found["tried"], found["kill_rate"]) == (1, 2, 0.5)
    assert found["exit_code"] == 1
    assert found["sentence"] == sentence(selftest(SEEN, MISSED, SKIPPED))
    assert [tuple(each.values()) for each in found["mutations"]] == [
        (each.area, each.name, each.sight.value, each.words) for each in (SEEN, MISSED, SKIPPED)
    ]


def test_the_plain_form_of_nothing_has_no_kill_rate():
    assert to_plain(selftest())["kill_rate"] is None
