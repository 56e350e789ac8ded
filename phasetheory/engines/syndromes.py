r"""Probabilities of partly known syndromes of independent bond flips: random-bond Ising sums.

Bonds flip independently, :math:`P(\eta_e = -1) = p_e`. The configurations with given fluxes are
those of one of them, :math:`\eta^0`, up to a gauge transformation
:math:`\eta_{ij} = \eta^0_{ij} s_i s_j`. Hence, on the cells that known fluxes leave,

.. math:: P(\text{fluxes}) = 2^{-c} \prod_e \sqrt{p_e (1 - p_e)} \; Z(K \eta^0), \qquad
          K_e = \tfrac12 \log\frac{1 - p_e}{p_e},

with c connected pieces (flipping all spins of a piece changes no bond), summed over the fluxes of
holes that are not known. K is the coupling of the Nishimori line.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from phasetheory.engines.planar import PlanarIsing
from phasetheory.engines.syndrome_cells import Cells, DualGraph, cells_of

__all__ = ["MAX_OPEN_HOLES", "SyndromeSums"]

Floats = NDArray[np.float64]
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Holes of unknown parity that are summed over, 2^10 sums a sample.
MAX_OPEN_HOLES = 10
#: Couplings held at once.
_ENTRIES = 2**23


@dataclass(frozen=True, eq=False)
class SyndromeSums:
    """Likelihoods of known fluxes and parities.

    Attributes:
        dual: Faces of the patch.
        ising: Planar Ising sums on its vertices and bonds.
        flip: p of every bond, shape (n_bonds,), in [0, 1].
        holes: Declared holes as masks of faces, shape (n_holes, n_faces).
    """

    dual: DualGraph
    ising: PlanarIsing
    flip: Floats
    holes: Mask

    def log_prob(self, values: NDArray[np.int8]) -> Floats:
        """Log-probability of what is known.

        Args:
            values: Fluxes of the faces, then parities of the holes, shape (n, n_faces + n_holes):
                +1, -1, or 0 where unknown.

        Returns:
            Shape (n,), nats; -inf where a parity contradicts its faces, or p_e = 0 or 1 forbid
            the syndrome.

        Raises:
            ValueError: If more than 10 holes are open (of unknown parity).

        Cost: for every sample 2^(open holes) planar sums on the box that holds the known faces.
        """
        out = np.empty(len(values))
        patterns, members = np.unique(values != 0, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(members.reshape(-1) == number)
            out[rows] = self._of_pattern(pattern, values[rows])
        return out

    def _of_pattern(self, pattern: Mask, values: NDArray[np.int8]) -> Floats:
        """The same for samples in which the same sites are known."""
        n_faces = self.dual.n_faces
        known, told = pattern[:n_faces], np.flatnonzero(pattern[n_faces:])
        cells = cells_of(self.dual, known, self.holes[told])
        if len(cells.freedom) > MAX_OPEN_HOLES:
            raise ValueError(
                f"the known plaquettes leave {len(cells.freedom)} holes of unknown parity, and a"
                f" likelihood sums over both parities of each: the limit is {MAX_OPEN_HOLES} (2 to"
                " that many planar sums a sample); observe the holes, declare them and observe"
                " their parities, or observe a region with fewer of them"
            )
        bits = (values < 0).astype(np.uint8).T
        right = bits[n_faces:][told] ^ _odd(self.holes[told], bits[:n_faces])
        fluxes = np.zeros((cells.n_cells, len(values)), dtype=np.uint8)
        fluxes[cells.known] = bits[:n_faces][known]
        fluxes[cells.free] = _odd(cells.particular, right)
        log_p = np.full(len(values), -np.inf)
        fine = np.flatnonzero(~_odd(cells.checks, right).any(axis=0))
        rows = max(1, _ENTRIES // (len(self.flip) * 2 ** len(cells.freedom)))
        for start in range(0, fine.size, rows):
            part = fine[start : start + rows]
            log_p[part] = self._summed(cells, fluxes[:, part])
        return log_p

    def _summed(self, cells: Cells, fluxes: Bits) -> Floats:
        """Sum over the parities of open holes; fluxes of shape (n_cells, n)."""
        sectors = np.array(list(product((0, 1), repeat=len(cells.freedom))), dtype=np.uint8)
        moves = np.zeros((len(sectors), cells.n_cells), dtype=np.uint8)
        moves[:, cells.free] = _odd(sectors, cells.freedom)
        every = (fluxes[:, None, :] ^ moves.T[:, :, None]).reshape(cells.n_cells, -1)
        bits = cells.signs(every, len(self.flip))[cells.bonds]
        p = self.flip[cells.bonds, None]
        with np.errstate(divide="ignore"):
            coupling = 0.5 * (np.log1p(-p) - np.log(p))
            weight = np.where(np.isinf(coupling), 0.0, 0.5 * (np.log1p(-p) + np.log(p))).sum()
        signed = np.zeros((every.shape[1], len(self.flip)))
        signed[:, cells.bonds] = np.where(bits == 1, -coupling, coupling).T
        log_z = self.ising.log_partition(signed).reshape(len(sectors), -1)
        return np.asarray(weight - cells.n_pieces * np.log(2.0) + logsumexp(log_z, axis=0))


def _odd(matrix: NDArray[np.generic], bits: Bits) -> Bits:
    """Product of matrices modulo 2."""
    return (np.asarray(matrix, dtype=np.int64) @ bits.astype(np.int64) % 2).astype(np.uint8)
