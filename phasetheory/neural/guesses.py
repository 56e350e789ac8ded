"""Gaussian guesses of a clean site: the best linear predictor of every time and context."""

import numpy as np
from numpy.typing import NDArray

from phasetheory.neural.contexts import Contexts

__all__ = ["linear_guesses"]

Floats = NDArray[np.float64]


def linear_guesses(
    contexts: Contexts, images: Floats, *, linear: bool
) -> tuple[Floats, Floats, Floats]:
    r"""Gaussian guess of every time and context.

    .. math:: w = \alpha \Sigma_{AO} (\alpha^2 \Sigma_{OO} + \sigma^2)^{-1}, \quad
              m = \mu_A + w (y_O - \alpha \mu_O), \quad s^2 = \Sigma_{AA} - \alpha w \Sigma_{OA}

    Args:
        contexts: Times and visible sites O; those of another sample say nothing about A.
        images: Training set, shape (n, n_sites).
        linear: False gives w = 0.

    Returns:
        (weights (n_t, n_c, n_sites), offsets (n_t, n_c), standard deviations (n_t, n_c)).

    Cost: one Cholesky factor a time and context.
    """
    mean = images.mean(axis=0)
    site, masks = contexts.site, contexts.own
    weights = np.zeros((len(contexts.times), len(masks), contexts.n_sites))
    variance = max(float(images[:, site].var()), 1e-12)
    spreads = np.full(weights.shape[:2], variance**0.5)
    offsets = np.full(weights.shape[:2], mean[site])
    if not linear:
        return weights, offsets, spreads
    covariance = np.cov(images, rowvar=False, bias=True).reshape(len(mean), len(mean))
    for j, mask in enumerate(masks):
        if not mask.any():
            continue
        inside = covariance[np.ix_(mask, mask)]
        across = covariance[site, mask]
        for i, (alpha, sigma) in enumerate(zip(contexts.alpha, contexts.sigma, strict=True)):
            noisy = alpha**2 * inside
            noisy[np.diag_indices_from(noisy)] += sigma**2
            w = alpha * np.linalg.solve(noisy, across)
            weights[i, j, mask] = w
            left = variance - alpha * float(w @ across)
            spreads[i, j] = max(left, 1e-6 * variance) ** 0.5
    return weights, offsets, spreads
