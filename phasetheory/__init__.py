"""Exactly where local denoising works along a diffusion path, and where it must fail.

Public names load at first use, so that ``import phasetheory`` itself takes a few milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasetheory.estimate import Estimate
    from phasetheory.images import load_images, load_labels
    from phasetheory.information import (
        cmi,
        cmi_given_label,
        label_information,
        label_posterior,
        locality_gap,
        mutual_information,
    )
    from phasetheory.information.chain import chain_cmi, chain_markov_length
    from phasetheory.lattice import Lattice, Tripartition
    from phasetheory.models.curie_weiss import CurieWeiss
    from phasetheory.models.gaussian_field import GaussianField
    from phasetheory.models.gaussian_mixture import GaussianMixture
    from phasetheory.models.ising import Ising
    from phasetheory.models.table import Table
    from phasetheory.noise import BitFlip, Erasure, Gaussian
    from phasetheory.noisy import NoisyLaw
    from phasetheory.recoveries import Recovery, recovery
    from phasetheory.sweep import scan
    from phasetheory.theorems import THEOREMS, verify
    from phasetheory.transitions import locate_transition, markov_length

__version__ = "0.1.0"

_HOMES = {
    "estimate": ("Estimate",),
    "images": ("load_images", "load_labels"),
    "information": (
        "cmi",
        "cmi_given_label",
        "label_information",
        "label_posterior",
        "locality_gap",
        "mutual_information",
    ),
    "information.chain": ("chain_cmi", "chain_markov_length"),
    "lattice": ("Lattice", "Tripartition"),
    "models.curie_weiss": ("CurieWeiss",),
    "models.gaussian_field": ("GaussianField",),
    "models.gaussian_mixture": ("GaussianMixture",),
    "models.ising": ("Ising",),
    "models.table": ("Table",),
    "noise": ("BitFlip", "Erasure", "Gaussian"),
    "noisy": ("NoisyLaw",),
    "recoveries": ("Recovery", "recovery"),
    "sweep": ("scan",),
    "theorems": ("THEOREMS", "verify"),
    "transitions": ("locate_transition", "markov_length"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = ("plotting", "sampling", "schedules")

__all__ = [
    "THEOREMS",
    "BitFlip",
    "CurieWeiss",
    "Erasure",
    "Estimate",
    "Gaussian",
    "GaussianField",
    "GaussianMixture",
    "Ising",
    "Lattice",
    "NoisyLaw",
    "Recovery",
    "Table",
    "Tripartition",
    "chain_cmi",
    "chain_markov_length",
    "cmi",
    "cmi_given_label",
    "label_information",
    "label_posterior",
    "load_images",
    "load_labels",
    "locality_gap",
    "locate_transition",
    "markov_length",
    "mutual_information",
    "recovery",
    "scan",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module at first use."""
    if name in _HOME:
        value = getattr(import_module(f"phasetheory.{_HOME[name]}"), name)
    elif name in _SUBMODULES:
        value = import_module(f"phasetheory.{name}")
    else:
        raise AttributeError(f"module 'phasetheory' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*__all__, *_SUBMODULES, "__version__"])
