"""Local Bayes recovery of one noisy step, and the T1 chain in numbers."""

from typing import Any

from numpy.typing import ArrayLike

from phasetheory.lattice import Tripartition
from phasetheory.noise import Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.recoveries.gaussian import HasCovariance, recover_gaussian
from phasetheory.recoveries.result import Recovery
from phasetheory.recoveries.tables import recover_table

__all__ = ["Recovery", "recovery"]


def recovery(
    law: NoisyLaw,
    parts: Tripartition,
    noise: Noise | ArrayLike,
    *,
    n_samples: int = 10_000,
    rng: Any = None,
) -> Recovery:
    r"""Noise A, undo it with the local Bayes recovery, and measure what is lost.

    The channel N acts on every site of A. The recovery knows the local prior p(a, b) only and
    reads the noisy A and the clean buffer B. T1 bounds its error:

    .. math:: 2\,\mathrm{TV}^2 \le \mathrm{KL}(p\|\hat p) \le I(A;C|B) - I(\tilde A;C|B).

    Args:
        law: The law before the step; itself noisy, for example a point on a diffusion path.
        parts: Tripartition; sites outside it are marginalised.
        noise: Channel on A: a noise (its t inside A counts), or for discrete laws a column-
            stochastic matrix p(y|x) of shape (n_outputs, n_symbols), used on every site of A.
        n_samples: Samples of the total variation where A has several continuous sites.
        rng: Generator or seed for them.

    Returns:
        The chain's numbers as Estimates: exact, but for that total variation.

    Raises:
        ValueError: If the law is neither discrete nor Gaussian, the channel does not fit it, or a
            table exceeds the memory limit.

    Cost: discrete, n_symbols^m times the noisy symbols of A for m sites in A, B and C; Gaussian,
    two Cholesky factors.

    Source: T1 of arXiv:2508.06614 (fidelity bound), with the chain of sharper inequalities.

    Example:
        One of two copied bits is erased, and B is empty: the recovery guesses, so half of the
        probability lands on states that never occur, and F = exp(-I/2) exactly.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> copies = pt.CurieWeiss(2, coupling=np.inf).noised(pt.BitFlip(t=0.0))
        >>> parts = pt.Tripartition(A=[0], B=[], C=[1])
        >>> step = pt.recovery(copies, parts, pt.Erasure(t=1.0))
        >>> print(f"{step.tv.value:.3f} {step.fidelity.value**2:.3f}")
        0.500 0.500
    """
    law.lattice.mask(parts.union("ABC"))
    if n_samples < 2:
        raise ValueError(f"n_samples={n_samples}: at least 2 needed")
    if law.prior.q is not None and law.discrete.all():
        if isinstance(noise, Noise) and not noise.is_discrete(law.prior.q).all():
            raise ValueError(
                f"{noise.name} noise makes discrete sites continuous: recovery by tables needs"
                " BitFlip, Erasure or a channel matrix"
            )
        return recover_table(law, parts, noise)
    if isinstance(law.prior, HasCovariance) and isinstance(noise, Gaussian):
        return recover_gaussian(law, parts, noise, n_samples=n_samples, rng=rng)
    raise ValueError(
        f"recovery is exact for discrete laws (BitFlip, Erasure) and Gaussian fields, not for"
        f" {type(law.prior).__name__} under {law.noise.name} noise"
    )
