"""The whole estimate in one call: split, train, evaluate, null run."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.lattice import Lattice
from phasetheory.neural.backend import checked_images
from phasetheory.neural.conditional import cross_entropy_terms, fit_conditional
from phasetheory.neural.contexts import Contexts
from phasetheory.neural.immse import fit_immse, immse_terms
from phasetheory.neural.results import Terms, cmi_dataset
from phasetheory.neural.training import Training
from phasetheory.neural.weights import save_network
from phasetheory.noise import Gaussian

__all__ = ["scan_images"]

Floats = NDArray[np.float64]

ROUTES = ("cross-entropy", "i-mmse")
_OPTIONS = (
    "lattice", "data_range", "validation", "route", "null", "n_noise", "folder", "levels", "width",
    "depth", "channels", "linear",
)  # fmt: skip


def scan_images(
    images: ArrayLike,
    noise: Callable[[float], Gaussian] = Gaussian,
    *,
    t: ArrayLike,
    radius: ArrayLike,
    centre: Any,
    held_out: ArrayLike | None = None,
    settings: Training | None = None,
    **options: Any,
) -> xr.Dataset:
    r"""CMI :math:`I_t(A;C|B_r)` of the law behind a set of samples, for one site A.

    One network is trained for all times and radii. Values come from samples that it never saw.

    Args:
        images: Samples for training and validation, shape (n, H, W), or (n, L) for chains; also
            spins, or samples of any law on a lattice.
        noise: Callable t -> Gaussian noise.
        t: Times, increasing.
        radius: Buffer radii, increasing, smaller than the reach of the lattice.
        centre: The site A, as for `Lattice.tripartition`.
        held_out: Samples for the values; by default the last fifth of `images` in a random order.
        settings: How to train; its seed also seeds splits and noise.
        **options: `data_range` ((0, 1); None for laws without one), `levels` and `linear`, `width`,
            `depth`, `channels` of :func:`fit_conditional`; `lattice` (the open grid or chain of
            the samples); `validation` (share of `images`, 0.1); `route` ("cross-entropy" or
            "i-mmse"); `null` (True: a second training in which C comes from another sample);
            `n_noise` (1) noisy versions of every held-out sample; `folder` (none) for checkpoints
            and weights: a killed run continues from there.

    Returns:
        Dataset over (t, radius) as from :func:`phasetheory.scan`, drawn and fitted alike, with the
        memorisation gap and the null run (:func:`cmi_dataset`). Attributes say that it is an
        estimate and how it is biased.

    Raises:
        ValueError: If something does not fit, before any training.

    Cost: training, twice with the null run; then n_t (n_r + 1) evaluations a sample.
    """
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}: {', '.join(_OPTIONS)} are known")
    settings = settings or Training()
    data_range = options.get("data_range", (0.0, 1.0))
    route = options.get("route", ROUTES[0])
    if route not in ROUTES:
        raise ValueError(f"route={route!r}: one of {ROUTES} needed")
    n_noise = options.get("n_noise", 1)
    if not isinstance(n_noise, int) or n_noise < 1:
        raise ValueError(f"n_noise={n_noise!r}: a whole number >= 1 needed")
    clean = checked_images("images", images, data_range, least=20)
    aside = None if held_out is None else checked_images("held_out", held_out, data_range)
    if aside is not None and aside.shape[1:] != clean.shape[1:]:
        raise ValueError(f"held_out has shape {aside.shape}: (n, {clean.shape[1:]}) needed")
    lattice = options.get("lattice") or Lattice.grid(clean.shape[1:])
    contexts = {
        null: Contexts.build(lattice, noise, t=t, radius=radius, centre=centre, null=null)
        for null in (False, True)
    }
    share = float(options.get("validation", 0.1))
    if not 0.0 < share < 0.5:
        raise ValueError(f"validation={share}: a share between 0 and 0.5 needed")
    rng = np.random.default_rng(settings.seed)
    clean = clean[rng.permutation(len(clean))]
    if aside is None:
        cut = len(clean) - max(2, len(clean) // 5)
        clean, aside = clean[:cut], clean[cut:]
    cut = len(clean) - max(2, round(share * len(clean)))
    sets = (clean[:cut], clean[cut:], aside)
    runs = [False, True] if options.get("null", True) else [False]
    seeds = [int(s) for s in rng.integers(2**31, size=2)]
    found = {
        null: _terms(sets, contexts[null], settings, seed, options)
        for null, seed in zip(runs, seeds, strict=False)
    }
    described = noise(float(contexts[False].times[0])).describe()
    kept = {k: v for k, v in options.items() if k not in ("lattice", "folder")}
    return cmi_dataset(
        contexts[False],
        found[False],
        null=(contexts[True], found[True]) if True in found else None,
        attrs={
            "model": f"{len(sets[0])} training samples", "route": route, "centre": str(centre),
            "options": kept, "training": asdict(settings), "n_training": len(sets[0]),
            "data_range": data_range, "seed": settings.seed,
            "noise": {k: described[k] for k in ("noise", "schedule")},
            "lattice": {
                "n_sites": lattice.n_sites, "shape": lattice.shape, "periodic": lattice.periodic
            },
        },
    )  # fmt: skip


def _terms(
    sets: tuple[Floats, Floats, Floats],
    contexts: Contexts,
    settings: Training,
    seed: int,
    options: dict[str, Any],
) -> Terms:
    training, validation, aside = sets
    density = options.get("route", ROUTES[0]) == ROUTES[0]
    fit: Any = fit_conditional if density else fit_immse
    terms: Any = cross_entropy_terms if density else immse_terms
    folder = options.get("folder")
    stem = ("cmi" if density else "immse") + ("-null" if contexts.null else "")
    known = ("data_range", "width", "depth", "channels", "linear", *(["levels"] if density else []))
    given: dict[str, Any] = {name: options[name] for name in known if name in options}
    checkpoint = None if folder is None else Path(folder) / f"{stem}.ckpt"
    made = fit(training, contexts, settings, checkpoint=checkpoint, **given)
    if folder is not None:
        save_network(Path(folder) / f"{stem}.safetensors", made, training=asdict(settings))
    rng = np.random.default_rng(seed)
    n_noise = int(options.get("n_noise", 1))
    seen = training[rng.permutation(len(training))[: len(aside)]]
    parts = (terms(made, part, n_noise=n_noise, rng=rng) for part in (aside, validation, seen))
    return Terms(*parts)
