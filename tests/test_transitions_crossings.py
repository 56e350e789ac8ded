"""Crossings of pairs of sizes and their limit, and finite-size scaling of solved models."""

import numpy as np
import pytest
import xarray as xr

import phasetheory as pt
from phasetheory._kernels import jit
from phasetheory._kernels.union_find import join
from phasetheory.transitions import Curves, collapse, crossings, extrapolate_crossings

SIZES, T_C, NU, OMEGA = np.array([8.0, 16.0, 32.0, 64.0, 128.0]), 0.5, 4 / 3, 0.8
TIMES = np.linspace(0.44, 0.56, 15)


def made(*, correction=0.0, a=0.0, stderr=0.0, seed=None, sizes=SIZES):
    L = np.asarray(sizes, dtype=float)[:, None]
    x = (TIMES - T_C) * L ** (1 / NU)
    value = L**-a * (0.5 * (1 - np.tanh(0.6 * x)) + correction * L**-OMEGA)
    error = np.broadcast_to(stderr * L**-a, value.shape)
    if seed is not None:
        value = value + error * np.random.default_rng(seed).standard_normal(value.shape)
    return Curves.from_arrays(sizes, TIMES, value, stderr=error)


def binomial_floor(level, n):
    return level - 4 * np.sqrt(level * (1 - level) / n)


@pytest.mark.parametrize("a", [0.0, 0.6])
def test_exact_curves_cross_where_they_should(a):
    found = crossings(made(a=a), a=a)
    assert (found["verdict"] == "ok").all()
    # Polynomials follow the steepest curve to 1e-4 of its height.
    np.testing.assert_allclose(found["t_cross"], T_C, atol=1e-4)
    np.testing.assert_allclose(found["height"], 0.5, atol=1e-3)
    np.testing.assert_allclose(found["ratio"], 2.0)
    np.testing.assert_allclose(found["size"], np.sqrt(SIZES[1:] * SIZES[:-1]))


def test_errors_of_crossings_cover_the_truth_with_their_correlations():
    n, z, distance = 150, [], []
    for seed in range(n):
        found = crossings(made(stderr=0.005, seed=seed), n_resamples=100, rng=seed)
        assert (found["verdict"] == "ok").all()
        off = found["t_cross"].values - T_C
        z.append(off / found["t_cross_stderr"].values)
        distance.append(off @ np.linalg.solve(found["covariance"].values, off))
    z = np.array(z)
    assert (np.mean(np.abs(z) < 1.96, axis=0) > binomial_floor(0.95, n)).all()
    assert (np.mean(np.abs(z) < 1.96 / 4, axis=0) < binomial_floor(0.95, n)).all()
    # chi2 with as many degrees of freedom as pairs: mean 4, variance 8.
    assert abs(np.mean(distance) - 4.0) < 4 * np.sqrt(8.0 / n) + 0.4
    # Neighbouring pairs share a size, and an error of it moves them apart.
    assert np.mean(z[:, :-1] * z[:, 1:]) < -0.1


def test_the_limit_of_drifting_crossings_is_the_critical_point():
    """Exact curves: t* - t_c falls off as L^-(1/nu + omega)."""
    found = crossings(made(correction=0.2))
    limit = extrapolate_crossings(found)
    assert limit.verdict == "ok"
    assert limit.t_c.value == pytest.approx(T_C, abs=1e-4)
    assert limit.exponent.value == pytest.approx(1 / NU + OMEGA, rel=0.05)
    given = extrapolate_crossings(found, exponent=1 / NU + OMEGA)
    assert given.t_c.value == pytest.approx(T_C, abs=1e-4)
    assert given.exponent.exact
    # Without the extrapolation even the largest pair is further off.
    assert abs(float(found["t_cross"][-1]) - T_C) > abs(limit.t_c.value - T_C)


def test_errors_of_the_limit_cover_the_truth():
    n, z, flat = 60, [], []
    for seed in range(n):
        data = made(correction=0.2, stderr=0.003, seed=seed)
        found = crossings(data, n_resamples=100, rng=seed)
        limit = extrapolate_crossings(found, exponent=1 / NU + OMEGA)
        assert limit.verdict == "ok", limit
        z.append((limit.t_c.value - T_C) / limit.t_c.stderr)
        inverse = np.linalg.inv(found["covariance"].values)
        mean = (inverse @ found["t_cross"].values).sum() / inverse.sum()
        flat.append((mean - T_C) * np.sqrt(inverse.sum()))
    assert np.mean(np.abs(z) < 1.96) > binomial_floor(0.95, n)
    # Two negative controls: the drift ignored, and errors four times too small.
    assert np.mean(np.abs(flat) < 1.96) < binomial_floor(0.95, n)
    assert np.mean(np.abs(z) < 1.96 / 4) < binomial_floor(0.95, n)


def test_crossings_without_drift_are_averaged():
    limit = extrapolate_crossings(crossings(made(stderr=0.01, seed=3)))
    assert limit.verdict == "no drift seen"
    assert abs(limit.t_c.value - T_C) < 4 * limit.t_c.stderr
    assert np.isnan(limit.exponent.value)


def test_curves_that_do_not_cross_say_so():
    times, L = np.linspace(0, 1, 12), np.array([8.0, 16.0, 32.0])
    noise = 0.01 * np.random.default_rng(4).standard_normal((3, 12))
    apart = Curves.from_arrays(L, times, np.log(L)[:, None] + times + noise, stderr=0.01)
    assert (crossings(apart)["verdict"] == "no crossing").all()
    same = Curves.from_arrays(L, times, times**2 + noise, stderr=0.01)
    assert (crossings(same)["verdict"] == "no crossing").all()
    twice = Curves.from_arrays(L, times, L[:, None] * (times - 0.3) * (times - 0.7), stderr=0.01)
    found = crossings(twice)
    assert (found["verdict"] == "several crossings").all()
    assert np.isnan(found["t_cross"]).all()
    rough = Curves(same.size, same.t, same.value, same.stderr / 10)
    assert (crossings(rough)["verdict"] == "curves are not smooth").all()
    assert extrapolate_crossings(found).verdict == "too few crossings"


def test_chosen_pairs_keep_one_ratio():
    data = made(sizes=[8, 16, 24, 32, 64])
    found = crossings(data, pairs=[(16, 8), (32, 16), (32, 64)])
    assert found["size_small"].values.tolist() == [8, 16, 32]
    assert found["size_large"].values.tolist() == [16, 32, 64]
    with pytest.raises(ValueError, match=r"ratios 1\.33 to 2"):
        extrapolate_crossings(crossings(data))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: crossings(made(), pairs=[(8, 9)]), r"pairs holds \(8, 9\)"),
        (lambda: crossings(made(), n_resamples=2), "n_resamples=2"),
        (lambda: crossings(made(), a=np.inf), "a=inf"),
        (lambda: crossings(made(sizes=[8.0])), "at least 2 needed"),
        (lambda: extrapolate_crossings(xr.Dataset()), "found lacks"),
        (lambda: extrapolate_crossings(crossings(made()), exponent=0.0), r"exponent=0\.0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Solved models.


def thirds(n):
    """A, B, C of a quarter, a quarter and half of n exchangeable sites."""
    return pt.Tripartition(A=np.arange(n // 4), B=np.arange(n // 4, n // 2), C=np.arange(n // 2, n))


def exact_curves(sizes, scaled, exponent, law):
    """CMI at t = 1 - scaled L^-exponent."""
    times = 1 - scaled[::-1] * np.array(sizes, dtype=float)[:, None] ** -exponent
    value = [
        [pt.cmi(law(L, float(t)), thirds(law(L, 0.5).lattice.n_sites)).value for t in row]
        for L, row in zip(sizes, times, strict=True)
    ]
    return Curves.from_arrays(sizes, times, value)


def test_the_repetition_code_scales_with_the_root_of_its_length():
    """Equal spins, n of them: I depends on (1 - t) n^(1/2), so that t_c = 1, nu = 2."""

    def law(n, t):
        return pt.CurieWeiss(n, coupling=np.inf).noised(pt.BitFlip(t))

    data = exact_curves([256, 1024, 4096, 16384], np.linspace(0.2, 4.0, 14), 0.5, law)
    found = collapse(data, a=0.0, n_resamples=20)
    assert found.ok, found
    table = found.windows
    assert float(table["t_c"][-1]) == pytest.approx(1.0, abs=1e-4)
    assert float(table["nu"][-1]) == pytest.approx(2.0, rel=5e-3)
    assert abs(float(table["nu"][-1]) - 2.0) < abs(float(table["nu"][0]) - 2.0)


def test_the_mixture_closes_as_one_over_its_side():
    """Two Gaussians on L x L sites: width 1/L, with corrections of relative order 1/L."""

    def law(L, t):
        lattice = pt.Lattice.bare(L * L)
        return pt.GaussianMixture.symmetric(lattice, mean=1.0, variance=1.0).noised(pt.Gaussian(t))

    data = exact_curves([16, 32, 64, 128], np.linspace(0.4, 8.0, 14), 1.0, law)
    plain = collapse(data, a=0.0, n_resamples=20)
    assert plain.verdict == "does not collapse"  # 16 sites a side are 3 % away from scaling
    corrected = collapse(data, a=0.0, correction=1.0, n_resamples=20)
    assert corrected.ok, corrected
    assert corrected.t_c.value == pytest.approx(1.0, abs=2e-3)
    assert corrected.nu.value == pytest.approx(1.0, rel=0.05)
    assert abs(corrected.nu.value - 1.0) < abs(plain.nu.value - 1.0)


@jit()
def crossed(L, u, p, parent):
    """How many of the drawn L x (L + 1) bond lattices are crossed from left to right.

    Its dual is itself, turned: at p = 1/2 exactly half of them are, at every size.
    """
    hits = 0
    for row in u:
        for i in range(parent.size):
            parent[i] = i
        left, right, k = L * (L + 1), L * (L + 1) + 1, 0
        for i in range(L):
            join(parent, left, i * (L + 1))
            join(parent, right, i * (L + 1) + L)
            for j in range(L):
                if row[k] < p:
                    join(parent, i * (L + 1) + j, i * (L + 1) + j + 1)
                k += 1
        for i in range(L - 1):
            for j in range(1, L):
                if row[k] < p:
                    join(parent, i * (L + 1) + j, (i + 1) * (L + 1) + j)
                k += 1
        while parent[left] != left:
            left = parent[left]
        while parent[right] != right:
            right = parent[right]
        hits += left == right
    return hits


@pytest.fixture(scope="module")
def percolation():
    sizes, p, n = [6, 12, 24], np.linspace(0.42, 0.58, 11), 1500
    rng = np.random.default_rng(2025)
    hits = np.array(
        [
            [
                crossed(L, rng.random((n, L * L + (L - 1) ** 2)), q, np.empty(L * L + L + 2, "u4"))
                for q in p
            ]
            for L in sizes
        ]
    )
    share = (hits + 0.5) / (n + 1)
    return Curves.from_arrays(sizes, p, share, stderr=np.sqrt(share * (1 - share) / n))


def test_bond_percolation_collapses_with_its_exponents(percolation):
    found = collapse(percolation, a=0.0, n_resamples=60)
    assert found.ok, found
    assert abs(found.t_c.value - 0.5) < 4 * found.t_c.stderr
    assert abs(found.nu.value - 4 / 3) < 4 * found.nu.stderr
    assert found.t_c.stderr < 0.005
    assert found.nu.stderr < 0.2
    assert float(found.master(0.0)) == pytest.approx(0.5, abs=0.03)


def test_bond_percolation_crosses_at_one_half(percolation):
    found = crossings(percolation)
    assert (found["verdict"] == "ok").all()
    z = (found["t_cross"] - 0.5) / found["t_cross_stderr"]
    assert float(np.abs(z).max()) < 4
    assert float(np.abs((found["height"] - 0.5) / found["height_stderr"]).max()) < 4
    limit = extrapolate_crossings(found)
    assert limit.verdict == "no drift seen"
    assert abs(limit.t_c.value - 0.5) < 4 * limit.t_c.stderr
