r"""Information about labels, for priors that are mixtures with one component prior a label.

.. math:: I(S;R) = H(y_R) - \sum_s w_s H(y_R|s), \qquad
          I(A;C|B,S) = \sum_s w_s I(A;C|B)_{S=s}
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, xlogy

from phasetheory.estimate import Estimate
from phasetheory.information.conditional import cmi
from phasetheory.lattice import Region, Tripartition
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Labelled

__all__ = ["cmi_given_label", "label_information", "label_posterior"]

Floats = NDArray[np.float64]


def label_posterior(law: NoisyLaw, y: ArrayLike, region: Region = None) -> Floats:
    """Posterior P(S = s | y_R) of the labels.

    Args:
        law: Noisy law of a labelled prior.
        y: Shape (n, n_sites).
        region: Mask or indices; every site by default.

    Returns:
        Shape (n, n_labels), rows sum to one.

    Raises:
        ValueError: If the prior has no labels.
    """
    branches = _branches(law)
    log_joint = np.stack([np.log(w) + b.log_prob(y, region) for w, b in branches], axis=1)
    return np.asarray(np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True)))


def label_information(
    law: NoisyLaw, region: Region = None, *, n_samples: int = 2000, rng: Any = None
) -> Estimate:
    """Mutual information I(S;R) between the label and the noisy data on a region.

    Args:
        law: Noisy law of a labelled prior.
        region: Mask or indices; every site by default.
        n_samples: Samples where there is no closed form.
        rng: Generator or seed.

    Returns:
        Estimate in nats, between 0 and H(S): exact where the entropies of the law and of every
        branch are, else the sampled mean of KL(P(S|y_R) || P(S)).

    Raises:
        ValueError: If the prior has no labels.
    """
    branches = _branches(law)
    mask = law.lattice.mask(region)
    weights = np.array([w for w, _ in branches])
    whole = law.exact_entropies([mask])
    parts = [b.exact_entropies([mask]) for _, b in branches] if whole is not None else [None]
    if whole is not None and all(part is not None for part in parts):
        given = sum(w * float(p[0]) for w, p in zip(weights, parts, strict=True) if p is not None)
        return Estimate(float(whole[0]) - given, quantity="label information")
    _, y = law.sample(n_samples, rng=rng)
    posterior = label_posterior(law, y, mask)
    terms = xlogy(posterior, posterior).sum(axis=1) - (posterior * np.log(weights)).sum(axis=1)
    return Estimate.from_samples(terms, quantity="label information")


def cmi_given_label(
    law: NoisyLaw,
    parts: Tripartition,
    *,
    method: str = "auto",
    n_samples: int = 2000,
    rng: Any = None,
) -> Estimate:
    """Conditional mutual information I(A;C|B,S) given the label as well.

    Args:
        law: Noisy law of a labelled prior.
        parts: Tripartition.
        method: As in :func:`phasetheory.cmi`.
        n_samples: Samples a label, where sampled.
        rng: Generator or seed; every label gets a child of its own.

    Returns:
        Estimate in nats.

    Raises:
        ValueError: If the prior has no labels.
    """
    branches = _branches(law)
    children = np.random.default_rng(rng).spawn(len(branches))
    terms = [
        (w, cmi(b, parts, method=method, n_samples=n_samples, rng=child))
        for (w, b), child in zip(branches, children, strict=True)
    ]
    return Estimate(
        sum(w * e.value for w, e in terms),
        float(np.sqrt(sum((w * e.stderr) ** 2 for w, e in terms))),
        sum(e.n_samples for _, e in terms),
        min(e.n_effective for _, e in terms),
        quantity="conditional mutual information given the label",
    )


def _branches(law: NoisyLaw) -> list[tuple[float, NoisyLaw]]:
    """Weight and noisy law of every label that has weight."""
    if not isinstance(law.prior, Labelled):
        raise ValueError(
            f"{type(law.prior).__name__} has no labels: label_weights and given() needed"
        )
    return [
        (float(w), NoisyLaw(law.prior.given(label), law.noise))
        for label, w in enumerate(law.prior.label_weights)
        if w > 0
    ]
