"""The explorer without its page: what it shows is what the library returns."""

import re
from itertools import pairwise

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import phasetheory as pt
from phasetheory import cli_explore
from phasetheory.cli import app as command_line
from phasetheory.estimate import Estimate
from phasetheory.explorer import address, page
from phasetheory.explorer.chain import CHAIN_SAMPLES, chain
from phasetheory.explorer.local import local_denoise
from phasetheory.explorer.moment import GAP_SAMPLES, moment
from phasetheory.explorer.scenes import NOISES, SCENES
from phasetheory.explorer.study import SEED, known, plan, study
from phasetheory.explorer_plots import Framed, map_picture, pixels, window_curve

#: Cheap maps, one of each kind: exact with a recovery of its own, exact with a patch, sampled.
FIELD = ("Gaussian field, massive", "Gaussian", (16, 16))
CODE = ("Repetition code", "bit flips", (9, 9))
LOOPS = ("Closed loops", "erasure", (6, 6))
CHEAP = [FIELD, CODE, LOOPS]
PAIRS = [(name, noise) for name, scene in SCENES.items() for noise in scene.noises]


def smallest(name):
    return min(SCENES[name].shapes, key=np.prod)


# Laws on offer.


@pytest.mark.parametrize("name", SCENES)
def test_every_size_has_radii_with_sites_left_in_c(name):
    for shape in SCENES[name].shapes:
        stage = SCENES[name].stage(shape)
        assert list(stage.parts) == list(range(len(stage.parts)))
        assert len(stage.parts) >= 2
        n = stage.model.lattice.n_sites
        for parts in stage.parts.values():
            assert parts.A.size == 1
            assert parts.C.size
            assert parts.union("ABC").size == n


@pytest.mark.parametrize(("name", "noise"), PAIRS)
def test_local_denoiser_reads_its_window_only(name, noise):
    """Entry i is E[x_i | y on the window of i], whatever way it was computed."""
    stage = SCENES[name].stage(smallest(name))
    law = stage.model.noised(NOISES[noise](0.4))
    x, y = law.sample(1, rng=3)
    for radius in stage.parts:
        found = local_denoise(law, stage, y, radius)
        assert found.shape == x[0].shape
        for site in (0, x.size // 2, x.size - 1):
            window = np.flatnonzero(stage.distances[site] <= radius)
            expected = law.denoise(y, window)[0, site]
            assert found[site] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("noise", NOISES)
def test_sample_moves_along_one_path(noise):
    """The same x_0 and the same random numbers at every t; noise only grows."""
    model = SCENES["Repetition code"].stage((9, 9)).model
    draws = [model.noised(NOISES[noise](t)).sample(1, rng=7) for t in (0.2, 0.5, 0.9)]
    for x, _ in draws[1:]:
        assert (x == draws[0][0]).all()
    ys = [y for _, y in draws]
    if noise == "Gaussian":
        z = [(y - (1 - t) * draws[0][0]) / t for t, y in zip((0.2, 0.5, 0.9), ys, strict=True)]
        assert np.allclose(z[0], z[1])
        assert np.allclose(z[0], z[2])
    else:
        x = draws[0][0]
        for early, late in pairwise(ys):
            assert (late[early != x] == early[early != x]).all()
            assert (late != x).sum() > (early != x).sum()


# The map and what is read off it.


@pytest.mark.parametrize("asked", CHEAP, ids=lambda asked: asked[0])
def test_study_is_a_scan_of_the_library(asked):
    name, noise, shape = asked
    made = study(*asked)
    scene, stage = SCENES[name], SCENES[name].stage(shape)
    expected = pt.scan(
        stage.model, NOISES[noise], t=scene.times, radius=stage.parts, rng=SEED,
        n_samples=scene.n_samples,
    )  # fmt: skip
    assert made.scan.equals(expected)
    assert made.window.equals(pt.locate_transition(expected))
    assert made.lengths.equals(pt.markov_length(expected))
    assert known(*asked)
    assert study(*asked) is made


def test_exact_cmi_is_that_of_one_call():
    for asked in (FIELD, CODE):
        made = study(*asked)
        for t, radius in ((0.02, 0), (0.5, 1), (0.98, 3)):
            expected = pt.cmi(made.law(t), made.stage.parts[radius])
            found = made.cmi(t, radius)
            assert found.exact
            assert found.value == pytest.approx(expected.value, rel=1e-9, abs=1e-12)


def test_sampled_cmi_carries_its_error():
    found = study(*LOOPS).cmi(0.5, 1)
    assert not found.exact
    assert found.n_samples == SCENES["Closed loops"].n_samples
    assert found.stderr > 0


def test_plan_says_what_is_computed():
    for asked, exact in ((FIELD, True), (LOOPS, False)):
        made = plan(*asked)
        assert made.exact is exact
        assert asked[0] in made.text
        assert ("exact" in made.text) is exact
        assert made.seconds > 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("Potts", "bit flips", (9, 9)), "law 'Potts'"),
        (("Closed loops", "Gaussian", (6, 6)), "noise 'Gaussian'"),
        (("Closed loops", "erasure", (5, 5)), "size"),
    ],
)
def test_unknown_choices_are_refused_by_name(asked, message):
    for call in (plan, study):
        with pytest.raises(ValueError, match=message):
            call(*asked)


# One place on the map.


@pytest.mark.parametrize("asked", CHEAP, ids=lambda asked: asked[0])
def test_moment_is_what_the_library_returns(asked):
    made = study(*asked)
    law, parts = made.law(0.5), made.stage.parts[1]
    now = moment(made, 0.5, 1, 4)
    x, y = law.sample(1, rng=4)
    assert (now.x == x[0]).all()
    assert (now.y == y[0]).all()
    assert np.allclose(now.whole, law.denoise(y)[0])
    assert now.gap == pt.locality_gap(law, parts, n_samples=GAP_SAMPLES, rng=SEED)
    assert now.rms(now.difference) == pytest.approx(np.sqrt(np.mean((now.local - now.whole) ** 2)))
    with pytest.raises(ValueError, match="radius=99"):
        moment(made, 0.5, 99, 4)


def test_chain_of_a_field_is_its_recovery():
    made = study(*FIELD)
    found = chain(made, 0.4, 1, 0.5)
    step = pt.Gaussian(0.4).increment(pt.Gaussian(0.7))
    expected = pt.recovery(made.law(0.4), made.stage.parts[1], step)
    assert found.patch is None
    assert (found.kl, found.tv) == (expected.kl, expected.tv)
    assert found.before.value == pytest.approx(made.cmi(0.4, 1).value, rel=1e-6)


def test_chain_of_a_large_discrete_law_is_that_of_a_patch():
    made = study(*CODE)
    found = chain(made, 0.4, 1, 0.5)
    assert found.patch == (3, 5)
    lattice = pt.Lattice.grid((3, 5))
    law = pt.CurieWeiss(15, np.inf).noised(pt.BitFlip(0.4))
    parts = lattice.tripartition((1, 0), 1)
    expected = pt.recovery(law, parts, pt.BitFlip(0.4).increment(pt.BitFlip(0.7)))
    assert found.kl.value == pytest.approx(expected.kl.value)
    assert found.before.value == pytest.approx(pt.cmi(law, parts).value)


@pytest.mark.parametrize("asked", CHEAP, ids=lambda asked: asked[0])
@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_bars_are_ordered(asked, strength):
    r"""2 TV^2 <= KL <= I - I~ <= I, with some of each to see."""
    found = chain(study(*asked), 0.3, 1, strength)
    bars = [found.two_tv_squared, found.kl, found.drop, found.before]
    values = [bar.value for bar in bars]
    assert values[0] > 0
    assert all(low <= high * (1 + 1e-9) for low, high in pairwise(values))


def test_chain_without_recovery_tells_only_informations():
    made = study("Gaussian mixture", "Gaussian", (8, 8))
    found = chain(made, 0.5, 1, 0.5)
    assert found.kl is None
    assert found.tv is None
    law, parts = made.law(0.5), made.stage.parts[1]
    step = pt.Gaussian(0.5).increment(pt.Gaussian(0.75))
    after = pt.cmi(law.then(step, parts.A), parts, n_samples=CHAIN_SAMPLES, rng=SEED)
    assert found.after == after
    assert found.drop.value == pytest.approx(found.before.value - after.value)
    assert "only" in page.chain_card(made, found, 0.5)


def test_step_out_of_range_is_refused():
    with pytest.raises(ValueError, match="strength=0"):
        chain(study(*FIELD), 0.5, 1, 0.0)


# Pictures.


def test_cursor_lies_where_the_axes_are():
    made = study(*FIELD)
    drawn = map_picture(made.scan, made.window)
    left, right, bottom, top = drawn.box
    assert 0 < left < right < 1
    assert 0 < bottom < top < 1
    assert drawn.place(drawn.x[0], drawn.y[0]) == pytest.approx((left, 1 - bottom))
    assert drawn.place(drawn.x[1], drawn.y[1]) == pytest.approx((right, 1 - top))
    half = Framed(b"", (0.2, 0.6, 0.1, 0.9), (0.0, 1.0), (0.0, 4.0))
    assert half.place(0.25, 1.0) == pytest.approx((0.3, 0.7))


def test_lecture_pictures_have_larger_type():
    """The same type on less paper, and the page shows both at the same width."""
    made = study(*FIELD)

    def paper(lecture):
        image = window_curve(made.scan, made.window, 1, lecture=lecture).image
        return float(re.search(rb'<svg[^>]* width="([\d.]+)pt"', image, re.DOTALL)[1])

    assert paper(True) < 0.9 * paper(False)


def test_pixels_have_one_colour_a_value():
    from matplotlib.image import imread

    def colours(*arguments, **options):
        import io

        return imread(io.BytesIO(pixels(*arguments, **options)))

    values = np.array([[-1.0, 0.0], [1.0, 1.0]])
    image = colours(values, -1.0, 1.0, erased=0.0)
    assert image.shape[:2] == (2, 2)
    assert (image[1, 0] == image[1, 1]).all()
    assert image[0, 1, 0] == image[0, 1, 1] == image[0, 1, 2]  # grey
    signed = colours(values, -1.0, 1.0, signed=True)
    assert signed[0, 0, 2] > signed[0, 0, 0]  # blue
    assert signed[1, 0, 0] > signed[1, 0, 2]  # vermillion


# Numbers on the page.


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.123456), "0.1235"),
        (Estimate(1.5e-7), "1.500 × 10<sup>−7</sup>"),
        (Estimate(-4e-16), "0"),
        (Estimate(0.14321, 0.00234, 400, 100.0), "0.1432 ± 0.0023"),
        (Estimate(-0.004, 0.0123, 400, 100.0), "−0.004 ± 0.012"),
        (Estimate(3.21e-6, 4.4e-7, 400, 100.0), "(3.21 ± 0.44) × 10<sup>−6</sup>"),
        (Estimate(0.02, 0.01, 400, 3.0), "0.020 ± 0.010 (rare events)"),
        (Estimate(0.0, 0.0, 400, 0.0), "0 (in 400 draws)"),
    ],
)
def test_numbers_show_the_digits_they_have(estimate, text):
    assert page.shown(estimate) == text


def value(html, key):
    return float(re.search(rf'id="pt-{key}"[^>]* data-value="([^"]*)"', html)[1])


@pytest.mark.parametrize("asked", CHEAP, ids=lambda asked: asked[0])
def test_page_tells_the_numbers_behind_it(asked):
    made = study(*asked)
    now, bars = moment(made, 0.5, 1, 1), chain(made, 0.5, 1, 0.5)
    html = page.map_card(made, 0.5, 1, lecture=False) + page.panels(made, now)
    html += page.curve_card(made, 0.5, 1, lecture=False) + page.chain_card(made, bars, 0.5)
    html += page.readings(made, now)
    assert value(html, "cmi") == made.cmi(0.5, 1).value
    assert value(html, "gap") == now.gap.value
    assert value(html, "kl") == bars.kl.value
    assert value(html, "tv") == bars.tv.value
    assert value(html, "window-start") == float(made.window["window_start"].sel(radius=1))
    assert np.array_equal(value(html, "xi"), float(made.lengths["xi"].sel(t=0.5)), equal_nan=True)
    assert len(re.findall(r"<img ", html)) == 7
    assert "http" not in re.sub(r'src="data:[^"]*"', "", html)
    assert ("patch" in html) is (bars.patch is not None)


# Address and command.


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.1.2.3", True),
     ("0.0.0.0", False), ("192.168.1.5", False), ("::", False), ("example.org", False)],
)  # fmt: skip
def test_loopback(host, loopback):
    assert address.is_loopback(host) is loopback


def test_taken_ports_and_strange_hosts_are_refused():
    with address.listen("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(ValueError, match=f"port={port}"):
            address.listen("127.0.0.1", port)
    with pytest.raises(ValueError, match="host='no such host'"):
        address.listen("no such host", 0)


def test_other_sites_are_not_answered():
    guard = address.SameSite(None, "127.0.0.1")
    here = (b"host", b"127.0.0.1:2718")
    assert guard.accepts([here])
    assert guard.accepts([(b"host", b"[::1]:2718")])
    assert guard.accepts([here, (b"origin", b"http://127.0.0.1:2718")])
    assert not guard.accepts([here, (b"origin", b"http://evil.example")])
    assert not guard.accepts([here, (b"origin", b"http://127.0.0.1:80")])
    assert not guard.accepts([(b"host", b"evil.example:2718")])
    assert not guard.accepts([])
    everywhere = address.SameSite(None, "0.0.0.0")
    assert everywhere.accepts([(b"host", b"lecture.example:2718")])
    assert not everywhere.accepts([(b"host", b"a:1"), (b"origin", b"http://b")])


def test_command_names_the_extra_that_is_missing(monkeypatch):
    monkeypatch.setattr(cli_explore, "find_spec", lambda name: None)
    done = CliRunner().invoke(command_line, ["explore"])
    assert done.exit_code == 1
    assert "pip install 'phasetheory[course]'" in done.output


def test_command_checks_the_port():
    done = CliRunner().invoke(command_line, ["explore", "--port", "70000"])
    assert done.exit_code == 2
    assert "65535" in done.output


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_command_warns_beyond_loopback(monkeypatch, host, warns):
    server = pytest.importorskip("phasetheory.explorer.server", reason="needs the extra course")
    asked = []

    def serve(*arguments, **options):
        asked.append((arguments, options))
        if warns:
            raise ValueError("cannot listen")

    monkeypatch.setattr(server, "serve", serve)
    done = CliRunner().invoke(command_line, ["explore", "--host", host, "--port", "0", "--lecture"])
    assert ("not loopback" in done.output) is warns
    assert done.exit_code == (2 if warns else 0)
    assert asked[0][0] == (host, 0)
    assert asked[0][1] == {"browser": True, "lecture": True, "say": typer.echo}
