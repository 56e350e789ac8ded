"""Exercises of chapter 3: Gaussian fields, Wiener filters, the noisy chain, images."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.course.exercise import Exercise, Slip
from phasetheory.images import load_images
from phasetheory.models.gaussian_field import GaussianField

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def _pair(rho: float, alpha: float, sigma: float) -> float:
    """I(y1;y2) of two sites of variance 1."""
    r = alpha**2 * rho / (alpha**2 + sigma**2)
    return float(-0.5 * np.log1p(-r * r))


def _log_det(covariance: Floats, *parts: ArrayLike) -> float:
    sites = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
    return float(np.linalg.slogdet(covariance[np.ix_(sites, sites)])[1]) if sites.size else 0.0


def _cmi(covariance: Floats, A: ArrayLike, B: ArrayLike, C: ArrayLike) -> float:
    total = _log_det(covariance, A, B) + _log_det(covariance, B, C)
    return 0.5 * (total - _log_det(covariance, B) - _log_det(covariance, A, B, C))


def _wiener(y: Floats, mean: Floats, covariance: Floats, noise: ArrayLike, region: Ints) -> Floats:
    """E[x | y on region], rows of y being samples, noise = (alpha, sigma)."""
    alpha, sigma = np.asarray(noise, dtype=float)
    seen = alpha**2 * covariance[np.ix_(region, region)] + sigma**2 * np.eye(len(region))
    gain = np.linalg.solve(seen, alpha * covariance[region])
    return np.asarray(mean + (y[:, region] - alpha * mean[region]) @ gain)


def _uncentred(y: Floats, mean: Floats, covariance: Floats, noise: Any, region: Ints) -> Floats:
    return _wiener(y, np.zeros_like(mean), covariance, noise, region)


def _mean_of_x(y: Floats, mean: Floats, covariance: Floats, noise: Any, region: Ints) -> Floats:
    return _wiener(y + (noise[0] - 1) * mean, mean, covariance, noise, region)


def _without_mean(y: Floats, mean: Floats, covariance: Floats, noise: Any, region: Ints) -> Floats:
    return _wiener(y, mean, covariance, noise, region) - mean


def _everything(y: Floats, mean: Floats, covariance: Floats, noise: Any, region: Ints) -> Floats:
    return _wiener(y, mean, covariance, noise, np.arange(len(mean)))


def _times_alpha(y: Floats, mean: Floats, covariance: Floats, noise: Any, region: Ints) -> Floats:
    guess = _wiener(y, mean, covariance, noise, region)
    return np.asarray(mean + noise[0] * (guess - mean))


def _root(a: float, t: float) -> float:
    """Root b < 1 of the moving average, for s^2 = 1."""
    alpha, sigma = 1.0 - t, t
    total = alpha**2 * (1 - a**2) + sigma**2 * (1 + a**2)
    lag = a * sigma**2
    return float((total - np.sqrt(total**2 - 4 * lag**2)) / (2 * lag))


@cache
def _losses(t: float) -> Floats:
    """Squared error of the centre of the images from the window of radius r, r = 0..14."""
    field = GaussianField.fit(load_images())
    covariance = field.covariance.block(np.arange(784), np.arange(784))
    row, column = np.indices((28, 28)).reshape(2, -1)
    distance = np.maximum(abs(row - 14), abs(column - 14))
    centre = 14 * 28 + 14
    found = []
    for r in range(15):
        region = np.flatnonzero(distance <= r)
        seen = (1 - t) ** 2 * covariance[np.ix_(region, region)] + t**2 * np.eye(len(region))
        across = (1 - t) * covariance[centre, region]
        found.append(covariance[centre, centre] - across @ np.linalg.solve(seen, across))
    return np.array(found)


def _smallest(excess: float) -> int:
    losses = _losses(0.3)
    return int(np.flatnonzero(losses <= (1 + excess) * losses[-1])[0])


def _covariances() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(31)
    found: list[tuple[Any, ...]] = []
    for parts in (([0], [1, 2], [3, 4, 5]), ([2, 3], [0], [5]), ([1], [], [0, 4])):
        factor = rng.normal(size=(6, 8))
        found.append((factor @ factor.T, *(np.array(p, dtype=int) for p in parts)))
    return found


def _filters() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(32)
    found: list[tuple[Any, ...]] = []
    for noise, region in (((0.7, 0.3), [0, 1, 2]), ((0.4, 0.6), [3]), ((0.5, 0.5), [1, 4])):
        factor = rng.normal(size=(5, 7))
        y, mean = rng.normal(size=(3, 5)), rng.normal(size=5)
        found.append((y, mean, factor @ factor.T, noise, np.array(region)))
    return found


EXERCISES = (
    Exercise(
        key="3.1",
        asks="a number: I(y1;y2) in nats, variances 1, correlation 0.8, Gaussian noise t = 0.4",
        reference=lambda: _pair(0.8, 0.6, 0.4),
        unit="nats",
        slips=(
            Slip(lambda: _pair(0.8, 1.0, 0.0), "leaves out the noise"),
            Slip(lambda: _pair(0.8, 1.0, 0.4), "leaves out alpha: the signal shrinks, too"),
            Slip(lambda: _pair(0.8, 0.6, np.sqrt(0.4)), "takes t for the variance; sigma = t"),
            Slip(
                lambda: -0.5 * np.log1p(-((0.36 * 0.8) ** 2)),
                "takes the covariance for the correlation: divide by the variance of y",
            ),
        ),
        hint="The correlation of y is alpha^2 rho/(alpha^2 + sigma^2), and I = -log(1 - r^2)/2.",
    ),
    Exercise(
        key="3.2",
        asks="a function cmi(covariance, A, B, C) that returns I(A;C|B) in nats, A, B, C being"
        " index arrays; B may be empty",
        reference=_cmi,
        cases=_covariances,
        unit="nats",
        slips=(
            Slip(lambda S, A, B, C: _cmi(S, A, [], C), "is I(A;C): the buffer is not used"),
            Slip(
                lambda S, A, B, C: _cmi(S, A, B, C) + 0.5 * _log_det(S, B),
                "leaves out the determinant of B",
            ),
            Slip(
                lambda S, A, B, C: _cmi(np.linalg.inv(S), A, B, C),
                "inverts the covariance: that is the CMI of another field",
            ),
        ),
        hint="I = [logdet AB + logdet BC - logdet B - logdet ABC]/2; no sites: determinant 1.",
        rtol=1e-8,
    ),
    Exercise(
        key="3.3",
        asks="a function wiener(y, mean, covariance, noise, region) that returns E[x|y_R] for all"
        " sites, shape of y; noise = (alpha, sigma), region = an index array",
        reference=_wiener,
        cases=_filters,
        slips=(
            Slip(_everything, "reads all of y, not the region only"),
            Slip(_mean_of_x, "subtracts mean from y; the mean of y is alpha mean"),
            Slip(_uncentred, "leaves out the mean altogether"),
            Slip(_without_mean, "does not add the mean in the end"),
            Slip(_times_alpha, "estimates alpha x instead of x (or has one alpha too many)"),
        ),
        hint="mean + alpha S[:, R] (alpha^2 S[R, R] + sigma^2)^-1 (y_R - alpha mean_R).",
        rtol=1e-8,
    ),
    Exercise(
        key="3.4",
        asks="a number: the Markov length in sites of the chain a = 0.9, s = 1 under Gaussian"
        " noise t = 0.5",
        reference=lambda: -0.5 / np.log(_root(0.9, 0.5)),
        slips=(
            Slip(lambda: _root(0.9, 0.5), "is the root b, not yet a length"),
            Slip(
                lambda: -1 / np.log(_root(0.9, 0.5)),
                "is twice too long: the CMI is of second order in b^r",
            ),
            Slip(
                lambda: -0.5 / np.log(0.9),
                "uses the clean correlation a instead of the root b",
            ),
            Slip(
                lambda: -0.5 / np.log10(_root(0.9, 0.5)),
                "uses the decimal logarithm",
            ),
        ),
        hint="I ~ b^(2r) = exp(-r/xi) with b the smaller root of the quadratic equation above.",
    ),
    Exercise(
        key="3.5",
        asks="a number: the smallest r with mmse(window)/mmse(image) <= 1.05, t = 0.3, centre"
        " (14, 14)",
        reference=lambda: float(_smallest(0.05)),
        slips=(
            Slip(lambda: float(_smallest(0.05) + 1), "is one too large: `<=`, and r = 0 counts"),
            Slip(lambda: float(_smallest(0.05) - 1), "is one too small: is r = 0 the pixel alone?"),
            Slip(
                lambda: 2.0 * _smallest(0.05) + 1,
                "is the width of the window, not its radius",
            ),
        ),
        hint="For each r, the mmse is S_AA - alpha^2 S_AR (alpha^2 S_RR + sigma^2)^-1 S_RA.",
        rtol=1e-9,
    ),
)
