r"""What noisy loops say about the sector between two pinned sides.

Below the transition the noisy bonds of a wide patch tell whether an odd number of domain walls
runs between its pinned sides, so that :math:`I(S; y) \to \ln 2`; above it they do not, and
:math:`I(S; y) \to 0`. Curves for patches of different size but one shape cross at t_c. For the
toric code this is the information that decides whether a logical qubit survives.
"""

from typing import Any

import numpy as np

from phasetheory.estimate import Estimate
from phasetheory.information.conditional import mutual_information
from phasetheory.noisy import NoisyLaw

__all__ = ["sector_information"]

#: Bond of a pinned patch that joins its two sides.
_SECTOR = 0


def sector_information(law: NoisyLaw, *, n_samples: int = 2000, rng: Any = None) -> Estimate:
    r"""Information :math:`I(S; y)` of the noisy bonds about the sector of a pinned patch.

    Args:
        law: Noisy law of :meth:`phasetheory.LoopEnsemble.pinned`; whatever its noise on bond 0,
            the sector is the clean value of that bond, and y all other bonds.
        n_samples: Samples, at least 2; each gives the relative entropy of the sector's posterior
            to a fair coin.
        rng: Generator or seed.

    Returns:
        Estimate in nats, between 0 and ln 2.

    Raises:
        ValueError: If the law is not that of a pinned patch.

    Cost: two planar sums a sample; under erasure at coupling 0 one union-find.

    Source: Dennis, Kitaev, Landahl, Preskill, J. Math. Phys. 43, 4452 (2002), for the sectors.

    Example:
        Nothing erased: the sector is known.

        >>> import phasetheory as pt
        >>> patch = pt.LoopEnsemble.pinned((3, 2))
        >>> print(pt.sector_information(patch.noised(pt.Erasure(t=0.0)), n_samples=100, rng=0))
        0.693 +- 0 nats (100 samples)
    """
    labels = getattr(getattr(law.prior, "spins", None), "labels", None)
    if labels is None or tuple(labels[:2]) != ("left", "right"):
        raise ValueError(
            f"law of {law.prior!r}: sectors exist between pinned sides; build the prior with"
            " pt.LoopEnsemble.pinned(shape)"
        )
    others = np.ones(law.n_sites, dtype=bool)
    others[_SECTOR] = False
    clean = NoisyLaw(law.prior, law.noise.on(others))
    return mutual_information(clean, [_SECTOR], others, n_samples=n_samples, rng=rng)
