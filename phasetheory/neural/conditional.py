r"""Conditional densities of one noisy site given its noisy surroundings, learned from samples.

The network predicts the clean site's distribution over K levels from a context; smeared by the
known noise it is a density of y_A. Trained and judged by

.. math:: L = -\log \hat p(y_A | y_{context}), \qquad E L \geq h(y_A | y_{context}),

on held-out samples an upper bound of the differential entropy for every context.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.neural.backend import (
    Tensor,
    checked_images,
    device_of,
    generator,
    nn,
    torch,
    torch_seed,
)
from phasetheory.neural.contexts import Contexts
from phasetheory.neural.denoising import data_key
from phasetheory.neural.predictor import Predictor
from phasetheory.neural.training import PathLike, Training, train

__all__ = ["cross_entropy_terms", "draw_batch", "fit_conditional", "over_contexts"]

Floats = NDArray[np.float64]

#: Noisy values of the site drawn for every context of a training batch.
_DRAWS = 4
#: Rows (samples x contexts) of one evaluation batch.
_ROWS = 16384
#: Share of a training batch that sees everything: that context enters every CMI.
_FULL_SHARE = 0.25


def fit_conditional(
    images: ArrayLike,
    contexts: Contexts,
    settings: Training,
    *,
    levels: int | ArrayLike = 64,
    data_range: tuple[float, float] | None = (0.0, 1.0),
    checkpoint: PathLike | None = None,
    **network: Any,
) -> Predictor:
    """Train one network for p(y_A | y_B) at all times and radii.

    Args:
        images: Training samples, shape (n, H, W) or (n, n_sites): images, or samples of any law.
        contexts: Times, radii, centre.
        settings: How to train.
        levels: Values that the clean site takes, shape (K,) (spins: [-1, 1]); or their number K,
            equally spaced over the data range. Where the data lie between levels, each stands for
            a Gaussian of half the spacing.
        data_range: Declared range of the samples; None for laws without one (Gaussian fields),
            whose levels then reach a tenth beyond the training values on either side.
        checkpoint: File to continue from and to keep up to date.
        **network: `width` (256), `depth` (2), `channels` (0: dense layers only; else convolutions
            read the grid first, at several times the cost), and `linear` (True): start from the
            Wiener filter.

    Returns:
        The predictor, in eval mode.

    Raises:
        ValueError: If samples, levels or the checkpoint do not fit.

    Cost: steps x batch_size x about 6 (3 n_sites + 4 depth width + K) width operations.
    """
    clean = checked_images("images", images, data_range)
    flat = clean.reshape(len(clean), -1)
    check_sites("images", flat, contexts)
    values, spread = _levels(flat[:, contexts.site], levels, data_range)
    made = Predictor.made_for(
        contexts, clean, values, spread=spread, seed=settings.seed, **network
    )  # fmt: skip
    device = device_of(settings.device)
    data = torch.as_tensor(flat, dtype=torch.float32, device=device)

    def loss(module: nn.Module, rng: torch.Generator) -> Tensor:
        assert isinstance(module, Predictor)
        x, y, other, t, c = draw_batch(module, data, settings.batch_size, rng)
        out, guess = module(y, other, t, c, None)
        z = torch.randn((len(x), _DRAWS), generator=rng, device=device)
        value = module.alpha[t, None] * module.at_site(x)[:, None] + module.sigma[t, None] * z
        with torch.autocast(device.type, enabled=False):
            return -module.log_density(module.log_weights(out, guess), value, t).mean()

    task = {
        "data": data_key(flat), "settings": made.settings, "network": network,
        "levels": [float(v) for v in values], "contexts": data_key(contexts.own),
        "scales": [contexts.alpha.tolist(), contexts.sigma.tolist()], "route": "cross-entropy",
    }  # fmt: skip
    train(made, loss, settings, checkpoint=checkpoint, task=task)
    return made


def cross_entropy_terms(
    predictor: Predictor,
    images: ArrayLike,
    *,
    n_noise: int = 1,
    n_draws: int = 16,
    rng: Any = None,
) -> Floats:
    """Mean of -log p(y_A | context) over noise draws, for every sample, time and context.

    Args:
        predictor: A trained predictor of levels.
        images: Samples, held out from its training for an estimate; shape (n, H, W) or
            (n, n_sites).
        n_noise: Noisy versions of every sample. All times and contexts share them.
        n_draws: Noisy values of the site for each of these, spread evenly over the quantiles of
            the noise (unbiased, of small variance).
        rng: Generator or seed.

    Returns:
        Nats, shape (n, n_t, n_contexts), contexts as in :class:`Contexts`.

    Raises:
        ValueError: If the samples do not fit.
    """
    contexts = predictor.contexts

    def terms(y: Tensor, other: Tensor, x: Tensor, t: Tensor, c: Tensor, rank: Tensor) -> Tensor:
        place = (torch.arange(n_draws, device=y.device) + rank[:, None]) / n_draws
        z = torch.special.ndtri(place.double().clamp(1e-12, 1.0 - 1e-12)).to(y.dtype)
        out, guess = predictor(y, other, t, c, None)
        value = predictor.alpha[t, None] * x[:, None] + predictor.sigma[t, None] * z
        return -predictor.log_density(predictor.log_weights(out, guess), value, t).mean(dim=1)

    return over_contexts(predictor, contexts, images, terms, n_noise=n_noise, rng=rng)


def draw_batch(
    module: Predictor, data: Tensor, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Clean and noisy samples, those that stand in for C, time and context indices."""
    x = data[torch.randint(len(data), (n,), generator=rng, device=data.device)]
    draw = torch.rand((3, n), generator=rng, device=data.device)
    n_radii, n_contexts = len(module.radii), len(module.own)
    t = (draw[0] * len(module.alpha)).long().clamp(max=len(module.alpha) - 1)
    near = (draw[1] * n_radii).long().clamp(max=n_radii - 1)
    share = 0.5 if module.null else _FULL_SHARE
    wide = near + n_radii if module.null else torch.full_like(near, n_contexts - 1)
    c = torch.where(draw[2] < share, wide, near)
    z = torch.randn(x.shape, generator=rng, device=data.device)
    alpha, sigma = module.alpha[t, None], module.sigma[t, None]
    y = alpha * x + sigma * z
    # Rows are drawn independently, so the row before is an independent sample.
    other = alpha * x.roll(1, 0) + sigma * z.roll(1, 0) if module.null else y
    return x, y, other, t, c


def over_contexts(
    predictor: Predictor,
    contexts: Contexts,
    images: ArrayLike,
    terms: Any,
    *,
    n_noise: int,
    rng: Any,
) -> Floats:
    """Evaluate terms(y, other, x_A, t, c, uniform) in batches, averaged over noise draws.

    Returns:
        Shape (n, n_t, n_contexts), float64.
    """
    clean = checked_images("images", images, None)
    flat = clean.reshape(len(clean), -1)
    check_sites("images", flat, contexts)
    if n_noise < 1:
        raise ValueError(f"n_noise={n_noise}: at least 1 needed")
    rng = np.random.default_rng(rng)
    device = predictor.alpha.device
    order = rng.permutation(len(flat))
    partner = np.empty(len(flat), dtype=np.int64)
    partner[order] = np.roll(order, 1)
    made = generator(torch.device("cpu"), torch_seed(rng))
    n_c, n_t = len(contexts.own), len(contexts.times)
    out = np.zeros((len(flat), n_t, n_c))
    size = max(1, _ROWS // n_c)
    indices = torch.arange(n_c, device=device)
    for start in range(0, len(flat), size):
        rows = np.arange(start, min(start + size, len(flat)))
        x, x_other = (
            torch.as_tensor(flat[i], dtype=torch.float32, device=device)
            for i in (rows, partner[rows])
        )
        c = indices.repeat(len(rows))
        centre = x[:, contexts.site].repeat_interleave(n_c)
        for _ in range(n_noise):
            z, z_other = (torch.randn(x.shape, generator=made).to(device) for _ in range(2))
            rank = torch.rand((len(rows),), generator=made).to(device).repeat_interleave(n_c)
            for i in range(n_t):
                alpha, sigma = float(contexts.alpha[i]), float(contexts.sigma[i])
                y = (alpha * x + sigma * z).repeat_interleave(n_c, dim=0)
                other = (alpha * x_other + sigma * z_other).repeat_interleave(n_c, dim=0)
                t = torch.full_like(c, i)
                with torch.no_grad():
                    found = terms(y, other, centre, t, c, rank)
                out[rows, i] += found.double().cpu().numpy().reshape(len(rows), n_c)
    return out / n_noise


def check_sites(name: str, flat: Floats, contexts: Contexts) -> None:
    """Refuse samples of another number of sites."""
    if flat.shape[1] != contexts.n_sites:
        raise ValueError(
            f"{name} has {flat.shape[1]} sites a sample: the contexts are for {contexts.n_sites}"
        )


def _levels(
    values: Floats, levels: int | ArrayLike, data_range: tuple[float, float] | None
) -> tuple[Floats, float]:
    """Level values and the standard deviation that each stands for."""
    given = np.asarray(levels)
    if given.ndim == 0:
        count = int(given)
        if count != given or count < 2:
            raise ValueError(f"levels={levels!r}: a whole number >= 2, or the values, needed")
        low, high = data_range or (float(values.min()), float(values.max()))
        margin = 0.0 if data_range else 0.1 * (high - low)
        found = np.linspace(low - margin, high + margin, count)
    else:
        found = np.unique(given.astype(float))
        if given.ndim != 1 or found.size != given.size or found.size < 2:
            raise ValueError(f"levels has shape {given.shape}: distinct values, at least 2, needed")
    gaps = np.diff(found)
    away = np.abs(values[:, None] - found).min(axis=1) if values.size * found.size < 2**26 else None
    if away is None:
        place = np.clip(np.searchsorted(found, values), 1, found.size - 1)
        away = np.minimum(np.abs(values - found[place - 1]), np.abs(values - found[place]))
    exact = away.max() <= 1e-6 * float(found[-1] - found[0])
    if given.ndim == 1 and not exact:
        raise ValueError(
            f"levels={found.tolist()}: the centre takes values up to {away.max():.3g} away from"
            " them; give all of its values, or a number of levels"
        )
    return found, 0.0 if exact else 0.5 * float(gaps.max())
