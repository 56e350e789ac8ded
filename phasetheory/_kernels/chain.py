r"""Open Ising chains: messages are fields, so nothing over- or underflows and nothing is stored.

Summing out a spin in the field a, bound to the next one by J, leaves that one in a field u:

    sum_x exp(a x + J x x') = exp(c + u x'),   c +- u = |a +- J| + log(1 + exp(-2 |a +- J|)).
"""

import numpy as np

from phasetheory._kernels import jit


@jit(nogil=True)
def chain_field(a: float, J: float) -> float:
    """Field u that a spin in the field a (+-inf: known) exerts through the coupling J."""
    if np.isinf(a):
        return J if a > 0 else -J
    up, down = abs(a + J), abs(a - J)
    return 0.5 * (up - down) + 0.5 * (np.log1p(np.exp(-2.0 * up)) - np.log1p(np.exp(-2.0 * down)))


@jit(nogil=True)
def chain_log_partition(J: np.ndarray, h: np.ndarray, out: np.ndarray) -> None:
    """Fill out (n,) with log sum_x exp(sum_i J_i x_i x_(i+1) + sum_i h_i x_i).

    Args:
        J: Couplings, (n_sites - 1,).
        h: Fields, (n, n_sites); +-inf fixes a spin, and contributes nothing itself.
        out: Result.

    Cost: about 30 ns per site.
    """
    for sample in range(h.shape[0]):
        total, lost, u = 0.0, 0.0, 0.0
        for i in range(h.shape[1]):
            a = h[sample, i] + u
            last = i == h.shape[1] - 1
            if np.isinf(a):
                term = u if a > 0 else -u  # weight e^(u x) of the value it is known to have
                u = 0.0 if last else (J[i] if a > 0 else -J[i])
            elif last:
                term = abs(a) + np.log1p(np.exp(-2.0 * abs(a)))
            else:
                up, down = abs(a + J[i]), abs(a - J[i])
                log_up, log_down = np.log1p(np.exp(-2.0 * up)), np.log1p(np.exp(-2.0 * down))
                term = 0.5 * (up + down) + 0.5 * (log_up + log_down)
                u = 0.5 * (up - down) + 0.5 * (log_up - log_down)
            partial = total + term  # compensated: 10^6 terms add up without loss
            lost += (total - partial) + term if total >= term else (term - partial) + total
            total = partial
        out[sample] = total + lost


@jit(nogil=True)
def chain_log_odds(J: np.ndarray, h: np.ndarray, odds: np.ndarray) -> None:
    """Fill odds (n, n_sites) with log p(x_i = +1) - log p(x_i = -1); arguments as above."""
    n_sites = h.shape[1]
    for sample in range(h.shape[0]):
        u = 0.0
        for i in range(n_sites):
            odds[sample, i] = h[sample, i] + u
            if i < n_sites - 1:
                u = chain_field(odds[sample, i], J[i])
        u = 0.0
        for i in range(n_sites - 1, -1, -1):
            odds[sample, i] = 2.0 * (odds[sample, i] + u)
            if i > 0:
                u = chain_field(h[sample, i] + u, J[i - 1])


@jit(nogil=True)
def chain_sample(J: np.ndarray, h: np.ndarray, uniforms: np.ndarray, spins: np.ndarray) -> None:
    """Draw chains from the last site to the first: spin i is +1 where u_i < p(+1 | x_(i+1)).

    Args:
        J: Couplings, (n_sites - 1,).
        h: Fields, (n_sites,).
        uniforms: Numbers in [0, 1), (n, n_sites).
        spins: Result, int8 (n, n_sites).

    Cost: about 40 ns per site, and 10 ns per site and sample.
    """
    n_sites = h.size
    behind = np.empty(n_sites)
    u = 0.0
    for i in range(n_sites):
        behind[i] = h[i] + u
        if i < n_sites - 1:
            u = chain_field(behind[i], J[i])
    for sample in range(uniforms.shape[0]):
        pull = 0.0
        for i in range(n_sites - 1, -1, -1):
            plus = uniforms[sample, i] < 1.0 / (1.0 + np.exp(-2.0 * (behind[i] + pull)))
            spins[sample, i] = 1 if plus else -1
            if i > 0:
                pull = J[i - 1] if plus else -J[i - 1]
