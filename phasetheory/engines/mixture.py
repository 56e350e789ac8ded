r"""Gaussian mixtures with isotropic components: likelihoods, posteriors, two-component entropies.

Evidence of variance s_i at site i makes component k a product of Gaussians,

.. math:: \log L_k = -\tfrac12 \sum_i \left[ \log 2\pi(v_k + s_i)
   + \frac{(y_i - \mu_{ki})^2}{v_k + s_i} \right],

whose squared distances come from two matrix products for all components that share a variance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory.engines.binary_input import label_information

__all__ = [
    "ComponentGroup",
    "component_posterior",
    "group_components",
    "log_likelihoods",
    "normalise",
    "two_component_entropy",
]

Floats = NDArray[np.float64]

#: Expanded squares may lose this much of a log-likelihood before they are formed directly.
_TOLERANCE = 1e-10
#: Components that far (nats) behind the best of their sample are left at that accuracy.
_BEHIND = 60.0


class ComponentGroup(NamedTuple):
    """Components of one variance, prepared for their matrix products.

    Attributes:
        variance: Their common variance v.
        members: Their indices, shape (m,).
        means: Their means less the centre of all components, shape (m, n_sites).
        squares: Squares of those.
    """

    variance: float
    members: NDArray[np.int64]
    means: Floats
    squares: Floats


def group_components(means: Floats, variances: Floats) -> tuple[Floats, list[ComponentGroup]]:
    """Centre of all components, shape (n_sites,), and the components grouped by variance.

    Taking the centre off keeps the expanded squares small, hence accurate.
    """
    centre = means.mean(axis=0)
    groups = []
    for v in np.unique(variances):
        members = np.flatnonzero(variances == v)
        centred = means[members] - centre
        groups.append(ComponentGroup(float(v), members, centred, np.square(centred)))
    return centre, groups


def log_likelihoods(
    components: tuple[Floats, list[ComponentGroup]], value: Floats, spread: Floats
) -> Floats:
    r"""Log-likelihood of every component.

    Args:
        components: From :func:`group_components`.
        value: Observed values, shape (n, n_sites); ignored where unobserved.
        spread: Variances of the evidence, shape (1, n_sites) or (n, n_sites); 0 = known,
            inf = unobserved.

    Returns:
        Shape (n, k), nats.

    Raises:
        ValueError: If a component without width meets a site known exactly: no density.

    Cost: two products (n, n_sites) x (n_sites, k); one of them with a single row where all
    samples share their evidence variances.
    """
    centre, groups = components
    if (spread == 0).any() and groups[0].variance == 0:
        raise ValueError(
            "a component of variance 0 observed without noise has no density: use noise with"
            " sigma > 0 on every observed site, or components with variance > 0"
        )
    seen = np.isfinite(spread)
    y = np.where(seen, value - centre, 0.0)
    log_l = np.empty((len(value), sum(group.members.size for group in groups)))
    for group in groups:
        total = np.where(seen, group.variance + spread, 1.0)
        precision = np.where(seen, 1.0 / total, 0.0)
        log_norm = np.where(seen, np.log(2.0 * np.pi * total), 0.0).sum(axis=1)
        part = _squared_distances(group, y, precision)
        part += log_norm[:, None]
        part *= -0.5
        if len(groups) == 1:
            return part
        log_l[:, group.members] = part
    return log_l


def normalise(joint: Floats) -> Floats:
    """Log-sum-exp over the last axis, shape (n,); `joint` itself becomes the softmax."""
    best = joint.max(axis=1, keepdims=True)
    joint -= np.where(np.isfinite(best), best, 0.0)
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    joint /= np.where(total > 0, total, 1.0)
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(best), best + np.log(total), best)[:, 0]


def component_posterior(
    means: Floats, variances: Floats, value: Floats, spread: Floats
) -> tuple[Floats, Floats]:
    r"""Mean and variance of each site under each component, given its evidence.

    .. math:: m = \mu_{ki} + \frac{v_k}{v_k + s_i} (y_i - \mu_{ki}), \qquad
       u = \frac{v_k s_i}{v_k + s_i}

    Args:
        means: Component means at the wanted sites, shape (k, sites).
        variances: Shape (k,).
        value: Shape (n, sites).
        spread: Shape (1, sites) or (n, sites).

    Returns:
        (means, variances), broadcastable to (n, sites, k); the sample axis has length one where
        the samples agree, and the component axis of the variances where the components do.
    """
    v = variances[:1] if (variances == variances[0]).all() else variances
    base = means.T[None]
    s = spread[..., None]
    seen = np.isfinite(s)
    gain = np.where(seen, v / np.where(seen & (v + s > 0), v + s, 1.0), 0.0)
    left = np.where(seen, gain * np.where(seen, s, 0.0), v)
    if not gain.any():
        return base, left
    return base + gain * (np.where(seen, value[..., None], 0.0) - base), left


def two_component_entropy(separation: Floats, variances: Floats, weights: Floats) -> float:
    r"""Differential entropy of two Gaussian components of equal covariance.

    .. math:: H = \sum_i \tfrac12 \log(2\pi e \tau_i) + I(S; y), \qquad
       D^2 = \sum_i \delta_i^2 / \tau_i,

    where I(S; y) is the information about the component label S at distance D.

    Args:
        separation: Difference delta of the two means, shape (sites,); zeros for one component.
        variances: Common variances tau, shape (sites,), positive.
        weights: Probabilities of the components, shape (1,) or (2,).

    Returns:
        Nats.
    """
    gaussian = 0.5 * float((1.0 + np.log(2.0 * np.pi * variances)).sum())
    if weights.size == 1:
        return gaussian
    distance = np.sqrt((np.square(separation) / variances).sum())
    return gaussian + float(label_information(distance, float(weights[1])))


def _squared_distances(group: ComponentGroup, y: Floats, precision: Floats) -> Floats:
    """Sum_i precision_i (y_i - means_ki)^2, shape (n, k)."""
    own = (np.square(y) * precision).sum(axis=1, keepdims=True)
    theirs = precision @ group.squares.T
    squared = (y * precision) @ group.means.T
    squared *= -2.0
    squared += own
    squared += theirs
    # Rounding of the expanded square, against which likely components are formed directly.
    lost = 8.0 * np.finfo(float).eps * (own + theirs.max(axis=1, keepdims=True))[:, 0]
    rows = np.broadcast_to(precision, y.shape)
    for sample in np.flatnonzero(lost > _TOLERANCE):
        reach = squared[sample].min() + 2.0 * (_BEHIND + lost[sample])
        near = np.flatnonzero(squared[sample] < reach)
        squared[sample, near] = np.square(y[sample] - group.means[near]) @ rows[sample]
    return np.maximum(squared, 0.0, out=squared)
