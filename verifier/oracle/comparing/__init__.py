"""Two databases compared where they are: on their servers, whatever their size.

:func:`compare` is the way in. ``side`` holds a snapshot and its connections, ``digest``
makes a row one number, ``reading`` asks for numbers and rows, ``narrowing`` finds the rows
that differ, ``attempt`` and ``tables`` put that together for a table, ``values`` and
``holding`` look at the rest, ``scope`` says what is selected, ``whole`` does all of it.
"""

from verifier.oracle.comparing.progress import Progress
from verifier.oracle.comparing.whole import compare

__all__ = ["Progress", "compare"]
