"""Which parts is a release record made of?

Frozen values that refuse to be malformed with a ``RecordError``; ``to_dict`` gives the JSON object the record holds,
and ``from_dict`` takes it back, refusing missing and unknown fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from audit.record import fields
from audit.record.encoding import check_sha256, from_base64, to_base64
from audit.record.errors import RecordError
from audit.record.note import check_origin

# suffixes of files that hold rows; a denied bundle has none of them, packed or not (I-10)
_TABLES = {"csv", "tsv", "tab", "jsonl", "ndjson", "parquet", "pq", "feather", "arrow", "ipc", "orc", "avro"}
_SHEETS = {"xls", "xlsx", "xlsm", "ods", "sas7bdat", "xpt", "sav", "dta", "rds", "rda", "rdata"}
_STORES = {"db", "sqlite", "sqlite3", "duckdb", "h5", "hdf5", "npy", "npz", "pkl", "pickle"}
_PACKED = {"zip", "gz", "bz2", "xz", "zst", "tar", "tgz", "7z"}
DATA_SUFFIXES = frozenset(_TABLES | _SHEETS | _STORES | _PACKED)
_COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")
_MEASURE = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Subject:
    """One file of the bundle: a plain name, and the SHA-256 of its bytes in hexadecimal."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        fields.check_file_name(self.name, "subject name")
        check_sha256(self.sha256, "subject digest")

    @property
    def is_data(self) -> bool:
        """Whether the name is that of a file that holds rows, packed or not."""
        return not DATA_SUFFIXES.isdisjoint(self.name.casefold().split(".")[1:])

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "digest": digest(self.sha256)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "subject", ("name", "digest"))
        return cls(found["name"], digest_of(found["digest"], "subject digest"))


@dataclass(frozen=True)
class CoarseFinding:
    """Whether the limit on one measure was met, and nothing about by how much (I-7)."""

    measure: str
    met: bool

    def __post_init__(self) -> None:
        if not isinstance(self.measure, str) or _MEASURE.fullmatch(self.measure) is None:
            raise RecordError("a finding's measure must be a lower-case name such as k_anonymity")
        if type(self.met) is not bool:
            raise RecordError("a finding is met or it is not: expected true or false")

    def to_dict(self) -> dict[str, Any]:
        return {"measure": self.measure, "met": self.met}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "finding", ("measure", "met"))
        return cls(found["measure"], found["met"])


@dataclass(frozen=True)
class PolicyUsed:
    """The policy that was applied, and the SHA-256 of its file."""

    id: str
    sha256: str

    def __post_init__(self) -> None:
        fields.check_line(self.id, "policy id")
        check_sha256(self.sha256, "policy digest")

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "digest": digest(self.sha256)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "policy", ("id", "digest"))
        return cls(found["id"], digest_of(found["digest"], "policy digest"))


@dataclass(frozen=True)
class DictionaryUsed:
    """The data dictionary that was applied, and the SHA-256 of its file."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        fields.check_line(self.name, "dictionary name")
        check_sha256(self.sha256, "dictionary digest")

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "digest": digest(self.sha256)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "dictionary", ("name", "digest"))
        return cls(found["name"], digest_of(found["digest"], "dictionary digest"))


@dataclass(frozen=True)
class SourceCommitment:
    """``hmac-sha256:<64 hexadecimal digits>`` of the source table, and the name of the key.

    Keyed, because the plain digest of a small table can be guessed.
    """

    commitment: str
    key_id: str

    def __post_init__(self) -> None:
        if not isinstance(self.commitment, str) or _COMMITMENT.fullmatch(self.commitment) is None:
            raise RecordError("source commitment must be hmac-sha256: and 64 lower-case hexadecimal digits")
        fields.check_line(self.key_id, "source keyId")

    def to_dict(self) -> dict[str, Any]:
        return {"commitment": self.commitment, "keyId": self.key_id}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "source", ("commitment", "keyId"))
        return cls(found["commitment"], found["keyId"])


@dataclass(frozen=True)
class Software:
    """What ran: SHA-256 of the lock file (if there was one) and of the list of installed packages."""

    name: str
    version: str
    environment_sha256: str
    lock_sha256: str | None = None

    def __post_init__(self) -> None:
        fields.check_line(self.name, "software name")
        fields.check_line(self.version, "software version")
        check_sha256(self.environment_sha256, "software environmentDigest")
        if self.lock_sha256 is not None:
            check_sha256(self.lock_sha256, "software lockDigest")

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "lockDigest": None if self.lock_sha256 is None else digest(self.lock_sha256),
            "environmentDigest": digest(self.environment_sha256),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "software", ("name", "version", "lockDigest", "environmentDigest"))
        lock = found["lockDigest"]
        return cls(
            found["name"],
            found["version"],
            digest_of(found["environmentDigest"], "software environmentDigest"),
            None if lock is None else digest_of(lock, "software lockDigest"),
        )


@dataclass(frozen=True)
class Attempt:
    """Which of the attempts the policy allows on this dataset this was, from 1."""

    number: int
    maximum: int

    def __post_init__(self) -> None:
        fields.check_count(self.number, "attempt number", minimum=1)
        fields.check_count(self.maximum, "attempt maximum", minimum=1)
        if self.number > self.maximum:
            raise RecordError(f"attempt {self.number} of {self.maximum}: more than the policy allows")

    def to_dict(self) -> dict[str, Any]:
        return {"number": self.number, "maximum": self.maximum}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "attempt", ("number", "maximum"))
        return cls(found["number"], found["maximum"])


@dataclass(frozen=True)
class LogPosition:
    """Where in which log the record is: index from 0, the log's origin, its raw Ed25519 public key (32 bytes)."""

    index: int
    origin: str
    public_key: bytes

    def __post_init__(self) -> None:
        fields.check_count(self.index, "log index", minimum=0)
        check_origin(self.origin)
        if not isinstance(self.public_key, bytes) or len(self.public_key) != 32:
            raise RecordError("log publicKey must be the 32 raw bytes of an Ed25519 public key")

    def to_dict(self) -> dict[str, Any]:
        return {"index": self.index, "origin": self.origin, "publicKey": to_base64(self.public_key)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "log", ("index", "origin", "publicKey"))
        return cls(found["index"], found["origin"], from_base64(found["publicKey"], "log publicKey"))


@dataclass(frozen=True)
class Oversight:
    """Who asked for the release and who ran it, and whose approval the policy demands before it is relied on.

    ``count`` different people in one of ``roles``, neither requester nor operator; 0 for none. Both must be named
    where approvals are demanded, or nobody could tell that they have not approved their own.
    """

    requester: str | None = None
    operator: str | None = None
    count: int = 0
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, what in ((self.requester, "requester"), (self.operator, "operator")):
            if name is not None:
                fields.check_name(name, what)
        fields.check_count(self.count, "approvals count", minimum=0)
        if tuple(sorted(set(self.roles))) != self.roles or not set(self.roles) <= {"approver", "officer"}:
            raise RecordError("approvals roles must be approver, officer or both, in this order")
        if bool(self.count) != bool(self.roles):
            raise RecordError("approvals: a count needs roles, and roles need a count")
        if self.count and (self.requester is None or self.operator is None):
            raise RecordError("approvals are demanded, so requester and operator must be named: they cannot approve")

    def to_dict(self) -> dict[str, Any]:
        approvals = {"count": self.count, "roles": list(self.roles)}
        return {"requester": self.requester, "operator": self.operator, "approvals": approvals}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "oversight", ("requester", "operator", "approvals"))
        approvals = fields.members(found["approvals"], "approvals", ("count", "roles"))
        roles = fields.items(approvals["roles"], "roles")
        if not all(isinstance(role, str) for role in roles):
            raise RecordError("approvals roles must be text")
        return cls(found["requester"], found["operator"], approvals["count"], tuple(roles))


NO_OVERSIGHT = Oversight()


def digest(sha256: str) -> dict[str, str]:
    """An in-toto DigestSet of one algorithm."""
    return {"sha256": sha256}


def digest_of(value: object, what: str) -> str:
    """The SHA-256 in a DigestSet that holds nothing else."""
    return check_sha256(fields.members(value, what, ("sha256",))["sha256"], what)
