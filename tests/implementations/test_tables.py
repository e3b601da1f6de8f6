"""Reading a TOML table key by key: what is wrong is named with its place."""

from __future__ import annotations

import pytest

from verifier.errors import UsageError
from verifier.implementations.tables import Table, strings, texts, whole_numbers
from verifier.readers import seconds, text

FILE = "/acme/restore-verifier.toml"


def table(**content: object) -> Table:
    return Table(content, "implementations.acme", FILE)


def told(act) -> str:
    with pytest.raises(UsageError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_key_may_have_hyphens_or_underscores() -> None:
    one = Table({"exit-codes": [0], "time_out": 3}, "a", FILE)
    assert one.read("exit-codes", whole_numbers) == (0,)
    assert one.read("time-out", seconds) == 3
    one.finish()
    assert "exit-codes in [a] of" in told(
        lambda: Table({"exit-codes": 0, "exit_codes": 1}, "a", FILE)
    )


def test_what_is_not_given_has_its_default() -> None:
    assert table().read("timeout", seconds, 600.0) == 600
    assert table().read("timeout", seconds) is None
    assert table().table("claim") is None
    assert "[implementations.acme] of" in told(lambda: table().required("file", text, "name one"))
    assert "has no file; name one" in told(lambda: table().required("file", text, "name one"))


def test_a_value_that_cannot_be_right_is_named_with_its_table() -> None:
    message = told(lambda: table(timeout="long").read("timeout", seconds))
    assert message.startswith(f"timeout in [implementations.acme] of {FILE} is 'long'")


def test_a_key_that_nobody_asked_for_is_refused_with_the_closest_one() -> None:
    one = table(timout=3, backup={"fiel": "x"})
    one.read("timeout", seconds)
    message = told(one.finish)
    assert "unknown key timout in [implementations.acme]" in message
    assert "(did you mean timeout?); known here are timeout" in message


def test_a_key_of_a_table_inside_is_found_by_the_outer_one() -> None:
    one = table(backup={"fiel": "x"})
    part = one.table("backup")
    assert part is not None
    part.read("file", text)
    assert "fiel in [implementations.acme.backup] of" in told(one.finish)


@pytest.mark.parametrize("content", [3, "x", ["x"], None])
def test_what_is_no_table_is_refused(content: object) -> None:
    assert "write a table, [a.b]" in told(lambda: Table(content, "a.b", FILE))


@pytest.mark.parametrize(
    ("reader", "given", "found"),
    [
        (strings, "one", ("one",)),
        (strings, ["one", "two"], ("one", "two")),
        (whole_numbers, 3, (3,)),
        (whole_numbers, [0, 3], (0, 3)),
        (texts, {"A": "x", "B_C": 5}, {"A": "x", "B_C": "5"}),
    ],
)
def test_lists_and_tables_of_values(reader, given, found) -> None:
    assert reader(given, "it") == found


@pytest.mark.parametrize(
    ("reader", "given"),
    [
        (strings, []),
        (strings, [1]),
        (strings, 1),
        (whole_numbers, []),
        (whole_numbers, ["0"]),
        (whole_numbers, True),
        (texts, "A=x"),
        (texts, {"A": True}),
        (texts, {"A": ["x"]}),
    ],
)
def test_values_of_another_kind_are_refused(reader, given) -> None:
    assert "it is" in told(lambda: reader(given, "it"))
