"""The custodian's statements as given on the command line: bytes to be hashed, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gateway import safe_harbor
from policies import (
    Dictionary,
    DictionaryError,
    Policy,
    PolicyError,
    pack_names,
    parse_dictionary,
    parse_policy,
    read_pack,
)

# what the gate itself counts, beside the audit's measures
GATE_MEASURES = ("rows_per_real_row", *safe_harbor.NAMES)


def read_policy(name: str) -> tuple[bytes, Policy]:
    """A shipped policy by its name, or a policy file by its path; bytes and model come from one read.

    Raises
    ------
    PolicyError
        It cannot be used, is past its expiry date, or limits a measure that does not exist.
    """
    if name in pack_names():
        content = read_pack(name)
    else:
        path = Path(name)
        if not path.is_file():
            raise PolicyError(
                f"{path.name}: no such file, and no shipped policy of that name ({', '.join(pack_names())})"
            )
        content = _bytes(path, PolicyError)
    from audit.measures import MEASURE_NAMES  # here: it brings scikit-learn, without which all else starts sooner

    policy = parse_policy(content, name=Path(name).name)
    unknown = sorted(policy.limits.keys() - {*MEASURE_NAMES, *GATE_MEASURES})
    if unknown:
        raise PolicyError(f"{policy.id}: limits on measures that do not exist: {', '.join(unknown)}")
    if policy.expires is not None and policy.expires < datetime.now(UTC).date():
        raise PolicyError(f"{policy.id}: expired on {policy.expires}; have its owner issue a new one")
    return content, policy


def read_dictionary(path: Path) -> tuple[bytes, Dictionary]:
    """A dictionary file; bytes and model come from one read.

    Raises
    ------
    DictionaryError
        It cannot be used.
    """
    content = _bytes(path, DictionaryError)
    return content, parse_dictionary(content, name=path.name)


def _bytes(path: Path, error: type[ValueError]) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise error(f"{path.name}: cannot be read ({cause.strerror}); check the path and its permissions") from None
