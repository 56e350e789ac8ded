"""Networks on disk: weights as safetensors, with what builds the network again in the header."""

import json
import os
from pathlib import Path
from typing import Any

from phasetheory import __version__
from phasetheory.neural.backend import device_of, nn
from phasetheory.neural.networks import LocalDenoiser, UNet
from phasetheory.neural.predictor import Predictor

try:
    import safetensors.torch as store
    from safetensors import SafetensorError, safe_open
except ModuleNotFoundError as error:
    raise ImportError(
        'weights are kept as safetensors, part of the extra: pip install "phasetheory[torch]"'
    ) from error

__all__ = ["load_network", "save_network"]

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (LocalDenoiser, UNet, Predictor)}

PathLike = str | os.PathLike[str]


def save_network(path: PathLike, network: Any, **notes: Any) -> None:
    """Write a network's weights and settings to one safetensors file, whole or not at all.

    Args:
        path: File, `.safetensors` by custom.
        network: One of the package's networks.
        **notes: JSON values to keep with it: data, training settings, seed.

    Raises:
        ValueError: If the network is not one of the package's.
    """
    kind = type(network).__name__
    if _KINDS.get(kind) is not type(network):
        raise ValueError(f"network is a {kind}: one of {', '.join(_KINDS)} needed")
    header = {
        "kind": kind,
        "settings": json.dumps(network.settings),
        "notes": json.dumps(notes, sort_keys=True),
        "phasetheory_version": __version__,
    }
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        state = network.state_dict()
        state = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        store.save_file(state, part, metadata=header)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def load_network(path: PathLike, *, device: Any = None) -> tuple[Any, dict[str, Any]]:
    """Read a network back, in eval mode.

    Args:
        path: File written by :func:`save_network`; no code in it is run.
        device: None (the CPU), "cuda" or "auto".

    Returns:
        (network, notes).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or not one of these, or CUDA is asked for and absent.
    """
    place = device_of(device)
    if not Path(path).is_file():
        raise FileNotFoundError(f"path: no file {str(path)!r}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        state = store.load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"path={str(path)!r}: damaged safetensors file ({error})") from error
    if header.get("kind") not in _KINDS:
        raise ValueError(
            f"path={str(path)!r}: holds {header.get('kind')!r}, none of {', '.join(_KINDS)};"
            " weights of other networks go into the network itself"
        )
    network = _KINDS[header["kind"]](**json.loads(header["settings"]))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"path={str(path)!r}: weights do not fit ({error})") from error
    made: nn.Module = network.to(place).eval()
    return made, json.loads(header["notes"])
