r"""Planar Ising sums in exact-to-order arithmetic, by another method than the engine's.

The spins of one row of an open grid are Majorana operators a_0, b_0, a_1, b_1, ... with
:math:`a^2 = 1`, :math:`b^2 = -1`, all anticommuting, so that everything is real:
:math:`\sigma^x_j = a_j b_j` and :math:`\sigma^z_j \sigma^z_{j+1} = b_j a_{j+1}` (Kaufman 1949). A
bond inside a row is the operator :math:`\cosh K (1 + \tanh K\, b_j a_{j+1})`, one between rows is
:math:`e^K (1 + e^{-2K} a_j b_j)`, and with free rows first and last
:math:`Z = 2^n \langle F| \prod \text{bonds} |F\rangle`, F the row of equal weights. By Wick's
theorem the elements :math:`M_{cd} = \langle F|\alpha_c \alpha_d \phi\rangle/\langle F|\phi\rangle`
of the state phi after some bonds determine the next factor of Z, :math:`1 + w M_{ab}`, and
themselves:

.. math:: M_{cd} \to M_{cd} + w \frac{M_{cb} M_{da} - M_{ca} M_{db}}{1 + w M_{ab}}, \quad
    M_{ad} \to -\frac{w M_{db}}{1 + w M_{ab}} + \frac{M_{ad}}{1 + w M_{ab}}, \ldots

Numbers are integers in units of 2^-bits: rounding is what the bits say, and an instance is done
twice, with more bits, to know how many digits are left.
"""

import mpmath as mp
import numpy as np

Ints = np.ndarray


class Row:
    """A row of spins in fixed point, and log Z of all bonds applied to it so far."""

    def __init__(self, width: int, bits: int) -> None:
        self.bits, self.one = bits, 1 << bits
        self.log_z = mp.mpf(width) * mp.log(2)
        self.M = np.zeros((2 * width, 2 * width), dtype=object)
        for j in range(width):
            self.M[2 * j, 2 * j + 1] = self.one  # <sigma^x> = 1 in F
            self.M[2 * j + 1, 2 * j] = -self.one

    def fixed(self, x: mp.mpf) -> int:
        return int(mp.nint(mp.ldexp(x, self.bits)))

    def apply(self, a: int, weight: mp.mpf) -> None:
        """Multiply by 1 + weight * alpha_a alpha_(a+1)."""
        M, bits, w, b = self.M, self.bits, self.fixed(weight), a + 1
        factor = self.one + ((w * int(M[a, b])) >> bits)
        self.log_z += mp.log(mp.mpf(factor)) - bits * mp.log(2)
        ratio = (w << bits) // factor
        x, y = M[:, a].copy(), M[:, b].copy()
        scaled = (ratio * y) >> bits
        outer = np.multiply.outer(scaled, x) >> bits
        new = M + outer - outer.T
        inverse = (self.one << bits) // factor
        square = 1 if a % 2 == 0 else -1  # of alpha_a; that of alpha_(a+1) is the opposite
        # alpha_a alpha_d P = -square alpha_d alpha_b, alpha_b alpha_d P = -square alpha_d alpha_a.
        row_a = ((inverse * M[a]) >> bits) - square * ((ratio * y) >> bits)
        row_b = ((inverse * M[b]) >> bits) - square * ((ratio * x) >> bits)
        between = ((inverse * int(M[a, b])) >> bits) + ratio
        for k, row in ((a, row_a), (b, row_b)):
            new[k], new[:, k] = row, -row
            new[k, k] = 0
        new[a, b], new[b, a] = between, -between
        self.M = new


def log_partition(along: Ints, across: Ints, bits: int) -> mp.mpf:
    """Log Z of an open grid.

    Args:
        along: Couplings inside rows, shape (rows, columns - 1), finite.
        across: Couplings between rows, shape (rows - 1, columns), finite.
        bits: Binary places; 2 ** -bits has to resolve exp(-2 K) of every bond.
    """
    with mp.workprec(bits + 64):
        row = Row(across.shape[1], bits)
        for r in range(len(along)):
            for c, K in enumerate(along[r]):
                row.log_z += mp.log(mp.cosh(mp.mpf(float(K))))
                row.apply(2 * c + 1, mp.tanh(mp.mpf(float(K))))
            if r < len(across):
                for c, K in enumerate(across[r]):
                    row.log_z += mp.mpf(float(K))
                    row.apply(2 * c, mp.exp(-2 * mp.mpf(float(K))))
        return +row.log_z
