r"""Where the leaves of a tree begin to remember the root: in lambda, and along the path.

The root overlap :math:`m_d` of a tree of depth d (:func:`phasetheory.root_overlap`, q = 2) obeys,
near the threshold, :math:`m_{d+1} = b\lambda^2 m_d - c\, m_d^2 + \dots`. Hence :math:`d\, m_d` is a
function of :math:`(b\lambda^2 - 1)\, d` alone: curves of different depth cross at the threshold.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from phasetheory.noise import BitFlip, Noise
from phasetheory.transitions.reconstruction import (
    check_tree,
    leaf_channel,
    overlaps_by_depth,
    root_overlap,
)

__all__ = ["kesten_stigum", "root_times"]

#: Range of b lambda^2 in which the threshold is looked for.
_RANGE = (0.7, 1.3)
#: Weakest signal 1 - t that is looked for: below, 1 - t has too few digits.
_FAINTEST = 1e-10


def kesten_stigum(
    branching: int = 2, *, depths: Sequence[int] = (4, 8, 16), cells: int = 100
) -> xr.Dataset:
    r"""The threshold :math:`b\lambda^2` at which the leaves begin to remember the root, q = 2.

    Located as the crossing of :math:`d\, m_d` for depths d and 2d at t = 0, from brackets of
    :math:`m_d`; exact answer 1.

    Args:
        branching: b, at least 2.
        depths: Depths d, each at least 1.
        cells: As in :func:`phasetheory.root_overlap`.

    Returns:
        Dataset over depth: `crossing_low`, `crossing_high` (the crossing at that finite depth lies
        between), `scaled` (:math:`d\, m_d` at the threshold itself).

    Raises:
        ValueError: If a number leaves its range.

    Cost: about 20 pairs of sweeps of depth 2d each; 2 seconds for the default.

    Source: Kesten and Stigum 1966; equality with reconstruction at q = 2: Bleher, Ruiz,
    Zagrebnov 1995; Evans, Kenyon, Peres, Schulman 2000.
    """
    for depth in depths:
        check_tree(depth, branching, 1.0)

    def change(signal: float, depth: int, high: bool) -> float:
        """Bound on 2d m_2d - d m_d over d, from above or from below."""
        rate = float(np.sqrt(signal / branching))
        found = root_overlap(2 * depth, branching, eigenvalue=rate, cells=cells)
        low, top = found["overlap_low"].values, found["overlap_high"].values
        late, early = (top, low) if high else (low, top)
        return float(2.0 * late[2 * depth] - early[depth])

    rows = []
    for depth in depths:
        # The upper bound of a growing function crosses first.
        first, last = (
            brentq(change, *_RANGE, args=(depth, high), xtol=1e-5) for high in (True, False)
        )
        at = root_overlap(depth, branching, eigenvalue=float(branching**-0.5), cells=cells)
        middle = 0.5 * float(at["overlap_low"][depth] + at["overlap_high"][depth])
        rows.append((first, last, depth * middle))
    names = ("crossing_low", "crossing_high", "scaled")
    return xr.Dataset(
        {
            name: ("depth", np.array(c))
            for name, c in zip(names, zip(*rows, strict=True), strict=True)
        },
        coords={"depth": list(depths)},
        attrs={"branching": branching, "exact": 1.0},
    )


def root_times(
    depths: Sequence[int],
    branching: int = 2,
    *,
    eigenvalue: float,
    noise: Callable[[float], Noise] = BitFlip,
    cells: int = 100,
) -> xr.Dataset:
    r"""When along the path the leaves have half the overlap with the root that they have at t = 0.

    Above the threshold this is where the root is decided: at
    :math:`1 - t \sim (b\lambda^2)^{-d/2}` under bit flips and Gaussian noise, whose single leaves
    know :math:`\eta \sim (1-t)^2`. An erased leaf is either lost or perfect, :math:`\eta = 1 - t`,
    and the scale is the square of that: :math:`1 - t \sim (b\lambda^2)^{-d}`.

    Args:
        depths: Depths, each at least 1.
        branching: b, at least 2.
        eigenvalue: :math:`\lambda`, in [-1, 1], not 0.
        noise: Takes t to a noise.
        cells: As in :func:`phasetheory.root_overlap`.

    Returns:
        Dataset over depth: `signal` (1 - t, no unit), the middle of a bracket, and `signal_bound`,
        half its width: the exact value lies within.

    Raises:
        ValueError: If a number leaves its range, or 1 - t would be below 1e-10.
    """
    for depth in depths:
        check_tree(depth, branching, eigenvalue)

    def excess(log_signal: float, depth: int, high: bool, target: float) -> float:
        leaf = partial(leaf_channel, noise(1.0 - float(np.exp(log_signal))))
        return (
            float(overlaps_by_depth(depth, branching, eigenvalue, leaf, cells, high)[0][-1])
            - target
        )

    faintest = float(np.log(_FAINTEST))
    rows = []
    for depth in depths:
        clean = partial(leaf_channel, noise(0.0))
        ends = []
        for high in (True, False):
            # The largest t allowed by the brackets pairs the better observation with the lower
            # target, the smallest the other way round.
            target = (
                0.5 * overlaps_by_depth(depth, branching, eigenvalue, clean, cells, not high)[0][-1]
            )
            given = (depth, high, target)
            if excess(faintest, *given) >= 0:
                raise ValueError(
                    f"depth={depth}: the root is decided at 1 - t < {_FAINTEST}, which t cannot"
                    " resolve; take a smaller depth"
                )
            ends.append(float(np.exp(brentq(excess, faintest, 0.0, args=given, xtol=1e-9))))
        rows.append((0.5 * sum(ends), 0.5 * abs(ends[1] - ends[0])))
    signal, width = np.array(rows).T
    return xr.Dataset(
        {"signal": ("depth", signal), "signal_bound": ("depth", width)},
        coords={"depth": list(depths)},
        attrs={"branching": branching, "eigenvalue": eigenvalue},
    )
