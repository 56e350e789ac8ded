"""Scans: the right number in every cell, provenance, seeds, and bad input."""

import json

import joblib
import numpy as np
import pytest
import xarray as xr

import phasetheory as pt


@pytest.fixture(scope="module")
def chain():
    return pt.Ising(pt.Lattice.chain(7), coupling=0.7, field=0.1)


def test_every_cell_is_the_cmi_of_its_time_and_radius(chain):
    times, radii = [0.1, 0.4, 0.8], [0, 1, 2]
    scan = pt.scan(chain, pt.BitFlip, t=times, radius=radii, centre=(3,))
    assert scan["cmi"].dims == ("t", "radius")
    for t in times:
        for r in radii:
            parts = chain.lattice.tripartition((3,), r)
            alone = pt.cmi(chain.noised(pt.BitFlip(t)), parts)
            assert float(scan["cmi"].sel(t=t, radius=r)) == pytest.approx(alone.value, abs=1e-14)
    assert (scan["cmi_stderr"] == 0).all()
    assert scan["size_B"].values.tolist() == [0, 2, 4]


def test_sampled_scan_agrees_with_the_exact_one_within_its_errors(chain):
    options = {"t": [0.2, 0.5], "radius": [0, 1], "centre": (3,)}
    exact = pt.scan(chain, pt.BitFlip, **options)
    sampled = pt.scan(chain, pt.BitFlip, method="cavity", n_samples=4000, rng=5, **options)
    assert (sampled["cmi_stderr"] > 0).all()
    assert (abs(sampled["cmi"] - exact["cmi"]) < 5 * sampled["cmi_stderr"]).all()


def test_same_numbers_with_one_worker_or_two(chain):
    options = {"t": [0.2, 0.5, 0.7], "radius": [0, 1], "centre": (3,), "rng": 11}
    options |= {"method": "cavity", "n_samples": 50}
    alone = pt.scan(chain, pt.BitFlip, **options)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        together = pt.scan(chain, pt.BitFlip, **options)
    assert alone.identical(together)


def test_a_generator_is_consumed_and_a_seed_is_not(chain):
    options = {"t": [0.3], "radius": [1], "centre": (3,), "method": "cavity", "n_samples": 50}
    first, second = (pt.scan(chain, pt.BitFlip, rng=3, **options) for _ in range(2))
    assert first.identical(second)
    rng = np.random.default_rng(3)
    first, second = (pt.scan(chain, pt.BitFlip, rng=rng, **options) for _ in range(2))
    assert float(first["cmi"][0, 0]) != float(second["cmi"][0, 0])


def test_provenance_repeats_the_scan(chain, tmp_path):
    path = tmp_path / "scan.nc"
    options = {"t": [0.3], "radius": [1], "centre": (3,), "method": "cavity", "n_samples": 50}
    scan = pt.scan(chain, pt.BitFlip, rng=8, **options)
    scan.to_netcdf(path, engine="scipy")
    with xr.open_dataset(path, engine="scipy") as stored:
        attrs = stored.attrs
        assert stored["cmi"].attrs["units"] == "nats"
        seed = np.random.SeedSequence(int(attrs["seed"]))
        again = pt.scan(chain, pt.BitFlip, rng=seed, **options)
        assert float(stored["cmi"][0, 0]) == float(again["cmi"][0, 0])
    assert attrs["model"] == "Ising"
    assert json.loads(attrs["noise"])["noise"] == "BitFlip"
    assert json.loads(attrs["lattice"])["shape"] == [7]


def test_schedules_enter_through_the_callable():
    field = pt.GaussianField(pt.Lattice.chain(4), covariance=np.eye(4) + 0.3)
    ou = pt.schedules.ornstein_uhlenbeck(2.0)
    scan = pt.scan(field, lambda t: pt.Gaussian(t, ou), t=[0.5], radius=[1], centre=(1,))
    parts = field.lattice.tripartition((1,), 1)
    law = field.noised(pt.Gaussian.from_scales(np.exp(-1.0), np.sqrt(1 - np.exp(-2.0))))
    assert float(scan["cmi"][0, 0]) == pytest.approx(pt.cmi(law, parts).value, abs=1e-14)


def test_tripartitions_by_hand_where_there_is_no_distance():
    model = pt.CurieWeiss(9, coupling=np.inf)
    parts = {k: pt.Tripartition([0], range(1, 1 + k), range(1 + k, 9)) for k in (2, 4)}
    scan = pt.scan(model, pt.BitFlip, t=[0.5], radius=parts)
    alone = pt.cmi(model.noised(pt.BitFlip(0.5)), parts[4])
    assert float(scan["cmi"].sel(radius=4)[0]) == pytest.approx(alone.value, abs=1e-14)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": [0.2, 1.2]}, r"t runs from 0.2 to 1.2"),
        ({"t": [0.5, 0.2]}, "t=.*strictly increasing"),
        ({"t": []}, "t=.*strictly increasing"),
        ({"radius": [2, 1]}, "radius=.*strictly increasing"),
        ({"radius": [-1]}, "radius=-1"),
        ({"centre": (9,)}, r"centre=\(9,\)"),
        ({"sice": 2}, r"unknown options \['sice'\]"),
        ({"method": "guess"}, "method='guess'"),
    ],
)
def test_bad_input_is_refused(chain, options, message):
    given = {"t": [0.1], "radius": [1], "centre": (3,)} | options
    with pytest.raises(ValueError, match=message):
        pt.scan(chain, pt.BitFlip, **given)
