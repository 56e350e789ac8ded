"""Windows of uniform loops: sums over the spins of the window, row by row.

Free spins outside a window say nothing about the bonds inside, so that the law of the window is the
uniform law of its own loops. A sweep over its bonds carries a vector over the spins that still miss
a bond. Its terms are positive: contradictory data, which local circuits produce all the time, cost
no digits, where the planar engine loses them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.gate_samples import BOND, CLOSE, OPEN, loop_sums
from phasetheory.circuits.circuit import Gate
from phasetheory.circuits.windows import Likelihoods, WindowTable, scaled
from phasetheory.models.loops import LoopEnsemble

__all__ = ["MAX_OPEN", "LoopWindow", "open_spins"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Most open spins of a window that is summed: vectors of 2^12 entries.
MAX_OPEN = 12
#: Samples that are summed in logarithms at a time.
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class LoopWindow:
    """The window of a gate on uniform loops.

    Attributes:
        loops: The ensemble, without couplings.
        gate: Bonds A and B.
    """

    loops: LoopEnsemble
    gate: Gate

    @property
    def q(self) -> int:
        """Bonds have two values."""
        return 2

    def posterior(self, likelihoods: Likelihoods) -> tuple[Floats, NDArray[np.bool_]]:
        """Law of the clean block given the data on the window; see :class:`WindowTable`.

        Cost: for each sample and bond 2^(open spins) products of 0.3 ns or so.
        """
        program, blocks = self._program
        sums = np.empty((2**self.gate.A.size, likelihoods.plain.shape[2]))
        loop_sums(likelihoods.plain, program, blocks, sums)
        for axis, bond in enumerate(self.gate.A):
            sums *= likelihoods.plain[bond][self._symbols[:, axis]]
        faint = likelihoods.faint(sums, np.concatenate(self.gate), 0.0)
        for start in range(0, faint.size, _ROWS):
            chosen = faint[start : start + _ROWS]
            sums[:, chosen] = self._in_logarithms(likelihoods.log[:, :, chosen])
        impossible = sums.sum(axis=0) == 0
        if impossible.any():
            sums[:, impossible] = self._alone.posterior(likelihoods)[0][:, impossible]
        return sums, impossible

    @cached_property
    def _program(self) -> tuple[Indices, Indices]:
        """Operations of the kernel, and the block state of every entry that is left."""
        edges, A = self.loops.spins.edges, self.gate.A
        order = np.sort(self.gate.B)
        held, ends = int(edges[A[0], 0]), set(edges[A].ravel().tolist())
        last = {spin: k for k, bond in enumerate(order) for spin in edges[bond].tolist()}
        bits: list[int] = []
        program: list[tuple[int, int, int, int]] = []

        def bit(spin: int) -> int:
            if spin == held:
                return -1
            if spin not in bits:
                bits.append(spin)
                program.append((OPEN, 0, 0, 0))
            return bits.index(spin)

        for k, bond in enumerate(order.tolist()):
            b, a = sorted(bit(spin) for spin in edges[bond].tolist())
            program.append((BOND, a, b, bond))
            for spin in edges[bond].tolist():
                if last[spin] == k and spin not in ends:
                    place = bits.index(spin)
                    program.append((CLOSE, place, 0, 0))
                    bits[place] = bits[-1]
                    bits.pop()
        pairs = [[bit(spin) for spin in edges[bond].tolist()] for bond in A]
        entries = np.arange(1 << len(bits))
        blocks = np.zeros_like(entries)
        for pair in pairs:
            values = [(entries >> b) & 1 if b >= 0 else 0 * entries for b in pair]
            blocks = 2 * blocks + (values[0] == values[1])
        return np.array(program, dtype=np.int64).reshape(-1, 4), blocks

    @cached_property
    def _symbols(self) -> Indices:
        """Symbol index of every bond of A in every block state, shape (2^|A|, |A|)."""
        size = self.gate.A.size
        return (np.arange(2**size)[:, None] >> np.arange(size - 1, -1, -1)) & 1

    @cached_property
    def _alone(self) -> WindowTable:
        """The block without its buffer."""
        return WindowTable.of(self.loops, Gate(self.gate.A, self.gate.B[:0]))

    def _in_logarithms(self, log_likelihoods: Floats) -> Floats:
        """The same sums for likelihoods that underflow, scaled to a largest entry of 1."""
        program, blocks = self._program
        vector = np.zeros((1, log_likelihoods.shape[2]))
        for kind, a, b, bond in program.tolist():
            entries = np.arange(len(vector))
            if kind == OPEN:
                vector = np.concatenate([vector, vector])
            elif kind == BOND:
                unequal = (entries >> a) & 1
                unequal ^= (entries >> b) & 1 if b >= 0 else 0
                vector = vector + log_likelihoods[bond, 1 - unequal]
            else:
                half = len(vector) // 2
                # The last bit takes the place of bit a.
                moved = (entries & ~(1 << a)) | np.where((entries >> a) & 1, half, 0)
                kept = entries[:half] if 1 << a == half else moved[:half]
                vector = np.logaddexp(vector[kept], vector[kept | (1 << a)])
        joint = np.full((2**self.gate.A.size, vector.shape[1]), -np.inf)
        np.logaddexp.at(joint, blocks, vector)
        for axis, bond in enumerate(self.gate.A):
            joint += log_likelihoods[bond, self._symbols[:, axis]]
        return scaled(joint)


def open_spins(loops: LoopEnsemble, gate: Gate) -> int:
    """Largest number of spins that are open at a time."""
    program, _ = LoopWindow(loops, gate)._program
    change = (program[:, 0] == OPEN).astype(int) - (program[:, 0] == CLOSE)
    return int(np.cumsum(change).max(initial=0))
