r"""The amortised network: one predictor of a clean site for all contexts and times.

It sees the visible noisy values, their mask as a second channel (a third one marks those of another
sample, in null runs), the noise level and the size of the window. It corrects a Gaussian guess,
:math:`x_A \approx N(m, s^2)`: by default the best linear predictor of every context and time (the
Wiener filter, from the training covariance), else the mean and variance of the site.

Two heads. `levels`: logits :math:`f_k - (c_k - \mu)^2/2s'^2` of K grey levels c_k, with
:math:`\mu = m + s f_{-2}` and :math:`s' = s e^{f_{-1}}`; K = 0: the mean :math:`m' + s' f` of a
posterior that also knows the site's own observation at snr g.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory.neural.backend import Tensor, nn, seeded, torch
from phasetheory.neural.contexts import Contexts
from phasetheory.neural.guesses import linear_guesses

__all__ = ["Guess", "Predictor"]

Floats = NDArray[np.float64]

#: Features: log snr and its harmonics, number of visible sites, the guess, the own observation.
_HARMONICS = 4
_FEATURES = 1 + 2 * _HARMONICS + 1 + 2 + 3


class Guess(NamedTuple):
    """A Gaussian belief about the clean site: mean and standard deviation, shape (n,)."""

    mean: Tensor
    spread: Tensor


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.features = nn.Linear(_FEATURES, 2 * width)

    def forward(self, h: Tensor, features: Tensor) -> Tensor:
        inner = nn.functional.gelu(self.first(self.norm(h)) + self.features(features))
        return h + self.second(inner)


def _convolutions(planes: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(planes, channels, 3, padding=1), nn.GELU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), nn.GELU(),
        nn.Conv2d(2 * channels, 2 * channels, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(),
    )  # fmt: skip


class Predictor(nn.Module):
    """Network and everything it needs beside the data, so that its file is complete.

    Args:
        shape: Shape of the grid, or (n_sites,) of any other lattice.
        table: Numbers of times and of radii.
        n_levels: Grey levels K; 0 for the mean of the clean site.
        width: Hidden units.
        depth: Residual blocks.
        null: Whether it is for a null run.
        channels: Channels of three convolutions (two of them halve the resolution) that read the
            grid before the dense layers; 0 for dense layers only.

    Raises:
        ValueError: If a size is not positive, or there is no grid to convolve on.
    """

    alpha: Tensor
    sigma: Tensor
    site_mean: Tensor
    scale: Tensor
    weights: Tensor
    offsets: Tensor
    spreads: Tensor
    levels: Tensor
    spread: Tensor
    times: Tensor
    exact_scales: Tensor
    radii: Tensor
    buffers_: Tensor
    own: Tensor
    other: Tensor
    site: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        table: tuple[int, int],
        *,
        n_levels: int = 64,
        width: int = 256,
        depth: int = 2,
        null: bool = False,
        channels: int = 0,
    ) -> None:
        super().__init__()
        for name, size in {"width": width, "depth": depth, "channels": channels + 1}.items():
            if size < 1:
                raise ValueError(f"{name}={size}: at least 1 needed (channels may be 0)")
        if channels and len(shape) != 2:
            raise ValueError(f"channels={channels}: a grid (H, W) needed, not {tuple(shape)}")
        self.settings = {
            "shape": [int(side) for side in shape], "table": list(table), "n_levels": n_levels,
            "width": width, "depth": depth, "null": null, "channels": channels,
        }  # fmt: skip
        self.null, self.shape = null, tuple(int(side) for side in shape)
        n_sites, (n_times, n_radii) = int(np.prod(self.shape)), table
        n_contexts = 2 * n_radii if null else n_radii + 1
        for name, shape in {
            "alpha": (n_times,), "sigma": (n_times,), "site_mean": (n_sites,), "scale": (),
            "weights": (n_times, n_contexts, n_sites), "offsets": (n_times, n_contexts),
            "spreads": (n_times, n_contexts), "levels": (n_levels,), "spread": (),
        }.items():  # fmt: skip
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("times", torch.zeros(n_times, dtype=torch.float64))
        self.register_buffer("exact_scales", torch.zeros(2, n_times, dtype=torch.float64))
        self.register_buffer("radii", torch.zeros(n_radii, dtype=torch.float64))
        self.register_buffer("buffers_", torch.zeros(n_radii, n_sites, dtype=torch.bool))
        self.register_buffer("own", torch.zeros(n_contexts, n_sites, dtype=torch.bool))
        self.register_buffer("other", torch.zeros(n_contexts, n_sites, dtype=torch.bool))
        self.register_buffer("site", torch.zeros((), dtype=torch.int64))
        planes = 3 if null else 2
        self.read = _convolutions(planes, channels) if channels else nn.Flatten()
        with torch.no_grad():
            n_read = self.read(torch.zeros(1, planes, *self.shape)).shape[1]
        self.enter = nn.Linear(n_read, width)
        self.hint = nn.Linear(_FEATURES, width)
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(depth))
        self.leave = nn.Linear(width, n_levels + 2 if n_levels else 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    @classmethod
    def made_for(
        cls,
        contexts: Contexts,
        samples: Floats,
        levels: Floats,
        *,
        spread: float = 0.0,
        linear: bool = True,
        seed: int = 0,
        **options: Any,
    ) -> "Predictor":
        """Untrained predictor with the moments of a training set.

        Args:
            contexts: What it may see.
            samples: Training set, shape (n, *shape).
            levels: Grey levels, shape (K,); empty for the mean.
            spread: Standard deviation that every level stands for.
            linear: Whether it starts from the Wiener filter rather than from the site's moments.
            seed: Of the initial weights.
            **options: `width`, `depth`, `channels`.

        Returns:
            The predictor.
        """
        images = samples.reshape(len(samples), -1)
        table = (len(contexts.times), len(contexts.radii))
        with seeded(seed):
            made = cls(
                samples.shape[1:], table, n_levels=len(levels), null=contexts.null, **options
            )
        weights, offsets, spreads = linear_guesses(contexts, images, linear=linear)
        values = {
            "alpha": contexts.alpha, "sigma": contexts.sigma, "site_mean": images.mean(axis=0),
            "scale": max(float(images.var(axis=0).mean()) ** 0.5, 1e-6), "weights": weights,
            "offsets": offsets, "spreads": spreads, "levels": levels, "spread": spread,
            "times": contexts.times, "exact_scales": np.stack([contexts.alpha, contexts.sigma]),
            "radii": contexts.radii, "buffers_": contexts.buffers, "own": contexts.own,
            "other": contexts.other, "site": contexts.site,
        }  # fmt: skip
        for name, value in values.items():
            own = getattr(made, name)
            own.copy_(torch.as_tensor(np.asarray(value)).reshape(own.shape))
        return made

    @property
    def contexts(self) -> Contexts:
        """What it was made for."""
        alpha, sigma = self.exact_scales.cpu().numpy()
        return Contexts(
            int(self.site), self.times.cpu().numpy(), alpha, sigma, self.radii.cpu().numpy(),
            self.buffers_.cpu().numpy(), self.null,
        )  # fmt: skip

    def at_site(self, x: Tensor) -> Tensor:
        """Column of the site, shape (n,), without asking a GPU for its index."""
        return x.index_select(1, self.site[None])[:, 0]

    def guess(self, y: Tensor, t: Tensor, c: Tensor) -> Guess:
        """The Gaussian guess for a batch y (n, n_sites) at time and context indices (n,)."""
        away = y - self.alpha[t, None] * self.site_mean
        mean = self.offsets[t, c] + (self.weights[t, c] * away).sum(dim=1)
        return Guess(mean, self.spreads[t, c])

    def forward(
        self, y: Tensor, other: Tensor, t: Tensor, c: Tensor, seen: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Guess]:
        """Raw outputs (n, K + 2) or (n, 1), and the guess that they correct.

        Args:
            y: Noisy sample, shape (n, n_sites); only visible sites count.
            other: Noisy sample that stands in for C in null runs; ignored elsewhere.
            t: Time indices, shape (n,).
            c: Context indices, shape (n,).
            seen: The site's own observation and its snr g > 0, each (n,); None where hidden.
        """
        own, far = self.own[c], self.other[c]
        alpha, sigma = self.alpha[t, None], self.sigma[t, None]
        shown = torch.where(own, y, other) if self.null else y
        scaled = (shown - alpha * self.site_mean) / torch.sqrt((alpha * self.scale) ** 2 + sigma**2)
        channels = [torch.where(own | far, scaled, 0.0), own.to(y.dtype)]
        if self.null:
            channels.append(far.to(y.dtype))
        guess = self.guess(torch.where(own, y, 0.0), t, c)
        centre = self.site_mean.index_select(0, self.site[None])
        noise = torch.log(self.alpha[t] / (self.sigma[t])) + torch.log(self.scale)
        bands = noise[:, None] * torch.arange(1.0, _HARMONICS + 1.0, device=y.device)
        features = [
            0.5 * noise[:, None], bands.cos(), bands.sin(),
            (own | far).to(y.dtype).mean(dim=1, keepdim=True),
            ((guess.mean - centre) / self.scale)[:, None],
            torch.log(guess.spread / self.scale)[:, None],
        ]  # fmt: skip
        if seen is None:
            features.append(torch.zeros(len(y), 3, device=y.device, dtype=y.dtype))
        else:
            value, snr = seen
            gain = snr * guess.spread**2 / (1.0 + snr * guess.spread**2)
            moved = (value - guess.mean) * gain
            guess = Guess(guess.mean + moved, guess.spread * torch.sqrt(1.0 - gain))
            own_features = (gain, moved / guess.spread, torch.log(guess.spread / self.scale))
            features.append(torch.stack(own_features, dim=1))
        hints = torch.cat(features, dim=1)
        planes = torch.stack(channels, dim=1).reshape(len(y), len(channels), *self.shape)
        h = self.enter(self.read(planes)) + self.hint(hints)
        for block in self.blocks:
            h = block(h, hints)
        out: Tensor = self.leave(nn.functional.gelu(h)).float()
        return out, guess

    def log_weights(self, out: Tensor, guess: Guess) -> Tensor:
        """Log-probabilities of the grey levels, shape (n, K)."""
        # A posterior narrower than the levels' own spread has no meaning on them.
        spread = torch.maximum(guess.spread, 1e-3 * self.scale)
        mean = guess.mean + spread * out[:, 0]
        narrow = torch.exp(-3.0 * torch.tanh(out[:, 1] / 3.0)) / spread
        square = ((self.levels - mean[:, None]) * narrow[:, None]).square()
        return torch.log_softmax(out[:, 2:] - 0.5 * square, dim=1)

    def log_density(self, log_weights: Tensor, value: Tensor, t: Tensor) -> Tensor:
        r"""Log-density log p(y_A) = log sum_k p_k N(y_A; alpha c_k, sigma^2 + alpha^2 spread^2).

        Args:
            log_weights: Shape (n, K).
            value: Noisy values of the site, shape (n, n_draws).
            t: Time indices, shape (n,).

        Returns:
            Nats, shape (n, n_draws).
        """
        alpha = self.alpha[t, None, None]
        width = torch.sqrt(self.sigma[t, None, None] ** 2 + (alpha * self.spread) ** 2)
        z = (value[:, :, None] - alpha * self.levels) / width
        norm = torch.log(width[..., 0]) + 0.5 * float(np.log(2.0 * np.pi))
        return torch.logsumexp(log_weights[:, None, :] - 0.5 * z.square(), dim=2) - norm
