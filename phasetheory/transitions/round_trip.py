r"""Forward and back: with what probability does a label survive noising and denoising?

Noise the data to time t and denoise them exactly: the label S comes back as a fresh draw from its
posterior :math:`q_s = P(S = s|y)`. It is the old one with probability

.. math:: P = \mathbb{E} \sum_s q_s^2 .

With prior weights :math:`p_s` of L labels and :math:`I = I(S;R)`, four bounds tie P to the label
information, and each says something different:

- Jensen, :math:`I \le H(S) + \log P`;
- Fano, :math:`I \ge H(S) - h_2(P) - (1-P) \log(L-1)`;
- Pinsker, :math:`I \ge \tfrac12 \mathbb{E} \sum_s (q_s - p_s)^2`;
- chi-squared, :math:`I \le \sum_s \mathbb{E}\,(q_s - p_s)^2/p_s`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, xlogy

from phasetheory.estimate import Estimate
from phasetheory.information import enumerate_outputs, label_posterior
from phasetheory.lattice import Region
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Labelled

__all__ = ["ForwardBackward", "forward_backward"]

Floats = NDArray[np.float64]


_BOUND = "bound on the label information"
_QUANTITIES = {
    "success": "forward-backward success probability",
    "information": "label information",
    "pinsker": f"Pinsker's {_BOUND}",
    "chi_squared": f"chi-squared {_BOUND}",
}


@dataclass(frozen=True)
class ForwardBackward:
    """Success probability of a label, its information, and the bounds that tie them.

    All from the same noisy data, so that the bounds hold for the values themselves up to rounding.

    Attributes:
        success: P, the probability that the label returns; no unit.
        information: I(S;R), nats.
        jensen: H(S) + log P >= I, nats.
        fano: H(S) - h_2(P) - (1-P) log(L-1) <= I, nats.
        pinsker: E sum (q-p)^2 / 2 <= I, nats.
        chi_squared: sum E (q-p)^2/p >= I, nats.
        entropy: H(S), nats.
    """

    success: Estimate
    information: Estimate
    jensen: Estimate
    fano: Estimate
    pinsker: Estimate
    chi_squared: Estimate
    entropy: float

    @property
    def lower(self) -> float:
        """The better lower bound on the information, nats."""
        return max(self.fano.value, self.pinsker.value)

    @property
    def upper(self) -> float:
        """The better upper bound on the information, nats."""
        return min(self.jensen.value, self.chi_squared.value)


def forward_backward(
    law: NoisyLaw, region: Region = None, *, n_samples: int = 2000, rng: Any = None
) -> ForwardBackward:
    """Probability that the label survives the way to t and back, with its sandwich of bounds.

    Args:
        law: Noisy law of a labelled prior.
        region: What of y the way back may see: mask or indices; every site by default.
        n_samples: Samples where the noisy data are not enumerated (2^14 configurations), at
            least 2.
        rng: Generator or seed.

    Returns:
        The success probability and its bounds; standard errors 0 where enumerated.

    Raises:
        ValueError: If the prior has no labels, n_samples is too small, or the law has no density.

    Cost: one likelihood a label and sample.

    Source: bounds: Jensen, Fano, Pinsker, and log x <= x - 1.

    Example:
        A fair bit flipped with probability 0.1: it returns with probability 0.9^2 + 0.1^2.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> bit = pt.CurieWeiss(1, coupling=np.inf)
        >>> print(forward_backward(bit.noised(pt.BitFlip(t=0.2))).success)
        0.82 (exact)
    """
    if not isinstance(law.prior, Labelled):
        raise ValueError(
            f"{type(law.prior).__name__} has no labels: label_weights and given() needed"
        )
    if n_samples < 2:
        raise ValueError(f"n_samples={n_samples}: at least 2 needed")
    mask = law.lattice.mask(region)
    weights = np.asarray(law.prior.label_weights, dtype=float)
    weights = weights[weights > 0]
    outputs = enumerate_outputs(law, mask)
    if outputs is None:
        probability = None
        _, y = law.sample(n_samples, rng=rng)
    else:
        y, probability = outputs
    q = label_posterior(law, y, mask)
    away = np.square(q - weights)
    terms = {
        "success": np.square(q).sum(axis=1),
        "information": (xlogy(q, q) - xlogy(q, weights)).sum(axis=1),
        "pinsker": 0.5 * away.sum(axis=1),
        "chi_squared": (away / weights).sum(axis=1),
    }
    found = {
        name: _mean(values, probability, "1" if name == "success" else "nats", name)
        for name, values in terms.items()
    }
    entropy = float(entr(weights).sum())
    # 1 - P as a sum of its own: by subtraction, rounding could make it negative.
    failure = _mean((q * (1.0 - q)).sum(axis=1), probability, "1", "success").value
    jensen, fano = _from_success(found["success"], failure, entropy, len(weights))
    return ForwardBackward(**found, jensen=jensen, fano=fano, entropy=entropy)


def _mean(values: Floats, probability: Floats | None, unit: str, name: str) -> Estimate:
    quantity = _QUANTITIES[name]
    if probability is None:
        return Estimate.from_samples(values, unit=unit, quantity=quantity)
    return Estimate(float(values @ probability), unit=unit, quantity=quantity)


def _from_success(
    success: Estimate, failure: float, entropy: float, n_labels: int
) -> tuple[Estimate, Estimate]:
    """Jensen's and Fano's bound; errors by their slope in P."""
    p = success.value
    lost = float(entr(p) + entr(failure))
    others = float(np.log(n_labels - 1)) if n_labels > 1 else 0.0
    with np.errstate(divide="ignore"):
        slope = abs(float(np.log(p) - np.log(failure)) + others) if success.stderr else 0.0
    n, effective = success.n_samples, success.n_effective
    bounds = (
        ("Jensen's", entropy + float(np.log(p)), 1.0 / p),
        (
            "Fano's",
            entropy - lost - failure * others,
            slope,
        ),
    )
    jensen, fano = (
        Estimate(
            value,
            rate * success.stderr,
            n,
            effective,
            quantity=f"{name} {_BOUND}",
        )
        for name, value, rate in bounds
    )
    return jensen, fano
