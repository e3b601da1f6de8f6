"""The oracle's eyesight, proved: a correct restore, one small change after another.

:func:`run` makes a world on the source, restores it correctly into the target, and then
changes clones of the target by one :class:`Mutation` each. The comparison has to name the
place of every one.
"""

from verifier.selftest.bench import run, run_on
from verifier.selftest.mutation import Mutation
from verifier.selftest.mutations import MUTATIONS

__all__ = ["MUTATIONS", "Mutation", "run", "run_on"]
