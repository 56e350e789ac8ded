r"""When along the path a label is decided, and how that frames the window of nonlocality.

For data with a label S (a class, a phase, the root of a tree) three informations matter:
:math:`I_t(S;ABC)`, what all noisy data know; :math:`I_t(S;B)`, what the buffer knows; and
:math:`I_0(S;AB)`, what the clean window knew. The *speciation window* for a threshold
:math:`\delta` is

.. math:: \bigl[\inf\{t : I_0(S;AB) - I_t(S;B) \ge \kappa\delta\},\
          \sup\{t : I_t(S;ABC) \ge \kappa\delta\}\bigr],

from the time at which the buffer begins to forget the label to the time at which everything has.
By theorem T11 it contains the window of nonlocality :math:`\{t : I_t(A;C|B) > \delta\}` if the
label explains a share :math:`\kappa > 0` of the conditional mutual information there,

.. math:: \kappa\, I_t(A;C|B) \le I_t(A;C|B) - I_t(A;C|B,S) .
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from phasetheory.estimate import Estimate
from phasetheory.information import cmi, cmi_given_label, label_information
from phasetheory.lattice import Tripartition
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.noise import BitFlip, Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Labelled, Prior
from phasetheory.seeds import seed_sequence
from phasetheory.transitions.window import crossing_time, grid_cell, landmarks, spread

__all__ = ["label_curves", "speciation_window"]

Floats = NDArray[np.float64]

_CURVES = {
    "cmi": "I_t(A;C|B)",
    "cmi_given_label": "I_t(A;C|B,S)",
    "label_buffer": "I_t(S;B)",
    "label_all": "I_t(S;ABC)",
}
#: Below this many nats a conditional mutual information is rounding, and no share of it is taken.
ROUNDING = 1e-11


def label_curves(
    prior: Prior,
    noise: Callable[[float], Noise],
    parts: Tripartition,
    *,
    t: ArrayLike,
    n_samples: int = 2000,
    rng: Any = 0,
) -> xr.Dataset:
    """Informations about the label, and the CMI with and without it, along the path.

    Args:
        prior: Labelled prior: GaussianMixture, CurieWeiss, BoundaryIsing, Hierarchy,
            LabelledTable, or one of your own with `label_weights` and `given`.
        noise: Takes t to a noise, for example ``pt.BitFlip``.
        parts: Tripartition.
        t: Times, increasing, in the noise's range.
        n_samples: Samples a quantity and time where there is no closed form.
        rng: Generator or seed; every time and quantity has a stream of its own.

    Returns:
        Dataset over t, in nats, each with its `_stderr` (0 where exact): `cmi`,
        `cmi_given_label`, `label_buffer` = I_t(S;B), `label_all` = I_t(S;ABC), `drop` =
        I_0(S;AB) - I_t(S;B), and `kappa` (no unit), the share of the CMI that the label explains,
        NaN where the CMI is rounding. Attributes: `label_clean`, I_0(S;AB), and `label_entropy`.

    Raises:
        ValueError: If the prior has no labels, times are not increasing, or a region does not fit.

    Cost: two CMIs and two label informations a time, each once more for every label.

    Source: Liu, Zhang, Nandkishore, Okyay, Hu, Gao 2026.
    """
    times = np.atleast_1d(np.asarray(t, dtype=float))
    if times.ndim != 1 or not (np.diff(times) > 0).all():
        raise ValueError(f"t={t!r}: increasing times needed")
    if not isinstance(prior, Labelled):
        raise ValueError(f"{type(prior).__name__} has no labels: label_weights and given() needed")
    clean_seed, *seeds = seed_sequence(rng).spawn(1 + times.size)
    clean = _clean_information(prior, noise(0.0), parts, n_samples, clean_seed)
    rows = [
        _point(NoisyLaw(prior, noise(float(time))), parts, n_samples, seed)
        for time, seed in zip(times, seeds, strict=True)
    ]
    data = xr.Dataset(coords={"t": times})
    for index, (name, meaning) in enumerate(_CURVES.items()):
        data[name] = ("t", [row[index].value for row in rows], _units(meaning))
        data[f"{name}_stderr"] = ("t", [row[index].stderr for row in rows], _units(meaning))
    data["drop"] = ("t", clean.value - data["label_buffer"].values, _units("I_0(S;AB) - I_t(S;B)"))
    data["drop_stderr"] = np.hypot(data["label_buffer_stderr"], clean.stderr)
    data["kappa"], data["kappa_stderr"] = _share(data)
    data.attrs = {
        "label_clean": clean.value,
        "label_clean_stderr": clean.stderr,
        "label_entropy": float(entr(prior.label_weights).sum()),
        "model": type(prior).__name__,
        "noise": noise(float(times[0])).name,
    }
    return data


def speciation_window(
    curves: xr.Dataset,
    *,
    threshold: float | None = None,
    kappa: float | None = None,
    n_resamples: int = 200,
    rng: Any = 0,
) -> xr.Dataset:
    r"""The window of speciation and, beside it, the window of nonlocality.

    Ends are found by linear interpolation between the times of the curves. Their errors are those
    of :func:`phasetheory.locate_transition`: half a grid cell, and the scatter over resamples.

    Args:
        curves: Result of :func:`phasetheory.label_curves`, at least 3 times.
        threshold: :math:`\delta` in nats; half the largest CMI by default.
        kappa: :math:`\kappa` in (0, 1]; by default the smallest share of the CMI that the label
            explains at any time inside the window of nonlocality.
        n_resamples: Resamples of sampled curves.
        rng: Generator or seed of the resamples.

    Returns:
        Dataset over `window` ("speciation", "nonlocality"): `start`, `end` with `_stderr` (NaN
        where the threshold is never reached) and `open_start`, `open_end` (the window runs beyond
        the times given); attributes `threshold` (nats), `kappa`, and `contained`: whether T11's
        inclusion is seen on these times.

    Raises:
        ValueError: If the dataset is no result of `label_curves`, the threshold is not positive, or
            kappa is not in (0, 1]: then the label does not explain the CMI, T11 says nothing, and
            there is no speciation window that frames it.
    """
    missing = {"cmi", "drop", "label_all", "kappa"} - set(curves.data_vars)
    if missing or curves.sizes["t"] < 3:
        raise ValueError(
            f"curves lack {sorted(missing) or 'times: at least 3'}: give a result of label_curves"
        )
    if threshold is not None and not threshold > 0:
        raise ValueError(f"threshold={threshold}: a positive number of nats needed")
    times = curves["t"].values
    level = landmarks(times, curves["cmi"].values, threshold)[4]
    if kappa is None:
        inside = curves["kappa"].values[curves["cmi"].values > level]
        kappa = min(1.0, float(np.nanmin(inside))) if np.isfinite(inside).any() else 1.0
    if not 0 < kappa <= 1:
        raise ValueError(
            f"kappa={kappa:.4g}: a number in (0, 1] needed; at most 0 means that the label does"
            " not explain the conditional mutual information (as a parity does not), so that T11"
            " says nothing about it"
        )
    names = ("drop", "label_all", "cmi")
    value = np.stack([curves[name].values for name in names])
    stderr = np.stack([curves[f"{name}_stderr"].values for name in names])
    best = _ends(times, value, level, kappa)
    scatter = np.zeros(4)
    if (stderr > 0).any():
        rng = np.random.default_rng(rng)
        draws = value + stderr * rng.standard_normal((n_resamples, *value.shape))
        scatter = spread(np.array([_ends(times, draw, level, kappa) for draw in draws]))
    cells = np.array([grid_cell(times, place) for place in best]) / np.sqrt(12.0)
    error = np.hypot(cells, scatter).reshape(2, 2)
    ends = best.reshape(2, 2)
    data = xr.Dataset(
        {
            "start": ("window", ends[:, 0]),
            "end": ("window", ends[:, 1]),
            "start_stderr": ("window", error[:, 0]),
            "end_stderr": ("window", error[:, 1]),
            "open_start": ("window", ends[:, 0] == times[0]),
            "open_end": ("window", ends[:, 1] == times[-1]),
        },
        coords={"window": ["speciation", "nonlocality"]},
        attrs={"threshold": float(level), "kappa": float(kappa)},
    )
    inside = value[2] > level
    framed = (value[0] >= kappa * level) & (value[1] >= kappa * level)
    data.attrs["contained"] = bool(framed[inside].all())
    return data


def _point(
    law: NoisyLaw, parts: Tripartition, n_samples: int, seed: np.random.SeedSequence
) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """The four curves at one time, in the order of :data:`_CURVES`."""
    a, b, c, d = (np.random.default_rng(child) for child in seed.spawn(4))
    return (
        cmi(law, parts, n_samples=n_samples, rng=a),
        cmi_given_label(law, parts, n_samples=n_samples, rng=b),
        label_information(law, parts.B, n_samples=n_samples, rng=c)
        if parts.B.size
        else Estimate(0.0),
        label_information(law, parts.union("ABC"), n_samples=n_samples, rng=d),
    )


def _clean_information(
    prior: Prior, noise: Noise, parts: Tripartition, n_samples: int, seed: np.random.SeedSequence
) -> Estimate:
    """I_0(S;AB), for laws of points (no density) as well."""
    sites = parts.union("AB")
    if isinstance(noise, Gaussian) and not noise.sigma.any():
        if prior.q is not None:
            noise = BitFlip(0.0)
        elif isinstance(prior, GaussianMixture) and not prior.variance.any():
            return Estimate(_information_of_points(prior, sites))
    law = NoisyLaw(prior, noise)
    return label_information(law, sites, n_samples=n_samples, rng=np.random.default_rng(seed))


def _information_of_points(prior: GaussianMixture, sites: NDArray[np.int64]) -> float:
    """I(S; x_R) of points with labels: only points that coincide on R can be confused."""
    _, place = np.unique(prior.means[:, sites], axis=0, return_inverse=True)
    joint = np.zeros((int(prior.labels.max()) + 1, int(place.max()) + 1))
    np.add.at(joint, (prior.labels, place.ravel()), prior.weights)
    entropies = (entr(p).sum() for p in (joint.sum(axis=1), joint.sum(axis=0), joint))
    of_label, of_place, of_both = entropies
    return float(of_label + of_place - of_both)


def _share(data: xr.Dataset) -> tuple[tuple[str, Floats], tuple[str, Floats]]:
    """Share kappa = 1 - I(A;C|B,S)/I(A;C|B) and its error, NaN where the CMI is rounding."""
    whole, given = data["cmi"].values, data["cmi_given_label"].values
    safe = np.where(whole > ROUNDING, whole, np.nan)
    ratio = given / safe
    error = np.hypot(data["cmi_given_label_stderr"].values, ratio * data["cmi_stderr"].values)
    return ("t", 1.0 - ratio), ("t", error / safe)


def _ends(times: Floats, value: Floats, level: float, kappa: float) -> Floats:
    """Start and end of the speciation window, then of that of nonlocality; NaN where empty."""
    drop, known, whole = value
    bar = kappa * level
    forgets, knows = np.flatnonzero(drop >= bar), np.flatnonzero(known >= bar)
    start = end = np.nan
    if forgets.size:
        i = int(forgets[0])
        start = float(times[0]) if i == 0 else crossing_time(times, drop, bar, i - 1)
    if knows.size:
        i = int(knows[-1])
        last = times.size - 1
        end = float(times[last]) if i == last else crossing_time(times, known, bar, i)
    _, first, final, *_ = landmarks(times, whole, level)
    return np.array([start, end, first, final])


def _units(meaning: str) -> dict[str, str]:
    return {"units": "nats", "long_name": meaning}
