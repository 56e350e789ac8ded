"""Learned estimates on samples of laws whose CMI is known: the truth travels with the estimate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.neural.contexts import Contexts
from phasetheory.neural.mine import Mine, mine_curves
from phasetheory.neural.scans import scan_images
from phasetheory.neural.training import Training
from phasetheory.noise import Gaussian
from phasetheory.sweep import scan

__all__ = ["calibrate", "calibrate_critics"]

Floats = NDArray[np.float64]


def calibrate(
    prior: Any,
    noise: Callable[[float], Gaussian] = Gaussian,
    *,
    t: ArrayLike,
    radius: ArrayLike,
    centre: Any,
    n_samples: int,
    settings: Training | None = None,
    **options: Any,
) -> xr.Dataset:
    """Held-out estimate of the CMI of a law beside the exact one.

    Args:
        prior: A model that samples: spins +1/-1, or continuous values on a lattice.
        noise: Callable t -> Gaussian noise.
        t: Times, increasing.
        radius: Buffer radii, increasing; at 0, where B_0 is empty, the CMI is I(A;BC).
        centre: The site A, as for `Lattice.tripartition`.
        n_samples: Samples for training and validation.
        settings: How to train; its seed also seeds the samples.
        **options: `n_held_out` (half of `n_samples`), `n_exact` (2000: draws of the exact CMI
            where it has no closed form), and the options of :func:`scan_images`.

    Returns:
        The dataset of :func:`scan_images`, and over (t, radius): `exact`, `exact_stderr` (nats).

    Raises:
        ValueError: If something does not fit.
    """
    settings = settings or Training()
    n_held_out = options.pop("n_held_out", max(2, n_samples // 2))
    n_exact = options.pop("n_exact", 2000)
    spins = prior.sample(1, rng=0).dtype == np.int8
    given = {"data_range": (-1.0, 1.0), "levels": [-1, 1]} if spins else {"data_range": None}
    seeds = np.random.SeedSequence((settings.seed, 1)).spawn(3)
    found = scan_images(
        _laid_out(prior, n_samples, seeds[0]), noise, t=t, radius=radius, centre=centre,
        held_out=_laid_out(prior, n_held_out, seeds[1]), settings=settings,
        **({"lattice": prior.lattice} | given | options),
    )  # fmt: skip
    exact = scan(
        prior, noise, t=t, radius=radius, centre=centre, n_samples=n_exact,
        rng=np.random.default_rng(seeds[2]),
    )  # fmt: skip
    for name in ("cmi", "cmi_stderr"):
        found[name.replace("cmi", "exact")] = (
            ("t", "radius"),
            exact[name].values,
            {"units": "nats"},
        )
    return found


def calibrate_critics(
    prior: Any,
    noise: Callable[[float], Gaussian] = Gaussian,
    *,
    t: ArrayLike,
    radius: ArrayLike,
    centre: Any,
    n_samples: int,
    settings: Mine | None = None,
    **options: Any,
) -> xr.Dataset:
    """Curves of critics on samples of a law beside the exact values.

    Args:
        prior: A model that samples.
        noise: Callable t -> Gaussian noise.
        t: Times, increasing.
        radius: Buffer radii, increasing, B_r not empty.
        centre: The site A, as for `Lattice.tripartition`.
        n_samples: Training samples, and as many fresh ones, drawn anew for every repeat.
        settings: How to train; its seed also seeds the samples.
        **options: `n_repeats` (3), `n_exact` (2000: draws of the exact values where they have no
            closed form), `checkpoint` (none) as for :func:`mine_curves`.

    Returns:
        The dataset of :func:`mine_curves`, and `exact` (t, radius) = I(A;C|B_r), `exact_full` (t)
        = I(A;BC), each with `_stderr`; I(A;B_r) is their difference.

    Raises:
        ValueError: If something does not fit.
    """
    settings = settings or Mine()
    unknown = sorted(set(options) - {"n_repeats", "n_exact", "checkpoint"})
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}: n_repeats, n_exact, checkpoint are known")
    n_repeats, n_exact = options.get("n_repeats", 3), options.get("n_exact", 2000)
    if n_repeats < 1 or n_samples < 2:
        raise ValueError(f"n_repeats={n_repeats}, n_samples={n_samples}: >= 1 and >= 2 needed")
    contexts = Contexts.build(prior.lattice, noise, t=t, radius=radius, centre=centre)
    *seeds, last = np.random.SeedSequence((settings.seed, 2)).spawn(2 * n_repeats + 1)
    drawn = np.stack([_laid_out(prior, n_samples, seed) for seed in seeds])
    found = mine_curves(
        drawn[:n_repeats],
        drawn[n_repeats:],
        contexts,
        settings,
        checkpoint=options.get("checkpoint"),
    )
    exact = [
        scan(prior, noise, t=t, radius=radii, centre=centre, n_samples=n_exact,
             rng=np.random.default_rng(last))
        for radii in (contexts.radii, [0])
    ]  # fmt: skip
    for name in ("cmi", "cmi_stderr"):
        near, full = (values[name].values for values in exact)
        tail = name.removeprefix("cmi")
        found[f"exact{tail}"] = (("t", "radius"), near, {"units": "nats"})
        found[f"exact_full{tail}"] = ("t", full[:, 0], {"units": "nats"})
    return found


def _laid_out(prior: Any, n: int, seed: Any) -> Floats:
    """Samples as images where the lattice is a grid of two dimensions, else as vectors."""
    drawn = prior.sample(n, rng=np.random.default_rng(seed)).astype(float)
    shape = prior.lattice.shape
    found: Floats = drawn.reshape(n, *shape) if shape and len(shape) == 2 else drawn
    return found
