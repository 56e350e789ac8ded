"""Scores of exact laws a second, one thread, against plain numpy.

The score of a batch of noisy samples at all sites: an Ising strip of 10 x 32 spins under bit flips,
the empirical law of 10,000 images and a Gaussian field of 784 pixels under Gaussian noise. The
baselines are what a few lines of numpy give: two sweeps of a transfer matrix over the frontier of
one sample at a time, squared distances one sample at a time, one linear solve for the batch.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_scores"
Floats = NDArray[np.float64]
WIDTH, LENGTH, COUPLING, FLIP_TIME = 10, 32, 0.44, 0.3
TIME = 0.3
BATCH = {"strip": 20, "empirical": 50, "field": 2000}
#: Root mean square score of the batch, relative; the baselines round in another order.
AGREEMENT = 1e-8


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes the Gaussian field only."""
    found: list[dict[str, object]] = []
    for case in ["field"] if quick else list(BATCH):
        engine, numpy = (measured(HERE, kind, case) for kind in ("engine", "numpy"))
        if abs(engine["value"] - numpy["value"]) > AGREEMENT * abs(numpy["value"]):
            raise RuntimeError(f"{case}: engine {engine['value']}, numpy {numpy['value']}")
        found.append(
            {
                "law": case,
                "sites": WIDTH * LENGTH if case == "strip" else 784,
                "batch": BATCH[case],
                "engine (scores/s)": BATCH[case] / engine["best"],
                "numpy (scores/s)": BATCH[case] / numpy["best"],
                "engine / numpy": numpy["best"] / engine["best"],
            }
        )
    return found


def _size(score: Floats) -> float:
    return float(np.sqrt(np.square(score).mean()))


def _strip(kind: str) -> Callable[[], float]:
    import phasetheory as pt

    lattice = pt.Lattice.grid((WIDTH, LENGTH))
    law = pt.Ising(lattice, COUPLING).noised(pt.BitFlip(FLIP_TIME))
    _, y = law.sample(BATCH["strip"], rng=0)
    if kind == "engine":
        return lambda: _size(law.score(y))
    flip = FLIP_TIME / 2
    field = 0.5 * np.log((1 - flip) / flip)

    def work() -> float:
        means = np.array([_strip_means(field * row.reshape(WIDTH, LENGTH)) for row in y])
        # The cavity law of a spin: its posterior less its own observation.
        odds = 2 * np.arctanh(means) - 2 * field * y.reshape(means.shape)
        up = 1 / (1 + np.exp(-odds))
        seen_up = (1 - flip) * up + flip * (1 - up)
        log_ratio = np.log1p(-seen_up) - np.log(seen_up)
        return _size(np.where(y.reshape(means.shape) > 0, log_ratio, -log_ratio))

    return work


def _strip_means(h: Floats) -> Floats:
    """<x> of a strip in fields h (width, length): column transfer, forward and backward."""
    width, length = h.shape
    spins = 2 * ((np.arange(2**width)[:, None] >> np.arange(width)) & 1) - 1.0
    inside = np.exp(COUPLING * (spins[:, :-1] * spins[:, 1:]).sum(axis=1))
    weights = inside[:, None] * np.exp(spins @ h)
    bond = np.array([[np.exp(COUPLING), np.exp(-COUPLING)], [np.exp(-COUPLING), np.exp(COUPLING)]])

    def across(v: Floats) -> Floats:
        table = v.reshape((2,) * width)
        for axis in range(width):
            table = np.moveaxis(np.tensordot(bond, table, axes=(1, axis)), 0, axis)
        return table.ravel() / table.sum()

    left, right = [np.ones(2**width)], [np.ones(2**width)]
    for column in range(length - 1):
        left.append(across(left[-1] * weights[:, column]))
        right.append(across(right[-1] * weights[:, length - 1 - column]))
    joint = np.array(left).T * weights * np.array(right[::-1]).T
    return spins.T @ joint / joint.sum(axis=0)


def _images() -> Floats:
    import phasetheory as pt

    return pt.load_images("fashion-mnist")


def _empirical(kind: str) -> Callable[[], float]:
    import phasetheory as pt

    images = _images()
    law = pt.GaussianMixture.empirical(images).noised(pt.Gaussian(TIME))
    _, y = law.sample(BATCH["empirical"], rng=0)
    if kind == "engine":
        return lambda: _size(law.score(y))
    means = (1 - TIME) * images.reshape(len(images), -1)

    def work() -> float:
        scores = np.empty_like(y)
        for k, row in enumerate(y):
            log_w = -np.square(row - means).sum(axis=1) / (2 * TIME**2)
            w = np.exp(log_w - log_w.max())
            scores[k] = (w @ means / w.sum() - row) / TIME**2
        return _size(scores)

    return work


def _field(kind: str) -> Callable[[], float]:
    import phasetheory as pt

    field = pt.GaussianField.fit(_images())
    law = field.noised(pt.Gaussian(TIME))
    _, y = law.sample(BATCH["field"], rng=0)
    if kind == "engine":
        return lambda: _size(law.score(y))
    noisy = (1 - TIME) ** 2 * field.covariance.matrix + TIME**2 * np.eye(784)
    return lambda: _size(-np.linalg.solve(noisy, (y - (1 - TIME) * field.mean).T))


def main() -> None:
    """Time one kind of work, given as `kind case`."""
    kind, case = sys.argv[1:]
    work = {"strip": _strip, "empirical": _empirical, "field": _field}[case](kind)
    work()  # compilation
    report(work)


if __name__ == "__main__":
    main()
