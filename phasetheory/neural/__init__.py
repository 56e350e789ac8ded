"""Learned denoisers: the diagnostics of exact laws on torch networks and on images.

An optional extra: ``pip install "phasetheory[torch]"``. Names load at first use; asking for one
without torch raises an ImportError that names the extra.

- :class:`Denoiser` turns any torch callable into E[x_0 | x_t] in the package's conventions.
- :func:`locality_gap` and :func:`gap_curve` compare a local and a global denoiser (T5, T7).
- :func:`scan_images` estimates I_t(A;C|B_r) from samples for all times and radii at once.
- :func:`train_denoiser`, :func:`train`: resumable training; :func:`save_network`,
  :func:`load_network`: weights as safetensors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasetheory.neural.adapter import Denoiser
    from phasetheory.neural.conditional import cross_entropy_terms, fit_conditional
    from phasetheory.neural.contexts import Contexts
    from phasetheory.neural.denoising import train_denoiser
    from phasetheory.neural.gap import gap_bound, gap_curve, information_bound, locality_gap
    from phasetheory.neural.immse import fit_immse, immse_terms
    from phasetheory.neural.networks import LocalDenoiser, UNet
    from phasetheory.neural.predictor import Predictor
    from phasetheory.neural.results import cmi_dataset
    from phasetheory.neural.scans import scan_images
    from phasetheory.neural.training import Training, train
    from phasetheory.neural.weights import load_network, save_network

_HOMES = {
    "adapter": ("Denoiser",),
    "conditional": ("cross_entropy_terms", "fit_conditional"),
    "contexts": ("Contexts",),
    "denoising": ("train_denoiser",),
    "gap": ("gap_bound", "gap_curve", "information_bound", "locality_gap"),
    "immse": ("fit_immse", "immse_terms"),
    "networks": ("LocalDenoiser", "UNet"),
    "predictor": ("Predictor",),
    "results": ("cmi_dataset",),
    "scans": ("scan_images",),
    "training": ("Training", "train"),
    "weights": ("load_network", "save_network"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Contexts",
    "Denoiser",
    "LocalDenoiser",
    "Predictor",
    "Training",
    "UNet",
    "cmi_dataset",
    "cross_entropy_terms",
    "fit_conditional",
    "fit_immse",
    "gap_bound",
    "gap_curve",
    "immse_terms",
    "information_bound",
    "load_network",
    "locality_gap",
    "save_network",
    "scan_images",
    "train",
    "train_denoiser",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module at first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'phasetheory.neural' has no attribute {name!r}")
    value = getattr(import_module(f"phasetheory.neural.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
