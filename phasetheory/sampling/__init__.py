"""Samplers as pure steps that return (state, info): Markov chains, and reverse diffusion.

`sample` runs several Markov chains on an Ising model and judges whether they mixed;
`reverse_diffusion` draws from any law by undoing its noise with the exact posterior.
"""

from phasetheory.sampling.chains import ChainResult
from phasetheory.sampling.checkerboard import Checkerboard
from phasetheory.sampling.heat_bath import HeatBath
from phasetheory.sampling.metropolis import Metropolis
from phasetheory.sampling.multispin import Multispin
from phasetheory.sampling.perfect import Perfect
from phasetheory.sampling.reverse import reverse_diffusion, reverse_from
from phasetheory.sampling.run import SAMPLERS, sample
from phasetheory.sampling.swendsen_wang import SwendsenWang
from phasetheory.sampling.target import target_of
from phasetheory.sampling.tempering import Tempering
from phasetheory.sampling.wolff import Wolff

__all__ = [
    "SAMPLERS",
    "ChainResult",
    "Checkerboard",
    "HeatBath",
    "Metropolis",
    "Multispin",
    "Perfect",
    "SwendsenWang",
    "Tempering",
    "Wolff",
    "reverse_diffusion",
    "reverse_from",
    "sample",
    "target_of",
]
