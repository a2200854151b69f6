"""Is it the same value? What the evidence holds beside what came out now, without any tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Compared:
    """One thing on record beside the same thing computed again; both are plain JSON values.

    ``name`` is that of a measure, or of another part of the evidence.
    """

    name: str
    recorded: Any
    replayed: Any

    @property
    def same(self) -> bool:
        return bool(self.recorded == self.replayed)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "same": self.same, "recorded": self.recorded, "replayed": self.replayed}


@dataclass(frozen=True)
class Gap:
    """Something that was not computed again, and why."""

    what: str
    why: str

    def to_dict(self) -> dict[str, Any]:
        return {"what": self.what, "why": self.why}


@dataclass(frozen=True)
class Replay:
    """A whole replay. ``surroundings`` say what about the software is not as it was; values can agree all the same.

    ``measurements`` are one per measure on record or emitted now, ``others`` all else that was compared.
    """

    record_sha256: str
    measurements: tuple[Compared, ...]
    others: tuple[Compared, ...]
    gaps: tuple[Gap, ...]
    surroundings: tuple[str, ...]

    @property
    def different(self) -> tuple[Compared, ...]:
        return tuple(each for each in (*self.others, *self.measurements) if not each.same)

    @property
    def same(self) -> bool:
        """Every measurement was computed again, and it and all else that was compared is as recorded."""
        return bool(self.measurements) and not self.different

    def to_dict(self) -> dict[str, Any]:
        """The shape ``gateway replay --json`` prints."""
        return {
            "record": self.record_sha256,
            "same": self.same,
            "measurements": [each.to_dict() for each in self.measurements],
            "others": [each.to_dict() for each in self.others],
            "notReplayed": [gap.to_dict() for gap in self.gaps],
            "surroundings": list(self.surroundings),
        }


def compare_by_name(recorded: Sequence[Mapping[str, Any]], replayed: Sequence[Mapping[str, Any]]) -> list[Compared]:
    """Measurements paired by name, in the order of the record; one that only one side has stands beside ``None``."""
    now = {each["name"]: dict(each) for each in replayed}
    pairs = [Compared(each["name"], dict(each), now.pop(each["name"], None)) for each in recorded]
    return pairs + [Compared(name, None, each) for name, each in now.items()]
