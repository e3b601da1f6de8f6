"""Claims from JSON: what is said is claimed, and what cannot be read is refused with its place."""

from __future__ import annotations

import json

import pytest

from verifier.contract import Claim, Counts, Merge, Rejection
from verifier.implementations import claims
from verifier.implementations.claims import Unreadable, of_document, of_lines, of_text
from verifier.report import restore_json
from verifier.transfer import Restored


def claimed(
    said: claims.Testimony, *, success: bool = True, words: str = "its last words"
) -> Claim:
    return said.claim(success=success, exit_code=0, words=words)


def unreadable(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        of_text(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_empty_document_claims_what_the_exit_code_says() -> None:
    assert claimed(of_text("{}")) == Claim(success=True, exit_code=0, message="its last words")
    assert not claimed(of_text("{}"), success=False).success


def test_what_the_built_in_restore_writes_is_read_back() -> None:
    claim = Claim(
        success=False,
        exit_code=1,
        message="1 row rejected",
        counts={"public.tea": Counts(inserted=3, merged=1), "public.cup": Counts(rejected=1)},
        merges=(
            Merge(table="public.tea", key={"id": "2"}, survivor={"id": "1"}, constraint="tea_key"),
        ),
        rejections=(Rejection(table="public.cup", key={"a": "1", "b": None}, reason="no parent"),),
        notes=("left alone: sessions",),
    )
    done = Restored(file="a.sql", target="postgresql://h/d", claim=claim)
    said = claimed(of_text(json.dumps(restore_json.document(done, 1))))
    assert (said.success, said.message, said.notes) == (False, "1 row rejected", claim.notes)
    assert (said.merges, said.rejections) == (claim.merges, claim.rejections)
    zeros = dict.fromkeys(("inserted", "updated", "unchanged", "merged", "rejected"), 0)
    assert said.figures == {
        "public.tea": zeros | {"inserted": 3, "merged": 1},
        "public.cup": zeros | {"rejected": 1},
    }


def test_what_is_not_said_is_not_claimed() -> None:
    said = claimed(of_text('{"success": true, "tables": {"tea": {"inserted": 2}, "cup": 5}}'))
    assert (said.merges, said.rejections, said.counts) == (None, None, None)
    assert said.figures == {"tea": {"inserted": 2}, "cup": {"rows": 5}}
    none = claimed(of_text('{"rejections": [], "merges": [], "rows": 0}'))
    assert (none.merges, none.rejections, none.figures) == ((), (), {"": {"rows": 0}})


def test_values_of_keys_are_as_postgresql_prints_them() -> None:
    key = {"n": 1.10, "big": 2, "yes": True, "no": False, "nothing": None, "text": "1"}
    text = json.dumps([{"table": "t", "key": key, "reason": "r"}]).replace("1.1,", "1.10,")
    (rejection,) = of_text(f'{{"rejections": {text}}}').rejections or ()
    assert rejection.key == {
        "n": "1.10", "big": "2", "yes": "t", "no": "f", "nothing": None, "text": "1"
    }  # fmt: skip
    # The value of a primary key alone has no column yet.
    (bare,) = of_text('{"rejections": [{"table": "t", "key": 7, "reason": "r"}]}').rejections or ()
    assert bare.key == {"": "7"}


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert of_text('{"message": "\\ud83d\\ude00 done"}').message == "\U0001f600 done"


def test_any_parsers_numbers_are_read() -> None:
    said = of_document({"tables": {"t": {"inserted": 2}}, "rows": 3})
    assert dict(said.figures) == {"t": {"inserted": 2}, "": {"rows": 3}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON in line 1, column 1"),
        ("garbage \x00\ufffd", "no JSON in line 1, column 1"),
        (
            '{"success": true,\n "tables": }',
            "no JSON in line 2, column 12 (Expecting value): ' \"tab",
        ),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "the document is [], and no object"),
        ('{"succes": true}', "unknown key 'succes' (did you mean success?)"),
        ('{"schema": 2}', "schema '2'; 1 is known"),
        ('{"success": "yes"}', "success is 'yes'; write true or false"),
        ('{"message": 5}', "message is 5, and no text"),
        ('{"tables": {"tea": {"insert": 1}}}', "(did you mean inserted?)"),
        ('{"tables": {"tea": {"inserted": -1}}}', "inserted of tea is -1; write a whole number"),
        ('{"tables": {"tea": {"inserted": 1.0}}}', "inserted of tea is 1.0"),
        ('{"tables": {"tea": {"inserted": NaN}}}', "NaN, which is no number"),
        ('{"message": "\\ud83d"}', "half of a surrogate pair"),
        ('{"rows": 1' + "0" * 5000 + "}", "rows is 1000"),
        ('{"tables": [1]}', "tables is"),
        ('{"rejections": {}}', "rejections is {}, and no list"),
        ('{"rejections": [{"table": "t"}]}', "rejections[0] has no reason"),
        ('{"rejections": [{"table": "t", "reason": "r", "key": {"a": []}}]}', "a of key of rej"),
        ('{"merges": [{"table": "t", "key": 1}]}', "merges[0] has no survivor"),
        ('{"notes": [1]}', "notes[0] is 1, and no text"),
    ],
)
def test_a_document_that_cannot_be_right_is_refused(text: str, said: str) -> None:
    message = unreadable(text)
    assert said in message
    assert len(message) < 400


def test_pieces_of_a_claim_one_a_line() -> None:
    lines = [
        '{"table": "tea", "inserted": 2}',
        "",
        '{"table": "tea", "inserted": 1, "merged": 1}',
        '{"rows": 9}',
        '{"rejection": {"table": "cup", "key": {"id": 4}, "reason": "no parent"}}',
        '{"merge": {"table": "tea", "key": 2, "survivor": 1}}',
        '{"note": "odd"}',
        '{"success": true, "message": "done"}',
    ]
    said = claimed(of_lines(lines))
    assert said == Claim(
        success=True,
        exit_code=0,
        message="done",
        figures={"tea": {"inserted": 3, "merged": 1}, "": {"rows": 9}},
        merges=(Merge(table="tea", key={"": "2"}, survivor={"": "1"}),),
        rejections=(Rejection(table="cup", key={"id": "4"}, reason="no parent"),),
        notes=("odd",),
    )


def test_lines_that_are_no_objects_are_refused_or_passed_over_as_asked() -> None:
    lines = ["starting …", '{"rows": 2}', "42%"]
    with pytest.raises(Unreadable, match=r"^line 1: no JSON at column 1"):
        of_lines(lines)
    assert dict(of_lines(lines, lenient=True).figures) == {"": {"rows": 2}}
    with pytest.raises(Unreadable, match=r"^line 2: no JSON at column 11 .*'\{\"rows\": 3'"):
        of_lines(["starting …", '{"rows": 3'], lenient=True)
    with pytest.raises(Unreadable, match=r"^line 1: .*'row' \(did you mean rows\?\)"):
        of_lines(['{"row": 3}'])
