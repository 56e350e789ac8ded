"""Chapter 7's references against sums over paths, dependences followed forward, coins, searches."""

import itertools
import math

import numpy as np
import pytest

import phasetheory as pt
from phasetheory.course import EXERCISES, check
from tests import brute


def path_divergence(p, channel):
    """KL of the paths (a, b, c) -> (y, b, c) -> (y, b, z), by a sum over all of them."""
    q, buffer, _ = p.shape
    symbols, places = range(q), range(buffer)
    ab, bc = p.sum(axis=2), p.sum(axis=0)
    end = {
        (y, b, z): sum(p[a, b, c] * channel[y, a] * channel[z, c] for a in symbols for c in symbols)
        for y in symbols
        for b in places
        for z in symbols
    }
    total = 0.0
    for a, b, c, y, z in itertools.product(symbols, places, symbols, symbols, symbols):
        forward = p[a, b, c] * channel[y, a] * channel[z, c]
        back_c = bc[b, c] * channel[z, c] / sum(bc[b, x] * channel[z, x] for x in symbols)
        back_a = ab[a, b] * channel[y, a] / sum(ab[x, b] * channel[y, x] for x in symbols)
        total += forward * math.log(forward / (end[y, b, z] * back_c * back_a))
    return total


def test_two_gates_by_a_sum_over_paths():
    assert check("7.1", path_divergence).ok


def test_the_radius_is_the_first_that_meets_the_bound():
    allowed = 2 * 0.1**2
    within = [r for r in range(60) if 1000 * 50 * 0.3 * math.exp(-r / 2) <= allowed]
    assert check("7.2", within[0]).ok


def depends(n, layers):
    """Rows of what every output depends on, followed from the start to the end."""
    held = [{i} for i in range(n)]
    for layer in layers:
        new = list(held)
        for A, B in layer:
            for site in A:
                new[site] = set().union(*(held[j] for j in (*A, *B)))
        held = new
    return np.array([[float(j in one) for j in range(n)] for one in held])


def test_cones_are_dependences_followed_forward():
    assert check("7.3", lambda n, layers, site: depends(n, layers)[site]).ok


@pytest.mark.parametrize("order", ["layers", "raster", "simultaneous"])
def test_cones_are_those_of_the_package(order):
    circuit = pt.Circuit(pt.Lattice.chain(11), [1.0, 0.4, 0.0], radius=2, order=order)
    layers = [[(g.A.tolist(), g.B.tolist()) for g in layer] for _, layer in circuit]
    cone = EXERCISES["7.3"].reference
    found = np.array([cone(11, layers, site) for site in range(11)])
    np.testing.assert_array_equal(found, circuit.light_cones())


def code_after_one_step(n, radius):
    """Law of the words that come out: a spin copies one drawn before it in its window, or a coin.

    Spins of a layer stand 2 radius + 1 apart. Where the copied spins disagree the first counts,
    which leaves the probabilities of the code words as they are.
    """
    width = 2 * radius + 1
    order = [i for first in range(width) for i in range(first, n, width)]
    seeds = [i for i in order if i < n and i % width == 0]
    words = {}
    for coins in itertools.product((0, 1), repeat=len(seeds)):
        drawn = dict(zip(seeds, coins, strict=True))
        for i in order[len(seeds) :]:
            drawn[i] = drawn[min(j for j in drawn if abs(i - j) <= radius)]
        word = tuple(drawn[i] for i in range(n))
        words[word] = words.get(word, 0.0) + 0.5 ** len(seeds)
    return words


def test_seeds_of_a_code_by_all_coins():
    code = {(0,) * 22: 0.5, (1,) * 22: 0.5}
    assert check("7.4", brute.total_variation(code, code_after_one_step(22, 2))).ok


def test_a_code_comes_out_of_exact_circuits_as_from_its_seeds():
    """Three seeds on 11 spins: TV = 1 - 2/8, KL = 2 ln 2, the sum of T2 as well."""
    p = np.zeros((2,) * 11)
    p[(0,) * 11] = p[(1,) * 11] = 0.5
    code = pt.Table(pt.Lattice.chain(11), p)
    circuit = pt.Circuit(code.lattice, [1.0, 0.0], radius=2)
    run = pt.reverse_circuit(code, pt.BitFlip, circuit, progress=False)
    words = code_after_one_step(11, 2)
    expected = brute.total_variation({(0,) * 11: 0.5, (1,) * 11: 0.5}, words)
    assert run.tv.value == pytest.approx(expected, rel=1e-12)
    assert expected == 0.75
    assert run.kl.value == pytest.approx(2 * math.log(2), rel=1e-12)
    assert run.bound == pytest.approx(run.kl.value, rel=1e-12)


def test_the_converse_by_enumeration():
    n, J = 12, math.atanh(0.9)
    law = brute.ising(n, [(i, i + 1) for i in range(n - 1)], [J] * (n - 1))
    near = {i: [j for j in (i - 1, i + 1) if 0 <= j < n] for i in range(n)}
    layers = [[([i], near[i]) for i in range(first, n, 3)] for first in range(3)]
    held = depends(n, layers)
    largest = max(
        abs(math.fsum(p * x[i] * x[j] for x, p in law.items()))
        for i in range(n)
        for j in range(i)
        if held[i] @ held[j] == 0
    )
    assert check("7.5", largest / 4).ok


def test_bounded_by_the_exact_error():
    """The cold chain of exercise 7.5: T4 lies below the error of Bayes gates, also with a half."""
    chain = pt.Ising(pt.Lattice.chain(12), math.atanh(0.9))
    circuit = pt.Circuit(chain.lattice, [1.0, 0.0], radius=1)
    run = pt.reverse_circuit(chain, pt.BitFlip, circuit, terms=False, progress=False)
    bound = EXERCISES["7.5"].reference()
    assert 2 * bound < run.tv.value
    assert pt.cone_bound(chain, circuit).tv.value == pytest.approx(bound, rel=1e-9)


def test_windows_by_search():
    def place(terms, width):
        left = {}
        for first in range(len(terms) - width + 1):
            window = range(first, first + width)
            left[first] = math.fsum(x for k, x in enumerate(terms) if k not in window)
        return min(left, key=left.__getitem__)

    assert check("7.6", place).ok


def test_errors_of_two_spins_in_symbols():
    """Chapter 7's pair: what comes out has correlation a^4 c, and the falls add up to its bound."""
    a, c = 0.7, 0.5
    pair = pt.Table(pt.Lattice.chain(2), (1 + c * np.array([[1, -1], [-1, 1]])) / 4)
    circuit = pt.Circuit(pair.lattice, [1 - a, 0.0], radius=0)
    run = pt.reverse_circuit(pair, pt.BitFlip, circuit, progress=False)

    def information(r):
        return ((1 + r) * math.log(1 + r) + (1 - r) * math.log(1 - r)) / 2

    assert run.tv.value == pytest.approx(c * (1 - a**4) / 2, rel=1e-12)
    assert run.bound == pytest.approx(information(c) - information(a**2 * c), rel=1e-12)
