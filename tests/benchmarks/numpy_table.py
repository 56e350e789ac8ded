"""The baseline: entropies of a noisy Ising law from the table of 2^n probabilities, plain numpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def noisy_table(
    edges: NDArray[np.int64], couplings: Floats, fields: Floats, flip: Floats
) -> Floats:
    """Return p(y), shape (2,) * n: weights by broadcasting, then one tensordot per noisy site."""
    n = fields.size
    spin = np.array([-1.0, 1.0])

    def along(*axes: int) -> list[int]:
        return [2 if axis in axes else 1 for axis in range(n)]

    table = np.zeros((2,) * n)
    for (i, j), coupling in zip(edges, couplings, strict=True):
        table += (coupling * np.outer(spin, spin)).reshape(along(i, j))
    for i, field in enumerate(fields):
        if field:
            table += (field * spin).reshape(along(i))
    table -= table.max()
    np.exp(table, out=table)
    table /= table.sum()
    for i, p in enumerate(flip):
        channel = np.array([[1.0 - p, p], [p, 1.0 - p]])
        table = np.moveaxis(np.tensordot(channel, table, axes=(1, i)), 0, i)
    return table


def entropies(table: Floats, regions: NDArray[np.bool_]) -> Floats:
    """Return the entropies in nats of the marginals of a table on some regions, (n_regions,)."""
    values = []
    for region in regions:
        p = table.sum(axis=tuple(np.flatnonzero(~region)))
        p = p[p > 0]
        values.append(-np.sum(p * np.log(p)))
    return np.array(values)
