"""What one test came to, attached to pytest's own report of it.

The proofs travel with that report, as plain values with every password hidden,
from whichever process ran the test to the one that talks to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from verifier.contract import Finding, Guarantee, Proof, Row, Verdict
from verifier.errors import ObservationError, ServerError, UsageError
from verifier.report import json
from verifier.scenario import GuaranteeBroken

CARGO = "restore_verifier"
"""Under this name data travels between the processes of a parallel run."""
_UNVERIFIED = (ServerError, ObservationError, UsageError)
"""Errors after which a scenario's answer is unknown, and not that something is broken."""


def attach(
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    item: pytest.Item,
    *,
    proofs: Sequence[Proof],
    blank: Proof,
    hide: Callable[[str], str],
) -> None:
    """Attach the proofs of ``item`` to ``report`` and cut its traceback down to what matters.

    ``blank`` is the scenario's proof with nothing in it: it becomes an ``unknown``
    where the scenario ended before it could prove anything.
    """
    error = call.excinfo.value if call.excinfo else None
    proved = isinstance(error, (GuaranteeBroken, *_UNVERIFIED))
    silent = call.when == "call" and report.passed and not proofs and bool(blank.focus)
    if silent:
        report.outcome, proved = "failed", True
        report.longrepr = "the scenario proved nothing; end it with .prove()"
    elif report.failed and proved:
        report.longrepr = str(error)
    if report.failed and not proofs and call.when != "teardown":
        proofs = [_unknown(blank, str(report.longrepr) if proved else repr(error))]
    over = call.when == "call" or (call.when == "setup" and report.failed)
    line = item.reportinfo()[1] or 0
    setattr(
        report,
        CARGO,
        {
            "proved": proved,
            "order": [str(item.path), line, item.name],
            "proofs": [json.to_plain(_hidden(proof, hide)) for proof in proofs] if over else [],
        },
    )
    report.sections = [(name, hide(text)) for name, text in report.sections]
    if report.failed and hide(str(report.longrepr)) != str(report.longrepr):
        report.longrepr = hide(str(report.longrepr))


def _unknown(blank: Proof, why: str) -> Proof:
    title = f"the scenario ended before it proved anything: {why}"
    return Proof(
        scenario=blank.scenario,
        implementation=blank.implementation,
        focus=blank.focus,
        verdicts=dict.fromkeys(blank.focus, Verdict.UNKNOWN),
        findings=tuple(
            Finding(guarantee=each, verdict=Verdict.UNKNOWN, title=title)
            for each in blank.focus[:1] or (Guarantee.COMPLETENESS,)
        ),
    )


def _hidden(proof: Proof, hide: Callable[[str], str]) -> Proof:
    """``proof`` with passwords hidden wherever it quotes something."""

    def row(values: Row) -> Row:
        return {hide(name): value and hide(value) for name, value in values.items()}

    return replace(
        proof,
        reasons={guarantee: hide(reason) for guarantee, reason in proof.reasons.items()},
        findings=tuple(
            replace(
                each,
                title=hide(each.title),
                table=hide(each.table),
                constraint=hide(each.constraint),
                columns=tuple(map(hide, each.columns)),
                sql=hide(each.sql),
                key=row(each.key),
                evidence=tuple(
                    replace(one, row=row(one.row), words=hide(one.words)) for one in each.evidence
                ),
            )
            for each in proof.findings
        ),
    )
