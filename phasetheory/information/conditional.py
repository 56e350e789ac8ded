r"""Conditional mutual information of a noisy law, exact where it can be, sampled with errors else.

.. math:: I(A;C|B) = H(AB) + H(BC) - H(B) - H(ABC)

The sampled form is Rao-Blackwellised over the site to denoise: with cavity posteriors (A's own
observation left out),

.. math:: I(A;C|B) = \mathbb{E}\, \mathrm{KL}\big(p(y_A|y_{BC}) \,\|\, p(y_A|y_B)\big),

every term of which is non-negative. A block A goes site by site (chain rule).
"""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.information.batches import over_samples
from phasetheory.information.cavity import noisy_divergence
from phasetheory.lattice import Region, Tripartition
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import SiteLaws

__all__ = ["METHODS", "cmi", "mutual_information"]

Floats = NDArray[np.float64]

METHODS = ("auto", "exact", "cavity", "plain")
_QUANTITY = "conditional mutual information"


@overload
def cmi(
    law: NoisyLaw, parts: Tripartition, *, method: str = ..., n_samples: int = ..., rng: Any = ...
) -> Estimate: ...
@overload
def cmi(
    law: NoisyLaw,
    parts: Sequence[Tripartition],
    *,
    method: str = ...,
    n_samples: int = ...,
    rng: Any = ...,
) -> list[Estimate]: ...
def cmi(
    law: NoisyLaw,
    parts: Tripartition | Sequence[Tripartition],
    *,
    method: str = "auto",
    n_samples: int = 2000,
    rng: Any = None,
) -> Estimate | list[Estimate]:
    r"""Conditional mutual information :math:`I(A;C|B)` in the noisy law.

    Args:
        law: The noisy law.
        parts: One tripartition, or several (they then share entropies and samples, which makes
            a profile in r both cheaper and smoother).
        method: "exact" (from the model's closed-form entropies), "cavity" (sampled, one
            non-negative term a sample), "plain" (sampled, difference of four log-likelihoods: a
            cross-check with far larger errors), or "auto": exact where available, else cavity.
        n_samples: Samples for the sampled methods, at least 2.
        rng: Generator or seed.

    Returns:
        An Estimate in nats for each tripartition: stderr 0 where exact.

    Raises:
        ValueError: If a region does not fit the lattice, the method is unknown, or "exact" is
            asked for and the model has no closed form under this noise.

    Cost: exact, four entropies; cavity, 1 + (number of tripartitions) posteriors a sample and
    site of A.

    Source: arXiv:2508.06614; Rao-Blackwell form by the chain rule of relative entropy.

    Example:
        Two copies of one fair bit, B empty: I(A;C) = ln 2.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> copies = pt.CurieWeiss(2, coupling=np.inf)
        >>> parts = pt.Tripartition(A=[0], B=[], C=[1])
        >>> print(pt.cmi(copies.noised(pt.BitFlip(t=0.0)), parts))
        0.6931471806 nats (exact)
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: one of {', '.join(METHODS)} needed")
    if n_samples < 2:
        raise ValueError(f"n_samples={n_samples}: at least 2 needed")
    several = [parts] if isinstance(parts, Tripartition) else list(parts)
    if not several:
        return []
    for part in several:
        law.lattice.mask(part.union("ABC"))
    results = _exact(law, several) if method in ("auto", "exact") else None
    if results is None:
        if method == "exact":
            raise ValueError(
                f"method='exact': {type(law.prior).__name__} has no closed-form entropies under"
                f" {law.noise.name} noise on regions of {_largest(several)} sites, or none within"
                " its size limit; use method='cavity'"
            )
        of_samples = _plain_terms if method == "plain" else _cavity_terms
        terms = over_samples(
            law, lambda y: np.array(of_samples(law, y, several)), n_samples, rng=rng
        )
        results = [
            # Nothing to sample where C is empty.
            Estimate.from_samples(row, quantity=_QUANTITY)
            if part.C.size
            else Estimate(0.0, quantity=_QUANTITY)
            for part, row in zip(several, terms, strict=True)
        ]
    return results[0] if isinstance(parts, Tripartition) else results


def mutual_information(
    law: NoisyLaw, first: Region, second: Region, *, n_samples: int = 2000, rng: Any = None
) -> Estimate:
    """Mutual information I(A;C) of two regions of the noisy law: the CMI with an empty buffer.

    Args:
        law: The noisy law.
        first: Region A, not empty.
        second: Region C, disjoint from A.
        n_samples: Samples where there is no closed form.
        rng: Generator or seed.

    Returns:
        Estimate in nats.

    Raises:
        ValueError: If the regions overlap or do not fit the lattice.
    """
    parts = Tripartition(A=law.lattice.mask(first), B=[], C=law.lattice.mask(second))
    return cmi(law, parts, n_samples=n_samples, rng=rng)


def _largest(several: Sequence[Tripartition]) -> int:
    return max(part.union("ABC").size for part in several)


def _exact(law: NoisyLaw, several: Sequence[Tripartition]) -> list[Estimate] | None:
    """CMI of every tripartition from the distinct entropies they need; None without closed form."""
    regions: dict[bytes, NDArray[np.bool_]] = {}
    wanted = []
    for part in several:
        keys = []
        for names in ("AB", "BC", "B", "ABC"):
            mask = law.lattice.mask(part.union(names))
            keys.append(mask.tobytes())
            regions[keys[-1]] = mask
        wanted.append(keys)
    entropies = law.exact_entropies(list(regions.values()))
    if entropies is None:
        return None
    of = dict(zip(regions, entropies.tolist(), strict=True))
    return [
        Estimate((of[ab] - of[b]) - (of[abc] - of[bc]), quantity=_QUANTITY)
        for ab, bc, b, abc in wanted
    ]


def _cavity_terms(law: NoisyLaw, y: NDArray[Any], several: Sequence[Tripartition]) -> list[Floats]:
    """KL terms of the cavity form, shape (n,) for each tripartition, posteriors shared."""
    beliefs: dict[tuple[int, bytes], SiteLaws] = {}

    def belief(site: int, region: NDArray[np.int64]) -> SiteLaws:
        mask = law.lattice.mask(region)
        key = (site, mask.tobytes())
        if key not in beliefs:
            beliefs[key] = law.posterior(y, mask, [site])
        return beliefs[key]

    rows = []
    for part in several:
        terms = np.zeros(len(y))
        for index, site in enumerate(part.A.tolist()):
            if part.C.size:
                near = np.concatenate([part.B, part.A[:index]])
                everything = np.concatenate([near, part.C])
                terms += noisy_divergence(
                    belief(site, everything), belief(site, near), law.noise.at(site)
                )
        rows.append(terms)
    return rows


def _plain_terms(law: NoisyLaw, y: NDArray[Any], several: Sequence[Tripartition]) -> list[Floats]:
    """Log-likelihood differences, shape (n,) for each tripartition."""
    rows = []
    for part in several:
        log_p = {names: law.log_prob(y, part.union(names)) for names in ("AB", "BC", "B", "ABC")}
        rows.append(log_p["ABC"] + log_p["B"] - log_p["AB"] - log_p["BC"])
    return rows
