r"""Entropies of exchangeable symbols that are independent given a common field.

Given the node phi, each of n noisy symbols is +1 with probability p(phi). The number k of +1 among
them is sufficient for phi, so

.. math:: H(y_1 \ldots y_n) = n \sum_\phi w_\phi h_2(p_\phi) + I(\phi; k), \qquad
   I(\phi; k) = \sum_{\phi, k} w_\phi P(k|\phi) \log \frac{P(k|\phi)}{P(k)},

with P(k|phi) binomial. The extensive part is linear in n, so it drops out of a conditional mutual
information up to rounding; I is at most the logarithm of the number of nodes and every number in
it is of order one. Two windows bound the work:

- nodes of weight below e^-50 are left out (neglected mass below 1e-17 for 5e4 nodes);
- k runs over \|k - np\| <= 16 + sqrt(256 + 96 npq) + 1, outside which Bernstein's inequality leaves
  less than 2 e^-48 = 3e-21.

A neglected mass d changes an entropy by less than d (n ln 2 - log d).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_expit

from phasetheory.engines.exchangeable import FieldNodes

__all__ = ["binary_entropy", "count_information", "erased_entropies", "flipped_entropy"]

Floats = NDArray[np.float64]

_LIGHTEST_NODE = 50.0
_LOG_TAIL = 48.0
#: Means below this are zero: the probability of k > 0 is below it too.
_NO_MEAN = 1e-290
#: Up to this many seen symbols their information is summed exactly for every number of them;
#: beyond, it is interpolated to e^-37 = 1e-16 on panels of ratio sqrt(2).
_FIRST_PANEL, _DIGITS = 512, 37.0


def binary_entropy(log_p: Floats, log_q: Floats) -> Floats:
    """-p log p - q log q in nats, elementwise, from log-probabilities (-inf allowed)."""
    finite = [np.where(np.isneginf(log), 0.0, log) for log in (log_p, log_q)]
    return np.asarray(-np.exp(log_p) * finite[0] - np.exp(log_q) * finite[1])


def flipped_entropy(nodes: FieldNodes, t: float, n: int) -> float:
    """Entropy of n spins after bit flips with probability t/2.

    Args:
        nodes: Law of the clean spins.
        t: Noise strength in [0, 1]; 0 gives the clean entropy.
        n: Number of spins.

    Returns:
        Nats.

    Cost: nodes x width of the window of k: at n = 1e5 some 1e4 to 1e6 terms.
    """
    log_p, log_q = _log_symbols(nodes, t)
    extensive = float(np.exp(nodes.log_weight) @ binary_entropy(log_p, log_q))
    return n * extensive + count_information(nodes.log_weight, log_p, log_q, n)


def erased_entropies(nodes: FieldNodes, t: float, sizes: NDArray[np.int64]) -> Floats:
    r"""Entropies of regions whose spins are each erased with probability t.

    .. math:: H_n = n h_2(t) + \sum_j \mathrm{Binom}(j; n, 1-t)\, H(x_1 \ldots x_j)

    Args:
        nodes: Law of the clean spins.
        t: Erasure probability in [0, 1].
        sizes: Numbers n of spins, shape (m,).

    Returns:
        Nats, shape (m,).

    Cost: one :func:`count_information` for every j in the windows of the binomials, but at most
    about 16 on each of the panels [512 * 2^(m/2), 512 * 2^((m+1)/2)] that they touch. I(phi; k) of
    j symbols is analytic in log j on a strip of half-width pi/2 about, and odd and even j differ
    by less than 1e-15 from j = 512 on, so that interpolation reaches rounding.
    """
    log_p, log_q = _log_symbols(nodes, 0.0)
    with np.errstate(divide="ignore"):
        log_seen, log_erased = np.log1p(-t), np.log(t)
    extensive = (1.0 - t) * float(np.exp(nodes.log_weight) @ binary_entropy(log_p, log_q))
    extensive += float(binary_entropy(log_erased, log_seen))
    ranges = [_window(int(n), log_seen, log_erased) for n in sizes]
    windows = [np.arange(int(low), int(stop)) for low, stop in ranges]
    seen = np.unique(np.concatenate(windows))
    information = _informations(nodes.log_weight, log_p, log_q, seen)
    values = []
    for n, window in zip(sizes, windows, strict=True):
        weight = np.exp(_log_binomial(window, int(n), log_seen, log_erased))
        here = information[np.searchsorted(seen, window)]
        values.append(n * extensive + float(weight @ here / weight.sum()))
    return np.array(values)


def count_information(log_weight: Floats, log_p: Floats, log_q: Floats, n: int) -> float:
    """Information I(phi; k) of n symbols about their common field; see the module's formula.

    Args:
        log_weight: Log-probabilities of the nodes, shape (nodes,).
        log_p: Log-probability of symbol +1 at each node.
        log_q: That of the other symbol.
        n: Number of symbols, at least 0.

    Returns:
        Nats, to an absolute accuracy of about 1e-13.
    """
    kept = log_weight > -_LIGHTEST_NODE
    if n == 0 or kept.sum() == 1:
        return 0.0
    log_weight, log_p, log_q = log_weight[kept], log_p[kept], log_q[kept]
    low, stop = _window(n, log_p, log_q)
    length = stop - low
    starts = np.cumsum(length) - length
    node = np.repeat(np.arange(low.size), length)
    first = int(low.min())
    index = np.arange(node.size) + (low - starts - first)[node]
    k = np.arange(first, int(stop.max()))
    log_binomial = _log_prefactor(k, n)[index] - (
        _deviance(k[index], n * np.exp(log_p)[node])
        + _deviance(n - k[index], n * np.exp(log_q)[node])
    )
    binomial = np.exp(log_binomial)
    # Normalising every binomial removes the errors of its prefactor along with the cut tails.
    norm = np.add.reduceat(binomial, starts)
    weighted = binomial * (np.exp(log_weight) / norm)[node]
    total = np.bincount(index, weights=weighted)
    log_total = np.log(np.where(total > 0, total, 1.0))
    # Terms that underflow carry no mass; their logarithm may be -inf.
    log_binomial = np.where(weighted > 0, log_binomial, 0.0)
    return float((weighted * (log_binomial - np.log(norm)[node] - log_total[index])).sum())


def _informations(
    log_weight: Floats, log_p: Floats, log_q: Floats, sizes: NDArray[np.int64]
) -> Floats:
    """I(phi; k) for sorted numbers of symbols."""

    def directly(js: NDArray[np.int64]) -> Floats:
        return np.array([count_information(log_weight, log_p, log_q, int(j)) for j in js])

    panel = np.floor(2.0 * np.log2(np.maximum(sizes, 1) / _FIRST_PANEL)).astype(int)
    panel = np.maximum(panel, -1)
    out = np.empty(sizes.size)
    for m in np.unique(panel):
        here = panel == m
        js = sizes[here]
        ends = np.log(js[[0, -1]]) if m >= 0 else np.zeros(2)
        # Bernstein ellipse that reaches Im log j = pi/2: the error falls as rho^-n_points.
        strip = np.pi / max(1e-3, ends[1] - ends[0])
        n_points = 3 + int(np.ceil(_DIGITS / np.arcsinh(strip)))
        if m < 0 or js.size <= n_points:
            out[here] = directly(js)
            continue
        angles = np.pi * (np.arange(n_points) + 0.5) / n_points
        points = np.exp(ends.mean() + 0.5 * (ends[1] - ends[0]) * np.cos(angles))
        chosen = np.unique(np.rint(points).astype(np.int64))
        fit = np.polynomial.Chebyshev.fit(
            np.log(chosen), directly(chosen), chosen.size - 1, domain=ends
        )
        out[here] = fit(np.log(js))
    return out


def _log_symbols(nodes: FieldNodes, t: float) -> tuple[Floats, Floats]:
    """Log-probabilities of a noisy +1 and -1 at each node, both to relative accuracy."""
    with np.errstate(divide="ignore"):
        flip, keep = np.log(t / 2.0), np.log1p(-t)
    log_p = np.logaddexp(flip, keep + log_expit(2.0 * nodes.phi))
    log_q = np.logaddexp(flip, keep + log_expit(-2.0 * nodes.phi))
    return log_p, log_q


def _window(n: int, log_p: Floats, log_q: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Half-open range of k outside which a binomial has mass below 2 exp(-48) (Bernstein)."""
    third = _LOG_TAIL / 3.0
    mean = n * np.exp(log_p)
    half = third + np.sqrt(third**2 + 2.0 * _LOG_TAIL * mean * np.exp(log_q)) + 1.0
    low = np.maximum(np.floor(mean - half), 0.0).astype(np.int64)
    return low, np.minimum(np.ceil(mean + half), float(n)).astype(np.int64) + 1


def _log_binomial(k: NDArray[np.int64], n: int, log_p: Floats, log_q: Floats) -> Floats:
    """Log P(k) of one binomial law."""
    exponent = _deviance(k, n * np.exp(log_p)) + _deviance(n - k, n * np.exp(log_q))
    return _log_prefactor(k, n) - exponent


def _log_prefactor(k: NDArray[np.int64], n: int) -> Floats:
    r"""Log of P(k) exp(deviances): the part of a binomial that does not depend on p.

    Source: C. Loader 2000, "Fast and accurate computation of binomial probabilities": the
    deviances of k and n - k carry the exponent, Stirling's series the prefactor, and no large
    logarithms cancel.
    """
    inside = (k > 0) & (k < n)
    spread = np.where(inside, 2.0 * np.pi * k * (1.0 - k / max(n, 1)), 1.0)
    correction = _stirling_error(np.array([n])) - _stirling_error(k) - _stirling_error(n - k)
    # At k = 0 and k = n Stirling's factors cancel and P(k) is the bare exponential.
    return np.where(inside, correction - 0.5 * np.log(spread), 0.0)


def _deviance(k: NDArray[np.int64], mean: Floats) -> Floats:
    """Deviance k log(k/mean) + mean - k; inf where mean = 0 < k."""
    # A mean this small leaves nothing but k = 0, and dividing by it would overflow.
    some = mean > _NO_MEAN
    scale = np.where(some, mean, 1.0)
    excess = (k - mean) / scale
    log_term = np.log1p(np.where(k > 0, excess, 0.0))
    return np.where(some, mean * ((1.0 + excess) * log_term - excess), np.where(k > 0, np.inf, 0.0))


def _stirling_error(n: NDArray[np.int64]) -> Floats:
    """Log n! - (n + 1/2) log n + n - log(2 pi)/2 for n >= 1; the value at n = 0 is not used."""
    n = np.maximum(n, 1)
    exact = np.arange(1.0, 17.0)
    table = gammaln(exact + 1) - (exact + 0.5) * np.log(exact) + exact - 0.5 * np.log(2 * np.pi)
    inverse = 1.0 / np.maximum(n, 16.0)
    square = inverse * inverse
    series = inverse * (
        1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))
    )
    return np.where(n <= 16, table[np.minimum(n, 16) - 1], series)
