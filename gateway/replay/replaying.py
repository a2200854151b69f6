"""How is a release computed again? By the release's own functions, from its table, its statements and its seed.

What reads the table is read again, so a replay is written into the ledger; but it is no attempt and costs no budget,
since it tells nobody anything that the evidence does not hold already.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.record.claim import PrivacyClaim
from gateway.assessment import assess, measurement_to_dict, tables_of
from gateway.candidate import Parts, Sampled, Streams, fit_hybrid, parse_candidate, read_parts
from gateway.claim import claim_measurements
from gateway.earlier import Earlier, earlier_releases
from gateway.errors import GatewayError
from gateway.halves import Sides, vote_key
from gateway.intake import RawTable, TypedTable, draw_lots, take_snapshot
from gateway.intake.lone_split import Lots
from gateway.private import earlier_names
from gateway.progress import Progress
from gateway.provenance import DISTRIBUTION, Software, installed_software
from gateway.remedy import mend
from gateway.replay.compare import Compared, Gap, Replay, compare_by_name
from gateway.replay.held import Held
from gateway.replay.votes import NOT_VOTED_AGAIN, votes_again
from gateway.workspace import Workspace
from policies import Measurement
from synth import HybridSynthesizer
from synth.dp.accounting import compose_epsilon

BY_DESIGN = (
    "its noise was drawn from the system's generator and kept nowhere, by design; the released bytes were audited again"
)
MEASURED_AS_RELEASED = "the bundle was given, and its bytes were audited again"
OTHER_CANDIDATE = (
    "the candidate made again is not the one on record, so its measurements cannot be compared; give the released "
    "bytes with --bundle, if it was released"
)


@dataclass(frozen=True)
class _Candidate:
    """The bytes to be audited, what was compared on the way to them, and what was not done."""

    files: dict[str, bytes] | None
    compared: tuple[Compared, ...] = ()
    gaps: tuple[Gap, ...] = ()


def replay_record(
    target: Path, data: Path | str, bundle: Path | None, workspace: Workspace, passphrase: bytes, progress: Progress
) -> Replay:
    """Compute the audit of a release again, and compare every value.

    Parameters
    ----------
    target
        The bundle's folder, or the record's file.
    data
        The table it was made of, byte for byte.
    bundle
        Where the released bytes are. They are audited then; without it the candidate is made again from table and
        seed, which must give the same bytes. Under differential privacy it cannot be: there ``target`` is taken for
        the bundle if it is a folder.
    passphrase
        Of the workspace: whether the table is the same is told with a key under it.

    Raises
    ------
    GatewayError, KeyFileError, LedgerError, PolicyError, DictionaryError, IntakeError
        Nothing can be replayed: something is missing, or not what the record speaks of.
    """
    held = Held.open(workspace, target)
    key = workspace.commitment_key(passphrase)
    snapshot = take_snapshot(data, held.dictionary.source)
    held.check_table(snapshot, key)
    if bundle is None and held.private:
        bundle = _released_at(target, held)
    given = None if bundle is None else held.candidate_files(bundle)
    streams = Streams.of(held.seed)
    gated = held.policy.private_gate is not None
    lots = functools.partial(draw_lots, patient=held.dictionary.patient, key=vote_key(key, held.dictionary.name))
    parts = read_parts(
        snapshot,
        held.dictionary,
        held.policy,
        functools.partial(_split_as_held, held.held_out, lots if gated else None),
        progress,
    )
    candidate = _given(given, held) if given is not None else _made_again(held, parts, streams, progress)
    rng = streams.again if held.mended else streams.audit
    measurements, decision = _measured(candidate, held, parts, rng, workspace, progress)
    if gated and candidate.files is not None:
        candidate = replace(candidate, gaps=(*candidate.gaps, *NOT_VOTED_AGAIN))
    if not measurements:
        candidate = replace(candidate, gaps=(*candidate.gaps, Gap("measurements", OTHER_CANDIDATE)))
    software = installed_software()
    replay = Replay(
        record_sha256=held.record_sha256,
        measurements=measurements,
        others=(*candidate.compared, *decision),
        gaps=candidate.gaps,
        surroundings=tuple(_changes(held, software)),
    )
    workspace.ledger.conclude(
        held.attempt,
        "replay",
        {
            "recordDigest": held.record_sha256,
            "same": replay.same,
            "measurements": len(measurements),
            "different": len(replay.different),
            "software": software.version,
        },
    )
    return replay


def _released_at(target: Path, held: Held) -> Path:
    if not held.record.allowed:
        raise GatewayError(
            "a denied release under differential privacy cannot be replayed: its noise was drawn from the system's "
            "generator and kept nowhere, and its bytes were destroyed with the refusal, both by design"
        )
    if target.is_dir():
        return target
    raise GatewayError(
        "this release is differentially private: its noise was kept nowhere, by design, so its rows cannot be made "
        "again; give the released bytes with --bundle"
    )


def _split_as_held(
    held_out: NDArray[np.int64], lots: Callable[[RawTable], Lots] | None, raw: RawTable, _: TypedTable
) -> Sides:
    everyone = np.arange(raw.row_count, dtype=np.int64)
    return Sides(np.setdiff1d(everyone, held_out), held_out, lots=None if lots is None else lots(raw))


def _given(files: dict[str, bytes], held: Held) -> _Candidate:
    return _Candidate(files, (), (Gap("fitting and sampling", BY_DESIGN if held.private else MEASURED_AS_RELEASED),))


def _made_again(held: Held, parts: Parts, streams: Streams, progress: Progress) -> _Candidate:
    made = fit_hybrid(held.dictionary, held.policy, held.settings, parts.train, streams.fit, progress)
    progress.stage("sampling")
    sampled = Sampled(*made.sample_people(held.rows, streams.sample))
    files = sampled.serialise(held.dictionary, streams.keys)
    if held.mended:
        files = _mended_again(sampled, files, made, held, parts, streams)
    recorded = held.evidence["candidate"]
    digests = [Compared(f"sha256 of {name}", recorded.get(name), _sha256(files[name])) for name in files]
    learned = _learned(made)
    compared = (*(Compared(name, held.evidence[name], value) for name, value in learned.items()), *digests)
    return _Candidate(files if all(each.same for each in digests) else None, compared)


def _mended_again(
    sampled: Sampled, files: dict[str, bytes], made: HybridSynthesizer, held: Held, parts: Parts, streams: Streams
) -> dict[str, bytes]:
    """The candidate after its remedies; what it was before them where they give none now."""
    remedies = held.policy.remedies
    if remedies is None:
        return files
    released = parse_candidate(files, held.dictionary)
    tables = tables_of(released, parts.train, parts.holdout, held.dictionary, held.policy)
    mended = mend(tables, remedies, lambda rows: made.sample(rows, streams.remedy))
    return files if mended.frame is None else sampled.mended(mended.frame).serialise(held.dictionary, streams.keys)


def _learned(made: HybridSynthesizer) -> dict[str, Any]:
    learned: dict[str, Any] = json.loads(  # as the evidence has it: tuples become lists
        json.dumps({"weights": made.weights_, "selection": made.trace_.to_dict(), "synthesizer": made.settings_})
    )
    return learned


def _measured(
    candidate: _Candidate, held: Held, parts: Parts, rng: np.random.Generator, workspace: Workspace, progress: Progress
) -> tuple[tuple[Compared, ...], tuple[Compared, ...]]:
    """Every measurement, and the decision; none where there are no bytes to measure."""
    if candidate.files is None:
        return (), ()
    released = parse_candidate(candidate.files, held.dictionary)
    earlier = _earlier(held, workspace)
    if held.policy.private_gate is not None:
        progress.stage("votes of the parts")
        return votes_again(released, held, parts, earlier, rng), ()
    known = _known(held, workspace)
    assessment = assess(
        released, parts.train, parts.holdout, held.dictionary, held.policy, rng, progress, known, earlier
    )
    now = [measurement_to_dict(measurement) for measurement in assessment.measurements]
    decision = Compared("decision", held.evidence["decision"], assessment.decision.to_dict())
    return tuple(compare_by_name(held.evidence["measurements"], now)), (decision,)


def _earlier(held: Held, workspace: Workspace) -> Earlier:
    sequence, commitment = held.attempt.sequence, held.evidence["sourceCommitment"]
    names = earlier_names(workspace.ledger, held.policy, held.attempt.dataset, commitment, sequence)
    split_by = held.dictionary.name if held.private else names[0]
    earlier = earlier_releases(workspace, names, split_by, sequence, held.dictionary)
    return earlier.beside(float(held.evidence.get("strangers", 0.0)), held.dictionary)


def _known(held: Held, workspace: Workspace) -> Sequence[Measurement]:
    """Epsilon and delta, composed again from the mechanisms that the ledger was charged with."""
    if not held.private:
        return ()
    claim = PrivacyClaim.from_dict(held.evidence["differentialPrivacy"])
    charges = workspace.ledger.charges(held.dictionary.name)
    charge = next((each for each in charges if each.attempt_sequence == held.attempt.sequence), None)
    if charge is None:
        raise GatewayError("the ledger holds no charge for this release, though its record claims a budget")
    return claim_measurements(replace(claim, epsilon=compose_epsilon(charge.events, claim.delta)))


def _changes(held: Held, now: Software) -> list[str]:
    """What about the software is not as it was; it may be why values differ."""
    then = held.record.software
    changes = []
    if now.version != then.version:
        changes.append(f"{DISTRIBUTION} was {then.version} and is {now.version}")
    if now.lock_digest != then.lock_sha256:
        changes.append("the lock file is another, or only one of the two is known")
    packages = sorted(
        {line.split("==")[0] for line in set(now.environment) ^ set(held.evidence["environment"])} - {DISTRIBUTION}
    )
    if packages:
        more = f" and {len(packages) - 10} more" if len(packages) > 10 else ""
        changes.append(f"{len(packages)} packages are of another version or missing: {', '.join(packages[:10])}{more}")
    return changes


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
