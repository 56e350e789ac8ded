r"""Mutual information by critics (MINE), read on training pairs and on fresh ones.

A critic T bounds the information between A and its surroundings B from below (Donsker, Varadhan):

.. math:: I(A;B) \geq E_{p(a,b)} T(a,b) - \log E_{p(a) p(b)} e^{T(a,b)}.

The bound holds for pairs that T has not seen. On the pairs it was trained on it is no bound: a
critic that knows them by heart reads log n. Both readings are returned, side by side.

Source: Belghazi et al., arXiv:1801.04062; as used by arXiv:2508.06614: one noise image per datum,
batches of 100, the marginals by shuffling A within the batch, values read on training pairs.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from phasetheory import __version__
from phasetheory.neural.backend import Tensor, checked_images, device_of, generator, torch
from phasetheory.neural.conditional import check_sites
from phasetheory.neural.contexts import Contexts
from phasetheory.neural.critics import Critic, stacked
from phasetheory.neural.denoising import data_key
from phasetheory.neural.pairs import Pairs, Pool
from phasetheory.neural.training import PathLike, read_checkpoint, write_checkpoint

__all__ = ["Mine", "mine_curves"]

Floats = NDArray[np.float64]

#: A fresh batch is read at every so many steps: it costs a third of one.
_FRESH_EVERY = 4


@dataclass(frozen=True)
class Mine:
    """Settings of critics, all of them trained at once as one stacked model, each by its own Adam.

    Attributes:
        steps: Gradient steps, a multiple of `window`.
        window: Steps of one reading; a checkpoint is written after each.
        batch_size: Pairs a step.
        learning_rate: Of Adam, constant.
        channels: Of the critics' convolutions; 0 for dense layers only (needed off grids).
        width: Hidden units of their dense layers.
        seed: Of weights, noise and batches.
        device: None (the CPU), "cuda" or "auto".
        progress: Whether to show a bar, on a terminal.

    Raises:
        ValueError: If a number is out of range, or CUDA absent.
    """

    steps: int = 300_000
    window: int = 2_000
    batch_size: int = 100
    learning_rate: float = 1e-4
    channels: int = 16
    width: int = 128
    seed: int = 0
    device: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        """Check."""
        least = {"steps": 1, "window": 1, "batch_size": 2, "channels": 0, "width": 1, "seed": 0}
        for name, low in least.items():
            if not isinstance(getattr(self, name), int) or getattr(self, name) < low:
                raise ValueError(f"{name}={getattr(self, name)!r}: a whole number >= {low} needed")
        if self.steps % self.window:
            raise ValueError(
                f"steps={self.steps} is no multiple of window={self.window}: a last window would"
                " be read over fewer steps than the others"
            )
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: a positive number needed")
        device_of(self.device)


def mine_curves(
    samples: ArrayLike,
    fresh: ArrayLike,
    contexts: Contexts,
    settings: Mine | None = None,
    *,
    checkpoint: PathLike | None = None,
) -> xr.Dataset:
    r"""Train one critic for every time, context and repeat, and read them as they train.

    A reading pools a window of steps s and the pairs of their batches,

    .. math:: \hat I = \langle T_s(a_i, b_i) \rangle - \log \langle e^{T_s(a_{i-1}, b_i)} \rangle,

    with pairs of the training set as they come (`train`), or fresh images under fresh noise
    (`fresh`; in expectation a lower bound but for the finite pool).

    Args:
        samples: Clean training samples of every repeat, shape (n_repeats, n, H, W) or
            (n_repeats, n, n_sites); `np.broadcast_to` gives all repeats the same. The repeats
            differ further in noise images, weights and batches.
        fresh: Samples that no critic is trained on, shape (n_repeats, m, ...).
        contexts: Times, radii (B_r not empty), centre.
        settings: How to train.
        checkpoint: File to continue from and to keep up to date; a finished run is read from it.

    Returns:
        Dataset in nats over `t`, `radius`, `repeat` and `step` (last step of a window): `near` for
        I(A;B_r), `full` (without radius) for I(A;BC), `cmi` = full - near, each with `_train`
        and `_fresh`. Repeats are independent given the samples: their spread is the error bar.

    Raises:
        ValueError: If samples, contexts or checkpoint do not fit, or a critic diverges.

    Cost: steps x n_repeats x n_t x (n_r + 1) critics on 2 batch_size inputs, forward and backward.
    """
    settings = settings or Mine()
    device = device_of(settings.device)
    seen, new = _checked("samples", samples, contexts), _checked("fresh", fresh, contexts)
    if len(seen) != len(new) or seen.shape[2:] != new.shape[2:]:
        raise ValueError(
            f"fresh has shape {new.shape}: ({len(seen)}, m) + {seen.shape[2:]} needed"
        )  # fmt: skip
    if contexts.null or not contexts.own.any(axis=1).all():
        raise ValueError(
            f"radius={contexts.radii.tolist()}: every B_r needs a site, for I(A;B) = 0 without one;"
            " and null runs are not for critics"
        )
    table = (len(seen), len(contexts.times), len(contexts.own))
    shape = seen.shape[2:] if seen.ndim == 4 else (1, seen.shape[2])
    critic = Critic(shape, contexts.site, settings.channels, settings.width)
    parameters = stacked(critic, int(np.prod(table)), settings.seed)
    run = _Run(
        critic,
        parameters,
        Pairs(seen, new, contexts, settings.batch_size, generator(device, settings.seed, 1)),
        table,
        device,
    )
    named = {k: v for k, v in asdict(settings).items() if k not in ("steps", "device", "progress")}
    task = {
        "mine": named, "data": [data_key(seen), data_key(new)], "masks": data_key(contexts.own),
        "site": contexts.site, "scales": [contexts.alpha.tolist(), contexts.sigma.tolist()],
    }  # fmt: skip
    fits = json.dumps(task, sort_keys=True)
    if checkpoint is not None and Path(checkpoint).exists():
        run.restore(read_checkpoint(checkpoint, fits))
    n_windows = settings.steps // settings.window
    bar = tqdm(
        range(len(run.readings), n_windows), initial=len(run.readings), total=n_windows,
        desc="critics", unit="window", disable=None if settings.progress else True,
    )  # fmt: skip
    for window in bar:
        run.window(window * settings.window, settings)
        if checkpoint is not None:
            write_checkpoint(checkpoint, run.state() | {"fits": fits})
    return _dataset(np.stack(run.readings[:n_windows]), table, contexts, settings)


class _Run:
    """Critics, their optimizer and their readings (2, n_critics) of every window so far."""

    def __init__(
        self,
        critic: Critic,
        parameters: dict[str, Tensor],
        pairs: Pairs,
        table: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self.critic, self.pairs, self.device = critic.to(device), pairs, device
        self.parameters = {k: v.to(device).requires_grad_(True) for k, v in parameters.items()}
        self.adam = torch.optim.Adam(list(self.parameters.values()))
        self.readings: list[Floats] = []
        self.n_critics = int(np.prod(table))

    def values(self, shown: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """T of the pairs and of the shuffled ones, each (n_critics, batch)."""
        # Rows are drawn independently, so A of the row before is an independent one.
        both = torch.cat([value, value.roll(1, 1)], dim=1)
        call = torch.func.functional_call
        found = torch.func.vmap(lambda own, b, a: call(self.critic, own, (b, a)))(
            self.parameters, shown.repeat(1, 2, 1), both
        )
        true, mixed = found.chunk(2, dim=1)
        return true, mixed

    def window(self, first: int, settings: Mine) -> None:
        """Train through one window, reading on the way."""
        for group in self.adam.param_groups:
            group["lr"] = settings.learning_rate
        kept = [Pool(self.n_critics, self.device) for _ in range(2)]
        log_size = float(np.log(settings.batch_size))
        for step in range(first, first + settings.window):
            rng = generator(self.device, settings.seed, 2, step)
            true, mixed = self.values(*self.pairs.draw(rng))
            bound = true.mean(dim=1) - (torch.logsumexp(mixed, dim=1) - log_size)
            self.adam.zero_grad(set_to_none=True)
            # A sum over critics: none of them feels another.
            (-bound.sum()).backward()
            self.adam.step()
            kept[0].add(true.detach(), mixed.detach())
            if step % _FRESH_EVERY == 0:
                with torch.no_grad():
                    kept[1].add(*self.values(*self.pairs.draw(rng, fresh=True)))
        reading = np.stack([pool.value() for pool in kept])
        if not np.isfinite(reading).all():
            raise ValueError(
                f"a critic diverged before step {first + settings.window}:"
                f" learning_rate={settings.learning_rate} is too large"
            )
        self.readings.append(reading)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "parameters": {k: v.detach() for k, v in self.parameters.items()},
            "adam": self.adam.state_dict(), "readings": torch.as_tensor(np.stack(self.readings)),
        }  # fmt: skip

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        with torch.no_grad():
            for name, value in kept["parameters"].items():
                self.parameters[name].copy_(value)
        self.adam.load_state_dict(kept["adam"])
        self.readings = list(kept["readings"].numpy())


def _dataset(
    readings: Floats, table: tuple[int, int, int], contexts: Contexts, settings: Mine
) -> xr.Dataset:
    """Readings (windows, 2, critics) as labelled curves."""
    curves = readings.reshape(-1, 2, *table).transpose(1, 3, 4, 2, 0)
    steps = settings.window * np.arange(1, len(readings) + 1)
    coords = {
        "t": contexts.times, "radius": contexts.radii, "repeat": np.arange(table[0]), "step": steps
    }  # fmt: skip
    data = xr.Dataset(coords=coords)
    wide = ("t", "radius", "repeat", "step")
    for name, values in zip(("train", "fresh"), curves, strict=True):
        near, full = values[:, :-1], values[:, -1]
        data[f"near_{name}"] = (wide, near, {"units": "nats", "long_name": "I(A;B)"})
        data[f"full_{name}"] = (("t", "repeat", "step"), full, {"units": "nats"})
        data[f"cmi_{name}"] = (wide, full[:, None] - near, {"units": "nats"})
    data.attrs = {
        "title": "mutual information read off critics (MINE)",
        "bias": "train: no bound, grows with memorisation; fresh: a lower bound in expectation",
        "settings": json.dumps(asdict(settings)),
        "phasetheory_version": __version__,
        "source": "arXiv:1801.04062, protocol of arXiv:2508.06614",
    }
    return data


def _checked(name: str, samples: ArrayLike, contexts: Contexts) -> Floats:
    array = np.asarray(samples)
    if array.ndim not in (3, 4):
        raise ValueError(
            f"{name} has shape {array.shape}: (n_repeats, n, H, W) or (n_repeats, n, n_sites)"
            " needed"
        )
    for one in array:
        check_sites(name, checked_images(name, one, None).reshape(array.shape[1], -1), contexts)
    return array
