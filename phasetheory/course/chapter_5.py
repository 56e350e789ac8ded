"""Exercises of chapter 5: the noisy Ising chain, the strip by transfer matrix, Nishimori.

Spins -1, +1; tau = tanh J; a = 1 - t; a noisy spin has p(y|x) = (1 + a x y)/2.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]

SPIN = np.array([-1.0, 1.0])


def _forward(y: Floats, tau: float, a: float) -> Floats:
    """Log p(y) of the rows of y, with a normalised step and normalised weights at each site."""
    step = (1.0 + tau * np.outer(SPIN, SPIN)) / 2.0
    seen = (1.0 + a * np.asarray(y, dtype=float)[..., None] * SPIN) / 2.0
    weight, total = np.full((len(y), 2), 0.5), np.zeros(len(y))
    for site in range(y.shape[1]):
        weight = (weight if site == 0 else weight @ step) * seen[:, site]
        norm = weight.sum(axis=1)
        weight, total = weight / norm[:, None], total + np.log(norm)
    return total


def _log_p(y: Floats, J: float, t: float) -> Floats:
    return _forward(y, np.tanh(J), 1.0 - t)


def _without_z(y: Floats, J: float, t: float) -> Floats:
    """Bonds weighted by exp(J x x'), which does not sum to one."""
    bonds = y.shape[1] - 1
    return _log_p(y, J, t) + bonds * np.log(2.0 * np.cosh(J))


def _as_markov_chain(y: Floats, J: float, t: float) -> Floats:
    """Neighbours of y with their true correlation, taken for a Markov chain."""
    pairs = np.log1p((1.0 - t) ** 2 * np.tanh(J) * y[:, 1:] * y[:, :-1])
    return np.asarray(pairs.sum(axis=1) - y.shape[1] * np.log(2.0))


def _chains() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(51)
    cases = ((5, 6, 0.7, 0.3), (3, 1, 1.0, 0.4), (4, 9, -0.4, 0.6), (2, 3000, 0.9, 0.2))
    return [(rng.choice([-1, 1], size=(n, length)), J, t) for n, length, J, t in cases]


def _three(J: float, a: float) -> tuple[Floats, Floats]:
    """The eight states of three noisy spins of a chain, and their probabilities."""
    y = np.array(list(itertools.product(SPIN, repeat=3)))
    return y, np.exp(_forward(y, np.tanh(J), a))


def _coupling(first: int, second: int, a: float) -> float:
    """Coupling of two of the three noisy spins in log p, J = 1."""
    y, p = _three(1.0, a)
    return float((y[:, first] * y[:, second] * np.log(p)).sum() / 8.0)


def _shared(c: Floats) -> Floats:
    """Mutual information of two fair spins of correlation c."""
    return np.asarray(((1.0 + c) * np.log1p(c) + (1.0 - c) * np.log1p(-c)) / 2.0)


def _erased(J: float, t: float, r: int) -> float:
    """Sum over the distance b > r of the nearest seen spin; (t tau^2)^2000 is nothing."""
    b = np.arange(r + 1, r + 2001)
    return float((1.0 - t) ** 2 * (t ** (b - 1.0) * _shared(np.tanh(J) ** b)).sum())


def _two_sided(J: float, t: float, r: int) -> float:
    """A in the middle of the chain: pairs of nearest seen spins on both sides."""
    b = np.arange(1, 401)
    p, one = (1.0 - t) * t ** (b - 1.0), _shared(np.tanh(J) ** b)
    both = _shared(np.tanh(J) ** np.add.outer(b, b).astype(float))
    told = one[:, None] + one - both
    near = b <= r
    single = np.where(near, one, 0.0)
    known = np.where(np.logical_and.outer(near, near), told, single[:, None] + single)
    return float((1.0 - t) * (np.outer(p, p) * (told - known)).sum())


def _one_bond(J: float, t: float, r: int) -> float:
    return float((1.0 - t) * t**r * _shared(np.tanh(np.asarray(J))))


def _bound(pairs: float, noise: float) -> float:
    """1/(pairs ln coth J + ln 1/rho), J = 1.5, given ln 1/rho."""
    return float(1.0 / (noise - pairs * np.log(np.tanh(1.5))))


def _log_z(J: float, width: int, length: int) -> float:
    return _swept(J, J, width, length)


def _swept(
    J: float, along: float, width: int, length: int, *, ring: bool = False, first: bool = True
) -> float:
    """Log Z column by column; bonds J within a column (of the first one too), `along` between."""
    states = np.array(list(itertools.product(SPIN, repeat=width)))
    bonds = (states[:, 1:] * states[:, :-1]).sum(axis=1)
    column = J * (bonds + states[:, 0] * states[:, -1] if ring else bonds)
    hop = along * states @ states.T
    weight = column if first else np.zeros(len(states))
    for _ in range(length - 1):
        top = weight.max()
        weight = column + top + np.log(np.exp(hop) @ np.exp(weight - top))
    return float(weight.max() + np.log(np.exp(weight - weight.max()).sum()))


def _overlap(site: int, a: float) -> float:
    """E <x_site>^2 of three noisy spins, J = 1."""
    mean, p = _posterior_mean(site, a)
    return float((p * mean**2).sum())


def _posterior_mean(site: int, a: float) -> tuple[Floats, Floats]:
    """<x_site> for each of the eight observations, and their probabilities."""
    y, p = _three(1.0, a)
    clean, prior = _three(1.0, 1.0)
    likelihood = ((1.0 + a * y[:, None] * clean) / 2.0).prod(axis=2)
    return (likelihood * prior) @ clean[:, site] / p, p


def _absolute(site: int, a: float) -> float:
    mean, p = _posterior_mean(site, a)
    return float((p * np.abs(mean)).sum())


EXERCISES = (
    Exercise(
        key="5.1",
        asks="a function log_p(y, J, t) that returns log p_t(y) in nats for each row of y, shape"
        " (n,), y of shape (n, sites) with entries -1, +1",
        reference=_log_p,
        cases=_chains,
        slips=(
            Slip(_as_markov_chain, "takes y for a Markov chain, which it is not: sum over x"),
            Slip(
                lambda y, J, t: _forward(y, np.tanh(J), 1.0 - 2.0 * t),
                "flips with t; a spin flips with t/2",
            ),
            Slip(_without_z, "leaves out Z: a step must be p(x'|x), its columns sum to one"),
            Slip(
                lambda y, J, t: _log_p(y, J, t) + np.log(2.0),
                "leaves out p(x_1) = 1/2 of the first spin",
            ),
            Slip(
                lambda y, J, t: np.full(len(y), -y.shape[1] * np.log(2.0)),
                "takes the spins for independent",
            ),
            Slip(
                lambda y, J, t: _forward(y, J, 1.0 - t),
                "takes J for the correlation of neighbours, which is tanh J",
            ),
            Slip(lambda y, J, t: np.exp(_log_p(y, J, t)), "is p and not log p"),
            Slip(
                lambda y, J, t: _log_p(y, J, t) / np.log(2.0),
                "is in bits: nats are needed, use the natural log",
            ),
        ),
        hint="Carry p(y_1..y_i, x_i) from site to site; take its sum out at each site, and add"
        " up the logarithms.",
        rtol=1e-8,
    ),
    Exercise(
        key="5.2",
        asks="a number: the coupling K_13 of y_1 and y_3 in log p_t(y), three spins, J = 1, flips"
        " with t = 0.4",
        reference=lambda: _coupling(0, 2, 0.6),
        slips=(
            Slip(lambda: 0.0, "is the coupling of the clean chain: noise makes a new one"),
            Slip(lambda: _coupling(0, 1, 0.6), "is the coupling K_12 of neighbours"),
            Slip(lambda: _coupling(0, 2, 0.2), "flips with t; a spin flips with t/2"),
            Slip(
                lambda: float(np.arctanh(0.36 * np.tanh(1.0) ** 2)),
                "sums y_2 out; the coupling is that at given y_2",
            ),
            Slip(
                lambda: _coupling(0, 2, np.sqrt(0.6)),
                "has the noise on one spin of each pair only: a enters twice",
            ),
        ),
        hint="K_13 is the average of y_1 y_3 log p(y) over the eight states, each weighted 1/8.",
    ),
    Exercise(
        key="5.3",
        asks="a function erased_cmi(J, t, r) that returns I_t(A;C|B_r) in nats, A at the end of"
        " the infinite chain",
        reference=_erased,
        cases=lambda: [(0.5, 0.6, 1), (1.0, 0.5, 2), (-0.8, 0.3, 1), (1.5, 0.8, 4)],
        unit="nats",
        slips=(
            Slip(
                lambda J, t, r: _erased(J, t, r) / (1.0 - t),
                "leaves out that A itself may be erased",
            ),
            Slip(
                lambda J, t, r: _erased(J, t, r) * t,
                "has t^b for the b - 1 sites before the first seen one",
            ),
            Slip(
                lambda J, t, r: _erased(J, t, r - 1),
                "starts at distance r; site r belongs to the buffer",
            ),
            Slip(_one_bond, "takes tau for the correlation at every distance"),
            Slip(
                lambda J, t, r: _erased(J, t, r) * (1.0 - t**r) / t**r,
                "weights with the chance that some of B is seen",
            ),
            Slip(_two_sided, "has a buffer on both sides; here A is the end of the chain"),
        ),
        hint="Sum over the distance b > r of the first seen spin: its chance, times g(tau^b),"
        " times the chance to see A. Go on until nothing is added.",
        rtol=1e-8,
    ),
    Exercise(
        key="5.4",
        asks="a number: the upper bound on xi in sites, J = 1.5, flips with t = 0.6",
        reference=lambda: _bound(2.0, -0.5 * np.log(1.0 - 0.16)),
        slips=(
            Slip(lambda: _bound(2.0, -np.log(0.6)), "takes rho of erasure, which is t"),
            Slip(
                lambda: _bound(2.0, -np.log(1.0 - 0.16)),
                "leaves out the square root in rho",
            ),
            Slip(
                lambda: _bound(2.0, -0.5 * np.log(1.0 - 0.36)),
                "takes a = t; it is 1 - t",
            ),
            Slip(
                lambda: _bound(2.0, -0.5 * np.log(1.0 - 0.04)),
                "flips with t; a spin flips with t/2",
            ),
            Slip(
                lambda: _bound(1.0, -0.5 * np.log(1.0 - 0.16)),
                "has tau once a site; the CMI is of second order, tau^2",
            ),
            Slip(lambda: _bound(2.0, 0.0), "leaves out the noise"),
            Slip(lambda: _bound(0.0, -0.5 * np.log(1.0 - 0.16)), "leaves out the bonds"),
        ),
        hint="The bound on I falls by tau^2 rho a site; rho is a sum over y of a square root.",
    ),
    Exercise(
        key="5.5",
        asks="a function log_z(J, width, length) that returns log Z of the open strip",
        reference=_log_z,
        cases=lambda: [(0.44, 3, 4), (0.3, 1, 7), (-0.2, 2, 1), (0.6, 4, 500), (0.4, 5, 3)],
        slips=(
            Slip(
                lambda J, w, n: _swept(J, J, w, n, ring=w > 2),
                "closes the columns to rings; the strip is open",
            ),
            Slip(
                lambda J, w, n: _swept(J, J, w, n, first=False),
                "leaves out the bonds within the first column",
            ),
            Slip(
                lambda J, w, n: _log_z(J, w, n + 1),
                "has one column too many: length - 1 steps",
            ),
            Slip(
                lambda J, w, n: _swept(J, 0.0, w, n),
                "has no bonds between columns",
            ),
            Slip(
                lambda J, w, n: _swept(0.0, J, w, n),
                "has no bonds within the columns",
            ),
            Slip(
                lambda J, w, n: _log_z(J, w, n) - w * n * np.log(2.0),
                "averages over states instead of adding them",
            ),
        ),
        hint="Keep one weight for each of the 2^width states of a column; divide by the largest"
        " at each step and add up the logarithms.",
        rtol=1e-8,
    ),
    Exercise(
        key="5.6",
        asks="a number: E <x_2>^2 of the middle one of three spins, J = 1, flips with t = 0.4",
        reference=lambda: _overlap(1, 0.6),
        slips=(
            Slip(lambda: _overlap(0, 0.6), "is that of a spin at the end"),
            Slip(lambda: 0.36, "denoises from the spin alone: a^2"),
            Slip(lambda: _absolute(1, 0.6), "is the mean of |<x>|, not of its square"),
            Slip(lambda: 0.0, "is the square of the mean: average after squaring"),
            Slip(lambda: _overlap(1, 0.2), "flips with t; a spin flips with t/2"),
            Slip(
                lambda: float((_posterior_mean(1, 0.6)[0] ** 2).mean()),
                "gives all eight observations the same weight: they have p(y)",
            ),
            Slip(
                lambda: (1.0 + _overlap(1, 0.6)) / 2.0,
                "is the chance that a posterior draw is right",
            ),
        ),
        hint="For each of the eight y: <x_2> from the posterior, squared, times p(y).",
    ),
)
