"""Which software made a record: version, lock digest, and a digest of everything installed beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "sluice-gate"


@dataclass(frozen=True)
class Software:
    """``environment`` is one ``name==version`` line per installed distribution, sorted; its digest goes on record."""

    version: str
    lock_digest: str | None
    environment: tuple[str, ...]

    @property
    def environment_digest(self) -> str:
        return hashlib.sha256("".join(f"{line}\n" for line in self.environment).encode()).hexdigest()


def installed_software() -> Software:
    """What runs now. The lock digest is known only where Sluice runs from its checkout."""
    lines = {f"{d.metadata['Name'].lower().replace('_', '-')}=={d.version}" for d in metadata.distributions()}
    lock = Path(__file__).resolve().parents[1] / "constraints.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None
    return Software(metadata.version(DISTRIBUTION), digest, tuple(sorted(lines)))
