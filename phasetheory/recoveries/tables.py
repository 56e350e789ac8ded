r"""Local Bayes recovery of discrete laws, by full tables.

With p(a, b, c) the law before the step and N the channel on A, the recovery with the *local* prior
reads only the noisy symbol and the buffer:

.. math:: R(a|\tilde a, b) = \frac{N(\tilde a|a)\, p(a, b)}{\sum_{a'} N(\tilde a|a')\, p(a', b)},
    \qquad \hat p(a, b, c) = \sum_{\tilde a} R(a|\tilde a, b) \sum_{a'} N(\tilde a|a') p(a', b, c).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines.table import check_size, divergence
from phasetheory.estimate import Estimate
from phasetheory.lattice import Tripartition
from phasetheory.models.table import Table
from phasetheory.noise import Erasure, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.recoveries.result import Recovery

__all__ = ["local_recovery", "recover_table", "tabulate"]

Floats = NDArray[np.float64]


def tabulate(law: NoisyLaw, parts: Tripartition) -> Floats:
    """Law of the noisy symbols on A, B, C, sites in none of them summed out.

    Args:
        law: Noisy law with discrete output.
        parts: Tripartition.

    Returns:
        Shape (n_outputs^|A|, n_outputs^|B|, n_outputs^|C|); within a region the first site is
        the slowest index.

    Raises:
        ValueError: If a table involved exceeds the memory limit.
    """
    everything = parts.union("ABC")
    table = Table.from_prior(law.prior).noisy_table(law.noise, law.lattice.mask(everything))
    order = np.searchsorted(everything, np.concatenate([parts.A, parts.B, parts.C]))
    symbols = table.shape[0]
    sizes = [symbols**region.size for region in (parts.A, parts.B, parts.C)]
    return np.transpose(table, order).reshape(sizes)


def site_channels(law: NoisyLaw, parts: Tripartition, noise: Noise | ArrayLike) -> list[Floats]:
    """Channel matrix of every site of A, acting on the symbols that the law already has.

    Raises:
        ValueError: If a matrix is not stochastic, or the noise does not act on these symbols.
    """
    q = law.prior.q
    assert q is not None
    symbols = len(law.noise.outputs(q))
    if not isinstance(noise, Noise):
        matrix = np.asarray(noise, dtype=float)
        if matrix.ndim != 2 or matrix.shape[1] != symbols:
            raise ValueError(
                f"channel has shape {matrix.shape}: (n_outputs, {symbols}) needed, columns p(y|x)"
            )
        if not (matrix >= 0).all() or np.abs(matrix.sum(axis=0) - 1.0).max() > 1e-9:
            raise ValueError(
                f"channel columns sum to {matrix.sum(axis=0).tolist()}: non-negative columns that"
                " sum to 1 needed"
            )
        return [matrix] * parts.A.size
    if noise.n_sites not in (None, law.n_sites):
        raise ValueError(f"noise has t for {noise.n_sites} sites: the lattice has {law.n_sites}")
    matrices = [noise.at(site).channel(q) for site in parts.A.tolist()]
    if isinstance(law.noise, Erasure):
        if not isinstance(noise, Erasure):
            raise ValueError(
                f"{noise.name} noise does not act on erased symbols: use Erasure, or give the"
                " channel as a matrix"
            )
        erased = np.eye(symbols)[:, -1:]
        matrices = [np.concatenate([m, erased], axis=1) for m in matrices]
    return matrices


def local_recovery(p: Floats, channel: Floats) -> Floats:
    """R(a | a~, b), shape (n_a~, n_a, n_b); zero where the local prior gives (a~, b) no weight."""
    joint = channel[:, :, None] * p.sum(axis=2)[None]
    weight = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, weight, out=np.zeros_like(joint), where=weight > 0)


def recover_table(law: NoisyLaw, parts: Tripartition, noise: Noise | ArrayLike) -> Recovery:
    """All quantities of T1 by enumeration; see :func:`phasetheory.recovery`.

    Cost: n_outputs^(|A| + |B| + |C|) times the number of noisy symbols of A.
    """
    matrices = site_channels(law, parts, noise)
    p = tabulate(law, parts)
    channel: NDArray[Any] = np.eye(1)
    for matrix in matrices:
        channel = np.kron(channel, matrix)
    check_size(p.size * float(len(channel)), "recovery", "take fewer sites in A, B or C")
    noisy = np.tensordot(channel, p, axes=1)
    inverse = local_recovery(p, channel)
    recovered = np.einsum("yab,ybc->abc", inverse, noisy)
    joint = channel[:, :, None, None] * p[None]
    local = inverse[..., None] * noisy[:, None]
    numbers = {
        "kl": divergence(p, recovered),
        "tv": 0.5 * float(np.abs(p - recovered).sum()),
        "fidelity": float(np.sqrt(p * recovered).sum()),
        "cmi_before": table_cmi(p),
        "cmi_after": table_cmi(noisy),
        "posterior_kl": divergence(joint, local),
    }
    units = {"tv": "1", "fidelity": "1"}
    return Recovery(
        **{
            name: Estimate(value, unit=units.get(name, "nats"), quantity=name)
            for name, value in numbers.items()
        }
    )


def table_cmi(p: Floats) -> float:
    """I(A;C|B) of a table p(a, b, c), as a sum of non-negative terms, nats."""
    with np.errstate(invalid="ignore", divide="ignore"):
        markov = p.sum(axis=2)[:, :, None] * p.sum(axis=0)[None] / p.sum(axis=(0, 2))[None, :, None]
    return divergence(p, np.nan_to_num(markov))
