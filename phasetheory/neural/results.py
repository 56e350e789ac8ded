r"""From held-out terms to a CMI map that is drawn like an exact one.

Terms are per-sample losses L(t, context) in nats, whose mean bounds (up to a constant of t) the
uncertainty about A given the context. A predictor that sees more can ignore it, so that for every
context the best predictor that sees no more is taken; which one is decided on the validation
samples, the value read on the held-out ones:

.. math:: \hat I_t(A;C|B_r) = \frac1n \sum_i [L_i(t, B_r) - L_i(t, BC)].
"""

import json
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phasetheory import __version__
from phasetheory.estimate import Estimate
from phasetheory.neural.contexts import Contexts

__all__ = ["BIAS", "Terms", "cmi_dataset"]

Floats = NDArray[np.float64]

BIAS = (
    "both conditional entropies are bounded from above on held-out samples; the CMI is their"
    " difference, hence too low by the excess of the predictor that sees everything and too high by"
    " that of the one that sees B. With few samples the former dominates: read it as low by up to"
    " about full_gap, the held-out minus the training loss of the predictor that sees everything"
)


class Terms(NamedTuple):
    """Losses of one predictor, shape (n, n_t, n_contexts), nats.

    Attributes:
        held_out: On samples used for nothing else: all values come from them.
        validation: On samples that choose between predictors.
        training: On training samples; shows memorisation.
    """

    held_out: Floats
    validation: Floats
    training: Floats


def cmi_dataset(
    contexts: Contexts,
    terms: Terms,
    *,
    null: tuple[Contexts, Terms] | None = None,
    attrs: dict[str, Any] | None = None,
) -> xr.Dataset:
    """CMI map with the variables of :func:`phasetheory.scan`, and what an estimate needs beside.

    Args:
        contexts: What the predictor saw.
        terms: Its losses.
        null: Contexts and losses of the null run, same times and radii.
        attrs: Provenance; values that netCDF cannot hold are stored as JSON.

    Returns:
        Dataset over (t, radius). As in a scan: `cmi`, `cmi_stderr` (paired over samples),
        `cmi_n_effective`, `size_A`, `size_B`, `size_C`. Further, without the choice, which would
        hide memorisation: `cmi_raw` (held out), `cmi_train` (on training samples) and their
        difference `cmi_gap`, each with `_stderr`; `loss` (t, radius) and `loss_full` (t):
        cross-entropies h(y_A|y_B), h(y_A|y_BC), or half the integrated square errors; `full_gap`
        (t), held-out minus training loss of the predictor that sees everything;
        `cmi_covariance` (t, radius, radius_other), nats^2, for
        ``pt.markov_length(scan, covariance=scan.cmi_covariance.values)`` (singular where one
        predictor serves two radii, whose values are then equal); with a null run `cmi_null` and
        `cmi_null_raw` (without the choice) with their `_stderr`, whose truth is 0. Nothing is
        clipped: values may be negative.

    Raises:
        ValueError: If terms and contexts do not fit.
    """
    near, full = _selected(contexts, terms)
    held_out = near - full
    n = len(terms.held_out)
    coords = {"t": contexts.times, "radius": contexts.radii, "radius_other": contexts.radii}
    data = xr.Dataset(coords=coords)
    dims = ("t", "radius")
    _add(data, "cmi", dims, held_out, "conditional mutual information I(A;C|B), estimate")
    effective = [[e.n_effective for e in row] for row in _estimates(held_out)]
    data["cmi_n_effective"] = (dims, effective, {"long_name": "effective number of samples"})
    sizes = contexts.buffers.sum(axis=1)
    data["size_A"] = ("radius", np.ones_like(sizes))
    data["size_B"] = ("radius", sizes)
    data["size_C"] = ("radius", contexts.n_sites - 1 - sizes)
    text = "cmi without a choice between predictors"
    _add(data, "cmi_raw", dims, _raw(contexts, terms.held_out), text)
    _add(data, "cmi_train", dims, _raw(contexts, terms.training), f"{text}, on training samples")
    gap = data["cmi_train"].values - data["cmi_raw"].values
    error = np.hypot(data["cmi_train_stderr"].values, data["cmi_raw_stderr"].values)
    text = "memorisation: cmi_train minus cmi_raw"
    data["cmi_gap"] = (dims, gap, {"units": "nats", "long_name": text})
    data["cmi_gap_stderr"] = (dims, error, {"units": "nats"})
    _add(data, "loss", dims, near, "uncertainty of A given B")
    _add(data, "loss_full", ("t",), full[..., -1], "uncertainty of A given B and C")
    excess = terms.held_out[..., -1].mean(axis=0) - terms.training[..., -1].mean(axis=0)
    text = "held-out minus training loss of the predictor that sees everything"
    data["full_gap"] = ("t", excess, {"units": "nats", "long_name": text})
    centred = held_out - held_out.mean(axis=0)
    covariance = np.einsum("itr,its->trs", centred, centred) / (n * (n - 1))
    data["cmi_covariance"] = ((*dims, "radius_other"), covariance, {"units": "nats^2"})
    if null is not None:
        if null[0].radii.tolist() != contexts.radii.tolist() or not null[0].null:
            raise ValueError("null: contexts with null=True and the same times and radii needed")
        apart = np.subtract(*_selected(*null))
        _add(data, "cmi_null", dims, apart, "cmi with C of another sample; truth 0")
        text = "the same without a choice; minus it is the cost of seeing C"
        _add(data, "cmi_null_raw", dims, _raw(null[0], null[1].held_out), text)
    data["t"].attrs = {"units": "1", "long_name": "diffusion time"}
    data["radius"].attrs = {"units": "sites", "long_name": "buffer radius r"}
    notes = {
        "title": "conditional mutual information estimated from samples",
        "estimate": "learned; values on held-out samples only, never clipped",
        "bias": BIAS,
        "n_held_out": n,
        "n_validation": len(terms.validation),
        "n_training_evaluated": len(terms.training),
        "site": contexts.site,
        "alpha": contexts.alpha.tolist(),
        "sigma": contexts.sigma.tolist(),
        "phasetheory_version": __version__,
        "source": "arXiv:2508.06614",
    } | (attrs or {})
    data.attrs = {k: v if isinstance(v, str | int | float) and not isinstance(v, bool)
                  else json.dumps(v, default=str) for k, v in notes.items()}  # fmt: skip
    return data


def _raw(contexts: Contexts, losses: Floats) -> Floats:
    """Differences (n, n_t, n_r) between every context's own predictors."""
    return losses[:, :, : len(contexts.radii)] - losses[:, :, contexts.full]


def _selected(contexts: Contexts, terms: Terms) -> tuple[Floats, Floats]:
    """Held-out losses (n, n_t, n_r) of the chosen predictors for B and for BC."""
    shape = (len(contexts.times), len(contexts.own))
    for name, values in terms._asdict().items():
        if values.ndim != 3 or values.shape[1:] != shape or len(values) < 2:
            raise ValueError(f"terms.{name} has shape {values.shape}: (n, {shape}) needed, n >= 2")
    mean = terms.validation.mean(axis=0)
    chosen = np.empty(shape, dtype=np.int64)
    for c in range(shape[1]):
        options = np.array(contexts.candidates(c))
        chosen[:, c] = options[mean[:, options].argmin(axis=1)]
    near, full = chosen[None, :, : len(contexts.radii)], chosen[None][:, :, contexts.full]
    return (
        np.take_along_axis(terms.held_out, near, axis=2),
        np.take_along_axis(terms.held_out, full, axis=2),
    )


def _estimates(values: Floats) -> list[list[Estimate]]:
    n_t, n_r = values.shape[1:]
    return [[Estimate.from_samples(values[:, i, j]) for j in range(n_r)] for i in range(n_t)]


def _add(data: xr.Dataset, name: str, dims: tuple[str, ...], values: Floats, text: str) -> None:
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    data[name] = (dims, values.mean(axis=0), {"units": "nats", "long_name": text})
    note = {"units": "nats", "long_name": f"standard error of {name}"}
    data[f"{name}_stderr"] = (dims, error, note)
