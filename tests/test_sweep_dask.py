"""Sweeps on a Dask cluster: the same numbers, also when a worker dies in the middle."""

import os
import signal
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

import phasetheory as pt
from phasetheory.sweep import Grid, Stop
from phasetheory.sweep.ledger import Ledger

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX"),
    # What the cluster says about its own sockets and workers is not ours to mend.
    pytest.mark.filterwarnings("default"),
]


def chain(*, size: int, coupling: float):
    return pt.Ising(pt.Lattice.chain(size), coupling)


def unhurried(law, parts, *, n_samples, rng):
    """The CMI, slowly enough for a worker to be killed over it."""
    time.sleep(0.05)
    return pt.cmi(law, parts, method="cavity", n_samples=n_samples, rng=rng)


def grid():
    return Grid(
        {"name": chain, "size": [5, 7], "coupling": 0.7},
        {"name": "BitFlip", "t": [0.2, 0.5, 0.8]},
        {"name": "centre", "radius": [0, 1]},
        {"name": unhurried},
        20,
    )


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    path = Path(tmp_path / "l.jsonl")
    rules = Stop(batches=8)
    before = cluster.run(os.getpid)
    assert len(set(before.values())) == 2
    victim, killed_at = min(before.values()), []

    def kill():
        while not path.exists() or path.read_text().count("\n") < 20:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        killed_at.append(path.read_text().count("\n"))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        data = pt.scan(grid(), ledger=path, stop=rules)
    killer.join(timeout=10)
    total = 2 * 3 * 2 * rules.batches
    # It died in the middle, and really died.
    assert 20 <= killed_at[0] < total
    assert victim not in cluster.run(os.getpid).values()
    found = Ledger(path).read()
    assert sum(map(len, found.values())) == total
    assert data.identical(pt.scan(grid(), stop=rules))
    assert np.isfinite(data["unhurried"]).all()
