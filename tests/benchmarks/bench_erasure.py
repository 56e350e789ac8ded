"""Uniform closed loops under erasure at t = 1/2, one thread: CMI of one bond, and union-find.

`pt.cmi` with 100 samples on open L x L patches, and the rate of the union-find kernel in bonds a
second, against scipy's connected components of the same seen bonds. Every measurement has a
process of its own, which also gives its peak memory; compilation is not counted.
"""

import sys
from collections.abc import Callable

import numpy as np

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_erasure"
RADIUS, SAMPLES = 5, 100


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 64 x 64, `large` adds 2000 x 2000 (8e6 bonds)."""
    sides = [64] if quick else [224, 708]
    return [_row(side) for side in [*sides, *([2000] if large else [])]]


def _row(side: int) -> dict[str, object]:
    cmi, ties, peer = (measured(HERE, kind, side) for kind in ("cmi", "ties", "scipy"))
    if ties["value"] != peer["value"]:
        raise RuntimeError(f"{side}: {ties['value']} sets, scipy {peer['value']}")
    n_bonds = 2 * side * (side - 1)
    return {
        "patch": f"{side} x {side}",
        "bonds": n_bonds,
        f"CMI, {SAMPLES} samples (nats)": f"{cmi['value']:.4f}",
        "CMI min (s)": cmi["best"],
        "median (s)": cmi["median"],
        "peak (MB)": cmi["peak"],
        "ns a bond and sample": 1e9 * cmi["best"] / (n_bonds * SAMPLES),
        "union-find (bonds/s)": n_bonds / ties["best"],
        "scipy (bonds/s)": n_bonds / peer["best"],
        "scipy / union-find": peer["best"] / ties["best"],
    }


def _work(kind: str, side: int) -> Callable[[], float]:
    import phasetheory as pt

    lattice = pt.Lattice.grid((side, side))
    prior = pt.LoopEnsemble(lattice)
    law = prior.noised(pt.Erasure(0.5))
    if kind == "cmi":
        middle = (side // 2) * (side + 1)
        parts = prior.lattice.tripartition((middle, middle + 1), RADIUS)
        return lambda: float(pt.cmi(law, parts, n_samples=SAMPLES, rng=0).value)
    _, y = law.sample(1, rng=0)
    if kind == "scipy":
        return _components(lattice.edges, y[0] != 0, lattice.n_sites)
    from phasetheory._kernels.signed_sets import connections

    evidence, nothing = np.where(y == 0, 0.0, np.copysign(np.inf, y)), np.zeros(0, dtype=np.int64)
    return lambda: float(connections(lattice.edges, lattice.n_sites, evidence, nothing)[0][0])


def _components(edges: np.ndarray, seen: np.ndarray, n_spins: int) -> Callable[[], float]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def count() -> float:
        i, j = edges[seen].T
        graph = coo_array((np.ones(i.size, np.int8), (i, j)), shape=(n_spins, n_spins))
        return float(connected_components(graph, directed=False)[0])

    return count


def main() -> None:
    """Time one kind of work, given as `kind side`."""
    kind, side = sys.argv[1], int(sys.argv[2])
    _work(kind, 8)()  # compilation
    report(_work(kind, side))


if __name__ == "__main__":
    main()
