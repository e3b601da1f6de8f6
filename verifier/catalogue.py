"""Where the scenarios are that come with the verifier, and what names one of them.

In a clone they stand beside the package; the wheel carries them inside of it, with the
fixtures that they use and the settings that pytest runs them with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verifier.errors import UsageError
from verifier.readers import suggestion

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "_shipped"
"""In a wheel: what stands beside the package in a clone."""
_FOLDER = "scenarios"


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


def find(name: str) -> str:
    """The argument for pytest that stands for the scenarios called ``name``.

    As reports write them, without ``test_``: ``merging`` is a file of the catalogue,
    ``merging::duplicates_below_duplicates`` one scenario in it. Raises :class:`UsageError`
    for a name that is none.
    """
    file, separator, function = name.partition("::")
    path = scenarios() / f"test_{file}.py"
    if path.exists():
        return f"{path}{separator}{f'test_{function}' if separator else ''}"
    known = sorted(each.stem.removeprefix("test_") for each in scenarios().glob("test_*.py"))
    raise UsageError(
        f"there are no scenarios at {name}{suggestion(file, known)}; name a file or directory "
        f"of them, or one that comes along: {', '.join(known)}"
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
