r"""Reverse circuits on full tables: the exact law that comes out, and the bound T2 on its error.

The forward path noises one block after the other, :math:`p^{(0)} = p_0 \to p^{(1)} \to \dots \to
p^{(M)} = p_T`; gate m of the circuit undoes the m-th channel with the *local* prior of
:math:`p^{(m-1)}`, the exact law just before it, in which some sites carry the noise before the step
already and others that after it. Starting from the exact :math:`p_T`,

.. math:: 2\,\mathrm{TV}(p_0, \hat p_0)^2 \le \mathrm{KL}(p_0\|\hat p_0) \le \sum_m \Delta I_m ,
    \qquad \Delta I_m = I(A;C|B) - I(\tilde A;C|B) .
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from phasetheory._kernels import gates as kernels
from phasetheory.circuits.circuit import Circuit, Gate
from phasetheory.circuits.gate_table import GateTable, LocalBayes, local_bayes, noised
from phasetheory.engines.table import check_size
from phasetheory.models.table import Table
from phasetheory.noise import Erasure, Noise
from phasetheory.prior import Prior

__all__ = ["ForwardPath", "run_table"]

Floats = NDArray[np.float64]

#: Clean local priors up to this many entries are kept from step to step.
_KEPT = 2**16


class ForwardPath:
    """The forward laws of a discrete model along the times of a circuit.

    Args:
        model: Discrete prior on few sites.
        noise: Callable t -> BitFlip or Erasure.
        circuit: The circuit that will undo the path.

    Raises:
        ValueError: If the model is continuous or too large, or the noise does not act on it or
            does not grow with t.
    """

    def __init__(self, model: Prior, noise: Callable[[float], Noise], circuit: Circuit):
        if model.lattice.n_sites != circuit.lattice.n_sites:
            raise ValueError(
                f"circuit is made for {circuit.lattice.n_sites} sites: the model has"
                f" {model.lattice.n_sites}"
            )
        self.circuit, self.n_sites = circuit, model.lattice.n_sites
        levels = [noise(float(t)) for t in circuit.times]
        q = model.q
        if q is None or not all(level.is_discrete(q).all() for level in levels):
            raise ValueError(
                f"{levels[0].name} noise on {type(model).__name__}: tables need a discrete model"
                " under BitFlip or Erasure"
            )
        if any(level.n_sites is not None for level in levels):
            raise ValueError("noise has one t a site: a circuit needs the same t everywhere")
        self.n_symbols = len(levels[0].outputs(q))
        check_size(float(self.n_symbols) ** self.n_sites, "a circuit", "sample it instead")
        self.clean_table = Table.from_prior(model)
        self.levels = [_square(level, q) for level in levels]
        self.increments = [_square(early.increment(late), q) for late, early in pairwise(levels)]
        # Embedded among the symbols of the noise: nothing is erased at t = 0.
        padded = np.zeros((self.n_symbols,) * self.n_sites)
        padded[(slice(0, q),) * self.n_sites] = self.clean_table.probabilities
        self._clean = np.ascontiguousarray(padded).ravel()
        self._windows: dict[tuple[bytes, bytes], Floats] = {}
        self._tables: dict[tuple[bytes, bytes], GateTable] = {}

    def law(self, step: int) -> Floats:
        """Exact law at times[step], shape (n_symbols^n_sites,)."""
        return noised(self._clean.copy(), self.n_symbols, [self.levels[step]] * self.n_sites)

    def clean(self, table: Floats) -> Floats:
        """A law at t = 0 without the erased symbol, shape (q,)*n_sites."""
        q = self.clean_table.q
        shaped = table.reshape((self.n_symbols,) * self.n_sites)
        return np.ascontiguousarray(shaped[(slice(0, q),) * self.n_sites])

    def advance(self, table: Floats, step: int, gate: Gate) -> None:
        """Noise the block of a gate, in place, from times[step + 1] up to times[step]."""
        for site in gate.A.tolist():
            stride = self.n_symbols ** (self.n_sites - 1 - site)
            kernels.apply_channel(table, stride, self.increments[step])

    def gates(self, *, backward: bool) -> Iterator[tuple[int, Gate, NDArray[np.bool_]]]:
        """Triples (step, gate, done): the sites that the step has sent back before the gate.

        Args:
            backward: In the order of the circuit; else in the order of the forward path.
        """
        steps = range(self.circuit.n_steps)
        for step in steps if backward else reversed(steps):
            done, listed = np.zeros(self.n_sites, dtype=bool), []
            for layer in self.circuit.layers(step):
                for gate in layer:
                    listed.append((step, gate, done.copy()))
                    if not self.circuit.simultaneous:
                        done[gate.A] = True
            yield from listed if backward else reversed(listed)

    def bayes(self, step: int, gate: Gate, done: NDArray[np.bool_]) -> LocalBayes:
        """The gate's recovery, from the local prior of the law just before its noise."""
        sites = np.concatenate([gate.A, gate.B])
        early = done.copy()
        early[gate.A] = True
        levels = [self.levels[step + 1] if early[site] else self.levels[step] for site in sites]
        joint = noised(self._window(gate, sites).copy(), self.n_symbols, levels)
        return local_bayes(joint, self.increments[step], gate.A.size)

    def table_of(self, gate: Gate) -> GateTable:
        """Where the gate's sites lie in the table."""
        key = gate.A.tobytes(), gate.B.tobytes()
        if key not in self._tables:
            self._tables[key] = GateTable(gate, self.n_sites, self.n_symbols)
        return self._tables[key]

    def _window(self, gate: Gate, sites: NDArray[np.int64]) -> Floats:
        """Clean law of the sites of a gate, flat, in the order given."""
        key = gate.A.tobytes(), gate.B.tobytes()
        if key in self._windows:
            return self._windows[key]
        ordered = np.sort(sites)
        others = np.setdiff1d(np.arange(self.n_sites), ordered)
        table = self._clean.reshape((self.n_symbols,) * self.n_sites).sum(axis=tuple(others))
        axes = np.searchsorted(ordered, sites)
        window = np.ascontiguousarray(np.transpose(table, axes)).ravel()
        if window.size <= _KEPT:
            self._windows[key] = window
        return window


def _square(noise: Noise, q: int) -> Floats:
    """Channel on all symbols of the noise: what is erased stays erased."""
    channel = noise.channel(q)
    if isinstance(noise, Erasure):
        channel = np.concatenate([channel, np.eye(q + 1)[:, -1:]], axis=1)
    return np.ascontiguousarray(channel)


@dataclass(frozen=True)
class TableRun:
    """What came out of an exact circuit.

    Attributes:
        output: Law at t = 0, shape (q,)*n_sites.
        cmi: I(A;C|B) in the law before the noise of each gate, nats, in the circuit's order;
            empty if the terms were not asked for.
        terms: Its fall DeltaI through that noise, likewise.
    """

    output: Floats
    cmi: Floats
    terms: Floats


def run_table(path: ForwardPath, *, terms: bool = True, progress: bool = True) -> TableRun:
    """Run a circuit whose gates act one after the other, from the exact law at times[0].

    Args:
        path: Model, noise and circuit.
        terms: Compute the CMI terms of T2, a second sweep over the gates.
        progress: Show a bar on a terminal.

    Cost: a pass over the table for each gate, and for each gate with a large window |A| + |B|
    passes over its local prior; with terms another two passes, one of logarithms.
    """
    n_gates = path.circuit.n_gates
    found = np.zeros((2, n_gates if terms else 0))
    total = n_gates * (2 if terms else 1)
    with tqdm(total=total, desc="gates", disable=None if progress else True) as bar:
        if terms:
            table = path.law(path.circuit.n_steps)
            for index, (step, gate, done) in enumerate(path.gates(backward=False)):
                bayes = path.bayes(step, gate, done)
                found[:, n_gates - 1 - index] = path.table_of(gate).terms(table, bayes)
                path.advance(table, step, gate)
                bar.update()
        table = path.law(0)
        for step, gate, done in path.gates(backward=True):
            path.table_of(gate).recover(table, path.bayes(step, gate, done))
            bar.update()
    return TableRun(path.clean(table), *found)
