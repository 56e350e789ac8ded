"""Gaussian laws in checks: denoisers and scores are linear maps, expectations are traces."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Region
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.noisy import NoisyLaw

__all__ = ["covariance", "linear_part", "mean_square", "noisy_mean"]

Floats = NDArray[np.float64]


def noisy_mean(law: NoisyLaw) -> Floats:
    """Mean of y, shape (n_sites,)."""
    assert isinstance(law.prior, GaussianField)
    alpha = np.broadcast_to(law.noise.scales[0], (law.n_sites,))  # type: ignore[attr-defined]
    return np.asarray(alpha * law.prior.mean)


def covariance(law: NoisyLaw) -> Floats:
    """Covariance of y, shape (n_sites, n_sites)."""
    assert isinstance(law.prior, GaussianField)
    return law.prior.noisy_covariance(law.noise, np.arange(law.n_sites))


def linear_part(
    method: Callable[[Floats, Region], Floats], law: NoisyLaw, region: Region
) -> tuple[Floats, Floats]:
    """Read an affine map y -> M (y - mean) + offset off a method of the law.

    Args:
        method: `law.score` or `law.denoise`.
        law: Gaussian law.
        region: What the map reads.

    Returns:
        M of shape (n_sites, n_sites), row = output site, and offset of shape (n_sites,).
    """
    mean = noisy_mean(law)
    values = method(np.vstack([mean, mean + np.eye(law.n_sites)]), region)
    return (values[1:] - values[0]).T, values[0]


def mean_square(rows: Floats, spread: Floats) -> float:
    """E |rows y|^2 for centred y of covariance `spread`."""
    return float(np.einsum("ai,ij,aj->", rows, spread, rows))
