"""Which synthetic table stands for a real one?"""

from typing import TYPE_CHECKING, Any

from synth.errors import SynthesisError
from synth.hybrid import HybridSynthesizer

if TYPE_CHECKING:
    from synth.dp.private import PrivateHybridSynthesizer

__all__ = ["HybridSynthesizer", "PrivateHybridSynthesizer", "SynthesisError"]


def __getattr__(name: str) -> Any:
    if name == "PrivateHybridSynthesizer":  # its accounting takes seconds to import, and few need it
        from synth.dp.private import PrivateHybridSynthesizer

        return PrivateHybridSynthesizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
