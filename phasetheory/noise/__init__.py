r"""The three noises: channels that act independently on every site, and what they say about it.

Observing y puts a log-likelihood l_i(x_i) = log p(y_i | x_i) on every site. A noise hands it over
as *evidence* (the part that depends on x) plus the constant that a density of y needs:

- spins (q = 2): the array h of shape (n, n_sites), l_i = h_i x_i; 0 = unobserved, +-inf = known;
- q > 2 symbols: log-likelihoods of shape (n, n_sites, q);
- continuous sites (q = None): :class:`GaussianEvidence`.
"""

from phasetheory.noise.base import Evidence, GaussianEvidence, Noise, symbols
from phasetheory.noise.discrete import BitFlip, Erasure, erased_symbol
from phasetheory.noise.gaussian import Gaussian

__all__ = [
    "BitFlip",
    "Erasure",
    "Evidence",
    "Gaussian",
    "GaussianEvidence",
    "Noise",
    "erased_symbol",
    "symbols",
]
