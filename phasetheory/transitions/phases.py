r"""Whether two laws on one noise path are in one phase: is the Markov length bounded in between?

Forward, from data to noise, the noise acts site by site: local channels connect the laws by
construction. Backward, local recoveries of buffer radius a few :math:`\xi` undo it (T1, T2 of
arXiv:2508.06614) as long as :math:`\xi(t)` stays finite all along the path. So the question is
whether :math:`\xi` is bounded at every t, independently of the size of the system.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phasetheory.transitions.phase_evidence import (
    BOUNDED,
    UNBOUNDED,
    UNDECIDED,
    Evidence,
    evidence,
    mark_growth,
)

__all__ = ["SamePhase", "same_phase"]


@dataclass(frozen=True)
class SamePhase:
    """The verdict and its evidence.

    Attributes:
        verdict: True (connected both ways, as far as the scanned times tell), False (not along
            this path), None (undecided).
        t: First and last scanned time that was judged.
        bound: Length that counted as bounded, in units of radius.
        worst: Time at which the evidence is worst: the largest bound on xi if all are bounded,
            else the first time that is not bounded (of several the one of the longest xi), else
            the undecided one.
        missing: What would decide it; empty if it is decided.
        table: Dataset over (size, t) or (t): `xi`, `xi_upper` (sites), `status` ("bounded",
            "not bounded", "undecided"), `reason`, `decay`.
    """

    verdict: bool | None
    t: tuple[float, float]
    bound: float
    worst: float
    missing: str
    table: xr.Dataset = field(repr=False)

    @property
    def forward(self) -> str:
        """Why the laws are connected from data to noise."""
        return "the noise acts on each site alone: local channels by construction"

    @property
    def backward(self) -> str:
        """Whether local recoveries connect them from noise to data, and what says so."""
        span = f"t = {self.t[0]:g} to {self.t[1]:g}"
        if self.verdict:
            return (
                f"xi stays below {self.bound:.3g} sites at all {self.table.sizes['t']} times from"
                f" {span}: recoveries of radius a few xi suffice"
            )
        if self.verdict is False:
            return f"xi is not bounded near t = {self.worst:g}: {self._reason()}"
        return f"not decided, worst at t = {self.worst:g}: {self._reason()}"

    def _reason(self) -> str:
        here = self.table.sel(t=self.worst)
        status, reason = np.atleast_1d(here["status"]), np.atleast_1d(here["reason"])
        bad = [str(r) for s, r in zip(status, reason, strict=True) if s != BOUNDED]
        return bad[-1] if bad else ""

    def __bool__(self) -> bool:
        """Refuse: None and False are not the same."""
        raise TypeError("a verdict may be undecided: ask for .verdict is True (or False, or None)")

    def __str__(self) -> str:
        """Return the verdict, both directions and the table."""
        answer = {
            True: "one phase",
            False: "not one phase along this path",
            None: "undecided",
        }[self.verdict]
        lines = [
            f"{answer}, t = {self.t[0]:g} to {self.t[1]:g}",
            f" forward  {self.forward}",
            f"backward  {self.backward}",
        ]
        if self.missing:
            lines.append(f" missing  {self.missing}")
        sized = "size" in self.table.dims
        lines.append(f"{'size':>8}" * sized + "       t        xi    at most")
        for row in self.table.to_dataframe().reset_index().to_dict("records"):
            size = f"{row['size']:8g}" if sized else ""
            reason = f": {row['reason']}" if row["reason"] else ""
            lengths = f"{_number(row['xi'])}  {_number(row['xi_upper'])}"
            lines.append(f"{size}{row['t']:8.4g}  {lengths}  {row['status']}{reason}")
        return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:8.3g}" if np.isfinite(value) else "       -"


def same_phase(
    path: xr.Dataset | Mapping[float, xr.Dataset],
    *,
    t: tuple[float, float] | None = None,
    max_length: float | None = None,
) -> SamePhase:
    r"""Whether two laws on a path are in one phase: connected both ways by local channels.

    The path is a scan :math:`I_t(A;C|B_r)` at times between the two laws. Forward, noise is a
    local channel by construction. Backward, every :math:`\xi(t)` must be bounded. A time is

    - *bounded* where the CMI is zero (exact, below 1e-11 nats at all radii), or decays
      exponentially with :math:`\xi + 2\,\mathrm{stderr}` below the bound: by the comparison of
      laws of :func:`phasetheory.markov_length`, or, where that is not decided, by a rate in
      :math:`r^{-\eta} e^{-r/\xi}` more than 4 errors above zero. With fewer than 4 usable radii the
      fall from the first one to the least upper end of a later one counts, which a power law of
      high exponent would pass, too;
    - *not bounded* where a power law is preferred and that rate is not there, where an exact CMI
      does not decay, where :math:`\xi - 2\,\mathrm{stderr}` exceeds a given `max_length`, or where
      xi grows with the size as :math:`L^x` with x > 0.25 by two errors between the two largest
      sizes;
    - *undecided* else: a length beyond the scanned radii is undecided unless `max_length` is given.

    One phase: all times bounded. Not one phase *along this path*: any time not bounded. It is
    evidence at the scanned times and sizes, no proof: a window narrower than the spacing of the
    times is not seen, and finite systems round every transition.

    Args:
        path: Result of :func:`phasetheory.scan` over (t, radius), over (size, t, radius) from a
            grid, or size -> scan. Leave out radii that the lattice cuts (see `markov_length`).
        t: Ends (from, to) of the path, of which the scanned times between them are judged; all of
            them by default.
        max_length: Longest xi that counts as bounded, in units of radius; by default half the
            range of radii (of the largest size), over which the CMI then falls by e^2.

    Returns:
        Verdict, worst time, table; print it.

    Raises:
        ValueError: If the path holds no scans, no time lies between the ends, sizes have
            different times, or the bound is not positive.

    Source: phases of data distributions, arXiv:2508.06614; Markov length, Sang and Hsieh,
    arXiv:2404.07251.

    Example:
        >>> import numpy as np
        >>> import phasetheory as pt
        >>> chain = pt.Ising(pt.Lattice.chain(13), coupling=0.4)
        >>> scan = pt.scan(chain, pt.BitFlip, t=[0.3, 0.6, 0.9], radius=[0, 1, 2, 3, 4], centre=6)
        >>> pt.same_phase(scan).verdict
        True
    """
    scans = _scans(path)
    if max_length is not None and not max_length > 0:
        raise ValueError(f"max_length={max_length}: a positive length needed")
    times = next(iter(scans.values()))["t"].values.astype(float)
    start, end = (float(times[0]), float(times[-1])) if t is None else (min(t), max(t))
    inside = (times >= start) & (times <= end)
    if not inside.any():
        raise ValueError(
            f"t={t}: no scanned time between; the path has {times[0]:g} to {times[-1]:g}"
        )
    scans = {size: scan.isel(t=inside) for size, scan in scans.items()}
    bound = max_length or float(np.ptp(scans[max(scans)]["radius"].values)) / 2.0
    rows = {
        size: [
            evidence(scan.isel(t=[i]), bound, given=max_length is not None)
            for i in range(scan.sizes["t"])
        ]
        for size, scan in scans.items()
    }
    mark_growth(rows)
    return _verdict(rows, times[inside], bound)


def _scans(path: Any) -> dict[float, xr.Dataset]:
    """Size -> scan over (t, radius), all with the same increasing times."""
    if isinstance(path, xr.Dataset):
        sized = "size" in path.dims
        path = {float(L): path.sel(size=L) for L in path["size"].values} if sized else {0.0: path}
    if not isinstance(path, Mapping) or not path:
        raise ValueError(f"path is a {type(path).__name__}: a scan, or size -> scan, needed")
    scans = {float(size): scan for size, scan in path.items()}
    for size, scan in scans.items():
        if "cmi" not in scan or not set(scan["cmi"].dims) == {"t", "radius"}:
            have = tuple(scan["cmi"].dims) if "cmi" in scan else sorted(map(str, scan.data_vars))
            raise ValueError(f"path has {have}: cmi over exactly t and radius (and size) needed")
        scans[size] = scan.sortby(["t", "radius"])
    grids = [scan["t"].values for scan in scans.values()]
    if not all(np.array_equal(grid, grids[0]) for grid in grids):
        raise ValueError("sizes have different times: scan them all at the same ones")
    return dict(sorted(scans.items()))


def _verdict(rows: dict[float, list[Evidence]], times: NDArray[Any], bound: float) -> SamePhase:
    largest = rows[max(rows)]
    found = {row.status for row in largest}
    verdict = None if UNDECIDED in found else True
    if UNBOUNDED in found:
        verdict = False
    ranked = {True: BOUNDED, False: UNBOUNDED, None: UNDECIDED}[verdict]
    candidates = [i for i, row in enumerate(largest) if row.status == ranked]
    worst = max(candidates, key=lambda i: (np.nan_to_num(largest[i].upper, nan=-1.0), -i))
    missing = ""
    if verdict is None:
        reasons = {row.reason for row in largest if row.status == UNDECIDED}
        missing = "; ".join(sorted(reasons))
    names = {"xi": "xi", "xi_upper": "upper"} | {n: n for n in ("status", "reason", "decay")}
    table = {
        name: (("size", "t"), [[getattr(row, key) for row in own] for own in rows.values()])
        for name, key in names.items()
    }
    data = xr.Dataset(table, coords={"size": list(rows), "t": times})
    data["xi"].attrs = {"units": "sites", "long_name": "Markov length"}
    data["xi_upper"].attrs = {"units": "sites", "long_name": "xi plus two standard errors"}
    if len(rows) == 1:
        data = data.isel(size=0, drop=True)
    ends = float(times[0]), float(times[-1])
    return SamePhase(verdict, ends, bound, float(times[worst]), missing, data)
