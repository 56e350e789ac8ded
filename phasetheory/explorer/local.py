r"""The local Bayes denoiser at every site, in one call of the model.

Site i is denoised from its own window :math:`W_i` = all sites within distance r of it:
:math:`\hat x_i = E[x_i | y_{W_i}]`. All windows share y, so they are a batch of one evidence, with
nothing seen outside the window of each row; only entry i of row i is kept.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasetheory.explorer.scenes import Stage
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.noise import Gaussian, GaussianEvidence
from phasetheory.noisy import NoisyLaw

__all__ = ["local_denoise"]

Floats = NDArray[np.float64]


def local_denoise(law: NoisyLaw, stage: Stage, y: NDArray[np.generic], radius: int) -> Floats:
    """E[x_i | y on the window of i] for every site i.

    Args:
        law: The noisy law of the stage.
        stage: Gives the windows.
        y: One noisy sample, shape (1, n_sites).
        radius: Buffer radius r >= 0.

    Returns:
        Shape (n_sites,); entry i is that of ``law.denoise(y, region=window of i)``.

    Cost: one posterior of n_sites samples; for a Gaussian field one solve of the size of a window
    at every site (at one site on a torus).
    """
    if isinstance(law.prior, GaussianField):
        assert isinstance(law.noise, Gaussian)
        return _linear(law.prior, law.noise, stage, np.asarray(y, dtype=float)[0], radius)
    near = stage.distances <= radius
    evidence, _ = law.noise.evidence(y, np.ones(law.n_sites, dtype=bool), law.prior.q)
    if isinstance(evidence, GaussianEvidence):
        variance = np.broadcast_to(evidence.variance, (law.n_sites,))
        value = np.broadcast_to(evidence.value, near.shape)
        windows = GaussianEvidence(value, np.where(near, variance, np.inf))
        means = law.prior.posterior(windows).mean()
    else:
        means = law.prior.posterior(np.where(near, evidence, 0.0)).mean()
    return np.asarray(np.diagonal(means))


def _linear(field: GaussianField, noise: Gaussian, stage: Stage, y: Floats, radius: int) -> Floats:
    """Regression of every site on its window, windows of one size solved together."""
    alpha, sigma = float(noise.alpha), float(noise.sigma)
    centred = y - alpha * field.mean
    out = np.empty(y.size)
    for sites, windows in _windows(stage, radius):
        solved = sites[:1] if all(stage.places.periodic) else sites
        inside = windows[: len(solved)]
        covariance = _covariance(stage)[inside[:, :, None], inside[:, None, :]]
        noisy = alpha**2 * covariance + sigma**2 * np.eye(inside.shape[1])
        cross = alpha * _covariance(stage)[solved[:, None], inside]
        gain = np.linalg.solve(noisy, cross[..., None])[..., 0]
        out[sites] = field.mean[sites] + (gain * centred[windows]).sum(axis=1)
    return out


@lru_cache(maxsize=8)
def _covariance(stage: Stage) -> Floats:
    """Covariance of the clean field, shape (n_sites, n_sites)."""
    everything = np.arange(stage.places.n_sites)
    return np.asarray(stage.model.noisy_covariance(Gaussian(0.0), everything))


@lru_cache(maxsize=64)
def _windows(stage: Stage, radius: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Sites grouped by the size of their window: (sites, windows of shape (sites, size)).

    On a torus every window is that of site 0 shifted, in the same order.
    """
    near = stage.distances <= radius
    if all(stage.places.periodic):
        assert stage.places.shape is not None
        shape = stage.places.shape
        first = np.argwhere(near[0].reshape(shape))
        places = np.indices(shape).reshape(len(shape), -1).T
        moved = (places[:, None, :] + first[None]) % np.array(shape)
        windows = np.ravel_multi_index(tuple(np.moveaxis(moved, -1, 0)), shape)
        return [(np.arange(len(near)), windows)]
    sizes = near.sum(axis=1)
    groups = []
    for size in np.unique(sizes):
        sites = np.flatnonzero(sizes == size)
        groups.append((sites, np.nonzero(near[sites])[1].reshape(sites.size, size)))
    return groups
