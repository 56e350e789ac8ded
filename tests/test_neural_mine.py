"""Critics: stacked ones are independent, both readings mean what they say, memorisation shows."""

import json
import math

import numpy as np
import pytest
import xarray as xr

import phasetheory as pt

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import Contexts, Training  # noqa: E402
from phasetheory.neural.calibration import calibrate, calibrate_critics  # noqa: E402
from phasetheory.neural.critics import Critic, stacked  # noqa: E402
from phasetheory.neural.mine import Mine, mine_curves  # noqa: E402
from phasetheory.neural.pairs import Pairs, Pool  # noqa: E402

torch.set_num_threads(1)


def quick(**change) -> Mine:
    given = {"steps": 8, "window": 4, "batch_size": 10, "channels": 2, "width": 4}
    return Mine(**given | {"progress": False} | change)


def contexts_of(lattice, centre, **change) -> Contexts:
    return Contexts.build(
        lattice, pt.Gaussian, **{"t": [0.3], "radius": [1], "centre": centre} | change
    )


GRID = contexts_of(pt.Lattice.grid((5, 4)), (2, 1), t=[0.2, 0.5])


def two_sets(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=shape)


def test_stacked_critics_equal_single_ones():
    made = Critic((5, 4), 9, 3, 6)
    weights = stacked(made, 3, seed=0)
    rng = torch.Generator().manual_seed(0)
    shown, value = torch.randn(3, 7, 20, generator=rng), torch.randn(3, 7, generator=rng)
    call = torch.func.functional_call
    together = torch.func.vmap(lambda own, b, a: call(made, own, (b, a)))(weights, shown, value)
    for k in range(3):
        made.load_state_dict({n: w[k] for n, w in weights.items()} | {"place": made.place})
        # float32: sums of some hundred terms in another order.
        torch.testing.assert_close(together[k], made(shown[k], value[k]), atol=1e-5, rtol=1e-4)
    assert not torch.equal(weights["layers.0.weight"][0], weights["layers.0.weight"][1])


def test_no_critic_feels_another():
    """Other data in one repeat, or beyond one buffer, leave all other readings as they are."""
    seen, fresh = two_sets((2, 30, 5, 4))
    first = mine_curves(seen, fresh, GRID, quick())
    other = seen.copy()
    other[1] += 1.0
    second = mine_curves(other, fresh, GRID, quick())
    for name in ("near_train", "full_train", "near_fresh", "full_fresh"):
        np.testing.assert_array_equal(first[name].isel(repeat=0), second[name].isel(repeat=0))
        assert (first[name].isel(repeat=1) != second[name].isel(repeat=1)).all()
    far = seen.copy()
    far[:, :, 4] += 1.0  # at distance 2 of A
    third = mine_curves(far, fresh, GRID, quick())
    np.testing.assert_array_equal(first.near_train, third.near_train)
    assert (first.full_train != third.full_train).all()
    xr.testing.assert_allclose(
        first.cmi_train, (first.full_train - first.near_train).transpose(*first.cmi_train.dims)
    )


def test_reading_by_hand():
    """<T> - log <e^T> over all pairs of a window, in plain Python."""
    true = [[[0.3, -1.0], [2.0, 0.1]], [[0.5, 0.6], [-3.0, 1.0]]]
    mixed = [[[0.1, 0.0], [1.0, -2.0]], [[-0.5, 0.2], [0.3, 0.9]]]
    pool = Pool(2, torch.device("cpu"))
    for a, b in zip(true, mixed, strict=True):
        pool.add(torch.tensor(a), torch.tensor(b))
    for k in range(2):
        one = [x for batch in true for x in batch[k]]
        two = [math.exp(x) for batch in mixed for x in batch[k]]
        wanted = math.fsum(one) / 4 - math.log(math.fsum(two) / 4)
        assert pool.value()[k] == pytest.approx(wanted, abs=1e-6)  # inputs in float32


def test_one_noise_image_per_datum():
    """Two training images give two noisy values of A at a time; fresh pairs give new ones."""
    seen, fresh = two_sets((1, 2, 5, 4))
    pairs = Pairs(seen, fresh, GRID, 50, torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(0)
    for is_fresh, count in ((False, 2), (True, 100)):
        values = torch.cat([pairs.draw(rng, fresh=is_fresh)[1] for _ in range(2)], dim=1)
        assert [len(row.unique()) for row in values] == [count] * 4
    shown, value = pairs.draw(rng)
    masks = torch.as_tensor(np.tile(GRID.own, (2, 1)))
    np.testing.assert_array_equal((shown != 0).all(dim=1), masks)
    # The two contexts of a time are judged on the same pairs.
    np.testing.assert_array_equal(value[0], value[1])


def pair_law(rho: float) -> pt.GaussianField:
    """Three sites in a row of unit variance: the first two with correlation rho."""
    covariance = np.eye(3)
    covariance[0, 1] = covariance[1, 0] = rho
    return pt.GaussianField(pt.Lattice.chain(3), mean=0.0, covariance=covariance)


def test_two_gaussian_variables():
    r"""I(A;B) = -log(1 - r^2)/2, r = rho/(1 + (t/(1-t))^2), and a third site that says nothing."""
    t, rho = 0.3, 0.95
    r = rho / (1.0 + (t / (1.0 - t)) ** 2)
    wanted = -0.5 * math.log(1.0 - r**2)
    found = calibrate_critics(
        pair_law(rho), t=[t], radius=[1], centre=0, n_samples=20_000, n_repeats=4,
        settings=quick(steps=600, window=200, batch_size=200, channels=0, width=32,
                       learning_rate=3e-3),
    ).isel(t=0)  # fmt: skip
    assert found.exact_full.item() == pytest.approx(wanted, abs=1e-9)
    last = found.isel(step=-1, radius=0)
    for name in ("near_train", "near_fresh", "full_train", "full_fresh"):
        error = last[name].std(ddof=1).item() / 2.0
        # A quadratic critic is needed and found to a tenth.
        assert 0.9 * wanted - 4 * error < last[name].mean().item() < wanted + 4 * error + 0.02
    assert found.exact.item() == pytest.approx(0.0, abs=1e-9)


def test_critics_know_few_pairs_by_heart():
    """Independent sites, truth 0: readings of 40 training pairs rise, those of fresh ones fall."""
    contexts = contexts_of(pt.Lattice.grid((5, 5)), (2, 2))
    seen, fresh = two_sets((3, 40, 5, 5), seed=1)
    found = mine_curves(
        seen, fresh, contexts,
        quick(steps=400, window=100, batch_size=40, channels=0, width=64, learning_rate=2e-3),
    ).isel(t=0)  # fmt: skip
    assert (np.diff(found.full_train.values, axis=1) > 0).all()
    assert (found.full_train.isel(step=-1) > 0.5).all()
    assert (found.full_fresh.isel(step=-1) < 0.0).all()


def test_goes_on_after_a_kill(tmp_path):
    """In two pieces, longer than first asked, or read back when finished: the same numbers."""
    seen, fresh = two_sets((2, 30, 5, 4))
    path = tmp_path / "critics.ckpt"
    whole = mine_curves(seen, fresh, GRID, quick(steps=12))
    mine_curves(seen, fresh, GRID, quick(steps=8), checkpoint=path)
    for _ in range(2):
        again = mine_curves(seen, fresh, GRID, quick(steps=12), checkpoint=path)
        xr.testing.assert_identical(whole, again)
    assert again.step.values.tolist() == [4, 8, 12]
    shorter = mine_curves(seen, fresh, GRID, quick(steps=4), checkpoint=path)
    np.testing.assert_array_equal(shorter.full_train, whole.full_train.isel(step=[0]))
    with pytest.raises(ValueError, match="belongs to other settings, data or network"):
        mine_curves(seen + 1.0, fresh, GRID, quick(), checkpoint=path)
    with pytest.raises(ValueError, match="belongs to other settings, data or network"):
        mine_curves(seen, fresh, GRID, quick(seed=1), checkpoint=path)
    shorter.to_netcdf(tmp_path / "curves.nc", engine="scipy")
    assert json.loads(shorter.attrs["settings"])["batch_size"] == 10


def test_calibration_carries_the_truth():
    """The exact values are those of `cmi`; spins and vectors on other lattices go the same way."""
    trained = Training(steps=3, batch_size=16, progress=False)
    given = {"t": [0.4], "n_samples": 60, "n_exact": 50}
    loops = pt.LoopEnsemble(pt.Lattice.grid((4, 4)))
    for prior, centre in (
        (pair_law(0.5), 0),
        (loops, 12),
        (pt.Ising(GRID_LATTICE, coupling=0.3), (1, 1)),
    ):
        found = calibrate(
            prior, radius=[0, 1], centre=centre, settings=trained, width=8, null=False, **given
        )
        law = prior.noised(pt.Gaussian(0.4))
        read = calibrate_critics(
            prior, radius=[1], centre=centre, n_repeats=2, settings=quick(channels=0), **given
        )
        for values, radii in ((found.exact, (0, 1)), (read.exact, (1,)), (read.exact_full, (0,))):
            for r, value in zip(radii, values.values.ravel(), strict=True):
                exact = pt.cmi(law, prior.lattice.tripartition(centre, r), n_samples=50, rng=0)
                assert abs(exact.value - value) <= 6 * exact.stderr + 1e-9


GRID_LATTICE = pt.Lattice.grid((3, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, r"steps=0: a whole number >= 1"),
        ({"batch_size": 1}, r"batch_size=1: a whole number >= 2"),
        ({"steps": 10}, r"steps=10 is no multiple of window=4"),
        ({"learning_rate": 0.0}, r"learning_rate=0.0: a positive number"),
        ({"device": "cpux"}, r"device='cpux'"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        quick(**change)


def test_bad_input():
    seen, fresh = two_sets((2, 30, 5, 4))
    with pytest.raises(ValueError, match=r"samples has shape \(5, 4\)"):
        mine_curves(seen[0, 0], fresh, GRID)
    with pytest.raises(ValueError, match=r"fresh has shape \(1, 30, 5, 4\): \(2, m\)"):
        mine_curves(seen, fresh[:1], GRID)
    with pytest.raises(ValueError, match="fresh has 15 sites a sample: the contexts are for 20"):
        mine_curves(seen, fresh[..., :3], GRID)
    with pytest.raises(ValueError, match=r"radius=\[0.0, 1.0\]: every B_r needs a site"):
        mine_curves(seen, fresh, contexts_of(pt.Lattice.grid((5, 4)), (2, 1), radius=[0, 1]))
    with pytest.raises(ValueError, match=r"n_repeats=0, n_samples=60: >= 1 and >= 2"):
        calibrate_critics(pair_law(0.5), t=[0.4], radius=[1], centre=0, n_samples=60, n_repeats=0)
    with pytest.raises(ValueError, match="learning_rate=1e\\+30 is too large"):
        mine_curves(1e6 * seen, fresh, GRID, quick(learning_rate=1e30))
