"""Markov chains on the 256 x 256 torus at T_c, one thread: attempted flips per nanosecond.

Every sampler starts from the same configuration, equilibrated by cluster moves. Peers are timed
where they can be imported (the extra `bench`); mcising does the same sweeps on the same lattice.
Compilation is not counted. Acceptances, of Metropolis sweeps, show that both do the same physics;
for Swendsen-Wang ours is the fraction of spins that changed, the peer's that of cluster flips.
"""

import math
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_samplers"
CRITICAL = math.log(1 + math.sqrt(2)) / 2
OURS = ("metropolis", "heat-bath", "checkerboard", "multispin", "swendsen-wang")
PEERS = {"metropolis": "metropolis", "swendsen-wang": "swendsen_wang"}  # names in mcising
SWEEPS = 20


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure and compare; `quick` takes 64 x 64, `large` adds 1024 x 1024."""
    sides = [64] if quick else [256, 1024] if large else [256]
    return [_row(side, name) for side in sides for name in OURS]


def _row(side: int, name: str) -> dict[str, object]:
    engine = measured(HERE, name, side)
    flips = SWEEPS * side**2 * (64 if name == "multispin" else 1)
    row: dict[str, object] = {
        "sampler": f"{name} {side}",
        "sweeps per second": SWEEPS / engine["best"],
        "flips per ns": flips / engine["best"] / 1e9,
        "acceptance": engine["value"],
        "peer": "-",
        "peer flips per ns": "-",
        "peer acceptance": "-",
        "ratio": "-",
    }
    peer = _version("mcising")
    if peer and (name in PEERS or name == "multispin"):
        other = measured(HERE, f"mcising-{PEERS.get(name, 'metropolis')}", side)
        rate = SWEEPS * side**2 / other["best"] / 1e9
        row |= {
            "peer": f"mcising {peer}",
            "peer flips per ns": rate,
            "peer acceptance": other["value"],
            "ratio": flips / engine["best"] / 1e9 / rate,
        }
    return row


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _ours(name: str, side: int) -> Callable[[], float]:
    import phasetheory as pt
    from phasetheory.sampling.run import SAMPLERS

    prior = pt.Ising(pt.Lattice.grid((side, side), periodic=True), CRITICAL)
    rng = np.random.default_rng(0)
    cluster, move = SAMPLERS["swendsen-wang"](prior), SAMPLERS[name](prior)
    warm = cluster.init(np.ones(side**2))
    for _ in range(200):
        warm, _ = cluster.step(warm, rng)
    state, _ = move.step(move.init(warm.configuration), rng)  # compilation

    def work() -> float:
        nonlocal state
        for _ in range(SWEEPS):
            state, info = move.step(state, rng)
        return info.acceptance

    return work


def _mcising(algorithm: str, side: int) -> Callable[[], float]:
    from mcising._core import IsingSimulation

    simulation = IsingSimulation(side, 1.0, 0.0, 0.0, 0.0, 1, algorithm, "square")
    simulation.sweep(200, temperature=1 / CRITICAL)

    def work() -> float:
        accepted, attempted, _ = simulation.sweep(SWEEPS, temperature=1 / CRITICAL)
        return float(accepted) / float(attempted)

    return work


def main() -> None:
    """Time one kind of work, given as `kind side`."""
    kind, side = sys.argv[1], int(sys.argv[2])
    peer = kind.removeprefix("mcising-")
    report(_mcising(peer, side) if peer != kind else _ours(kind, side))


if __name__ == "__main__":
    main()
