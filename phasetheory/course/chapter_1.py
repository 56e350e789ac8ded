r"""Exercises of chapter 1: two spins with :math:`p(x_1, x_2) = (1 + c\,x_1 x_2)/4`.

Tables have index 0 for spin -1 and index 1 for spin +1. `t` is the strength of the noise, a = 1-t.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]
SPIN = np.array([-1.0, 1.0])


def _prior(c: float) -> Floats:
    return (1.0 + c * np.outer(SPIN, SPIN)) / 4.0


def _channel(t: float) -> Floats:
    """Bit flips: p(y|x), shape (y, x)."""
    return (1.0 + (1.0 - t) * np.outer(SPIN, SPIN)) / 2.0


def _erasure(t: float) -> Floats:
    return np.array([[1 - t, 0.0], [t, t], [0.0, 1 - t]])


def _posterior(c: float, t: float) -> Floats:
    """p(x1, x2 | y1 = +1, y2 = -1)."""
    like = _channel(t)
    joint = _prior(c) * like[1][:, None] * like[0][None, :]
    return joint / joint.sum()


def _evidence_only(c: float, t: float) -> Floats:
    joint = _prior(c) * _channel(t)[1][:, None] * _channel(t)[0][None, :]
    return joint


def _erased_denoiser(y1: int, y2: int, c: float) -> float:
    return float(y1 if y1 else c * y2)


def _flip_score(c: float, t: float) -> float:
    """The difference log p(-1, -1) - log p(+1, -1) after bit flips."""
    a = 1.0 - t
    return float(np.log1p(a * a * c) - np.log1p(-a * a * c))


def _gap(c: float, a: float) -> float:
    return a**2 * c**2 * (1 - a**2) ** 2 / (1 - a**4 * c**2)


def _widest_gap(c: float) -> float:
    found = minimize_scalar(
        lambda t: -_gap(c, 1 - t), bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10}
    )
    return float(found.x)


def _field_score(y: Floats, c: float, alpha: float, sigma: float, power: int = 2) -> Floats:
    """Gradient of log p_t for Gaussian noise, rows of y being samples."""
    h = alpha * y / sigma**2
    guess = np.tanh(h + np.arctanh(c * np.tanh(h[:, ::-1])))
    return np.asarray((alpha * guess - y) / sigma**power)


def _local_score(y: Floats, c: float, alpha: float, sigma: float) -> Floats:
    return _field_score(y, 0.0, alpha, sigma)


def _without_alpha(y: Floats, c: float, alpha: float, sigma: float) -> Floats:
    guess = _field_score(y, c, alpha, sigma) * sigma**2 + y
    return np.asarray((guess / alpha - y) / sigma**2)


def _score_cases() -> list[tuple[Any, ...]]:
    y = np.random.default_rng(11).normal(size=(5, 2))
    return [(y, 0.6, 0.7, 0.3), (y, -0.4, 0.4, 0.6), (y, 0.9, 0.8, 0.5)]


EXERCISES = (
    Exercise(
        key="1.1",
        asks="an array of shape (3, 2): p(y|x) of erasure with t = 0.3, rows y = -1, 0, +1,"
        " columns x = -1, +1",
        reference=lambda: _erasure(0.3),
        slips=(
            Slip(lambda: _erasure(0.7), "erases with probability 1 - t"),
            Slip(lambda: _erasure(0.15), "erases with probability t/2; that is the rule for flips"),
            Slip(lambda: _erasure(0.3)[[0, 2, 1]], "orders the rows -1, +1, 0"),
            Slip(lambda: _erasure(0.3)[[1, 0, 2]], "orders the rows 0, -1, +1"),
            Slip(lambda: _erasure(0.3)[::-1], "orders the rows +1, 0, -1"),
        ),
        hint="What can happen to x = -1? It stays, or it is erased; nothing else.",
        sums=(0,),
    ),
    Exercise(
        key="1.2",
        asks="an array of shape (2, 2): p(x1, x2 | y1 = +1, y2 = -1), c = 0.6, bit flips t = 0.4",
        reference=lambda: _posterior(0.6, 0.4),
        slips=(
            Slip(lambda: _posterior(0.0, 0.4), "leaves out the prior, or takes it as uniform"),
            Slip(lambda: _prior(0.6), "leaves out the likelihood: it is the prior"),
            Slip(lambda: _posterior(0.6, 0.8), "flips with probability t; a spin flips with t/2"),
            Slip(lambda: _evidence_only(0.6, 0.4), "is not normalised: divide by p(y)"),
            Slip(lambda: _posterior(0.6, 0.4).T, "exchanges the two spins"),
            Slip(lambda: _posterior(-0.6, 0.4), "has the wrong sign of c"),
        ),
        hint="Multiply prior and both likelihoods entry by entry, then divide by the sum.",
        sums=(0, 1),
    ),
    Exercise(
        key="1.3",
        asks="a function denoiser(y1, y2, c) that returns E[x1|y1, y2] for erasure, y = 0 being"
        " erased",
        reference=_erased_denoiser,
        cases=lambda: [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (0.7, -0.2)],
        slips=(
            Slip(lambda y1, y2, c: float(y1), "is the local denoiser: it never reads y2"),
            Slip(lambda y1, y2, c: y1 + c * y2, "adds c y2 even where x1 is seen"),
            Slip(
                lambda y1, y2, c: float(y1 or y2),
                "copies the neighbour; how strongly do x1 and x2 agree on average?",
            ),
            Slip(
                lambda y1, y2, c: float(y1 or np.sign(c * y2)),
                "guesses the likelier sign; the mean lies between -1 and 1",
            ),
        ),
        hint="Four situations: y1 seen or erased, y2 seen or erased.",
        rtol=1e-9,
    ),
    Exercise(
        key="1.4",
        asks="a number: log p(-1, -1) - log p(+1, -1), nats, for c = 0.8 and bit flips t = 0.2",
        reference=lambda: _flip_score(0.8, 0.2),
        unit="nats",
        slips=(
            Slip(lambda: _flip_score(0.8, 0.0), "is the score of the clean law: noise is missing"),
            Slip(lambda: 2 * np.arctanh(0.8 * 0.8), "noises one of the two spins only"),
            Slip(lambda: _flip_score(0.8, 0.4), "flips with probability t; a spin flips with t/2"),
            Slip(lambda: 0.0, "compares with the pair in which both spins are flipped"),
            Slip(lambda: np.exp(_flip_score(0.8, 0.2)), "leaves out the logarithm"),
        ),
        hint="Use p_t(y) = (1 + (1-t)^2 c y1 y2)/4 twice.",
    ),
    Exercise(
        key="1.5",
        asks="a number: the time t in [0, 1] at which the locality gap is largest, c = 0.5",
        reference=lambda: _widest_gap(0.5),
        slips=(
            Slip(lambda: 1 - _widest_gap(0.5), "is a = 1 - t instead of t"),
            Slip(lambda: (1 - _widest_gap(0.5)) ** 2, "is a^2 instead of t"),
            Slip(lambda: 1 - (1 - _widest_gap(0.5)) ** 2, "is 1 - a^2 instead of 1 - a"),
            Slip(lambda: _gap(0.5, 1 - _widest_gap(0.5)), "is the gap itself, not its time"),
        ),
        hint="Set the derivative of the gap by s = a^2 to zero, or search on a fine grid of t.",
    ),
    Exercise(
        key="1.6",
        asks="a function score(y, c, alpha, sigma) that returns the gradient of log p_t, shape"
        " (n, 2) like y",
        reference=_field_score,
        cases=_score_cases,
        slips=(
            Slip(_local_score, "is the local score: each column reads its own y only"),
            Slip(
                lambda y, c, alpha, sigma: _field_score(y, c, alpha, sigma, 0),
                "leaves out 1/sigma^2",
            ),
            Slip(
                lambda y, c, alpha, sigma: _field_score(y, c, alpha, sigma, 1),
                "divides by sigma, not sigma^2",
            ),
            Slip(_without_alpha, "leaves out alpha in front of the denoiser"),
            Slip(
                lambda y, c, alpha, sigma: (
                    (_field_score(y, c, alpha, sigma) * sigma**2 + y) / alpha
                ),
                "is the denoiser, not yet the score",
            ),
        ),
        hint="Tweedie: (alpha E[x|y] - y)/sigma^2, with h_i = alpha y_i/sigma^2.",
        rtol=1e-8,
    ),
)
