"""Open strips, coupling 0.44, random fields: log Z, all marginals, batches; chains of 10^6 spins.

The transfer-matrix engine on one thread against plain numpy and, where they are installed (extra
`bench`), against the contraction of quimb's cotengra (given the best path, column by column)
and dwave-samplers (tree decomposition). Every measurement has a process of its own; compilation
is not counted.
"""

import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_transfer"
COUPLING = 0.44
AGREEMENT = 1e-10  # relative, of log Z
BATCH = 16
PEERS = {"cotengra": "cotengra", "dwave": "dwave.samplers"}


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 8 x 32 only, `large` adds 16 x 64 (peers: a minute)."""
    shapes = [(8, 32)] if quick else [(12, 64), (14, 64)] + ([(16, 64)] if large else [])
    return [*(_strip(shape) for shape in shapes), _chain(10**5 if quick else 10**6)]


def _strip(shape: tuple[int, int]) -> dict[str, object]:
    engine, odds, plain, one, two = (
        measured(HERE, kind, *shape) for kind in ("engine", "odds", "numpy", "batch1", "batch2")
    )
    row: dict[str, object] = {
        "case": f"{shape[0]} x {shape[1]}",
        "log Z": f"{engine['value']:.8f}",
        "log Z min (s)": engine["best"],
        "median (s)": engine["median"],
        "ns per site": 1e9 * engine["best"] / (shape[0] * shape[1]),
        "all marginals / log Z": odds["best"] / engine["best"],
        f"{BATCH} samples, 1 thread (s)": one["best"],
        "1 thread / 2 threads": one["best"] / two["best"],
        "numpy (s)": plain["best"],
        "numpy / engine": plain["best"] / engine["best"],
    }
    others = {"numpy": plain}
    for name, module in PEERS.items():
        row |= {f"{name} (s)": "not installed", f"{name} / engine": "-"}
        if _installed(module):
            others[name] = peer = measured(HERE, name, *shape)
            row |= {f"{name} (s)": peer["best"], f"{name} / engine": peer["best"] / engine["best"]}
    for name, other in others.items():
        if abs(other["value"] / engine["value"] - 1.0) > AGREEMENT:
            raise RuntimeError(f"{shape}: engine {engine['value']}, {name} {other['value']}")
    return row


def _chain(length: int) -> dict[str, object]:
    engine, odds, one, two = (
        measured(HERE, kind, 1, length) for kind in ("engine", "odds", "batch1", "batch2")
    )
    missing = ["numpy (s)", "numpy / engine"]
    missing += [title for name in PEERS for title in (f"{name} (s)", f"{name} / engine")]
    return {
        "case": f"chain {length:.0e}",
        "log Z": f"{engine['value']:.5f}",
        "log Z min (s)": engine["best"],
        "median (s)": engine["median"],
        "ns per site": 1e9 * engine["best"] / length,
        "all marginals / log Z": odds["best"] / engine["best"],
        f"{BATCH} samples, 1 thread (s)": one["best"],
        "1 thread / 2 threads": one["best"] / two["best"],
    } | dict.fromkeys(missing, "-")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False


def _fields(width: int, length: int, n: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 0.5, (n, width, length))


def _work(kind: str, width: int, length: int) -> Callable[[], float]:
    from tests.benchmarks import numpy_strip, peer_strips

    h = _fields(width, length, BATCH if kind.startswith("batch") else 1)
    if kind == "numpy":
        return lambda: numpy_strip.log_partition(COUPLING, h[0])
    if kind in PEERS:
        return getattr(peer_strips, kind)(COUPLING, h[0])
    engine, h = _engine(width, length), h.reshape(len(h), -1)
    if kind == "odds":
        return lambda: float(engine.log_odds(h, workers=1).sum())
    workers = 2 if kind == "batch2" else 1
    return lambda: float(engine.log_partition(h, workers=workers)[0])


def _engine(width: int, length: int):
    import phasetheory as pt
    from phasetheory.engines.chain import Chain
    from phasetheory.engines.transfer import Transfer, sweep_plan

    lattice = pt.Lattice.grid((width, length))
    couplings = np.full(len(lattice.edges), COUPLING)
    if width == 1:
        return Chain(couplings)
    plan = sweep_plan(lattice.n_sites, lattice.edges, lattice.shape)
    return Transfer(plan, lattice.edges, couplings, lattice.n_sites)


def main() -> None:
    """Time one kind of work, given as `kind width length`."""
    kind, width, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    work = _work(kind, width, length)
    work()  # compilation
    report(work)


if __name__ == "__main__":
    main()
