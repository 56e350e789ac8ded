"""Reverse circuits on tables, grids of spins under bit flips, 50 steps, r = 1, one thread.

Whole circuits with and without the terms of T2, and one recovery gate against one pass that reads
and writes the table (numpy's copy to another array), the mean over all sites. Every measurement
has a process of its own; compilation is not counted.
"""

import math
import sys
from collections.abc import Callable

import numpy as np

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_circuits"
SHAPES = {12: (3, 4), 16: (4, 4), 20: (4, 5)}
STEPS, RADIUS, PASSES = 50, 1, 20


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure; `quick` takes 12 sites, `large` adds global gates on 20 sites (minutes)."""
    return [_row(n, large=large) for n in ([12] if quick else [16, 20])]


def _row(n: int, *, large: bool) -> dict[str, object]:
    kinds = ("circuit", "bare", "gate", "wide gate", "pass")
    found = {kind: measured(HERE, kind, n) for kind in kinds}
    copy = found["pass"]["best"] / PASSES
    row: dict[str, object] = {
        "case": f"{n} sites, {STEPS} steps",
        "T2 bound (nats)": f"{found['circuit']['value']:.6f}",
        "circuit with terms (s)": found["circuit"]["best"],
        "circuit alone (s)": found["bare"]["best"],
        "peak (MB)": found["circuit"]["peak"],
        "gate, r = 1 (ms)": 1e3 * found["gate"]["best"] / n,
        "global gate (ms)": 1e3 * found["wide gate"]["best"] / n,
        "copy of the table (ms)": 1e3 * copy,
        "gate / copy": found["gate"]["best"] / n / copy,
        "global gate / copy": found["wide gate"]["best"] / n / copy,
    }
    if large:
        row["global circuit, terms (s)"] = measured(HERE, "global", n)["best"]
    return row


def _work(kind: str, n: int) -> Callable[[], float]:
    import phasetheory as pt
    from phasetheory.circuits.exact import ForwardPath

    model = pt.Ising(pt.Lattice.grid(SHAPES[n]), coupling=0.3)
    radius = math.inf if kind in ("wide gate", "global") else RADIUS
    circuit = pt.Circuit(model.lattice, np.linspace(1, 0, STEPS + 1), radius)
    if kind in ("circuit", "bare", "global"):
        terms = kind != "bare"
        return lambda: (
            pt.reverse_circuit(model, pt.BitFlip, circuit, terms=terms, progress=False).bound
        )
    path = ForwardPath(model, pt.BitFlip, circuit)
    table = path.law(STEPS // 2)
    if kind == "pass":
        other = np.empty_like(table)

        def copy() -> float:
            for _ in range(PASSES):
                np.copyto(other, table)
            return float(other[0])

        return copy
    # The recovery itself: its local prior is made before, and costs little for a small window.
    gates = [gate for layer in circuit.layers(STEPS // 2) for gate in layer]
    done = np.zeros(n, dtype=bool)
    ready = [(path.table_of(gate), path.bayes(STEPS // 2, gate, done)) for gate in gates]

    def sweep() -> float:
        for place, bayes in ready:
            place.recover(table, bayes)
        return float(table[0])

    return sweep


def main() -> None:
    """Time one kind of work, given as `kind sites`."""
    kind, n = sys.argv[1], int(sys.argv[2])
    _work(kind, 12)()  # compilation
    report(_work(kind, n))


if __name__ == "__main__":
    main()
