"""The planar engine against identities, closed forms of the pure model and the transfer matrix.

Tolerances as in test_planar: log Z to 1e-14 (1 + sum |K|), probabilities to 1e-13.
"""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

import phasetheory as pt
from phasetheory.engines.planar import PlanarIsing
from tests.planar_patches import FLAT, bond_states, delaunay, direct, engine_of, patch, tolerance

# Identities.


@pytest.mark.parametrize(
    "lattice",
    [pt.Lattice.grid((12, 13)), pt.Lattice.grid((6, 10), (False, True)), patch("icosahedron")],
)
def test_gauge_invariance(lattice):
    """Flipping spins flips the signs of their bonds: log Z stays, log-odds change sign."""
    rng = np.random.default_rng(5)
    K, spins = rng.normal(0.0, 1.5, len(lattice.edges)), rng.choice([-1.0, 1.0], lattice.n_sites)
    gauge, engine = spins[lattice.edges].prod(axis=1), engine_of(lattice)
    one, other = engine.log_partition(np.stack([K, gauge * K]))
    assert one == pytest.approx(other, abs=tolerance(K))
    one, other = engine.log_odds(np.stack([K, gauge * K]))
    np.testing.assert_allclose(np.tanh(one / 2), gauge * np.tanh(other / 2), atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 6), (7, 7)])
def test_weak_couplings_count_faces(shape):
    r"""Log Z = n ln 2 + sum log cosh K + sum over squares of prod tanh K + O(K^6).

    Next come two squares sharing an edge: at most 6 tanh^6 a face, and log(1 + x) of a square.
    """
    lattice, rng = pt.Lattice.grid(shape), np.random.default_rng(6)
    K = rng.uniform(-0.03, 0.03, len(lattice.edges))
    index = {tuple(edge): e for e, edge in enumerate(lattice.edges.tolist())}
    site = np.arange(lattice.n_sites).reshape(shape)
    total = lattice.n_sites * math.log(2) + np.log(np.cosh(K)).sum()
    for r, c in itertools.product(range(shape[0] - 1), range(shape[1] - 1)):
        a, b, c_, d = site[r, c], site[r, c + 1], site[r + 1, c], site[r + 1, c + 1]
        total += math.prod(
            math.tanh(K[index[int(i), int(j)]]) for i, j in ((a, b), (a, c_), (b, d), (c_, d))
        )
    found = engine_of(lattice).log_partition(K[None])[0]
    faces = (shape[0] - 1) * (shape[1] - 1)
    assert found == pytest.approx(total, abs=faces * 6 * 0.03**6 + 1e-13)
    assert abs(found - lattice.n_sites * math.log(2) - np.log(np.cosh(K)).sum()) > 1e-8


@pytest.mark.parametrize("name", FLAT)
def test_no_coupling_and_all_bonds_known(name):
    """K = 0: 2^n states of weight 1. All bonds known: 2 a connected piece, if they close."""
    lattice, rng = patch(name), np.random.default_rng(7)
    n, engine = lattice.n_sites, engine_of(lattice)
    graph = nx.Graph(lattice.edges.tolist())
    graph.add_nodes_from(range(n))
    pieces = nx.number_connected_components(graph)
    truth = rng.choice([-1.0, 1.0], n)[lattice.edges].prod(axis=1)
    K = np.stack([0.0 * truth, np.inf * truth])
    np.testing.assert_allclose(
        engine.log_partition(K), np.array([n, pieces]) * math.log(2), atol=1e-13
    )
    np.testing.assert_allclose(engine.log_odds(K), [0.0 * truth, np.inf * truth], atol=1e-15)
    if len(lattice.edges) > n - pieces:
        cycle = next(iter(nx.cycle_basis(graph)))
        ends = sorted((cycle[0], cycle[1]))
        bond = int(np.flatnonzero((lattice.edges == ends).all(axis=1))[0])
        K[1, bond] *= -1.0
        assert engine.log_partition(K)[1] == -np.inf
        assert np.isnan(engine.log_odds(K)[1]).all()


@pytest.mark.parametrize("K", [5.0, 40.0, 120.0])
def test_cold_ferromagnet(K):
    """Log Z - sum K - ln 2 -> 4 e^(-4K) (corners of an open grid flipped), K -> infinity."""
    lattice = pt.Lattice.grid((9, 9))
    n = len(lattice.edges)
    found = engine_of(lattice).log_partition(np.full((1, n), K))[0]
    assert found - n * K - math.log(2) == pytest.approx(
        4 * math.exp(-4 * K) + 36 * math.exp(-6 * K), abs=1e-12 * n * K, rel=1e-6
    )
    odds = engine_of(lattice).log_odds(np.full((1, n), K))[0]
    # A corner bond breaks by flipping the corner, weight e^(-4K); with more spins, e^(-6K) or less.
    assert odds[0] == pytest.approx(4 * K, abs=4 * math.exp(-2 * K) + 1e-12 * K)
    assert math.exp(-2 * K) < 1e-12 or odds[0] < 4 * K - 0.5 * math.exp(-2 * K)


def test_fully_frustrated_chains_of_squares():
    """Seven squares with one negative side each, K = 4: levels and degeneracies counted directly.

    With one coupling K for all, Z is a sum of degeneracy x exp(K x level) over whole numbers.
    """
    lattice = pt.Lattice.grid((2, 8))
    signs = np.array([-1 if j == i + 1 and i < 8 else 1 for i, j in lattice.edges])
    levels, degeneracies = np.unique(bond_states(lattice) @ signs, return_counts=True)
    assert degeneracies[-1] > 1
    found = engine_of(lattice).log_partition(4.0 * signs[None].astype(float))[0]
    expected = math.log(2.0 * (degeneracies * np.exp(4.0 * (levels - levels[-1]))).sum())
    assert found == pytest.approx(4.0 * levels[-1] + expected, abs=1e-12)


@pytest.mark.parametrize(
    "lattice",
    [pt.Lattice.grid((8, 9)), pt.Lattice.grid((5, 6), (True, False)), patch("triangular")],
)
def test_correlations_are_derivatives_of_log_z(lattice):
    """Z is A e^K + B e^-K in every K: <ss> = (Z(K + h)/Z(K) - cosh h)/sinh h for any h.

    With h = 1 the rounding of log Z, 1e-14 (1 + sum |K|), enters at most three times enlarged. The
    central difference with step h errs by at most h^2/6 times 2, the third derivative of
    log(cosh) and its like being below 2.
    """
    rng = np.random.default_rng(8)
    K = rng.normal(0.0, 1.0, len(lattice.edges))
    engine = engine_of(lattice)
    means = np.tanh(engine.log_odds(K[None])[0] / 2)
    small = 1e-4
    for bond in rng.choice(len(K), 8, replace=False):
        moved = np.tile(K, (3, 1))
        moved[:, bond] += [1.0, small, -small]
        log_z = engine.log_partition(np.vstack([moved, K]))
        exact = (math.exp(log_z[0] - log_z[3]) - math.cosh(1.0)) / math.sinh(1.0)
        assert means[bond] == pytest.approx(exact, abs=4 * tolerance(moved[0]) + 1e-13)
        slope = (log_z[1] - log_z[2]) / (2 * small)
        assert means[bond] == pytest.approx(slope, abs=small**2 / 3 + tolerance(K) / small)


@pytest.mark.parametrize("seed", range(4))
def test_kramers_wannier_duality(seed):
    r"""Z(K) = 2^n prod cosh K / 2 Z*(K*) exp(-sum K*), exp(-2 K*) = tanh K.

    The high-temperature graphs of a planar graph are the domain walls of its dual, whose vertices
    are the faces, the outer one included (Kramers, Wannier 1941). Parallel dual bonds add up; the
    dual of a bridge is a loop, which is always satisfied.
    """
    graph = delaunay(12, 6, seed)
    graph = graph.subgraph(max(nx.connected_components(graph), key=len))
    lattice = pt.Lattice.from_graph(nx.convert_node_labels_to_integers(graph))
    _, embedding = nx.check_planarity(nx.Graph(lattice.edges.tolist()))
    face_of: dict[tuple[int, int], int] = {}
    n_faces = 0
    for edge in list(embedding.edges):
        if edge not in face_of:
            seen: set[tuple[int, int]] = set()
            embedding.traverse_face(*edge, mark_half_edges=seen)
            face_of |= dict.fromkeys(seen, n_faces)
            n_faces += 1
    assert lattice.n_sites - len(lattice.edges) + n_faces == 2
    K = np.random.default_rng(seed).uniform(0.1, 1.5, len(lattice.edges))
    dual = -0.5 * np.log(np.tanh(K))
    bonds: dict[tuple[int, int], float] = {}
    satisfied = 0.0
    for (i, j), value in zip(lattice.edges.tolist(), dual, strict=True):
        faces = tuple(sorted((face_of[i, j], face_of[j, i])))
        if faces[0] == faces[1]:
            satisfied += value
        else:
            bonds[faces] = bonds.get(faces, 0.0) + value
    edges = np.array(sorted(bonds), dtype=np.int64)
    other = PlanarIsing(n_faces, edges).log_partition(np.array([[bonds[tuple(e)] for e in edges]]))
    expected = lattice.n_sites * math.log(2) + np.log(np.cosh(K)).sum() - math.log(2)
    expected += other[0] + satisfied - dual.sum()
    found = engine_of(lattice).log_partition(K[None])[0]
    assert found == pytest.approx(expected, abs=1e-12)


# Closed forms of the pure model.


def cylinder(n: int, m: int, around: float, along: float) -> float:
    r"""Log Z of m rings of n spins, free ends: a product over momenta.

    Kaufman's transfer matrices (Phys. Rev. 76, 1232, 1949) between rows of free spins, which are
    the vacuum of the fermions, so that only the antiperiodic momenta k = pi (2j - 1)/n occur. On a
    pair (k, -k), in the basis (empty, full), a ring is exp 2K(-cos k tau_z + sin k tau_x) and the
    step to the next one exp 2K'* tau_z, with prefactor (2 sinh 2K')^(1/2) a spin and
    tanh K'* = exp(-2K'). For odd n the mode k = pi is alone and stays empty.
    """
    dual = math.atanh(math.exp(-2.0 * along))
    log_z = n * math.log(2) + 0.5 * n * (m - 1) * math.log(2.0 * math.sinh(2.0 * along))
    for j in range(1, n // 2 + 1):
        k = math.pi * (2 * j - 1) / n
        direction = np.array([[-math.cos(k), math.sin(k)], [math.sin(k), math.cos(k)]])
        ring = math.cosh(2 * around) * np.eye(2) + math.sinh(2 * around) * direction
        step = np.diag(np.exp([2 * dual, -2 * dual]))
        state = ring[:, 0]
        for _ in range(m - 1):
            state = ring @ (step @ state)
            size = np.abs(state).max()
            log_z += math.log(size)
            state = state / size
        log_z += math.log(state[0])
    return log_z + (m * around + (m - 1) * dual if n % 2 else 0.0)


@pytest.mark.parametrize("shape", [(3, 2), (4, 4), (5, 7), (10, 12), (24, 9)])
@pytest.mark.parametrize("couplings", [(0.2, 0.3), (0.4406868, 0.4406868), (0.9, 0.5)])
def test_cylinder_equals_the_product_over_momenta(shape, couplings):
    n, m = shape
    lattice = pt.Lattice.grid((m, n), periodic=(False, True))
    i, j = lattice.edges.T
    K = np.where(i // n == j // n, *couplings)
    found = engine_of(lattice).log_partition(K[None])[0]
    assert found == pytest.approx(cylinder(n, m, *couplings), rel=1e-13)


def test_the_closed_form_equals_a_direct_sum():
    lattice = pt.Lattice.grid((3, 5), periodic=(False, True))
    i, j = lattice.edges.T
    log_z, _ = direct(lattice, np.where(i // 5 == j // 5, 0.37, 0.61))
    assert cylinder(5, 3, 0.37, 0.61) == pytest.approx(log_z, abs=1e-12)


def onsager(K: float) -> float:
    """Log Z a site of the infinite square lattice (Onsager 1944)."""
    k = 2.0 * math.sinh(2 * K) / math.cosh(2 * K) ** 2
    integral = quad(lambda x: math.log1p(math.sqrt(1 - (k * math.sin(x)) ** 2)), 0, math.pi / 2,
                    epsabs=1e-14)[0]  # fmt: skip
    return 0.5 * math.log(2.0) + math.log(math.cosh(2 * K)) + integral / math.pi


@pytest.mark.parametrize("K", [0.15, 0.25, 0.75])
def test_bulk_free_energy_equals_onsager(K):
    """The mixed second difference of log Z in both sides cancels surfaces and corners.

    What is left is of order exp(-L/xi), 1/xi = abs(ln coth K - 2K) > 0.85 below exp(-27), once
    more per side, and the rounding of four log Z of about 10^3.
    """
    L = 32
    log_z = {}
    for shape in itertools.product((L, L + 1), repeat=2):
        lattice = pt.Lattice.grid(shape)
        K_all = np.full((1, len(lattice.edges)), K)
        log_z[shape] = engine_of(lattice).log_partition(K_all)[0]
    bulk = log_z[L + 1, L + 1] - log_z[L + 1, L] - log_z[L, L + 1] + log_z[L, L]
    assert bulk == pytest.approx(onsager(K), abs=2e-11)


def test_central_charge_of_a_critical_strip():
    """Log Z of an open strip a unit of length: f n + 2 f_s + pi c/(24 (n + delta)), c = 1/2.

    (Bloete, Cardy, Nightingale 1986; Affleck 1986.) Three widths fix f_s, c and delta against
    Onsager's f; the next term is of relative order n^-2 = 0.002.
    """
    K = 0.5 * math.log(1 + math.sqrt(2))
    widths, length = np.array([20, 30, 40]), 500
    slopes = []
    for n in widths:
        log_z = []
        for m in (length, length + 1):
            lattice = pt.Lattice.grid((m, int(n)))
            K_all = np.full((1, len(lattice.edges)), K)
            log_z.append(engine_of(lattice).log_partition(K_all)[0])
        slopes.append(log_z[1] - log_z[0])
    y = np.array(slopes) - onsager(K) * widths
    # y = s + p (1/n - delta/n^2) solved for (s, p, p delta).
    design = np.stack([np.ones(3), 1.0 / widths, -1.0 / widths**2], axis=1)
    _, slope, _ = np.linalg.solve(design, y)
    assert 24 * slope / math.pi == pytest.approx(0.5, rel=0.01)


# The transfer matrix.


@pytest.mark.parametrize(
    ("shape", "strength"), [((6, 20), 1.0), ((12, 14), 0.6), ((10, 10), 3.0), ((4, 30), 20.0)]
)
def test_transfer_matrix_agrees(shape, strength):
    """Random couplings of both signs; correlations by tying one end of a bond."""
    lattice, rng = pt.Lattice.grid(shape), np.random.default_rng(9)
    K = rng.normal(0.0, strength, len(lattice.edges))
    if strength > 10.0:
        K = np.abs(K) * rng.choice([-1.0, 1.0], lattice.n_sites)[lattice.edges].prod(axis=1)
    ising = pt.Ising(lattice, K, engine="transfer")
    # The prior's log Z: minus the log-probability of one configuration, times its weight.
    up = np.full((1, lattice.n_sites), np.inf)
    log_z = K.sum() - ising.log_evidence(up)[0]
    engine = engine_of(lattice)
    assert engine.log_partition(K[None])[0] == pytest.approx(log_z, abs=2e-14 * np.abs(K).sum())
    odds = engine.log_odds(K[None])[0]
    for bond in rng.choice(len(K), 5, replace=False):
        i, j = lattice.edges[bond]
        known = np.zeros((1, lattice.n_sites))
        known[0, i] = np.inf
        log_p = ising.posterior(known, np.array([j])).log_p[0, 0]
        assert expit(odds[bond]) == pytest.approx(np.exp(log_p[1]), abs=1e-12)


def test_transfer_matrix_on_a_cylinder():
    lattice, rng = pt.Lattice.grid((6, 9), periodic=(True, False)), np.random.default_rng(10)
    K = rng.normal(0.0, 1.0, len(lattice.edges))
    ising = pt.Ising(lattice, K, engine="transfer")
    log_z = K.sum() - ising.log_evidence(np.full((1, 54), np.inf))[0]
    assert engine_of(lattice).log_partition(K[None])[0] == pytest.approx(log_z, abs=1e-11)
