"""Exercises of chapter 4: labels of mixtures and trees, and what a region knows about them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr, expit

from phasetheory.course.exercise import Exercise, Slip
from phasetheory.engines.binary_input import binary_entropy_loss

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]
LN2 = float(np.log(2.0))


def _copies(a: int, b: int, c: int, t: float) -> float:
    """I(A;C|B) of erased copies of one fair bit."""
    return float(LN2 * t**b * (1 - t**a) * (1 - t**c))


def _posterior(y: Floats, mean: Floats, variance: float, t: float) -> Floats:
    """P(S = +1 | y), rows of y being samples."""
    alpha = 1.0 - t
    return np.asarray(expit(2.0 * alpha * (y @ mean) / (alpha**2 * variance + t**2)))


def _without_alpha(y: Floats, mean: Floats, variance: float, t: float) -> Floats:
    total = (1.0 - t) ** 2 * variance + t**2
    return np.asarray(expit(2.0 * (y @ mean) / total))


def _overlap(y: Floats, mean: Floats, variance: float, t: float) -> Floats:
    return 2.0 * _posterior(y, mean, variance, t) - 1.0


def _density(y: Floats, mean: Floats, variance: float, t: float) -> Floats:
    """The likelihood p(y | S = +1) instead of the posterior."""
    alpha = 1.0 - t
    total = alpha**2 * variance + t**2
    squares = np.square(y - alpha * mean).sum(axis=1)
    return np.asarray(np.exp(-squares / (2 * total)) / (2 * np.pi * total) ** (len(mean) / 2))


def _posteriors() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(41)
    cases = ((1, 1.0, 0.5), (4, 0.5, 0.7), (9, 0.0, 0.4))
    return [(rng.normal(size=(5, n)), rng.normal(size=n) / n, v, t) for n, v, t in cases]


def _loss(K: ArrayLike) -> Floats:
    return binary_entropy_loss(K)


def _pair(c: float) -> float:
    """I(A;C) of two fair spins of correlation c."""
    return LN2 - float(entr((1 + c) / 2) + entr((1 - c) / 2))


def _share(c: float) -> float:
    """Share of I(A;C) that the product of the spins explains: given it, A fixes C."""
    return 1.0 - LN2 / _pair(c)


def _ends(dimension: int) -> Floats:
    """Powers of N of 1 - t at the four ends, on N^dimension sites with threshold ~ 1/sites."""
    return np.array([-0.5, -0.5, -0.5, -1.0]) * dimension


def _climb(m: Floats, step: Callable[[Floats], Floats]) -> Floats:
    """From the leaves to the root, `step` taking pairs (n, pairs, 2) to parents."""
    while m.shape[1] > 1:
        m = step(m.reshape(len(m), -1, 2))
    return m[:, 0]


def _root(m: Floats, rate: float) -> Floats:
    """Posterior mean of the root of a binary tree, rows of m being samples."""
    return _climb(m, lambda pair: np.tanh(np.arctanh(rate * pair).sum(axis=2)))


def _outside(m: Floats, rate: float) -> Floats:
    return _climb(m, lambda pair: np.tanh(rate * np.arctanh(pair).sum(axis=2)))


def _bonds_left_out(m: Floats, rate: float) -> Floats:
    return _climb(m, lambda pair: np.tanh(np.arctanh(pair).sum(axis=2)))


def _flat(m: Floats, rate: float) -> Floats:
    depth = int(np.log2(m.shape[1]))
    return np.asarray(np.tanh(np.arctanh(rate**depth * m).sum(axis=1)))


def _leaves() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(46)
    return [(rng.uniform(-0.9, 0.9, size=(4, 2**d)), s) for d, s in ((1, 0.5), (2, 0.9), (4, 0.7))]


EXERCISES = (
    Exercise(
        key="4.1",
        asks="a function cmi(a, b, c, t) that returns I(A;C|B) in nats, a, b and c being the"
        " numbers of pixels in A, B and C, all copies of one fair bit, erased with probability t",
        reference=_copies,
        cases=lambda: [(1, 2, 5, 0.6), (3, 0, 2, 0.3), (2, 3, 2, 0.9), (1, 1, 3, 0.5)],
        unit="nats",
        slips=(
            Slip(lambda a, b, c, t: _copies(a, 0, c, t), "is I(A;C): the buffer is not used"),
            Slip(
                lambda a, b, c, t: _copies(a, b, c, 1 - t),
                "erases with probability 1 - t",
            ),
            Slip(
                lambda a, b, c, t: LN2 * (1 - t**b) * (1 - t**a) * (1 - t**c),
                "asks B to know the bit; A and C share it only if B does not",
            ),
            Slip(
                lambda a, b, c, t: LN2 * t**b * (1 - t) ** (a + c),
                "asks every pixel of A and C to be seen; one of each is enough",
            ),
            Slip(lambda a, b, c, t: LN2 * t**b, "forgets that A and C can be erased, too"),
            Slip(
                lambda a, b, c, t: LN2 * t**b * (1 - t ** (a + c)),
                "asks that A or C is seen; both must be",
            ),
        ),
        hint="Three events: nothing in B is seen, something in A is, something in C is.",
        rtol=1e-8,
    ),
    Exercise(
        key="4.2",
        asks="a function posterior(y, mean, variance, t) that returns P(S = +1|y), shape (n,), for"
        " y of shape (n, n_sites) and mean of shape (n_sites,)",
        reference=_posterior,
        cases=_posteriors,
        slips=(
            Slip(
                lambda y, mean, v, t: _posterior(0.5 * y, mean, v, t),
                "has half the log-odds: the two exponents differ by 2 alpha mean.y/V",
            ),
            Slip(
                lambda y, mean, v, t: _posterior(-y, mean, v, t),
                "is P(S = -1|y)",
            ),
            Slip(_without_alpha, "leaves out alpha: the mean of y is alpha times that of x"),
            Slip(
                lambda y, mean, v, t: _posterior(y, mean, 0.0, t),
                "leaves out the variance of the clean pixels",
            ),
            Slip(
                lambda y, mean, v, t: expit(
                    2 * (1 - t) * (y @ mean) / np.sqrt((1 - t) ** 2 * v + t**2)
                ),
                "divides by the standard deviation of y instead of its variance",
            ),
            Slip(
                lambda y, mean, v, t: expit(2 * (1 - t) * (y @ mean) / ((1 - t) ** 2 * v + t)),
                "takes t for the variance of the noise; sigma = t",
            ),
            Slip(_overlap, "is the mean <S> of the label, between -1 and 1, not a probability"),
            Slip(_density, "is the likelihood of y, not yet the posterior of the label"),
        ),
        hint="The log-odds are 2 alpha mean.y/V; V is the variance of a noisy pixel given S.",
        rtol=1e-8,
    ),
    Exercise(
        key="4.3",
        asks="a function F(K) that returns E log(1 + exp(-2K^2 - 2Kz)) in nats for an array K of"
        " any shape, z a standard normal variable",
        reference=_loss,
        cases=lambda: [(np.array([0.0, 0.5, 1.0]),), (np.array([[2.0, 3.0]]),)],
        unit="nats",
        slips=(
            Slip(lambda K: LN2 - _loss(K), "is what is known, ln 2 - F, not what is lost"),
            Slip(
                lambda K: np.log1p(np.exp(-2 * K**2)),
                "sets z to its mean 0 instead of averaging over it",
            ),
            Slip(lambda K: _loss(K) + 2 * K**2, "has the wrong sign in the exponent"),
            Slip(lambda K: _loss(np.sqrt(K)), "takes K for K^2"),
            Slip(
                lambda K: _loss(K) * np.sqrt(2 * np.pi),
                "weighs z without the factor 1/sqrt(2 pi) of the normal density",
            ),
        ),
        hint="Sum over a fine grid of z from -10 to 10 on a last axis, with the normal density as"
        " weight; a sampled mean over z has too large an error.",
        rtol=1e-5,
    ),
    Exercise(
        key="4.4",
        asks="a number: the share kappa = 1 - I(A;C|S)/I(A;C) at t = 0, two spins of correlation"
        " 0.8, S their product",
        reference=lambda: _share(0.8),
        slips=(
            Slip(lambda: 1 - _share(0.8), "is I(A;C|S)/I(A;C); kappa is one minus that"),
            Slip(lambda: 1.0, "takes A and C to be independent given S; they are not"),
            Slip(
                lambda: 1 - _pair(0.8) / LN2,
                "divides I(A;C) by I(A;C|S); it is the other way round",
            ),
            Slip(lambda: _pair(0.8), "is I(A;C), not yet a share of it"),
            Slip(lambda: _pair(0.8) - LN2, "is a difference in nats; divide it by I(A;C)"),
        ),
        hint="If S is known, A fixes C, and both are fair coins. I(A;C) is ln 2 - h(0.9).",
    ),
    Exercise(
        key="4.5",
        asks="an array of four powers of N, those of 1 - t at the start of speciation, the start"
        " and the end of nonlocality, the end of speciation, on a line of N pixels",
        reference=lambda: _ends(1),
        slips=(
            Slip(lambda: _ends(2), "is that of N x N pixels"),
            Slip(lambda: -_ends(1), "is how N/(...) grows; 1 - t falls with N"),
            Slip(
                lambda: np.array([-0.5, -0.5, -0.5, -0.5]),
                "keeps the threshold fixed at the end of speciation; it falls as 1/N",
            ),
            Slip(
                lambda: np.array([-0.5, -0.5, -0.5, -2.0]),
                "takes the threshold 1/N^2 at the end of speciation",
            ),
            Slip(lambda: _ends(1)[::-1], "lists the ends from t = 1 down"),
        ),
        hint="K_R^2 is (1-t)^2 |R| near t = 1, with |R| in proportion to N.",
    ),
    Exercise(
        key="4.6",
        asks="a function root(m, rate) that returns the posterior mean of the root, shape (n,), for"
        " the means m of the leaves, shape (n, 2^depth), and the correlation `rate` of a bond",
        reference=_root,
        cases=_leaves,
        slips=(
            Slip(_bonds_left_out, "leaves out the bonds: a message passes with a factor rate"),
            Slip(_outside, "multiplies artanh(m) by rate; it is m that a bond weakens"),
            Slip(_flat, "treats the leaves as independent given the root; siblings are not"),
            Slip(
                lambda m, s: _climb(m, lambda pair: s * pair.sum(axis=2)),
                "adds means; it is their artanh that add",
            ),
            Slip(
                lambda m, s: _climb(m, lambda pair: s * np.tanh(np.arctanh(pair).sum(axis=2))),
                "weakens a message after the children are joined; each child has its own bond",
            ),
        ),
        hint="Level by level: tanh of the sum over both children of artanh(rate m).",
        rtol=1e-8,
    ),
)
