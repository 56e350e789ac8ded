"""CMI from samples: calibrated on laws whose CMI is known, by two routes."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad

import phasetheory as pt
from phasetheory import plotting

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import (  # noqa: E402
    Contexts,
    Predictor,
    Training,
    cmi_dataset,
    cross_entropy_terms,
    fit_conditional,
    fit_immse,
    immse_terms,
    load_network,
    save_network,
    scan_images,
)
from phasetheory.neural.guesses import linear_guesses  # noqa: E402
from phasetheory.neural.immse import snr_nodes  # noqa: E402
from phasetheory.neural.results import Terms  # noqa: E402

torch.set_num_threads(1)

SHAPE, CENTRE = (5, 5), (2, 2)
TIMES, RADII = [0.2, 0.4], [0, 1]
N = 3000


def field() -> pt.GaussianField:
    """A stationary field of long range: I(A;C|B_0) and I(A;C|B_1) are both far from 0."""
    place = np.indices(SHAPE).reshape(2, -1).T
    distance = np.abs(place[:, None] - place).sum(axis=2)
    return pt.GaussianField(pt.Lattice.grid(SHAPE), mean=0.5, covariance=0.1 * 0.8**distance)


def quick(**change) -> Training:
    given = {"steps": 250, "batch_size": 256, "learning_rate": 3e-3, "progress": False} | change
    return Training(**given)


#: Excess of a fit of d numbers to N samples: d/2N nats for the predictor that sees everything
#: (classical, for linear regression; here an upper scale, since noise regularises the fit).
BIAS = 25 / (2 * 0.9 * N)


@pytest.mark.parametrize("route", ["cross-entropy", "i-mmse"])
@pytest.mark.parametrize("linear", [True, False])
def test_gaussian_field(route, linear):
    """Both routes, with and without the Wiener filter to start from: within error and bias."""
    prior = field()
    images, aside = (prior.sample(N, rng=seed).reshape(-1, *SHAPE) for seed in (1, 2))
    found = scan_images(
        images, pt.Gaussian, t=TIMES, radius=RADII, centre=CENTRE, held_out=aside,
        settings=quick(steps=60 if linear else 300), data_range=None, route=route, linear=linear,
        width=64, depth=1, null=linear,
    )  # fmt: skip
    exact = pt.scan(prior, pt.Gaussian, t=TIMES, radius=RADII, centre=CENTRE)
    error = np.abs(found.cmi - exact.cmi)
    assert (error < 4.0 * found.cmi_stderr + BIAS).all()
    # The tolerance is a third of the values at r = 0, so that a wrong factor 2 cannot pass.
    assert (exact.cmi.sel(radius=0) > 3.0 * (4.0 * found.cmi_stderr + BIAS).sel(radius=0)).all()
    if linear:
        for name in ("cmi_null", "cmi_null_raw"):
            assert (np.abs(found[name]) < 4.0 * found[f"{name}_stderr"] + BIAS).all()


def test_cross_entropies_are_upper_bounds_near_the_entropies():
    """h(y_A|y_B) <= E[-log p-hat] for every context, and within 0.02 nats after training."""
    prior = field()
    contexts = Contexts.build(prior.lattice, pt.Gaussian, t=TIMES, radius=RADII, centre=CENTRE)
    made = fit_conditional(prior.sample(N, rng=3), contexts, quick(), data_range=None, width=64)
    terms = cross_entropy_terms(made, prior.sample(N, rng=4), rng=5)
    assert terms.shape == (N, 2, 3)
    for i, t in enumerate(TIMES):
        law = prior.noised(pt.Gaussian(t))
        for j, own in enumerate(contexts.own):
            whole = own.copy()
            whole[contexts.site] = True
            below = law.entropy(own).value if own.any() else 0.0
            truth = law.entropy(whole).value - below
            error = terms[:, i, j].std() / math.sqrt(N)
            assert truth - 4.0 * error < terms[:, i, j].mean() < truth + 4.0 * error + 0.02


def test_ising_spins():
    """Discrete symbols: a chain, where A's two neighbours say nearly all there is to know."""
    prior = pt.Ising(pt.Lattice.chain(7), coupling=0.8)
    exact = pt.scan(prior, pt.Gaussian, t=[0.5], radius=[0, 1], centre=3, n_samples=4000, rng=0)
    found = scan_images(
        prior.sample(4000, rng=1), pt.Gaussian, t=[0.5], radius=[0, 1], centre=3,
        held_out=prior.sample(4000, rng=2), settings=quick(steps=400), data_range=(-1, 1),
        levels=[-1, 1], width=48, depth=1, null=False,
    )  # fmt: skip
    error = np.hypot(found.cmi_stderr, exact.cmi_stderr)
    bias = 7 / (2 * 4000 * 0.9)
    assert (np.abs(found.cmi - exact.cmi) < 4.0 * error + 2.0 * bias).all()
    assert (exact.cmi.values[0] > 0.01).all()


def test_memorisation_is_shown():
    """A wide network on 40 samples knows them by heart: training minus held-out says so."""
    rng = np.random.default_rng(3)
    images = rng.uniform(size=(44, 4, 4))  # independent pixels: the truth is 0
    found = scan_images(
        images, pt.Gaussian, t=[0.15], radius=[0], centre=(1, 1),
        held_out=rng.uniform(size=(400, 4, 4)), settings=quick(steps=500, average=0.9),
        linear=False, width=128, null=False,
    )  # fmt: skip
    assert found.cmi_train.item() > 0.1
    assert found.cmi_gap.item() > 5.0 * found.cmi_gap_stderr.item()
    assert found.full_gap.item() > 0.1
    # What a reader of training values would report is absent on held-out samples.
    assert found.cmi_raw.item() < 0.0
    assert found.cmi.item() < 4.0 * max(found.cmi_stderr.item(), 1e-3)


def made_terms(seed=0, n=40):
    rng = np.random.default_rng(seed)
    contexts = Contexts.build(
        pt.Lattice.grid((5, 5)), pt.Gaussian, t=TIMES, radius=[0, 1], centre=CENTRE
    )
    return contexts, Terms(*(rng.standard_normal((n, 2, 3)) for _ in range(3)))


def test_choice_between_predictors_and_errors_by_hand():
    """Plain Python: the best predictor that sees no more, on validation; values on held-out."""
    for seed in range(20):
        contexts, terms = made_terms(seed)
        found = cmi_dataset(contexts, terms)
        for i in range(2):
            mean = [float(terms.validation[:, i, c].mean()) for c in range(3)]
            best = [mean.index(min(mean[: c + 1])) for c in range(3)]
            for j in range(2):
                rows = terms.held_out[:, i].tolist()
                own = [row[best[j]] - row[best[2]] for row in rows]
                value = math.fsum(own) / 40
                spread = math.sqrt(math.fsum((x - value) ** 2 for x in own) / 39 / 40)
                assert found.cmi.values[i, j] == pytest.approx(value, abs=1e-12)
                assert found.cmi_stderr.values[i, j] == pytest.approx(spread, abs=1e-12)
                diagonal = found.cmi_covariance.values[i, j, j]
                assert diagonal == pytest.approx(spread**2, abs=1e-12)


def test_nothing_is_clipped():
    """Where the held-out samples contradict the choice, the value is negative and stays so."""
    contexts, terms = made_terms()
    terms.validation[:] = np.array([2.0, 1.0, 0.0])
    terms.held_out[:] = np.array([0.0, 1.0, 2.0]) + 0.1 * terms.held_out
    found = cmi_dataset(contexts, terms)
    assert (found.cmi < -0.9).all()


def test_a_predictor_that_sees_more_never_counts_as_worse():
    contexts, terms = made_terms()
    terms.validation[:] = np.array([0.0, 1.0, 2.0])  # seeing more did harm
    found = cmi_dataset(contexts, terms)
    np.testing.assert_array_equal(found.cmi, 0.0)
    assert (found.cmi_n_effective == 0).all()  # the error bar of such a zero is not to be trusted


def test_the_result_is_read_like_a_scan(tmp_path):
    """Plotting, Markov length and netCDF take it as they take an exact scan."""
    contexts, terms = made_terms()
    loss = 0.5 + 0.3 * np.exp(-contexts.radii)
    terms.held_out[:, :, :2] = loss + 0.001 * terms.held_out[:, :, :2]
    terms.held_out[:, :, 2] = 0.5
    terms.validation[:] = terms.held_out
    found = cmi_dataset(contexts, terms, attrs={"training": {"steps": 3}})
    path = tmp_path / "map.nc"
    found.to_netcdf(path, engine="scipy")
    with xr.open_dataset(path, engine="scipy") as again:
        assert json.loads(again.attrs["training"]) == {"steps": 3}
        assert "low" in again.attrs["bias"] and "estimate" in again.attrs
        _, axes = plotting.figure(4, 3)
        plotting.cmi_map(axes, again)
        _, axes = plotting.figure(4, 3)
        plotting.cmi_profiles(axes, again, TIMES)
        verdict = pt.markov_length(again, covariance=again.cmi_covariance.values).verdict
        assert (verdict == "too few points").all()  # two radii; no error on the way
        wanted = pt.scan(field(), pt.Gaussian, t=TIMES, radius=[0, 1], centre=CENTRE)
        assert set(wanted.data_vars) <= set(again.data_vars)
        for name in wanted.data_vars:
            assert again[name].dims == wanted[name].dims
        for name in ("size_A", "size_B", "size_C"):
            np.testing.assert_array_equal(again[name], wanted[name])


def test_null_contexts_take_c_from_another_sample():
    contexts = Contexts.build(
        pt.Lattice.chain(5), pt.Gaussian, t=[0.5], radius=[0, 1], centre=2, null=True
    )
    assert contexts.own.astype(int).tolist() == [
        [0, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]
    ]  # fmt: skip
    assert contexts.other.astype(int).tolist() == [
        [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 0, 1, 1], [1, 0, 0, 0, 1]
    ]  # fmt: skip
    assert [contexts.candidates(c) for c in range(4)] == [[0], [0, 1], [0, 2], [0, 1, 3]]
    made = Predictor.made_for(contexts, np.random.default_rng(0).normal(size=(9, 5)), np.zeros(0))
    torch.nn.init.normal_(made.leave.weight, generator=torch.Generator().manual_seed(1))
    y, other = (torch.randn(1, 5, generator=torch.Generator().manual_seed(s)) for s in (2, 3))
    for c, (own, far) in enumerate(zip(contexts.own, contexts.other, strict=True)):
        for tensor, mask in ((y, own), (other, far)):
            tensor.requires_grad_(True).grad = None
            out, guess = made(y, other, torch.tensor([0]), torch.tensor([c]), None)
            (out.sum() + guess.mean.sum()).backward()
            gradient = tensor.grad.numpy()[0] if tensor.grad is not None else np.zeros(5)
            np.testing.assert_array_equal(gradient != 0.0, mask)


@pytest.mark.parametrize("channels", [0, 2])
def test_the_centre_is_hidden(channels):
    """No context reads A, nor anything beyond its radius: gradients are exactly 0 there."""
    contexts = Contexts.build(
        pt.Lattice.grid((5, 5)), pt.Gaussian, t=TIMES, radius=[0, 1], centre=(2, 1)
    )
    rng = np.random.default_rng(0)
    made = Predictor.made_for(
        contexts, rng.normal(size=(60, 5, 5)), np.linspace(0, 1, 5), channels=channels
    )
    torch.nn.init.normal_(made.leave.weight, generator=torch.Generator().manual_seed(1))
    place = np.indices((5, 5)).reshape(2, -1).T
    distance = np.abs(place - [2, 1]).max(axis=1)
    for c, seen in enumerate([distance == 9, (distance == 1), (distance > 0)]):
        y = torch.randn((1, 25), generator=torch.Generator().manual_seed(2), requires_grad=True)
        out, guess = made(y, y.detach(), torch.tensor([1]), torch.tensor([c]), None)
        logits = made.log_weights(out, guess)
        logits[0, 0].backward()
        gradient = np.zeros(25) if y.grad is None else y.grad.numpy()[0]
        np.testing.assert_array_equal(gradient != 0.0, seen)


def test_linear_guess_is_the_posterior_of_the_gaussian_field():
    """Against the package's own posterior of the field with the sample's moments."""
    rng = np.random.default_rng(4)
    images = rng.standard_normal((300, 9)) @ rng.standard_normal((9, 9)) * 0.1 + 0.5
    contexts = Contexts.build(
        pt.Lattice.grid((3, 3)), pt.Gaussian, t=[0.1, 0.6], radius=[0], centre=(1, 1)
    )
    weights, offsets, spreads = linear_guesses(contexts, images, linear=True)
    prior = pt.GaussianField.fit(images, pt.Lattice.grid((3, 3)), shrinkage=0.0)
    y = rng.standard_normal((4, 9))
    for i, t in enumerate([0.1, 0.6]):
        for j, own in enumerate(contexts.own):
            belief = prior.noised(pt.Gaussian(t)).posterior(y, own, [4])
            mean = offsets[i, j] + (y - (1 - t) * images.mean(axis=0)) @ weights[i, j]
            np.testing.assert_allclose(mean, belief.mean()[:, 0], atol=1e-9)
            np.testing.assert_allclose(
                spreads[i, j] ** 2, belief.variance()[:, 0].mean(), rtol=1e-6, atol=1e-12
            )


def test_smeared_density_by_hand():
    """Log of sum_k p_k N(y; alpha c_k, sigma^2 + alpha^2 spread^2), and it integrates to one."""
    contexts = Contexts.build(pt.Lattice.chain(3), pt.Gaussian, t=[0.3], radius=[0], centre=1)
    levels = np.array([-1.0, 0.5, 2.0])
    made = Predictor.made_for(contexts, np.eye(3), levels, spread=0.2)
    p = np.array([0.2, 0.5, 0.3])

    def density(y):
        width = math.sqrt(0.3**2 + (0.7 * 0.2) ** 2)
        terms = (
            w * math.exp(-0.5 * ((y - 0.7 * c) / width) ** 2) / (width * math.sqrt(2 * math.pi))
            for w, c in zip(p, levels, strict=True)
        )
        return math.fsum(terms)

    y = torch.linspace(-3, 3, 7)[None]
    weights = torch.log(torch.tensor(p, dtype=torch.float32))[None]
    found = made.log_density(weights, y, torch.tensor([0]))[0]
    wanted = [math.log(density(float(v))) for v in y[0]]
    # float32 sums of numbers of order 10.
    np.testing.assert_allclose(found.numpy(), wanted, atol=2e-5)
    assert quad(density, -5, 5, points=[-0.7, 0.35, 1.4])[0] == pytest.approx(1.0)


def test_integral_over_snr():
    r"""1/2 int_0^snr [1/(1/V_0+g) - 1/(1/V_1+g)] dg = 1/2 log[(1+snr V_0)/(1+snr V_1)]."""
    contexts = Contexts.build(
        pt.Lattice.chain(3), pt.Gaussian, t=[0.05, 0.3, 0.8], radius=[0], centre=1
    )
    nodes, weights = snr_nodes(contexts, 0.1)
    for i, t in enumerate([0.05, 0.3, 0.8]):
        snr = ((1 - t) / t) ** 2
        for one, two in ((0.1, 0.05), (0.1, 0.02), (0.03, 0.02)):
            terms = 1.0 / (1.0 / one + nodes[i]) - 1.0 / (1.0 / two + nodes[i])
            wanted = 0.5 * math.log((1.0 + snr * one) / (1.0 + snr * two))
            assert 0.5 * weights[i] @ terms == pytest.approx(wanted, rel=1e-5)


def test_continued_runs_and_saved_predictors_give_the_same_numbers(tmp_path):
    images = np.random.default_rng(7).uniform(size=(60, 4, 4))
    given = {"t": [0.4], "radius": [1], "centre": (1, 2), "width": 16, "null": True,
             "settings": quick(steps=20, batch_size=16)}  # fmt: skip
    first = scan_images(images, folder=tmp_path, **given)
    again = scan_images(images, folder=tmp_path, **given)
    plain = scan_images(images, **given)
    xr.testing.assert_identical(first, again)
    xr.testing.assert_identical(first, plain)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["cmi-null.ckpt", "cmi-null.safetensors", "cmi.ckpt", "cmi.safetensors"]
    contexts = Contexts.build(
        pt.Lattice.grid((4, 4)), pt.Gaussian, t=[0.4], radius=[1], centre=(1, 2)
    )
    routes = ((fit_conditional, cross_entropy_terms, 2), (fit_immse, immse_terms, 0))
    for fit, terms, channels in routes:
        made = fit(images, contexts, quick(steps=3), width=16, channels=channels)
        save_network(tmp_path / "one.safetensors", made)
        loaded, _ = load_network(tmp_path / "one.safetensors")
        np.testing.assert_array_equal(loaded.contexts.own, contexts.own)
        np.testing.assert_array_equal(terms(loaded, images, rng=1), terms(made, images, rng=1))


IMAGES = np.random.default_rng(8).uniform(size=(40, 5, 5))
GIVEN = {"t": [0.4], "radius": [1], "centre": CENTRE, "settings": quick(steps=2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES * 255}, "outside the declared data_range"),
        ({"images": np.where(IMAGES > 0.99, np.nan, IMAGES)}, "NaN"),
        ({"images": IMAGES[0, 0]}, "has shape"),
        ({"held_out": IMAGES[:, :4]}, r"held_out has shape \(40, 4, 5\)"),
        ({"held_out": IMAGES - 1.0}, "held_out lies in"),
        ({"radius": [1, 2]}, "to below 2 needed"),
        ({"radius": [2, 1]}, "strictly increasing"),
        ({"centre": (5, 5)}, "centre"),
        ({"t": [0.0, 0.5]}, "must be positive"),
        ({"t": [0.5, 1.0]}, "must be positive"),
        ({"levels": 1}, "levels=1"),
        ({"levels": [0.0, 1.0]}, "the centre takes values"),
        ({"route": "mine"}, "route='mine'"),
        ({"validation": 0.9}, "validation=0.9"),
        ({"n_noise": 0}, "n_noise=0"),
        ({"colour": True}, "unknown option 'colour'"),
        ({"noise": pt.BitFlip}, "pt.Gaussian"),
    ],
)
def test_bad_input(change, message):
    given = {"images": IMAGES} | GIVEN | change
    images = given.pop("images")
    with pytest.raises(ValueError, match=message):
        scan_images(images, **given)
