r"""Reverse circuits by sampling: any prior, any noise, lattices of any size.

Every gate draws its block exactly from the local posterior under the half-noised law before it,

.. math:: p(y_{s,A} | y_{t,A}, y_B) = \sum_{x_A} p(x_A | y_{t,A}, y_B)
          \prod_{i \in A} p(y_{s,i} | y_{t,i}, x_i),

so that the samples are draws of the circuit's output law, however far that is from the data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from phasetheory.circuits.circuit import Circuit
from phasetheory.circuits.gate_draws import Bridge, Data, Gates
from phasetheory.estimate import Estimate
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.noise import Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.sampling.reverse_state import init

__all__ = ["MAX_STATES", "SampledRun", "sample_circuit", "sample_gates"]

Batch = NDArray[Any]

#: Windows of up to this many states are tabulated.
MAX_STATES = 2**14


@dataclass(frozen=True, eq=False)
class SampledRun:
    """Samples of what comes out of a reverse circuit.

    Attributes:
        model: Law of the data that the circuit aims at.
        circuit: The circuit that was run.
        samples: Output at t = 0, shape (n, n_sites): int8 symbols, or float64 in units of the
            data under Gaussian noise.
        noises: Noise at every time of the circuit, n_steps + 1 of them.
        impossible: Number of (sample, block) pairs, over all gates, whose window held data of
            probability zero under the local prior, so that any completion served.
    """

    model: Prior = field(repr=False)
    circuit: Circuit = field(repr=False)
    samples: Batch = field(repr=False)
    noises: tuple[Noise, ...] = field(repr=False)
    impossible: int

    def observable(
        self, f: Callable[[Batch], ArrayLike], *, unit: str = "1", quantity: str = ""
    ) -> Estimate:
        """Mean of an observable over the output, with its standard error.

        Args:
            f: Maps a batch of shape (n, n_sites) to n numbers.
            unit: Their unit.
            quantity: What they are.

        Returns:
            The estimate; samples are independent of each other.

        Raises:
            ValueError: If f returns another shape, or fewer than two samples were drawn.
        """
        return _mean(f, self.samples, unit, quantity)

    def compare(
        self,
        f: Callable[[Batch], ArrayLike],
        *,
        model: Prior | None = None,
        n: int | None = None,
        rng: Any = None,
    ) -> tuple[Estimate, Estimate]:
        """The same observable of the output and of exact draws of the data.

        Args:
            f: Maps a batch of shape (n, n_sites) to n numbers.
            model: Law to compare with; the law of the data by default.
            n: Number of exact draws; as many as there are samples by default.
            rng: Generator or seed of the exact draws.

        Returns:
            (of the output, of the data).
        """
        law = self.model if model is None else model
        truth = law.sample(len(self.samples) if n is None else n, rng=rng)
        return self.observable(f), _mean(f, truth, "1", "")


def sample_circuit(
    model: Prior,
    noise: Callable[[float], Noise],
    circuit: Circuit,
    n: int,
    *,
    rng: Any = None,
    start: ArrayLike | None = None,
    progress: bool = True,
) -> SampledRun:
    """Undo noise with local recoveries, sample by sample: reverse circuits beyond tables.

    The law of the samples is that of :func:`phasetheory.reverse_circuit`, which gives it exactly
    on small tables and on Gaussian fields.

    Args:
        model: Law of the data; any prior of the package.
        noise: Callable t -> noise that acts on it: ``pt.BitFlip``, ``pt.Erasure``, ``pt.Gaussian``
            (or ``lambda t: pt.Gaussian(t, schedule)``).
        circuit: Times, radii, order and blocks.
        n: Number of samples, at least 1.
        rng: Generator or seed.
        start: Data at the first time, shape (n, n_sites), in the symbols or units of the noise;
            exact draws of the noisy law by default.
        progress: Show a bar on a terminal.

    Returns:
        The samples, with observables and their error bars.

    Raises:
        ValueError: If model, noise, circuit and start do not fit together, n < 1, or a mixture
            with components of variance 0 meets sites that are known exactly (the last step of all
            orders but "simultaneous"); all before any work.

    Cost: where the clean law of a window has at most 2^14 states, and fewer than there are draws
    from it, it is tabulated once (an evidence of the model for each state) and a gate takes about
    half a nanosecond for each state and sample. Windows of uniform loops are summed row by row
    while they are narrow (radius 4 and below on grids). Else a gate is a posterior of the model
    for each of its sites: of the window alone for Gaussian fields and mixtures, else of the whole
    lattice with evidence on the window.

    Example:
        Windows of radius 1 do not see around a face, so loops do not always close.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> from phasetheory.circuits.observables import is_closed
        >>> loops = pt.LoopEnsemble(pt.Lattice.grid((5, 5)))
        >>> circuit = pt.Circuit(loops.lattice, times=np.linspace(1, 0, 6), radius=0)
        >>> run = sample_circuit(loops, pt.BitFlip, circuit, 100, rng=0)
        >>> run.observable(lambda x: is_closed(loops, x)).value < 0.1
        True
    """
    levels = _levels(model, noise, circuit)
    if n < 1:
        raise ValueError(f"n={n}: at least 1 sample needed")
    rng = np.random.default_rng(rng)
    if start is None:
        y = init(model, levels[0], n, rng=rng).y
    else:
        y = _checked_start(start, model, levels[0], n)
    out, impossible = sample_gates(model, levels, circuit, y, rng=rng, progress=progress)
    return SampledRun(model, circuit, out, tuple(levels), impossible)


def sample_gates(
    model: Prior,
    levels: list[Noise],
    circuit: Circuit,
    y: Batch,
    *,
    rng: np.random.Generator,
    max_states: int = MAX_STATES,
    progress: bool = True,
) -> tuple[Batch, int]:
    """Send a batch at levels[0] through all gates of a circuit.

    Args:
        model: Law of the data.
        levels: Noise at every time of the circuit.
        circuit: The circuit.
        y: Shape (n, n_sites); left as it is.
        rng: Generator.
        max_states: Largest window that is tabulated; 0 leaves all gates, those on uniform loops
            too, to posteriors.
        progress: Show a bar on a terminal.

    Returns:
        (data at the last level, number of impossible (sample, block) pairs).
    """
    gates = Gates(model, max_states=max_states, n_draws=len(y) * circuit.n_steps)
    together = circuit.order == "simultaneous"
    data = Data(y.copy(), model, levels[0])
    impossible = 0
    bar = tqdm(total=circuit.n_gates, desc="gates", disable=None if progress else True)
    with bar:
        for step, (late, early) in enumerate(pairwise(levels)):
            back = Bridge(early, late, model.q)
            done = np.zeros(y.shape[1], dtype=bool)
            for layer in circuit.layers(step):
                after = data.copy() if together else data
                for gate in layer:
                    new, lost = gates.draw(gate, data, back, done, rng=rng)
                    after.replace(gate.A, new, early)
                    impossible += lost
                    done[gate.A] = not together
                    bar.update()
                data = after
    return data.y, impossible


def _mean(f: Callable[[Batch], ArrayLike], batch: Batch, unit: str, quantity: str) -> Estimate:
    values = np.asarray(f(batch), dtype=float)
    if values.shape != (len(batch),):
        raise ValueError(f"f returns shape {values.shape}: ({len(batch)},), one a sample, needed")
    return Estimate.from_samples(values, unit=unit, quantity=quantity)


def _levels(model: Prior, noise: Callable[[float], Noise], circuit: Circuit) -> list[Noise]:
    """The noise at every time, all arguments checked."""
    if model.lattice.n_sites != circuit.lattice.n_sites:
        raise ValueError(
            f"circuit is made for {circuit.lattice.n_sites} sites: the model has"
            f" {model.lattice.n_sites}"
        )
    levels = [noise(float(t)) for t in circuit.times]
    for level in levels:
        NoisyLaw(model, level)
        if level.n_sites is not None:
            raise ValueError("noise has one t a site: a circuit needs the same t everywhere")
    for late, early in pairwise(levels):
        early.increment(late)
    if isinstance(model, GaussianMixture) and (model.variance == 0).any():
        together = circuit.order == "simultaneous"
        last = [gate for layer in circuit.layers(circuit.n_steps - 1) for gate in layer]
        if any(gate.A.size + (0 if together else gate.B.size) > 1 for gate in last):
            raise ValueError(
                "components of variance 0: the last step would weigh them by sites that are known"
                " exactly, where they have no density; give them a variance > 0, or take single"
                " sites with order='simultaneous'"
            )
    return levels


def _checked_start(start: ArrayLike, model: Prior, noise: Noise, n: int) -> Batch:
    y = np.array(start)
    if y.shape != (n, model.lattice.n_sites):
        raise ValueError(f"start has shape {y.shape}: ({n}, {model.lattice.n_sites}) needed")
    if isinstance(noise, Gaussian):
        if not np.isfinite(y).all():
            raise ValueError("start holds NaN or infinite values: finite ones needed")
        return y.astype(float)
    assert model.q is not None
    allowed = noise.outputs(model.q)
    bad = y[~np.isin(y, allowed)]
    if bad.size:
        raise ValueError(
            f"start holds {bad[0]}: {noise.name} noise gives values {allowed.tolist()}"
        )
    return y.astype(np.int8)
