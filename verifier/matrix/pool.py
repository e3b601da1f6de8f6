"""The processes that run the matrix, a part each, and the one that waits for them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

from verifier.catalogue import scenarios
from verifier.config import MATRIX, Config, ServerKind, settings_of
from verifier.contract import Proof
from verifier.errors import RestoreVerifierError, UsageError
from verifier.interrupts import stoppable
from verifier.matrix import panel
from verifier.matrix.part import End, Panels, work
from verifier.report.matrix_model import Examined, Expected, Matrix
from verifier.servers import choose

_PATIENCE = 30.0
"""Seconds in which a process that was told to stop has to have ended its servers."""


def run(
    config: Config,
    tested: dict[str, Expected | None],
    jobs: int,
    tell: Callable[[Proof], None] = lambda proof: None,
) -> Matrix:
    """Run the implementations of :func:`~verifier.matrix.panel.selection`, each with its panel.

    ``jobs`` processes share the work, each with a pair of servers of its own; ``config`` says
    where they come from. ``tell`` hears of each proof as it comes.

    Raises :class:`~verifier.errors.RestoreVerifierError` when a part could not run or there are
    no scenarios, and :class:`~verifier.interrupts.Stopped` when it was told to stop.
    """
    if not scenarios().exists():
        raise UsageError(f"there are no scenarios at {scenarios()}; run it where they are")
    choice = choose(config)
    # What only other commands ask for stays as it is by default: the matrix is the same for all.
    servers = {each.name: getattr(config, each.name) for each in settings_of(MATRIX)}
    settings = Config(**{**servers, "servers": ServerKind(choice.kind), "rows": panel.ROWS})
    panels = {name: panel.scenarios_for(expected) for name, expected in tested.items()}
    parts = [dict(part) for n in range(jobs) if (part := list(panels.items())[n::jobs])]
    proofs: dict[str, list[Proof]] = {name: [] for name in tested}
    versions, said_last = ("", ""), []
    with stoppable("the matrix was not finished"), _started(parts, settings) as channels:
        for said in _heard(channels):
            if isinstance(said, End):
                _refuse_trouble(said)
                versions = said.versions
                said_last.append(said.sentence)
            else:
                proofs[said.implementation].append(said)
                tell(said)
    examined = tuple(
        _examined(name, expected, proofs[name], panels[name]) for name, expected in tested.items()
    )
    missing = any(each.missing for each in examined)
    return Matrix(
        source=versions[0],
        target=versions[1],
        servers=choice.reason,
        tested=examined,
        trouble="; ".join(filter(None, said_last)) if missing else "",
    )


def _examined(
    name: str, expected: Expected | None, proofs: Sequence[Proof], wanted: Sequence[str]
) -> Examined:
    proved = {proof.scenario for proof in proofs}
    return Examined(
        implementation=name,
        proofs=tuple(proofs),
        expected=expected,
        known=panel.RIGHT.get(name, {}),
        missing=tuple(scenario for scenario in wanted if scenario not in proved),
    )


@contextmanager
def _started(parts: Sequence[Panels], settings: Config) -> Iterator[list[Connection]]:
    """A process for each part, and where it is heard; none is left when the block is."""
    context = multiprocessing.get_context("spawn")  # a fork would take over sessions and threads
    processes: list[SpawnProcess] = []
    channels: list[Connection] = []
    over = False
    try:
        for panels in parts:
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=work, args=(panels, settings.to_plain(), there), daemon=True
            )
            process.start()
            there.close()  # so that the end of the process is the end of the channel
            processes.append(process)
            channels.append(here)
        yield channels
        over = True
    finally:
        for process in processes:
            if not over:
                process.terminate()
        for process in processes:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()


def _heard(channels: list[Connection]) -> Iterator[Proof | End]:
    """What the parts say, in the order in which it comes, until all of them have ended.

    Raises :class:`RestoreVerifierError` for a part that is gone before it said its end.
    """
    open_ = list(channels)
    while open_:
        for channel in wait(open_):
            try:
                said = cast(Connection, channel).recv()
            except EOFError:
                raise RestoreVerifierError(
                    "a process of the matrix ended before its work was done; run it again"
                ) from None
            if isinstance(said, End):
                open_.remove(cast(Connection, channel))
            yield said


def _refuse_trouble(end: End) -> None:
    """Raises :class:`RestoreVerifierError` for a part that could not do its work."""
    if end.exit_code in (0, 1) or end.proved:
        return
    why = end.sentence.partition("; see")[0] or "pytest could not start"
    raise RestoreVerifierError(f"{why}: {end.output}; mend that, and run it again")
