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
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import Estimate
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
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: one of {', '.join(METHODS)} needed")
    if n_samples < 2:
        raise ValueError(f"n_samples={n_samples}: at least 2 needed")
    several = [parts] if isinstance(parts, Tripartition) else list(parts)
    for part in several:
        law.lattice.mask(part.union("ABC"))
    results = _exact(law, several) if method in ("auto", "exact") else None
    if results is None:
        if method == "exact":
            raise ValueError(
                f"method='exact': {type(law.prior).__name__} has no closed-form entropies under"
                f" {law.noise.name} noise; use method='cavity'"
            )
        _, y = law.sample(n_samples, rng=rng)
        terms = _plain if method == "plain" else _CavityTerms(law, y)
        results = [
            Estimate.from_samples(terms(law, y, part), quantity=_QUANTITY) for part in several
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


class _CavityTerms:
    """KL terms of the cavity form, reusing posteriors that several tripartitions share."""

    def __init__(self, law: NoisyLaw, y: ArrayLike) -> None:
        self._law = law
        self._y = y
        self._posteriors: dict[tuple[int, bytes], SiteLaws] = {}

    def __call__(self, law: NoisyLaw, y: ArrayLike, part: Tripartition) -> Floats:
        terms = np.zeros(len(np.asarray(y)))
        seen: list[int] = []
        for site in part.A.tolist():
            near = self._belief(site, np.concatenate([part.B, seen]))
            all_seen = np.concatenate([part.B, part.C, seen])
            if part.C.size:
                terms += noisy_divergence(self._belief(site, all_seen), near, law.noise.at(site))
            seen.append(site)
        return terms

    def _belief(self, site: int, region: NDArray[Any]) -> SiteLaws:
        mask = self._law.lattice.mask(region.astype(np.int64))
        key = (site, mask.tobytes())
        if key not in self._posteriors:
            self._posteriors[key] = self._law.posterior(self._y, mask, [site])
        return self._posteriors[key]


def _plain(law: NoisyLaw, y: ArrayLike, part: Tripartition) -> Floats:
    log_p = {names: law.log_prob(y, part.union(names)) for names in ("AB", "BC", "B", "ABC")}
    return np.asarray(log_p["ABC"] + log_p["B"] - log_p["AB"] - log_p["BC"])
