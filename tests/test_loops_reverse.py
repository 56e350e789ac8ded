"""Reverse diffusion of loops: open faces, the law of what is generated, and how they are drawn."""

import itertools

import numpy as np
import pytest
from scipy import stats

import phasetheory as pt
from paper_figures.style import COLOURS
from phasetheory import plotting
from phasetheory.circuits import observables
from phasetheory.sampling.reverse import reverse_diffusion, reverse_from

NOISES = (pt.Erasure, pt.BitFlip, pt.Gaussian)


def patch(rows, columns):
    return pt.LoopEnsemble(pt.Lattice.grid((rows, columns)))


def open_faces(bonds, side):
    """Open faces of a square patch, shape (n, side - 1, side - 1)."""
    found = observables.open_faces(patch(side, side), bonds)
    return found.reshape(len(bonds), side - 1, side - 1)


# Open faces.


def test_open_faces_are_the_faces_with_product_minus_one():
    """The four bonds around each face of a grid, by hand, on bonds that do not close."""
    lattice = pt.Lattice.grid((5, 5))
    bonds = np.random.default_rng(0).choice([-1, 1], size=(50, len(lattice.edges)))
    i, j = lattice.edges.T
    along = bonds[:, j == i + 1].reshape(50, 5, 4)
    down = bonds[:, j != i + 1].reshape(50, 4, 5)
    expected = along[:, :-1] * along[:, 1:] * down[:, :, :-1] * down[:, :, 1:] < 0
    np.testing.assert_array_equal(open_faces(bonds, 5), expected)
    assert 0.4 < expected.mean() < 0.6


def test_one_wrong_bond_opens_the_faces_beside_it():
    loops = patch(5, 5)
    x = loops.sample(20, rng=1)
    assert not open_faces(x, 5).any()
    for bond in range(loops.lattice.n_sites):
        y = x.copy()
        y[:, bond] *= -1
        # A bond on the rim has one inner face beside it.
        assert set(open_faces(y, 5).sum(axis=(1, 2))) <= {1, 2}


# The way back.


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("steps", [1, 3])
def test_site_by_site_the_loops_close(noise, steps):
    times = np.linspace(1.0, 0.0, steps + 1)
    bonds = reverse_diffusion(patch(4, 4), noise, times=times, n=8, method="sequential", rng=2)
    assert np.isin(bonds, (-1, 1)).all()
    assert not open_faces(bonds, 4).any()


def counts(bonds):
    """How often each of the 16 values of the four bonds of one face occurs, closed ones first."""
    values = sorted(itertools.product((-1, 1), repeat=4), key=lambda v: -np.prod(v))
    return np.array([(bonds == value).all(axis=1).sum() for value in values])


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("window", [None, 0])
def test_open_faces_are_the_whole_error(noise, window):
    """Gauge symmetry: whatever step or window, all closed (and all open) values are equally likely.

    One face has four bonds: 8 values close and 8 do not. Hence KL(p_0 || p-hat_0) = -ln P(closed).
    """
    bonds = reverse_diffusion(patch(2, 2), noise, times=[1, 0.5, 0], n=4000, window=window, rng=3)
    found = counts(bonds)
    assert found.sum() == 4000
    for group in (found[:8], found[8:]):
        if group.sum() >= 40:
            assert stats.chisquare(group).pvalue > 1e-4


def test_a_broken_symmetry_is_noticed():
    """Negative control: with couplings the loops are not uniform, nor are generated ones."""
    loops = pt.LoopEnsemble(pt.Lattice.grid((2, 2)), coupling=0.3)
    bonds = reverse_diffusion(loops, pt.BitFlip, times=[1, 0.5, 0], n=4000, rng=3)
    assert stats.chisquare(counts(bonds)[:8]).pvalue < 1e-10


def test_one_parallel_step_opens_half_of_all_faces():
    """From pure noise every bond is an independent fair coin: 3.5 sigma of n independent halves."""
    for noise in NOISES:
        bonds = reverse_diffusion(patch(2, 2), noise, times=[1, 0], n=4000, rng=4)
        assert abs(open_faces(bonds, 2).mean() - 0.5) < 3.5 * np.sqrt(0.25 / 4000)


def test_smaller_steps_open_fewer_faces():
    loops = patch(5, 5)
    made = [
        open_faces(
            reverse_diffusion(loops, pt.BitFlip, times=np.linspace(1, 0, k + 1), n=60, rng=5), 5
        ).mean(axis=(1, 2))
        for k in (2, 32)
    ]
    spread = np.hypot(*(m.std(ddof=1) / np.sqrt(m.size) for m in made))
    assert made[0].mean() - made[1].mean() > 5 * spread


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Gaussian])
def test_exact_steps_forgive_what_a_window_did_before(noise):
    """Local steps to t = 0.3, then an exact sweep: closed, though y is no draw of p_t."""
    loops = patch(4, 4)
    y = reverse_diffusion(loops, noise, times=[1, 0.6, 0.3], n=10, window=0, rng=6)
    bonds = reverse_from(y, loops, noise, times=[0.3, 0], method="sequential", rng=7)
    assert not open_faces(bonds, 4).any()
    # Negative control: a window of one bond to the end does not know of faces.
    local = reverse_from(y, loops, noise, times=[0.3, 0], window=0, rng=7)
    assert open_faces(local, 4).any()


# Drawing.


def drawn(shape, walls, **options):
    _, axes = plotting.figure(2.0, 2.0)
    plotting.dual_loops(axes, shape, walls, **options)
    (lines,) = axes.collections
    return axes, np.array(lines.get_segments()), lines.get_colors()


def test_walls_are_drawn_across_their_bonds():
    """The middle of a dual line is the middle of its bond, and the two are perpendicular."""
    lattice = pt.Lattice.grid((3, 4))
    _, lines, _ = drawn((3, 4), np.ones(len(lattice.edges)))
    row, column = np.divmod(lattice.edges, 4)
    bonds = np.stack([column, row], axis=-1).astype(float)
    np.testing.assert_allclose(lines.mean(axis=1), bonds.mean(axis=1))
    along, across = (np.diff(ends, axis=1)[:, 0] for ends in (bonds, lines))
    np.testing.assert_allclose((along * across).sum(axis=1), 0.0)
    np.testing.assert_allclose(np.abs(across).sum(axis=1), 1.0)


def test_walls_form_closed_lines():
    """At every inner crossing of dual lines an even number of certain walls meets."""
    loops = patch(6, 6)
    x = loops.sample(1, rng=8)[0]
    _, lines, colours = drawn((6, 6), (1 - x) / 2)
    ends = lines[colours[:, 3] == 1].reshape(-1, 2)
    inner = ends[((ends > 0) & (ends < 5)).all(axis=1)]
    _, degree = np.unique(inner, axis=0, return_counts=True)
    assert degree.size and not (degree % 2).any()


def test_wrong_bonds_and_open_faces_are_marked():
    walls, wrong, opened = np.zeros(4), np.zeros(4, dtype=bool), np.array([[True]])
    wrong[2] = True
    axes, _, colours = drawn((2, 2), walls, wrong=wrong, open_faces=opened)
    np.testing.assert_array_equal(colours[:, 3], [0, 0, 0.5, 0])
    red = int(COLOURS["vermillion"][1:3], 16) / 255
    assert colours[2, 0] == pytest.approx(red)
    (dots,) = axes.lines
    np.testing.assert_array_equal(dots.get_xydata(), [[0.5, 0.5]])


def test_walls_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"walls has shape \(3,\): one entry for each of the 4 "):
        drawn((2, 2), np.zeros(3))
