"""The transfer-matrix and chain engines against direct sums, closed forms and each other."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ellipk

import phasetheory as pt
from phasetheory.engines import transfer, transfer_log
from phasetheory.engines.chain import Chain
from phasetheory.engines.transfer import MAX_WIDTH, Transfer, sweep_plan
from tests import brute
from tests.strategies import lattices, seeds

TORUS = pt.Lattice.grid((3, 3), periodic=True)
CYLINDER = pt.Lattice.grid((3, 4), periodic=(True, False))
STRIP = pt.Lattice.grid((4, 3))
GRAPH = pt.Lattice.from_graph(nx.circulant_graph(9, [1, 3]))


def engine_of(lattice: pt.Lattice, couplings: np.ndarray) -> Transfer:
    plan = sweep_plan(lattice.n_sites, lattice.edges, lattice.shape)
    return Transfer(plan, lattice.edges, np.asarray(couplings, dtype=float), lattice.n_sites)


def direct(lattice: pt.Lattice, J: np.ndarray, h: np.ndarray) -> tuple[float, list[float]]:
    """Log Z and log-odds from all energies, in log space; h = +-inf keeps the states that agree."""
    energies: dict[tuple[int, ...], float] = {}
    for x in itertools.product((-1, 1), repeat=lattice.n_sites):
        if all(not math.isinf(h_i) or h_i * x_i > 0 for h_i, x_i in zip(h, x, strict=True)):
            bonds = [J_e * x[i] * x[j] for (i, j), J_e in zip(lattice.edges, J, strict=True)]
            sites = [h_i * x_i for h_i, x_i in zip(h, x, strict=True) if not math.isinf(h_i)]
            energies[x] = math.fsum(bonds + sites)

    def log_sum(terms: list[float]) -> float:
        top = max(terms, default=-math.inf)
        return (
            top if math.isinf(top) else top + math.log(math.fsum(math.exp(e - top) for e in terms))
        )

    odds = []
    for i in range(lattice.n_sites):
        up, down = (log_sum([e for x, e in energies.items() if x[i] == s]) for s in (1, -1))
        odds.append(up - down)
    return log_sum(list(energies.values())), odds


@st.composite
def problems(draw, strength):
    """A small graph, couplings and fields of either sign, some spins known."""
    lattice = draw(lattices(7) | st.sampled_from([TORUS, pt.Lattice.grid((2, 4), (False, True))]))
    rng = np.random.default_rng(draw(seeds))
    J = rng.normal(0.0, strength, len(lattice.edges))
    h = rng.normal(0.0, strength, (2, lattice.n_sites))
    h[rng.random(h.shape) < draw(st.sampled_from([0.0, 0.3]))] = np.inf
    h *= rng.choice([-1.0, 1.0], h.shape)
    return lattice, J, h


@pytest.mark.parametrize("strength", [0.7, 5.0, 200.0])
@settings(max_examples=30)
@given(data=st.data())
def test_partition_function_and_odds_equal_direct_sums(data, strength):
    """Rounding of energies E costs eps |E|; everything else is relative."""
    lattice, J, h = data.draw(problems(strength))
    engine = engine_of(lattice, J)
    log_z, odds = engine.log_partition(h), engine.log_odds(h)
    tolerance = 1e-14 * (1.0 + np.abs(J).sum() + np.abs(h[np.isfinite(h)]).sum())
    for k, fields in enumerate(h):
        expected_z, expected_odds = direct(lattice, J, fields)
        assert log_z[k] == pytest.approx(expected_z, rel=1e-13, abs=tolerance)
        np.testing.assert_allclose(odds[k], expected_odds, rtol=1e-13, atol=20 * tolerance)


@settings(max_examples=30)
@given(data=st.data())
def test_model_equals_brute_force(data):
    """Log E exp sum l and the posteriors, with evidence on top of the model's own fields."""
    lattice = data.draw(lattices(6))
    rng = np.random.default_rng(data.draw(seeds))
    J, field = rng.normal(0, 0.8, len(lattice.edges)), rng.normal(0, 0.7, lattice.n_sites)
    h = rng.normal(0, 1.0, lattice.n_sites)
    h[rng.random(h.size) < 0.3] = -np.inf
    edges = [(int(i), int(j)) for i, j in lattice.edges]
    law = brute.ising(lattice.n_sites, edges, J.tolist(), fields=field.tolist())

    def likelihood(i: int, x: int) -> float:
        return (0.0 if x < 0 else -math.inf) if math.isinf(h[i]) else h[i] * x

    prior = pt.Ising(lattice, J, field, engine="transfer")
    assert prior.solver == "transfer"
    value = prior.log_evidence(h[None])[0]
    assert value == pytest.approx(brute.log_evidence(law, likelihood), rel=1e-12, abs=1e-12)
    p = prior.posterior(h[None]).p[0]
    expected = [[m.get(-1, 0.0), m.get(1, 0.0)] for m in brute.evidence_marginals(law, likelihood)]
    np.testing.assert_allclose(p, expected, atol=1e-13)


@pytest.mark.parametrize("lattice", [TORUS, CYLINDER, STRIP, GRAPH])
@pytest.mark.parametrize("strength", [0.6, 40.0])
def test_table_and_transfer_agree(lattice, strength):
    """Log-odds of all sites, evidence from weak to overwhelming, known spins among it."""
    rng = np.random.default_rng(5)
    J, field = rng.normal(0, strength, len(lattice.edges)), rng.normal(0, 0.5, lattice.n_sites)
    h = rng.normal(0, [[0.3], [30.0], [500.0]], (3, lattice.n_sites))
    h[1, ::4] = np.inf
    table, sweep = (pt.Ising(lattice, J, field, engine) for engine in ("table", "transfer"))
    one, other = (model.log_evidence(h) for model in (table, sweep))
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-10)
    one, other = (model.posterior(h).log_p for model in (table, sweep))
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_two_dimensions_without_fields_on_a_cube():
    """A 2 x 2 x 3 box: any grid is swept layer by layer."""
    lattice = pt.Lattice.grid((2, 2, 3))
    table, sweep = (pt.Ising(lattice, 0.3, 0.1, engine) for engine in ("table", "transfer"))
    h = np.random.default_rng(0).normal(size=(2, 12))
    np.testing.assert_allclose(sweep.log_evidence(h), table.log_evidence(h), rtol=1e-13)
    assert sweep._plan.width <= 5


def kaufman(m: int, n: int, K: float) -> float:
    """Log Z of the m x n torus without field (Kaufman 1949, Phys. Rev. 76, 1232, eq. 71)."""
    cosh_gamma = [
        math.cosh(2 * K) ** 2 / math.sinh(2 * K) - math.cos(math.pi * k / n) for k in range(2 * n)
    ]
    gamma = [math.acosh(max(c, 1.0)) for c in cosh_gamma]  # k = 0 at T_c: 1 up to rounding
    gamma[0] = 2 * K + math.log(math.tanh(K))
    products = [
        math.prod(2 * f(m * gamma[k] / 2) for k in range(parity, 2 * n, 2))
        for parity in (1, 0)
        for f in (math.cosh, math.sinh)
    ]
    return -math.log(2) + 0.5 * m * n * math.log(2 * math.sinh(2 * K)) + math.log(sum(products))


@pytest.mark.parametrize("coupling", [0.2, 0.5 * math.log(1 + math.sqrt(2)), 0.7])
@pytest.mark.parametrize("shape", [(3, 3), (5, 4), (6, 9), (8, 8)])
def test_torus_equals_kaufman(shape, coupling):
    """Ten digits of log Z, below, at and above the critical coupling."""
    lattice = pt.Lattice.grid(shape, periodic=True)
    found = engine_of(lattice, np.full(len(lattice.edges), coupling))
    value = found.log_partition(np.zeros((1, lattice.n_sites)))[0]
    assert value == pytest.approx(kaufman(*shape, coupling), rel=1e-12)


# Chains.


def plain_chain(J: list[float], h: list[float]) -> tuple[float, list[float]]:
    """Log Z and log-odds of a chain by products of 2 x 2 matrices, kept in log space."""

    def add(a: float, b: float) -> float:
        return max(a, b) + math.log1p(math.exp(-abs(a - b)))

    def messages(J: list[float], h: list[float]) -> list[tuple[float, float]]:
        found, down, up = [(0.0, 0.0)], 0.0, 0.0
        for J_i, h_i in zip(J, h, strict=False):
            a, b = down - h_i, up + h_i
            down, up = add(a + J_i, b - J_i), add(a - J_i, b + J_i)
            found.append((down, up))
        return found

    left, right = messages(J, h), messages(J[::-1], h[::-1])[::-1]
    odds = [
        2 * h_i + (a[1] - a[0]) + (b[1] - b[0]) for h_i, a, b in zip(h, left, right, strict=True)
    ]
    return add(left[-1][0] - h[-1], left[-1][1] + h[-1]), odds


def test_energy_of_a_wide_cylinder_equals_onsager():
    """Bond correlations of the infinite lattice at J = 0.15, to 10 digits.

    Onsager 1944: <x_i x_j> summed over a horizontal and a vertical bond is
    coth(2J) [1 + (2/pi)(2 tanh^2(2J) - 1) K(k)], k = 2 sinh(2J)/cosh^2(2J). On a cylinder of
    circumference 16 and length 81 the difference is of order exp(-16/xi) = 7e-12, with
    1/xi = ln coth J - 2J. A correlation is the mean of one spin where the other one is known.
    """
    coupling = 0.15
    lattice = pt.Lattice.grid((16, 81), periodic=(True, False))
    model = pt.Ising(lattice, coupling)
    centre, across, along = (8 * 81 + 40), (9 * 81 + 40), (8 * 81 + 41)
    known = np.zeros((1, lattice.n_sites))
    known[0, centre] = np.inf
    found = model.posterior(known, np.array([across, along])).mean().sum()
    k = 2 * np.sinh(2 * coupling) / np.cosh(2 * coupling) ** 2
    expected = (1 + 2 / np.pi * (2 * np.tanh(2 * coupling) ** 2 - 1) * ellipk(k**2)) / np.tanh(
        2 * coupling
    )
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("strength", [1.0, 300.0])
def test_chain_equals_matrix_products(strength):
    rng = np.random.default_rng(2)
    J, h = rng.normal(0, strength, 999), rng.normal(0, strength, 1000)
    log_z, odds = plain_chain(J.tolist(), h.tolist())
    assert Chain(J).log_partition(h[None])[0] == pytest.approx(log_z, rel=1e-13)
    found = Chain(J).log_odds(h[None])[0]
    np.testing.assert_allclose(found, odds, rtol=1e-11, atol=1e-11 * strength)


@settings(max_examples=40)
@given(seed=seeds, n=st.integers(1, 7), strength=st.sampled_from([0.5, 100.0]))
def test_chain_engine_equals_direct_sums(seed, n, strength):
    rng = np.random.default_rng(seed)
    lattice = pt.Lattice.chain(n)
    J, h = rng.normal(0, strength, n - 1), rng.normal(0, strength, (1, n))
    h[rng.random(h.shape) < 0.3] *= np.inf
    log_z, odds = direct(lattice, J, h[0])
    assert Chain(J).log_partition(h)[0] == pytest.approx(log_z, rel=1e-13, abs=1e-13)
    np.testing.assert_allclose(Chain(J).log_odds(h)[0], odds, rtol=1e-12, atol=1e-13 * strength)


def test_chain_and_ring_of_many_sites():
    """10^5 sites: a uniform ring has eigenvalues e^J cosh h +- sqrt(e^2J sinh^2 h + e^-2J)."""
    J, h, n = 0.6, 0.2, 2000
    root = math.sqrt(math.exp(2 * J) * math.sinh(h) ** 2 + math.exp(-2 * J))
    large = math.exp(J) * math.cosh(h) + root
    small = math.exp(J) * math.cosh(h) - root
    expected = n * math.log(large) + math.log1p((small / large) ** n)
    ring = engine_of(pt.Lattice.ring(n), np.full(n, J))
    assert ring.log_partition(np.full((1, n), h))[0] == pytest.approx(expected, rel=1e-12)
    # The middle of a long chain does not know that it is open.
    middle = Chain(np.full(10**5 - 1, J)).log_odds(np.full((1, 10**5), h))[0, 50_000]
    mean = math.sinh(h) / math.sqrt(math.sinh(h) ** 2 + math.exp(-4 * J))
    assert math.tanh(middle / 2) == pytest.approx(mean, rel=1e-12)


# Numbers that are hard to hold.


@pytest.mark.parametrize("h", [400.0, -5e4, np.inf])
def test_improbable_symbols_keep_their_log_probability(h):
    """One overwhelming field: log p(against it) = -2|h| + a number of order one."""
    prior = pt.Ising(STRIP, 0.5, 0.1, engine="transfer")
    evidence = np.zeros((1, 12))
    evidence[0, 5] = h
    log_p = prior.posterior(evidence).log_p[0]
    cavity = prior.posterior(np.zeros((1, 12))).log_p[0, 5]
    odds = log_p[5, 1] - log_p[5, 0] if np.isfinite(h) else np.inf
    assert odds == pytest.approx(2 * h + cavity[1] - cavity[0], rel=1e-15)
    assert np.isfinite(log_p[np.arange(12) != 5]).all()


def test_strong_fields_everywhere_stay_linear_and_exact():
    """Fields never enter the range of a message: random ones of size 300 on a wide strip."""
    lattice = pt.Lattice.grid((10, 6))
    rng = np.random.default_rng(1)
    J, h = np.full(len(lattice.edges), 0.44), rng.normal(0, 300.0, (2, 60))
    engine = engine_of(lattice, J)
    assert engine.linear
    np.testing.assert_allclose(
        engine.log_odds(h),
        engine._gauge * (transfer_log.cavity_odds(engine.plan, engine._log_bonds, h) + 2 * h),
        rtol=1e-12,
        atol=1e-11,
    )


@pytest.mark.parametrize("strength", [1.2, 50.0])
def test_linear_and_logarithmic_messages_agree(strength):
    """Random couplings on a 6 x 8 strip; the strong ones are refused the linear path."""
    lattice = pt.Lattice.grid((6, 8))
    rng = np.random.default_rng(3)
    J, h = rng.normal(0, strength, len(lattice.edges)), rng.normal(0, strength, (2, 48))
    engine = engine_of(lattice, J)
    assert engine.linear == (strength < 2.0)
    shift = np.abs(J).sum() + np.abs(h).sum(axis=1)
    in_logs = transfer_log.log_weight(engine.plan, engine._log_bonds, h * engine._gauge)
    np.testing.assert_allclose(engine.log_partition(h), shift + in_logs, rtol=1e-13)


def test_frustration_leaves_the_ground_states():
    """J = -400 on K_5: 20 ground states of equal weight, whatever the sweep had to discard."""
    lattice = pt.Lattice.from_graph(nx.complete_graph(5))
    engine = engine_of(lattice, np.full(10, -400.0))
    assert not engine.linear
    value = engine.log_partition(np.zeros((1, 5)))[0]
    assert value - 400.0 * 2 == pytest.approx(math.log(20), abs=1e-11)


# Batches, and what their samples share.


def test_results_do_not_depend_on_workers_or_batch():
    rng = np.random.default_rng(4)
    h = rng.normal(size=(7, 12))
    engine = engine_of(STRIP, rng.normal(size=len(STRIP.edges)))
    log_z, odds = engine.log_partition(h, workers=1), engine.log_odds(h, workers=1)
    for workers in (2, 3, 16):
        assert (engine.log_partition(h, workers=workers) == log_z).all()
        assert (engine.log_odds(h, workers=workers) == odds).all()
    np.testing.assert_allclose(
        np.concatenate([engine.log_odds(row[None]) for row in h]), odds, rtol=1e-13
    )


@pytest.mark.parametrize("lattice", [pt.Lattice.grid((3, 9)), GRAPH, TORUS])
def test_few_sites_and_local_evidence_equal_the_whole(lattice):
    """Half sweeps that end at the wanted sites, ends shared by all samples."""
    rng = np.random.default_rng(6)
    n = lattice.n_sites
    engine = engine_of(lattice, rng.normal(0, 0.7, len(lattice.edges)))
    h = np.tile(rng.normal(size=n), (4, 1))
    h[:, n // 3 : n // 2] = rng.normal(size=(4, n // 2 - n // 3))
    alone = np.concatenate([engine.log_odds(row[None]) for row in h])
    for sites in ([0], [n - 1], [n // 2], [1, n - 2], list(range(n)), []):
        wanted = np.array(sites, dtype=np.int64)
        np.testing.assert_allclose(engine.log_odds(h, wanted), alone[:, wanted], rtol=1e-11)
    each = [engine.log_partition(row[None])[0] for row in h]
    np.testing.assert_allclose(engine.log_partition(h), each, rtol=1e-14)


# Samples.


@pytest.mark.parametrize("lattice", [STRIP, TORUS, GRAPH, CYLINDER])
def test_samples_equal_the_reference_on_the_same_uniforms(lattice):
    """The kernel in linear weights, the reference in log space: the same spins."""
    rng = np.random.default_rng(7)
    engine = engine_of(lattice, rng.normal(0, 0.8, len(lattice.edges)))
    field, uniforms = rng.normal(size=lattice.n_sites), rng.random((500, lattice.n_sites))
    spins = engine.sample(field, uniforms)
    gauge = engine._gauge
    expected = transfer_log.sample(engine.plan, engine._log_bonds, (field * gauge)[None], uniforms)
    assert (spins == expected * gauge).all()


def test_chain_samples_follow_the_conditional_laws():
    """From the last site on: x_i = +1 where u_i < p(x_i = +1 | x_(i+1), ...), by direct sums."""
    J, h = [0.7, -1.1, 0.4], [0.2, -0.3, 0.1, 0.5]
    law = brute.ising(4, [(0, 1), (1, 2), (2, 3)], J, fields=h)
    uniforms = np.random.default_rng(8).random((50, 4))
    spins = Chain(np.array(J)).sample(np.array(h), uniforms)
    for u, x in zip(uniforms, spins.tolist(), strict=True):
        for i in range(3, -1, -1):
            weight = {s: 0.0 for s in (-1, 1)}
            for state, p in law.items():
                if list(state[i + 1 :]) == x[i + 1 :]:
                    weight[state[i]] += p
            assert (x[i] == 1) == (u[i] < weight[1] / (weight[-1] + weight[1]))


@pytest.mark.parametrize("lattice", [pt.Lattice.grid((3, 5)), pt.Lattice.chain(14)])
def test_sampled_marginals_and_energy(lattice):
    """Asymmetric targets, within five standard errors of the exact values."""
    rng = np.random.default_rng(9)
    J, field = rng.normal(0, 0.6, len(lattice.edges)), rng.normal(0.2, 0.4, lattice.n_sites)
    prior = pt.Ising(lattice, J, field)
    assert prior.solver == "transfer"
    x = prior.sample(20_000, rng=10)
    assert x.dtype == np.int8 and x.shape == (20_000, lattice.n_sites)
    exact = pt.Ising(lattice, J, field, engine="table")
    mean = exact.posterior(np.zeros((1, lattice.n_sites))).mean()[0]
    stderr = np.sqrt((1 - mean**2) / len(x))
    assert (np.abs(x.mean(axis=0) - mean) < 5 * stderr).all()
    i, j = lattice.edges.T
    energy = -(x[:, i] * x[:, j]) @ J - x @ field
    states = np.array(list(itertools.product((-1, 1), repeat=lattice.n_sites)))
    energies = -(states[:, i] * states[:, j]) @ J - states @ field
    expected = exact.table.probabilities.ravel() @ energies
    assert abs(energy.mean() - expected) < 5 * energy.std() / math.sqrt(len(x))


# Conditional mutual information.


@pytest.mark.parametrize(
    ("shape", "noise"),
    [((3, 4), pt.BitFlip(0.2)), ((3, 4), pt.Erasure(0.3)), ((4, 5), pt.BitFlip(0.2))],
)
def test_cavity_cmi_agrees_with_exact_cmi(shape, noise):
    """Five standard errors, on a CMI of some 1e-3 nats; the error bar is a few per cent."""
    lattice = pt.Lattice.grid(shape)
    law = pt.Ising(lattice, 0.44).noised(noise)
    parts = lattice.tripartition((1, 1), 1)
    exact = pt.cmi(law, parts, method="exact")
    found = pt.cmi(law, parts, method="cavity", n_samples=8000, rng=0)
    assert exact.exact and found.trustworthy
    assert abs(found.value - exact.value) < 5 * found.stderr < 0.3 * exact.value


@pytest.mark.parametrize("noise", [pt.BitFlip(0.2), pt.Erasure(0.3), pt.Gaussian(0.5)])
def test_cmi_on_a_strip(noise):
    """A strip beyond any table: "auto" finds no exact entropies and takes the cavity form."""
    lattice = pt.Lattice.grid((6, 16))
    law = pt.Ising(lattice, 0.44).noised(noise)
    parts = [lattice.tripartition((3, 8), r) for r in (0, 1, 2)]
    found = pt.cmi(law, parts, n_samples=200, rng=1)
    values = [estimate.value for estimate in found]
    assert values[0] > 10 * values[1] > 10 * values[2] > 0
    assert all(estimate.stderr > 0 for estimate in found)
    with pytest.raises(ValueError, match=r"regions of 96 sites.*method='cavity'"):
        pt.cmi(law, parts, method="exact")


# Limits and bad input.


def test_solver_is_reported():
    assert pt.Ising(pt.Lattice.grid((2, 5)), 0.4).solver == "table"
    assert pt.Ising(pt.Lattice.grid((12, 64)), 0.4).solver == "transfer"
    assert pt.Ising(pt.Lattice.chain(100), 0.4).solver == "transfer"
    dense = pt.Lattice.from_graph(nx.complete_graph(21))
    assert pt.Ising(dense, 0.4).solver == "table"
    with pytest.raises(ValueError, match=r"frontier of 2\d open sites"):
        _ = pt.Ising(dense, 0.4, engine="transfer").solver


def test_too_wide_a_frontier_is_refused_with_its_cost():
    law = pt.Ising(pt.Lattice.grid((20, 30)), 0.4).noised(pt.BitFlip(0.2))
    message = (
        r"600 sites need a frontier of 20 open sites = 2\^20 states, 8\.39e\+06 bytes a message and"
        r" about .* s a sample: the limit is 2\^18 states; take a narrower strip, or Markov chains"
        r" \(phasetheory\.sampling\)"
    )
    for work in (
        lambda: law.sample(1, rng=0),
        lambda: law.log_prob(np.ones((1, 600))),
        lambda: law.denoise(np.ones((1, 600))),
    ):
        with pytest.raises(ValueError, match=message):
            work()


def test_width_18_works():
    """2^18 states, with the odds of one corner spin against the mirror image of the strip."""
    lattice = pt.Lattice.grid((18, 19))
    plan = sweep_plan(lattice.n_sites, lattice.edges, lattice.shape)
    assert plan.width == MAX_WIDTH
    engine = engine_of(lattice, np.full(len(lattice.edges), 0.44))
    h = np.random.default_rng(0).normal(0, 0.5, (18, 19))
    flipped = np.stack([h.ravel(), h[::-1, ::-1].ravel()])
    first, second = engine.log_partition(flipped)
    assert first == pytest.approx(second, rel=1e-14)
    corner = engine.log_odds(flipped[:1], np.array([0]))[0, 0]
    mirrored = engine.log_odds(flipped[1:], np.array([18 * 19 - 1]))[0, 0]
    assert corner == pytest.approx(mirrored, rel=1e-12)


def test_too_long_a_sweep_is_refused_before_it_takes_the_memory(monkeypatch):
    """Width 8 keeps about 2^8 doubles a column for all sites; one wanted site needs two."""
    monkeypatch.setattr(transfer, "_KEPT_BYTES", 20 * 8 * 2**8)
    strip = pt.Ising(pt.Lattice.grid((8, 40)), coupling=0.4)
    nothing = np.zeros((1, 320))
    with pytest.raises(ValueError, match=r"messages to keep for all wanted sites take .* bytes"):
        strip.posterior(nothing)
    with pytest.raises(ValueError, match=r"messages to keep for all samples take .* bytes"):
        strip.sample(1, rng=0)
    assert strip.posterior(nothing, np.array([5])).mean() == pytest.approx(0.0, abs=1e-12)


def test_contradictory_evidence_names_the_sample():
    prior = pt.Ising(STRIP, 0.4, engine="transfer")
    evidence = np.zeros((3, 12))
    evidence[2, 7] = np.nan  # +inf - inf: seen up and seen down
    for ask in (prior.posterior, prior.log_evidence):
        with pytest.raises(ValueError, match="evidence of sample 2 is NaN at site 7"):
            ask(evidence)


def test_unknown_engine():
    with pytest.raises(ValueError, match="engine='tabel': one of auto, table, transfer"):
        pt.Ising(STRIP, 0.4, engine="tabel")
