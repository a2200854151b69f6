"""Genuine records whose log proof, folder or keys must not be believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from audit.record import canonical, merkle
from audit.record.note import Checkpoint
from audit.record.proof import LogProof, entry_of
from audit.record.statement import PROOF_FILE, RECORD_FILE
from audit.record.trust import Revocation
from tests.conformance.parts import (
    AFTER,
    AHEAD,
    APPROVER,
    BEFORE,
    DATA,
    DECIDED,
    GATE,
    LOG,
    ORIGIN,
    OTHER,
    REGISTERED,
    REGULATOR,
    WITNESS,
    Case,
    Files,
    bundle,
    listed,
    prove,
    trust,
)


def logs() -> Iterator[Case]:
    good = bundle()
    entry, content = good[RECORD_FILE], good[PROOF_FILE]
    document = json.loads(content)

    def refuse(name: str, about: str, changed: bytes | LogProof, files: Files = good) -> Case:
        written = changed if isinstance(changed, bytes) else changed.to_bytes()
        return Case(f"log-{name}", about, {**files, PROOF_FILE: written}, "log")

    def edited(**changes: object) -> bytes:
        return canonical.encode({**document, **changes})

    one, two = BEFORE
    yield refuse("of-another-record", "The proof of another record.", prove(bundle(reason="another")[RECORD_FILE]))
    yield refuse(
        "reordered",
        "The record stands elsewhere in the log than it says.",
        prove(entry, before=(one,), after=(two, *AFTER)),
    )
    yield refuse(
        "reordered-before",
        "Earlier entries changed places under an old checkpoint.",
        LogProof(2, 4, prove(entry, before=(two, one)).hashes, document["checkpoint"].encode()),
    )
    yield refuse("other-index", "The proof claims another index.", edited(index=1))
    yield refuse("other-size", "The proof claims another size than the checkpoint.", edited(treeSize=5))
    yield refuse("other-key", "A checkpoint by another key than the record names.", prove(entry, log=OTHER))
    forged = Checkpoint(ORIGIN, 4, merkle.EMPTY_ROOT).sign(LOG)
    yield refuse("other-root", "A checkpoint of another tree.", edited(checkpoint=forged.decode()))
    elsewhere = Checkpoint("elsewhere.example/log", 4, _root(entry)).sign(LOG)
    yield refuse("other-origin", "A checkpoint of another log by the same key.", edited(checkpoint=elsewhere.decode()))
    yield refuse(
        "altered-hash",
        "A hash of the proof is not the one.",
        edited(hashes=[document["hashes"][-1]] * len(document["hashes"])),
    )
    yield refuse(
        "extra-hash", "A hash more than the tree is high.", edited(hashes=[*document["hashes"], document["hashes"][0]])
    )
    yield refuse("missing-hash", "A hash less.", edited(hashes=document["hashes"][1:]))
    yield refuse(
        "unsigned",
        "A checkpoint without its signature.",
        edited(checkpoint=document["checkpoint"].partition("\n\n")[0] + "\n\n"),
    )
    yield refuse("unknown-field", "A field that the proof does not have.", edited(note="hello"))
    yield refuse("other-version", "A version nobody knows.", edited(version=3))
    yield refuse("duplicate-key", "The index is written twice.", content.replace(b'"index":2', b'"index":2,"index":2'))
    yield refuse("truncated", "The second half is missing.", content[: len(content) // 2])
    seen = bundle(witnesses={REGULATOR: (WITNESS, 3)})
    cosigned = json.loads(seen[PROOF_FILE])
    [sighting] = cosigned["witnessed"]
    later = sighting["checkpoint"].replace("AAAA", "AAAB", 1)
    yield refuse(
        "altered-cosignature",
        "The time of a cosignature was changed.",
        _cosigned(cosigned, {**sighting, "checkpoint": later}),
        seen,
    )
    yield refuse("cosignature-twice", "One witness is listed twice.", _cosigned(cosigned, sighting, sighting), seen)
    yield refuse("cosigned-nothing", "An empty list of cosigned checkpoints.", _cosigned(cosigned), seen)
    forked = json.loads(prove(entry, before=(one, b"another history"), witnesses={REGULATOR: (WITNESS, 2)}).to_bytes())
    yield refuse("forked", "A witness has cosigned another history.", _cosigned(cosigned, *forked["witnessed"]), seen)


def witnesses() -> Iterator[Case]:
    asked = ("witness",)
    yield Case("witness-none", "A witness is asked for; there is none.", bundle(), "witness", witnesses=asked)
    early = bundle(witnesses={REGULATOR: (WITNESS, 2)})
    yield Case(
        "witness-too-early", "The witness saw the log before the record was in it.", early, "witness", witnesses=asked
    )
    other = bundle(witnesses={REGULATOR: (OTHER, 4)})
    yield Case("witness-other-key", "Another key under the witness's name.", other, "witness", witnesses=asked)


def clocks() -> Iterator[Case]:
    yield Case(
        "clock-decided-ahead",
        "Properly signed and logged, and decided in the year 9998.",
        bundle(registered_at=AHEAD, decided_at=AHEAD),
        "clock",
    )
    yield Case(
        "clock-decided-ahead-registered",
        "Registered in the past and decided in the year 9998, so that it would expire only after that.",
        bundle(decided_at=AHEAD),
        "clock",
    )
    good = bundle()
    seen = prove(good[RECORD_FILE], witnesses={REGULATOR: (WITNESS, 3)}, seen_at=AHEAD)
    yield Case(
        "clock-cosigned-ahead",
        "The witness that is asked for says that it saw the log in the year 9998.",
        {**good, PROOF_FILE: seen.to_bytes()},
        "clock",
        witnesses=("witness",),
    )
    yield Case(
        "clock-trust-ahead",
        "The trust file was issued in the year 9998.",
        good,
        "clock",
        keys=(),
        trust=trust(listed("gate", GATE), listed("log", LOG), issued=AHEAD),
    )


def folders() -> Iterator[Case]:
    good = bundle()

    def refuse(
        name: str, about: str, *, drop: str = "", prepare: dict[str, str] | None = None, **changes: bytes
    ) -> Case:
        files = {path: content for path, content in good.items() if path != drop}
        files |= {path.replace("_", "."): content for path, content in changes.items()}
        return Case(f"files-{name}", about, files, "files", prepare=(prepare,) if prepare else ())

    data, page = DATA["data.csv"], DATA["index.html"]
    yield refuse("altered", "One digit of the data was changed.", data_csv=data.replace(b"61", b"62"))
    yield refuse("truncated", "The last row is missing.", data_csv=data[:-5])
    yield refuse("emptied", "The data file is empty.", data_csv=b"")
    yield refuse("longer", "A row was added.", data_csv=data + b"70,f\n")
    yield refuse("line-endings", "Line ends were translated.", data_csv=data.replace(b"\n", b"\r\n"))
    yield refuse("swapped", "Two files have changed names.", data_csv=page, index_html=data)
    yield refuse("missing", "A signed file is missing.", drop="data.csv")
    yield refuse("extra", "A file nobody signed.", more_csv=data)
    yield refuse("hidden", "A hidden file nobody signed.", _DS_Store=b"")
    yield refuse("renamed", "The name differs in case.", drop="data.csv", DATA_CSV=data)
    yield refuse("no-proof", "The log proof is missing.", drop=PROOF_FILE)
    yield refuse("no-record", "The record is missing.", drop=RECORD_FILE)
    made = "made when the test runs"
    yield refuse(
        "link", f"A link to a file of the right content ({made}).", prepare={"make": "symlink", "path": "data.csv"}
    )
    yield refuse("record-link", f"The record is a link ({made}).", prepare={"make": "symlink", "path": RECORD_FILE})
    yield refuse("pipe", f"A pipe in place of a file ({made}).", prepare={"make": "pipe", "path": "data.csv"})
    yield refuse("folder", f"A folder in place of a file ({made}).", prepare={"make": "folder", "path": "data.csv"})
    yield refuse("extra-folder", f"An empty folder nobody signed ({made}).", prepare={"make": "folder", "path": "more"})


def trust_files() -> Iterator[Case]:
    good, log = bundle(), listed("log", LOG)
    day = timedelta(days=1)

    def case(
        name: str, about: str, held: bytes, why: str | None = "trust", files: Files = good, root: str = "root"
    ) -> Case:
        return Case(name, about, files, why, keys=(), trust=held, root=root)

    retired = listed("gate", GATE, end=DECIDED + day)
    rotated = trust(retired, listed("gate", OTHER, start=DECIDED), log)
    yield case("trust-valid", "The key is in the trust file.", trust(listed("gate", GATE), log), None)
    yield case("trust-rotated", "The key was valid when it signed, and has been replaced since.", rotated, None)
    later = Revocation(DECIDED + day, "retired")
    yield case(
        "trust-revoked-later",
        "The key was revoked after it signed.",
        trust(listed("gate", GATE, revoked=later), log),
        None,
    )
    yield case("trust-expired", "The key had expired when it signed.", trust(listed("gate", GATE, end=REGISTERED), log))
    yield case("trust-not-yet", "The key was not valid yet.", trust(listed("gate", GATE, start=DECIDED + day), log))
    before = Revocation(DECIDED - day, "retired")
    yield case("trust-revoked", "The key was revoked when it signed.", trust(listed("gate", GATE, revoked=before), log))
    stolen = Revocation(DECIDED + day, "stolen", True, 2)
    yield case(
        "trust-stolen",
        "The key was stolen; the log shows the date to be set back.",
        trust(listed("gate", GATE, revoked=stolen), log),
    )
    yield case(
        "trust-role",
        "An approver's key signs no records.",
        trust(listed("approver", APPROVER), listed("gate", GATE), log),
        files=bundle(signers=(APPROVER,)),
    )
    yield case(
        "trust-log", "The log's key is not in the trust file.", trust(listed("gate", GATE), listed("log", OTHER))
    )
    yield case("trust-unlisted", "Nobody vouches for the key.", trust(listed("gate", OTHER), log), "envelope")
    whole = trust(listed("gate", GATE), log)
    yield case("trust-altered", "The trust file was altered.", whole.replace(b'"payload":"', b'"payload":"AAAA'))
    yield case(
        "trust-other-root", "The trust file is signed by another root.", trust(listed("gate", GATE), log, root=OTHER)
    )
    yield case("trust-truncated", "The second half of the trust file is missing.", whole[: len(whole) // 2])


def _cosigned(document: dict[str, object], *sightings: object) -> bytes:
    return canonical.encode({**document, "witnessed": list(sightings)})


def _root(entry: bytes) -> bytes:
    return merkle.root([merkle.leaf_hash(entry_of(each)) for each in (*BEFORE, entry, *AFTER)])
