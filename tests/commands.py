"""Commands run in this process, held to what every one of them promises."""

from __future__ import annotations

import pytest

from verifier.cli import main
from verifier.dsn import Dsn


def ran(capsys: pytest.CaptureFixture[str], dsn: Dsn, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, and the last line on stderr: the only one, and none after a success.

    Neither stream holds a traceback, or the password of ``dsn``.
    """
    code = main([*arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert (dsn.password or "?") not in said.out + said.err
    lines = said.err.splitlines()
    assert len(lines) == (1 if code else 0), "one line, where it did not succeed"
    return code, said.out, "".join(lines).removeprefix("restore-verifier: ")
