r"""T3: how wide a buffer has to be, from an envelope of the CMI in the law before every gate."""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["envelope", "sufficient_radii"]


def envelope(cmi_by_radius: Sequence[float]) -> tuple[float, float]:
    r"""(gamma, xi) with :math:`I_r \le \gamma e^{-r/\xi}` for r = 0, 1, ..., the last.

    Args:
        cmi_by_radius: Largest CMI of any gate at radius 0, 1, 2, ..., nats, positive.

    Returns:
        gamma in nats and xi in lattice units: the slowest decay from one radius to the next, and
        the smallest gamma that fits it.

    Raises:
        ValueError: If there are fewer than two values, or they are not positive and falling.

    Cost: none to speak of.

    Source: the hypothesis of T3 (arXiv:2508.06614). It is shown for the radii given only.
    """
    values = np.asarray(cmi_by_radius, dtype=float)
    fit = values.ndim == 1 and values.size >= 2 and bool((values > 0).all())
    if not fit or not (np.diff(values) < 0).all():
        raise ValueError(
            f"cmi_by_radius={values.tolist()}: at least two positive values that fall from each to"
            " the next needed"
        )
    xi = float(1.0 / -np.diff(np.log(values)).max())
    return float((values * np.exp(np.arange(values.size) / xi)).max()), xi


def sufficient_radii(
    n_sites: int, n_steps: int, gamma: float, xi: float, tv: float
) -> dict[str, float]:
    r"""Buffer radii that T3 asks for, before rounding up, in lattice units.

    Args:
        n_sites: N.
        n_steps: K.
        gamma: Amplitude of the envelope, nats.
        xi: Its length.
        tv: Total variation allowed, epsilon.

    Returns:
        "composition": :math:`\xi\log(NK\gamma/(2\epsilon^2))`, from T2; "triangle":
        :math:`2\xi\log(NK\sqrt{\gamma/2}/\epsilon)`, from the triangle inequality; "in print":
        :math:`\xi\log(NK\sqrt\gamma/\epsilon)`, constants dropped (arXiv:2508.06614), not proved.
        A negative radius says that none is needed.

    Raises:
        ValueError: If a number is not positive.

    Cost: none to speak of.

    Source: T3: T2 and the triangle inequality under the envelope; arXiv:2508.06614 in print.
    """
    given = {"n_sites": n_sites, "n_steps": n_steps, "gamma": gamma, "xi": xi, "tv": tv}
    for name, value in given.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name}={value}: a number > 0 needed")
    gates = n_sites * n_steps
    return {
        "composition": xi * math.log(gates * gamma / (2.0 * tv**2)),
        "triangle": 2.0 * xi * math.log(gates * math.sqrt(gamma / 2.0) / tv),
        "in print": xi * math.log(gates * math.sqrt(gamma) / tv),
    }
