"""Reading images: known facts of the bundled set, round trips, and every refusal."""

import gzip
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import phasetheory.images as images_module
from phasetheory.images import load_images, load_labels

CODES = {
    "uint8": 0x08,
    "int8": 0x09,
    "int16": 0x0B,
    "int32": 0x0C,
    "float32": 0x0D,
    "float64": 0x0E,
}


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX encoding, written independently of the reader."""
    head = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.name], array.ndim, *array.shape
    )
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def stored() -> np.ndarray:
    return np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10


def test_bundled_images_are_the_fashion_mnist_test_set():
    images = load_images("fashion-mnist")
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == np.float64
    assert images.min() == 0.0
    assert images.max() == 1.0
    # All values are multiples of 1/255: nothing was resampled or recentred.
    assert np.array_equal(np.rint(images * 255) / 255, images)
    assert len(np.unique(images.reshape(10_000, -1), axis=0)) > 9_900


def test_bundled_labels_have_a_thousand_of_each_class():
    labels = load_labels("fashion-mnist")
    assert labels.dtype == np.int64
    assert np.array_equal(np.bincount(labels), np.full(10, 1000))


def test_images_and_labels_are_in_the_same_order():
    # Class 1 (trousers) leaves the corners of the image dark and has a gap between the legs;
    # class 8 (bags) fills the lower middle. Their means differ as they must only if aligned.
    images, labels = load_images(), load_labels()
    gap = images[:, 20:26, 13:15].mean(axis=(1, 2))
    width = images[:, 20, :].astype(bool).mean(axis=1)
    assert gap[labels == 1].mean() < 0.5 < gap[labels == 8].mean() + 0.1
    assert width[labels == 1].mean() < 0.5 < width[labels == 8].mean()


def test_bundled_files_stay_below_five_megabytes_and_keep_their_licence():
    folder = Path(images_module.__file__).parent / "data" / "fashion-mnist"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    assert "Zalando SE" in (folder / "LICENSE").read_text()


def test_limit_takes_from_the_start():
    assert np.array_equal(load_images(limit=7), load_images()[:7])
    assert np.array_equal(load_labels(limit=7), load_labels()[:7])


def test_loading_images_does_not_import_torch():
    code = (
        "import sys, phasetheory.images as i; i.load_images(limit=1); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(tmp_path, stored, packed):
    path = tmp_path / "some-images"
    path.write_bytes(gzip.compress(idx_bytes(stored)) if packed else idx_bytes(stored))
    assert np.array_equal(load_images(path), stored / 255)
    assert np.array_equal(load_images(str(path), limit=1), stored[:1] / 255)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_point_idx_keeps_its_values(tmp_path, stored, dtype):
    values = (stored / 255).astype(dtype)
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(values))
    assert np.array_equal(load_images(path), values)
    assert load_images(path).dtype == np.float64


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_labels_of_any_integer_type(tmp_path, dtype):
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(np.array([3, 0, 100], dtype=dtype)))
    assert load_labels(path).tolist() == [3, 0, 100]


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("x_test", "y_test")])
def test_npz_by_name(tmp_path, stored, names):
    path = tmp_path / "set.npz"
    np.savez(path, **{names[0]: stored, names[1]: np.array([4, 5])}, other=np.zeros(3))
    assert np.array_equal(load_images(path), stored / 255)
    assert load_labels(path).tolist() == [4, 5]


def test_npz_split_selects_the_array(tmp_path, stored):
    path = tmp_path / "set.npz"
    np.savez(path, x_train=stored[:1], x_test=stored[1:], y_train=[1], y_test=[2])
    assert np.array_equal(load_images(path, split="train"), stored[:1] / 255)
    assert np.array_equal(load_images(path, split="test"), stored[1:] / 255)
    assert load_labels(path, split="train").tolist() == [1]


def test_npz_with_a_single_array(tmp_path, stored):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, whatever=stored / 255)
    assert np.array_equal(load_images(path), stored / 255)


@pytest.mark.parametrize("below", ["", "raw", "FashionMNIST/raw", "MNIST/raw"])
@pytest.mark.parametrize("split", ["test", "train"])
def test_folders_of_idx_files(tmp_path, stored, below, split):
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    prefix = {"test": "t10k", "train": "train"}[split]
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(stored)))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([8, 9], np.uint8)))
    assert np.array_equal(load_images(tmp_path, split=split), stored / 255)
    assert load_labels(tmp_path, split=split).tolist() == [8, 9]


def test_root_with_archive_beside_the_unpacked_file(tmp_path, stored):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(stored))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(stored)))
    assert np.array_equal(load_images(tmp_path), stored / 255)


def test_training_set_comes_from_the_debian_folder(tmp_path, monkeypatch, stored):
    monkeypatch.setattr(images_module, "_DEBIAN_FOLDER", tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"not bundled.*dataset-fashion-mnist.*split='test'"
    ):
        load_images(split="train")
    packed = gzip.compress(idx_bytes(stored))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(packed)
    assert np.array_equal(load_images(split="train"), stored / 255)


# Refusals: each says what was found and what would be valid.


def test_root_with_two_data_sets_is_refused(tmp_path, stored):
    for name in ("MNIST", "FashionMNIST"):
        folder = tmp_path / name / "raw"
        folder.mkdir(parents=True)
        (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(stored))
    with pytest.raises(ValueError, match="several data sets"):
        load_images(tmp_path)
    assert np.array_equal(load_images(tmp_path / "MNIST"), stored / 255)


def test_missing_sources_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected 'fashion-mnist' or the path of"):
        load_images(tmp_path / "nothing-here")
    with pytest.raises(FileNotFoundError, match=r"no t10k-images-idx3-ubyte.*MNIST/raw"):
        load_images(tmp_path)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="split: got 'validation', expected 'test' or 'train'"):
        load_images(split="validation")
    with pytest.raises(ValueError, match="split: got 'validation'"):
        load_labels(split="validation")
    with pytest.raises(ValueError, match="limit: got 0, expected a positive integer"):
        load_images(limit=0)


@pytest.mark.parametrize("shape", [(12,), (3, 4), (1, 3, 4, 1), (0, 3, 4)])
def test_wrong_shapes_are_refused(tmp_path, shape):
    np.savez(tmp_path / "a.npz", images=np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=re.escape(f"found an array of shape {shape}, expected")):
        load_images(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("value", "found"), [(1.5, "[0, 1.5]"), (-0.1, "[-0.1, 0]"), (np.nan, "nan"), (np.inf, "inf")]
)
def test_values_outside_the_unit_interval_are_refused(tmp_path, value, found):
    array = np.zeros((2, 3, 4))
    array[1, 2, 3] = value
    np.savez(tmp_path / "a.npz", images=array)
    with pytest.raises(ValueError, match=re.escape(found) + r".*expected values in \[0, 1\]"):
        load_images(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex128"])
def test_other_types_are_refused(tmp_path, dtype):
    np.savez(tmp_path / "a.npz", images=np.ones((2, 3, 4), dtype))
    with pytest.raises(ValueError, match=f"type {dtype}, expected uint8"):
        load_images(tmp_path / "a.npz")


def test_images_are_no_labels_and_labels_no_images(tmp_path, stored):
    (tmp_path / "images").write_bytes(idx_bytes(stored))
    (tmp_path / "labels").write_bytes(idx_bytes(np.array([1, 2], np.uint8)))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\).*expected integer labels"):
        load_labels(tmp_path / "images")
    with pytest.raises(ValueError, match=r"shape \(2,\), expected greyscale images"):
        load_images(tmp_path / "labels")
    np.savez(tmp_path / "a.npz", labels=np.array([0.5]))
    with pytest.raises(ValueError, match="expected integer labels"):
        load_labels(tmp_path / "a.npz")


def test_damaged_idx_files_are_refused(tmp_path, stored):
    whole = idx_bytes(stored)
    damaged = {
        "": "starts with nothing",
        "short": "announces shape",
        "long": "announces shape",
        "header": "announces shape",
        "type": "starts with 00 00 07 03",
        "text": "no IDX file",
        "gzip": "damaged gzip",
    }
    contents = {
        "": b"",
        "short": whole[:-1],
        "long": whole + b"\0",
        "header": whole[:9],
        "type": b"\0\0\x07" + whole[3:],
        "text": b"these are no images",
        "gzip": gzip.compress(whole)[:-12],
    }
    for name, message in damaged.items():
        path = tmp_path / f"file-{name}"
        path.write_bytes(contents[name])
        with pytest.raises(ValueError, match=message):
            load_images(path)


def test_damaged_or_ambiguous_archives_are_refused(tmp_path, stored):
    np.savez(tmp_path / "many.npz", a=stored, b=stored)
    with pytest.raises(
        ValueError, match=r"found the arrays \['a', 'b'\], expected one named images"
    ):
        load_images(tmp_path / "many.npz")
    (tmp_path / "text.npz").write_bytes(b"these are no images")
    with pytest.raises(ValueError, match=r"found no \.npz archive"):
        load_images(tmp_path / "text.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "many.npz").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"found no \.npz archive"):
        load_images(tmp_path / "cut.npz")
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Python objects"):
        load_images(tmp_path / "objects.npz")
    np.savez(tmp_path / "one.npz", images=stored)
    damaged = bytearray((tmp_path / "one.npz").read_bytes())
    damaged[150] ^= 0xFF  # inside the array: its checksum no longer agrees
    (tmp_path / "damaged.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged \.npz"):
        load_images(tmp_path / "damaged.npz")
    # A plain .npy file under the wrong name: np.load would return the bare array.
    with open(tmp_path / "plain.npz", "wb") as file:
        np.save(file, stored)
    with pytest.raises(ValueError, match=r"found no \.npz archive"):
        load_images(tmp_path / "plain.npz")
