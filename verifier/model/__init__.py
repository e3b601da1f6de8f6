"""What the contract says about a world: plain rules over rows in memory.

A *world* (:mod:`world`) is a schema, a backup and the target's rows before the restore.
:mod:`restore` says what the built-in implementation promises to make of it, and
:mod:`allowed` which outcomes the contract allows to anybody. Neither knows SQL, a
database, or any code of the engine or the oracle: they are a third opinion.
"""
