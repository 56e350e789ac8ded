"""Runs of Markov chains: exact energies within their own error bars, exact laws, refusals."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from scipy.special import ellipk
from scipy.stats import chi2

import phasetheory as pt
from phasetheory._kernels.single_spin import coupled_heat_bath
from phasetheory.sampling.chains import ChainResult
from phasetheory.sampling.checkerboard import Checkerboard
from phasetheory.sampling.metropolis import Metropolis
from phasetheory.sampling.multispin import Multispin
from phasetheory.sampling.perfect import Perfect
from phasetheory.sampling.run import SAMPLERS, sample
from phasetheory.sampling.target import Target, target_of
from phasetheory.sampling.tempering import Tempering, ladder

CRITICAL = math.log(1 + math.sqrt(2)) / 2
TORUS = pt.Lattice.grid((4, 4), periodic=True)


def exact_law(prior):
    """All states and their probabilities by enumeration."""
    n = prior.lattice.n_sites
    states = np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8)
    log_w = states @ prior.field
    for (i, j), J in zip(prior.lattice.edges, prior.coupling, strict=True):
        log_w = log_w + J * states[:, i] * states[:, j]
    weights = np.exp(log_w - log_w.max())
    return states, weights / weights.sum(), -log_w


def exact_energy(prior):
    _, p, energy = exact_law(prior)
    return float(p @ energy) / prior.lattice.n_sites


def asymmetric(name):
    """Unequal couplings and fields; a uniform torus where a move knows nothing else."""
    if name == "multispin":
        return pt.Ising(TORUS, 0.3)
    coupling = [0.5, 0.1, 0.8, 0.3] if name in ("perfect", "wolff") else [0.5, -0.4, 0.8, 0.3]
    return pt.Ising(pt.Lattice.grid((2, 2)), coupling, [0.3, -0.2, 0.0, 0.5])


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_error_bars_cover_the_exact_energy(name):
    """Standardised errors z of 200 runs: mean within 4/sqrt(200), 85 % or more with |z| < 2.

    A normal z has 95.4 %. Autocorrelation times of 400 draws with tau of a few steps are known to
    about 23 %, error bars to 12 %, which leaves 92.6 %; four binomial standard deviations below
    that is 85 %. The mean of z^2 is 1 up to that and 4 sqrt(2/200) = 0.4.
    """
    prior = asymmetric(name)
    truth = exact_energy(prior)
    n = 40 if name == "multispin" else 100
    z = []
    for seed in range(200):
        run = sample(prior, n, sampler=name, burn_in=0 if name == "perfect" else 10, rng=seed)
        found = run.estimate("energy", force=True)
        z.append((found.value - truth) / found.stderr)
    assert abs(np.mean(z)) < 4 / math.sqrt(200)
    assert np.mean(np.abs(z) < 2) > 0.85
    assert 0.6 < np.mean(np.square(z)) < 1.5


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"perfect"}))
def test_energy_of_the_critical_torus(name):
    """4 x 4 at T_c against enumeration, one fixed run of each sampler, four standard errors."""
    prior = pt.Ising(TORUS, CRITICAL)
    n, thin = {"swendsen-wang": (2000, 1), "wolff": (2000, 1), "tempering": (3000, 3)}.get(
        name, (2000, 4) if name == "multispin" else (5000, 4)
    )
    run = sample(prior, n, sampler=name, rng=1, thin=thin)
    found = run.estimate("energy")
    assert found.trustworthy
    assert abs(found.value - exact_energy(prior)) < 4 * found.stderr
    assert found.stderr < 0.01


def test_onsager_energy():
    """32 x 32 at J = 0.3, correlation length 1.6 sites: finite size adds e^-20. Onsager 1944:
    -E/n = J coth(2J) [1 + (2/pi) (2 tanh^2 2J - 1) K(k)], k = 2 sinh 2J / cosh^2 2J.
    """  # noqa: D205
    J = 0.3
    k = 2 * math.sinh(2 * J) / math.cosh(2 * J) ** 2
    bracket = 1 + 2 / math.pi * (2 * math.tanh(2 * J) ** 2 - 1) * ellipk(k**2)
    lattice = pt.Lattice.grid((32, 32), periodic=True)
    for name in ("swendsen-wang", "multispin"):
        n = 60 if name == "multispin" else 1000
        run = sample(pt.Ising(lattice, J), n, sampler=name, thin=2, burn_in=50, rng=2)
        found = run.estimate("energy", force=name == "multispin")
        assert abs(found.value + J / math.tanh(2 * J) * bracket) < 4 * found.stderr
        assert found.stderr < 1e-3


def chi_square(states, p, draws):
    """Pearson's statistic of a table of draws."""
    n = states.shape[1]
    place = (draws.reshape(-1, n) > 0) @ (1 << np.arange(n - 1, -1, -1))
    counts = np.bincount(place, minlength=len(p))
    return float((np.square(counts - counts.sum() * p) / (counts.sum() * p)).sum())


def test_coupling_from_the_past_is_exact():
    """2 x 3 with unequal couplings and fields, 24,000 draws over 64 states: chi^2 with 63 degrees
    of freedom stays below its 1 - 10^-4 quantile. The wrong law (fields off) is far above.
    """  # noqa: D205
    lattice = pt.Lattice.grid((2, 3))
    prior = pt.Ising(lattice, np.linspace(0.1, 0.7, 7), [0.4, -0.3, 0.0, 0.2, -0.6, 0.1])
    run = sample(prior, 6000, sampler="perfect", rng=3)
    states, p, _ = exact_law(prior)
    limit = chi2.ppf(1 - 1e-4, len(p) - 1)
    assert (6000 * 4 * p).min() > 5  # Pearson's statistic is chi^2 for such counts
    assert chi_square(states, p, run.states) < limit
    assert chi_square(states, exact_law(pt.Ising(lattice, prior.coupling))[1], run.states) > limit
    assert run.independent
    assert run.mixed


def test_the_past_is_used_again():
    """Once the chains have met, a longer past changes nothing, whatever lies between them; before,
    the upper chain stays above the lower one.
    """  # noqa: D205
    prior = pt.Ising(pt.Lattice.grid((3, 4)), 0.4, np.linspace(-0.3, 0.3, 12))
    graph, rng = target_of(prior).graph, np.random.default_rng(4)
    met_after = []
    for key in rng.integers(2**64, size=50, dtype=np.uint64):
        for doublings in range(12):
            upper, lower = np.ones(12, dtype=np.int8), -np.ones(12, dtype=np.int8)
            apart = coupled_heat_bath(upper, lower, graph, key, 2**doublings)
            assert (upper >= lower).all()
            assert apart == np.count_nonzero(upper != lower)
            if not apart:
                break
        met_after.append(doublings)
        for more in (1, 3):
            one, other = (rng.choice(np.array([-1, 1], dtype=np.int8), 12) for _ in range(2))
            assert coupled_heat_bath(one, other, graph, key, 2 ** (doublings + more)) == 0
            np.testing.assert_array_equal(one, upper)
    assert len(set(met_after)) > 2  # the past was needed


def test_a_tempered_spin_glass_mixes_where_the_heat_bath_sticks():
    """Strong random couplings on 3 x 3: the ladder reaches the exact energy."""
    lattice = pt.Lattice.grid((3, 3))
    coupling = np.random.default_rng(5).choice([-3.0, 3.0], len(lattice.edges))
    prior = pt.Ising(lattice, coupling)
    assert not sample(prior, 400, sampler="heat-bath", rng=6).mixed
    run = sample(prior, 2000, sampler="tempering", rng=6)
    found = run.estimate("energy")
    assert abs(found.value - exact_energy(prior)) < 4 * found.stderr


# Refusals.


def test_two_stuck_chains_are_refused_with_the_diagnosis():
    """Metropolis at low temperature from all up and all down: energies agree, chains do not."""
    prior = pt.Ising(pt.Lattice.grid((16, 16)), 0.7)
    run = sample(prior, 200, sampler="metropolis", rng=7)
    with pytest.raises(ValueError, match=r"not mixed: .*magnetisation has R-hat .*force=True"):
        run.estimate("energy")
    assert run.r_hat["magnetisation"] > 1.5
    assert run.estimate("energy", force=True).stderr > 0
    assert sample(prior, 500, sampler="swendsen-wang", rng=7).mixed


def test_frozen_and_short_chains_are_refused():
    frozen = sample(pt.Ising(pt.Lattice.chain(3), 20.0, 20.0), 50, sampler="metropolis", rng=8)
    with pytest.raises(ValueError, match="nothing ever changed"):
        frozen.estimate("energy")
    short = sample(asymmetric("wolff"), 10, rng=9)
    with pytest.raises(ValueError, match=r"R-hat|effective sample size"):
        short.estimate("energy")


def test_an_observable_that_sticks_alone_is_refused():
    """The observable is judged too, besides the monitors."""
    run = sample(asymmetric("wolff"), 500, rng=10)
    assert run.mixed
    series = np.repeat(np.arange(4.0)[:, None], 500, axis=1)
    series += np.random.default_rng(0).normal(size=series.shape)
    with pytest.raises(ValueError, match="ladder has R-hat"):
        run.estimate(series, quantity="ladder")
    constant = run.estimate(lambda x: np.square(x[:, 0]), quantity="x^2")
    assert (constant.value, constant.stderr) == (1.0, 0.0)


def bad_runs():
    ring = pt.Ising(pt.Lattice.ring(3), 0.4)
    table = pt.Table(pt.Lattice.chain(1), [0.5, 0.5])
    return [
        (lambda: sample(table, 10), "model is a Table"),
        (lambda: sample(table, 10, sampler="multispin"), "model is a Table"),
        (lambda: sample(ring, 10, sampler="gibbs"), "sampler='gibbs': one of"),
        (lambda: sample(ring, 10, sampler=3), "sampler=3: a move"),
        (
            lambda: sample(ring, 9, sampler=Perfect(target_of(pt.Ising(TORUS, 1.0)))),
            "another model",
        ),
        (lambda: target_of(ring).energy(np.ones((2, 4))), r"\(\.\.\., 3\) needed"),
        (lambda: sample(ring, 3), "n=3"),
        (lambda: sample(ring, 10, thin=0), "thin=0"),
        (lambda: sample(ring, 10, burn_in=-1), "burn_in=-1"),
        (lambda: sample(ring, 10, chains=1), "chains=1"),
        (lambda: sample(ring, 10**9), "GiB"),
        (lambda: sample(pt.Ising(TORUS, 0.4), 10, sampler="multispin", chains=4), "multiple of 64"),
        (lambda: sample(ring, 10, sampler="checkerboard"), "odd cycle"),
        (lambda: sample(pt.Ising(TORUS, -0.1), 10, sampler="perfect"), "edge .* is negative"),
        (lambda: Perfect(target_of(ring), max_doublings=-1), "max_doublings=-1"),
        (lambda: sample(pt.Ising(TORUS, 0.0), 10, sampler="metropolis"), "neither coupling nor"),
        (lambda: Checkerboard(target_of(pt.Ising(TORUS, 0.0))), "neither coupling nor"),
        (lambda: Multispin(pt.Ising(pt.Lattice.grid((4, 4)), 0.4)), "periodic square grid"),
        (lambda: Multispin(pt.Ising(pt.Lattice.grid((4, 5), True), 0.4)), "periodic square grid"),
        (lambda: Multispin(pt.Ising(TORUS, np.linspace(0.1, 1, 32))), "couplings that differ"),
        (lambda: Multispin(pt.Ising(TORUS, 0.4, 0.1)), "a field; no field"),
        (lambda: Multispin(pt.Ising(TORUS, 0.0)), "coupling 0"),
        (lambda: Multispin(pt.Ising(TORUS, 0.4)).init(np.ones((3, 16))), "spins has shape"),
        (lambda: Metropolis(target_of(ring)).init([1, 0, 1]), "spins has shape"),
        (lambda: Metropolis(target_of(ring)).init([1, 1]), "spins has shape"),
        (lambda: Tempering(target_of(ring), beta=[0.5, 0.9]), "end at 1"),
        (lambda: Tempering(target_of(ring), beta=[0.9, 0.5, 1.0]), "increasing"),
        (lambda: Target(np.array([[0, 1]]), np.array([np.inf]), np.zeros(2)), r"coupling\[0\]=inf"),
        (lambda: Target(np.array([[0, 1]]), np.ones(1), np.array([0, np.nan])), r"field\[1\]=nan"),
    ]


@pytest.mark.parametrize("case", range(len(bad_runs())))
def test_bad_input_is_refused(case):
    call, message = bad_runs()[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_slow_perfect_sampler_says_so():
    move = Perfect(target_of(pt.Ising(pt.Lattice.grid((8, 8)), 1.0)), max_doublings=3)
    with pytest.raises(ValueError, match=r"after 8 sweeps \d+ of 64 spins .*'swendsen-wang'"):
        move.step(move.init(np.ones(64)), np.random.default_rng(0))


def test_estimates_refuse_what_is_no_observable():
    run = sample(asymmetric("wolff"), 10, rng=11)
    for observable, message in (
        ("heat", "one of"),
        (lambda x: x, "returned shape"),
        (np.zeros(10), r"\(4, 10\) needed"),
    ):
        with pytest.raises(ValueError, match=message):
            run.estimate(observable)


# Reproducibility.


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_results_do_not_depend_on_the_number_of_workers(name):
    prior = pt.Ising(TORUS, 0.3)
    alone = sample(prior, 20, sampler=name, chains=128 if name == "multispin" else 3, rng=12)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        spread = sample(prior, 20, sampler=name, chains=len(alone.states), rng=12)
    np.testing.assert_array_equal(alone.states, spread.states)
    np.testing.assert_array_equal(alone.acceptance, spread.acceptance)
    assert len(np.unique(alone.states.reshape(len(alone.states), -1), axis=0)) > 1


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_steps_are_pure(name):
    """The old state is left alone, and the same generator gives the same step."""
    prior = pt.Ising(TORUS, 0.3)
    move = SAMPLERS[name](prior)
    state = move.init(np.ones(16))
    for _ in range(3):
        before = state.spins.copy()
        one, info = move.step(state, np.random.default_rng(13))
        two, _ = move.step(state, np.random.default_rng(13))
        np.testing.assert_array_equal(state.spins, before)
        np.testing.assert_array_equal(one.spins, two.spins)
        assert 0.0 <= info.acceptance <= 1.0
        assert one.spins.shape == (move.replicas, 16)
        state, _ = move.step(state, np.random.default_rng(14))


def test_moves_run_in_threads():
    """Kernels hold no state of their own."""
    move = SAMPLERS["swendsen-wang"](pt.Ising(TORUS, 0.3))

    def last(seed):
        rng, state = np.random.default_rng(seed), move.init(np.ones(16))
        for _ in range(50):
            state, _ = move.step(state, rng)
        return state.configuration

    with ThreadPoolExecutor(2) as pool:
        for one, other in zip(pool.map(last, range(8)), map(last, range(8)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_burn_in_and_thinning_pick_states_of_one_chain():
    prior = asymmetric("wolff")
    every = sample(prior, 60, burn_in=0, chains=2, rng=15)
    some = sample(prior, 16, burn_in=12, thin=3, chains=2, rng=15)
    np.testing.assert_array_equal(some.states, every.states[:, 14:60:3])


def test_energies_and_monitors():
    prior = asymmetric("metropolis")
    run = sample(prior, 8, rng=16)
    states, _, energy = exact_law(prior)
    known = {tuple(x): e for x, e in zip(states.tolist(), energy, strict=True)}
    found = [known[tuple(x)] for x in run.states.reshape(-1, 4).tolist()]
    np.testing.assert_allclose(run.energies.ravel(), found, atol=1e-14)
    assert set(run.monitors) == set(run.tau_int) == set(run.ess) == set(run.r_hat)


def test_ladder_ends_at_the_target_and_starts_hot():
    beta = ladder(target_of(pt.Ising(TORUS, 2.0, -1.0)))
    assert beta[-1] == 1.0
    assert beta[0] == pytest.approx(1 / 9)  # |h| + 4 |J| = 9
    assert (np.diff(np.log(beta)) <= math.log1p(2 / 4) + 1e-12).all()


def test_a_run_without_edges():
    """Free spins in a field: magnetisation tanh h, by the heat bath and by perfect sampling."""
    prior = pt.Ising(pt.Lattice.bare(5), np.zeros(0), 0.4)
    for name in ("heat-bath", "perfect", "swendsen-wang"):
        run = sample(prior, 1000, sampler=name, rng=17)
        found = run.estimate("magnetisation")
        assert abs(found.value - math.tanh(0.4)) < 4 * found.stderr
    assert isinstance(run, ChainResult)
    free = sample(pt.Ising(pt.Lattice.bare(5), np.zeros(0)), 1000, sampler="heat-bath", rng=18)
    assert free.mixed  # though the energy never changes
    assert free.estimate("energy").stderr == 0.0
