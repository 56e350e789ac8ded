"""Kernels over full tables of q^n states (site 0 slowest)."""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["evidence_and_marginals"]

Floats = NDArray[np.float64]

#: A linear-space marginal below this fraction of the largest state is redone in log space.
_TINY = 1e-250


@jit(nogil=True)
def evidence_and_marginals(
    log_p: Floats, like: Floats, wanted: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Log evidence sums and one-site log-marginals of p(x) exp(sum_i l_i(x_i)).

    Args:
        log_p: Log-probabilities, flat, shape (q^n_sites,).
        like: Log-likelihoods, shape (n, n_sites, q), -inf allowed, +inf not.
        wanted: Sites whose marginals are wanted; may be empty.

    Returns:
        (log sums of shape (n,), unnormalised log-marginals of shape (n, len(wanted), q)).
    """
    n, _, q = like.shape
    size = log_p.size
    log_z = np.empty(n)
    log_m = np.empty((n, wanted.size, q))
    weight = np.empty(size)
    for k in range(n):
        top = _weigh(log_p, like[k], weight)
        log_z[k] = top
        log_m[k] = -np.inf
        if top == -np.inf:
            continue
        z = 0.0
        for state in range(size):
            weight[state] = np.exp(weight[state] - top)
            z += weight[state]
        log_z[k] += np.log(z)
        rare = False
        for w in range(wanted.size):
            block = q ** (like.shape[1] - 1 - wanted[w])
            for s in range(q):
                mass = 0.0
                for start in range(s * block, size, q * block):
                    for state in range(start, start + block):
                        mass += weight[state]
                log_m[k, w, s] = np.log(mass)
                rare = rare or (mass < _TINY and like[k, wanted[w], s] > -np.inf)
        if rare:
            _weigh(log_p, like[k], weight)
            for w in range(wanted.size):
                block = q ** (like.shape[1] - 1 - wanted[w])
                for s in range(q):
                    if log_m[k, w, s] < np.log(_TINY):
                        log_m[k, w, s] = _log_mass(weight, block, s, q) - top
    return log_z, log_m


@jit(nogil=True)
def _weigh(log_p: Floats, like: Floats, weight: Floats) -> float:
    """Fill `weight` with log p + sum_i l_i of every state, and return the largest."""
    n_sites, q = like.shape
    weight[0] = 0.0
    filled = 1
    # Grown from the last site (fastest index) on, so that each new site appends whole blocks.
    for site in range(n_sites - 1, -1, -1):
        for s in range(q - 1, -1, -1):
            shift = like[site, s]
            for state in range(filled):
                weight[s * filled + state] = weight[state] + shift
        filled *= q
    top = -np.inf
    for state in range(log_p.size):
        weight[state] += log_p[state]
        top = max(top, weight[state])
    return top


@jit(nogil=True)
def _log_mass(weight: Floats, block: int, s: int, q: int) -> float:
    """Log-sum-exp of the states whose site (of block length `block`) shows symbol s."""
    peak = -np.inf
    for start in range(s * block, weight.size, q * block):
        for state in range(start, start + block):
            peak = max(peak, weight[state])
    if peak == -np.inf:
        return peak
    mass = 0.0
    for start in range(s * block, weight.size, q * block):
        for state in range(start, start + block):
            mass += np.exp(weight[state] - peak)
    return peak + np.log(mass)
