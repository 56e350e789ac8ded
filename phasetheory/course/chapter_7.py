"""Exercises of chapter 7: paths of two gates, buffer radius, light cones, a code, a window.

A layer is a list of gates (A, B), lists of sites: the gate redraws A and reads A and B as they were
before the layer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]
Layers = Sequence[Sequence[tuple[Sequence[int], Sequence[int]]]]


def _entropy(p: Floats) -> float:
    return float(-xlogy(p, p).sum())


def _cmi(p: Floats) -> float:
    ab, bc, b = p.sum(axis=2), p.sum(axis=0), p.sum(axis=(0, 2))
    return _entropy(ab) + _entropy(bc) - _entropy(b) - _entropy(p)


def _noisy_a(p: Floats, channel: Floats) -> Floats:
    return np.asarray(np.einsum("ya,abc->ybc", channel, p))


def _noisy_c(p: Floats, channel: Floats) -> Floats:
    return np.asarray(np.einsum("zc,abc->abz", channel, p))


def _path_kl(p: Floats, channel: Floats) -> float:
    """Falls of the two gates: A noised in the clean law, C in the law whose A is noisy."""
    half = _noisy_a(p, channel)
    first = _cmi(p) - _cmi(half)
    return first + _cmi(half) - _cmi(_noisy_c(half, channel))


def _first_fall(p: Floats, channel: Floats) -> float:
    return _cmi(p) - _cmi(_noisy_a(p, channel))


def _clean_falls(p: Floats, channel: Floats) -> float:
    return _first_fall(p, channel) + _cmi(p) - _cmi(_noisy_c(p, channel))


def _without_buffer(p: Floats, channel: Floats) -> float:
    return _path_kl(p.sum(axis=1, keepdims=True), channel)


def _end_kl(p: Floats, channel: Floats) -> float:
    """KL(p||p-hat) of what comes out of the two gates."""
    half = _noisy_a(p, channel)
    late = _noisy_c(half, channel)
    joint_c = np.einsum("zc,bc->zbc", channel, half.sum(axis=0))
    back_c = joint_c / joint_c.sum(axis=2, keepdims=True)
    joint_a = np.einsum("ya,ab->yab", channel, p.sum(axis=2))
    back_a = joint_a / joint_a.sum(axis=1, keepdims=True)
    out = np.einsum("yab,zbc,ybz->abc", back_a, back_c, late)
    return float(rel_entr(p, out).sum())


def _paths() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(71)
    cases = []
    for symbols, buffer in ((2, 2), (2, 3), (3, 2)):
        p = rng.exponential(size=(symbols, buffer, symbols))
        channel = rng.exponential(size=(symbols, symbols)) + np.eye(symbols)
        cases.append((p / p.sum(), channel / channel.sum(axis=0)))
    return cases


def _radius(gates: float = 1e3 * 50) -> float:
    """T3's radius for xi = 2, gamma = 0.3, epsilon = 0.1."""
    return 2.0 * float(np.log(gates * 0.3 / (2.0 * 0.1**2)))


def _cone(n: int, layers: Layers, site: int) -> Floats:
    """Indicator of the backward light cone, shape (n,)."""
    cone = {site}
    for layer in reversed(layers):
        read = [set(A) | set(B) for A, B in layer if cone & set(A)]
        cone = cone.union(*read)
    return _indicator(n, cone)


def _cone_in_turn(n: int, layers: Layers, site: int) -> Floats:
    """As if the gates of a layer acted one after the other."""
    return _cone(n, [[gate] for layer in layers for gate in layer], site)


def _cone_touched(n: int, layers: Layers, site: int) -> Floats:
    """As if a gate changed all that it reads."""
    wide = [[([*A, *B], [*A, *B]) for A, B in layer] for layer in layers]
    return _cone(n, wide, site)


def _forward_cone(n: int, layers: Layers, site: int) -> Floats:
    """Outputs that a site of the start can change."""
    cone = {site}
    for layer in layers:
        reached = [set(A) for A, B in layer if cone & (set(A) | set(B))]
        cone = cone.union(*reached)
    return _indicator(n, cone)


def _indicator(n: int, cone: set[int]) -> Floats:
    return np.isin(np.arange(n), sorted(cone)).astype(float)


def _window_layers(n: int, radius: int) -> list[list[tuple[list[int], list[int]]]]:
    """A step of a chain in layers of disjoint windows."""

    def buffer(i: int) -> list[int]:
        return [j for j in range(max(0, i - radius), min(n, i + radius + 1)) if j != i]

    width = 2 * radius + 1
    return [[([i], buffer(i)) for i in range(first, n, width)] for first in range(width)]


def _cones() -> list[tuple[Any, ...]]:
    step = _window_layers(12, 1)
    together = [[gate for layer in _window_layers(9, 1) for gate in layer]]
    mixed = [[([0, 1], [2]), ([5], [6])], [([2], [3, 4])], [([4], [5]), ([1], [0])]]
    return [
        (12, step, 5),
        (12, [*step, *step], 7),
        (9, together, 4),
        (7, mixed, 2),
        (7, mixed, 4),
        (5, [[([0], [1])]], 3),
    ]


def _copies(seeds: int) -> float:
    """TV of a repetition code from a law that agrees with probability 2^(1 - seeds)."""
    return 1.0 - 2.0 ** (1 - seeds)


def _place(terms: Floats, width: int) -> float:
    """First step of the window whose terms add up to most."""
    sums = np.convolve(terms, np.ones(width), mode="valid")
    return float(np.argmax(sums))


def _windows() -> list[tuple[Any, ...]]:
    # In each the largest term stands outside the best window.
    broad = np.array([0.1, 0.9, 0.1, 0.2, 0.5, 0.6, 0.55, 0.3, 0.2, 0.05])
    early = np.array([0.2, 0.7, 0.6, 0.7, 0.3, 0.1, 0.02, 1.2, 0.01, 0.0])
    late = np.array([0.01, 0.03, 0.8, 0.02, 0.1, 0.2, 0.3, 0.5, 0.55, 0.5])
    return [(broad, 3), (early, 4), (late, 2), (late, 3)]


EXERCISES = (
    Exercise(
        key="7.1",
        asks="a function path_kl(p, channel) that returns the relative entropy of the two paths in"
        " nats, for a table p[a, b, c] and channel[y, x] = N(y|x), used on A and then on C",
        reference=_path_kl,
        cases=_paths,
        unit="nats",
        slips=(
            Slip(_first_fall, "counts the gate of A only"),
            Slip(
                _clean_falls,
                "takes both falls in the clean law: A is noisy already when C is noised",
            ),
            Slip(
                lambda p, channel: _cmi(p) + _cmi(_noisy_a(p, channel)),
                "adds up the CMI before each noise: a term is its fall through the noise",
            ),
            Slip(_without_buffer, "leaves out the buffer: both gates read B"),
            Slip(_end_kl, "is KL of what comes out: of the whole paths it is larger"),
        ),
        hint="Two terms, I - I~ each: write down in which law the noise of each gate acts.",
        rtol=1e-8,
    ),
    Exercise(
        key="7.2",
        asks="a number: the smallest whole r that T3 calls enough, for N = 1000, K = 50,"
        " gamma = 0.3, xi = 2, epsilon = 0.1",
        reference=lambda: float(np.ceil(_radius())),
        slips=(
            Slip(lambda: _radius(), "is not rounded up to a whole radius yet"),
            Slip(lambda: float(np.floor(_radius())), "is rounded down: then it is not enough"),
            Slip(
                lambda: float(np.ceil(4.0 * np.log(5e4 * np.sqrt(0.15) / 0.1))),
                "solves the triangle form, which asks for more",
            ),
            Slip(
                lambda: float(np.ceil(2.0 * np.log(5e4 * np.sqrt(0.3) / 0.1))),
                "is the form in print, whose constants are dropped",
            ),
            Slip(
                lambda: float(np.ceil(2.0 * np.log(5e4 * 0.3 / 0.2))),
                "does not square epsilon",
            ),
            Slip(lambda: float(np.ceil(_radius(1e3))), "counts one gate a site: there are K steps"),
            Slip(lambda: float(np.ceil(_radius() / np.log(10.0))), "uses the decimal logarithm"),
        ),
        hint="N K gamma exp(-r/xi) has to be at most 2 epsilon^2.",
        rtol=1e-6,
    ),
    Exercise(
        key="7.3",
        asks="a function cone(n, layers, site) that returns the backward light cone of the site as"
        " an array of n entries, 1 inside and 0 outside",
        reference=_cone,
        cases=_cones,
        slips=(
            Slip(_forward_cone, "is the forward cone: what the site can change, not what it needs"),
            Slip(
                lambda n, layers, site: _cone(n, layers[::-1], site),
                "goes through the layers from the first to the last: start at the output",
            ),
            Slip(_cone_touched, "widens where a gate only reads: only its A changes"),
            Slip(
                _cone_in_turn,
                "lets the gates of a layer act in turn: all read the data before the layer",
            ),
        ),
        hint="From the last layer back: if A of a gate meets the cone, A and B belong to it.",
        rtol=1e-9,
    ),
    Exercise(
        key="7.4",
        asks="a number: the total variation distance of the output from the code, n = 22 spins,"
        " one step in layers, r = 2",
        reference=lambda: _copies(5),
        slips=(
            Slip(lambda: 1.0 - 2.0**-5, "counts one code word: the seeds may agree on either"),
            Slip(lambda: _copies(8), "sets a seed every r + 1 sites: windows would overlap"),
            Slip(lambda: _copies(4), "rounds the number of seeds down: the rest has one, too"),
            Slip(lambda: _copies(22), "makes every spin a seed, as if r = 0"),
            Slip(lambda: 4.0 * np.log(2.0), "is KL in nats"),
        ),
        hint="Which spins are drawn before any spin in their window? The others copy.",
    ),
    Exercise(
        key="7.5",
        asks="a number: T4's lower bound on TV from single spins, whatever the gates do",
        reference=lambda: 0.9**3 / 4.0,
        slips=(
            Slip(lambda: 0.9**3, "is the covariance, not yet the bound"),
            Slip(lambda: 0.9**3 / 2.0, "needs means zero in the output, which not all gates keep"),
            Slip(lambda: 0.9**3 / 6.0, "bounds three terms one by one: a quarter is proved"),
            Slip(lambda: 0.9**2 / 4.0, "takes two spins whose cones still meet"),
            Slip(lambda: 0.9 / 4.0, "takes neighbours, whose cones meet"),
            Slip(lambda: 0.9**6 / 4.0, "takes all cones to be as wide as the widest"),
            Slip(lambda: 0.9**4 / 4.0, "takes spins further apart than needed"),
            Slip(lambda: 0.9**11 / 4.0, "takes the ends: nearer spins have more covariance"),
        ),
        hint="Which is the smallest distance of two spins with disjoint cones? Use your `cone`.",
    ),
    Exercise(
        key="7.6",
        asks="a function place(terms, width) that returns the first step (counted from 0) of the"
        " best window",
        reference=_place,
        cases=_windows,
        slips=(
            Slip(lambda terms, width: float(np.argmax(terms)), "starts at the largest single term"),
            Slip(
                lambda terms, width: float(
                    np.argmin(np.convolve(terms, np.ones(width), mode="valid"))
                ),
                "makes the bound largest: what is inside the window is *not* lost",
            ),
            Slip(lambda terms, width: _place(terms, width) + 1.0, "counts steps from 1"),
            Slip(
                lambda terms, width: _place(terms, width) + width - 1.0,
                "is the last step of the window",
            ),
            Slip(
                lambda terms, width: float(np.argmax(np.convolve(terms, np.ones(width), "same"))),
                "is the middle of the window",
            ),
        ),
        hint="Sum the terms that are left outside, for every place of the window.",
        rtol=1e-9,
    ),
)
