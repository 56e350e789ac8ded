"""Clean laws of windows: how many states they have, which, and smaller models of the same law."""

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from phasetheory.engines.planar_faces import is_plain_grid
from phasetheory.engines.table import states
from phasetheory.lattice import Lattice
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.models.ising import Ising
from phasetheory.models.loops import LoopEnsemble
from phasetheory.models.table import Table
from phasetheory.noise import Evidence, symbols
from phasetheory.prior import Prior

__all__ = ["clean_law", "count_evidences", "count_states", "marginal"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Entries of evidence held at once.
_BLOCK = 2**22


def count_states(model: Prior, sites: Indices) -> float:
    """Number of states of a window that may have positive weight; inf for continuous models."""
    if model.q is None:
        return float("inf")
    if isinstance(model, LoopEnsemble):
        graph = _graph(model, sites)
        return 2.0 ** (len(graph) - nx.number_connected_components(graph))
    return float(model.q) ** sites.size


def count_evidences(model: Prior, sites: Indices) -> float:
    """Number of evidences of the model that the table of a window takes."""
    if _table(model) is not None or (isinstance(model, LoopEnsemble) and not model.coupling.any()):
        return 0.0
    return count_states(model, sites)


def marginal(model: Prior, sites: Indices) -> Prior | None:
    """The law of some sites by itself, as a model on as many sites; None if there is none.

    Args:
        model: Law of all sites.
        sites: Sorted indices.

    Returns:
        The marginal of Gaussian fields and mixtures, and of uniform loops: free spins outside
        a window say nothing about the bonds inside.
    """
    if isinstance(model, GaussianField):
        covariance = model.covariance.block(sites, sites)
        return GaussianField(Lattice.bare(sites.size), model.mean[sites], covariance)
    if isinstance(model, GaussianMixture):
        lattice = Lattice.bare(sites.size)
        return GaussianMixture(
            lattice, model.means[:, sites], model.variance, weights=model.weights
        )
    if isinstance(model, LoopEnsemble) and not model.coupling.any():
        graph = _graph(model, sites)
        if nx.is_connected(graph):
            return LoopEnsemble(_patch(model.spins, graph))
    return None


def clean_law(model: Prior, sites: Indices) -> tuple[NDArray[np.int8], Floats]:
    """States of a window and their log-probabilities, some of them perhaps -inf."""
    table = _table(model)
    if table is not None:
        ordered = np.sort(sites)
        others = np.setdiff1d(np.arange(model.lattice.n_sites), ordered)
        law = table.probabilities.sum(axis=tuple(others.tolist()))
        law = np.transpose(law, np.searchsorted(ordered, sites))
        with np.errstate(divide="ignore"):
            return states(sites.size, table.q), np.log(law).ravel()
    assert model.q is not None
    if isinstance(model, LoopEnsemble):
        index = _bond_states(model, sites)
        if not model.coupling.any():
            return index, np.full(len(index), -np.log(len(index)))
    else:
        index = states(sites.size, model.q)
    log_p = np.empty(len(index))
    rows = max(1, _BLOCK // (model.lattice.n_sites * model.q))
    for start in range(0, len(index), rows):
        chunk = slice(start, start + rows)
        log_p[chunk] = model.log_evidence(_known(model, sites, index[chunk]))
    return index, log_p


def _table(model: Prior) -> Table | None:
    """The full table of a model that holds one."""
    if isinstance(model, Ising) and model.solver == "table":
        return model.table
    return model if isinstance(model, Table) else None


def _known(model: Prior, sites: Indices, index: NDArray[np.int8]) -> Evidence:
    """Evidence that knows the sites of a window exactly, and nothing else."""
    assert model.q is not None
    if model.q == 2:
        h = np.zeros((len(index), model.lattice.n_sites))
        h[:, sites] = np.copysign(np.inf, symbols(2)[index])
        return h
    like = np.zeros((len(index), model.lattice.n_sites, model.q))
    like[:, sites] = np.where(index[..., None] == np.arange(model.q), 0.0, -np.inf)
    return like


def _graph(model: LoopEnsemble, sites: Indices) -> "nx.Graph[int]":
    """The spins at the ends of some bonds, in their order, joined by these bonds."""
    edges = model.spins.edges[sites]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(np.unique(edges).tolist())
    graph.add_edges_from(edges.tolist())
    return graph


def _bond_states(model: LoopEnsemble, sites: Indices) -> NDArray[np.int8]:
    """Values of some bonds that spins can give them: the first spin of each piece is held."""
    graph = _graph(model, sites)
    held = {min(piece) for piece in nx.connected_components(graph)}
    free = [spin for spin in graph if spin not in held]
    spins = np.zeros((2 ** len(free), model.spins.n_sites), dtype=np.int8)
    spins[:, free] = states(len(free), 2)
    i, j = model.spins.edges[sites].T
    return (1 - (spins[:, i] ^ spins[:, j])).astype(np.int8)


def _patch(spins: Lattice, graph: "nx.Graph[int]") -> Lattice:
    """Lattice of a connected part of the spins; a grid where it is a rectangle of one."""
    if is_plain_grid(spins):
        assert spins.shape is not None
        corner = np.array(np.unravel_index(list(graph), spins.shape))
        shape = tuple((np.ptp(corner, axis=1) + 1).tolist())
        rectangle = Lattice.grid(shape)
        if rectangle.n_sites == len(graph) and len(rectangle.edges) == graph.number_of_edges():
            return rectangle
    return Lattice.from_graph(graph)
