"""Circuits of local recovery gates: which sites are denoised when, and what each gate reads.

A circuit takes data from noise at time T = t_K down to t_0 = 0 in K steps. In each step every block
A of sites is sent back once, by a gate that reads A and the buffer B of sites within distance r of
it. A step is a sequence of *layers*; the gates of a layer all read the data before the layer.

What is local is the light cone, not the radius: a raster sweep with r = 1 carries what the first
site holds to the last one. So the cones are always computed from the gates.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.circuits.blocks import Indices, diameter, partition
from phasetheory.lattice import Lattice
from phasetheory.seeds import seed_sequence

__all__ = ["ORDERS", "Circuit", "Gate", "Layer"]

Floats = NDArray[np.float64]

#: Names of orders; any sequence that visits every block once is an order, too.
ORDERS = ("layers", "random", "raster", "simultaneous")


class Gate(NamedTuple):
    """One recovery: the sites sent back, and the buffer that is read beside them."""

    A: Indices
    B: Indices


#: Gates that read the data as they are before the layer.
Layer = tuple[Gate, ...]


@dataclass(frozen=True, eq=False)
class Circuit:
    r"""A reverse circuit of local gates.

    Attributes:
        lattice: Sites, with distances unless every gate is global.
        times: Strictly decreasing times in [0, 1] that end at 0, shape (K + 1,). Step k goes from
            times[k] to times[k + 1].
        radius: Buffer radius, a number, one a step, or a callable from the time before the step;
            `math.inf` makes the gates global. In lattice units.
        order: "layers" (default): parallel layers of gates with disjoint supports, from a greedy
            colouring, which is what makes a step local; "random": one gate after the other, a new
            order every step; "raster": one after the other in the order of sites;
            "simultaneous": all gates of a step read the data before the step, as a network does,
            which is exact only as steps shrink; or a sequence of block numbers, one after the
            other.
        block: Side of the square blocks A on grids (cut at the far ends), or the blocks
            themselves as a partition of the sites.
        rng: Generator or seed of the random orders.

    Raises:
        ValueError: If the times do not end at t = 0, a radius exceeds the lattice, or order or
            blocks repeat or omit a site.

    Example:
        >>> circuit = Circuit(Lattice.chain(7), times=[1.0, 0.5, 0.0], radius=1)
        >>> [[gate.A.tolist() for gate in layer] for layer in circuit.layers(0)]
        [[[0], [3], [6]], [[1], [4]], [[2], [5]]]
        >>> int(circuit.light_cones().sum(axis=1).max()), circuit.depth, circuit.cost
        (7, 6, 38)
    """

    lattice: Lattice
    times: Any
    radius: Any = 0
    order: Any = "layers"
    block: Any = 1
    rng: Any = field(default=0, repr=False)
    blocks: tuple[Indices, ...] = field(init=False, repr=False)
    _seeds: list[np.random.SeedSequence] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check everything before any work."""
        object.__setattr__(self, "times", _times(self.times))
        object.__setattr__(self, "radius", _radii(self.radius, self.times, self.lattice))
        object.__setattr__(self, "blocks", partition(self.lattice, self.block))
        object.__setattr__(self, "_seeds", seed_sequence(self.rng).spawn(self.n_steps))
        if isinstance(self.order, str):
            if self.order not in ORDERS:
                raise ValueError(
                    f"order={self.order!r}: one of {', '.join(ORDERS)}, or a sequence of block"
                    " numbers, needed"
                )
        else:
            object.__setattr__(self, "order", _permutation(self.order, len(self.blocks)))

    @property
    def n_steps(self) -> int:
        """Number of steps K."""
        return len(self.times) - 1

    @property
    def n_gates(self) -> int:
        """Number of gates, K times the number of blocks."""
        return self.n_steps * len(self.blocks)

    @property
    def simultaneous(self) -> bool:
        """Whether all gates of a step read the data before it."""
        return isinstance(self.order, str) and self.order == "simultaneous"

    def layers(self, step: int) -> tuple[Layer, ...]:
        """Layers of a step, in the order in which they are applied."""
        gates = self._gates(float(self.radius[step]))
        if self.simultaneous:
            return (gates,)
        if isinstance(self.order, str):
            if self.order == "layers":
                return self._coloured(float(self.radius[step]))
            turns = np.arange(len(gates))
            if self.order == "random":
                turns = np.random.default_rng(self._seeds[step]).permutation(turns)
        else:
            turns = self.order
        return tuple((gates[turn],) for turn in turns)

    def __iter__(self) -> Iterator[tuple[int, Layer]]:
        """Pairs (step, layer) in the order of application, from noise to data."""
        for step in range(self.n_steps):
            for layer in self.layers(step):
                yield step, layer

    @cached_property
    def depth(self) -> int:
        """Number of layers of all steps together."""
        return sum(len(self.layers(step)) for step in range(self.n_steps))

    @cached_property
    def cost(self) -> int:
        """Operations, counted as sites read: the sizes of A and B, summed over gates.

        A gate that reads a window once (a convolution, one row of attention) takes a number of
        operations proportional to its size; a global step on n sites costs n^2.
        """
        return int(sum(self.step_costs))

    @cached_property
    def step_costs(self) -> NDArray[np.int64]:
        """Sites read in each step, shape (K,)."""
        costs = [sum(g.A.size + g.B.size for g in self._gates(float(r))) for r in self.radius]
        return np.array(costs, dtype=np.int64)

    def light_cones(self) -> NDArray[np.bool_]:
        """Backward light cones: which sites of the start each site of the output can depend on.

        Returns:
            Shape (n_sites, n_sites), row = output site.

        Cost: one product of matrices a layer, until the cones fill the lattice.
        """
        n = self.lattice.n_sites
        cones = np.eye(n, dtype=np.float32)
        # From the last layer back: what an output depends on before it, given that after it.
        for step in reversed(range(self.n_steps)):
            for layer in reversed(self.layers(step)):
                reads = np.eye(n, dtype=np.float32)
                for gate in layer:
                    support = np.concatenate([gate.A, gate.B])
                    reads[np.ix_(gate.A, support)] = 1.0
                cones = np.minimum(cones @ reads, 1.0)
                if cones.all():
                    return np.ones((n, n), dtype=bool)
        return cones > 0

    def _gates(self, radius: float) -> Layer:
        if radius not in self._by_radius:
            gates = []
            for block in self.blocks:
                near = np.ones(self.lattice.n_sites, dtype=bool)
                if np.isfinite(radius):
                    near = self.lattice.distances(block) <= radius if radius > 0 else ~near
                near[block] = False
                gates.append(Gate(block, np.flatnonzero(near)))
            self._by_radius[radius] = tuple(gates)
        return self._by_radius[radius]

    def _coloured(self, radius: float) -> tuple[Layer, ...]:
        if radius not in self._colours:
            self._colours[radius] = _disjoint_layers(self._gates(radius), self.lattice.n_sites)
        return self._colours[radius]

    @cached_property
    def _by_radius(self) -> dict[float, Layer]:
        return {}

    @cached_property
    def _colours(self) -> dict[float, tuple[Layer, ...]]:
        return {}


def _disjoint_layers(gates: Layer, n_sites: int) -> tuple[Layer, ...]:
    """Layers of gates whose supports share no site, by greedy colouring in the order of blocks."""
    touching: list[list[int]] = [[] for _ in range(n_sites)]
    for index, gate in enumerate(gates):
        for site in np.concatenate([gate.A, gate.B]).tolist():
            touching[site].append(index)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(gates)))
    for sharing in touching:
        graph.add_edges_from((a, b) for i, a in enumerate(sharing) for b in sharing[:i])
    colour = nx.coloring.greedy_color(graph, strategy=lambda g, _: sorted(g))
    layers: list[list[Gate]] = [[] for _ in range(max(colour.values()) + 1)]
    for index, gate in enumerate(gates):
        layers[colour[index]].append(gate)
    return tuple(tuple(layer) for layer in layers)


def _times(times: ArrayLike) -> Floats:
    grid = np.array(times, dtype=float)
    if grid.ndim != 1 or grid.size < 2 or not ((grid >= 0) & (grid <= 1)).all():
        raise ValueError(f"times={times!r}: at least two numbers in [0, 1] needed")
    if not (np.diff(grid) < 0).all():
        raise ValueError(f"times={grid.tolist()}: strictly decreasing times needed")
    if grid[-1] != 0.0:
        raise ValueError(f"times end at t = {grid[-1]:g}: a reverse circuit has to reach t = 0")
    grid.setflags(write=False)
    return grid


def _radii(
    radius: float | Sequence[float] | Callable[[float], float], times: Floats, lattice: Lattice
) -> Floats:
    steps = len(times) - 1
    given = [radius(float(t)) for t in times[:-1]] if callable(radius) else radius
    radii = np.array(given, dtype=float)
    if radii.ndim > 1 or radii.size not in (1, steps):
        raise ValueError(f"radius has shape {radii.shape}: a number or {steps} (one a step) needed")
    radii = np.array(np.broadcast_to(radii, (steps,)))
    if not (radii >= 0).all():
        raise ValueError(f"radius={radii.tolist()}: numbers >= 0 (or inf for global gates) needed")
    finite = radii[np.isfinite(radii)]
    if finite.any() and finite.max() > (across := diameter(lattice)):
        raise ValueError(
            f"radius={finite.max():g}: the lattice is only {across:g} across; use math.inf"
            f" ({math.inf}) for global gates"
        )
    radii.setflags(write=False)
    return radii


def _permutation(order: ArrayLike, n: int) -> Indices:
    turns = np.array(order)
    if turns.ndim != 1 or not np.issubdtype(turns.dtype, np.integer):
        raise ValueError(f"order={order!r}: block numbers needed, each once")
    seen = np.bincount(turns[(turns >= 0) & (turns < n)], minlength=n)
    if (seen != 1).any() or turns.size != n:
        repeated, omitted = np.flatnonzero(seen > 1).tolist(), np.flatnonzero(seen == 0).tolist()
        raise ValueError(
            f"order has {turns.size} entries, repeats {repeated} and omits {omitted}: each of the"
            f" {n} blocks needed once"
        )
    return turns.astype(np.int64)
