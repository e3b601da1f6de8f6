"""One pass of the self-test: world, correct restore, and every mutation by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from verifier.comparison import Comparison, Mutated, Selection, SelfTest, Sight, State
from verifier.config import Config
from verifier.dsn import Dsn, redact
from verifier.errors import ObservationError, RestoreVerifierError, ServerError
from verifier.oracle import compare as compare_databases
from verifier.selftest import sight, world
from verifier.selftest.mutation import Mutation
from verifier.selftest.mutations import MUTATIONS
from verifier.servers import Database, Pair, Side, choose, sessions

Compare = Callable[[Dsn, Dsn, Selection], Comparison]
"""Compares two databases: the source, the target, and what of them."""

_AT_ONCE = 2
"""Mutations that are tried at the same time."""


def run(
    config: Config,
    tell: Callable[[Mutated], None] = lambda mutated: None,
    *,
    mutations: Sequence[Mutation] = MUTATIONS,
    compare: Compare = compare_databases,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> SelfTest:
    """Try ``mutations`` on the pair of servers that ``config`` chooses, and close it.

    ``tell`` hears of each as soon as it and all before it were tried. ``compare`` and
    ``selection`` are what is put to the test.

    Raises :class:`~verifier.errors.RestoreVerifierError` when nothing can be said: no
    servers, an account that may not do it, or a correct restore that is not found equal.
    """
    with choose(config).start() as pair:
        return run_on(pair, tell, mutations=mutations, compare=compare, selection=selection)


def run_on(
    pair: Pair,
    tell: Callable[[Mutated], None] = lambda mutated: None,
    *,
    mutations: Sequence[Mutation] = MUTATIONS,
    compare: Compare = compare_databases,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> SelfTest:
    """What :func:`run` does, on servers that are there already; leaves nothing on them."""
    try:
        with _prepared(pair, compare, selection) as bench:
            results = tuple(_told(bench, mutations, tell))
    except psycopg.Error as error:
        said = redact(sessions.words(error), pair.source.admin, pair.target.admin)
        raise ServerError(
            f"the self-test was cut short by its servers: {said}; look at their logs and run again"
        ) from None
    return SelfTest(source=pair.source.version, target=pair.target.version, results=results)


def _told(
    bench: _Bench, mutations: Sequence[Mutation], tell: Callable[[Mutated], None]
) -> Iterator[Mutated]:
    with ThreadPoolExecutor(_AT_ONCE, "mutation") as pool:
        try:
            for mutated in pool.map(bench.tried, mutations):
                tell(mutated)
                yield mutated
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _prepared(pair: Pair, compare: Compare, selection: Selection) -> Iterator[_Bench]:
    """The world, its correct restore, and that the comparison finds these two equal."""
    if pair.source.major > pair.target.major:
        raise ServerError(
            f"the self-test restores with pg_dump, which cannot go back from PostgreSQL"
            f" {pair.source.major} to {pair.target.major}; give a target that is not older"
        )
    features = world.features([pair.source.admin, pair.target.admin])
    with ExitStack() as made:
        source = made.enter_context(_temporary(pair, Side.SOURCE, "selftest_source"))
        restored = made.enter_context(_temporary(pair, Side.TARGET, "selftest_restored"))
        world.build(source, pair.source.major, features)
        world.restore(source, restored)
        pair.databases(Side.TARGET).shut(restored)  # one with sessions in it cannot be cloned
        bench = _Bench(pair, source, restored, features, compare, selection)
        with bench.cloned() as clone:
            baseline = bench.compared(clone)
        if baseline.state is not State.EQUAL:
            raise ObservationError(
                f"a correct restore from PostgreSQL {pair.source.version} to"
                f" {pair.target.version} is not found equal but {baseline.state}:"
                f" {sight.differences(baseline, 20)}; put the comparison right,"
                f" no mutation proves anything before"
            )
        yield bench


@contextmanager
def _temporary(
    pair: Pair, side: Side, hint: str, template: Database | None = None
) -> Iterator[Database]:
    """A database of the administrator's, for as long as the context lasts."""
    databases = pair.databases(side)
    database = databases.create(hint, template, private=template is None)
    try:
        yield database
    finally:
        databases.drop(database)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where mutations are tried: the source, and the restored database, which is cloned."""

    pair: Pair
    source: Database
    restored: Database
    features: frozenset[str]
    compare: Compare
    selection: Selection

    def tried(self, mutation: Mutation) -> Mutated:
        """Apply ``mutation`` to a clone of its own and ask the comparison."""
        reason = self._out_of_reach(mutation)
        if reason:
            return Mutated(mutation.area, mutation.name, Sight.SKIPPED, reason)
        with self.cloned() as clone:
            seen, words = self._looked_at(mutation, clone)
        return Mutated(mutation.area, mutation.name, seen, words)

    def _out_of_reach(self, mutation: Mutation) -> str:
        major = self.pair.source.major
        if mutation.since > major:
            return f"PostgreSQL {mutation.since} and later; the source is {major}"
        if mutation.needs and mutation.needs not in self.features:
            return f"not both servers offer {mutation.needs}"
        return ""

    def _looked_at(self, mutation: Mutation, clone: Database) -> tuple[Sight, str]:
        try:
            changed = _apply(mutation, clone.admin)
        except psycopg.Error as error:
            said = redact(str(error).strip().partition("\n")[0], clone.admin)
            return Sight.UNKNOWN, f"the change itself failed: {said}"
        if not changed:
            return Sight.UNCHANGED, "its witness reads the same before and after"
        try:
            return sight.judge(self.compared(clone), mutation.where)
        except RestoreVerifierError as error:
            return Sight.UNKNOWN, str(error)

    def compared(self, clone: Database) -> Comparison:
        return self.compare(self.source.admin, clone.admin, self.selection)

    def cloned(self) -> AbstractContextManager[Database]:
        """A database that is what the restore made, for as long as the context lasts."""
        return _temporary(self.pair, Side.TARGET, "selftest_mutated", self.restored)


def _apply(mutation: Mutation, dsn: Dsn) -> bool:
    """Run ``mutation`` in the database at ``dsn``; whether its witness reads otherwise then."""
    with sessions.connect(dsn, client_encoding="UTF8") as session:
        before = _read(session, mutation.witness)
        session.execute(mutation.sql.encode())  # several statements at once are one transaction
        return _read(session, mutation.witness) != before


def _read(session: psycopg.Connection[Any], query: str) -> list[Any]:
    """The rows of ``query``, all of whose values come as text."""
    with session.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
        return list(copy.rows())
