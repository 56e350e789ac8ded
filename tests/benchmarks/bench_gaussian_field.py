"""Whole CMI(t, r) map of a Gaussian field on 28 x 28 pixels: 13 radii, one thread.

The nested Cholesky factors of the engine (two for each time) against the plain way: four
log-determinants for every cell of the map.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_gaussian_field"
SIDE, CENTRE, RADII = 28, (14, 14), range(1, 14)
AGREEMENT = 1e-9  # nats, on the sum of the map


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 1 time instead of 21."""
    times = 1 if quick else 21
    engine, numpy = (measured(HERE, kind, times) for kind in ("engine", "numpy"))
    if abs(engine["value"] - numpy["value"]) > AGREEMENT * times * len(RADII):
        raise RuntimeError(f"engine {engine['value']}, numpy {numpy['value']}")
    return [
        {
            "map": f"{times} x {len(RADII)}",
            "sum of the map (nats)": f"{engine['value']:.9f}",
            "engine min (s)": engine["best"],
            "peak (MB)": engine["peak"],
            "numpy (s)": numpy["best"],
            "numpy / engine": numpy["best"] / engine["best"],
        }
    ]


def _covariance() -> NDArray[np.float64]:
    """Exponentially decaying correlations, length 3 pixels, with a little white noise."""
    x = np.indices((SIDE, SIDE)).reshape(2, -1).T
    distance = np.sqrt(np.square(x[:, None] - x[None]).sum(axis=-1))
    return np.exp(-distance / 3.0) + 0.01 * np.eye(len(x))


def _times(n: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 1.0, n + 2)[1:-1]


def _engine(n_times: int) -> Callable[[], float]:
    import phasetheory as pt

    field = pt.GaussianField(pt.Lattice.grid((SIDE, SIDE)), covariance=_covariance())
    return lambda: float(
        pt.scan(field, pt.Gaussian, t=_times(n_times), radius=RADII, centre=CENTRE)["cmi"].sum()
    )


def _numpy(n_times: int) -> Callable[[], float]:
    covariance = _covariance()
    x = np.indices((SIDE, SIDE)).reshape(2, -1).T
    distance = np.abs(x - CENTRE).max(axis=1)

    def total() -> float:
        value = 0.0
        for t in _times(n_times):
            noisy = (1 - t) ** 2 * covariance + t**2 * np.eye(len(covariance))
            for r in RADII:
                regions = (distance <= r, distance >= 1, (distance >= 1) & (distance <= r))
                ab, bc, b = (np.linalg.slogdet(noisy[np.ix_(m, m)])[1] for m in regions)
                value += 0.5 * (ab + bc - b - np.linalg.slogdet(noisy)[1])
        return float(value)

    return total


def main() -> None:
    """Time one kind of work, given as `kind n_times`."""
    report({"engine": _engine, "numpy": _numpy}[sys.argv[1]](int(sys.argv[2])))


if __name__ == "__main__":
    main()
