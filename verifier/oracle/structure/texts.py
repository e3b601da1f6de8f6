"""Whether two texts of a view's definition mean the same although two versions print them.

Up to PostgreSQL 15 a view's own columns are printed with the name of their table
(``SELECT t.a FROM public.t``), from 16 on without it where the query has one table only
(ruleutils.c, ``varprefix`` in ``get_query_def``; a stored view has had two hidden table
entries before). Queries inside of it are printed with it by both, and so are rules,
policies and the bodies of functions: measured from 13 to 18.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<string>(?:[EeBbXxNn]|[Uu]&)?'(?:[^'\\]|''|\\.)*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<name>(?:[Uu]&)?"(?:[^"]|"")*" | [^\W\d][\w$]*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
Token = tuple[str, str]


def tokens(text: str) -> list[Token]:
    """Kind and text of each token of SQL as the server prints it; white space is left out."""
    return [
        (found.lastgroup or "other", found.group())
        for found in _TOKEN.finditer(text)
        if found.lastgroup != "space"
    ]


def same_view(older: str, newer: str) -> bool:
    """Whether ``newer`` (16 or later) is ``older`` (15 or earlier) with a prefix left out.

    What may be left out is ``name .`` right before a name, and it is one and the same
    name throughout: that of the only table.
    """
    left, right = tokens(older), tokens(newer)
    dot = ("other", ".")
    prefix: Token | None = None
    place = 0
    for number, token in enumerate(right):
        here = left[place : place + 3]
        follows = right[number + 1 : number + 2]
        # ``t.t`` is a column that is named like its table.
        ambiguous = here == [token, dot, token] and follows != [dot]
        if here[:1] == [token] and not ambiguous:
            place += 1
        elif here[1:] == [dot, token] and here[0][0] == token[0] == "name":
            if prefix not in (None, here[0]):
                return False
            prefix = here[0]
            place += 3
        else:
            return False
    return place == len(left)
