"""Pairs that critics are trained on and judged by, and the running value of the bound."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.neural.backend import Tensor, torch
from phasetheory.neural.contexts import Contexts

__all__ = ["Pairs", "Pool"]

Floats = NDArray[np.float64]


class Pairs:
    """True pairs for all critics: those of one repeat share their samples and noise.

    Args:
        seen: Clean training samples, shape (n_repeats, n, ...).
        new: Clean samples for fresh pairs, shape (n_repeats, m, ...).
        contexts: Times and visible sites.
        size: Pairs of a batch.
        first: Generator of the training set's noise images; names the device.
    """

    def __init__(
        self, seen: Floats, new: Floats, contexts: Contexts, size: int, first: torch.Generator
    ) -> None:
        device = first.device

        def tensor(values: Any) -> Tensor:
            return torch.as_tensor(np.array(values), dtype=torch.float32, device=device)

        self.clean, self.fresh = (tensor(x.reshape(*x.shape[:2], -1)) for x in (seen, new))
        # One noise image per datum, for good; all times share it.
        self.noise = torch.randn(self.clean.shape, generator=first, device=device)
        self.alpha, self.sigma = tensor(contexts.alpha), tensor(contexts.sigma)
        self.masks, self.site = tensor(contexts.own), contexts.site
        self.size = size

    def draw(self, rng: torch.Generator, *, fresh: bool = False) -> tuple[Tensor, Tensor]:
        """Surroundings (critics, batch, n_sites), 0 where hidden, and A (critics, batch).

        Critics are ordered by repeat, then time, then context.
        """
        data = self.fresh if fresh else self.clean
        repeats, n, sites = data.shape
        places = torch.randint(n, (repeats, self.size), generator=rng, device=data.device)
        index = places[:, :, None].expand(-1, -1, sites)
        x = data.gather(1, index)
        z = (
            torch.randn(x.shape, generator=rng, device=data.device)
            if fresh
            else self.noise.gather(1, index)
        )
        scale = (len(self.alpha), 1, 1)
        y = self.alpha.view(scale) * x[:, None] + self.sigma.view(scale) * z[:, None]
        shown = y[:, :, None] * self.masks[:, None]
        value = y[:, :, None, :, self.site].expand(-1, -1, len(self.masks), -1)
        return shown.flatten(0, 2), value.flatten(0, 2)


class Pool:
    """Running <T> over pairs and log <e^T> over shuffled pairs, for every critic."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.total = torch.zeros(n, dtype=torch.float64, device=device)
        self.log_sum = torch.full_like(self.total, -torch.inf)
        self.count = 0

    def add(self, true: Tensor, mixed: Tensor) -> None:
        """Take in T of true and of shuffled pairs, each (n_critics, batch)."""
        self.total += true.double().sum(dim=1)
        self.log_sum = torch.logaddexp(self.log_sum, torch.logsumexp(mixed.double(), dim=1))
        self.count += true.shape[1]

    def value(self) -> Floats:
        """The bound from all pairs so far, nats, shape (n_critics,); 0 where there are none."""
        if not self.count:
            return np.zeros(len(self.total))
        found = self.total / self.count - (self.log_sum - np.log(self.count))
        return found.cpu().numpy()
