"""Exercises of chapter 6: closed loops, percolation, the Nishimori line, finite sizes.

Bonds -1, +1; t is the strength of the noise, a = 1 - t. Bonds of a graph are pairs of vertices.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]
Bonds = Sequence[tuple[int, int]]


# 6.1: one plaquette.


def _plaquette(y: Floats, t: float, power: int = 3) -> Floats:
    """E[x|y] of four bonds with product +1, rows of y being samples."""
    a, product = 1.0 - t, np.asarray(y, dtype=float).prod(axis=1, keepdims=True)
    # For signs, the product of the three others is the product of all times y itself.
    return np.asarray((a * y + a**power * product * y) / (1.0 + a**4 * product))


def _numerator(y: Floats, t: float) -> Floats:
    product = np.asarray(y, dtype=float).prod(axis=1, keepdims=True)
    return _plaquette(y, t) * (1.0 + (1.0 - t) ** 4 * product)


def _others_only(y: Floats, t: float) -> Floats:
    return np.asarray((1.0 - t) ** 3 * np.asarray(y).prod(axis=1, keepdims=True) * y)


def _signs() -> list[tuple[Any, ...]]:
    y = np.array(list(itertools.product((-1, 1), repeat=4)))
    return [(y, 0.3), (y[[5, 2, 2]], 0.6), (y, 0.05)]


# 6.2: erasure.


def _joined(edges: Bonds, seen: Iterable[int], pair: tuple[int, int]) -> bool:
    """Whether seen bonds join a pair of vertices: union-find."""
    parent = {i: i for edge in edges for i in edge}

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for k in seen:
        i, j = edges[k]
        parent[root(i)] = root(j)
    return root(pair[0]) == root(pair[1])


def _through(edges: Any, A: int, known: ArrayLike, t: float) -> float:
    """Probability that seen bonds among the known ones join the ends of A."""
    bonds = [(int(i), int(j)) for i, j in np.asarray(edges)]
    sites = np.asarray(known, dtype=int).ravel().tolist()
    total = 0.0
    for n_seen in range(len(sites) + 1):
        weight = (1.0 - t) ** n_seen * t ** (len(sites) - n_seen)
        chosen = itertools.combinations(sites, n_seen)
        total += weight * sum(_joined(bonds, seen, bonds[A]) for seen in chosen)
    return total


def _erased(edges: Any, A: int, B: ArrayLike, C: ArrayLike, t: float) -> float:
    gain = _through(edges, A, [*np.ravel(B), *np.ravel(C)], t) - _through(edges, A, B, t)
    return float((1.0 - t) * np.log(2.0) * gain)


def _of_clean_bond(edges: Any, A: int, B: ArrayLike, C: ArrayLike, t: float) -> float:
    return _erased(edges, A, B, C, t) / (1.0 - t)


def _swapped(edges: Any, A: int, B: ArrayLike, C: ArrayLike, t: float) -> float:
    return _erased(edges, A, B, C, 1.0 - t) / t * (1.0 - t)


def _with_b(edges: Any, A: int, B: ArrayLike, C: ArrayLike, t: float) -> float:
    far = _through(edges, A, [*np.ravel(B), *np.ravel(C)], t)
    return float((1.0 - t) * np.log(2.0) * far)


def _only_c(edges: Any, A: int, B: ArrayLike, C: ArrayLike, t: float) -> float:
    return float((1.0 - t) * np.log(2.0) * _through(edges, A, C, t))


def _patches() -> list[tuple[Any, ...]]:
    square = np.array([(0, 1), (0, 2), (1, 3), (2, 3)])
    ladder = np.array([(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)])
    fan = np.array([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 4)])
    return [
        (square, 0, [1, 2], [3], 0.3),
        (ladder, 3, [0, 1, 5], [2, 4, 6], 0.4),
        (ladder, 3, [0, 2], [1, 4, 5, 6], 0.6),
        (fan, 2, [0, 3], [1, 4, 5], 0.25),
    ]


# 6.3: the bridge, two rows of one spin between two pinned sides.


def _bridge(s: float) -> float:
    """Probability that the sides are joined, every bond being there with probability s."""
    middle = (2.0 * s - s**2) ** 2  # the two spins joined to each other: both pairs in parallel
    apart = 2.0 * s**2 - s**4  # two ways of two bonds, and no bond between
    return s * middle + (1.0 - s) * apart


# 6.4, 6.5: couplings and exponents.


def _nishimori(t: ArrayLike) -> Floats:
    p = np.asarray(t, dtype=float) / 2.0
    return np.asarray(np.log((1.0 - p) / p) / 2.0)


def _exponent(sizes: ArrayLike, slopes: ArrayLike) -> float:
    """1/nu by least squares of log|slope| against log L."""
    x = np.log(np.asarray(sizes, dtype=float))
    y = np.log(np.abs(np.asarray(slopes, dtype=float)))
    x = x - x.mean()
    return float((x * x).sum() / (x * y).sum())


def _ends_only(sizes: Any, slopes: Any) -> float:
    order = np.argsort(sizes)
    ends = order[[0, -1]]
    return _exponent(np.asarray(sizes)[ends], np.asarray(slopes)[ends])


def _slope_lists() -> list[tuple[Any, ...]]:
    return [
        (np.array([4, 8, 16]), np.array([1.9, 3.4, 5.5])),
        (np.array([6, 9, 30, 14]), np.array([-2.1, -2.6, -7.9, -3.3])),
        (np.array([2, 10]), np.array([1.2, 6.0])),
    ]


EXERCISES = (
    Exercise(
        key="6.1",
        asks="a function denoiser(y, t) that returns E[x|y] for each of the four bonds, shape"
        " (n, 4) like y, bit flips of strength t",
        reference=_plaquette,
        cases=_signs,
        slips=(
            Slip(lambda y, t: (1.0 - t) * y, "is the local denoiser: each bond reads itself only"),
            Slip(
                lambda y, t: _plaquette(y, 2.0 * t), "flips with probability t; a bond flips in t/2"
            ),
            Slip(_numerator, "leaves out the denominator, which is p(y) up to 1/16"),
            Slip(_others_only, "reads the three other bonds and not the bond itself"),
            Slip(
                lambda y, t: _plaquette(y, t, 1),
                "takes the three others as one noisy bond: three factors a are needed",
            ),
            Slip(lambda y, t: np.sign(_plaquette(y, t)), "guesses the likelier sign, not the mean"),
        ),
        hint="Sum x1 (1 + x1 x2 x3 x4) prod (1 + a x y) over x: two terms survive.",
        rtol=1e-9,
    ),
    Exercise(
        key="6.2",
        asks="a function erased_cmi(edges, A, B, C, t) that returns I(A;C|B) in nats; edges is an"
        " array of pairs of vertices, A the index of a bond, B and C lists of indices",
        reference=_erased,
        cases=_patches,
        unit="nats",
        slips=(
            Slip(_of_clean_bond, "leaves out 1 - t: an erased A has nothing to share with C"),
            Slip(_swapped, "takes t for the probability that a bond of B or C is seen"),
            Slip(_with_b, "also counts A joined within B, which B knows without C"),
            Slip(_only_c, "counts paths in C alone; a path may use bonds of B and C"),
        ),
        hint="Sum over which bonds of B and C are seen: joined through B and C, not within B.",
        rtol=1e-9,
    ),
    Exercise(
        key="6.3",
        asks="a number: I(S;y) in nats of the bridge of five bonds under erasure t = 0.3",
        reference=lambda: np.log(2.0) * _bridge(0.7),
        unit="nats",
        slips=(
            Slip(lambda: np.log(2.0) * _bridge(0.3), "takes t for the probability to be seen"),
            Slip(
                lambda: np.log(2.0) * (2 * 0.7**2 - 0.7**4),
                "leaves out the bond between the two spins",
            ),
            Slip(
                lambda: 0.7 * np.log(2.0) * _bridge(0.7),
                "has a factor 1 - t: the sector itself is not observed here, nor erased",
            ),
            Slip(
                lambda: np.log(2.0) * (2 * 0.7**2 + 2 * 0.7**3),
                "adds up the paths though several may be there at once",
            ),
        ),
        hint="ln 2 times the probability of a path of seen bonds; split by the middle bond.",
    ),
    Exercise(
        key="6.4",
        asks="a function nishimori(t) that returns the coupling K for bit flips of strength t, a"
        " number or an array",
        reference=_nishimori,
        cases=lambda: [(0.2,), (0.05,), (np.array([0.1, 0.5, 0.9]),)],
        slips=(
            Slip(lambda t: _nishimori(2 * np.asarray(t)), "flips with t; a bond flips in t/2"),
            Slip(lambda t: 2 * _nishimori(t), "is 2K: solve e^(-2K) = p/(1-p) for K"),
            Slip(lambda t: 1 / _nishimori(t), "is the temperature 1/K"),
            Slip(lambda t: -_nishimori(t), "has p and 1 - p exchanged"),
            Slip(
                lambda t: -np.log(np.asarray(t) / 2) / 2,
                "leaves out 1 - p: the unflipped bond has a weight, too",
            ),
            Slip(
                lambda t: _nishimori(t) / np.log(10.0),
                "uses the decimal logarithm",
            ),
        ),
        hint="e^(K y s s') has to be in the ratio (1-p) : p for y s s' = +1 and -1.",
        rtol=1e-9,
    ),
    Exercise(
        key="6.5",
        asks="a function exponent(sizes, slopes) that returns nu, a number, from the slopes of"
        " curves of several sizes at t_c",
        reference=_exponent,
        cases=_slope_lists,
        slips=(
            Slip(lambda L, b: 1 / _exponent(L, b), "is 1/nu"),
            Slip(lambda L, b: -_exponent(L, b), "has the wrong sign: use the size of the slope"),
            Slip(_ends_only, "uses two sizes only; fit a line through all of them"),
            Slip(
                lambda L, b: 1 / np.polyfit(np.log(np.abs(b)), np.log(L), 1)[0],
                "regresses log L on the slope and not the other way round",
            ),
            Slip(
                lambda L, b: 1 / np.polyfit(L, np.abs(b), 1)[0],
                "fits a straight line without logarithms: the law is a power",
            ),
        ),
        hint="|slope| = const L^(1/nu): a straight line in the logarithms.",
        rtol=1e-8,
    ),
)
