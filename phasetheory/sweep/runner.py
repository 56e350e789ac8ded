"""Sweeps through joblib: rounds of batches, each written down as soon as it is finished.

A batch is a deterministic function of its task and its seed index. Rounds are planned from finished
batches only, so the result depends neither on the workers nor on interruptions.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from tqdm import tqdm

from phasetheory import __version__
from phasetheory.estimate import Estimate
from phasetheory.lattice import Tripartition
from phasetheory.noisy import NoisyLaw
from phasetheory.sweep.describe import canonical
from phasetheory.sweep.grid import Grid, Stream, Task
from phasetheory.sweep.ledger import Batch, Batches, Ledger
from phasetheory.sweep.moments import Moments
from phasetheory.sweep.options import Option
from phasetheory.sweep.quantities import QUANTITIES
from phasetheory.sweep.stop import Stop, expected, missing
from phasetheory.sweep.table import tabulate

__all__ = ["run_grid"]

#: Models that a worker keeps, so that it need not build one anew for every batch.
KEPT_MODELS = 4
_PROFILES = {quantity.measure for quantity in QUANTITIES.values() if quantity.profile}


@dataclass(frozen=True, eq=False)
class Job:
    """One batch of samples for some tasks of a stream.

    Attributes:
        stream: What to sample.
        index: Seed index.
        tasks: Tasks that need this batch.
        sweep: Name of the call; models are kept within one call only, because a function may
            mean something else in the next.
    """

    stream: Stream
    index: int
    tasks: tuple[Task, ...]
    sweep: str


class _Factory:
    """A model to be made, equal to another of the same description in the same sweep."""

    def __init__(self, sweep: str, option: Option) -> None:
        self.name = (sweep, canonical(option.description))
        self.option = option

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Factory) and self.name == other.name


@lru_cache(maxsize=KEPT_MODELS)
def _model(factory: _Factory) -> Any:
    return factory.option()


def run_grid(grid: Grid, ledger: Ledger | None, stop: Stop, *, progress: bool = True) -> xr.Dataset:
    """Run a grid until its stop rules are met or its budget is spent.

    Args:
        grid: The tasks.
        ledger: Where finished batches are kept and looked for; None keeps them in memory.
        stop: When to stop.
        progress: Show a bar with the remaining time, if this is a terminal.

    Returns:
        Dataset of all tasks of the grid; see :func:`phasetheory.sweep.table.tabulate`. Its
        attribute `n_unfinished` counts the tasks that a spent budget left short of their rules.

    Raises:
        ValueError: If the grid does not fit together, before any work; or if a task is refused
            by its model, with everything finished before it kept.
        OSError: If the ledger cannot be written; what it held before stays.
    """
    budget = _Budget(stop)
    grid.check()
    tasks = grid.tasks
    kept = ledger.read() if ledger is not None else {}
    found: Batches = {task.key: dict(kept.get(task.key, {})) for task in tasks}
    sweep = uuid4().hex
    with tqdm(desc="scan", unit="batch", disable=None if progress else True) as bar:
        while not budget.spent and (jobs := _plan(grid.streams, found, stop, sweep)):
            _expect(bar, found, stop)
            for batches in Parallel(return_as="generator_unordered")(budget.feed(jobs)):
                if ledger is not None:
                    ledger.append(batches)
                for batch in batches:
                    found[batch.key][batch.index] = batch
                bar.update(len(batches))
    data = tabulate((task.description for task in tasks), found)
    data.attrs["n_unfinished"] = sum(
        bool(missing(_moments_of(own), stop)) for own in found.values()
    )
    return data


class _Budget:
    """What a call may still spend."""

    def __init__(self, stop: Stop) -> None:
        self.stop, self.start, self.started = stop, time.monotonic(), 0

    @property
    def spent(self) -> bool:
        """Whether no further batch may be started."""
        stop = self.stop
        late = stop.seconds is not None and time.monotonic() - self.start > stop.seconds
        return late or (stop.new_batches is not None and self.started >= stop.new_batches)

    def feed(self, jobs: Sequence[Job]) -> Iterator[Any]:
        """Hand out jobs one by one, as workers fall idle, so that a budget ends a round here."""
        for job in jobs:
            if self.spent:
                return
            self.started += len(job.tasks)
            yield delayed(_measure)(job)


def _plan(streams: Sequence[Stream], found: Batches, stop: Stop, sweep: str) -> list[Job]:
    """Batches that every unfinished task needs next."""
    jobs = []
    for stream in streams:
        wanted: dict[int, list[Task]] = {}
        for task in stream.tasks:
            for index in missing(_moments_of(found[task.key]), stop):
                wanted.setdefault(index, []).append(task)
        jobs += [Job(stream, index, tuple(own), sweep) for index, own in wanted.items()]
    # In the order of the keys, which is none: cheap and dear tasks mix, so that the remaining
    # time shown is an honest one.
    return sorted(jobs, key=lambda job: (job.index, job.stream.key))


def _moments_of(batches: Mapping[int, Batch]) -> dict[int, Moments]:
    return {index: batch.moments for index, batch in batches.items()}


def _expect(bar: Any, found: Batches, stop: Stop) -> None:
    """Tell the bar what is there and what is still to come."""
    total = have = 0
    for batches in found.values():
        moments = _moments_of(batches)
        own = {i: m for i, m in moments.items() if stop.first <= i < stop.first + stop.batches}
        total += expected(own, stop)
        have += len(own)
    if bar.n == 0:
        bar.initial = bar.n = have
    bar.total = max(total, have)
    bar.refresh()


def _measure(job: Job) -> list[Batch]:
    """One batch for every task of a job, all from the same samples."""
    stream, begin = job.stream, time.perf_counter()
    try:
        model = _model(_Factory(job.sweep, stream.model))
        law = NoisyLaw(model, stream.noise())
        parts = [stream.regions(model.lattice, task.radius) for task in job.tasks]
        moments, unit = _moments(stream, law, parts, job.index)
    except ValueError as error:
        raise ValueError(f"{error} (in task {canonical(stream.description)})") from error
    seconds = (time.perf_counter() - begin) / len(job.tasks)
    return [
        Batch(
            task.description,
            job.index,
            result,
            unit,
            (part.A.size, part.B.size, part.C.size),
            seconds,
            __version__,
        )
        for task, part, result in zip(job.tasks, parts, moments, strict=True)
    ]


def _moments(
    stream: Stream, law: NoisyLaw, parts: list[Tripartition], index: int
) -> tuple[list[Moments], str]:
    def generator() -> np.random.Generator:
        # The digest of the description is the entropy, the index the number of the spawned child:
        # whoever computes this batch draws the same numbers.
        seed = np.random.SeedSequence(int(stream.key, 16), spawn_key=(index,))
        return np.random.default_rng(seed)

    def measure(regions: Any) -> Any:
        return stream.quantity(law, regions, n_samples=stream.n_samples, rng=generator())

    # Tasks get the same numbers one by one and together: each starts from the same generator.
    shared = stream.quantity.call in _PROFILES
    results = measure(parts) if shared else [measure(part) for part in parts]
    for result in results:
        if not isinstance(result, Estimate):
            raise ValueError(f"quantity returns {type(result).__name__}: an Estimate needed")
    return [Moments.of(result) for result in results], results[0].unit
