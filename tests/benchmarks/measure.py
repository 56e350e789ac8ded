"""Time one piece of work in a single-threaded process of its own, with its peak memory."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def measured(module: str, *arguments: object) -> dict[str, float]:
    """Run `python -m module arguments` with one thread and read what `report` prints there.

    Returns:
        `best` and `median` in seconds, `value` (whatever the work returned) and `peak` in MB.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def report(work: Callable[[], float]) -> None:
    """Time the work, two to nine times within about three seconds, and print JSON."""
    seconds: list[float] = []
    budget = time.perf_counter() + 3.0
    while len(seconds) < 2 or (len(seconds) < 9 and time.perf_counter() < budget):
        start = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - start)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    result = {"value": value, "best": min(seconds), "median": float(np.median(seconds))}
    print(json.dumps(result | {"peak": peak}))
