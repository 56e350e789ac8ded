"""The report's figures, each drawn from one study."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phasetheory import plotting
from phasetheory.transitions import locate_transition, markov_length

__all__ = ["chains", "image_map", "path", "scaling"]

WIDTH = 10.0


def path(pictures: xr.Dataset) -> bytes:
    """Images along the path: noisy, denoised both ways, and what the local step misses."""
    with plotting.screen_style():
        data = pictures.stack(panel=("image", "t"))
        rows = [data[name] for name in ("noisy", "local", "full", "missed")]
        spread = float(np.abs(data["missed"]).max())
        names = ["noisy $y$", f"local, $r={pictures.attrs['radius']}$", "from all of $y$",
                 "missed"]  # fmt: skip
        n = data.sizes["panel"]
        drawn, axes = plotting.figure(WIDTH, 4.5 * WIDTH / (1.25 * n), nrows=4, ncols=n)
        plotting.image_grid(
            axes,
            [[row.isel(panel=i).values for i in range(n)] for row in rows],
            names,
            columns=[f"$t={float(t):.1f}$" for t in data["t"].values],
            limits=[(-0.3, 1.1), (0.0, 1.0), (0.0, 1.0), (-spread, spread)],
        )
        return plotting.svg(drawn)


def image_map(scan: xr.Dataset) -> bytes:
    """CMI map of the images, profiles in r, and the Markov length."""
    with plotting.screen_style():
        drawn, (left, middle, right) = plotting.figure(WIDTH, 3.4, ncols=3)
        plotting.cmi_map(left, scan, floor=1e-5)
        plotting.cmi_profiles(middle, scan, (0.05, 0.2, 0.4, 0.6, 0.8), floor=1e-6)
        plotting.markov_lengths(right, markov_length(scan.sel(radius=slice(1, 10))))
        return plotting.svg(drawn)


def scaling(
    scan: xr.Dataset,
    study: xr.Dataset,
    limit: NDArray[np.float64],
    *,
    symbols: tuple[str, str, str],
) -> bytes:
    """A map of one size, CMI of growing systems against t, and against the scaled time.

    Args:
        scan: Map of one size, for the left panel.
        study: `cmi` over (size, scaled).
        limit: Limit curve N -> infinity on the same scaled times.
        symbols: Mathematics for the map's ordinate, the scaled time, and the ordinate of the
            curves.
    """
    buffer, scaled_time, ordinate = symbols
    power = 0.5 if "sqrt" in scaled_time else 1.0
    with plotting.screen_style():
        drawn, (left, middle, right) = plotting.figure(
            WIDTH, 3.4, ncols=3, width_ratios=(1.15, 1.0, 1.0)
        )
        plotting.cmi_map(left, scan, floor=1e-7, window=locate_transition(scan))
        left.set_ylabel(buffer)
        if power == 0.5:
            left.set_yscale("log")
        x = study["scaled"].values
        curves = [(f"$N={n}$", n, study["cmi"].sel(size=n).values) for n in study["size"].values]
        shifted = [(name, 1.0 - x / n**power, v) for name, n, v in curves]
        plotting.cmi_times(middle, shifted, xlabel="diffusion time $t$")
        plotting.cmi_times(right, [(name, x, v) for name, _, v in curves], xlabel=scaled_time)
        right.plot(x, limit, color=plotting.COLOURS["vermillion"], ls="--", label=r"$N\to\infty$")
        right.legend(handlelength=1.2)
        middle.set(xlim=(0, 1), ylabel=ordinate)
        right.set_ylabel("")
        return plotting.svg(drawn)


def chains(study: xr.Dataset) -> bytes:
    """T1 on random instances."""
    with plotting.screen_style():
        drawn, axes = plotting.figure(WIDTH, 3.2, ncols=3)
        plotting.chain_scatter(axes, study)
        return plotting.svg(drawn)
