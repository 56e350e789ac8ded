"""Greyscale image sets as arrays in [0, 1], read from disk and never from the network.

The 10,000 test images of Fashion-MNIST come with the package. Everything else is a file or a folder
that is already on the machine: IDX files (the format of MNIST), `.npz` archives, torchvision roots,
and the folder of Debian's package `dataset-fashion-mnist`.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zipfile
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_images", "load_labels"]

_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_IDX_STEMS = {
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
}
_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def load_images(
    source: str | os.PathLike[str] = "fashion-mnist",
    *,
    split: str = "test",
    limit: int | None = None,
) -> NDArray[np.float64]:
    """Greyscale images of shape (n, height, width), float64 in [0, 1], not centred.

    uint8 images are divided by 255; floating-point images must lie in [0, 1] already, since any
    other scale is another signal-to-noise ratio.

    Args:
        source: `"fashion-mnist"`; or the path of an IDX file (gzipped or not), of an `.npz` archive
            (array `images`, `x` or `x_test`, or the only one), of a folder with IDX files under
            their usual names, or of a torchvision root.
        split: `"test"` or `"train"`, where the source has both. The training set of
            `"fashion-mnist"` is not bundled: it is read from Debian's package
            `dataset-fashion-mnist`, if that is installed. A single IDX file is read as it is.
        limit: At most this many images, from the start; None for all.

    Raises:
        FileNotFoundError: If there is no such file; says where it was looked for.
        ValueError: If the file is damaged, or its array is no set of images in [0, 1].

    Example:
        >>> load_images(limit=100).shape
        (100, 28, 28)
    """
    _check_arguments(split, limit)
    array, origin = _read(source, split, "images")
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"{origin}: found an array of shape {array.shape}, expected greyscale images of shape "
            "(n, height, width), none of them 0; reshape it, or average its colour channels"
        )
    array = array[:limit]
    if array.dtype == np.uint8:
        return array.astype(np.float64) / 255.0
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"{origin}: found images of type {array.dtype}, expected uint8 in 0..255 or floating "
            "point in [0, 1]"
        )
    # Negated, so that NaN fails too.
    low, high = float(array.min()), float(array.max())
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"{origin}: found floating-point images in [{low:g}, {high:g}], expected values in "
            "[0, 1] without NaN; rescale them, or store them as uint8 in 0..255"
        )
    return array.astype(np.float64)


def load_labels(
    source: str | os.PathLike[str] = "fashion-mnist",
    *,
    split: str = "test",
    limit: int | None = None,
) -> NDArray[np.int64]:
    """Class labels of shape (n,), int64, in the order of `load_images`.

    Args:
        source: As for `load_images`; the array in an `.npz` archive is `labels`, `y` or `y_test`
            (or the only one), and a single IDX file must be the one with the labels.
        split: As for `load_images`.
        limit: At most this many labels, from the start; None for all.

    Raises:
        FileNotFoundError: If there is no such file; says where it was looked for.
        ValueError: If the file is damaged, or its array is no list of integer labels.

    Example:
        >>> load_labels(limit=5)
        array([9, 2, 1, 1, 6])
    """
    _check_arguments(split, limit)
    array, origin = _read(source, split, "labels")
    if array.ndim != 1 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{origin}: found an array of shape {array.shape} and type {array.dtype}, expected "
            "integer labels of shape (n,), n > 0"
        )
    return array[:limit].astype(np.int64)


def _check_arguments(split: str, limit: int | None) -> None:
    if split not in ("test", "train"):
        raise ValueError(f"split: got {split!r}, expected 'test' or 'train'")
    if limit is not None and limit < 1:
        raise ValueError(f"limit: got {limit!r}, expected a positive integer, or None for all")


def _read(source: str | os.PathLike[str], split: str, kind: str) -> tuple[NDArray[np.generic], str]:
    """The array as it is stored, and where it came from, for error messages."""
    if source == "fashion-mnist":
        return _read_fashion_mnist(split, kind)
    path = Path(source)
    if path.is_dir():
        path = _find_idx(path, split, kind)
    if not path.is_file():
        raise FileNotFoundError(
            f"source: no file or folder {str(path)!r}; expected 'fashion-mnist' or the path of an "
            "IDX file, an .npz archive, a folder of IDX files or a torchvision root"
        )
    if path.suffix == ".npz":
        return _read_npz(path, split, kind), str(path)
    return _parse_idx(path.read_bytes(), str(path)), str(path)


def _read_fashion_mnist(split: str, kind: str) -> tuple[NDArray[np.generic], str]:
    name = _IDX_STEMS[split, kind] + ".gz"
    if split == "test":
        bundled = resources.files("phasetheory") / "data" / "fashion-mnist" / name
        return _parse_idx(bundled.read_bytes(), name), name
    path = _DEBIAN_FOLDER / name
    if not path.is_file():
        raise FileNotFoundError(
            f"split: the training set of 'fashion-mnist' is not bundled and there is no {path}; "
            "install the Debian package dataset-fashion-mnist, or pass the folder that has "
            f"{name} as source, or use split='test'"
        )
    return _parse_idx(path.read_bytes(), str(path)), str(path)


def _find_idx(root: Path, split: str, kind: str) -> Path:
    """The IDX file of a folder or of a torchvision root; an error if there is not exactly one."""
    stem = _IDX_STEMS[split, kind]
    folders = [root, root / "raw", root / "FashionMNIST" / "raw", root / "MNIST" / "raw"]
    # torchvision keeps the archive beside the unpacked file: one candidate a folder.
    candidates = [[folder / stem, folder / (stem + ".gz")] for folder in folders]
    found = [next(filter(Path.is_file, pair), None) for pair in candidates]
    files = [path for path in found if path is not None]
    if not files:
        raise FileNotFoundError(
            f"source: no {stem} or {stem}.gz in {str(root)!r} nor in its subfolders raw, "
            "FashionMNIST/raw and MNIST/raw"
        )
    if len(files) > 1:
        raise ValueError(
            f"source: {str(root)!r} has several data sets ({', '.join(map(str, files))}); pass the "
            "folder of one of them"
        )
    return files[0]


def _read_npz(path: Path, split: str, kind: str) -> NDArray[np.generic]:
    letter = "x" if kind == "images" else "y"
    names = (kind, letter, f"{letter}_{split}")
    data = io.BytesIO(path.read_bytes())
    if not zipfile.is_zipfile(data):
        raise ValueError(f"{path}: found no .npz archive (a whole zip file); was it cut off?")
    try:
        with np.load(data, allow_pickle=False) as archive:
            present = list(archive)
            name = next((name for name in names if name in present), None)
            if name is None and len(present) == 1:
                name = present[0]
            if name is not None:
                return np.asarray(archive[name])
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: damaged .npz archive, or one of Python objects ({error})"
        ) from error
    raise ValueError(
        f"{path}: found the arrays {present}, expected one named {', '.join(names[:-1])} or "
        f"{names[-1]}, or a single array"
    )


def _parse_idx(data: bytes, origin: str) -> NDArray[np.generic]:
    """The array in an IDX file: two zero bytes, type, rank, big-endian shape, then the values."""
    if data[:2] == _GZIP_MAGIC:
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{origin}: damaged gzip file ({error})") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_DTYPES:
        raise ValueError(
            f"{origin}: no IDX file; it starts with {data[:4].hex(' ') or 'nothing'}, expected "
            "00 00, a type (08, 09, 0b, 0c, 0d or 0e) and the number of axes"
        )
    dtype, start = np.dtype(_IDX_DTYPES[data[2]]), 4 + 4 * data[3]
    header = data[4:start]
    shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise ValueError(
            f"{origin}: damaged IDX file; its header announces shape {shape} of {dtype.name}, "
            f"{expected} bytes in all, found {len(data)}"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)
