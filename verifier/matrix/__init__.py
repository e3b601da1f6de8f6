"""The matrix: every faulty implementation against scenarios that exercise every guarantee.

A verifier that never says no proves nothing. Here it has to: each faulty implementation has
to be found broken in the guarantee that it was made to break, by the finding that names the
cause, and nothing may be said against the right ones where they are right.
"""

from verifier.matrix.panel import scenarios_for, selection
from verifier.matrix.pool import run

__all__ = ["run", "scenarios_for", "selection"]
