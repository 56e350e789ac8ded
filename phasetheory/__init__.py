"""Exactly where local denoising works along a diffusion path, and where it must fail.

Public names load at first use, so that ``import phasetheory`` itself takes a few milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasetheory.circuits import (
        Circuit,
        CircuitRun,
        Converse,
        SampledRun,
        cone_bound,
        envelope,
        reverse_circuit,
        sample_circuit,
        sufficient_radii,
    )
    from phasetheory.circuits.comparison import error_against_cost
    from phasetheory.circuits.falls import circuit_falls
    from phasetheory.circuits.hybrid import HybridSchedule, hybrid_schedule
    from phasetheory.citations import citation
    from phasetheory.estimate import Estimate
    from phasetheory.images import load_images, load_labels
    from phasetheory.information import (
        cmi,
        cmi_given_label,
        label_information,
        label_posterior,
        locality_gap,
        mutual_information,
        sector_information,
    )
    from phasetheory.information.chain import chain_cmi, chain_markov_length
    from phasetheory.lattice import Lattice, Tripartition
    from phasetheory.models.boundary_ising import BoundaryIsing
    from phasetheory.models.curie_weiss import CurieWeiss
    from phasetheory.models.gaussian_field import GaussianField
    from phasetheory.models.gaussian_mixture import GaussianMixture
    from phasetheory.models.hierarchy import Hierarchy
    from phasetheory.models.ising import Ising
    from phasetheory.models.labelled_table import LabelledTable
    from phasetheory.models.loops import LoopEnsemble
    from phasetheory.models.syndromes import SyndromeEnsemble
    from phasetheory.models.table import Table
    from phasetheory.noise import BitFlip, Erasure, Gaussian
    from phasetheory.noisy import NoisyLaw
    from phasetheory.recoveries import Recovery, recovery
    from phasetheory.sweep import scan
    from phasetheory.theorems import THEOREMS, verify
    from phasetheory.transitions import (
        Collapse,
        Curves,
        Divergence,
        Extrapolation,
        collapse,
        crossings,
        diverging_length,
        extrapolate_crossings,
        locate_transition,
        markov_length,
    )
    from phasetheory.transitions.mixture_scaling import fit_window_ends, mixture_windows
    from phasetheory.transitions.phases import SamePhase, same_phase
    from phasetheory.transitions.reconstruction import census_overlap, root_overlap
    from phasetheory.transitions.root_threshold import kesten_stigum, root_times
    from phasetheory.transitions.round_trip import forward_backward
    from phasetheory.transitions.speciation import label_curves, speciation_window

__version__ = "0.1.0"

_HOMES = {
    "circuits": (
        "Circuit",
        "CircuitRun",
        "Converse",
        "SampledRun",
        "cone_bound",
        "envelope",
        "reverse_circuit",
        "sample_circuit",
        "sufficient_radii",
    ),
    "circuits.comparison": ("error_against_cost",),
    "circuits.falls": ("circuit_falls",),
    "circuits.hybrid": ("HybridSchedule", "hybrid_schedule"),
    "citations": ("citation",),
    "estimate": ("Estimate",),
    "images": ("load_images", "load_labels"),
    "information": (
        "cmi",
        "cmi_given_label",
        "label_information",
        "label_posterior",
        "locality_gap",
        "mutual_information",
        "sector_information",
    ),
    "information.chain": ("chain_cmi", "chain_markov_length"),
    "lattice": ("Lattice", "Tripartition"),
    "models.boundary_ising": ("BoundaryIsing",),
    "models.curie_weiss": ("CurieWeiss",),
    "models.gaussian_field": ("GaussianField",),
    "models.gaussian_mixture": ("GaussianMixture",),
    "models.hierarchy": ("Hierarchy",),
    "models.ising": ("Ising",),
    "models.labelled_table": ("LabelledTable",),
    "models.loops": ("LoopEnsemble",),
    "models.syndromes": ("SyndromeEnsemble",),
    "models.table": ("Table",),
    "noise": ("BitFlip", "Erasure", "Gaussian"),
    "noisy": ("NoisyLaw",),
    "recoveries": ("Recovery", "recovery"),
    "sweep": ("scan",),
    "theorems": ("THEOREMS", "verify"),
    "transitions": (
        "Collapse",
        "Curves",
        "Divergence",
        "Extrapolation",
        "collapse",
        "crossings",
        "diverging_length",
        "extrapolate_crossings",
        "locate_transition",
        "markov_length",
    ),
    "transitions.mixture_scaling": ("fit_window_ends", "mixture_windows"),
    "transitions.phases": ("SamePhase", "same_phase"),
    "transitions.reconstruction": ("census_overlap", "root_overlap"),
    "transitions.root_threshold": ("kesten_stigum", "root_times"),
    "transitions.round_trip": ("forward_backward",),
    "transitions.speciation": ("label_curves", "speciation_window"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = ("course", "neural", "plotting", "sampling", "scaling_plots", "schedules")

__all__ = [
    "THEOREMS",
    "BitFlip",
    "BoundaryIsing",
    "Circuit",
    "CircuitRun",
    "Collapse",
    "Converse",
    "CurieWeiss",
    "Curves",
    "Divergence",
    "Erasure",
    "Estimate",
    "Extrapolation",
    "Gaussian",
    "GaussianField",
    "GaussianMixture",
    "Hierarchy",
    "HybridSchedule",
    "Ising",
    "LabelledTable",
    "Lattice",
    "LoopEnsemble",
    "NoisyLaw",
    "Recovery",
    "SamePhase",
    "SampledRun",
    "SyndromeEnsemble",
    "Table",
    "Tripartition",
    "census_overlap",
    "chain_cmi",
    "chain_markov_length",
    "circuit_falls",
    "citation",
    "cmi",
    "cmi_given_label",
    "collapse",
    "cone_bound",
    "crossings",
    "diverging_length",
    "envelope",
    "error_against_cost",
    "extrapolate_crossings",
    "fit_window_ends",
    "forward_backward",
    "hybrid_schedule",
    "kesten_stigum",
    "label_curves",
    "label_information",
    "label_posterior",
    "load_images",
    "load_labels",
    "locality_gap",
    "locate_transition",
    "markov_length",
    "mixture_windows",
    "mutual_information",
    "recovery",
    "reverse_circuit",
    "root_overlap",
    "root_times",
    "same_phase",
    "sample_circuit",
    "scan",
    "sector_information",
    "speciation_window",
    "sufficient_radii",
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
