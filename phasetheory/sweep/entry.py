"""The public calls: one scan for a profile in memory and for a sweep that is kept."""

import os
from collections.abc import Callable, Mapping
from typing import Any, overload

import xarray as xr
from numpy.typing import ArrayLike

from phasetheory.lattice import Tripartition
from phasetheory.noise import Noise
from phasetheory.prior import Prior
from phasetheory.sweep.grid import Grid
from phasetheory.sweep.ledger import Batches, Ledger, merged
from phasetheory.sweep.parameters import nearest
from phasetheory.sweep.profile import profile
from phasetheory.sweep.runner import run_grid
from phasetheory.sweep.stop import Stop
from phasetheory.sweep.table import tabulate

__all__ = ["merge_ledgers", "read_ledger", "scan"]

PathLike = str | os.PathLike[str]


@overload
def scan(
    model: Prior,
    noise: Callable[[float], Noise],
    *,
    t: ArrayLike,
    radius: ArrayLike | Mapping[float, Tripartition],
    centre: Any = ...,
    rng: Any = ...,
    **options: Any,
) -> xr.Dataset: ...
@overload
def scan(model: Grid, **options: Any) -> xr.Dataset: ...
def scan(
    model: Prior | Grid,
    noise: Callable[[float], Noise] | None = None,
    *,
    t: ArrayLike | None = None,
    radius: ArrayLike | Mapping[float, Tripartition] | None = None,
    centre: Any = None,
    rng: Any = None,
    **options: Any,
) -> xr.Dataset:
    r"""Conditional mutual information :math:`I_t(A;C|B_r)` over times and radii, or any grid.

    Two ways to call it: ``scan(model, noise, t=..., radius=..., ...)`` for one model, and
    ``scan(grid, ledger=..., stop=...)`` for a :class:`phasetheory.sweep.Grid` of sizes, couplings,
    times, radii, geometries and seeds.

    With `ledger` every finished batch of samples is kept in a file: the scan can be killed at any
    moment and called again, its precision raised later, and the files of several machines merged
    (:func:`phasetheory.sweep.read_ledger`).

    Args:
        model: The clean law; or a grid, to which only `ledger`, `stop` and `progress` are added.
        noise: Callable t -> noise, for example ``pt.Gaussian`` or
            ``lambda t: pt.Gaussian(t, schedule)``.
        t: Diffusion times in [0, 1], shape (n_t,), increasing.
        radius: Buffer radii, shape (n_r,), increasing; or, where the lattice has no distance, a
            mapping radius -> tripartition.
        centre: Where A is, as for `Lattice.tripartition`; not used with a mapping.
        rng: Generator or seed; each time gets a child of its own, so that the numbers do not
            depend on how the work is spread. With a ledger a whole number, 0 by default.
        **options: `size` (side of the block A), and `method` and `n_samples` of
            :func:`phasetheory.cmi`; `ledger` (path), `stop` (a :class:`phasetheory.sweep.Stop`;
            four batches a task by default) and `progress` (show a bar, on a terminal).

    Returns:
        Dataset over dims (t, radius): `cmi` and `cmi_stderr` in nats (stderr 0 where exact),
        `cmi_n_effective` (infinite where exact), and `size_A`, `size_B`, `size_C` over radius.
        Attributes record the model, the noise, the seed and the version. A grid adds a dim for
        every parameter that varies; it and a ledger add `cmi_n_samples`, and NaN where a budget
        ended the sweep.

    Raises:
        ValueError: If times, radii or options do not fit, before any work starts.
        OSError: If the ledger cannot be written; what it held before stays.

    Work runs through joblib, in this process unless the caller says otherwise
    (``with joblib.parallel_config(n_jobs=2): ...``, or ``backend="dask"``); progress is shown on
    a terminal.
    """
    kept = {name: options.pop(name) for name in ("ledger", "stop", "progress") if name in options}
    if isinstance(model, Grid):
        given = {"noise": noise, "t": t, "radius": radius, "centre": centre, "rng": rng}
        extra = [*options, *(name for name, value in given.items() if value is not None)]
        if extra:
            known = ("ledger", "stop", "progress")
            raise ValueError(f"{extra[0]} is given with a grid: {nearest(extra[0], known)}")
        return _swept(model, **kept)
    needed = {"noise": noise, "t": t, "radius": radius}
    if lacking := [name for name, value in needed.items() if value is None]:
        raise TypeError(f"scan of a model lacks {', '.join(lacking)}")
    assert noise is not None and t is not None and radius is not None
    if not kept.keys() & {"ledger", "stop"}:
        return profile(model, noise, t=t, radius=radius, centre=centre, rng=rng, **options)
    if isinstance(radius, Mapping):
        raise ValueError(
            "radius is a mapping: a ledger needs regions that it can name, by radii or by the"
            " geometry of a Grid (a function (lattice, *, radius) will do)"
        )
    settings: dict[str, Any] = {"n_samples": 2000, "method": "auto", "size": 1}
    if unknown := set(options) - set(settings):
        word = min(unknown)
        raise ValueError(f"unknown option {word!r}: {nearest(word, [*settings, 'ledger', 'stop'])}")
    settings |= options
    place = centre if isinstance(centre, int) else tuple(centre or ())
    grid = Grid(
        model,
        {"name": noise, "t": t},
        {"name": "centre", "radius": radius, "centre": place, "block": settings["size"]},
        {"name": "cmi", "method": settings["method"]},
        settings["n_samples"],
        0 if rng is None else rng,
    )
    return _swept(grid, **kept)


def _swept(
    grid: Grid, ledger: PathLike | None = None, stop: Stop | None = None, progress: bool = True
) -> xr.Dataset:
    if stop is not None and not isinstance(stop, Stop):
        raise ValueError(f"stop={stop!r}: a phasetheory.sweep.Stop needed")
    book = None if ledger is None else Ledger(ledger)
    return run_grid(grid, book, stop or Stop(), progress=progress)


def read_ledger(*paths: PathLike) -> xr.Dataset:
    """Dataset of everything that is in some ledgers; a batch in several of them counts once.

    Args:
        *paths: Ledger files, of one machine or of several.

    Returns:
        As from :func:`phasetheory.scan` with a grid. Write it with
        ``data.to_netcdf("sweep.nc", engine="scipy")``.

    Raises:
        ValueError: If a file does not exist, nothing in them can be read, or they hold tasks that
            do not fit into one table.

    Damaged lines are reported in warnings and left out.
    """
    batches = _batches(paths)
    tasks = (next(iter(own.values())).task for own in batches.values())
    return tabulate(tasks, batches)


def merge_ledgers(*paths: PathLike, out: PathLike) -> int:
    """Write the batches of several ledgers into one: each once, sorted, damaged lines left out.

    Args:
        *paths: Ledger files.
        out: The new file, which must not exist.

    Returns:
        Number of batches.

    Raises:
        ValueError: If a file does not exist, or `out` does.
    """
    if os.path.exists(out):
        raise ValueError(f"out={str(out)!r} exists: the name of a new file needed")
    batches = _batches(paths)
    ordered = [batches[key][index] for key in sorted(batches) for index in sorted(batches[key])]
    Ledger(out).append(ordered)
    return len(ordered)


def _batches(paths: tuple[PathLike, ...]) -> Batches:
    if not paths:
        raise ValueError("no ledger given: at least one file needed")
    ledgers = [Ledger(path) for path in paths]
    for ledger in ledgers:
        if not ledger.path.exists():
            raise ValueError(f"ledger {str(ledger.path)!r} does not exist")
    return merged(ledgers)
