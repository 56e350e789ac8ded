"""Equivalence of phases: one phase where xi is bounded all along the path, and else why not."""

import numpy as np
import pytest
import xarray as xr

import phasetheory as pt
from phasetheory.transitions.phases import same_phase

RADII = np.arange(1, 9)


def scan_of(values, t=(0.5,), radius=RADII, stderr=0.0):
    cmi = np.array(values, dtype=float)
    return xr.Dataset(
        {
            "cmi": (("t", "radius"), cmi),
            "cmi_stderr": (("t", "radius"), stderr * cmi),
            "cmi_n_effective": (("t", "radius"), np.full(cmi.shape, 1e3 if stderr else np.inf)),
        },
        coords={"t": list(t), "radius": list(radius)},
    )


def chain(coupling, times, radii=RADII):
    values = [pt.chain_cmi(coupling, pt.BitFlip(t), radii) for t in times]
    return scan_of(values, times, radii)


def field(mass2, times):
    n = 65
    precision = (mass2 + 2) * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    model = pt.GaussianField(pt.Lattice.chain(n), precision=precision)
    return pt.scan(model, pt.Gaussian, t=times, radius=RADII, centre=n // 2)


def code(n, times):
    radii = np.arange(1, 11)
    parts = {
        float(r): pt.Tripartition([0], range(1, 2 * r + 1), range(2 * r + 1, n)) for r in radii
    }
    return pt.scan(pt.CurieWeiss(n, np.inf), pt.BitFlip, t=times, radius=parts)


def loops(size, times):
    model = pt.LoopEnsemble(pt.Lattice.grid((size, size)))
    i = (size // 2) * size + size // 2
    return pt.scan(
        model, pt.Erasure, t=times, radius=range(1, size // 2 - 1), centre=(i, i + 1),
        n_samples=2000, rng=0,
    )  # fmt: skip


# Known cases.


def test_a_disordered_chain_is_one_phase_with_pure_noise():
    times = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    found = same_phase(chain(0.4, times))
    assert found.verdict is True and found.missing == ""
    exact = [pt.chain_markov_length(0.4, pt.BitFlip(t)) for t in times[1:-1]]
    np.testing.assert_allclose(found.table["xi"][1:-1], exact, rtol=0.02)
    assert found.worst == 0.9  # the longest length
    text = str(found)
    assert text.startswith("one phase, t = 0 to 1")
    assert "local channels by construction" in text and "recoveries of radius a few xi" in text
    assert len(text.splitlines()) == 4 + times.size


def test_a_massive_field_is_one_phase():
    assert same_phase(field(1.0, [0.05, 0.3, 0.6, 0.95])).verdict is True


def test_a_massless_field_leaves_its_phase_towards_pure_noise():
    times = [0.2, 0.5, 0.8, 0.95]
    assert same_phase(field(0.0, times), t=(0.2, 0.5)).verdict is True
    undecided = same_phase(field(0.0, times))
    assert undecided.verdict is None and undecided.worst == 0.95
    assert "scan larger ones" in undecided.missing
    decided = same_phase(field(0.0, times), max_length=3.0)
    assert decided.verdict is False and decided.worst == 0.95


def test_a_repetition_code_is_cut_off_near_pure_noise():
    sizes = {n: code(n, [0.2, 0.5, 0.9, 0.97]) for n in (64, 256)}
    found = same_phase(sizes)
    assert found.verdict is False and found.worst == 0.97
    assert "xi grows with the size as L^" in str(found)
    assert same_phase(sizes, t=(0.2, 0.5)).verdict is True


def test_a_cold_chain_towards_pure_noise():
    """Half the correlation length, 1/(2 ln coth J), bounds xi: finite, but beyond the radii."""
    times = [0.2, 0.9]
    assert same_phase(chain(1.5, times)).verdict is None
    assert same_phase(chain(1.5, times), max_length=4.0).verdict is False
    wide = same_phase(chain(1.5, times, np.arange(1, 25)))
    assert wide.verdict is True
    assert float(wide.table["xi"][1]) < 1 / (2 * np.log(1 / np.tanh(1.5)))


def test_loops_across_the_percolation_threshold():
    """Bond erasure: t_c = 1/2."""
    sizes = {size: loops(size, [0.2, 0.5]) for size in (13, 25)}
    found = same_phase(sizes)
    assert found.verdict is False and found.worst == 0.5
    assert same_phase(sizes, t=(0.0, 0.3)).verdict is True


# The decision, on profiles of known form.


def test_power_laws_are_not_bounded():
    found = same_phase(scan_of([0.1 * RADII**-2.0]))
    assert found.verdict is False and "power law r^-2" in found.backward
    cut_off = same_phase(scan_of([0.1 * RADII**-2.0 * np.exp(-RADII / 2.0)]))
    assert cut_off.verdict is True
    assert float(cut_off.table["xi"].item()) == pytest.approx(2.0, rel=1e-6)


def test_constant_is_not_bounded():
    found = same_phase(scan_of([np.full(8, 0.1)]))
    assert found.verdict is False and "does not decay" in found.backward


def test_exact_zeros_are_bounded_and_sampled_ones_are_not_evidence():
    zeros = scan_of([np.zeros(8)])
    assert same_phase(zeros).verdict is True
    zeros["cmi_n_effective"][:] = 0.0
    found = same_phase(zeros)
    assert found.verdict is None and "more samples" in found.missing


def test_few_radii_count_by_their_fall():
    value = np.array([1e-2, 1e-5, 1e-8])
    found = same_phase(scan_of([value], radius=[1, 2, 3]), max_length=0.5)
    assert found.verdict is True
    assert float(found.table["xi"].item()) == pytest.approx(1 / np.log(1e3))
    assert same_phase(scan_of([value], radius=[1, 2, 3]), max_length=0.1).verdict is None


@pytest.mark.parametrize("seed", range(5))
def test_sampled_profiles(seed):
    """Noise of 3 % leaves a length of 1.5 decided and one of 4, half the range, not True."""
    rng = np.random.default_rng(seed)
    noise = 1 + 0.03 * rng.standard_normal(8)
    assert same_phase(scan_of([np.exp(-RADII / 1.5) * noise], stderr=0.03)).verdict is True
    assert same_phase(scan_of([np.exp(-RADII / 4.0) * noise], stderr=0.03)).verdict is None


def test_growth_with_size():
    def of(xi, stderr=0.0):
        return scan_of([np.exp(-RADII / xi)], stderr=stderr)

    grows = same_phase({8: of(1.0), 16: of(2.0)})
    assert grows.verdict is False and "L^1, from 1 at 8 to 2 at 16" in grows.backward
    assert same_phase({8: of(2.0), 16: of(2.0)}).verdict is True
    # Two sizes as different as their errors allow decide nothing.
    assert same_phase({8: of(1.0, 0.3), 16: of(2.0, 0.3)}).verdict is not True


def test_a_grid_with_sizes():
    one = scan_of([np.exp(-RADII / 1.0)])
    both = xr.concat([one, one], dim=xr.Variable("size", [8, 16]))
    found = same_phase(both)
    assert found.verdict is True and found.table["size"].values.tolist() == [8.0, 16.0]
    assert "size" in str(found)


def test_unfinished_times_are_undecided():
    values = np.exp(-RADII / 1.0)
    values[3] = np.nan
    found = same_phase(scan_of([values]))
    assert found.verdict is None and "not scanned at every radius" in found.missing


def test_bad_input():
    one = scan_of([np.exp(-RADII / 1.0)])
    with pytest.raises(TypeError, match=r"ask for \.verdict"):
        bool(same_phase(one))
    with pytest.raises(ValueError, match="path is a list"):
        same_phase([one])
    with pytest.raises(ValueError, match="path is a dict"):
        same_phase({})
    with pytest.raises(ValueError, match="cmi over exactly t and radius"):
        same_phase(one.drop_vars("cmi"))
    with pytest.raises(ValueError, match="no scanned time between; the path has 0"):
        same_phase(one, t=(0.6, 0.9))
    with pytest.raises(ValueError, match="max_length=0"):
        same_phase(one, max_length=0)
    with pytest.raises(ValueError, match="different times"):
        same_phase({8: one, 16: one.assign_coords(t=[0.6])})
