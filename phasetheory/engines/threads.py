"""Batches in threads: kernels release the interpreter, and samples do not see each other."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

__all__ = ["threaded"]

Floats = NDArray[np.float64]


def threaded(work: Callable[[Floats], Floats], batch: Floats, workers: int | None) -> Floats:
    """Do the work on parts of a batch, one thread each, and join the results in order.

    Args:
        work: Takes some rows of the batch and returns one row of results for each.
        batch: Shape (n, ...).
        workers: Threads; as many as there are processors by default.

    Returns:
        What `work(batch)` returns, whatever the number of workers.
    """
    n_parts = min(len(batch), workers or os.cpu_count() or 1)
    if n_parts <= 1:
        return work(batch)
    with ThreadPoolExecutor(n_parts) as pool:
        return np.concatenate(list(pool.map(work, np.array_split(batch, n_parts))))
