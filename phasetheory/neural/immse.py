r"""The second route to the CMI, T6: mean square errors instead of densities.

.. math:: I_t(A;C|B) = \tfrac12 \int_0^{\mathrm{snr}} [\mathrm{mmse}(A|B,g) -
          \mathrm{mmse}(A|BC,g)]\,dg,

with B and C seen at time t and A itself through a channel of snr g: a denoiser that is told the
noise level of every pixel, that of the centre apart from the others. A denoiser's mean square error
bounds mmse from above, for every context. The integral goes by Gauss and Legendre in
:math:`u = g v/(1 + g v)`, v the variance of the site, in which a Gaussian's integrand is rational.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.neural.backend import Tensor, checked_images, device_of, nn, torch
from phasetheory.neural.conditional import check_sites, draw_batch, over_contexts
from phasetheory.neural.contexts import Contexts
from phasetheory.neural.denoising import data_key
from phasetheory.neural.predictor import Predictor
from phasetheory.neural.training import PathLike, Training, train

__all__ = ["fit_immse", "immse_terms", "snr_nodes"]

Floats = NDArray[np.float64]

#: Gauss-Legendre nodes in the snr of the centre.
N_NODES = 10


def snr_nodes(contexts: Contexts, variance: float) -> tuple[Floats, Floats]:
    """Nodes g and weights of the integral over 0..snr at every time, each (n_t, N_NODES)."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    snr = (contexts.alpha / contexts.sigma) ** 2
    end = (snr * variance / (1.0 + snr * variance))[:, None]
    u = 0.5 * (nodes + 1.0) * end
    return u / (variance * (1.0 - u)), 0.5 * weights * end / (variance * (1.0 - u) ** 2)


def fit_immse(
    images: ArrayLike,
    contexts: Contexts,
    settings: Training,
    *,
    data_range: tuple[float, float] | None = (0.0, 1.0),
    checkpoint: PathLike | None = None,
    **network: Any,
) -> Predictor:
    """Train one network for E[x_A | y_B, A at snr g] at all times, radii and g.

    Args:
        images: Training samples, shape (n, H, W) or (n, n_sites).
        contexts: Times, radii, centre.
        settings: How to train.
        data_range: Declared range of the samples; None for laws without one.
        checkpoint: File to continue from and to keep up to date.
        **network: `width`, `depth`, `channels`, `linear`, as for :func:`fit_conditional`.

    Returns:
        The predictor, in eval mode.

    Raises:
        ValueError: If samples or the checkpoint do not fit.
    """
    clean = checked_images("images", images, data_range)
    flat = clean.reshape(len(clean), -1)
    check_sites("images", flat, contexts)
    made = Predictor.made_for(contexts, clean, np.zeros(0), seed=settings.seed, **network)
    device = device_of(settings.device)
    data = torch.as_tensor(flat, dtype=torch.float32, device=device)
    nodes = snr_nodes(contexts, _variance(made))[0]
    table = torch.as_tensor(nodes, dtype=torch.float32, device=device)

    def loss(module: nn.Module, rng: torch.Generator) -> Tensor:
        assert isinstance(module, Predictor)
        x, y, other, t, c = draw_batch(module, data, settings.batch_size, rng)
        draw = torch.rand((len(x),), generator=rng, device=device)
        g = table[t, (draw * N_NODES).long().clamp(max=N_NODES - 1)]
        centre = module.at_site(x)
        z = torch.randn(centre.shape, generator=rng, device=device)
        out, guess = module(y, other, t, c, (centre + z / g.sqrt(), g))
        # In units of the guess's own error, so that every noise level counts.
        return ((centre - guess.mean) / guess.spread - out[:, 0]).square().mean()

    task = {
        "data": data_key(flat), "settings": made.settings, "network": network,
        "contexts": data_key(contexts.own), "route": "i-mmse",
        "scales": [contexts.alpha.tolist(), contexts.sigma.tolist()],
    }  # fmt: skip
    train(made, loss, settings, checkpoint=checkpoint, task=task)
    return made


def immse_terms(
    predictor: Predictor, images: ArrayLike, *, n_noise: int = 1, rng: Any = None
) -> Floats:
    r"""Per-sample values of :math:`\frac12\int_0^{snr} (x_A - \hat x_A)^2 dg`.

    Args:
        predictor: A predictor of :func:`fit_immse`.
        images: Held-out samples, shape (n, H, W) or (n, n_sites).
        n_noise: Noisy versions of every sample.
        rng: Generator or seed.

    Returns:
        Nats, shape (n, n_t, n_contexts); differences between contexts are those of the CMI.

    Raises:
        ValueError: If the samples do not fit.

    Cost: N_NODES evaluations a sample, time and context.
    """
    contexts = predictor.contexts
    nodes, weights = snr_nodes(contexts, _variance(predictor))

    def terms(y: Tensor, other: Tensor, x: Tensor, t: Tensor, c: Tensor, rank: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        i = int(t[0])
        for k in range(N_NODES):
            g = torch.full_like(x, float(nodes[i, k]))
            # One uniform number a sample, turned on by the golden ratio: pairs contexts, not nodes.
            turned = (rank + k * 0.618033988749895) % 1.0
            z = torch.special.ndtri(turned.double().clamp(1e-12, 1.0 - 1e-12)).to(x.dtype)
            out, guess = predictor(y, other, t, c, (x + z / g.sqrt(), g))
            error = x - guess.mean - guess.spread * out[:, 0]
            total += 0.5 * float(weights[i, k]) * error.square()
        return total

    return over_contexts(predictor, contexts, images, terms, n_noise=n_noise, rng=rng)


def _variance(predictor: Predictor) -> float:
    """Variance of the site, the unit of the integration variable; any positive number will do."""
    return max(float(predictor.spreads.max()), 1e-3) ** 2
