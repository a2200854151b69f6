"""Where does the noise come from? The operating system's generator, sampled exactly and without any seed.

The discrete Gaussian and Laplace follow Canonne, Kamath and Steinke (The discrete Gaussian for differential privacy,
NeurIPS 2020, arXiv:2004.00010), algorithms 1 to 3, on whole arrays. Every coin of theirs compares a uniform real with
a rational number. Here the real is revealed 32 bits at a time: the first word decides unless it equals the number's
first 32 bits, and then further words are drawn and compared in unbounded integers. So the integer samplers, the
Poisson sample and :meth:`SystemRandomness.choose` have exactly the distribution of the papers, given uniform bits; no
step rounds. What remains is time: how long a rejection loop runs depends on its outcome, so a caller that lets an
outsider time single draws is outside the claim.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from synth.dp.events import PrivacyError

Size = int | tuple[int, ...]

_WORD = 32  # bits revealed at a time
_BLOCK = 1 << 15  # bytes asked of the operating system at a time
_NORMALS = 2048  # normals per pass: what fits the processor's cache
_LARGEST_SCALE = 2**40


class SystemRandomness:
    """Draws from the operating system's CSPRNG; there is no seed, no state to save, and no copy.

    Threads never share a buffer, a forked process throws its parent's away, and pickling or copying is refused, so no
    two draws can come from the same bytes.
    """

    def __init__(self) -> None:
        self._buffers = _Buffers()

    def words(self, size: Size) -> NDArray[np.uint64]:
        """Independent uniform 64-bit words."""
        return self._take(np.dtype(np.uint64), size)

    def integers(self, upper: int, size: Size) -> NDArray[np.int64]:
        """Independent uniform integers in [0, upper), without modulo bias, for 1 <= upper < 2^63."""
        if not 1 <= upper < 2**63:
            raise PrivacyError(f"upper must lie in 1 .. 2^63 - 1, found {upper}")
        short = upper <= 2**16
        dtype = np.dtype(np.uint32 if short else np.uint64)
        span = 2**32 if short else 2**64
        largest = span - span % upper - 1
        drawn = self._take(dtype, size)
        while (again := drawn > largest).any():
            drawn[again] = self._take(dtype, int(again.sum()))
        return (drawn % dtype.type(upper)).astype(np.int64)

    def permutation(self, n: int) -> NDArray[np.intp]:
        """A uniform order of 0 .. n - 1."""
        while True:
            keys = self.words(n)
            order = np.argsort(keys)
            ordered = keys[order]
            if not (ordered[1:] == ordered[:-1]).any():  # given no tie every order is equally likely
                return order

    def poisson_sample(self, n: int, rate: float) -> NDArray[np.intp]:
        """Which of 0 .. n - 1 are in a sample that takes each one independently with probability ``rate``."""
        if not 0 <= rate <= 1:
            raise PrivacyError(f"a sampling rate lies in [0, 1], found {rate}")
        exact = Fraction(rate)
        first = np.full(n, exact.numerator * 2**_WORD // exact.denominator, dtype=np.uint64)
        return np.flatnonzero(self._below(first, lambda _: exact))

    def discrete_gaussian(self, sigma: float, size: Size) -> NDArray[np.int64]:
        """Independent integers y with probability proportional to exp(-y^2 / (2 sigma^2)); 0 < sigma <= 2^40.

        ``sigma`` is taken as the rational number the float is (algorithm 3 of the paper).
        """
        if not 0 < sigma <= _LARGEST_SCALE:
            raise PrivacyError(f"sigma must be above 0 and at most 2^40, found {sigma}")
        variance = Fraction(sigma) ** 2
        a, b = variance.numerator, variance.denominator
        t = math.floor(sigma) + 1

        def accepted(drawn: NDArray[np.int64]) -> NDArray[np.bool_]:
            steps, index = np.unique(np.abs(drawn), return_inverse=True)
            return self._exp_coins(index, [(int(y) * b * t - a) ** 2 for y in steps], 2 * a * b * t * t)

        def propose(n: int) -> NDArray[np.int64]:
            drawn = self._laplace_candidates(t, 1, n)
            return drawn[accepted(drawn)]

        return _fill(propose, size, share=0.42)

    def discrete_laplace(self, scale: float | Fraction, size: Size) -> NDArray[np.int64]:
        """Independent integers y with probability proportional to exp(-|y| / scale); 0 < scale <= 2^40.

        ``scale`` is taken as the rational number it is, rounded up to a multiple of 2^-20 (algorithm 2 of the paper).
        """
        if not 0 < scale <= _LARGEST_SCALE:
            raise PrivacyError(f"scale must be above 0 and at most 2^40, found {float(scale)}")
        rounded = Fraction(math.ceil(Fraction(scale) * 2**20), 2**20)
        return _fill(lambda n: self._laplace_candidates(rounded.numerator, rounded.denominator, n), size, share=0.3)

    def choose(self, log_weights: Sequence[float | Fraction]) -> int:
        """An index drawn with probability proportional to exp(log_weight), exactly, by rejection.

        Numbers are taken as the rationals they are. On average at most ``len(log_weights)`` proposals are made.
        """
        if not len(log_weights) or not all(math.isfinite(weight) for weight in log_weights):
            raise PrivacyError("a choice needs at least one candidate, each of finite weight")
        weights = [Fraction(weight) for weight in log_weights]
        best = max(weights)
        denominator = math.lcm(*(weight.denominator for weight in weights))
        gaps = [int((best - weight) * denominator) for weight in weights]
        while True:
            proposed = self.integers(len(gaps), len(gaps) + 8)
            taken = np.flatnonzero(self._exp_coins(proposed, gaps, denominator))
            if taken.size:
                return int(proposed[taken[0]])

    def normal(self, size: Size) -> NDArray[np.float64]:
        """Independent standard normal floats for gradients, four Box-Muller draws to each.

        A single float draw betrays the value under it by the gaps between floats (Mironov 2012); of a sum of four
        draws they cannot be told (Holohan and Braghin 2021, arXiv:2107.10138, section 5). The four come from four
        different pairs, since both halves of one pair add up to a single draw again. The bits are AES-256 in counter
        mode under a key that the operating system gives anew at every call.
        """
        shape = _shape(size)
        count = math.prod(shape)
        stream = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(os.urandom(16))).encryptor()
        out = np.empty(count + 1)
        for start in range(0, count, 2 * _NORMALS):
            pairs = min(_NORMALS, (count - start + 1) // 2)
            bits = np.frombuffer(stream.update(bytes(64 * pairs)), dtype=np.uint64).reshape(2, 4, pairs)
            radius = (bits[0] >> np.uint64(11)).astype(np.float64)
            radius += 0.5
            radius *= 2.0**-53  # in (0, 1)
            np.log(radius, out=radius)
            radius *= -0.5  # a quarter of the variance: four are added
            np.sqrt(radius, out=radius)
            angle = bits[1].view(np.int64) * (math.pi * 2.0**-63)  # in [-pi, pi)
            cosine = np.cos(angle)
            sine = np.copysign(np.sqrt((1 - cosine) * (1 + cosine)), angle)
            out[start : start + pairs] = np.einsum("ij,ij->j", radius, cosine)
            out[start + pairs : start + 2 * pairs] = np.einsum("ij,ij->j", radius, sine)
        return out[:count].reshape(shape)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise PrivacyError("system randomness cannot be copied or stored: two copies would draw the same noise")

    def __repr__(self) -> str:
        return "SystemRandomness()"

    def _laplace_candidates(self, numerator: int, denominator: int, n: int) -> NDArray[np.int64]:
        """Those of ``n`` proposals for a discrete Laplace of this rational scale that were accepted (algorithm 2)."""
        low = self.integers(numerator, n)
        steps, index = np.unique(low, return_inverse=True)
        low = low[self._exp_coins(index, steps.tolist(), numerator)]
        high = self._failures(low.size)
        magnitude = (low + numerator * high) // denominator
        negative = self.integers(2, low.size) == 1
        drawn = np.where(negative, -magnitude, magnitude)
        kept: NDArray[np.int64] = drawn[~(negative & (magnitude == 0))]
        return kept

    def _failures(self, n: int) -> NDArray[np.int64]:
        """How often a coin of probability exp(-1) comes up before it first does not."""
        counts = np.zeros(n, dtype=np.int64)
        active = np.arange(n)
        while active.size:
            active = active[self._exp_coins(np.zeros(active.size, dtype=np.intp), [1], 1)]
            counts[active] += 1
        return counts

    def _exp_coins(
        self, index: NDArray[np.intp] | NDArray[np.int64], numerators: Sequence[int], denominator: int
    ) -> NDArray[np.bool_]:
        """One coin per entry of ``index``: heads with probability exp(-numerators[index] / denominator) (algorithm 1).

        exp(-1) for each whole unit, then von Neumann's alternating series for what is left below one unit.
        """
        parts = [divmod(numerator, denominator) for numerator in numerators]
        whole = np.array([min(part[0], 2**62) for part in parts], dtype=np.int64)[index]
        rest = [part[1] for part in parts]
        heads = np.ones(index.size, dtype=np.bool_)
        alive = np.flatnonzero(whole)
        unit = np.full(alive.size, 1 << _WORD, dtype=np.uint64)
        units = 0
        while alive.size:
            kept = self._series(unit[: alive.size], lambda _: Fraction(1))
            heads[alive[~kept]] = False
            units += 1
            alive = alive[kept]
            alive = alive[whole[alive] > units]
        left = np.flatnonzero(heads)
        first = np.array([(part << _WORD) // denominator for part in rest], dtype=np.uint64)[index[left]]
        heads[left] = self._series(first, lambda place: Fraction(rest[int(index[left[place]])], denominator))
        return heads

    def _series(self, first: NDArray[np.uint64], exact: Callable[[int], Fraction]) -> NDArray[np.bool_]:
        """Coins of probability exp(-gamma), gamma in [0, 1], given the first 32 bits of each gamma and gamma itself."""
        last = np.ones(first.size, dtype=np.int64)
        active = np.arange(first.size)
        turn = 1
        while active.size:
            # the first 32 bits of gamma / turn are those of gamma's, divided: floor(floor(x) / m) = floor(x / m)
            active = active[self._below(first[active] // np.uint64(turn), _shares(exact, active, turn))]
            turn += 1
            last[active] = turn
        return np.equal(last % 2, 1)

    def _below(self, first: NDArray[np.uint64], exact: Callable[[int], Fraction]) -> NDArray[np.bool_]:
        """Is a fresh uniform real below each number, given the number's first 32 bits and, on demand, all of it?"""
        drawn = self._take(np.dtype(np.uint32), first.size) >> np.uint32(32 - _WORD)
        result = drawn < first
        for place in np.flatnonzero(drawn == first):
            rest = exact(int(place)) * 2**_WORD % 1
            while rest:
                rest *= 2**_WORD
                word, known = int(self._take(np.dtype(np.uint32), 1)[0]) >> (32 - _WORD), int(rest)
                if word != known:
                    result[place] = word < known
                    break
                rest -= known
        return result

    def _take(self, dtype: np.dtype[Any], size: Size) -> NDArray[Any]:
        shape = _shape(size)
        return np.frombuffer(self._buffers.take(math.prod(shape) * dtype.itemsize), dtype=dtype).reshape(shape)


class _Buffers(threading.local):
    """Bytes from the operating system, asked for in blocks; one buffer per thread and process."""

    def __init__(self) -> None:
        self.block = bytearray()
        self.used = 0
        self.process = os.getpid()

    def take(self, count: int) -> bytearray:
        if self.process != os.getpid():
            self.__init__()  # type: ignore[misc]
        if count >= _BLOCK:
            return bytearray(os.urandom(count))
        if self.used + count > len(self.block):
            self.block, self.used = bytearray(os.urandom(_BLOCK)), 0
        taken = self.block[self.used : self.used + count]
        self.block[self.used : self.used + count] = bytes(count)  # spent bytes are not kept
        self.used += count
        return taken


def _shares(exact: Callable[[int], Fraction], active: NDArray[np.intp], turn: int) -> Callable[[int], Fraction]:
    return lambda place: exact(int(active[place])) / turn


def _shape(size: Size) -> tuple[int, ...]:
    return (size,) if isinstance(size, int | np.integer) else tuple(size)


def _fill(propose: Callable[[int], NDArray[np.int64]], size: Size, share: float) -> NDArray[np.int64]:
    """As many accepted proposals as ``size`` asks for; ``share`` guesses how many of the proposals are accepted."""
    shape = _shape(size)
    wanted = math.prod(shape)
    found: list[NDArray[np.int64]] = []
    have = 0
    while have < wanted:
        found.append(propose(int((wanted - have) / share) + 16))
        have += found[-1].size
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])[:wanted].reshape(shape)
