"""Which synthetic table stands for a real one?"""

from synth.errors import SynthesisError
from synth.hybrid import HybridSynthesizer

__all__ = ["HybridSynthesizer", "SynthesisError"]
