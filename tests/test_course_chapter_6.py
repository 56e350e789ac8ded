"""References of chapter 6 against enumeration that shares no code with them."""

import itertools
import math

import numpy as np
import pytest

from phasetheory.course import EXERCISES, check
from tests import brute


def loops(edges):
    """Law of the bonds s_i s_j of independent fair spins."""
    n = 1 + max(max(edge) for edge in edges)
    law = {}
    for s in itertools.product((-1, 1), repeat=n):
        x = tuple(s[i] * s[j] for i, j in edges)
        law[x] = law.get(x, 0.0) + 0.5**n
    return law


def pairs(edges):
    return [tuple(int(i) for i in edge) for edge in edges]


def test_plaquette_by_enumeration():
    square = loops([(0, 1), (0, 2), (1, 3), (2, 3)])
    assert len(square) == 8
    assert all(math.prod(x) == 1 for x in square)

    def denoiser(y, t):
        channels = [brute.bit_flip(t)] * 4
        rows = [tuple(int(v) for v in row) for row in y]
        return [brute.posterior_mean(square, channels, row, region=range(4)) for row in rows]

    assert check("6.1", denoiser).ok


def test_erased_loops_by_enumeration_of_the_noisy_law():
    """I(A;C|B) from four entropies of the noisy law, with no word of paths."""

    def erased_cmi(edges, A, B, C, t):
        edges = pairs(edges)
        law = brute.noisy(loops(edges), [brute.erasure(t)] * len(edges))
        return brute.cmi(law, [A], list(B), list(C))

    assert check("6.2", erased_cmi).ok


def test_bridge_by_enumeration_of_the_noisy_law():
    """Bond 0 joins the sides 0 and 1 and is not erased; the spins are 2 and 3."""
    edges = [(0, 1), (0, 2), (2, 1), (0, 3), (3, 1), (2, 3)]
    channels = [brute.identity((-1, 1))] + [brute.erasure(0.3)] * 5
    law = brute.noisy(loops(edges), channels)
    assert check("6.3", brute.cmi(law, [0], [], [1, 2, 3, 4, 5])).ok


def test_bridge_is_its_own_dual():
    told = {}
    for t in (0.2, 0.5, 0.8):
        edges = [(0, 1), (0, 2), (2, 1), (0, 3), (3, 1), (2, 3)]
        erased = EXERCISES["6.2"].reference(edges, 0, [], [1, 2, 3, 4, 5], t)
        told[t] = erased / ((1 - t) * math.log(2))
    assert told[0.2] + told[0.8] == pytest.approx(1, abs=1e-12)
    assert told[0.5] == pytest.approx(0.5, abs=1e-12)


def test_nishimori_coupling_is_half_the_log_odds_of_one_bond():
    """Posterior odds of one bond of a tree, seen as +1, by Bayes' rule on its table."""

    def coupling(t):
        def one(strength):
            coin, channel = {(-1,): 0.5, (1,): 0.5}, brute.bit_flip(strength)
            mean = brute.posterior_mean(coin, [channel], (1,), region=[0])[0]
            return math.log((1 + mean) / (1 - mean)) / 2

        return np.vectorize(one)(t)

    assert check("6.4", coupling).ok


def test_exponent_of_exact_power_laws_and_by_another_fit():
    reference = EXERCISES["6.5"].reference
    sizes = np.array([4.0, 7.0, 20.0])
    for nu in (4 / 3, 1.53):
        assert reference(sizes, -0.7 * sizes ** (1 / nu)) == pytest.approx(nu, rel=1e-12)

    def fitted(sizes, slopes):
        design = np.stack([np.ones(len(sizes)), np.log(sizes)], axis=1)
        return 1 / np.linalg.lstsq(design, np.log(np.abs(slopes)), rcond=None)[0][1]

    assert check("6.5", fitted).ok


def test_slips_of_others_kinds_are_named():
    """Mistakes in another form than that of the slips themselves."""
    assert "decimal" in check("6.4", lambda t: np.log10((2 - t) / t) / 2).says
    assert "right" in check("6.4", lambda t: np.arctanh(1 - np.asarray(t))).says
    bits = EXERCISES["6.3"].reference() / math.log(2)
    assert "bits" in check("6.3", bits).says
