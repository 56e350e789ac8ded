"""Planar Ising sums by determinants: the matrices that a textbook gives, for sparse LU.

Both have det = Z^2 / (2^n prod cosh K)^2, entries tanh K, and open grids with row-major sites.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The fastest column order of SuperLU for each matrix, of those that it offers, at 64 x 64.
ORDERS = {"grassmann": "MMD_AT_PLUS_A", "kac_ward": "MMD_ATA"}


def kac_ward_matrix(edges: Ints, couplings: Floats, shape: tuple[int, int]) -> sp.csc_array:
    """1 - W over directed edges, W = tanh K exp(i angle/2) from edge to next edge.

    Kac, Ward, Phys. Rev. 88, 1332 (1952). No step goes straight back.

    Args:
        edges: Shape (n_edges, 2).
        couplings: Shape (n_edges,).
        shape: (rows, columns).
    """
    tail, head = np.concatenate([edges, edges[:, ::-1]]).T
    t = np.tanh(np.concatenate([couplings, couplings]))
    step = np.subtract(np.divmod(head, shape[1]), np.divmod(tail, shape[1]))
    direction = np.arctan2(step[0], step[1])
    n = tail.size
    leaving = sp.csr_array((np.ones(n), (tail, np.arange(n))), shape=(shape[0] * shape[1], n))
    arriving = sp.csr_array((np.ones(n), (np.arange(n), head)), shape=(n, shape[0] * shape[1]))
    pairs = (arriving @ leaving).tocoo()
    turn = direction[pairs.col] - direction[pairs.row]
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    forward = np.abs(np.abs(turn) - np.pi) > 1e-9
    values = t[pairs.col] * np.exp(0.5j * turn)
    walk = (values[forward], (pairs.row[forward], pairs.col[forward]))
    return sp.csc_array(sp.eye_array(n) - sp.csr_array(walk, shape=(n, n)))


def grassmann_matrix(edges: Ints, couplings: Floats, shape: tuple[int, int]) -> sp.csc_array:
    """Antisymmetric, four variables a site (right, left, up, down).

    Hurst, Green, J. Chem. Phys. 33, 1059 (1960), in the form of McCoy and Wu, The Two-Dimensional
    Ising Model (1973), chapter IV.

    Args:
        edges: Shape (n_edges, 2).
        couplings: Shape (n_edges,).
        shape: (rows, columns).
    """
    n = shape[0] * shape[1]
    city = np.array([[0, 1, -1, -1], [-1, 0, 1, -1], [1, -1, 0, 1], [1, 1, -1, 0]], dtype=float)
    inside = sp.kron(sp.eye_array(n), city)
    i, j = edges.T
    right = j == i + 1
    # Right of i to left of j; up of i to down of j.
    row = 4 * i + np.where(right, 0, 2)
    column = 4 * j + np.where(right, 1, 3)
    t = np.tanh(couplings)
    between = sp.csr_array((t, (row, column)), shape=(4 * n, 4 * n))
    return sp.csc_array(inside + between - between.T)


def log_partition(matrix: sp.csc_array, couplings: Floats, n_spins: int, order: str) -> float:
    """Log Z by sparse LU of one of the matrices.

    Args:
        matrix: One of the two.
        couplings: Shape (n_edges,).
        n_spins: Number of spins.
        order: Column order, as `permc_spec` of SuperLU; see ORDERS.
    """
    factors = splu(matrix, permc_spec=order, diag_pivot_thresh=0.1, options={"SymmetricMode": True})
    log_cosh = np.logaddexp(couplings, -couplings) - np.log(2.0)
    log_det = np.log(np.abs(factors.U.diagonal())).sum()
    return float(n_spins * np.log(2.0) + log_cosh.sum() + 0.5 * log_det)
