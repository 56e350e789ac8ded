"""Planar Ising sums of +-J square patches, open boundaries, one thread: log Z and correlations.

The domain-wall sweep against sparse LU (SuperLU through scipy) of the Hurst-Green and Kac-Ward
matrices, and the digits that each has, against the sweep's own in fixed-point arithmetic on
a 24 x 24 patch. Every measurement has a process of its own; compilation is not counted.
"""

import sys
from collections.abc import Callable

import numpy as np

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_planar"
#: |K| of the speed cases, and relative agreement of log Z asked of the peers there.
COUPLING, AGREEMENT = 0.9, 1e-9
#: Instances of the digits table, 24 x 24, by kind.
KINDS = ("+-1", "+-3", "up to 5", "Gaussian t = 0.2", "flips p = 0.001")


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 16 x 16, `large` adds 256 x 256 without peers."""
    sides = [16] if quick else [32, 64, 128]
    digits = [_digits(kind, 8 if quick else 24) for kind in KINDS]
    speeds = [_speed(side, peers=True) for side in sides]
    return speeds + ([_speed(256, peers=False)] if large else []) + digits


def _speed(side: int, *, peers: bool) -> dict[str, object]:
    log_z, odds, one = (measured(HERE, kind, side) for kind in ("sum", "odds", "pinned"))
    row: dict[str, object] = _empty() | {
        "case": f"{side} x {side}",
        "log Z": f"{log_z['value']:.6f}",
        "log Z min (s)": log_z["best"],
        "median (s)": log_z["median"],
        "peak (MB)": log_z["peak"],
        "all correlations (s)": odds["best"],
        "correlations / log Z": odds["best"] / log_z["best"],
        "one correlation / log Z": one["best"] / log_z["best"],
    }
    for name in ("grassmann", "kac_ward") if peers else ():
        peer = measured(HERE, name, side)
        if abs(peer["value"] / log_z["value"] - 1.0) > AGREEMENT:
            raise RuntimeError(f"{side}: engine {log_z['value']}, {name} {peer['value']}")
        row |= {f"{name} LU (s)": peer["best"], f"{name} / engine": peer["best"] / log_z["best"]}
    return row


def _digits(kind: str, side: int) -> dict[str, object]:
    index = KINDS.index(kind)
    exact = measured(HERE, "exact", side, index)["value"]
    row = _empty() | {"case": f"{side} x {side}, {kind}", "log Z": f"{exact:.6f}"}
    for title, work in (("engine", "sum"), ("grassmann", "grassmann"), ("kac_ward", "kac_ward")):
        row[f"{title} error"] = abs(measured(HERE, work, side, index)["value"] - exact)
    return row


def _empty() -> dict[str, object]:
    titles = (
        "case",
        "log Z",
        "log Z min (s)",
        "median (s)",
        "peak (MB)",
        "all correlations (s)",
        "correlations / log Z",
        "one correlation / log Z",
        "grassmann LU (s)",
        "grassmann / engine",
        "kac_ward LU (s)",
        "kac_ward / engine",
        "engine error",
        "grassmann error",
        "kac_ward error",
    )
    return dict.fromkeys(titles, "-")


def _couplings(n: int, kind: str | None) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind is None:
        return COUPLING * rng.choice([-1.0, 1.0], n)
    if kind.startswith("+-"):
        return float(kind[2:]) * rng.choice([-1.0, 1.0], n)
    if kind == "up to 5":
        return rng.uniform(0.0, 5.0, n) * np.where(rng.random(n) < 0.1, -1.0, 1.0)
    if kind.startswith("Gaussian"):
        return 20.0 * (0.8 + 0.2 * rng.normal(size=n))
    return 0.5 * np.log(999.0) * np.where(rng.random(n) < 0.001, -1.0, 1.0)


def _work(work: str, side: int, kind: str | None) -> Callable[[], float]:
    import phasetheory as pt
    from tests import planar_reference
    from tests.benchmarks import peer_planar

    lattice = pt.Lattice.grid((side, side))
    edges, K = lattice.edges, _couplings(len(lattice.edges), kind)
    if work in ("grassmann", "kac_ward"):
        # Building the matrix is not counted, as the plan of the sweep is not.
        matrix = getattr(peer_planar, f"{work}_matrix")(edges, K, (side, side))
        order = peer_planar.ORDERS[work]
        return lambda: peer_planar.log_partition(matrix, K, side * side, order)
    if work == "exact":
        inside = edges[:, 1] == edges[:, 0] + 1
        along, across = K[inside].reshape(side, -1), K[~inside].reshape(-1, side)
        return lambda: float(planar_reference.log_partition(along, across, 320))
    engine, batch = pt.LoopEnsemble(lattice).engine, K[None]
    if work == "sum":
        return lambda: float(engine.log_partition(batch, workers=1)[0])
    bonds = None if work == "odds" else np.array([len(K) // 2])
    return lambda: float(engine.log_odds(batch, bonds, workers=1)[0, 0])


def main() -> None:
    """Time one kind of work, given as `work side [kind]`."""
    kind = KINDS[int(sys.argv[3])] if len(sys.argv) > 3 else None
    work = _work(sys.argv[1], int(sys.argv[2]), kind)
    if sys.argv[1] != "exact":
        work()  # compilation, and the plan of the patch
    report(work)


if __name__ == "__main__":
    main()
