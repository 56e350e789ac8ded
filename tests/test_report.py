"""The report and the commands: what a new user meets first."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import phasetheory as pt
from phasetheory.cli import app
from phasetheory.engines.binary_input import binary_entropy_loss
from phasetheory.report import limits, studies
from phasetheory.report.build import write_report


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    done = invoke("report", "--quick", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


class Page(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.sources, self.ids, self.alts = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values["href"]] if "href" in values else []
        self.sources += [values["src"]] if "src" in values else []
        self.ids += [values["id"]] if "id" in values else []
        self.alts += [values.get("alt")] if tag == "img" else []
        if tag not in {"img", "meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_needs_nothing_beside_it(report):
    page = Page()
    page.feed((report / "index.html").read_text())
    assert page.open == []
    assert len(page.sources) >= 5
    for source in page.sources:
        head, data = source.split(",", 1)
        assert head == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(data)
    assert all(page.alts)
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    # Links lead to the paper only; no script, style sheet or font is fetched.
    outer = {link for link in page.links if not link.startswith("#")}
    assert outer == {"https://arxiv.org/abs/2508.06614"}


def test_page_holds_the_numbers_of_its_data(report):
    text = (report / "index.html").read_text()
    with xr.open_dataset(report / "images.nc", engine="scipy") as images:
        assert images.sizes == {"t": 21, "radius": 13}
        near = float(images["cmi"].sel(radius=1).sel(t=0.3, method="nearest"))
        assert f"{near:.3f} to" in text
        assert images.attrs["model"] == "GaussianField"
    for name in ("path", "mixture_map", "mixture", "repetition_map", "repetition", "chains"):
        with xr.open_dataset(report / f"{name}.nc", engine="scipy") as data:
            assert not any(np.isnan(data[v]).any() for v in data.data_vars)
    assert sorted(path.suffix for path in report.iterdir()) == [".html"] + [".nc"] * 7


def test_a_file_in_the_way_is_refused_before_any_work(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match=r"out='.*taken' is a file"):
        write_report(tmp_path / "taken")


def test_verify_prints_every_theorem_and_writes_the_records(tmp_path):
    path = tmp_path / "rows.json"
    done = invoke("verify", "T1", "T8", "--quick", "--json", path)
    assert done.exit_code == 0, done.output
    assert "T1" in done.output
    assert "T8" in done.output
    records = json.loads(path.read_text())
    assert {"theorem", "instance", "lhs", "rhs", "slack", "holds"} <= set(records[0])
    assert {row["theorem"] for row in records} == {"T1", "T8"}
    assert all(row["holds"] for row in records)


def test_verify_fails_loudly(monkeypatch):
    """A claim that is false must turn the exit status to 1 and be named."""
    import dataclasses

    from phasetheory.theorems import THEOREMS

    theorem = THEOREMS["T8"]
    monkeypatch.setitem(THEOREMS, "T8", dataclasses.replace(theorem, check=theorem.wrong))
    done = invoke("verify", "T8", "--quick")
    assert done.exit_code == 1
    assert "is violated on" in re.sub(r"\s+", " ", done.output)


def test_unknown_theorem_is_refused():
    done = invoke("verify", "T99")
    assert done.exit_code == 2
    assert "T99" in done.output


def test_help_teaches():
    assert "theorem" in invoke("verify", "--help").output
    assert "--quick" in invoke("report", "--help").output


def test_mixture_study_tends_to_its_limit_as_one_over_n():
    x = np.linspace(0.5, 4.0, 8)
    study = studies.mixture_scaling((32, 64), x)
    gaps = [float(np.abs(study["cmi"].sel(size=n) - limits.mixture(x)).max()) for n in (32, 64)]
    # alpha/sigma = (x/N)(1 + x/N + ...), so the distance to the limit halves with 1/N.
    assert gaps[1] / gaps[0] == pytest.approx(0.5, abs=0.15)


def test_repetition_study_tends_to_its_limit():
    x = np.linspace(0.5, 4.0, 8)
    study = studies.repetition_scaling((1001, 10_001), x)
    gaps = [
        float(np.abs(study["cmi"].sel(size=n) - limits.repetition(x)).max()) for n in (1001, 10_001)
    ]
    # Corrections are of relative order 1/N: the flip signal (1-t)^2 and the finite share of A.
    assert gaps[1] / gaps[0] == pytest.approx(0.1, abs=0.05)


def test_limit_curves_against_sampled_integrals():
    """F(K) = E log(1 + exp(-2K^2 - 2Kz)), averaged directly, in the mixture's combination."""
    z = np.random.default_rng(0).standard_normal(400_000)
    x = 2.5
    signs = {3 / 16: 1, 4 / 16: -1, 15 / 16: -1, 1.0: 1}
    terms = sum(
        sign * np.log1p(np.exp(-2 * x**2 * f - 2 * x * np.sqrt(f) * z)) for f, sign in signs.items()
    )
    sampled = pt.Estimate.from_samples(terms)
    assert abs(float(limits.mixture(np.array([x]))[0]) - sampled.value) < 5 * sampled.stderr
    assert float(binary_entropy_loss(0.0)) == pytest.approx(np.log(2), abs=1e-14)


def test_path_shows_the_full_denoiser_and_what_windows_miss():
    field = pt.GaussianField.fit(pt.load_images("fashion-mnist")[:200, 8:16, 8:16])
    image = pt.load_images("fashion-mnist")[0, 8:16, 8:16]
    path = studies.denoised_path(field, image, times=np.array([0.3, 1.0]), radius=20)
    # A window larger than the image is no window.
    assert np.allclose(path["local"], path["full"], atol=1e-12)
    # At pure noise nothing is known but the mean.
    assert np.allclose(path["full"][1].values.ravel(), field.mean, atol=1e-12)


def test_a_file_in_the_way_of_the_command_is_a_usage_error(tmp_path):
    (tmp_path / "taken").write_text("")
    done = invoke("report", "--out", tmp_path / "taken")
    assert done.exit_code == 2
    assert "--out" in done.output
