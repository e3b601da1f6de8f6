"""Every mutation, area by area."""

from __future__ import annotations

from verifier.selftest.mutation import Mutation
from verifier.selftest.objects import OBJECTS
from verifier.selftest.rows import ROWS
from verifier.selftest.state import STATE
from verifier.selftest.tables import TABLES
from verifier.selftest.values import VALUES

MUTATIONS: tuple[Mutation, ...] = (*VALUES, *ROWS, *TABLES, *OBJECTS, *STATE)
