r"""Relative entropy between two cavity posteriors seen through the noise of their site.

Two beliefs about a clean site, p(x) and q(x), become beliefs about its noisy value y. Their
relative entropy is the building block of the conditional mutual information. Terms are summed in
the form p (d - 1 - log d) with d = q/p, each non-negative, so nearly equal beliefs lose nothing
to cancellation.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from phasetheory.noise import Gaussian, Noise, symbols
from phasetheory.prior import DiscreteLaws, SiteLaws

__all__ = ["noisy_divergence"]

Floats = NDArray[np.float64]

#: Half-width of the quadrature around each Gaussian component, in its standard deviations: the
#: mass left out is below 1e-22.
_REACH = 10.0
#: Trapezoid step in units of the narrowest component. On an analytic integrand the error is
#: exp(-2 pi d / step), d the distance of the nearest pole from the real axis; a Gaussian of unit
#: width alone would allow a step of 0.7 for 1e-17.
_STEP = 0.35
#: log of a mixture of two Gaussians of width s at distance D has poles at Im y = pi s^2 / D, so a
#: step of this many s^2 / D leaves exp(-2 pi^2 / 0.66) = 1e-13.
_POLE_STEP = 0.66
#: Components farther apart than this many widths cross where both densities are below 1e-16 of
#: their peaks, so the step need not resolve that crossing any better.
_FARTHEST = 17.5
#: Numbers held at once (samples x nodes x components).
_CHUNK = 2**22

Mixture = tuple[Floats, Floats, Floats]


def noisy_divergence(p: SiteLaws, q: SiteLaws, noise: Noise) -> Floats:
    """KL( p(y) || q(y) ) for the noisy value y of one site.

    Args:
        p: Laws of the clean site, shape (n, 1, ...).
        q: Likewise; must give weight wherever p does.
        noise: The noise of that site, with scalar t.

    Returns:
        Shape (n,), nats, every entry >= 0: exact for discrete outputs and for single Gaussians;
        for Gaussian noise on spins or mixtures a one-dimensional trapezoid rule, accurate to
        about 1e-12 of the entropy of y.

    Raises:
        ValueError: If the noisy site has no density (a point mass without noise).
    """
    if isinstance(p, DiscreteLaws) and isinstance(q, DiscreteLaws) and noise.is_discrete(p.q):
        return _discrete(p.log_p[:, 0], q.log_p[:, 0], noise.channel(p.q))
    assert isinstance(noise, Gaussian)
    first, second = _in_output(p, noise), _in_output(q, noise)
    if min(first[2].min(), second[2].min()) <= 0:
        raise ValueError("the noisy site has no density: a point mass needs noise (sigma > 0)")
    if first[1].shape[-1] == second[1].shape[-1] == 1:
        return _single_gaussians(first, second)
    return _mixtures(first, second)


def _bregman(log_p: Floats, log_q: Floats) -> Floats:
    """Terms p (d - 1 - log d) with d = q/p, which is q itself where p = 0."""
    p, q = np.exp(log_p), np.exp(log_q)
    some = p > 0
    log_ratio = np.where(some, log_q, 0.0) - np.where(some, log_p, 0.0)
    # Both forms are the same number: one without cancellation at small, one without overflow at
    # large ratios.
    small = np.minimum(log_ratio, 1.0)
    terms = np.where(log_ratio > 1.0, q - p * (1.0 + log_ratio), p * (np.expm1(small) - small))
    return np.where(some, terms, q)


def _discrete(log_p: Floats, log_q: Floats, channel: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        log_channel = np.log(channel)
    a = logsumexp(log_p[:, None, :] + log_channel, axis=-1)
    b = logsumexp(log_q[:, None, :] + log_channel, axis=-1)
    return np.asarray(_bregman(a, b).sum(axis=-1))


def _in_output(laws: SiteLaws, noise: Gaussian) -> Mixture:
    """Weights, means and variances of the mixture that y follows, each (n or 1, k)."""
    alpha, sigma = float(noise.alpha), float(noise.sigma)
    if isinstance(laws, DiscreteLaws):
        values = symbols(laws.q).astype(float)[None]
        return laws.p[:, 0], alpha * values, np.full((1, laws.q), sigma**2)
    weights, means, variances = (
        np.broadcast_to(part, np.broadcast_shapes(part.shape, (1, 1, 1)))[:, 0]
        for part in (laws.weights, laws.means, laws.variances)
    )
    return weights, alpha * means, alpha**2 * variances + sigma**2


def _single_gaussians(p: Mixture, q: Mixture) -> Floats:
    ratio = p[2] / q[2]
    shift = np.square(p[1] - q[1]) / q[2]
    return np.asarray(0.5 * (ratio - 1.0 - np.log(ratio) + shift))[:, 0]


def _mixtures(p: Mixture, q: Mixture) -> Floats:
    n = max(part.shape[0] for part in (*p, *q))
    y, weight = _grid(
        np.concatenate([p[1].ravel(), q[1].ravel()]),
        np.sqrt(np.concatenate([np.broadcast_to(v, m.shape).ravel() for _, m, v in (p, q)])),
    )
    components = max(p[1].shape[-1], q[1].shape[-1])
    rows = max(1, _CHUNK // (y.size * components))
    out = np.empty(n)
    for start in range(0, n, rows):
        chunk = slice(start, min(start + rows, n))
        out[chunk] = _bregman(_log_density(p, y, chunk), _log_density(q, y, chunk)) @ weight
    return out


def _grid(means: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Trapezoid nodes and weights on the union of the components' windows.

    Every connected piece of the union has its own step, set by the components inside; the
    integrand vanishes at the ends of a piece, so the rule converges exponentially on each.
    """
    order = np.argsort(means - _REACH * widths)
    means, widths = means[order], widths[order]
    ends = np.maximum.accumulate(means + _REACH * widths)
    first = np.flatnonzero(np.append(True, means[1:] - _REACH * widths[1:] > ends[:-1]))
    nodes, weights = [], []
    for start, stop in zip(first, [*first[1:], means.size], strict=True):
        narrow = widths[start:stop].min()
        apart = min(np.ptp(means[start:stop]) / narrow, _FARTHEST)
        step = narrow * min(_STEP, _POLE_STEP / max(apart, 1.0))
        low = (means[start:stop] - _REACH * widths[start:stop]).min()
        y = np.linspace(low, ends[stop - 1], int(np.ceil((ends[stop - 1] - low) / step)) + 1)
        nodes.append(y)
        weights.append(np.full(y.size, y[1] - y[0]))
    return np.concatenate(nodes), np.concatenate(weights)


def _log_density(mixture: Mixture, y: Floats, rows: slice) -> Floats:
    """Log density of the mixtures in `rows` on a grid, shape (rows, nodes)."""
    weights, means, variances = (part[rows] if len(part) > 1 else part for part in mixture)
    with np.errstate(divide="ignore"):
        offset = np.log(weights) - 0.5 * np.log(2.0 * np.pi * variances)
    square = np.square(y[:, None] - means[:, None, :]) / variances[:, None, :]
    terms = offset[:, None, :] - 0.5 * square
    top = terms.max(axis=-1)
    return np.asarray(top + np.log(np.exp(terms - top[..., None]).sum(axis=-1)))
