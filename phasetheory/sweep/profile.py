"""Profiles of conditional mutual information in memory, over diffusion time and buffer radius."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from tqdm import tqdm

from phasetheory import __version__
from phasetheory.estimate import Estimate
from phasetheory.information import cmi
from phasetheory.lattice import Tripartition
from phasetheory.noise import Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.seeds import seed_sequence

__all__ = ["profile"]

KNOWN = "size, method and n_samples (ledger and stop for sweeps)"


def profile(
    model: Prior,
    noise: Callable[[float], Noise],
    *,
    t: ArrayLike,
    radius: ArrayLike | Mapping[float, Tripartition],
    centre: Any = None,
    rng: Any = None,
    **options: Any,
) -> xr.Dataset:
    """Conditional mutual information over times and radii, all at once and in memory.

    Args:
        model: See :func:`phasetheory.scan`, as for the rest.
        noise: Callable t -> noise.
        t: Times, shape (n_t,).
        radius: Radii, shape (n_r,), or radius -> tripartition.
        centre: Where A is.
        rng: Generator or seed.
        **options: `size`, `method`, `n_samples`.

    Returns:
        Dataset over dims (t, radius), nats.

    Raises:
        ValueError: If times, radii or options do not fit, before any work starts.
    """
    times = _increasing("t", t)
    if times[0] < 0 or times[-1] > 1:
        raise ValueError(f"t runs from {times[0]} to {times[-1]}: times in [0, 1] needed")
    size = options.pop("size", 1)
    unknown = set(options) - {"method", "n_samples"}
    if unknown:
        raise ValueError(f"unknown options {sorted(unknown)}: {KNOWN} are known")
    if isinstance(radius, Mapping):
        radii = _increasing("radius", sorted(radius))
        parts = [radius[r] for r in sorted(radius)]
    else:
        radii = _increasing("radius", radius)
        parts = [model.lattice.tripartition(centre, r, size) for r in radii]
    seed = seed_sequence(rng)
    laws = [NoisyLaw(model, noise(float(time))) for time in times]
    tasks = (
        delayed(cmi)(law, parts, rng=np.random.default_rng(child), **options)
        for law, child in zip(laws, seed.spawn(len(laws)), strict=True)
    )
    profiles = list(
        tqdm(
            Parallel(return_as="generator")(tasks),
            total=len(laws),
            desc="scan",
            unit="time",
            disable=None,
        )
    )
    return _dataset(
        profiles,
        {"t": times, "radius": radii},
        parts,
        _provenance(model, laws, seed, {"centre": centre, "size": size, **options}),
    )


def _dataset(
    profiles: Sequence[Sequence[Estimate]],
    coords: dict[str, Any],
    parts: Sequence[Tripartition],
    attrs: dict[str, Any],
) -> xr.Dataset:
    def table(field: str) -> Any:
        return ("t", "radius"), np.array([[getattr(e, field) for e in row] for row in profiles])

    sizes = {
        f"size_{name}": ("radius", [getattr(part, name).size for part in parts]) for name in "ABC"
    }
    data = xr.Dataset(
        {
            "cmi": table("value"),
            "cmi_stderr": table("stderr"),
            "cmi_n_effective": table("n_effective"),
            **sizes,
        },
        coords=coords,
        attrs=attrs,
    )
    data["cmi"].attrs = {"units": "nats", "long_name": "conditional mutual information I(A;C|B)"}
    data["cmi_stderr"].attrs = {"units": "nats", "long_name": "standard error of cmi, 0 if exact"}
    data["cmi_n_effective"].attrs = {"long_name": "effective number of samples, inf if exact"}
    data["t"].attrs = {"units": "1", "long_name": "diffusion time"}
    data["radius"].attrs = {"units": "sites", "long_name": "buffer radius r"}
    return data


def _provenance(
    model: Prior, laws: Sequence[NoisyLaw], seed: np.random.SeedSequence, options: dict[str, Any]
) -> dict[str, Any]:
    """Everything needed to repeat the scan, in types that netCDF can hold."""
    lattice = model.lattice
    first = laws[0].noise.describe()
    named = {key: first[key] for key in ("noise", "schedule") if key in first}
    return {
        "title": "conditional mutual information of a noisy law",
        "model": type(model).__name__,
        "model_settings": json.dumps(getattr(model, "settings", {})),
        "lattice": json.dumps(
            {"n_sites": lattice.n_sites, "shape": lattice.shape, "periodic": lattice.periodic}
        ),
        "noise": json.dumps(named),
        "options": json.dumps(options, default=str),
        "seed": str(seed.entropy),
        "seed_spawn_key": str(list(seed.spawn_key)),
        "phasetheory_version": __version__,
        "source": "arXiv:2508.06614",
    }


def _increasing(name: str, values: ArrayLike) -> np.ndarray:
    array = np.atleast_1d(np.asarray(values, dtype=float))
    if array.ndim != 1 or not array.size or not (np.diff(array) > 0).all():
        raise ValueError(f"{name}={values!r}: a strictly increasing list of numbers needed")
    return array
