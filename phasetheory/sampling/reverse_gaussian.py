r"""Backwards through Gaussian noise: the reverse SDE, and the probability flow.

With :math:`y_t = \alpha_t x + \sigma_t z`, going forward from s to t > s multiplies by
:math:`a = \alpha_t/\alpha_s` and adds the variance :math:`b^2 = \sigma_t^2 - a^2 \sigma_s^2`. Given
the clean x, the way back is Gaussian (the *bridge*):

.. math:: y_s | y_t, x \sim N\Big(\frac{a \sigma_s^2}{\sigma_t^2}\, y_t
   + \frac{\alpha_s b^2}{\sigma_t^2}\, x,\; \frac{\sigma_s^2 b^2}{\sigma_t^2}\Big).

- :func:`ancestral_step` puts the denoiser D(y) = E[x|y] in place of x (Ho et al. 2020): a scheme
  of first order for the reverse SDE, exact if the data are one point. It leaves out the posterior
  variance of x, so its samples spread too little; the last step, to sigma = 0, returns D.
- :func:`flow_step` follows the probability flow. In :math:`v = y/\sigma` against
  :math:`\kappa = \alpha/\sigma` it reads :math:`dv/d\kappa = D`: Euler's rule is DDIM (Song et al.
  2021), exact if the data are one point, and Heun's rule is of second order. A step to sigma = 0
  (kappa infinite) is always Euler's, y = alpha D, whose error is of second order there.

On times that are uniform down to t = 0, kappa = 1/t changes by a factor in each of the last steps
and Heun's error is h^2 log(1/h); on a grid that gets finer there, ``np.linspace(1, 0, n)**2``, it
is h^2. Only alpha and sigma enter, so two schedules visited at the same ratios give the same
samples.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.noise import Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.sampling.reverse_state import ReverseState, StepInfo, beliefs

__all__ = ["ancestral_law", "ancestral_step", "bridge", "draw_bridge", "flow_step"]

Floats = NDArray[np.float64]


def bridge(earlier: Gaussian, later: Gaussian) -> tuple[Floats, Floats, Floats]:
    """Coefficients of the bridge y_s | y_t, x ~ N(c_y y_t + c_x x, variance).

    Args:
        earlier: Noise at s.
        later: Noise at t.

    Returns:
        (c_y, c_x, variance), scalars or one per site. Without noise at t, c_x is zero.

    Raises:
        ValueError: If the noise does not grow from s to t.
    """
    forward = earlier.increment(later)
    known = later.sigma == 0
    total = np.where(known, 1.0, later.sigma) ** 2
    back = forward.alpha * earlier.sigma**2 / total
    c_y = np.where(known, 1.0 / np.where(known, forward.alpha, 1.0), back)
    share = forward.sigma**2 / total
    return c_y, earlier.alpha * share, earlier.sigma**2 * share


def draw_bridge(
    state: ReverseState,
    earlier: Noise,
    sites: NDArray[np.int64],
    x: Floats,
    *,
    rng: np.random.Generator,
) -> Floats:
    """A draw of y_s on m sites, given the data at t and clean values x of shape (n, m)."""
    shape = (state.y.shape[1],)
    coefficients = bridge(_gaussian(earlier), _gaussian(state.noise))
    c_y, c_x, variance = (np.broadcast_to(c, shape)[sites] for c in coefficients)
    z = rng.standard_normal(x.shape)
    return np.asarray(c_y * state.y[:, sites] + c_x * x + np.sqrt(variance) * z)


def ancestral_law(
    state: ReverseState, prior: Prior, earlier: Gaussian, *, window: float | None = None
) -> tuple[Floats, Floats, StepInfo]:
    """Mean and variance of an ancestral step: y_s = c_y y + c_x D(y) + noise.

    Args:
        state: Data at the later noise.
        prior: Law of the clean data.
        earlier: Noise to go to.
        window: Radius of every site's window; all sites by default.

    Returns:
        (mean of shape (n, n_sites), variance of shape () or (n_sites,), info).
    """
    c_y, c_x, variance = bridge(earlier, _gaussian(state.noise))
    denoised, info = _denoise(state, prior, window)
    return np.asarray(c_y * state.y + c_x * denoised), variance, info


def ancestral_step(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    window: float | None = None,
    rng: Any = None,
) -> tuple[ReverseState, StepInfo]:
    """One step of the reverse SDE, the denoiser in place of the clean data.

    Args:
        state: Data at the later noise.
        prior: Law of the clean data.
        earlier: Noise to go to.
        window: Radius of every site's window; all sites by default.
        rng: Generator or seed.

    Returns:
        (state, info).

    Raises:
        ValueError: If the noise is not Gaussian or does not shrink.

    Cost: one posterior, or one a site with a window.

    Source: Ho, Jain, Abbeel 2020, eqs. (6) and (7), for any alpha and sigma.
    """
    target = _gaussian(earlier)
    mean, variance, info = ancestral_law(state, prior, target, window=window)
    z = np.random.default_rng(rng).standard_normal(mean.shape)
    return ReverseState(mean + np.sqrt(variance) * z, target), info


def flow_step(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    window: float | None = None,
    rng: Any = None,
    order: int = 2,
) -> tuple[ReverseState, StepInfo]:
    """One step of the probability flow.

    Args:
        state: Data at the later noise.
        prior: Law of the clean data.
        earlier: Noise to go to.
        window: Radius of every site's window; all sites by default.
        rng: Not used: the flow is deterministic.
        order: 1 for Euler's rule in kappa (DDIM), 2 for Heun's.

    Returns:
        (state, info).

    Raises:
        ValueError: If the noise is not Gaussian or does not shrink, or the order is another.

    Cost: `order` posteriors (one to sigma = 0), times the number of sites with a window.
    """
    if order not in (1, 2):
        raise ValueError(f"order={order}: 1 (Euler, DDIM) or 2 (Heun) needed")
    later, target = _gaussian(state.noise), _gaussian(earlier)
    target.increment(later)  # refuses a noise that does not shrink
    known = later.sigma == 0
    ratio = np.where(known, 0.0, target.sigma / np.where(known, 1.0, later.sigma))
    ratio = np.where(known, target.alpha / np.where(known, later.alpha, 1.0), ratio)
    pull = target.alpha - ratio * later.alpha
    slope, info = _denoise(state, prior, window)
    y = ratio * state.y + pull * slope
    evaluations, impossible = info.evaluations, info.impossible
    if order == 2 and (target.sigma > 0).all():
        ahead, more = _denoise(ReverseState(y, target), prior, window)
        y = ratio * state.y + pull * 0.5 * (slope + ahead)
        evaluations, impossible = evaluations + more.evaluations, impossible + more.impossible
    return ReverseState(np.asarray(y), target), StepInfo(slope, evaluations, impossible)


def _denoise(state: ReverseState, prior: Prior, window: float | None) -> tuple[Floats, StepInfo]:
    denoised, evaluations, impossible = np.empty(state.y.shape), 0, 0
    for belief in beliefs(NoisyLaw(prior, state.noise), state.y, window=window):
        denoised[:, belief.sites] = belief.laws.mean()
        evaluations, impossible = evaluations + 1, impossible + belief.impossible
    return denoised, StepInfo(denoised, evaluations, impossible)


def _gaussian(noise: Noise) -> Gaussian:
    if not isinstance(noise, Gaussian):
        raise ValueError(
            f"{noise.name} noise has no reverse SDE: the methods 'parallel' and 'sequential' go"
            " back through it"
        )
    return noise
