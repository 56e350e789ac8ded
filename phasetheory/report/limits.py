r"""Limit curves N -> infinity of the two scaling studies, from the one-dimensional integral F.

For a binary label seen through weak independent signals of total strength K^2, the information that
a region holds is ln 2 - F(K). With x the scaled time, K_R = x sqrt(f_R) for a region that holds the
fraction f_R of all sites.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory.engines.binary_input import binary_entropy_loss

__all__ = ["mixture", "repetition"]

Floats = NDArray[np.float64]


def mixture(x: Floats) -> Floats:
    """I(A;C|B) for the fractions 1/16, 3/16, 12/16 of the image at x = (1-t) N, nats."""

    def loss(fraction: float) -> Floats:
        return np.asarray(binary_entropy_loss(x * np.sqrt(fraction)))

    return loss(3 / 16) - loss(4 / 16) - loss(15 / 16) + loss(1.0)


def repetition(x: Floats) -> Floats:
    """N I(A;C|B) for one bit A and halves B, C at x = (1-t) sqrt(N), nats.

    For a vanishing fraction of A this is F'(1) - F'(1/2), derivatives with respect to the fraction,
    taken as central differences (error of order step^2, here 1e-8).
    """
    step = 1e-4

    def slope(fraction: float) -> Floats:
        high, low = (binary_entropy_loss(x * np.sqrt(fraction + s)) for s in (step, -step))
        return np.asarray((high - low) / (2.0 * step))

    return slope(1.0) - slope(0.5)
