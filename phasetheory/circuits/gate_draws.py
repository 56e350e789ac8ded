"""Drawing the blocks of gates for a whole batch: sums over windows, or posteriors of the model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.circuits.circuit import Gate
from phasetheory.circuits.loop_windows import MAX_OPEN, LoopWindow, open_spins
from phasetheory.circuits.window_laws import count_evidences, count_states, marginal
from phasetheory.circuits.windows import Likelihoods, WindowTable
from phasetheory.engines.table import states
from phasetheory.models.loops import LoopEnsemble
from phasetheory.noise import Gaussian, Noise, symbols
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, Prior
from phasetheory.sampling.reverse_discrete import bridge_table
from phasetheory.sampling.reverse_gaussian import bridge
from phasetheory.sampling.reverse_state import draw_clean, mixed

__all__ = ["Bridge", "Data", "Gates"]

Batch = NDArray[Any]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Data:
    """A batch on its way back, and what it says about every discrete site.

    Attributes:
        y: Shape (n, n_sites).
        likelihoods: Of the clean symbols; None for continuous models.
    """

    def __init__(self, y: Batch, model: Prior, noise: Noise):
        self.y = y
        self.likelihoods = None if model.q is None else Likelihoods(y, noise, model.q)

    def copy(self) -> "Data":
        """Return a copy, whose changes stay apart."""
        twin = object.__new__(Data)
        twin.y = self.y.copy()
        twin.likelihoods = None if self.likelihoods is None else self.likelihoods.copy()
        return twin

    def replace(self, sites: Indices, new: Batch, noise: Noise) -> None:
        """Take new values of some sites, shape (n, sites), that carry a uniform noise now."""
        self.y[:, sites] = new
        if self.likelihoods is not None:
            self.likelihoods.update(sites, new, noise)


class Bridge:
    """The way back p(y_s | y_t, x) of single sites through one step."""

    def __init__(self, early: Noise, late: Noise, q: int | None):
        self.early, self.late, self.q = early, late, q
        if isinstance(late, Gaussian):
            assert isinstance(early, Gaussian)
            self._coefficients = bridge(early, late)
        else:
            assert q is not None
            self._outputs = late.outputs(q)
            self._below = np.cumsum(bridge_table(early, late, q), axis=-1)

    def draw(self, y: Batch, x: Batch, rng: np.random.Generator) -> Batch:
        """Earlier values, given those now and clean ones, all of shape (n, m)."""
        if isinstance(self.early, Gaussian):
            if self.early.sigma == 0:
                # No rounding: spins that are known exactly have to be +-alpha to the last digit.
                return np.asarray(self.early.alpha * x, dtype=float)
            c_y, c_x, variance = self._coefficients
            return np.asarray(c_y * y + c_x * x + np.sqrt(variance) * rng.standard_normal(y.shape))
        assert self.q is not None
        now = (y[..., None] == self._outputs).argmax(axis=-1)
        clean = np.searchsorted(symbols(self.q), x)
        below = self._below[now, clean]
        # Scaled by the sum, which is one up to rounding, so that no draw falls off the end.
        u = rng.random(y.shape)[..., None] * below[..., -1:]
        return self._outputs[(u >= below[..., :-1]).sum(axis=-1)]


class Gates:
    """Draws the blocks of gates; keeps the tables of windows from step to step."""

    def __init__(self, model: Prior, *, max_states: int, n_draws: int):
        self._model, self._max_states, self._n_draws = model, max_states, n_draws
        self._tables: dict[tuple[bytes, bytes], LoopWindow | WindowTable | None] = {}
        self._smaller: dict[bytes, Prior | None] = {}

    def draw(
        self, gate: Gate, data: Data, back: Bridge, done: Mask, *, rng: np.random.Generator
    ) -> tuple[Batch, int]:
        """New values of a gate's block, shape (n, |A|), and how many samples were impossible."""
        key = gate.A.tobytes(), gate.B.tobytes()
        if key not in self._tables:
            self._tables[key] = self._window(gate)
        table = self._tables[key]
        if table is None:
            return self._by_posterior(gate, data.y, back, done, rng)
        assert data.likelihoods is not None
        weights, impossible = table.posterior(data.likelihoods)
        below = np.cumsum(weights, axis=0)
        picked = (rng.random(below.shape[1]) * below[-1] >= below[:-1]).sum(axis=0)
        now, values = data.y[:, gate.A], symbols(table.q)[states(gate.A.size, table.q)]
        new = back.draw(now, values[picked], rng)
        # No completion at all: the block stays as it is.
        stuck = below[-1] == 0
        new[stuck] = now[stuck]
        return new, int(impossible.sum())

    def _window(self, gate: Gate) -> LoopWindow | WindowTable | None:
        """What sums over the states of a gate's window; None where posteriors are cheaper."""
        model, sites = self._model, np.concatenate(gate)
        if self._max_states and isinstance(model, LoopEnsemble) and not model.coupling.any():
            return LoopWindow(model, gate) if open_spins(model, gate) <= MAX_OPEN else None
        small = count_states(model, sites) <= self._max_states
        pays = small and count_evidences(model, sites) <= self._n_draws
        return WindowTable.of(model, gate) if pays else None

    def _by_posterior(
        self, gate: Gate, y: Batch, back: Bridge, done: Mask, rng: np.random.Generator
    ) -> tuple[Batch, int]:
        """Site by site within the block, each site reading those before it: the chain rule."""
        model, sites = self._window_model(gate)
        y, done = y[:, sites], done[sites]
        block, window = np.isin(sites, gate.A), np.isin(sites, np.concatenate(gate))
        impossible = 0
        for site in np.flatnonzero(block):
            law = NoisyLaw(model, mixed(back.early, back.late, done))
            x, lost, stuck = _draw_site(law, y, int(site), (window, block), rng)
            now = y[:, site, None]
            y[:, site, None] = np.where(stuck[:, None], now, back.draw(now, x, rng))
            done[site] = True
            impossible = max(impossible, lost)
        return y[:, block], impossible

    def _window_model(self, gate: Gate) -> tuple[Prior, Indices]:
        """Model to ask, and the sites of the lattice that its sites are."""
        sites = np.sort(np.concatenate(gate))
        whole = np.arange(self._model.lattice.n_sites)
        if sites.size == whole.size:
            return self._model, whole
        key = sites.tobytes()
        if key not in self._smaller:
            self._smaller[key] = marginal(self._model, sites)
        smaller = self._smaller[key]
        return (self._model, whole) if smaller is None else (smaller, sites)


def _draw_site(
    law: NoisyLaw, y: Batch, site: int, regions: tuple[Mask, Mask], rng: np.random.Generator
) -> tuple[Batch, int, Mask]:
    """Clean values of a site, shape (n, 1), from its posterior given the window.

    Where the window's data have probability zero, the block alone is read.

    Returns:
        (values, number of samples with an impossible window, which have an impossible block too).
    """
    open_rows = np.arange(len(y))
    try:
        laws = law.posterior(y, regions[0], [site])
        return draw_clean(laws, len(y), rng=rng), 0, np.zeros(len(y), dtype=bool)
    except ValueError:
        if law.prior.q is None:
            raise
    log_p, lost = np.zeros((len(y), 1, law.prior.q)), []
    for region in regions:
        evidence, _ = law.noise.evidence(y[open_rows], region, law.prior.q)
        possible = np.isfinite(law.prior.log_evidence(evidence))
        rows, open_rows = open_rows[possible], open_rows[~possible]
        lost.append(open_rows)
        if rows.size:
            found = law.posterior(y[rows], region, [site])
            assert isinstance(found, DiscreteLaws)
            log_p[rows] = found.log_p
    if not lost[0].size:
        # All data were possible, so that the refusal was about something else.
        law.posterior(y, regions[0], [site])
    stuck = np.zeros(len(y), dtype=bool)
    stuck[lost[1]] = True
    return draw_clean(DiscreteLaws(log_p), len(y), rng=rng), lost[0].size, stuck
