r"""Digits of the planar engine against fixed-point arithmetic of 70 to 120 digits.

The reference is a different algorithm (Majorana operators of a row, `planar_reference`), and every
instance is done twice with different precisions, which have to agree to 40 digits. Open L x L
grids, L = 10 here and L = 32 among the slow tests: couplings of size up to 5, one bond in ten
antiferromagnetic; evidence of Gaussian noise at t = 0.2, where abs(K) reaches 30; bit flips at
p = 0.001.

Digits are asked of Z itself, not of log Z: absolute errors of log Z below 1e-11 at L = 10, and
below 5e-10 (and 1e-13 of log Z) at L = 32. Random signs of couplings beyond 5 are another matter,
see the tests of frustration.
"""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import mpmath as mp
import numpy as np
import pytest
from numpy.typing import NDArray

import phasetheory as pt
from phasetheory.engines.planar import PlanarIsing
from tests.benchmarks.peer_planar import grassmann_matrix, kac_ward_matrix
from tests.planar_patches import direct
from tests.planar_reference import log_partition

KINDS = ("up to 5", "Gaussian", "bit flips")


@dataclass(frozen=True)
class Grid:
    """An open square grid with couplings, and where its bonds lie."""

    engine: PlanarIsing
    couplings: NDArray[np.float64]

    def reference(self, couplings: NDArray[np.float64], bits: int) -> mp.mpf:
        rows, columns = self.engine.shape
        i, j = self.engine.edges.T
        inside = j == i + 1
        along, across = couplings[inside], couplings[~inside]
        return log_partition(along.reshape(rows, -1), across.reshape(-1, columns), bits)


@lru_cache
def grid(kind: str, L: int) -> Grid:
    lattice, rng = pt.Lattice.grid((L, L)), np.random.default_rng(L)
    n = len(lattice.edges)
    if kind == "up to 5":
        K = rng.uniform(0.0, 5.0, n) * np.where(rng.random(n) < 0.1, -1.0, 1.0)
    elif kind == "Gaussian":
        alpha, sigma = 0.8, 0.2
        K = alpha / sigma**2 * (alpha + sigma * rng.normal(size=n))
    else:
        p = 0.001
        K = 0.5 * math.log((1 - p) / p) * np.where(rng.random(n) < p, -1.0, 1.0)
    return Grid(pt.LoopEnsemble(lattice).engine, K)


def certified(case: Grid, couplings: NDArray[np.float64]) -> mp.mpf:
    """Log Z by the reference, twice."""
    needed = int(np.abs(couplings).max() * 2 / math.log(2))
    value, finer = (case.reference(couplings, bits + 2 * needed) for bits in (240, 300))
    assert abs(value - finer) < mp.mpf(10) ** -40
    return finer


def error(case: Grid) -> float:
    found = case.engine.log_partition(case.couplings[None])[0]
    return float(mp.mpf(found) - certified(case, case.couplings))


def exact_odds(case: Grid, bond: int) -> mp.mpf:
    """From Z(K) = A e^K + B e^-K at K = 0 and K = 1: log A/B + 2 K_bond."""
    with mp.workprec(900):
        z = []
        for value in (0.0, 1.0):
            K = case.couplings.copy()
            K[bond] = value
            z.append(mp.exp(case.reference(K, 600)))
        a = (z[1] - z[0] * mp.exp(-1)) / (mp.e - mp.exp(-1))
        return mp.log(a / (z[0] - a)) + 2 * mp.mpf(float(case.couplings[bond]))


def test_the_reference_equals_a_direct_sum():
    """Four by four, couplings of both signs up to 5: to the long double's own rounding."""
    case = grid("up to 5", 4)
    log_z, _ = direct(pt.Lattice.grid((4, 4)), case.couplings)
    assert float(certified(case, case.couplings)) == pytest.approx(log_z, rel=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_digits_on_small_grids(kind):
    assert abs(error(grid(kind, 10))) < 1e-11


@pytest.mark.parametrize("kind", KINDS)
def test_odds_on_small_grids(kind):
    """The most doubtful bonds, and one in fifty of the others, both ways of asking.

    From many bonds at once: probabilities to 1e-13. From one: log-odds to the rounding of log Z.
    """
    case = grid(kind, 9)
    odds = case.engine.log_odds(case.couplings[None])[0]
    picked = {*np.argsort(np.abs(odds))[:2].tolist(), *range(5, odds.size, 50)}
    for bond in picked:
        exact = exact_odds(case, bond)
        p = 1 / (1 + mp.exp(-exact))
        found = mp.mpf(1) / (1 + mp.exp(-mp.mpf(float(odds[bond]))))
        assert abs(found - p) < 1e-13
        one = case.engine.log_odds(case.couplings[None], np.array([bond]))[0, 0]
        assert one == pytest.approx(float(exact), abs=4e-15 * np.abs(case.couplings).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_small_probabilities_keep_their_digits(kind):
    """Log-odds of bonds from one way back, to 1e-10 of themselves where they reach 100."""
    case = grid(kind, 9)
    odds = case.engine.log_odds(case.couplings[None])[0]
    for bond in np.argsort(-np.abs(odds))[:2].tolist():
        assert float(odds[bond]) == pytest.approx(float(exact_odds(case, bond)), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_digits_at_32(kind):
    """Half a minute each: 1024 spins, log Z from 4e3 to 3e4."""
    case = grid(kind, 32)
    relative = error(case) / float(case.engine.log_partition(case.couplings[None])[0])
    assert abs(relative) < 1e-13
    assert abs(error(case)) < 5e-10


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_odds_at_24(kind):
    """Two bonds of a 24 x 24 grid, the most doubtful and a common one."""
    case = grid(kind, 24)
    odds = case.engine.log_odds(case.couplings[None])[0]
    for bond in (int(np.argmin(np.abs(odds))), 500):
        exact = exact_odds(case, bond)
        found = mp.mpf(1) / (1 + mp.exp(-mp.mpf(float(odds[bond]))))
        assert abs(found - 1 / (1 + mp.exp(-exact))) < 1e-12


# Where the engine loses digits itself.


def caught_error(K: float, seed: int) -> tuple[float, bool]:
    """Error of log Z of a 12 x 12 patch of couplings +-K, and whether the engine warned."""
    lattice = pt.Lattice.grid((12, 12))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], len(lattice.edges))
    case = Grid(pt.LoopEnsemble(lattice).engine, K * signs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        found = error(case)
    return abs(found), bool(caught)


@pytest.mark.parametrize("K", [1.0, 3.0, 4.0])
@pytest.mark.parametrize("seed", [0, 29])
def test_moderate_frustration_costs_nothing(K, seed):
    """Random signs: exp(4K) times the rounding of an amplitude is below 1e-9 up to K = 4."""
    found, _ = caught_error(K, seed)
    assert found < 1e-9


@pytest.mark.parametrize("K", [6.0, 8.0, 10.0, 15.0])
@pytest.mark.parametrize("seed", [3, 29])
def test_strong_frustration_is_right_or_warned_of(K, seed):
    """Errors grow as exp(4K), up to nats: 2e-7 at 6, 2e-5 at 8, 0.1 at 10 on the worse instance."""
    found, warned = caught_error(K, seed)
    assert warned or found < 1e-8


def test_the_warning_is_needed():
    """Negative control: the instance above is wrong by far."""
    assert caught_error(10.0, 29)[0] > 1e-3


@pytest.mark.parametrize("kind", KINDS[1:])
def test_evidence_of_a_true_configuration_is_not_warned_of(kind):
    """Draws of the noisy law are hardly frustrated, however strong; a warning is an error here."""
    case = grid(kind, 10)
    case.engine.log_partition(case.couplings[None])


# What other ways lose.


def by_lu(matrix, case: Grid) -> float:
    """Log Z from a determinant in double precision."""
    _, log_det = np.linalg.slogdet(matrix.toarray())
    K = np.abs(case.couplings)
    log_cosh = K + np.log1p(np.exp(-2 * K)) - math.log(2)
    return case.engine.n_spins * math.log(2) + log_cosh.sum() + 0.5 * float(log_det)


@pytest.mark.parametrize("build", [kac_ward_matrix, grassmann_matrix])
def test_plain_determinants_are_right_at_weak_coupling(build):
    """The peers are what they claim: 12 digits at couplings of order 1/2, both signs."""
    case = grid("up to 5", 8)
    weak = Grid(case.engine, 0.1 * case.couplings)
    found = by_lu(build(weak.engine.edges, weak.couplings, weak.engine.shape), weak)
    assert found == pytest.approx(float(certified(weak, weak.couplings)), rel=1e-12)


@pytest.mark.parametrize("build", [kac_ward_matrix, grassmann_matrix])
def test_plain_determinants_lose_digits_where_the_engine_does_not(build):
    """Negative control, the same instance: bit flips cooled to beta = 8, frustrated.

    LU of a matrix with entries tanh K = 1 - 2 e^-16 knows e^-16 to nine digits, their products
    not at all.
    """
    case = grid("bit flips", 12)
    rng = np.random.default_rng(0)
    signs = np.where(rng.random(case.couplings.size) < 0.1, -1.0, 1.0)
    cold = Grid(case.engine, 8.0 * signs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it says that digits may be lost
        assert abs(error(cold)) < 1e-11
    exact = float(certified(cold, cold.couplings))
    found = by_lu(build(cold.engine.edges, cold.couplings, cold.engine.shape), cold)
    assert not abs(found - exact) < 1.0
