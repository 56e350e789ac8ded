"""Samples of a noisy law in batches that fit into memory, whatever the size of the lattice."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.noisy import NoisyLaw

__all__ = ["over_samples"]

Floats = NDArray[np.float64]

#: Entries of one batch of noisy data: as float evidence, 128 MiB.
_ENTRIES = 2**24


def over_samples(
    law: NoisyLaw, work: Callable[[NDArray[Any]], Floats], n_samples: int, *, rng: Any = None
) -> Floats:
    """Draw noisy samples, batch by batch, and collect what the work makes of them.

    Args:
        law: The noisy law.
        work: Takes y of shape (m, n_sites) and returns shape (..., m).
        n_samples: Number of samples, at least 1.
        rng: Generator or seed.

    Returns:
        Shape (..., n_samples).
    """
    rng = np.random.default_rng(rng)
    size = max(1, _ENTRIES // law.n_sites)
    rows = []
    for start in range(0, n_samples, size):
        _, y = law.sample(min(size, n_samples - start), rng=rng)
        rows.append(work(y))
    return np.concatenate(rows, axis=-1)
