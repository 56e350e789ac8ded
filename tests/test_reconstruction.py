"""Root overlap of trees: brackets against enumeration and samples; the Kesten-Stigum threshold."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from phasetheory.engines.binary_input import binary_entropy_loss
from phasetheory.engines.symmetric_channel import SymmetricChannel
from phasetheory.models.hierarchy import Hierarchy
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.transitions.reconstruction import census_overlap, root_overlap
from phasetheory.transitions.root_threshold import kesten_stigum, root_times
from phasetheory.transitions.round_trip import forward_backward
from tests import brute
from tests.test_hierarchy import as_values, broadcast, potts


def exact_root(depth, b, rate, noise):
    """E <s>^2 and I(root; leaves) by summing over all trees and all noisy leaves."""
    channel = brute.erasure(noise.t, (-1, 1)) if isinstance(noise, Erasure) else None
    channel = channel or brute.bit_flip(float(noise.t))
    n = b**depth
    down, up = (
        brute.noisy(as_values(broadcast(depth, b, potts(2, rate), np.eye(2)[s]), 2), [channel] * n)
        for s in (0, 1)
    )
    overlap = information = 0.0
    for y in {*down, *up}:
        pair = [0.5 * law.get(y, 0.0) for law in (down, up)]
        p = sum(pair)
        if p > 0:
            overlap += p * ((pair[1] - pair[0]) / p) ** 2
            information += sum(w * math.log(2 * w / p) for w in pair if w > 0)
    return overlap, information


CASES = [
    (2, 2, 0.8, BitFlip(0.3)),
    (2, 2, -0.6, BitFlip(0.0)),
    (1, 3, 0.7, Erasure(0.4)),
    (2, 2, 0.9, Erasure(0.5)),
    (3, 2, 0.75, BitFlip(0.2)),
    (3, 2, 1.0, BitFlip(0.4)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cells", [4, 12, 4000])
def test_brackets_hold_the_enumerated_value(case, cells):
    """With as many cells as masses both sides are exact."""
    depth, b, rate, noise = case
    overlap, information = exact_root(*case)
    found = root_overlap(depth, b, eigenvalue=rate, noise=noise, cells=cells).isel(depth=-1)
    for name, value in (("overlap", overlap), ("information", information)):
        low, high = float(found[f"{name}_low"]), float(found[f"{name}_high"])
        assert low - 1e-13 <= value <= high + 1e-13
        if cells == 4000:
            assert high - low < 1e-12


def test_brackets_narrow_as_the_square_of_the_cell():
    """Depth 12, where 100 cells are far fewer than masses: four times fewer, 16 times wider."""
    wide, narrow = (
        root_overlap(12, eigenvalue=0.72, noise=BitFlip(0.3), cells=cells) for cells in (25, 100)
    )
    width = [float((d["overlap_high"] - d["overlap_low"])[-1]) for d in (wide, narrow)]
    assert 8 < width[0] / width[1] < 32
    assert (wide["overlap_low"] <= narrow["overlap_high"] + 1e-13).all()
    assert (narrow["overlap_low"] <= wide["overlap_high"] + 1e-13).all()


masses = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0.01, 1)),
    min_size=1,
    max_size=12,
    unique_by=lambda x: x[0],
)


def channel_of(pairs):
    mean, weight = np.array(pairs).T
    return SymmetricChannel(mean, weight / weight.sum())


@settings(max_examples=60, deadline=None)
@given(masses, masses, st.integers(1, 6), st.floats(-1, 1))
def test_better_and_worse_observations(first, second, cells, rate):
    """Rounding keeps E m and moves increasing convex means the right way, after joining too."""
    one, two = channel_of(first), channel_of(second)
    convex = [lambda m, a=a: np.maximum(m - a, 0.0) for a in np.linspace(0, 1, 21)]
    worse, better = (one.rounded(cells, better=b) for b in (False, True))
    for c in (worse, better):
        assert c.weight.sum() == pytest.approx(1.0)
        assert (c.weight >= -1e-15).all() and (c.mean <= 1.0).all()
        assert c.weight @ c.mean == pytest.approx(one.weight @ one.mean, abs=1e-12)
    for low, middle, high in (
        (worse, one, better),
        tuple(c.through(rate).joined(two) for c in (worse, one, better)),
    ):
        for function in convex:
            means = [c.weight @ function(c.mean) for c in (low, middle, high)]
            assert means[0] <= means[1] + 1e-12 and means[1] <= means[2] + 1e-12
        assert low.overlap <= middle.overlap + 1e-12 <= high.overlap + 2e-12
        assert low.information <= middle.information + 1e-12 <= high.information + 2e-12


@settings(max_examples=40, deadline=None)
@given(masses, masses)
def test_joining_is_bayes_rule(first, second):
    """Every pair of symmetric channels, by the joint law of the spin and both outcomes."""
    one, two = channel_of(first), channel_of(second)
    overlap = 0.0
    for (m, v), (n, w) in itertools.product(
        zip(one.mean, one.weight, strict=True), zip(two.mean, two.weight, strict=True)
    ):
        for a, b in itertools.product((-1, 1), repeat=2):
            pair = [0.5 * v * w * (1 + s * a * m) * (1 + s * b * n) / 4 for s in (-1, 1)]
            if sum(pair) > 0:
                overlap += (pair[1] - pair[0]) ** 2 / sum(pair)
    assert one.joined(two).overlap == pytest.approx(overlap, abs=1e-12)
    # The channel with itself takes a shorter way.
    twin = SymmetricChannel(one.mean.copy(), one.weight.copy())
    assert one.joined(one).overlap == pytest.approx(one.joined(twin).overlap, abs=1e-12)
    assert one.joined(one).information == pytest.approx(one.joined(twin).information, abs=1e-12)


@pytest.mark.parametrize("ratio", [1e-6, 0.1, 1.0, 5.0, 60.0])
def test_gaussian_observation(ratio):
    """I = ln 2 - F(K) by the package's own quadrature, E tanh^2 by scipy's."""
    low, high = (SymmetricChannel.gaussian(ratio, 1.0, better=b) for b in (False, True))
    information = math.log(2) - float(binary_entropy_loss(ratio))
    assert low.information <= information + 1e-14 and information <= high.information + 1e-14
    overlap, _ = quad(
        lambda z: math.tanh(ratio * (ratio + z)) ** 2
        * math.exp(-0.5 * z * z)
        / math.sqrt(2 * math.pi),
        -9, 9, points=[-ratio] if ratio < 9 else None, epsabs=1e-14, epsrel=1e-12, limit=200,
    )  # fmt: skip
    assert low.overlap <= overlap * (1 + 1e-9) and overlap <= high.overlap * (1 + 1e-9)
    assert high.overlap - low.overlap <= 1e-6 * high.overlap


@pytest.mark.parametrize("noise", [BitFlip(0.5), Erasure(0.7), Gaussian(0.5)], ids=lambda n: n.name)
def test_brackets_hold_sampled_belief_propagation(noise):
    """The success probability of the tree's root is (1 + overlap)/2; five standard errors."""
    depth, rate = 7, 0.8
    law = Hierarchy(depth, eigenvalue=rate).noised(noise)
    found = forward_backward(law, n_samples=4000, rng=1)
    bounds = root_overlap(depth, eigenvalue=rate, noise=noise).isel(depth=-1)
    low, high = (0.5 * (1 + float(bounds[f"overlap_{side}"])) for side in ("low", "high"))
    assert low - 5 * found.success.stderr < found.success.value < high + 5 * found.success.stderr
    low, high = (float(bounds[f"information_{side}"]) for side in ("low", "high"))
    error = 5 * found.information.stderr
    assert low - error < found.information.value < high + error
    # Control: another eigenvalue.
    other = root_overlap(depth, eigenvalue=0.85, noise=noise).isel(depth=-1)
    assert found.information.value + error < float(other["information_low"])


# The census.


@pytest.mark.parametrize("noise", [BitFlip(0.0), BitFlip(0.3), Erasure(0.4)], ids=str)
def test_census_against_moments_by_enumeration(noise):
    """corr(root, sum y)^2 over all trees; below the overlap, which no function exceeds."""
    depth, b, rate = 2, 2, -0.7
    channel = brute.erasure(noise.t, (-1, 1)) if isinstance(noise, Erasure) else None
    channel = channel or brute.bit_flip(float(noise.t))
    up = brute.noisy(as_values(broadcast(depth, b, potts(2, rate), np.eye(2)[1]), 2), [channel] * 4)
    first = sum(p * sum(y) for y, p in up.items())
    second = sum(p * sum(y) ** 2 for y, p in up.items())  # the same for either root
    found = census_overlap(depth, b, eigenvalue=rate, noise=noise)[-1]
    assert found == pytest.approx(first**2 / second, rel=1e-12)
    assert found <= exact_root(depth, b, rate, noise)[0] + 1e-14


def test_census_of_more_symbols_is_the_count_of_one():
    """Three symbols: squared correlation of 1[root = 0] with the number of leaves 0."""
    rate, b, depth = 0.6, 2, 2
    law = [broadcast(depth, b, potts(3, rate), np.eye(3)[s]) for s in range(3)]
    mean = [sum(p * y.count(0) for y, p in single.items()) for single in law]
    square = sum(p * y.count(0) ** 2 for single in law for y, p in single.items()) / 3
    variance = square - (sum(mean) / 3) ** 2
    covariance = mean[0] / 3 - sum(mean) / 9
    correlation = covariance**2 / (variance * (1 / 3) * (2 / 3))
    assert census_overlap(depth, b, eigenvalue=rate)[-1] == pytest.approx(correlation, rel=1e-12)


def test_census_under_gaussian_noise_is_eta_over_everything():
    """One leaf a bond below the root: lambda^2 alpha^2/(alpha^2 + sigma^2) for b copies' mean."""
    noise = Gaussian(0.4)
    eta = 0.36 / (0.36 + 0.16)
    found = census_overlap(1, 2, eigenvalue=0.5, noise=noise)[-1]
    # Two leaves: signal 2 lambda, variance 2/eta + 2 lambda^2 (leaves scaled to alpha = 1).
    assert found == pytest.approx((2 * 0.5) ** 2 / (2 / eta + 2 * 0.25), rel=1e-12)


# The threshold.


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 0.95), st.integers(1, 8), st.floats(0.0, 0.8))
def test_overlap_lies_between_census_and_sum_of_paths(rate, depth, t):
    """The census <= E <s>^2, and I <= ln 2 x sum over leaves of their own (Evans et al. 2000)."""
    found = root_overlap(depth, eigenvalue=rate, noise=BitFlip(t), cells=50).isel(depth=-1)
    census = census_overlap(depth, eigenvalue=rate, noise=BitFlip(t))[-1]
    assert census <= float(found["overlap_high"]) + 1e-13
    paths = (1 - t) ** 2 * (2 * rate**2) ** depth
    assert float(found["information_low"]) <= math.log(2) * paths + 1e-13


def test_both_sides_of_the_threshold():
    """Below, the overlap dies as (b lambda^2)^d; above, it settles; so does the census."""
    depth = 40
    below, above = (float(np.sqrt(s / 2)) for s in (0.8, 1.2))
    dies = root_overlap(depth, eigenvalue=below, cells=100)["overlap_high"].values
    rate = dies[-1] / dies[-2]
    assert 0.8 * (1 - 1e-3) < rate < 0.8 * (1 + 1e-2)
    lives = root_overlap(depth, eigenvalue=above, cells=100)
    low, high = lives["overlap_low"].values, lives["overlap_high"].values
    assert low[-1] > 0.2
    assert (high[-10] - low[-1]) / low[-1] < 1e-2
    census = census_overlap(400, eigenvalue=above)
    # Limit of the closed form: (s - 1)/s over (1 - 1/b), s = b lambda^2.
    assert census[-1] == pytest.approx((1.2 - 1) / 1.2 / 0.5, rel=1e-6)
    assert census_overlap(400, eigenvalue=below)[-1] < 1e-30


@pytest.mark.parametrize("branching", [2, 3])
def test_kesten_stigum_is_located(branching):
    """Crossings of d m_d come closer to 1, each doubling of d by more than a factor of two."""
    found = kesten_stigum(branching, depths=(3, 6, 12), cells=60)
    low, high = found["crossing_low"].values, found["crossing_high"].values
    assert (low < high).all() and (high - low < 5e-3).all()
    off = 1.0 - 0.5 * (low + high)
    assert (off[:-1] > 2 * off[1:]).all()
    assert abs(off[-1]) < 0.02


def test_the_root_is_decided_where_the_theory_says():
    """Slope of log(1-t) per level: -log(b lambda^2)/2 for bit flips, twice that for erasure.

    Corrections fall as the census's do, (b lambda^2)^-d: 5 % at depths 8 to 12.
    """
    rate = 0.9
    expected = -0.5 * math.log(2 * rate**2)
    for noise, factor in ((BitFlip, 1.0), (Erasure, 2.0)):
        found = root_times((8, 12), eigenvalue=rate, noise=noise, cells=60)
        assert (found["signal_bound"] < 1e-2 * found["signal"]).all()
        slope = float(np.diff(np.log(found["signal"].values))[0]) / 4
        assert slope == pytest.approx(factor * expected, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: root_overlap(0, eigenvalue=0.5), "depth=0"),
        (lambda: root_overlap(2, 1, eigenvalue=0.5), "branching=1"),
        (lambda: root_overlap(2, eigenvalue=1.5), "eigenvalue=1.5"),
        (lambda: root_overlap(2, eigenvalue=math.nan), "eigenvalue=nan"),
        (lambda: root_overlap(2, eigenvalue=0.5, cells=1), "cells=1"),
        (lambda: root_overlap(1, eigenvalue=0.5, noise=BitFlip([0.1, 0.2])), "one t for all"),
        (lambda: census_overlap(0, eigenvalue=0.5), "depth=0"),
        (lambda: kesten_stigum(depths=(0,)), "depth=0"),
        (lambda: root_times((100,), eigenvalue=0.9), "decided at 1 - t < 1e-10"),
        (lambda: root_times((2,), eigenvalue=2.0), "eigenvalue=2.0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
