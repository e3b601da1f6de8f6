"""One world put to an implementation, and what was wrong with what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from verifier.contract import Claim, Finding, Guarantee, Severity
from verifier.errors import ServerDied
from verifier.fuzz.failure import Cause, cause_of
from verifier.fuzz.subject import Subject
from verifier.model.allowed import breaches
from verifier.model.breach import Breach, NotModelled
from verifier.model.compare import differences
from verifier.model.expressions import Ask
from verifier.model.restore import Expected, expect
from verifier.model.world import World
from verifier.worlds.run import Ground, Run, run

CRASHED = "the server went down during the restore"


@dataclass(frozen=True)
class Judged:
    """What became of a world."""

    world: World
    breaches: tuple[Breach, ...]
    run: Run | None
    """``None``: there was nobody left to tell."""
    expected: Expected | None
    """What the built-in implementation promises, where that is known."""
    claim: Claim | None = None
    """``None``: it said nothing."""
    unmodelled: str = ""
    """Why the model had nothing to say, so that only the contract was demanded."""

    def shows(self, cause: Cause) -> bool:
        return any(cause_of(each) == cause for each in self.breaches)


def judge(subject: Subject, ground: Ground, world: World) -> Judged:
    """Have ``world`` restored, and hold it against the model.

    Raises :class:`~verifier.worlds.ground.Unfit` for a world that cannot be made, and
    :class:`~verifier.errors.NotOffered`.
    """
    fates: list[Breach] = getattr(subject.implementation, "fates", [])
    fates.clear()
    try:
        done = run(ground, subject.implementation, world)
    except ServerDied as error:
        words = str(error).partition(";")[0]
        crash = Breach(Guarantee.RECOVERABILITY, CRASHED, words=words)
        return Judged(world, (crash,), None, None)
    if fates:
        fate = fates[0]
        return Judged(world, (fate,), None, None)
    judged = done.world
    ask = ground.target.asker()
    expected, unmodelled = None, ""
    found = [*_called(done.findings)]
    try:
        expected = expect(judged, ask)
    except NotModelled as error:
        unmodelled = str(error)
    if subject.promises and expected is not None:
        found += differences(judged, expected, done.claim, done.observation)
    try:
        found += breaches(
            judged,
            done.claim,
            done.observation,
            done.again,
            before=done.before,
            resumable=bool(getattr(subject.implementation, "resumable", False)),
            ask=ask,
        )
        if subject.promises and expected is not None:
            found += _once_more(judged, expected, done, ask)
    except NotModelled as error:
        unmodelled = str(error)
    return Judged(world, tuple(_demanded(found, subject)), done, expected, done.claim, unmodelled)


def _once_more(world: World, expected: Expected, done: Run, ask: Ask) -> Iterator[Breach]:
    """What a second restore did otherwise than promised, if the first one set rows aside.

    They may fit by now, as the target is another one; if there were none, nothing may change.
    """
    if not done.again or not expected.rejections:
        return
    later = replace(world, present=done.observation.rows)
    for each in differences(later, expect(later, ask), *done.again):
        cause = f"in a second restore of the same backup, {each.cause}"
        yield replace(
            each, cause=cause, words=f"in a second restore of the same backup, {each.words}"
        )


def _called(findings: Iterable[Finding]) -> Iterator[Breach]:
    """What the calls themselves showed: a password, files, processes."""
    for each in findings:
        if each.severity >= Severity.BREACH:
            words = "; ".join(evidence.words for evidence in each.evidence if evidence.words)
            yield Breach(each.guarantee, each.title, words=words)


def _demanded(found: Iterable[Breach], subject: Subject) -> Iterator[Breach]:
    """Without what the implementation does not offer, and each breach once."""
    seen = set()
    for each in found:
        if each.guarantee not in subject.implementation.not_offered and cause_of(each) not in seen:
            seen.add(cause_of(each))
            yield each
