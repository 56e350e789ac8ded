r"""The locality gap: how much a denoiser that sees only A and its buffer must lose.

.. math:: \Delta^2(t) = \mathbb{E}\,|\nabla_A \log p_t(y) - \nabla_A \log p_t(y_{AB})|^2
"""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.information.batches import over_samples
from phasetheory.lattice import Region, Tripartition
from phasetheory.noise import Gaussian
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, MixtureLaws

__all__ = ["enumerate_outputs", "locality_gap"]

Floats = NDArray[np.float64]

#: Largest number of noisy configurations that are enumerated rather than sampled.
MAX_OUTPUTS = 2**14


def locality_gap(
    law: NoisyLaw, parts: Tripartition, *, n_samples: int = 2000, rng: Any = None
) -> Estimate:
    r"""Squared locality gap of the Bayes denoiser, y being seen on A, B and C.

    Gaussian noise: :math:`\Delta^2 = \sum_{a \in A} \mathbb{E} |\partial_a \log p_t(y_{ABC}) -
    \partial_a \log p_t(y_{AB})|^2`, in units of 1/y^2; by Tweedie it is alpha^2/sigma^4 times the
    excess mean square error of the local denoiser. Discrete noise:
    :math:`\sum_{a \in A} \mathbb{E} |\mathbb{E}[x_a|y_{ABC}] - \mathbb{E}[x_a|y_{AB}]|^2`
    (for q > 2 symbols summed over the marginals).

    Args:
        law: The noisy law.
        parts: Tripartition.
        n_samples: Samples where the gap is not exact, at least 2.
        rng: Generator or seed.

    Returns:
        Estimate: exact (stderr 0) where the posterior variance does not depend on y (Gaussian
        fields) and where the noisy configurations on ABC can be enumerated.

    Raises:
        ValueError: If a region does not fit the lattice, or Gaussian noise has sigma = 0 on A.

    Cost: two posteriors a sample (or configuration).

    Source: T5; Liu et al. 2026, "Breakdown of Local Denoising as Semantic Speciation".
    """
    near, everything = parts.union("AB"), parts.union("ABC")
    law.lattice.mask(everything)  # refuses sites that the lattice does not have
    noise, A = law.noise, parts.A
    scale = np.ones(A.size)
    if isinstance(noise, Gaussian):
        alpha, sigma = (np.broadcast_to(s, (law.n_sites,))[A] for s in noise.scales)
        if (sigma == 0).any():
            raise ValueError("locality_gap under Gaussian noise needs sigma > 0 on A")
        scale = alpha**2 / sigma**4
    unit = "1/y^2" if isinstance(noise, Gaussian) else "1"
    quantity = "squared locality gap"
    _, probe = law.sample(1, rng=0)
    local = law.posterior(probe, near, A)
    if isinstance(local, MixtureLaws) and local.n_components == 1:
        full = law.posterior(probe, everything, A)
        assert isinstance(full, MixtureLaws)
        value = float((scale * (local.variance() - full.variance())[0]).sum())
        return Estimate(value, unit=unit, quantity=quantity)
    outputs = enumerate_outputs(law, everything)
    if outputs is not None:
        y, weight = outputs
        value = float(weight @ _squares(law, parts, y, scale))
        return Estimate(value, unit=unit, quantity=quantity)
    squares = over_samples(law, lambda y: _squares(law, parts, y, scale), n_samples, rng=rng)
    return Estimate.from_samples(squares, unit=unit, quantity=quantity)


def enumerate_outputs(
    law: NoisyLaw, region: Region = None
) -> tuple[NDArray[np.int8], Floats] | None:
    """Every noisy configuration on a region of a discrete law, with its probability.

    Args:
        law: The noisy law.
        region: Mask or indices; every site by default.

    Returns:
        (y of shape (n, n_sites) with arbitrary symbols outside the region, probabilities (n,)),
        configurations of probability zero left out; None where outputs are continuous or more
        than :data:`MAX_OUTPUTS`.
    """
    mask = law.lattice.mask(region)
    q = law.prior.q
    if q is None or not law.discrete[mask].all() or isinstance(law.noise, Gaussian):
        return None
    values = law.noise.outputs(q)
    sites = np.flatnonzero(mask)
    if len(values) ** sites.size > MAX_OUTPUTS:
        return None
    y = np.full((len(values) ** sites.size, law.n_sites), values[0])
    y[:, sites] = list(product(values, repeat=sites.size))
    p = np.exp(law.log_prob(y, mask))
    return y[p > 0], p[p > 0]


def _squares(law: NoisyLaw, parts: Tripartition, y: NDArray[Any], scale: Floats) -> Floats:
    full = law.posterior(y, parts.union("ABC"), parts.A)
    local = law.posterior(y, parts.union("AB"), parts.A)
    squares = np.square(full.mean() - local.mean())
    if isinstance(full, DiscreteLaws) and full.q > 2:
        squares = squares.sum(axis=-1)
    return np.asarray(squares @ scale)
