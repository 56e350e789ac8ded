"""Exercises of chapter 8: learned denoisers and estimates of information, in numpy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]

KINDS = ("x0", "eps", "v", "velocity", "score")


def _clean(out: Floats, y: Floats, kind: str, t: float) -> Floats:
    """E[x_0|y] from a network's output, alpha = 1 - t, sigma = t."""
    alpha, sigma = 1.0 - t, t
    found = {
        "x0": out,
        "eps": (y - sigma * out) / alpha,
        "v": (alpha * y - sigma * out) / (alpha**2 + sigma**2),
        "velocity": y - sigma * out,
        "score": (y + sigma**2 * out) / alpha,
    }
    return np.asarray(found[kind])


def _instead(kind: str, wrong: Any) -> Any:
    """The conversion with one of its formulas replaced by wrong(out, y, alpha, sigma)."""

    def convert(out: Floats, y: Floats, named: str, t: float) -> Floats:
        return np.asarray(
            wrong(out, y, 1.0 - t, t) if named == kind else _clean(out, y, named, t), dtype=float
        )

    return convert


def _outputs() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(81)
    return [
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), kind, t)
        for kind, t in zip((*KINDS, *KINDS), np.linspace(0.15, 0.9, 10), strict=True)
    ]


def _paired(near: Floats, full: Floats) -> Floats:
    """Mean difference and its standard error, losses of the same samples in both arrays."""
    gain = np.asarray(near) - np.asarray(full)
    return np.array([gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)])


def _stderr_as(error: Any) -> Any:
    """The paired estimate with another error bar, error(near, full)."""
    return lambda near, full: np.array([(near - full).mean(), error(near, full)])


def _losses() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(82)
    found = []
    for n, gain in ((12, 0.2), (40, 0.05), (7, -0.1)):
        shared = rng.normal(size=n)
        found.append((shared + gain + 0.2 * rng.normal(size=n), shared + 0.1 * rng.normal(size=n)))
    return found


def _misjudged(true: float, claimed: float) -> float:
    """Excess cross-entropy of a Gaussian that claims another variance, its mean being right."""
    return 0.5 * (true / claimed - 1.0 - np.log(true / claimed))


def _information(before: float, after: float) -> float:
    """I from two conditional variances."""
    return float(0.5 * np.log(before / after))


def _by_snr(v_near: float, v_full: float, snr: float) -> float:
    """Half the integral of v/(1 + g v) between 0 and snr, near minus full."""
    return float(0.5 * np.log((1.0 + snr * v_near) / (1.0 + snr * v_full)))


def _height(v_near: float, v_full: float, snr: float, g: float) -> float:
    """The same with the integrand held at its value at g."""
    return 0.5 * snr * (v_near / (1 + g * v_near) - v_full / (1 + g * v_full))


def _critic(r: float, rho: float) -> float:
    """Donsker-Varadhan value on pairs of correlation rho, critic for correlation r."""
    return float(-0.5 * np.log1p(-r * r) + (r * rho - r * r) / (1.0 - r * r))


def _true_information(rho: float) -> float:
    return float(-0.5 * np.log1p(-rho * rho))


def _memoriser(K: float, n: int) -> float:
    """Value of K on the n training pairs and 0 on all others, the n^2 shuffles of them pooled."""
    return float(K - np.logaddexp(K - np.log(n), np.log1p(-1.0 / n)))


def _heights() -> list[tuple[Any, ...]]:
    return [(0.5, 10), (2.0, 100), (4.0, 100), (7.0, 1000), (20.0, 50)]


EXERCISES = (
    Exercise(
        key="8.1",
        asks="a function to_x0(out, y, kind, t) that returns E[x0|y], shape of y, from a network's"
        " output; kind is one of 'x0', 'eps', 'v', 'velocity', 'score'; alpha = 1-t, sigma = t",
        reference=_clean,
        cases=_outputs,
        slips=(
            Slip(
                _instead("v", lambda out, y, alpha, sigma: alpha * y - sigma * out),
                "takes alpha^2 + sigma^2 = 1 in v; here alpha + sigma = 1",
            ),
            Slip(
                _instead("score", lambda out, y, alpha, sigma: (y - sigma**2 * out) / alpha),
                "has the wrong sign of the score",
            ),
            Slip(
                _instead("score", lambda out, y, alpha, sigma: (y + sigma * out) / alpha),
                "multiplies the score by sigma, not sigma^2",
            ),
            Slip(
                _instead("eps", lambda out, y, alpha, sigma: y - sigma * out),
                "does not divide by alpha for eps",
            ),
            Slip(
                _instead("velocity", lambda out, y, alpha, sigma: y + sigma * out),
                "has the wrong sign of the velocity: here it points from data to noise",
            ),
        ),
        hint="Two equations, y = alpha x + sigma z and the definition of the output; solve for x.",
        rtol=1e-8,
    ),
    Exercise(
        key="8.2",
        asks="a number: I(A;C|B) in nats by T6, Var(x_A|y_B) = 0.5, Var(x_A|y_B, y_C) = 0.3,"
        " A seen at t = 0.4",
        reference=lambda: _by_snr(0.5, 0.3, 2.25),
        unit="nats",
        slips=(
            Slip(
                lambda: _information(0.5, 0.3),
                "integrates to infinity: that is the information about the clean A",
            ),
            Slip(lambda: _by_snr(0.5, 0.3, 1.5), "takes alpha/sigma for the snr: it is squared"),
            Slip(
                lambda: _height(0.5, 0.3, 2.25, 2.25),
                "holds the integrand at its last value, at g = snr",
            ),
            Slip(
                lambda: _height(0.5, 0.3, 2.25, 0.0),
                "holds the integrand at its first value, at g = 0",
            ),
        ),
        hint="Gaussian: mmse = 1/(1/v + g). Integrate from 0 to snr = alpha^2/sigma^2.",
    ),
    Exercise(
        key="8.3",
        asks="a function difference(near, full) that returns an array [estimate, standard error]"
        " in nats, from the losses of the same n samples",
        reference=_paired,
        cases=_losses,
        unit="nats",
        slips=(
            Slip(
                _stderr_as(
                    lambda near, full: (
                        np.hypot(near.std(ddof=1), full.std(ddof=1)) / np.sqrt(near.size)
                    )
                ),
                "adds the two errors as if the samples were different ones; they are the same",
            ),
            Slip(
                _stderr_as(lambda near, full: (near - full).std(ddof=1)),
                "gives the spread of one sample, not the error of the mean",
            ),
            Slip(
                _stderr_as(lambda near, full: (near - full).std() / np.sqrt(near.size)),
                "divides by n in the variance; n - 1 is asked (ddof=1)",
            ),
            Slip(
                _stderr_as(lambda near, full: (near - full).std(ddof=1) / near.size),
                "divides by n, not by its root",
            ),
            Slip(
                lambda near, full: np.array([-1.0, 1.0]) * _paired(near, full),
                "subtracts the wrong way: who sees more has the smaller loss",
            ),
        ),
        hint="First the difference of every sample, then its mean and the error of that mean.",
        rtol=1e-8,
    ),
    Exercise(
        key="8.4",
        asks="a number: the held-out estimate of I(A;C|B) in nats, Var(y_A|y_B) = 0.5,"
        " Var(y_A|y_B, y_C) = 0.4, the second network claiming 0.3",
        reference=lambda: _information(0.5, 0.4) - _misjudged(0.4, 0.3),
        unit="nats",
        slips=(
            Slip(lambda: _information(0.5, 0.4), "is the true CMI: the excess is missing"),
            Slip(
                lambda: _information(0.5, 0.3),
                "believes the claimed variance; held-out residuals have the true one",
            ),
            Slip(
                lambda: _information(0.5, 0.4) + _misjudged(0.4, 0.3),
                "adds the excess: it belongs to the entropy that is subtracted",
            ),
            Slip(
                lambda: _information(0.5, 0.4) - _misjudged(0.3, 0.4),
                "has the two variances exchanged in the excess",
            ),
            Slip(lambda: _misjudged(0.4, 0.3), "is the excess alone"),
        ),
        hint="Its held-out loss is log(2 pi w)/2 + v/(2w), v the true and w the claimed variance.",
    ),
    Exercise(
        key="8.5",
        asks="a function bound(r, rho) that returns the Donsker-Varadhan value in nats of the"
        " critic for correlation r, on pairs of correlation rho",
        reference=_critic,
        cases=lambda: [(0.5, 0.5), (0.8, 0.5), (0.3, 0.6), (-0.4, 0.6), (0.9, -0.2)],
        unit="nats",
        slips=(
            Slip(
                lambda r, rho: _true_information(rho),
                "is the true information, whatever the critic",
            ),
            Slip(
                lambda r, rho: _true_information(r),
                "is what the critic reads on its training pairs, as if rho were r",
            ),
            Slip(
                lambda r, rho: _critic(r, 0.0),
                "takes the mean of T over shuffled pairs, not over true ones",
            ),
            Slip(
                lambda r, rho: _critic(r, rho) + 0.5 * np.log1p(-r * r),
                "leaves out the logarithm in T",
            ),
        ),
        hint="E_q e^T = 1: T is a log ratio of laws. Then E_p a^2 = E_p b^2 = 1, E_p ab = rho.",
        rtol=1e-8,
    ),
    Exercise(
        key="8.6",
        asks="a function memoriser(K, n) that returns the reading in nats on n training pairs and"
        " all their n^2 shuffles",
        reference=_memoriser,
        cases=_heights,
        unit="nats",
        slips=(
            Slip(
                lambda K, n: float(K),
                "never meets a true pair among the shuffled ones; one in n is true",
            ),
            Slip(lambda K, n: np.log(n), "is the limit of large K"),
            Slip(
                lambda K, n: K - K / n,
                "takes the mean of T over shuffled pairs; it is the log of the mean of e^T",
            ),
            Slip(
                lambda K, n: K - np.logaddexp(K - 2 * np.log(n), np.log1p(-1.0 / n**2)),
                "has one true pair among n^2 shuffles; there are n of them",
            ),
        ),
        hint="Of the n^2 shuffled pairs n are true and have T = K, all others have T = 0.",
        rtol=1e-8,
    ),
)
