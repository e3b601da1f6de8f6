"""The subcommands, a module each: its arguments (``add``) and what it does (``run``).

``run`` takes the parsed options and what followed a lone ``--``. It returns the exit
code of the contract and, where that is not 0, the sentence that says why and what to do.
"""
