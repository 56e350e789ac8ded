r"""Cells of a partly known syndrome: what of a planar patch a set of plaquettes can see.

Bonds :math:`\eta_e = \pm 1` of a planar patch have the flux :math:`m_P = \prod_{e \in \partial P}
\eta_e` through every face P. If only some fluxes are known, bonds between two unknown faces can be
summed over, and what remains is a patch with fewer and larger faces, the *cells*:

- a known face is a cell;
- so is a connected set of unknown faces. The one that reaches the outside of the patch has no
  say; each of the others is a hole, and the flux through it is known or summed over.

Where the parity of a set of faces (a declared hole) is known, its rim keeps its bonds: cells do
not reach across. Known parities are linear equations modulo 2 for the fluxes of the holes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

__all__ = ["Cells", "DualGraph", "cells_of"]

Indices = NDArray[np.int64]
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DualGraph:
    """Faces of a planar patch and the bonds between them.

    Attributes:
        n_faces: Number F of inner faces; F itself stands for the outside.
        n_vertices: Number of vertices of the patch.
        sides: Faces on the two sides of every bond, shape (n_bonds, 2), entries 0..F.
    """

    n_faces: int
    n_vertices: int
    sides: Indices

    @classmethod
    def of_faces(
        cls, faces: Sequence[Sequence[int]], edges: Indices, n_vertices: int
    ) -> "DualGraph":
        """Dual graph of a patch from its inner faces, each a closed walk of vertices.

        A bond that no inner face, or the same face twice, borders on does not enter any flux.
        """
        bond = {(int(i), int(j)): e for e, (i, j) in enumerate(edges)}
        sides = np.full((len(edges), 2), len(faces), dtype=np.int64)
        seen = np.zeros(len(edges), dtype=np.int64)
        for face, walk in enumerate(faces):
            for i, j in zip(walk, [*walk[1:], walk[0]], strict=True):
                e = bond[min(i, j), max(i, j)]
                sides[e, seen[e]] = face
                seen[e] += 1
        return cls(len(faces), n_vertices, sides)

    @property
    def incidence(self) -> csr_array:
        """Which bonds enter the flux of which inner face, shape (n_bonds, n_faces)."""
        bonds = np.flatnonzero(self.sides[:, 0] != self.sides[:, 1])
        rows, columns = np.repeat(bonds, 2), self.sides[bonds].ravel()
        inner = columns < self.n_faces
        entries = (np.ones(int(inner.sum()), dtype=np.int32), (rows[inner], columns[inner]))
        return coo_array(entries, shape=(len(self.sides), self.n_faces)).tocsr()


@dataclass(frozen=True, eq=False)
class Cells:
    """The patch that known fluxes leave, and how fluxes become signs of its bonds.

    Signs are carried to the outside along a spanning tree of the dual: the sign of the bond
    between a cell and its parent is the product of all fluxes behind it.

    Attributes:
        bonds: Bonds between different cells, shape (n_kept,); all others are summed over.
        n_pieces: Connected pieces of the patch with these bonds, isolated vertices included.
        known: Cell of each known face, in the order of the faces.
        free: Cells of unknown flux, the outer one left out.
        particular: Bits that turn equations' right sides into fluxes of `free`, modulo 2, shape
            (n_free, n_equations).
        checks: Combinations of right sides that must be even, shape (n_checks, n_equations).
        freedom: Basis of the fluxes of `free` that no equation fixes, shape (dimension, n_free).
        levels: From the farthest to the nearest of the outside: cells, their parents, and the
            bonds between them.
        n_cells: Number of cells.
    """

    bonds: Indices
    n_pieces: int
    known: Indices
    free: Indices
    particular: Bits
    checks: Bits
    freedom: Bits
    levels: tuple[tuple[Indices, Indices, Indices], ...]
    n_cells: int

    def signs(self, fluxes: Bits, n_bonds: int) -> Bits:
        """Bonds (1 for -1) with the given fluxes.

        Args:
            fluxes: Flux of every cell, 1 for -1, shape (n_cells, n); that of the outer cell is
                ignored.
            n_bonds: Bonds of the patch.

        Returns:
            Shape (n_bonds, n).
        """
        behind = fluxes.copy()
        bits = np.zeros((n_bonds, fluxes.shape[1]), dtype=np.uint8)
        for cells, parents, bonds in self.levels:
            bits[bonds] = behind[cells]
            np.bitwise_xor.at(behind, parents, behind[cells])
        return bits


def cells_of(dual: DualGraph, known: Mask, holes: Mask) -> Cells:
    """Cells that remain when some fluxes and the parities of some holes are known.

    Args:
        dual: The patch.
        known: Faces of known flux, shape (n_faces,).
        holes: Declared holes whose parity is known, as masks of faces, shape (n_holes, n_faces).

    Returns:
        The cells.

    Cost: about 1 microsecond a bond, and (number of holes)^2 x free cells.
    """
    unknown = np.append(~known, True)
    rims = np.hstack([holes, np.zeros((len(holes), 1), dtype=bool)])
    i, j = dual.sides.T
    joined = unknown[i] & unknown[j] & (rims[:, i] == rims[:, j]).all(axis=0)
    size = dual.n_faces + 1
    merged = coo_array((np.ones(int(joined.sum())), (i[joined], j[joined])), shape=(size, size))
    n_cells, labels = connected_components(merged, directed=False)
    cell: Indices = np.asarray(labels, dtype=np.int64)
    bonds = np.flatnonzero(cell[i] != cell[j])
    outer = int(cell[-1])
    faces = np.flatnonzero(known)
    free = np.setdiff1d(cell[:-1][~known], [outer])
    # A hole's unknown faces are whole cells: none reaches across its rim.
    equations = np.zeros((len(holes), n_cells), dtype=np.uint8)
    for row, hole in zip(equations, holes, strict=True):
        row[cell[:-1][hole & ~known]] = 1
    particular, checks, freedom = _solved(equations[:, free])
    return Cells(
        bonds=bonds,
        # Euler: vertices - bonds + cells = 1 + pieces.
        n_pieces=dual.n_vertices - bonds.size + n_cells - 1,
        known=cell[:-1][faces],
        free=free,
        particular=particular,
        checks=checks,
        freedom=freedom,
        levels=_tree(cell[dual.sides[bonds]], bonds, n_cells, outer),
        n_cells=n_cells,
    )


def _solved(equations: Bits) -> tuple[Bits, Bits, Bits]:
    """Solve M x = b modulo 2 for every b: x = (particular) b if (checks) b = 0, plus freedom."""
    n_rows, n_columns = equations.shape
    matrix = equations.copy()
    done = np.eye(n_rows, dtype=np.uint8)
    pivots: list[int] = []
    for column in range(n_columns):
        rank = len(pivots)
        rows = rank + np.flatnonzero(matrix[rank:, column])
        if not rows.size:
            continue
        for both in (matrix, done):
            both[[rank, rows[0]]] = both[[rows[0], rank]]
        others = np.flatnonzero(matrix[:, column])
        others = others[others != rank]
        matrix[others] ^= matrix[rank]
        done[others] ^= done[rank]
        pivots.append(column)
    rank = len(pivots)
    particular = np.zeros((n_columns, n_rows), dtype=np.uint8)
    particular[pivots] = done[:rank]
    loose = np.setdiff1d(np.arange(n_columns), pivots)
    freedom = np.zeros((loose.size, n_columns), dtype=np.uint8)
    freedom[np.arange(loose.size), loose] = 1
    freedom[:, pivots] = matrix[:rank, loose].T
    return particular, done[rank:], freedom


def _tree(
    ends: Indices, bonds: Indices, n_cells: int, outer: int
) -> tuple[tuple[Indices, Indices, Indices], ...]:
    """Breadth-first tree of the cells from the outer one, level by level, farthest first."""
    low, high = np.sort(ends, axis=1).T
    key, first = np.unique(low * n_cells + high, return_index=True)
    graph = coo_array(
        (np.ones(key.size), (low[first], high[first])), shape=(n_cells, n_cells)
    ).tocsr()
    order, parent = breadth_first_order(graph, outer, directed=False)
    depth = np.zeros(n_cells, dtype=np.int64)
    for node in order[1:]:
        depth[node] = depth[parent[node]] + 1
    levels = []
    for level in range(int(depth.max(initial=0)), 0, -1):
        cells = np.flatnonzero(depth == level)
        above = parent[cells].astype(np.int64)
        pair = np.minimum(cells, above) * n_cells + np.maximum(cells, above)
        levels.append((cells, above, bonds[first[np.searchsorted(key, pair)]]))
    return tuple(levels)
