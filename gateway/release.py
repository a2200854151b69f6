"""The main job: one table, one dictionary, one policy in; one signed release or one signed refusal out."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gateway.assessment import assess, threads_for
from gateway.bundle import check_output
from gateway.dossier import Candidate, Case, conclude
from gateway.errors import AttemptsExhaustedError
from gateway.intake import (
    IntakeError,
    TypedTable,
    read_table,
    split_people,
    type_table,
    write_csv,
    write_parquet,
)
from gateway.ledger import Attempt
from gateway.progress import Progress
from gateway.settings import SynthesizerSettings
from gateway.statements import read_dictionary, read_policy
from gateway.workspace import Workspace
from policies import Decision, Dictionary, decide
from synth import HybridSynthesizer

HOLDOUT_SHARE = 0.5  # equal halves, so that nearness to either is comparable without a correction


@dataclass(frozen=True)
class Request:
    """What a custodian asks for on the command line."""

    data: Path
    dictionary_file: Path
    policy_name: str
    rows: int
    out: Path
    settings: SynthesizerSettings = field(default_factory=SynthesizerSettings)


@dataclass(frozen=True)
class Outcome:
    """How a request ended. ``seconds`` is wall time, ``peak_mebibytes`` the process's largest resident size."""

    decision: Decision
    reason: str
    bundle: Path
    evidence: Path
    log_index: int
    attempt: Attempt
    seconds: float
    peak_mebibytes: float

    @property
    def report(self) -> Path:
        return self.evidence / "report.html"

    def to_dict(self) -> dict[str, Any]:
        """The shape ``gateway release --json`` prints: the decision, then where everything is."""
        return {
            **self.decision.to_dict(),
            "reason": self.reason,
            "bundle": str(self.bundle),
            "report": str(self.report),
            "logIndex": self.log_index,
            "attempt": {"number": self.attempt.number, "maximum": self.attempt.maximum},
            "seconds": round(self.seconds, 2),
            "peakMebibytes": round(self.peak_mebibytes),
        }


def release_table(
    request: Request, workspace: Workspace, passphrase: bytes, seed: np.random.SeedSequence, progress: Progress
) -> Outcome:
    """Run the whole journey. Everything that can be refused without the table is refused first.

    ``seed`` drives the statistical randomness (split, fit, attack baselines). It goes into the evidence, which stays
    with the custodian, so that a release can be replayed; no DP noise is ever drawn from it.

    Raises
    ------
    PolicyError, DictionaryError, IntakeError, SynthesisError, GatewayError, RecordError
        The caller can mend something; nothing was released, and no output exists.
    """
    began = time.monotonic()
    check_output(request.out)
    policy_bytes, policy = read_policy(request.policy_name)
    dictionary_bytes, dictionary = read_dictionary(request.dictionary_file)
    unlocked = workspace.unlock(passphrase)
    workspace.check_consistency()
    case = Case(
        policy=policy,
        policy_bytes=policy_bytes,
        dictionary=dictionary,
        dictionary_bytes=dictionary_bytes,
        settings=request.settings.model_dump(mode="json"),
        commitment=unlocked.commit_file(request.data),
        seed_entropy=str(seed.entropy),
    )
    attempt, refusal = _register(case, request, workspace)
    if refusal is not None:
        decision, candidate = decide(policy, ()), Candidate.none(refusal)
    else:
        candidate, decision = _candidate(case, request, attempt, workspace, seed, progress)
    progress.stage("recording")
    closed = conclude(case, attempt, decision, candidate, request.out, workspace, unlocked)
    return Outcome(
        decision=decision,
        reason=closed.reason,
        bundle=request.out,
        evidence=closed.evidence,
        log_index=closed.log_index,
        attempt=attempt,
        seconds=time.monotonic() - began,
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _register(case: Case, request: Request, workspace: Workspace) -> tuple[Attempt, str | None]:
    """The attempt, written down before rows are read; or the reason why none is made (I-8)."""
    dataset, policy = case.dictionary.name, case.policy
    if policy.differential_privacy is not None:
        used = workspace.ledger.used(dataset=dataset, policy=policy.id)
        attempt = Attempt.unregistered(dataset, policy.id, min(used + 1, policy.attempts.max), policy.attempts.max)
        return attempt, (
            "the policy demands a differential privacy claim, and this version of Sluice can make none; "
            "the table was not read"
        )
    body = {"commitment": case.commitment, "policyDigest": case.policy_digest, "rows": request.rows}
    try:
        return workspace.ledger.register(
            dataset=dataset, policy=policy.id, maximum=policy.attempts.max, request=body
        ), None
    except AttemptsExhaustedError:
        attempt = Attempt.unregistered(dataset, policy.id, policy.attempts.max, policy.attempts.max)
        return attempt, (
            f"all {policy.attempts.max} attempts that the policy allows on this dataset are used; "
            "the table was not read"
        )


def _candidate(
    case: Case, request: Request, attempt: Attempt, workspace: Workspace, seed: np.random.SeedSequence,
    progress: Progress,
) -> tuple[Candidate, Decision]:  # fmt: skip
    """Intake, fit, serialise once, audit those bytes (I-1)."""
    split_rng, fit_rng, sample_rng, audit_rng = (np.random.default_rng(child) for child in seed.spawn(4))
    clock = _Clock()
    try:
        train, holdout, warnings = _intake(case, request, split_rng, progress)
    except IntakeError:
        workspace.ledger.conclude(attempt, "unusable", {})
        raise
    clock.lap("intake")
    synthesizer = HybridSynthesizer(case.dictionary, **request.settings.arguments())
    with threads_for(train.row_count):
        synthesizer.fit(train.frame, fit_rng, people=train.people, progress=progress.stage("fitting the synthesizer"))
    clock.lap("fit")
    progress.stage("sampling")
    sampled = synthesizer.sample(request.rows, sample_rng)
    files = {"data.parquet": write_parquet(sampled, case.dictionary), "data.csv": write_csv(sampled, case.dictionary)}
    released = parse_candidate(files, case.dictionary)
    clock.lap("sample and serialise")
    assessment = assess(released, train, holdout, case.dictionary, case.policy, audit_rng, progress)
    clock.lap("audit")
    candidate = Candidate(
        files=files,
        rows=len(released),
        assessment=assessment,
        synthesizer=synthesizer.settings_,
        weights=synthesizer.weights_,
        trace=synthesizer.trace_,
        warnings=warnings,
        seconds={**clock.seconds, **{f"audit: {name}": took for name, took in assessment.result.seconds.items()}},
    )
    return candidate, assessment.decision


def _intake(
    case: Case, request: Request, rng: np.random.Generator, progress: Progress
) -> tuple[TypedTable, TypedTable, tuple[str, ...]]:
    progress.stage("reading the table")
    table = type_table(read_table(request.data), case.dictionary, minimum_people=case.policy.minimum_people)
    for warning in table.warnings:
        progress.note(warning)
    classes = None
    if case.dictionary.target is not None:
        classes = table.frame[case.dictionary.target].cat.codes.to_numpy().astype(np.int64)
    seen, unseen = split_people(table.people, rng, HOLDOUT_SHARE, classes=classes)
    return table.take(seen), table.take(unseen), table.warnings


def parse_candidate(files: Mapping[str, bytes], dictionary: Dictionary) -> pd.DataFrame:
    """The typed frame that a recipient reads from the released bytes, the same from either file.

    Raises
    ------
    RuntimeError
        The two files do not hold one table: a fault of ours, and nothing may be released.
    """
    parquet, csv = (
        type_table(raw, dictionary, released=True).frame
        for raw in (read_table(files["data.parquet"], "parquet"), read_table(files["data.csv"], "csv"))
    )
    if not parquet.equals(csv):
        raise RuntimeError("the candidate's files disagree")
    return parquet


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = now - self._last
        self._last = now
