r"""Where the curves of two sizes cross: a view of t_c that needs no exponent nu."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq

from phasetheory.transitions.curves import Curves, as_curves
from phasetheory.transitions.linear import MIN_P_VALUE, MIN_SIGNIFICANCE
from phasetheory.transitions.smooth import MIN_POINTS, Smooth, smooth

__all__ = ["crossings"]

Floats = NDArray[np.float64]

#: Points at which the sign of a difference of curves is looked at.
_GRID = 801
#: Share of the resamples that must cross too.
_MIN_CROSSING = 0.95


def crossings(
    data: xr.Dataset | Curves,
    *,
    value: str = "cmi",
    a: float = 0.0,
    pairs: Sequence[tuple[float, float]] | None = None,
    n_resamples: int = 400,
    rng: Any = 0,
) -> xr.Dataset:
    r"""Crossings :math:`t^*` of the curves :math:`L^a I(L, t)` of pairs of sizes.

    Where :math:`I = L^{-a} \Phi((t - t_c) L^{1/\nu})`, all curves meet at t_c; corrections
    :math:`L^{-\omega}` move the crossing of two sizes by an amount of order
    :math:`L^{-1/\nu - \omega}`, which :func:`phasetheory.extrapolate_crossings` takes away.

    Each size gets a smooth curve of its own, the polynomial of least corrected Akaike criterion. A
    crossing counts where the difference of two curves is more than 4 of its errors below zero on
    one side and above on the other, so that curves which only touch within their errors do not
    cross. Errors are those of a parametric bootstrap of the curves. Neighbouring pairs share a
    size: their covariance is kept. *Exact data*: the error is what the misfit of the polynomials
    leaves open, a bound on interpolation only.

    Args:
        data: As for :func:`phasetheory.collapse`; at least 2 sizes, each with 4 times or more.
        value: Name of the variable.
        a: Exponent of the amplitude; 0 for quantities without one.
        pairs: Pairs of sizes; each size and the next by default.
        n_resamples: Resamples of the bootstrap, at least 20.
        rng: Generator or seed of the bootstrap.

    Returns:
        Dataset over `pair`: `size` (geometric mean) and `ratio` of the two, `size_small`,
        `size_large`; `t_cross`, `t_cross_stderr`; `height` of :math:`L^a I` there with
        `height_stderr`; `covariance` of t_cross over (`pair`, `pair_`); `verdict`: "ok",
        "no crossing", "several crossings", "not determined" (fewer than 95 % of the resamples
        cross), "curves are not smooth" (p < 0.001), with NaN except for "ok".

    Raises:
        ValueError: If the data do not fit, or a pair is not of two sizes of the data.

    Source: Binder, Z. Phys. B 43, 119 (1981), for crossings as estimates of a critical point.
    """
    curves = as_curves(data, value, 2)
    if n_resamples < 20:
        raise ValueError(f"n_resamples={n_resamples}: at least 20 needed for an error")
    if not np.isfinite(a):
        raise ValueError(f"a={a}: a number needed")
    known = curves.sizes.tolist()
    chosen = list(pairwise(known)) if pairs is None else sorted(pairs)
    for pair in chosen:
        if len(set(pair)) != 2 or not set(pair) <= set(known):
            raise ValueError(f"pairs holds {pair}: two different sizes out of {known} needed")
    rng = np.random.default_rng(rng)
    lifted = replace(
        curves,
        value=curves.value * curves.size**a,
        stderr=curves.stderr * curves.size**a,
    )
    drawn = {size: _Drawn.of(lifted, size, n_resamples, rng) for size in known}
    found = [_crossing(drawn[min(pair)], drawn[max(pair)]) for pair in chosen]
    return _dataset(chosen, found, exact=curves.exact)


class _Drawn(NamedTuple):
    """The smooth curve of one size and its resamples."""

    curve: Smooth
    draws: Floats

    @classmethod
    def of(cls, curves: Curves, size: float, n: int, rng: np.random.Generator) -> "_Drawn":
        own = curves.where(curves.size == size)
        distinct = np.unique(own.t).size
        if distinct < MIN_POINTS:
            raise ValueError(f"size {size:g} has {distinct} times: at least {MIN_POINTS} needed")
        curve = smooth(own.t, own.value, own.error)
        return cls(curve, curve.draw(n, rng))


class _Crossing(NamedTuple):
    verdict: str
    t: float = np.nan
    height: float = np.nan
    draws: Any = None


def _crossing(small: _Drawn, large: _Drawn) -> _Crossing:
    low = max(small.curve.domain[0], large.curve.domain[0])
    high = min(small.curve.domain[1], large.curve.domain[1])
    if not low < high:
        return _Crossing("no crossing")
    if any(one.curve.line.p_value < MIN_P_VALUE for one in (small, large)):
        return _Crossing("curves are not smooth")
    grid = np.linspace(low, high, _GRID)
    bases = [one.curve.basis(grid) for one in (small, large)]
    lines = [one.curve.line for one in (small, large)]
    below, above = (b @ line.coefficients for b, line in zip(bases, lines, strict=True))
    variance = sum(
        np.einsum("gi,ij,gj->g", b, line.covariance, b)
        for b, line in zip(bases, lines, strict=True)
    )
    clear = np.flatnonzero(np.abs(above - below) > MIN_SIGNIFICANCE * np.sqrt(variance))
    sign = np.sign((above - below)[clear])
    turns = np.flatnonzero(np.diff(sign))
    if turns.size != 1:
        return _Crossing("several crossings" if turns.size else "no crossing")
    first, last = clear[turns[0]], clear[turns[0] + 1]

    def difference(t: float) -> float:
        point = np.array([t])
        ends = [(one.curve.basis(point) @ one.curve.line.coefficients)[0] for one in (small, large)]
        return float(ends[1] - ends[0])

    t = float(brentq(difference, grid[first], grid[last], xtol=1e-14))
    gap = large.draws @ bases[1].T - small.draws @ bases[0].T
    times = np.array([_nearest_turn(grid, row * sign[turns[0] + 1], t) for row in gap])
    if np.isfinite(times).mean() < _MIN_CROSSING:
        return _Crossing("not determined")
    curves = [small.draws, large.draws]
    at = [one.curve.basis(np.nan_to_num(times, nan=t)) for one in (small, large)]
    heights = np.mean([np.einsum("ni,ni->n", b, c) for b, c in zip(at, curves, strict=True)], 0)
    height = float(small.curve.basis(np.array([t]))[0] @ small.curve.line.coefficients)
    return _Crossing("ok", t, height, np.stack([times, heights]))


def _nearest_turn(grid: Floats, rising: Floats, t: float) -> float:
    """Where a curve that should go from below zero to above does so, nearest to t."""
    up = np.flatnonzero((rising[:-1] < 0) & (rising[1:] >= 0))
    if not up.size:
        return np.nan
    share = rising[up] / (rising[up] - rising[up + 1])
    places = grid[up] + share * (grid[up + 1] - grid[up])
    return float(places[np.argmin(np.abs(places - t))])


def _dataset(
    pairs: Sequence[tuple[float, float]], found: Sequence[_Crossing], *, exact: bool
) -> xr.Dataset:
    sides = np.array([sorted(pair) for pair in pairs])
    good = [i for i, one in enumerate(found) if one.verdict == "ok"]
    covariance = np.full((len(found), len(found)), np.nan)
    height_stderr = np.full(len(found), np.nan)
    if good:
        times = np.array([found[i].draws[0] for i in good])
        # Resamples without a crossing are few (or the pair is not "ok"): leave them out of all.
        kept = np.isfinite(times).all(axis=0)
        covariance[np.ix_(good, good)] = np.atleast_2d(np.cov(times[:, kept]))
        height_stderr[good] = [found[i].draws[1][kept].std(ddof=1) for i in good]
    columns: dict[str, Any] = {
        "t_cross": [one.t for one in found],
        "t_cross_stderr": np.sqrt(np.diag(covariance)),
        "height": [one.height for one in found],
        "height_stderr": height_stderr,
        "verdict": [one.verdict for one in found],
    }
    coords = {
        "size": ("pair", np.sqrt(sides.prod(axis=1))),
        "ratio": ("pair", sides[:, 1] / sides[:, 0]),
        "size_small": ("pair", sides[:, 0]),
        "size_large": ("pair", sides[:, 1]),
    }
    data = xr.Dataset({name: ("pair", column) for name, column in columns.items()}, coords=coords)
    data["covariance"] = (("pair", "pair_"), covariance)
    return data.assign_attrs(exact=int(exact))
