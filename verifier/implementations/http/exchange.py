"""The requests of one backup or one restore, in their order, until its end is known.

``upload`` (where the backup goes there first), ``start``, ``status`` again and again, and
``result``; all but ``start`` can be left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verifier.implementations.http.answers import Answer
from verifier.implementations.http.calls import Caller, Request
from verifier.implementations.http.failure import Failed
from verifier.implementations.http.paths import Condition
from verifier.implementations.http.templates import Call
from verifier.implementations.http.values import Values
from verifier.implementations.placeholders import Template

UPLOAD, START, STATUS, RESULT = STEPS = ("upload", "start", "status", "result")

Send = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """A request that is repeated until the work has come to an end."""

    call: Call
    every: float
    """Seconds between an answer and the next request."""
    done: Condition
    failed: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended: by the answer that tells of the whole."""

    answer: Answer
    failure: str = ""
    """Why it is a failure, whatever else the answer says; empty where nothing shows one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is asked of a service, one request after the other."""

    start: Call
    upload: Call | None = None
    status: Polling | None = None
    result: Call | None = None
    timeout: float
    """Seconds for all of it."""

    def templates(self) -> Iterator[Template]:
        status = None if self.status is None else self.status.call
        for call in (self.upload, self.start, status, self.result):
            if call is not None:
                yield from call.templates()

    def run(self, caller: Caller, values: Values, last: Send) -> Ended:
        """Send them all; ``last`` sends the one whose answer is the whole's.

        Raises :class:`Failed` where there is no answer, or no end within the time.
        """
        if self.upload is not None:
            answer = self._ask(UPLOAD, self.upload, caller, values)
            if not answer.ok:
                return _refused(answer)
        final = self.status is None and self.result is None
        answer = self._ask(START, self.start, caller, values, last if final else None)
        if not answer.ok:
            return _refused(answer)
        if self.status is not None:
            ended = self._polled(self.status, caller, values, last if not self.result else None)
            if ended.failure or self.result is None:
                return ended
        if self.result is not None:
            answer = self._ask(RESULT, self.result, caller, values, last)
        return Ended(answer=answer) if answer.ok else _refused(answer)

    def _ask(
        self, step: str, call: Call, caller: Caller, values: Values, send: Send | None = None
    ) -> Answer:
        request = call.filled(values, self.timeout)
        answer = (send or caller.fetch)(request)
        values.answers[step] = answer
        return answer

    def _polled(self, polling: Polling, caller: Caller, values: Values, send: Send | None) -> Ended:
        answer: Answer | None = None
        while answer is None or time.monotonic() < caller.deadline:
            try:
                answer = self._ask(STATUS, polling.call, caller, values, send)
            except Failed as failed:
                if answer is None:
                    raise
                if time.monotonic() >= caller.deadline:
                    break  # a request that began too late to be answered tells nothing
                raise Failed(f"{failed}; the status before was {answer.said()}") from None
            if not answer.ok:
                return _refused(answer)
            document = answer.document()
            if polling.failed is not None and polling.failed.touches(document):
                return Ended(answer=answer, failure=polling.failed.found(document))
            if polling.done.holds(document):
                return Ended(answer=answer)
            time.sleep(min(polling.every, caller.left))
        raise Failed(
            f"{answer.asked} did not come to an end within {self.timeout:g} s; its last answer was "
            f"{answer.said()} ({polling.done.found(answer.document())})"
        )


def _refused(answer: Answer) -> Ended:
    return Ended(answer=answer, failure=f"{answer.asked} was refused")
