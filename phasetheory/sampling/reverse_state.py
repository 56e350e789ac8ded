r"""What every step of reverse diffusion shares: its state, its start, and its beliefs.

A step takes noisy data at one noise level to an earlier, cleaner one. Whatever the noise, it acts
on one-site posteriors :math:`p(x_i | y_{W_i})`, the window :math:`W_i` being the whole lattice or
the sites within some distance of i.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.noise import Gaussian, Noise, symbols
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, Prior, SiteLaws

__all__ = ["Belief", "ReverseState", "StepInfo", "beliefs", "draw_clean", "init", "mixed"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReverseState:
    """Noisy data on their way back.

    Attributes:
        y: Shape (n, n_sites), in the units and symbols of the noise.
        noise: Noise that y has now: the state stands for a draw of ``NoisyLaw(prior, noise)``.
    """

    y: NDArray[Any]
    noise: Noise


class StepInfo(NamedTuple):
    """What a step did.

    Attributes:
        denoised: E[x_i | y on the window] that the step used, shape (n, n_sites), or
            (n, n_sites, q) for q > 2 symbols.
        evaluations: Calls of the prior's posterior.
        impossible: Number of (sample, site) pairs whose window held data of probability zero
            under the prior, so that the site was denoised from its own value alone. Exact steps
            never get there; parallel or local ones can.
    """

    denoised: Floats
    evaluations: int
    impossible: int


class Belief(NamedTuple):
    """One-site posteriors of some sites.

    Attributes:
        sites: Their indices, shape (m,).
        laws: Posteriors of shape (n, m, ...).
        impossible: See :class:`StepInfo`.
    """

    sites: NDArray[np.int64]
    laws: SiteLaws
    impossible: int


def init(prior: Prior, noise: Noise, n: int, *, rng: Any = None) -> ReverseState:
    """Exact draws of the noisy law to start from.

    Args:
        prior: Law of the clean data. Not asked where the noise leaves nothing of them (t = 1).
        noise: Noise level to start at.
        n: Number of samples, at least 1.
        rng: Generator or seed.

    Returns:
        The state.

    Raises:
        ValueError: If n < 1 or prior and noise do not fit.
    """
    law = NoisyLaw(prior, noise)
    if n < 1:
        raise ValueError(f"n={n}: at least 1 sample needed")
    rng = np.random.default_rng(rng)
    # Pure noise has forgotten the data, so any will do.
    pure = (noise.alpha == 0) if isinstance(noise, Gaussian) else (noise.t == 1)
    if pure.all():
        blank = np.zeros((n, law.n_sites)) if law.prior.q is None else symbols(law.prior.q)[:1]
        x = np.broadcast_to(blank, (n, law.n_sites))
    else:
        x = prior.sample(n, rng=rng)
    return ReverseState(noise.sample(x, prior.q, rng=rng), noise)


def mixed(earlier: Noise, later: Noise, done: NDArray[np.bool_]) -> Noise:
    """The noise of a half-finished step: `earlier` on the sites done, `later` on the others."""
    if isinstance(later, Gaussian) and isinstance(earlier, Gaussian):
        scales = zip(earlier.scales, later.scales, strict=True)
        return Gaussian.from_scales(*(np.where(done, s, t) for s, t in scales))
    return type(later)(np.where(done, earlier.t, later.t))


def beliefs(
    law: NoisyLaw, y: NDArray[Any], *, sites: ArrayLike | None = None, window: float | None = None
) -> Iterator[Belief]:
    """One-site posteriors, all at once where they share their window.

    Args:
        law: The noisy law that y is a draw of.
        y: Shape (n, n_sites).
        sites: Indices of the sites wanted; all by default.
        window: Radius of the window around each site, in lattice units; all sites by default.

    Yields:
        One :class:`Belief` without a window, one a site with it.

    Raises:
        ValueError: If the lattice has no distances (with a window), or y does not fit the noise.

    Cost: one posterior, or one a site.
    """
    wanted = np.arange(law.n_sites) if sites is None else np.asarray(sites, dtype=np.int64)
    if window is None:
        yield _belief(law, y, None, wanted)
        return
    for site in wanted:
        yield _belief(law, y, law.lattice.distances([site]) <= window, np.array([site]))


def _belief(
    law: NoisyLaw, y: NDArray[Any], region: NDArray[np.bool_] | None, sites: NDArray[np.int64]
) -> Belief:
    try:
        return Belief(sites, law.posterior(y, region, sites), 0)
    except ValueError:
        # A prior refuses data of probability zero. Parallel and local steps can produce such
        # data; there any completion of the channel serves, and the site's own value is enough.
        evidence, _ = law.noise.evidence(y, law.lattice.mask(region), law.prior.q)
        lost = np.isneginf(law.prior.log_evidence(evidence))
        if not lost.any() or law.prior.q is None:
            raise
    log_p = np.empty((len(y), sites.size, law.prior.q))
    rows = np.flatnonzero(~lost)
    if rows.size:
        log_p[rows] = _log_p(law.posterior(y[rows], region, sites))
    rows = np.flatnonzero(lost)
    for index, site in enumerate(sites):
        log_p[rows, index] = _log_p(law.posterior(y[rows], [site], [site]))[:, 0]
    return Belief(sites, DiscreteLaws(log_p), rows.size * sites.size)


def _log_p(laws: SiteLaws) -> Floats:
    assert isinstance(laws, DiscreteLaws)
    return laws.log_p


def draw_clean(laws: SiteLaws, n: int, *, rng: np.random.Generator) -> Floats:
    """Independent draws of clean values from one-site laws.

    Args:
        laws: One-site laws; axes of length one stand for all samples or sites.
        n: Number of samples.
        rng: Generator.

    Returns:
        Shape (n, sites), float64.
    """
    if isinstance(laws, DiscreteLaws):
        below = np.cumsum(laws.p, axis=-1)[..., :-1]
        index = (rng.random(below.shape[:2])[..., None] >= below).sum(axis=-1)
        return symbols(laws.q)[index].astype(float)
    parts = (laws.weights, laws.means, laws.variances)
    m = max(part.shape[1] for part in parts)
    x = rng.standard_normal((n, m))
    for site in range(m):
        weights, means, variances = (p[:, site if p.shape[1] > 1 else 0] for p in parts)
        k = np.zeros(n, dtype=np.int64)
        if laws.n_components > 1:
            below = np.cumsum(weights, axis=-1)[:, :-1]
            k = (rng.random(n)[:, None] >= below).sum(axis=-1)
        mean, variance = (
            np.broadcast_to(p, (n, laws.n_components))[np.arange(n), k] for p in (means, variances)
        )
        x[:, site] = mean + np.sqrt(variance) * x[:, site]
    return x
