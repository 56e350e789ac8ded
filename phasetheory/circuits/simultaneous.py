r"""All sites of a step at once, as a network does it: exact on tables.

Given the data before the step, the new blocks are independent,

.. math:: \hat p_s(x) = \sum_y \hat p_t(y) \prod_A R_A(x_A | y_A, y_B),

so correlations within a step are lost: an error of first order in the step, with global gates too.
The sum is carried out block by block: a new block is appended to the table, and old sites that no
later gate reads are summed out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from phasetheory.circuits.circuit import Gate
from phasetheory.circuits.exact import ForwardPath
from phasetheory.engines.table import check_size

__all__ = ["run_simultaneous"]

Floats = NDArray[np.float64]


def run_simultaneous(path: ForwardPath, *, progress: bool = True) -> Floats:
    """Output law of a circuit whose gates of a step all read the data before the step.

    Args:
        path: Model, noise and circuit.
        progress: Show a bar on a terminal.

    Returns:
        Law at t = 0, shape (q,)*n_sites.

    Raises:
        ValueError: If the table of new sites and of old ones still to be read exceeds the memory
            limit, before any work.

    Cost: for each gate a pass over a table of the new sites and of the old ones still to be read:
    n plus the width of the windows, up to 2 n sites for global gates.
    """
    for step in range(path.circuit.n_steps):
        _check(path, path.circuit.layers(step)[0])
    table = path.law(0)
    with tqdm(total=path.circuit.n_steps, desc="steps", disable=None if progress else True) as bar:
        for step in range(path.circuit.n_steps):
            table = _step(path, table, step, path.circuit.layers(step)[0])
            bar.update()
    return path.clean(table)


def _last_reads(gates: tuple[Gate, ...], n_sites: int) -> NDArray[np.int64]:
    """Index of the last gate that reads each site."""
    last = np.zeros(n_sites, dtype=np.int64)
    for index, gate in enumerate(gates):
        last[np.concatenate([gate.A, gate.B])] = index
    return last


def _check(path: ForwardPath, gates: tuple[Gate, ...]) -> None:
    last, new, most = _last_reads(gates, path.n_sites), 0, 0
    for index, gate in enumerate(gates):
        new += gate.A.size
        most = max(most, new + int((last >= index).sum()))
    check_size(
        float(path.n_symbols) ** most,
        "a simultaneous step",
        "use smaller windows, fewer sites, or gates in layers",
    )


def _step(path: ForwardPath, table: Floats, step: int, gates: tuple[Gate, ...]) -> Floats:
    s, n = path.n_symbols, path.n_sites
    last, nothing = _last_reads(gates, n), np.zeros(n, dtype=bool)
    # Axes: old sites by their number, new ones by n plus theirs.
    axes = list(range(n))
    law = table.reshape((s,) * n)
    for index, gate in enumerate(gates):
        recovery = path.bayes(step, gate, nothing).recovery
        # (b, old a, new a) with one axis a site, in the order of the law's labels.
        factor = recovery.reshape((s,) * (gate.B.size + 2 * gate.A.size))
        labels = [*gate.B.tolist(), *gate.A.tolist(), *(n + gate.A).tolist()]
        gone = {site for site in range(n) if last[site] == index}
        kept = [axis for axis in axes if axis not in gone] + (n + gate.A).tolist()
        law = _contract(law, axes, factor, labels, kept)
        axes = kept
    order = np.argsort(axes)
    return np.ascontiguousarray(np.transpose(law, order)).ravel()


def _contract(
    law: Floats, axes: list[int], factor: Floats, labels: list[int], kept: list[int]
) -> Floats:
    """Sum of law times factor over the axes not kept."""
    names = {label: index for index, label in enumerate(dict.fromkeys([*axes, *labels]))}
    law_axes, factor_axes, out = ([names[axis] for axis in each] for each in (axes, labels, kept))
    operands: list[Any] = [law, law_axes, factor, factor_axes, out]
    return np.asarray(np.einsum(*operands))
