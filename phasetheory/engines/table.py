"""Engine for full tables: evidence sums, posteriors and noisy marginals by enumeration."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from phasetheory._kernels.table import evidence_and_marginals

__all__ = [
    "MAX_TABLE_BYTES",
    "check_size",
    "divergence",
    "entropy",
    "log_evidence",
    "noisy_marginal",
    "posterior",
    "spin_log_likelihoods",
    "states",
]

Floats = NDArray[np.float64]

#: Largest table that is built: 2^25 states of 8 bytes, about ten times that while noise is applied.
MAX_TABLE_BYTES = 2**28


def check_size(n_states: int | float, what: str, alternative: str) -> None:
    """Refuse a table over the limit before any work.

    Args:
        n_states: Number of entries; an integer may be of any size.
        what: What the table is of, for the message.
        alternative: What the caller can do instead.

    Raises:
        ValueError: If the table would exceed :data:`MAX_TABLE_BYTES`.
    """
    if 8 * n_states > MAX_TABLE_BYTES:
        count = Decimal(n_states)  # 2^1600 is no float
        raise ValueError(
            f"{what} needs a table of {count:.3g} states = {8 * count:.3g} bytes:"
            f" the limit is {MAX_TABLE_BYTES} bytes; {alternative}"
        )


def states(n_sites: int, q: int) -> NDArray[np.int8]:
    """Symbol indices of every state in table order, shape (q^n_sites, n_sites)."""
    index = np.arange(q**n_sites)
    powers = q ** np.arange(n_sites - 1, -1, -1)
    return ((index[:, None] // powers) % q).astype(np.int8)


def spin_log_likelihoods(h: Floats) -> Floats:
    """Evidence fields h (n, n_sites) as log-likelihoods (n, n_sites, 2), +-inf meaning known."""
    known = np.isinf(h)
    minus = np.where(known, np.where(h > 0, -np.inf, 0.0), -h)
    plus = np.where(known, np.where(h > 0, 0.0, -np.inf), h)
    return np.stack([minus, plus], axis=-1)


def log_evidence(log_p: Floats, like: Floats) -> Floats:
    """Log sum_x p(x) exp(sum_i l_i(x_i)), shape (n,); q^n_sites exponentials a sample."""
    return posterior(log_p, like, np.zeros(0, dtype=np.int64))[0]


def posterior(log_p: Floats, like: Floats, sites: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Log evidence (n,) and unnormalised log-marginals (n, len(sites), q) of some sites."""
    log_z, log_m = evidence_and_marginals(log_p, np.ascontiguousarray(like), sites)
    return log_z, log_m


def noisy_marginal(p: Floats, channels: Sequence[Floats], region: NDArray[np.bool_]) -> Floats:
    """Law of the noisy symbols on a region: unseen axes summed out, one channel applied an axis.

    Args:
        p: Clean table, shape (q,)*n_sites.
        channels: One matrix p(y_i | x_i) of shape (n_outputs, q) a site.
        region: Mask of shape (n_sites,).

    Returns:
        Table of shape (n_outputs,)*|region|, sites in order.

    Cost: q^n additions, then |region| passes over the result.
    """
    table = p.sum(axis=tuple(np.flatnonzero(~region)))
    for axis, site in enumerate(np.flatnonzero(region).tolist()):
        table = np.moveaxis(np.tensordot(channels[site], table, axes=(1, axis)), 0, axis)
    return np.asarray(table)


def entropy(p: Floats) -> float:
    """Discrete entropy -sum p log p of a table, nats."""
    return float(-xlogy(p, p).sum())


def divergence(p: Floats, q: Floats) -> float:
    """KL(p || q) of two tables with equal sums, nats: a sum of terms p (d - 1 - log d) >= 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(p > 0, np.log(q) - np.log(p), 0.0)
    return float(np.where(p > 0, p * (np.expm1(log_ratio) - log_ratio), q).sum())
