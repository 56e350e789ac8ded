r"""Random numbers that can be asked for out of order: splitmix64 as a function of (key, index).

.. math:: b_i = \mathrm{mix}(\mathrm{key} + (i + 1)\,\gamma), \qquad
   u_i = \lfloor b_i/2^{11} \rfloor \, 2^{-53} \in [0, 1),

with :math:`\gamma` = 0x9E3779B97F4A7C15 and `mix` the 64-bit finaliser of Steele, Lea and Flood
(OOPSLA 2014). A cluster move draws numbers only for the bonds it looks at, in whatever order; a
sampler that couples from the past reads the numbers of the past again without having kept them.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit
from phasetheory._kernels.frontier import _log

__all__ = ["exponentials", "logistic", "logistics", "uniform"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ONE = np.uint64(1)
_UNIT = 2.0**-53


@jit(nogil=True)
def uniform(key: np.uint64, index: int) -> float:
    """Number `index` of stream `key`, uniform on [0, 1) with 53 bits."""
    z = key + (np.uint64(index) + _ONE) * _GAMMA
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    z = z ^ (z >> _S31)
    return np.float64(z >> _S11) * _UNIT


@jit(nogil=True)
def exponentials(key: np.uint64, n: int) -> NDArray[np.float64]:
    """Standard exponential numbers -log(1 - u_i), i < n; in vectors, unlike numpy's ziggurat."""
    result = np.empty(n)
    for i in range(n):
        result[i] = -_log(1.0 - uniform(key, i))
    return result


@jit(nogil=True)
def logistic(key: np.uint64, index: int) -> float:
    """Standard logistic number log(u_i / (1 - u_i)); about -710 for u = 0."""
    u = uniform(key, index)
    return _log(u) - _log(1.0 - u)


@jit(nogil=True)
def logistics(key: np.uint64, n: int) -> NDArray[np.float64]:
    """Standard logistic numbers, i < n."""
    result = np.empty(n)
    for i in range(n):
        result[i] = logistic(key, i)
    return result
