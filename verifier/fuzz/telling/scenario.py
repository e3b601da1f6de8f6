"""A failure as a scenario to be pasted beside others."""

from __future__ import annotations

import re
from textwrap import indent, wrap

from verifier.fuzz.failure import Failure
from verifier.fuzz.telling import sql, words
from verifier.model.world import BackupForm, Options
from verifier.report.literal import printable
from verifier.worlds.backups import dump

_HEAD = '''\
"""Found by `restore-verifier fuzz --implementation {implementation}`: {title}"""

import pytest


@pytest.mark.guarantee("{guarantee}")
def test_{name}(scenario, world):
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
        ),
        "    world(\n",
        f"        {_text(both)},\n",
        f"        source={_text(source)},\n" if source else "",
        f"        target={_text(target)},\n" if target else "",
        "    )\n",
    ]
    if failure.world.options != Options():
        parts.append(f"    world.asks({_options(failure.world.options)})\n")
    if failure.agreement is not None and failure.agreement.written:
        parts.append(f"    world.backed_up({_text(dump(failure.world))})\n")
    parts.append("    scenario.restore().prove()\n")
    return "".join(parts)
