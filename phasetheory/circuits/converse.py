r"""T4: what local circuits must get wrong, whatever their gates do.

Sites whose backward light cones share no site of the start come out independent if the start is a
product law. So for functions f, g of two such sets of sites, with values in [-1, 1], the output has
no covariance while the data have. With the means :math:`\bar f, \bar g` half way between data and
output,

.. math:: \mathrm{Cov}_{p}(f, g) = (\mathbb{E}_p - \mathbb{E}_{\hat p})
          [fg - \bar g f - \bar f g] ,

and the bracket varies by at most :math:`2(1 + \max(|\bar f|, |\bar g|)) \le 4` over the square, so

.. math:: \mathrm{TV}(p_0, \hat p_0) \ge \tfrac14 |\mathrm{Cov}_{p_0}(f, g)| ,

and half of the covariance instead of a quarter where f and g have mean zero in data and output.
(The triangle inequality, term by term, gives a sixth.)
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.circuits.circuit import Circuit
from phasetheory.estimate import Estimate
from phasetheory.models.table import Table
from phasetheory.prior import Prior

__all__ = ["Converse", "cone_bound"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Largest alphabet whose functions are all tried.
_MOST_SYMBOLS = 8


@dataclass(frozen=True, eq=False)
class Converse:
    """A lower bound on the error of every circuit with these light cones.

    Attributes:
        tv: Lower bound on the total variation distance, between 0 and 1/4; 0 where no two cones
            are disjoint.
        covariance: Cov(f, g) in the data.
        F: Sites of f; empty where no two cones are disjoint.
        G: Sites of g.
    """

    tv: Estimate
    covariance: Estimate
    F: Indices
    G: Indices


def cone_bound(
    model: Prior,
    circuit: Circuit,
    F: ArrayLike | None = None,
    G: ArrayLike | None = None,
    *,
    n_samples: int = 10_000,
    rng: Any = None,
) -> Converse:
    r"""T4: a lower bound on TV from correlations across disjoint light cones.

    .. math:: \mathrm{TV}(p_0, \hat p_0) \ge \tfrac14 |\mathrm{Cov}_{p_0}(f, g)|

    for every circuit with the gates' supports and order of this one, started from a product law,
    whatever its gates do.

    Args:
        model: Law of the data, discrete.
        circuit: Its times have to start at t = 1, where the noisy law is a product.
        F: Sites of f, the product of their spins (q = 2). With G None and F None, the best pair of
            single sites and of functions with values +-1 on them is taken, by a table.
        G: Sites of g.
        n_samples: Samples behind the covariance where the model is given no table: F and G given
            and more than 16 sites.
        rng: Generator or seed for them.

    Returns:
        The bound, with the sites behind it; zero if the cones of F and G meet, or if there is no
        pair. A sampled bound carries its error and is no certificate by itself: it can lie above
        the true one by chance.

    Raises:
        ValueError: If the circuit does not start at t = 1, the model is continuous, only one of F
            and G is given, or they are given for q > 2.

    Cost: the cones; a table for all pairs, or n_samples draws.

    Source: T4; the constant 1/4 by the identity above.

    Example:
        Two layers cannot copy a bit across a chain.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> code = pt.Table.from_prior(pt.CurieWeiss(9, coupling=np.inf))
        >>> code = pt.Table(pt.Lattice.chain(9), code.probabilities)
        >>> circuit = pt.Circuit(code.lattice, times=[1.0, 0.0], radius=1)
        >>> pt.cone_bound(code, circuit).tv.value
        0.25
    """
    if circuit.times[0] != 1.0:
        raise ValueError(
            f"circuit starts at t = {circuit.times[0]:g}: at t = 1, where the noisy law is a"
            " product, needed"
        )
    q = model.q
    if q is None:
        raise ValueError(f"{type(model).__name__} is continuous: a discrete model needed")
    if (F is None) != (G is None):
        raise ValueError("F and G: both or neither needed")
    if n_samples < 2:
        raise ValueError(f"n_samples={n_samples}: at least 2 needed")
    cones = circuit.light_cones()
    if F is None or G is None:
        return _best_pair(Table.from_prior(model), cones)
    if q != 2:
        raise ValueError(f"F and G multiply spins: q = 2 needed, the model has q = {q}")
    sites = [np.flatnonzero(model.lattice.mask(region)) for region in (F, G)]
    reached = [cones[region].any(axis=0) for region in sites]
    if (reached[0] & reached[1]).any():
        return _nothing()
    if model.lattice.n_sites <= 16:
        table = Table.from_prior(model).probabilities
        signs = [_product_of_spins(table.ndim, region) for region in sites]
        both, one, two = (float((table * f).sum()) for f in (signs[0] * signs[1], *signs))
        return _bound(Estimate(both - one * two, unit="1", quantity="covariance"), *sites)
    x = model.sample(n_samples, rng=rng)
    f, g = (x[:, region].astype(float).prod(axis=1) for region in sites)
    terms = (f - f.mean()) * (g - g.mean())
    covariance = Estimate.from_samples(terms, unit="1", quantity="covariance")
    return _bound(covariance, *sites)


def _best_pair(model: Table, cones: NDArray[np.bool_]) -> Converse:
    """The pair of single sites, and functions on them, of the largest covariance."""
    reach = cones.astype(np.int64)
    apart = np.argwhere(np.triu(reach @ reach.T == 0, 1))
    best, pair = 0.0, None
    for i, j in apart:
        others = tuple(site for site in range(model.lattice.n_sites) if site not in (i, j))
        joint = model.probabilities.sum(axis=others)
        excess = joint - np.outer(joint.sum(axis=1), joint.sum(axis=0))
        found = _largest(excess)
        if found > best:
            best, pair = found, (i, j)
    if pair is None:
        return _nothing()
    covariance = Estimate(best, unit="1", quantity="covariance")
    return _bound(covariance, *(np.array([site]) for site in pair))


def _largest(excess: Floats) -> float:
    """The largest f^T excess g over f and g with entries +-1, or over indicators if q is large."""
    q = len(excess)
    if q > _MOST_SYMBOLS:
        return float(4.0 * np.abs(excess).max())
    signs = np.array([(1.0, *rest) for rest in product((-1.0, 1.0), repeat=q - 1)])
    return float(np.abs(signs @ excess).sum(axis=1).max())


def _product_of_spins(n_sites: int, region: Indices) -> Floats:
    shape = [2 if site in region else 1 for site in range(n_sites)]
    signs = np.ones(())
    for _ in region:
        signs = np.multiply.outer(signs, np.array([-1.0, 1.0]))
    return signs.reshape(shape)


def _bound(covariance: Estimate, F: Indices, G: Indices) -> Converse:
    tv = Estimate(
        abs(covariance.value) / 4.0,
        covariance.stderr / 4.0,
        covariance.n_samples,
        covariance.n_effective,
        unit="1",
        quantity="lower bound on tv",
    )
    return Converse(tv, covariance, F, G)


def _nothing() -> Converse:
    empty = np.zeros(0, dtype=np.int64)
    return _bound(Estimate(0.0, unit="1", quantity="covariance"), empty, empty)
