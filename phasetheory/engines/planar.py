r"""Planar Ising models without field: partition functions and bond correlations at any size.

For :math:`Z = \sum_s \exp \sum_{ij} K_{ij} s_i s_j` on a planar graph, with couplings of either
sign, one sweep of the domain-wall kernels gives log Z to about 1e-14 of its value, and one
more way back all correlations. A coupling of +-inf is a bond known to be satisfied: it weighs 1,
and configurations that violate it weigh 0.
"""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.domain_walls import log_weights
from phasetheory._kernels.domain_walls_back import wall_probabilities
from phasetheory._kernels.domain_walls_draw import draw_bonds
from phasetheory._kernels.signed_sets import connections, tie
from phasetheory.engines.planar_plan import SweepPlan, grid_plan, planar_plan
from phasetheory.engines.threads import threaded

__all__ = ["PlanarIsing"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Multiplications per second of a sweep, one thread; for refusals and docstrings.
_RATE = 3e9
#: Longest sweep that is begun.
_LONGEST_SECONDS = 300.0
#: Up to this many bonds are pinned both ways, one sweep each; beyond, the way back is cheaper.
_FEW = 2
#: Where a wall is this likely against the reference, its absence has lost digits: sweep again
#: with a reference near the likely configurations.
_LIKELY = 1.0 - 1e-5
#: Work shorter than this is not spread over threads.
_SHORT_SECONDS = 2e-3
#: Frustrated bonds stronger than this cost digits: rounding is amplified by e^(4K), to 1e-7 at 6
#: and to 1e-3 at 8 in the worst of many patches of +-K at random.
_STRONG = 5.0
#: Products of a few e^(-2K) beyond this leave the range of floating point.
_RANGE = 170.0
#: Where couplings beyond the first contradict each other in a row that leaves it, they are moved
#: between the first and the last: their excess over the weakest of them is kept up to the second,
#: and squeezed from there on.
_MOVED = (40.0, 70.0, 90.0)
#: Plans kept for regions seen before.
_KEPT_PLANS = 64


@dataclass(frozen=True, eq=False)
class PlanarIsing:
    """Zero-field Ising sums on a planar graph.

    Attributes:
        n_spins: Number of spins.
        edges: Shape (n_edges, 2).
        shape: (rows, columns) if the graph is an open grid with row-major sites, else None.
        embedding: Planar embedding on site indices, if one is given.

    Cost: on n spins about n W^2 / (1.5e9) seconds for log Z, four times that for all correlations;
    W is the shorter side of a grid, and the widest frontier of a canonical order elsewhere.
    """

    n_spins: int
    edges: Indices
    shape: tuple[int, int] | None = None
    embedding: nx.PlanarEmbedding | None = None
    _plans: dict[bytes, SweepPlan] = field(default_factory=dict, repr=False)

    def log_partition(self, couplings: Floats, *, workers: int | None = None) -> Floats:
        """Log Z of every row of couplings.

        Args:
            couplings: Shape (n, n_edges); +-inf where the bond is known.
            workers: Threads; as many as there are processors by default.

        Returns:
            Shape (n,); -inf where known bonds contradict each other.

        Raises:
            ValueError: If the sweep would take more than five minutes.

        Warns:
            RuntimeWarning: If couplings are so strong and so frustrated that digits may be lost.
        """
        self._warn_if_frustrated(couplings)
        return self._log_partition(couplings, workers)

    def _log_partition(self, couplings: Floats, workers: int | None) -> Floats:
        plan = self._plan((couplings != 0).any(axis=0))
        free = (self.n_spins - plan.n_spins) * np.log(2.0)

        def work(part: Floats) -> Floats:
            gauged, consistent, _ = self._gauged(part)
            local = np.ascontiguousarray(gauged[:, plan.edges])
            log_z = log_weights(plan.program, plan.n_slots, local)
            return np.where(consistent, log_z + free, -np.inf)

        return threaded(work, couplings, self._threads(plan, len(couplings), workers))

    def log_odds(
        self, couplings: Floats, bonds: Indices | None = None, *, workers: int | None = None
    ) -> Floats:
        r"""Log-odds :math:`\log P(s_i s_j = 1) - \log P(s_i s_j = -1)` of bonds.

        Args:
            couplings: Shape (n, n_edges); +-inf where the bond is known.
            bonds: Indices of the bonds asked for; all by default.
            workers: Threads.

        Returns:
            Shape (n, len(bonds)); +-inf where known bonds decide; NaN where they contradict each
            other. One or two bonds are exact to about 1e-13 log Z. Of many, probabilities are
            exact to about 1e-13, and small ones relative to themselves, unless couplings beyond
            about 5 are frustrated: then digits are lost as in :meth:`log_partition`, without a
            warning, since a way back that leaves the law meets such evidence all the time. Where
            finite couplings beyond 40 contradict each other and some are beyond 170, which floating
            point cannot hold, they are first moved to 40 to 90: all in their order, and the
            weakest, which are the ones to give way, with their differences. Noise leaves such
            evidence with a probability of at most e^(-80) a bond; posteriors are approximate where
            the couplings of the law itself are like that.
        """
        beyond = self._beyond_range(couplings)
        odds = self._log_odds(_moved(couplings, beyond), bonds, workers)
        # The wrong value of a bond may contradict the others where the right one does not.
        lost = np.isnan(odds).any(axis=1) & ~beyond
        if lost.any():
            odds[lost] = self._log_odds(_moved(couplings, lost)[lost], bonds, workers)
        return odds

    def _log_odds(self, couplings: Floats, bonds: Indices | None, workers: int | None) -> Floats:
        if bonds is not None and len(bonds) <= _FEW:
            columns = [self._pinned_odds(couplings, int(bond), workers) for bond in bonds]
            return np.stack(columns, axis=1) if columns else np.zeros((len(couplings), 0))
        plan = self._plan((couplings != 0).any(axis=0))

        def work(part: Floats) -> Floats:
            return np.array([self._all_odds(row, plan) for row in part]).reshape(part.shape)

        odds = threaded(work, couplings, self._threads(plan, len(couplings), workers))
        return odds if bonds is None else odds[:, bonds]

    def sample_bonds(
        self, couplings: Floats, n: int, *, rng: np.random.Generator
    ) -> NDArray[np.int8]:
        """Independent exact draws of s_i s_j on every edge.

        Args:
            couplings: Finite K of every edge, shape (n_edges,).
            n: Number of draws.
            rng: Generator.

        Returns:
            Shape (n, n_edges), +-1.

        Cost: one sweep, and two Pfaffians of the walls on the frontier for each spin and draw.
        """
        plan = self._plan(np.ones(len(self.edges), dtype=bool))
        local = np.ascontiguousarray(couplings[plan.edges])
        segment = 4 * plan.n_slots
        uniforms = rng.random((n, plan.n_spins))
        bonds = np.empty((n, len(self.edges)), dtype=np.int8)
        bonds[:, plan.edges] = draw_bonds(plan.program, plan.n_slots, local, segment, uniforms)
        return bonds

    def _pinned_odds(self, couplings: Floats, bond: int, workers: int | None) -> Floats:
        """Log-odds of one bond from two partition functions."""
        own = couplings[:, bond]
        log_z = []
        for sign in (1.0, -1.0):
            pinned = couplings.copy()
            pinned[:, bond] = sign * np.inf
            log_z.append(self._log_partition(pinned, workers))
        with np.errstate(invalid="ignore"):
            # A known bond contributes its own sign, unless that contradicts the others.
            weight = np.where(np.isinf(own), np.where(own > 0, np.inf, -np.inf), 2.0 * own)
            odds = log_z[0] - log_z[1] + np.where(np.isinf(own), 0.0, weight)
            known = np.isinf(own)
            agrees = np.where(own > 0, log_z[0], log_z[1]) > -np.inf
            return np.where(known, np.where(agrees, weight, np.nan), odds)

    def _all_odds(self, couplings: Floats, plan: SweepPlan) -> Floats:
        gauged, consistent, spins = self._gauged(couplings[None])
        if not consistent[0]:
            return np.full(couplings.shape, np.nan)
        odds, doubtful = self._swept_odds(gauged[0], plan)
        if doubtful:
            reference = np.ones(self.n_spins, dtype=np.int8)
            tie(self.edges, np.argsort(-np.abs(odds), kind="stable"), odds, reference)
            bonds = reference[self.edges].prod(axis=1)
            odds = self._swept_odds(gauged[0] * bonds, plan)[0] * bonds
        odds = odds * spins[0, self.edges].prod(axis=1)
        if np.isinf(couplings).any():
            # Known bonds may tie the ends of others: no rounding there.
            every = np.arange(len(self.edges))
            _, tied = connections(self.edges, self.n_spins, couplings[None], every)
            odds = np.where(tied[0] == 0, odds, np.copysign(np.inf, tied[0]))
        return odds

    def _swept_odds(self, couplings: Floats, plan: SweepPlan) -> tuple[Floats, bool]:
        """Log-odds of every bond by one way back, and whether some have lost digits."""
        segment = max(256, 8 * plan.n_slots)
        _, walls = wall_probabilities(
            plan.program, plan.n_slots, np.ascontiguousarray(couplings[plan.edges]), segment
        )
        # Rounding may carry a probability past the end of its range by 1e-13 or so.
        p = np.clip(walls[:, 0], 0.0, 1.0)
        with np.errstate(divide="ignore"):
            local = np.where(walls[:, 1] == 1, -1.0, 1.0) * (np.log1p(-p) - np.log(p))
        odds = np.zeros(couplings.shape)
        odds[plan.edges] = local
        return odds, bool((p > _LIKELY).any())

    def _warn_if_frustrated(self, couplings: Floats) -> None:
        """Warn where even a configuration that follows the strongest bonds violates strong ones.

        Amplitudes that are equal but for rounding then decide the sum.
        """
        for n in np.flatnonzero((np.abs(couplings) > _STRONG).sum(axis=1) > 1):
            worst = self._violated(couplings[n])
            if worst > _STRONG:
                warnings.warn(
                    f"couplings of sample {n} violate a bond of strength {worst:.3g} whichever way"
                    f" the spins turn: beyond about {_STRONG:g} log Z and posteriors of such"
                    " frustrated bonds lose digits as rounding times e^(4K), all of them near 10",
                    RuntimeWarning,
                    stacklevel=3,
                )
                return

    def _violated(self, couplings: Floats) -> float:
        """Strongest finite bond that a configuration following the strongest ones violates."""
        spins = np.ones(self.n_spins, dtype=np.int8)
        tie(self.edges, np.argsort(-np.abs(couplings), kind="stable"), couplings, spins)
        follows = couplings * spins[self.edges].prod(axis=1)
        return float(-follows[np.isfinite(follows)].min(initial=0.0))

    def _beyond_range(self, couplings: Floats) -> Mask:
        """Rows in which very strong finite couplings contradict each other."""
        size = np.where(np.isinf(couplings), 0.0, np.abs(couplings))
        found = size.max(axis=1, initial=0.0) > _RANGE
        for n in np.flatnonzero(found):
            found[n] = self._violated(couplings[n]) > _MOVED[0]
        return found

    def _gauged(self, couplings: Floats) -> tuple[Floats, Mask, NDArray[np.int8]]:
        """Couplings in a gauge of the spins in which every known bond is satisfied by +."""
        known = np.isinf(couplings)
        spins = np.ones((len(couplings), self.n_spins), dtype=np.int8)
        consistent = np.ones(len(couplings), dtype=bool)
        for n in np.flatnonzero(known.any(axis=1)):
            _, consistent[n] = tie(self.edges, np.flatnonzero(known[n]), couplings[n], spins[n])
        if not known.any():
            return couplings, consistent, spins
        gauged = couplings * spins[:, self.edges].prod(axis=2)
        return np.where(known, np.inf, gauged), consistent, spins

    def _plan(self, active: NDArray[Any]) -> SweepPlan:
        """Plan for the spins that some coupling touches; all others are free."""
        touched = np.zeros(self.n_spins, dtype=bool)
        touched[self.edges[active].ravel()] = True
        plan = self._graph_plan(touched) if self.shape is None else self._box_plan(touched)
        seconds = plan.cost / _RATE
        if seconds > _LONGEST_SECONDS:
            raise ValueError(
                f"a planar Ising sum of {plan.n_spins} spins with a frontier of"
                f" {plan.n_slots - 1} takes about {seconds:.0f} s a sweep; the limit is"
                f" {_LONGEST_SECONDS:.0f} s: take a smaller or narrower patch"
            )
        return plan

    @staticmethod
    def _threads(plan: SweepPlan, n: int, workers: int | None) -> int | None:
        """One thread for what is done before others have started."""
        return 1 if plan.cost * n < _RATE * _SHORT_SECONDS else workers

    def _box_plan(self, touched: Mask) -> SweepPlan:
        """Sweep of the smallest rectangle that holds the spins touched, along its longer side."""
        assert self.shape is not None
        rows, columns = _box(touched, self.shape)
        along, across = self._grid_edges
        along = along[rows, columns.start : columns.stop - 1]
        across = across[rows.start : rows.stop - 1, columns]
        if rows.stop - rows.start < columns.stop - columns.start:
            along, across = across.T, along.T
        return grid_plan(along, across)

    def _graph_plan(self, touched: Mask) -> SweepPlan:
        key = touched.tobytes()
        if key not in self._plans:
            if len(self._plans) >= _KEPT_PLANS:
                self._plans.clear()
            self._plans[key] = self._made_plan(touched)
        return self._plans[key]

    def _made_plan(self, touched: Mask) -> SweepPlan:
        sites = np.flatnonzero(touched)
        inside = np.flatnonzero(touched[self.edges].all(axis=1))
        graph: nx.Graph[Any] = nx.Graph()
        graph.add_nodes_from(sites.tolist())
        graph.add_edges_from(
            (i, j, {"edge": e})
            for e, (i, j) in zip(inside.tolist(), self.edges[inside].tolist(), strict=True)
        )
        return planar_plan(graph, self.embedding if touched.all() else None)

    @cached_property
    def _grid_edges(self) -> tuple[Indices, Indices]:
        """Edges inside rows and edges between rows of the open grid."""
        assert self.shape is not None
        n_rows, n_columns = self.shape
        row, column = np.divmod(self.edges[:, 0], n_columns)
        inside = self.edges[:, 1] // n_columns == row
        along = np.full((n_rows, max(n_columns - 1, 0)), -1, dtype=np.int64)
        across = np.full((max(n_rows - 1, 0), n_columns), -1, dtype=np.int64)
        index = np.arange(len(self.edges))
        along[row[inside], column[inside]] = index[inside]
        across[row[~inside], column[~inside]] = index[~inside]
        return along, across


def _moved(couplings: Floats, rows: Mask) -> Floats:
    """Some rows with their strong couplings moved into the range of floating point."""
    low, knee, high = _MOVED
    size = np.where(np.isinf(couplings), 0.0, np.abs(couplings))
    strong = size > low
    least = np.where(strong, size, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    excess = np.where(strong, size - np.where(np.isinf(least), 0.0, least), 0.0)
    top = excess.max(axis=1, keepdims=True, initial=0.0)
    width = knee - low
    squeezed = width + (excess - width) * (high - knee) / np.maximum(top - width, high - knee)
    value = np.copysign(low + np.where(excess > width, squeezed, excess), couplings)
    return np.where(rows[:, None] & strong, value, couplings)


def _box(touched: Mask, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Smallest rectangle of a grid that holds the spins touched; one spin if there are none."""
    grid = touched.reshape(shape)
    sides = []
    for axis in (1, 0):
        some = np.flatnonzero(grid.any(axis=axis))
        sides.append(slice(int(some[0]), int(some[-1]) + 1) if some.size else slice(0, 1))
    return sides[0], sides[1]
