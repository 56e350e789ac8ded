r"""Reverse diffusion driven by exact posteriors: any prior, any noise, any grid of times.

Going back from t to s, every site needs a draw of

.. math:: p(y_{s,i} | y) = \int p(x_i | y)\, p(y_{s,i} | y_{t,i}, x_i)\, dx_i ,

with the bridge p(y_s | y_t, x) in closed form. What is exact:

- :func:`sequential_step` goes site by site, each posterior reading the sites already done at their
  new noise. Every draw is then exactly conditional, so the outcome is a draw of p_s whatever the
  number of steps: one step from t = 1 to 0 is autoregressive sampling.
- :func:`parallel_step` draws all sites at once from the data before the step. Every site has its
  exact law, their correlations within one step are lost: exact for product posteriors, else wrong
  by an amount of first order in the step.
- :func:`~phasetheory.sampling.reverse_gaussian.ancestral_step` and
  :func:`~phasetheory.sampling.reverse_gaussian.flow_step`, for Gaussian noise: first order
  stochastic, second order deterministic.

With a `window` every site reads its neighbourhood only: no step is exact then, and how far the
samples are from the data is the subject of the theory.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.noise import Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.sampling.reverse_discrete import draw_outputs, site_transitions
from phasetheory.sampling.reverse_gaussian import ancestral_step, draw_bridge, flow_step
from phasetheory.sampling.reverse_state import (
    Floats,
    ReverseState,
    StepInfo,
    beliefs,
    draw_clean,
    init,
    mixed,
)

__all__ = ["METHODS", "parallel_step", "reverse_diffusion", "reverse_from", "sequential_step"]


def parallel_step(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    window: float | None = None,
    rng: Any = None,
) -> tuple[ReverseState, StepInfo]:
    """All sites at once, each from its exact one-site law.

    Args:
        state: Data at the later noise.
        prior: Law of the clean data.
        earlier: Noise to go to.
        window: Radius of every site's window; all sites by default.
        rng: Generator or seed.

    Returns:
        (state, info).

    Raises:
        ValueError: If the noise does not shrink.

    Cost: one posterior, or one a site with a window.
    """
    y, info = _redraw(state, prior, earlier, window=window, rng=np.random.default_rng(rng))
    return ReverseState(y, earlier), info


def sequential_step(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    window: float | None = None,
    rng: Any = None,
    order: ArrayLike | None = None,
) -> tuple[ReverseState, StepInfo]:
    """Site by site, each from its law given the half-finished data: exact without a window.

    Args:
        state: Data at the later noise.
        prior: Law of the clean data.
        earlier: Noise to go to.
        window: Radius of every site's window; all sites by default.
        rng: Generator or seed.
        order: Permutation of the sites; in site order by default.

    Returns:
        (state, info); `info.denoised` holds each site's posterior mean at its turn.

    Raises:
        ValueError: If the noise does not shrink, or `order` is no permutation.

    Cost: one posterior a site.
    """
    rng = np.random.default_rng(rng)
    n_sites = prior.lattice.n_sites
    turns = np.arange(n_sites) if order is None else np.asarray(order)
    if not np.array_equal(np.sort(turns), np.arange(n_sites)):
        raise ValueError(f"order={order!r}: a permutation of 0..{n_sites - 1} needed")
    y, done = state.y.copy(), np.zeros(n_sites, dtype=bool)
    denoised: Floats | None = None
    evaluations = impossible = 0
    for site in turns:
        half = ReverseState(y, mixed(earlier, state.noise, done))
        done[site] = True
        target = mixed(earlier, state.noise, done)
        y = y.copy()
        new, info = _redraw(half, prior, target, sites=[int(site)], window=window, rng=rng)
        y[:, site] = new[:, 0]
        denoised = np.zeros_like(info.denoised) if denoised is None else denoised
        denoised[:, site] = info.denoised[:, site]
        evaluations, impossible = evaluations + info.evaluations, impossible + info.impossible
    assert denoised is not None
    return ReverseState(y, earlier), StepInfo(denoised, evaluations, impossible)


#: Steps by name.
METHODS: dict[str, Callable[..., tuple[ReverseState, StepInfo]]] = {
    "parallel": parallel_step,
    "sequential": sequential_step,
    "ancestral": ancestral_step,
    "flow": flow_step,
}


def reverse_diffusion(
    model: Prior,
    noise: Callable[[float], Noise],
    *,
    times: ArrayLike,
    n: int,
    method: str = "parallel",
    window: float | None = None,
    rng: Any = None,
) -> NDArray[Any]:
    """Samples made by running the noise backwards, from an exact draw at the first time.

    Args:
        model: The clean law.
        noise: Callable t -> noise, for example ``pt.Erasure`` or
            ``lambda t: pt.Gaussian(t, schedule)``.
        times: Strictly decreasing times in [0, 1], for example ``np.linspace(1, 0, 21)``: samples
            start at the first and end with the noise of the last.
        n: Number of samples, at least 1.
        method: "parallel", "sequential" (exact at any number of steps), or for Gaussian noise
            "ancestral" (reverse SDE) and "flow" (probability flow).
        window: Radius of the window that each site's posterior reads, in lattice units; all sites
            by default.
        rng: Generator or seed.

    Returns:
        Shape (n, n_sites): int8 symbols for discrete noise, float64 for Gaussian noise.

    Raises:
        ValueError: If times, method, window or n do not fit, the noise does not act on the model,
            or its strength does not fall along `times`; all before any work starts.

    Cost: for each step one posterior of the model (flow: two), or one a site for "sequential" and
    with a window.

    >>> import phasetheory as pt
    >>> model = pt.Ising(pt.Lattice.chain(4), coupling=1.0)
    >>> reverse_diffusion(model, pt.Erasure, times=[1, 0], n=2, method="sequential", rng=0).shape
    (2, 4)
    """
    levels = _levels(model, noise, times, method, window)
    rng = np.random.default_rng(rng)
    state = init(model, levels[0], n, rng=rng)
    return _run(state, model, levels[1:], method, window, rng)


def reverse_from(
    y: ArrayLike,
    model: Prior,
    noise: Callable[[float], Noise],
    *,
    times: ArrayLike,
    method: str = "parallel",
    window: float | None = None,
    rng: Any = None,
) -> NDArray[Any]:
    """The same from given noisy data: forward-backward experiments, or a path in parts.

    Args:
        y: Data at the noise of the first time, shape (n, n_sites).
        model: The clean law.
        noise: Callable t -> noise.
        times: Strictly decreasing times in [0, 1].
        method: As in :func:`reverse_diffusion`.
        window: Likewise.
        rng: Generator or seed.

    Returns:
        Data at the noise of the last time, shape (n, n_sites).

    Raises:
        ValueError: As :func:`reverse_diffusion`; and if y does not fit lattice or noise.
    """
    levels = _levels(model, noise, times, method, window)
    batch = np.asarray(y)
    if batch.ndim != 2 or batch.shape[1] != model.lattice.n_sites:
        raise ValueError(f"y has shape {batch.shape}: (n, {model.lattice.n_sites}) needed")
    state = ReverseState(batch, levels[0])
    rng = np.random.default_rng(rng)
    return _run(state, model, levels[1:], method, window, rng)


def _redraw(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    sites: Sequence[int] | None = None,
    window: float | None,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], StepInfo]:
    """New values of some sites (all by default), each from its own law; shape (n, sites)."""
    if not isinstance(state.noise, Gaussian):
        transitions, info = site_transitions(state, prior, earlier, sites=sites, window=window)
        assert prior.q is not None
        return draw_outputs(transitions, state.noise.outputs(prior.q), rng=rng), info
    law = NoisyLaw(prior, state.noise)
    y, denoised = np.zeros(state.y.shape), np.zeros(state.y.shape)
    evaluations = impossible = 0
    for belief in beliefs(law, state.y, sites=sites, window=window):
        x = draw_clean(belief.laws, len(y), rng=rng)
        y[:, belief.sites] = draw_bridge(state, earlier, belief.sites, x, rng=rng)
        denoised[:, belief.sites] = belief.laws.mean()
        evaluations, impossible = evaluations + 1, impossible + belief.impossible
    info = StepInfo(denoised, evaluations, impossible)
    return (y if sites is None else y[:, sites]), info


def _run(
    state: ReverseState,
    prior: Prior,
    levels: Sequence[Noise],
    method: str,
    window: float | None,
    rng: np.random.Generator,
) -> NDArray[Any]:
    for level in levels:
        state, _ = METHODS[method](state, prior, level, window=window, rng=rng)
    return state.y


def _levels(
    model: Prior,
    noise: Callable[[float], Noise],
    times: ArrayLike,
    method: str,
    window: float | None,
) -> list[Noise]:
    """The noise at every time, all arguments checked."""
    grid = np.asarray(times, dtype=float)
    if grid.ndim != 1 or grid.size < 2 or not (np.diff(grid) < 0).all():
        raise ValueError(f"times={times!r}: at least two strictly decreasing times needed")
    if grid[0] > 1 or grid[-1] < 0:
        raise ValueError(f"times run from {grid[0]} to {grid[-1]}: times in [0, 1] needed")
    if method not in METHODS:
        raise ValueError(f"method={method!r}: one of {', '.join(METHODS)} needed")
    if window is not None:
        if not window >= 0:
            raise ValueError(f"window={window}: a radius >= 0, or None for all sites, needed")
        model.lattice.distances([0])
    levels = [noise(float(t)) for t in grid]
    for later, earlier in pairwise(levels):
        NoisyLaw(model, later)
        NoisyLaw(model, earlier)
        earlier.increment(later)
    if method in ("ancestral", "flow") and not isinstance(levels[0], Gaussian):
        raise ValueError(
            f"method={method!r} goes back through Gaussian noise: for {levels[0].name} take"
            " 'parallel' or 'sequential'"
        )
    return levels
