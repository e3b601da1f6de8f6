"""A failure as a scenario to be pasted beside others."""

from __future__ import annotations

import re
from textwrap import indent, wrap

from verifier.fuzz.failure import Failure
from verifier.fuzz.telling import sql, words
from verifier.model.world import Options
from verifier.report.literal import printable
from verifier.worlds.backups import dump

_HEAD = '''\
"""Found by `restore-verifier fuzz --implementation {implementation}`: {title}"""

import pytest
{imports}

@pytest.mark.guarantee("{guarantee}")
def test_{name}(scenario, world{faults}):
    """{words}
    """
'''


def scenario(failure: Failure, name: str) -> str:
    """A module with one scenario, which uses the fixtures of the catalogue."""
    both, source, target = sql.both(failure.world)
    parts = [
        _HEAD.format(
            implementation=failure.implementation,
            title=f"{failure.breach.guarantee} is broken.",
            guarantee=failure.breach.guarantee,
            name=re.sub(r"\W", "_", name),
            words=_docstring(words.paragraph(failure)),
            faults=", faults" if failure.interrupted else "",
            imports=_imports(failure.world.options),
        ),
        "    world(\n",
        f"        {_text(both)},\n",
        f"        source={_text(source)},\n" if source else "",
        f"        target={_text(target)},\n" if target else "",
        "    )\n",
    ]
    if failure.world.schema.script:
        of_source, of_target = map(_text, sql.rows(failure.world))
        parts.append(f"    world.load(source={of_source}, target={of_target})\n")
    if failure.world.options != Options():
        parts.append(f"    world.asks({_asked(failure.world.options)})\n")
    if failure.agreement is not None and failure.agreement.written:
        parts.append(f"    world.backed_up({_text(dump(failure.world))})\n")
    struck = failure.interrupted.call if failure.interrupted else ""
    parts.append(f"    scenario.restore({struck}).prove()\n")
    return "".join(parts)


def _imports(options: Options) -> str:
    names = ["Ids"] if options.local_ids else []
    names += ["Reference"] if options.references else []
    return f"from verifier import {', '.join(names)}\n" if names else ""


def _docstring(text: str) -> str:
    safe = printable(text).replace("\\", "\\\\").replace('"', "'")
    return indent("\n".join(wrap(safe, 92, break_long_words=False)), "    ").lstrip()


def _text(text: str) -> str:
    """``text`` as a Python literal that can be read."""
    if not text:
        return '""'
    plain = all(each.isprintable() or each == "\n" for each in text)
    if not plain or '"""' in text or text.endswith(('"', "\\")):
        return repr(text)
    return f'{"r" if chr(92) in text else ""}"""\n{text}"""'


def _asked(options: Options) -> str:
    """The arguments of ``world.asks``."""
    given = []
    if options.local_ids:
        given.append("ids=Ids.LOCAL")
    if options.strict_ids:
        given.append("strict_ids=True")
    if options.prefer:
        given.append(f"prefer={options.prefer!r}")
    if options.quarantine:
        given.append("quarantine=True")
    if options.references:
        told = (
            f"Reference({each.table!r}, {each.column!r}, {each.parent!r}"
            + (f", condition={each.condition!r})" if each.condition else ")")
            for each in options.references
        )
        given.append(f"references=({', '.join(told)},)")
    return ", ".join(given)
