"""Learned denoisers: the diagnostics of exact laws on torch networks and on images.

An optional extra: ``pip install "phasetheory[torch]"``. Names load at first use; asking for one
without torch raises an ImportError that names the extra.

- :class:`Denoiser` turns any torch callable into E[x_0 | x_t] in the package's conventions.
- :func:`locality_gap` and :func:`gap_curve` compare a local and a global denoiser (T5, T7).
- :func:`scan_images` estimates I_t(A;C|B_r) from samples for all times and radii at once.
- :func:`mine_curves` runs the neural estimator of the Donsker-Varadhan kind; :func:`calibrate` and
  :func:`calibrate_critics` set both beside exact values.
- :func:`generate` makes images by local, global or mixed steps (:func:`window_of_steps`);
  :func:`recovery_errors`, :func:`frechet_distance`, :func:`two_sample_test` and
  :func:`operations` say how good they are and what they cost.
- :func:`train_denoiser`, :func:`train`: resumable training; :func:`save_network`,
  :func:`load_network`: weights as safetensors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasetheory.neural.adapter import Denoiser
    from phasetheory.neural.calibration import calibrate, calibrate_critics
    from phasetheory.neural.conditional import cross_entropy_terms, fit_conditional
    from phasetheory.neural.contexts import Contexts
    from phasetheory.neural.cost import operations
    from phasetheory.neural.denoising import train_denoiser
    from phasetheory.neural.gap import gap_bound, gap_curve, information_bound, locality_gap
    from phasetheory.neural.generation import Steps, Windowed, denoise_from, generate
    from phasetheory.neural.immse import fit_immse, immse_terms
    from phasetheory.neural.mine import Mine, mine_curves
    from phasetheory.neural.networks import LocalDenoiser, UNet
    from phasetheory.neural.predictor import Predictor
    from phasetheory.neural.quality import (
        Classifier,
        accuracy,
        features,
        frechet_distance,
        train_classifier,
        two_sample_test,
    )
    from phasetheory.neural.recovery import gap_scan, recovery_errors
    from phasetheory.neural.results import cmi_dataset
    from phasetheory.neural.scans import scan_images
    from phasetheory.neural.training import Training, train
    from phasetheory.neural.weights import load_network, save_network
    from phasetheory.neural.windows import window_of_steps, with_ends

_HOMES = {
    "adapter": ("Denoiser",),
    "calibration": ("calibrate", "calibrate_critics"),
    "conditional": ("cross_entropy_terms", "fit_conditional"),
    "contexts": ("Contexts",),
    "cost": ("operations",),
    "denoising": ("train_denoiser",),
    "gap": ("gap_bound", "gap_curve", "information_bound", "locality_gap"),
    "generation": ("Steps", "Windowed", "denoise_from", "generate"),
    "immse": ("fit_immse", "immse_terms"),
    "mine": ("Mine", "mine_curves"),
    "networks": ("LocalDenoiser", "UNet"),
    "predictor": ("Predictor",),
    "quality": (
        "Classifier",
        "accuracy",
        "features",
        "frechet_distance",
        "train_classifier",
        "two_sample_test",
    ),
    "recovery": ("gap_scan", "recovery_errors"),
    "results": ("cmi_dataset",),
    "scans": ("scan_images",),
    "training": ("Training", "train"),
    "weights": ("load_network", "save_network"),
    "windows": ("window_of_steps", "with_ends"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Classifier",
    "Contexts",
    "Denoiser",
    "LocalDenoiser",
    "Mine",
    "Predictor",
    "Steps",
    "Training",
    "UNet",
    "Windowed",
    "accuracy",
    "calibrate",
    "calibrate_critics",
    "cmi_dataset",
    "cross_entropy_terms",
    "denoise_from",
    "features",
    "fit_conditional",
    "fit_immse",
    "frechet_distance",
    "gap_bound",
    "gap_curve",
    "gap_scan",
    "generate",
    "immse_terms",
    "information_bound",
    "load_network",
    "locality_gap",
    "mine_curves",
    "operations",
    "recovery_errors",
    "save_network",
    "scan_images",
    "train",
    "train_classifier",
    "train_denoiser",
    "two_sample_test",
    "window_of_steps",
    "with_ends",
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
