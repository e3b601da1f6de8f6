"""Where the scenarios are that come with the verifier, and what names one of them.

In a clone they stand beside the package; the wheel carries them inside of it, with the
fixtures that they use and the settings that pytest runs them with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from verifier.errors import UsageError
from verifier.readers import suggestion

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "_shipped"
"""In a wheel: what stands beside the package in a clone."""
_FOLDER = "scenarios"
_TEST = re.compile(r"^ *def test_(\w+)", re.MULTILINE)


def root() -> Path:
    """The directory with ``scenarios/``, ``fixtures/``, ``conftest.py`` and ``pytest.ini``.

    Raises :class:`UsageError` where the package was taken from its place without them.
    """
    for place in (_SHIPPED, _PACKAGE.parent):
        if (place / _FOLDER / "__init__.py").exists() and (place / "pytest.ini").exists():
            return place
    raise UsageError(
        f"the scenarios that belong to {_PACKAGE} are not there; install restore-verifier again"
    )


def scenarios() -> Path:
    """The directory of the scenarios. Raises :class:`UsageError` as :func:`root` does."""
    return root() / _FOLDER


def schema() -> Path:
    """The schema whose tables stand for the user's own where none is named."""
    return root() / "fixtures" / "sql" / "issue_tracker.sql"


def find(name: str, own: Path) -> str:
    """The argument for pytest that stands for the scenarios called ``name``.

    As reports write them, without ``test_``: ``merging`` is a file of the directory ``own``, or
    else of the catalogue, ``merging::duplicates_below_duplicates`` one scenario in it. Raises
    :class:`UsageError` for a name that is none.
    """
    file, separator, function = name.partition("::")
    places = [place for place in (own, scenarios()) if place.is_dir()]
    for path in (place / f"test_{file}.py" for place in places):
        if path.exists():
            return f"{path}{separator}{_function(path, function) if separator else ''}"
    files = {each for place in places for each in place.glob("test_*.py")}
    known = sorted({each.stem.removeprefix("test_") for each in files})
    raise UsageError(
        f"there are no scenarios at {name}{suggestion(file, known)}; name a file or directory "
        f"of them, or one that comes along: {', '.join(known)}"
    )


def _function(path: Path, name: str) -> str:
    """The test in ``path`` that is the scenario called ``name``, parameters and all."""
    known = _TEST.findall(path.read_text(encoding="utf-8"))
    plain = name.partition("[")[0]
    if plain in known:
        return f"test_{name}"
    raise UsageError(
        f"there is no scenario {plain} in {path.name}{suggestion(plain, known)}; "
        f"its scenarios are {', '.join(known)}"
    )


def home(paths: Sequence[str]) -> list[str]:
    """How pytest is told to run ``paths`` of the catalogue in a directory that is not theirs.

    With the settings that belong to them, whatever pytest is set to in that directory, and
    without a trace in it. Warnings are errors to our own code, and not to somebody's restore.
    """
    here, theirs = Path.cwd(), root()
    if here.is_relative_to(theirs) or not any(Path(path).is_relative_to(theirs) for path in paths):
        return []
    settings = ["-c", f"{theirs / 'pytest.ini'}", "-W", "default"]
    return [f"--rootdir={here}", "-p", "no:cacheprovider", *settings]
