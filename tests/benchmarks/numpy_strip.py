"""The baseline: log partition function of a strip, column by column, plain numpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPIN = np.array([-1.0, 1.0])


def log_partition(coupling: float, h: Floats) -> float:
    """Return log Z of an open W x L strip with one coupling and fields h, (W, L)."""
    width, length = h.shape
    bond = np.exp(coupling * np.outer(SPIN, SPIN))
    psi = np.ones((2,) * width)
    log_z = 0.0

    def along(factor: Floats, *axes: int) -> Floats:
        return factor.reshape([2 if axis in axes else 1 for axis in range(width)])

    for column in range(length):
        if column > 0:
            for row in range(width):
                psi = np.moveaxis(np.tensordot(bond, psi, axes=(1, row)), 0, row)
        for row in range(width):
            psi = psi * along(np.exp(h[row, column] * SPIN), row)
        for row in range(width - 1):
            psi = psi * along(bond, row, row + 1)
        top = psi.max()
        psi /= top
        log_z += float(np.log(top))
    return log_z + float(np.log(psi.sum()))
