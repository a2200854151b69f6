"""How does a typed frame become a matrix of normal scores, and the matrix a frame again?"""

from synth.encoding.learn import encode
from synth.encoding.table import Encoding

__all__ = ["Encoding", "encode"]
