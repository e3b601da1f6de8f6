"""Proofs as JSON: plain values and back, and the report file of a run.

:func:`to_plain` and :func:`from_plain` are the one home of that form: proofs also
travel in it from parallel workers to the process that reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verifier.contract import Evidence, Finding, Guarantee, Proof, Severity, Verdict
from verifier.report import file
from verifier.report.model import Results, Row

SCHEMA = 1
"""Of the report file; a change that a reader would notice makes it the next number."""

Plain = dict[str, Any]
"""Only dict, list, str, int, bool and None, and only text as keys."""


def to_plain(proof: Proof) -> Plain:
    """``proof`` in plain values."""
    return {
        "scenario": proof.scenario,
        "implementation": proof.implementation,
        "verdict": proof.verdict.value,
        "verdicts": _verdicts(proof.verdicts),
        "focus": [guarantee.value for guarantee in proof.focus],
        "reasons": {guarantee.value: text for guarantee, text in proof.reasons.items()},
        "findings": [finding_to_plain(finding) for finding in proof.findings],
    }


def from_plain(plain: Mapping[str, Any]) -> Proof:
    """The proof that :func:`to_plain` made ``plain`` of."""
    return Proof(
        scenario=plain["scenario"],
        implementation=plain["implementation"],
        verdicts={Guarantee(name): Verdict(word) for name, word in plain["verdicts"].items()},
        focus=tuple(Guarantee(name) for name in plain["focus"]),
        reasons={Guarantee(name): text for name, text in plain["reasons"].items()},
        findings=tuple(_read_finding(each) for each in plain["findings"]),
    )


def write(results: Results, path: Path) -> None:
    """Write the report file at once: a reader sees the old one or the whole new one.

    Raises :class:`OSError` when ``path`` cannot be written.
    """
    file.write(dumps(document(results)), path)


def dumps(plain: Plain) -> str:
    """``plain`` as the text of a file."""
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def document(results: Results) -> Plain:
    """The content of the report file."""
    return {
        "schema": SCHEMA,
        "about": asdict(results.about),
        "verdict": results.verdict.value if results.verdict else None,
        "sentence": results.sentence,
        "exit_code": results.exit_code,
        "aborted": results.aborted or None,
        "failures": list(results.failures),
        "guarantees": _verdicts(results.over),
        "not_offered": {guarantee.value: text for guarantee, text in results.reasons.items()},
        "scenarios": [_row(row) for row in results.rows],
    }


def _row(row: Row) -> Plain:
    return {
        "scenario": row.scenario,
        "verdict": row.verdict.value,
        "verdicts": _verdicts(row.verdicts),
        "focus": [guarantee.value for guarantee in row.focus],
        "findings": [finding_to_plain(finding) for finding in row.findings],
    }


def _verdicts(verdicts: Mapping[Guarantee, Verdict]) -> dict[str, str]:
    return {guarantee.value: verdict.value for guarantee, verdict in verdicts.items()}


def finding_to_plain(finding: Finding) -> Plain:
    """``finding`` in dict, list, str and int."""
    return {
        "guarantee": finding.guarantee.value,
        "verdict": finding.verdict.value,
        "severity": finding.severity.name.lower(),
        "title": finding.title,
        "table": finding.table,
        "constraint": finding.constraint,
        "key": dict(finding.key),
        "columns": list(finding.columns),
        "evidence": [
            {"label": each.label, "row": dict(each.row), "words": each.words}
            for each in finding.evidence
        ],
        "count": finding.count,
        "sql": finding.sql,
        "database": finding.database,
    }


def _read_finding(plain: Mapping[str, Any]) -> Finding:
    return Finding(
        guarantee=Guarantee(plain["guarantee"]),
        verdict=Verdict(plain["verdict"]),
        severity=Severity[plain["severity"].upper()],
        title=plain["title"],
        table=plain["table"],
        constraint=plain["constraint"],
        key=plain["key"],
        columns=tuple(plain["columns"]),
        evidence=tuple(
            Evidence(each["label"], each["row"], each["words"]) for each in plain["evidence"]
        ),
        count=plain["count"],
        sql=plain["sql"],
        database=plain["database"],
    )
