"""Puts the scenarios into the wheel, for whoever verifies a restore without a clone.

By a hook, because an editable installation has them in the clone (``verifier/catalogue.py``)
and must not hold copies that grow old.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SHIPPED = ("conftest.py", "fixtures", "pytest.ini", "scenarios")


class Catalogue(BuildHookInterface[Any]):
    """Adds what stands beside the package to a wheel, under ``verifier/_shipped``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called for each build; ``version`` is ``standard`` or ``editable``."""
        if version == "standard":
            build_data["force_include"] |= {name: f"verifier/_shipped/{name}" for name in _SHIPPED}
