r"""Backwards through bit flips and erasure: exact one-site transition laws.

Given the clean symbol, a site's way back from t to s < t is Bayes's rule in one site,

.. math:: p(y_s | y_t, x) = \frac{p(y_t | y_s)\, p(y_s | x)}{p(y_t | x)},

and averaged over the posterior of x it is the exact law of that site's earlier value,

.. math:: p(y_{s,i} | y) = \sum_x p(x_i = x | y)\, p(y_{s,i} | y_{t,i}, x).

For erasure a hidden site is revealed with probability (t - s)/t and then follows its posterior.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.noise import Erasure, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, Prior
from phasetheory.sampling.reverse_state import Floats, ReverseState, StepInfo, beliefs

__all__ = ["bridge_table", "draw_outputs", "site_transitions"]


def bridge_table(earlier: Noise, later: Noise, q: int) -> Floats:
    """The law p(y_s | y_t, x) of one site as a table.

    Args:
        earlier: Bit flips or erasure at s.
        later: The same kind of noise at t.
        q: Symbols per site.

    Returns:
        Shape (n_outputs, q, n_outputs) over (y_t, x, y_s), with an axis of sites in front for a
        per-site noise; symbols in the order of `noise.outputs`. Rows of impossible pairs
        (y_t, x) are zero.

    Raises:
        ValueError: If the noise does not grow from s to t, or is continuous.
    """
    step = earlier.increment(later)
    between = step.channel(q)
    if isinstance(later, Erasure):
        # The increment acts on the erased symbol too: erased stays erased.
        between = np.concatenate([between, np.zeros((*between.shape[:-1], 1))], axis=-1)
        between[..., -1, -1] = 1.0
    before, after = earlier.channel(q), later.channel(q)
    # Axes (y_t, x, y_s).
    joint = between[..., :, None, :] * np.swapaxes(before, -1, -2)[..., None, :, :]
    total = after[..., :, :, None]
    possible = total > 0
    return np.asarray(np.where(possible, joint, 0.0) / np.where(possible, total, 1.0))


def site_transitions(
    state: ReverseState,
    prior: Prior,
    earlier: Noise,
    *,
    sites: ArrayLike | None = None,
    window: float | None = None,
) -> tuple[Floats, StepInfo]:
    """Law of the earlier value of every site by itself, given the data now.

    Args:
        state: Data at the later noise; bit flips or erasure.
        prior: Law of the clean data.
        earlier: Noise to go to, at least on the sites wanted.
        sites: Indices of the sites wanted; all by default.
        window: Radius of every site's window; all sites by default.

    Returns:
        (probabilities of shape (n, sites, n_outputs) in the order of `noise.outputs`, info). They
        are the exact one-site laws where the window is the whole lattice; sites are *not*
        independent of each other given the data, unless the posterior is a product.

    Raises:
        ValueError: If the noise is continuous or does not shrink.

    Cost: one posterior, or one a site with a window.
    """
    law = NoisyLaw(prior, state.noise)
    q, wanted = prior.q, np.arange(law.n_sites) if sites is None else np.asarray(sites)
    assert q is not None
    outputs = state.noise.outputs(q)
    table = bridge_table(earlier, state.noise, q)
    table = np.broadcast_to(table, (law.n_sites, *table.shape[-3:]))
    now = (state.y[:, wanted, None] == outputs).argmax(axis=-1)
    transitions = np.empty((len(state.y), wanted.size, outputs.size))
    denoised = np.zeros((len(state.y), law.n_sites) if q == 2 else (len(state.y), law.n_sites, q))
    evaluations = impossible = start = 0
    for belief in beliefs(law, state.y, sites=wanted, window=window):
        assert isinstance(belief.laws, DiscreteLaws)
        block = slice(start, start + belief.sites.size)
        rows = table[belief.sites, now[:, block]]
        transitions[:, block] = np.einsum("nmx,nmxs->nms", belief.laws.p, rows)
        denoised[:, belief.sites] = belief.laws.mean()
        evaluations, impossible = evaluations + 1, impossible + belief.impossible
        start = block.stop
    return transitions, StepInfo(denoised, evaluations, impossible)


def draw_outputs(
    transitions: Floats, outputs: NDArray[np.int8], *, rng: np.random.Generator
) -> NDArray[Any]:
    """Independent draws from laws of shape (n, sites, n_outputs): symbols of shape (n, sites)."""
    below = np.cumsum(transitions, axis=-1)
    # Scaled by the sum, which is one up to rounding, so that no draw falls off the end.
    point = rng.random(below.shape[:2]) * below[..., -1]
    return outputs[(point[..., None] >= below[..., :-1]).sum(axis=-1)]
