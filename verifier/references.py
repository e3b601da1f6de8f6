"""How a reference that no constraint declares is written, and what a bad one is told.

::

    TABLE.COLUMN -> PARENT                        the cell, or every element of an array
    TABLE.COLUMN[items][*]['product id'] -> PARENT    a path into a json value
    TABLE.COLUMN -> PARENT WHERE kind = 'shop'    only in rows where kind is shop

Names are spelled as the catalogue spells them, with a schema where one is needed and in
double quotes where they hold anything but letters, digits and ``_``. In a path, ``[*]`` is
every element of an array, and a key is a bare word or text in single or double quotes. The
value of a condition is a bare word, a number, or text in single quotes; it is compared
with the text of the column's value.
"""

from __future__ import annotations

import re

from verifier.errors import UsageError
from verifier.readers import lines
from verifier.transfer import Reference, parts, quoted

_NAME = r"""(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)"""
_TEXT = r"""'(?:[^']|'')*'"""
_KEY = rf"""\[\s*(?:\*|[\w$-]+|{_TEXT}|"(?:[^"]|"")+")\s*\]"""
_FORM = re.compile(
    rf"""\s*(?P<from>{_NAME}(?:\.{_NAME}){{1,2}})\s*(?P<path>(?:{_KEY}\s*)*)
    ->\s*(?P<parent>{_NAME}(?:\.{_NAME})?)\s*
    (?:\bWHERE\s+(?P<column>{_NAME})\s*=\s*(?P<value>{_TEXT}|[\w.+-]+)\s*)?""",
    re.VERBOSE | re.IGNORECASE,
)
_ADVICE = (
    "give it as 'TABLE.COLUMN -> PARENT', with the keys of a path into json in brackets "
    "(TABLE.COLUMN[items][*][id]), and WHERE COLUMN = 'VALUE' at the end if it does not hold "
    "for every row"
)


def references(given: object, where: str) -> tuple[Reference, ...]:
    """References from a list of them, or one a line of text."""
    return tuple(_reference(line, where) for line in lines(given, where, _ADVICE))


def _reference(line: str, where: str) -> Reference:
    found = _FORM.fullmatch(line)
    if found is None:
        raise UsageError(f"{where} is {line!r}, which cannot be read; {_ADVICE}")
    *table, column = parts(found["from"])
    path = tuple(_key(key, line, where) for key in re.findall(_KEY, found["path"]))
    condition = None
    if found["column"]:
        (other,) = parts(found["column"])
        condition = other, _plain(found["value"])
    return Reference(_written(table), column, found["parent"], path, condition)


def _key(written: str, line: str, where: str) -> str:
    word = written[1:-1].strip()
    key = _plain(word)
    if word != "*" and key == "*":
        raise UsageError(f"{where} is {line!r}, and a key that is called * cannot be named")
    if word.isdigit():
        raise UsageError(
            f"{where} is {line!r}, and one element of an array cannot be named; "
            f"[*] stands for every element, ['{word}'] for a key that is called {word}"
        )
    return key


def _plain(word: str) -> str:
    """``word`` without the quotes around it."""
    quote = word[:1]
    return word[1:-1].replace(quote * 2, quote) if quote in ("'", '"') else word


def _written(names: list[str]) -> str:
    return ".".join(quoted(name) for name in names)
