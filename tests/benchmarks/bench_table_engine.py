"""One CMI I(A;C|B_1) of an open grid: coupling 0.44, bit flip t = 0.2, one thread.

The frontier engine against the plain numpy table, and against one pass over that table at memory
bandwidth (read and write of 2^n doubles). Every measurement has a process of its own, which also
gives its peak memory; the time of compilation is not counted.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_table_engine"
COUPLING, FLIP = 0.44, 0.1
AGREEMENT = 1e-10  # nats
SIGNS = np.array([1.0, 1.0, -1.0, -1.0])  # of H(AB), H(BC), H(B), H(ABC)


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 4 x 4 only, `large` adds 5 x 6 (no baseline: 8 GiB)."""
    shapes = [(4, 4)] if quick else [(4, 5), (4, 6)]
    found = [_row(shape, with_baseline=True) for shape in shapes]
    return found + ([_row((5, 6), with_baseline=False)] if large else [])


def _row(shape: tuple[int, int], *, with_baseline: bool) -> dict[str, object]:
    engine = measured(HERE, "engine", *shape)
    row: dict[str, object] = {
        "grid": f"{shape[0]} x {shape[1]}",
        "CMI (nats)": f"{engine['value']:.10f}",
        "engine min (s)": engine["best"],
        "median (s)": engine["median"],
        "peak (MB)": engine["peak"],
    }
    if not with_baseline:
        missing = ("numpy (s)", "numpy peak (MB)", "numpy / engine", "engine / pass")
        return row | dict.fromkeys(missing, "-")
    numpy, one_pass = (measured(HERE, kind, *shape) for kind in ("numpy", "pass"))
    if abs(numpy["value"] - engine["value"]) > AGREEMENT:
        raise RuntimeError(f"{shape}: engine {engine['value']}, numpy {numpy['value']}")
    return row | {
        "numpy (s)": numpy["best"],
        "numpy peak (MB)": numpy["peak"],
        "numpy / engine": numpy["best"] / engine["best"],
        "engine / pass": engine["best"] / one_pass["best"],
    }


def grid_problem(
    rows: int, cols: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return edges, flips and the regions AB, BC, B, ABC for A next to the corner, r = 1."""
    site = np.arange(rows * cols).reshape(rows, cols)
    pairs = [(site[:, :-1], site[:, 1:]), (site[:-1], site[1:])]
    edges = np.concatenate([np.stack([i.ravel(), j.ravel()], axis=1) for i, j in pairs])
    x, y = np.divmod(site.ravel(), cols)
    distance = np.maximum(abs(x - 1), abs(y - 1))
    regions = np.stack([distance <= 1, distance >= 1, distance == 1, distance >= 0])
    return edges, np.full(rows * cols, FLIP), regions


def _engine(rows: int, cols: int) -> Callable[[], float]:
    from phasetheory.engines.frontier import noisy_entropies

    def cmi(shape: tuple[int, int]) -> float:
        edges, flip, regions = grid_problem(*shape)
        couplings, fields = np.full(len(edges), COUPLING), np.zeros(flip.size)
        return float(SIGNS @ noisy_entropies(edges, couplings, fields, flip=flip, regions=regions))

    cmi((3, 3))  # compilation
    return lambda: cmi((rows, cols))


def _numpy(rows: int, cols: int) -> Callable[[], float]:
    from tests.benchmarks.numpy_table import entropies, noisy_table

    edges, flip, regions = grid_problem(rows, cols)
    couplings, fields = np.full(len(edges), COUPLING), np.zeros(flip.size)
    return lambda: float(SIGNS @ entropies(noisy_table(edges, couplings, fields, flip), regions))


def _pass(rows: int, cols: int) -> Callable[[], float]:
    table = np.ones(2 ** (rows * cols))

    def scale() -> float:
        np.multiply(table, 1.0, out=table)  # reads and writes every entry once
        return 1.0

    return scale


def main() -> None:
    """Time one kind of work, given as `kind rows cols`."""
    kind, rows, cols = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    report({"engine": _engine, "numpy": _numpy, "pass": _pass}[kind](rows, cols))


if __name__ == "__main__":
    main()
