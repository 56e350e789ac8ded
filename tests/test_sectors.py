"""What noisy loops know about the sector between two pinned sides."""

import math

import numpy as np
import pytest

import phasetheory as pt

LN2 = math.log(2)


@pytest.mark.parametrize("coupling", [0.0, 0.3])
@pytest.mark.parametrize("noise", [pt.BitFlip(0.25), pt.Erasure(0.4)])
def test_against_a_table(noise, coupling):
    """I(S; y) of a patch of 8 bonds, by summing over every sample that can be drawn."""
    patch = pt.LoopEnsemble.pinned((2, 1), coupling)
    table = pt.Table.from_prior(patch)
    others = np.arange(patch.lattice.n_sites) > 0
    law = table.noised(noise.on(others))
    exact = pt.mutual_information(law, [0], others)
    assert exact.stderr == 0
    sampled = pt.sector_information(patch.noised(noise), n_samples=4000, rng=5)
    assert abs(sampled.value - exact.value) < 4 * sampled.stderr


@pytest.mark.parametrize("rows", [3, 6, 11])
def test_self_dual_patch_under_erasure(rows):
    """Columns = rows - 1: connected with probability 1/2 at t = 1/2, whatever the size."""
    law = pt.LoopEnsemble.pinned((rows, rows - 1)).noised(pt.Erasure(0.5))
    found = pt.sector_information(law, n_samples=4000, rng=rows)
    assert abs(found.value - LN2 / 2) < 4 * found.stderr
    # Every term is 0 or ln 2 with probability 1/2.
    assert found.stderr == pytest.approx(LN2 / 2 / math.sqrt(4000), rel=0.02)


def test_a_patch_that_is_not_its_own_dual_differs():
    """Negative control: wider than tall, the sides are connected less often than 1/2."""
    law = pt.LoopEnsemble.pinned((4, 8)).noised(pt.Erasure(0.5))
    found = pt.sector_information(law, n_samples=4000, rng=1)
    assert found.value < LN2 / 2 - 4 * found.stderr


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure, pt.Gaussian])
def test_limits(noise):
    patch = pt.LoopEnsemble.pinned((3, 2))
    nearly = pt.sector_information(patch.noised(noise(0.02)), n_samples=50, rng=2)
    assert nearly.value == pytest.approx(LN2, abs=0.05)
    gone = pt.sector_information(patch.noised(noise(1.0)), n_samples=50, rng=2)
    assert gone.value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("noise", "ordered", "disordered"),
    [(pt.BitFlip, 0.16, 0.28), (pt.Gaussian, 0.44, 0.55), (pt.Erasure, 0.42, 0.58)],
)
def test_size_sharpens_the_transition(noise, ordered, disordered):
    """Below t_c more spins tell more about the sector, above they tell less."""

    def information(rows, t):
        law = pt.LoopEnsemble.pinned((rows, rows - 1)).noised(noise(t))
        return pt.sector_information(law, n_samples=600, rng=rows)

    for t, sign in ((ordered, 1), (disordered, -1)):
        small, large = information(4, t), information(12, t)
        error = math.hypot(small.stderr, large.stderr)
        assert sign * (large.value - small.value) > 4 * error


def test_noise_on_the_sector_itself_is_ignored():
    patch = pt.LoopEnsemble.pinned((3, 2))
    t = np.full(patch.lattice.n_sites, 0.3)
    uniform = pt.sector_information(patch.noised(pt.BitFlip(t)), n_samples=100, rng=3)
    t[0] = 1.0
    other = pt.sector_information(patch.noised(pt.BitFlip(t)), n_samples=100, rng=3)
    assert uniform.value == other.value


def test_bad_input():
    with pytest.raises(ValueError, match="pinned"):
        pt.sector_information(pt.LoopEnsemble(pt.Lattice.grid((3, 3))).noised(pt.BitFlip(0.1)))
    with pytest.raises(ValueError, match="pinned"):
        pt.sector_information(pt.CurieWeiss(4, coupling=1.0).noised(pt.BitFlip(0.1)))
    for shape in ((0, 2), (3,), (2.5, 2), (1, 2, 3)):
        with pytest.raises(ValueError, match="shape"):
            pt.LoopEnsemble.pinned(shape)
