r"""The noisy Ising chain, infinite or not: CMI against buffer radius, and its exact decay.

The one model where a Markov length is known without a fit: see
`phasetheory.engines.hidden_chain` for the method and `phasetheory.engines.erased_chain`
for the closed form under erasure.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines.hidden_chain import MAX_COUPLING, HiddenChain
from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise

__all__ = ["chain_cmi", "chain_markov_length", "fields"]

Floats = NDArray[np.float64]

#: Trapezoid over a Gaussian observation: reach in standard deviations, and step at ratio <= 1. The
#: integrand has poles at |Im z| = pi/(2 ratio), which leaves an error of exp(-39).
_REACH, _STEP = 9.5, 0.25
#: Beyond this alpha/sigma a wrong sign has probability below 1e-320: noiseless in float64.
_MAX_RATIO = 38.5


def chain_cmi(
    coupling: float,
    noise: Noise,
    radius: ArrayLike,
    *,
    arms: tuple[float, float] = (np.inf, np.inf),
) -> Floats:
    """I(A;C|B_r) of one spin A of a noisy Ising chain at zero field.

    Args:
        coupling: J of every bond, either sign, abs(J) <= 6.
        noise: Bit flips, erasure or Gaussian noise of uniform strength.
        radius: Sites of the buffer on either side of A, whole numbers >= 0, any shape; C is all
            beyond.
        arms: Number of sites to the left and right of A; infinite by default.

    Returns:
        Nats, shape of `radius`, to a relative accuracy of 1e-9 where the Markov
        length is above 0.03; at less noise C adds nothing for r >= 1 and what is left is rounding.

    Raises:
        ValueError: If the coupling, a radius or an arm is out of range, or the noise has one
            strength per site.

    Cost: m n^2 + n^3 + r n^2 with n = max(24, 24 abs(J)) polynomials and m = 2 or 3 values of an
    observation (Gaussian noise: about 8 k (k + 9.5), k = max(1, alpha/sigma)). 10 ms at J = 1.

    Source: derived in `phasetheory.engines.hidden_chain`.
    """
    chain = _chain(coupling, noise)
    radii, lengths = np.asarray(radius, dtype=float), np.asarray(arms, dtype=float)
    if not np.isfinite(radii).all() or not (radii >= 0).all() or (radii % 1 != 0).any():
        raise ValueError(f"radius={radius!r}: whole numbers >= 0 needed")
    finite = lengths[np.isfinite(lengths)]
    if lengths.shape != (2,) or not (lengths >= 0).all() or (finite % 1 != 0).any():
        raise ValueError(f"arms={arms!r}: two whole numbers >= 0, or infinity, needed")
    if chain is None or not radii.size:
        return np.zeros(radii.shape)
    ends = float(lengths[0]), float(lengths[1])
    return chain.cmi(radii.ravel().astype(np.int64), ends).reshape(radii.shape)


def chain_markov_length(coupling: float, noise: Noise) -> float:
    r"""Exact Markov length of the noisy infinite chain: I(A;C|B_r) decays as exp(-r/xi).

    Args:
        coupling: J of every bond, either sign, abs(J) <= 6; field zero.
        noise: Bit flips, erasure or Gaussian noise of uniform strength.

    Returns:
        xi in sites; 0 where the CMI vanishes for r >= 1 (J = 0 or no noise). It tends to
        :math:`1/(2 \ln\coth|J|)`, half the correlation length, as t -> 1.

    Raises:
        ValueError: As :func:`chain_cmi`.

    Cost: one eigenvalue problem of size n/2, n = max(24, 24 abs(J)).
    """
    chain = _chain(coupling, noise)
    decay = 0.0 if chain is None else chain.decay
    return 0.0 if decay == 0.0 else -1.0 / float(np.log(decay))


def fields(noise: Noise) -> tuple[Floats, Floats]:
    r"""Law of the field :math:`h = \frac12 \log p(y|+)/p(y|-)` that y gives, for a fair spin.

    Args:
        noise: Bit flips, erasure or Gaussian noise of uniform strength.

    Returns:
        (values, weights), shape (m,): exact for discrete noise, a quadrature (error 1e-17) for
        Gaussian noise; infinite where the value tells the spin.

    Raises:
        ValueError: If the noise has one strength per site or is of another kind.
    """
    if noise.n_sites is not None:
        raise ValueError(f"noise with t for {noise.n_sites} sites: one strength for all needed")
    t = float(noise.t)
    certain = np.array([-np.inf, np.inf])
    if isinstance(noise, Erasure):
        return np.append(certain, 0.0), np.array([0.5 * (1.0 - t), 0.5 * (1.0 - t), t])
    if isinstance(noise, BitFlip):
        with np.errstate(divide="ignore"):
            h = 0.5 * (np.log(2.0 - t) - np.log(t))
        return np.array([-h, h]), np.array([0.5, 0.5])
    if not isinstance(noise, Gaussian):
        raise ValueError(f"{noise.name} noise: BitFlip, Erasure or Gaussian needed")
    alpha, sigma = float(noise.alpha), float(noise.sigma)
    if alpha >= _MAX_RATIO * sigma:
        return certain, np.array([0.5, 0.5])
    ratio = alpha / sigma
    count = 1 + 2 * int(np.ceil((ratio + _REACH) * max(1.0, ratio) / _STEP))
    z = np.linspace(-ratio - _REACH, ratio + _REACH, count)
    density = np.exp(-0.5 * (z - ratio) ** 2) + np.exp(-0.5 * (z + ratio) ** 2)
    return ratio * z, density / density.sum()


def _chain(coupling: float, noise: Noise) -> HiddenChain | None:
    """The engine; None where neighbours are independent."""
    h, weight = fields(noise)
    if not abs(coupling) <= MAX_COUPLING:
        raise ValueError(
            f"coupling={coupling}: |coupling| <= {MAX_COUPLING:g} needed; a colder chain is a"
            " repetition code, CurieWeiss with coupling=inf"
        )
    # Flipping every second spin turns the sign of the coupling.
    return None if coupling == 0 else HiddenChain(abs(coupling), h, weight)
