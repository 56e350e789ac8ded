r"""Any torch denoiser as the package's E[x_0 | x_t].

The package's noisy data are :math:`y = \alpha x + \sigma z` with x in [0, 1]. A network trained on
:math:`u = l + (h - l) x` under a schedule :math:`(\alpha_n, \sigma_n)` expects
:math:`u_s = \alpha_n(s) u + \sigma_n(s) z`. Both are the same data where

.. math:: \frac{\alpha_n^2(s)}{\sigma_n^2(s)} = \frac{\alpha^2/\sigma^2}{(h-l)^2}, \qquad
          u_s = c\,y + \alpha_n l, \qquad
          c = \frac{\alpha_n (h-l)}{\alpha} = \frac{\sigma_n}{\sigma},

so that a network on [-1, 1] is asked at a quarter of the package's signal-to-noise ratio, and
:math:`E[x|y] = (E[u|u_s] - l)/(h - l)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phasetheory.neural.backend import Tensor, device_of, generator, nn, torch, torch_seed
from phasetheory.neural.batches import (
    agree,
    noisy_batch,
    output_tensor,
    uniform_scales,
    window_mask,
)
from phasetheory.neural.parametrisations import PREDICTS, to_x0
from phasetheory.noise import Gaussian
from phasetheory.schedules import Schedule, linear, time_at_snr

__all__ = ["Denoiser"]

#: How far (in steps) a time may lie from an integer step, rounding of time_at_snr included.
_STEP_SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class Denoiser:
    r"""A torch callable `network(x, time, **conditions)` as a denoiser of the package.

    The network gets x of shape (n, 1, \*shape) and times of shape (n,). What it is may be declared
    on the network itself, by a mapping `declares` of `predicts`, `schedule`, `time` and
    `data_range`; given here as well, the two must agree.

    Attributes:
        network: A torch module or any callable on tensors; returns a tensor of the shape of x, an
            object with such a tensor as `.sample` (diffusers), or a tuple that starts with it.
        predicts: "x0", "eps", "v", "velocity", "-velocity" or "score"
            (`phasetheory.neural.parametrisations`).
        schedule: Schedule the network was trained under, a callable t -> (alpha, sigma) in its own
            data range; linear by default.
        time: What the network takes as time: "t" (in [0, 1] on its schedule, 0 is data), "sigma"
            (sigma/alpha, which is sigma where alpha = 1), "step" (integers 0..n_steps-1, step k at
            t = (k+1)/n_steps, as in :func:`phasetheory.schedules.from_alpha_bar`), or a callable
            from t to it (``lambda t: 1 - t`` for flows that run from noise at 0).
        data_range: Values (lo, hi) that the network sees for x = 0 and x = 1.
        conditions: Further keyword arguments. Arrays or tensors whose first axis has one entry a
            sample are cut into batches with the samples; everything else is passed as it is.
        image_range: Range of clean data in the package's units; None for laws without one (fields).
        shape: Grid shape, needed for flat batches (n, n_sites).
        outside: How a window is imposed, needed where a region is asked for: "noise" (outside it
            the input is fresh noise about `fill`, which the network takes for data: the result is
            a function of the window only, but rarely the best), "channel" (input zeroed outside,
            and the window as a second input channel), or the name of a keyword argument that gets
            the window, a boolean tensor of the grid shape (masked attention).
        fill: Clean value assumed outside the window with outside="noise", in [0, 1].
        n_steps: Number of steps, with time="step".
        batch_size: Samples a call of the network.
        dtype: Of the network's input; that of its parameters by default, float64 without any.
        device: Where it runs: None (the CPU), "cuda" or "auto". A module is moved there.

    Raises:
        ValueError: If a declaration is unknown or contradicts the network's own, or CUDA is asked
            for and absent.

    Example:
        A network that sees no noise anywhere: E[x_0|y] = y / alpha.

        >>> import phasetheory as pt
        >>> from phasetheory.neural import Denoiser
        >>> blind = Denoiser(lambda x, time: 0.0 * x, "eps", shape=(2, 2))
        >>> blind([[1.0, 2.0, 3.0, 4.0]], pt.Gaussian(0.5))
        array([[2., 4., 6., 8.]])
    """

    network: Callable[..., Any]
    predicts: str | None = None
    schedule: Schedule | None = None
    time: str | Callable[[float], float] | None = None
    data_range: tuple[float, float] | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    image_range: tuple[float, float] | None = (0.0, 1.0)
    shape: tuple[int, ...] | None = None
    outside: str | None = None
    fill: float = 0.5
    n_steps: int | None = None
    batch_size: int = 512
    dtype: Any = None
    device: Any = None

    def __post_init__(self) -> None:
        """Fill in what the network declares, and refuse contradictions."""
        declared = getattr(self.network, "declares", None)
        declared = declared if isinstance(declared, Mapping) else {}
        defaults = {"predicts": None, "schedule": linear, "time": "t", "data_range": (0.0, 1.0)}
        for name, default in defaults.items():
            own, given = declared.get(name), getattr(self, name)
            if own is not None and given is not None and not agree(own, given):
                raise ValueError(
                    f"{name}={given!r} disagrees with what the network declares, {own!r}: leave it"
                    " out, or wrap a network that was trained so"
                )
            object.__setattr__(
                self, name, next((v for v in (given, own) if v is not None), default)
            )
        if self.predicts not in PREDICTS:
            raise ValueError(f"predicts={self.predicts!r}: one of {', '.join(PREDICTS)} needed")
        if not callable(self.time) and self.time not in ("t", "sigma", "step"):
            raise ValueError(f"time={self.time!r}: 't', 'sigma', 'step' or a callable needed")
        if self.time == "step" and not (isinstance(self.n_steps, int) and self.n_steps > 0):
            raise ValueError(f"n_steps={self.n_steps!r}: time='step' needs the number of steps")
        low, high = self._range
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"data_range={self.data_range!r}: finite (lo, hi) with lo < hi needed")
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size}: at least 1 needed")
        place = device_of(self.device)
        dtype = self.dtype
        if isinstance(self.network, nn.Module):
            self.network.to(place)
            first = next(self.network.parameters(), None)
            dtype = dtype or (None if first is None else first.dtype)
        object.__setattr__(self, "device", place)
        object.__setattr__(self, "dtype", dtype or torch.float64)

    def __call__(
        self,
        y: Any,
        noise: Gaussian,
        region: Any = None,
        *,
        conditions: Mapping[str, Any] | None = None,
        rng: Any = None,
    ) -> Any:
        r"""E[x_0 | y], or what the network makes of the window alone.

        Args:
            y: Noisy batch in the package's units, numpy or torch, shape (n, \*shape) or
                (n, n_sites).
            noise: The noise that made it, the same on all sites; any schedule.
            region: Mask or indices of the window; everything by default.
            conditions: Added to those of the denoiser, for this call.
            rng: Generator or seed of the noise outside a window (outside="noise").

        Returns:
            Of the type and shape of y, entries outside a window included.

        Raises:
            ValueError: If y, the noise or the network's output does not fit.
        """
        batch, shape = self._batch(y)
        alpha, sigma = uniform_scales(noise)
        if sigma == 0.0:
            return self._like(batch / alpha, y)
        s = self.network_time(noise)
        schedule, (low, high) = self._schedule, self._range
        alpha_n, sigma_n = (float(v) for v in schedule(np.asarray(s)))
        scaled = sigma_n / sigma * batch + alpha_n * low
        window = None if region is None else self._window(region, shape)
        if window is not None and self.outside == "noise":
            made = generator(torch.device("cpu"), torch_seed(rng))
            fresh = torch.randn(batch.shape, generator=made, dtype=torch.float64).to(batch.device)
            level = alpha_n * (low + (high - low) * self.fill)
            scaled = torch.where(window, scaled, level + sigma_n * fresh)
        found = self._evaluate(
            scaled, self._argument(s), window, {**self.conditions, **(conditions or {})}
        )
        clean = to_x0(found, scaled, str(self.predicts), schedule, s)
        return self._like((clean - low) / (high - low), y)

    def score(self, y: Any, noise: Gaussian, region: Any = None, *, rng: Any = None) -> Any:
        r"""Score :math:`(\alpha E[x_0|y] - y)/\sigma^2` in the package's units, shape of y.

        Args:
            y: As in a call, as are noise, region and rng.
            noise: With sigma > 0.
            region: Window; the score outside it means nothing.
            rng: Generator or seed.

        Raises:
            ValueError: If sigma = 0, or as in a call.
        """
        alpha, sigma = uniform_scales(noise)
        if sigma == 0.0:
            raise ValueError("noise has sigma = 0: the score needs sigma > 0")
        return (alpha * self(y, noise, region, rng=rng) - y) / sigma**2

    def network_time(self, noise: Gaussian) -> float:
        """Time on the network's schedule, in [0, 1], at which it is asked about this noise.

        Raises:
            ValueError: If its schedule never has that signal-to-noise ratio, or (time="step") has
                no step there: the message names the nearest.
        """
        s = self._time_of(noise)
        if self.time != "step":
            return s
        assert self.n_steps is not None
        step = s * self.n_steps - 1.0
        if abs(step - round(step)) > _STEP_SLACK * max(1.0, step) or round(step) < 0:
            near = self.nearest(noise)
            raise ValueError(
                f"noise of alpha={float(noise.alpha):.6g}, sigma={float(noise.sigma):.6g} lies at"
                f" step {step:.3f} of {self.n_steps}: the network knows whole steps only; use"
                f" denoiser.nearest(noise), alpha={float(near.alpha):.6g},"
                f" sigma={float(near.sigma):.6g}"
            )
        return (round(step) + 1) / self.n_steps

    def nearest(self, noise: Gaussian) -> Gaussian:
        """The noise at the nearest step, alpha + sigma kept; the noise itself without steps."""
        if self.time != "step":
            return noise
        assert self.n_steps is not None
        alpha, sigma = uniform_scales(noise)
        step = min(max(round(self._time_of(noise) * self.n_steps), 1), self.n_steps)
        alpha_n, sigma_n = (float(v) for v in self._schedule(np.asarray(step / self.n_steps)))
        low, high = self._range
        total = alpha_n * (high - low) + sigma_n
        return Gaussian.from_scales(
            (alpha + sigma) * alpha_n * (high - low) / total, (alpha + sigma) * sigma_n / total
        )

    @property
    def _range(self) -> tuple[float, float]:
        assert self.data_range is not None
        return self.data_range

    @property
    def _schedule(self) -> Schedule:
        assert self.schedule is not None
        return self.schedule

    def _time_of(self, noise: Gaussian) -> float:
        alpha, sigma = uniform_scales(noise)
        low, high = self._range
        snr = np.inf if sigma == 0.0 else (alpha / (sigma * (high - low))) ** 2
        try:
            return time_at_snr(self._schedule, snr)
        except ValueError as error:
            raise ValueError(
                f"noise of alpha={alpha:.6g}, sigma={sigma:.6g} is not on the network's schedule in"
                f" data_range {self.data_range}: {error}"
            ) from error

    def _argument(self, s: float) -> Any:
        if callable(self.time):
            return self.time(s)
        if self.time == "step":
            assert self.n_steps is not None
            return round(s * self.n_steps) - 1
        if self.time == "sigma":
            alpha, sigma = (float(v) for v in self._schedule(np.asarray(s)))
            if alpha == 0.0:
                raise ValueError("time='sigma': sigma/alpha is infinite at alpha = 0")
            return sigma / alpha
        return s

    def _batch(self, y: Any) -> tuple[Tensor, tuple[int, ...]]:
        """The batch as float64 where the network runs, shape (n, *shape)."""
        return noisy_batch(y, self.shape, self.device)

    def _window(self, region: Any, shape: tuple[int, ...]) -> Tensor:
        if not self.outside:
            raise ValueError(
                "region is given, but the denoiser does not say how a window is imposed: declare"
                " outside='noise', 'channel' or the name of a keyword argument"
            )
        return window_mask(region, shape).to(self.device)

    def _evaluate(
        self,
        scaled: Tensor,
        argument: Any,
        window: Tensor | None,
        conditions: Mapping[str, Any],
    ) -> Tensor:
        n = len(scaled)
        outputs = []
        with torch.no_grad():
            for start in range(0, n, self.batch_size):
                rows = slice(start, start + self.batch_size)
                x = scaled[rows][:, None].to(self.device, self.dtype)
                kind = torch.int64 if self.time == "step" else self.dtype
                times = torch.full((len(x),), argument, device=self.device, dtype=kind)
                keywords = {k: self._condition(v, n, rows) for k, v in conditions.items()}
                wanted = x.shape
                if self.outside == "channel":
                    seen = x.new_ones(x.shape[2:]) if window is None else window
                    x = torch.cat([x * seen, seen.to(x.dtype).expand_as(x)], dim=1)
                elif window is not None and self.outside != "noise":
                    keywords[str(self.outside)] = window
                out = self.network(x, times, **keywords)
                outputs.append(output_tensor(out, wanted).to(torch.float64)[:, 0])
        return torch.cat(outputs)

    def _condition(self, value: Any, n: int, rows: slice) -> Any:
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        if not isinstance(value, Tensor):
            return value
        return (value[rows] if value.ndim and len(value) == n else value).to(self.device)

    @staticmethod
    def _like(clean: Tensor, y: Any) -> Any:
        if isinstance(y, Tensor):
            kind = y.dtype if y.dtype.is_floating_point else torch.float64
            return clean.reshape(y.shape).to(y.device, kind)
        return clean.reshape(np.shape(y)).cpu().numpy()
