r"""How good generated images are, by two measures that need nothing but the data at hand.

- The Frechet distance between Gaussians fitted to features, :math:`|\mu - \mu'|^2 + \mathrm{tr}
  (\Sigma + \Sigma' - 2(\Sigma \Sigma')^{1/2})`, in the last hidden layer of a small classifier
  trained on the labels (the FID of Heusel et al. 2017 with a network of one's own). It sees what
  the classifier sees. With n samples it is biased upwards by order (number of features)/n, so it
  is to be compared at equal n, and with real against real.
- The classifier two-sample test (Lopez-Paz and Oquab 2017): the held-out accuracy of a network
  trained to tell real from generated. 1/2 if they are the same; its value is a lower bound on
  :math:`(1 + \mathrm{TV})/2`, hence on the total variation distance.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import Estimate
from phasetheory.neural.backend import Tensor, checked_images, device_of, nn, seeded, torch
from phasetheory.neural.denoising import data_key
from phasetheory.neural.training import PathLike, Training, train

__all__ = [
    "Classifier", "accuracy", "features", "frechet_distance", "train_classifier",
    "two_sample_test",
]  # fmt: skip

Floats = NDArray[np.float64]

#: Images in one evaluation of a classifier.
_ROWS = 1024


class Classifier(nn.Module):
    """Two convolutions that halve the resolution, one hidden layer of features, logits.

    Args:
        n_classes: Number of classes, at least 2.
        shape: (H, W) of the images.
        width: Channels of the first convolution.
        n_features: Width of the hidden layer.
        mean: Subtracted from the images.
        std: They are divided by it.
        seed: Of the initial weights.
    """

    def __init__(
        self,
        n_classes: int,
        shape: tuple[int, int],
        *,
        width: int = 16,
        n_features: int = 32,
        mean: float = 0.5,
        std: float = 0.35,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"n_classes={n_classes}: at least 2 needed")
        if not std > 0:
            raise ValueError(f"std={std}: a positive number needed")
        self.mean, self.std = mean, std
        height, breadth = (-(-int(side) // 4) for side in shape)
        with seeded(seed):
            self.body = nn.Sequential(
                nn.Conv2d(1, width, 3, stride=2, padding=1), nn.GELU(),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(),
                nn.Linear(2 * width * height * breadth, n_features), nn.GELU(),
            )  # fmt: skip
            self.leave = nn.Linear(n_features, n_classes)

    def hidden(self, x: Tensor) -> Tensor:
        """Features, shape (n, n_features), of images (n, 1, H, W)."""
        out: Tensor = self.body((x - self.mean) / self.std)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, n_classes)."""
        out: Tensor = self.leave(self.hidden(x))
        return out


def train_classifier(
    images: ArrayLike,
    labels: ArrayLike,
    settings: Training,
    *,
    checkpoint: PathLike | None = None,
    data_range: tuple[float, float] | None = (0.0, 1.0),
    **network: Any,
) -> Classifier:
    """Train a small classifier on labelled images.

    Args:
        images: Training images, shape (n, H, W).
        labels: Whole numbers from 0 on, shape (n,).
        settings: How to train.
        checkpoint: File to continue from and to keep up to date.
        data_range: Declared range of the images; None where there is none (generated ones).
        **network: `width`, `n_features` of :class:`Classifier`.

    Returns:
        The classifier, in eval mode.

    Raises:
        ValueError: If images, labels or the checkpoint do not fit.
    """
    clean = checked_images("images", images, data_range)
    if clean.ndim != 3:
        raise ValueError(f"images has shape {clean.shape}: (n, height, width) needed")
    classes = _checked_labels(labels, len(clean))
    shape = (clean.shape[1], clean.shape[2])
    made = Classifier(
        int(classes.max()) + 1, shape, mean=float(clean.mean()), std=float(clean.std()) or 1.0,
        seed=settings.seed, **network,
    )  # fmt: skip
    device = device_of(settings.device)
    data = torch.as_tensor(clean, dtype=torch.float32, device=device)[:, None]
    target = torch.as_tensor(classes, device=device)

    def loss(module: nn.Module, rng: torch.Generator) -> Tensor:
        rows = torch.randint(len(data), (settings.batch_size,), generator=rng, device=device)
        found: Tensor = nn.functional.cross_entropy(module(data[rows]).float(), target[rows])
        return found

    task = {"data": data_key(clean), "labels": data_key(classes), "network": network}
    train(made, loss, settings, checkpoint=checkpoint, task=task)
    return made


def features(classifier: Classifier, images: ArrayLike) -> Floats:
    """Hidden layer of a classifier, shape (n, n_features), of images of shape (n, H, W)."""
    return _evaluated(classifier, images, classifier.hidden)


def accuracy(classifier: Classifier, images: ArrayLike, labels: ArrayLike) -> Estimate:
    """Share of images, held out from its training, that a classifier gets right."""
    clean = checked_images("images", images, None)
    right = _evaluated(classifier, clean, classifier).argmax(axis=1) == _checked_labels(
        labels, len(clean)
    )
    return Estimate.from_samples(right.astype(float), unit="1", quantity="accuracy")


def frechet_distance(
    real: ArrayLike, made: ArrayLike, *, n_bootstrap: int = 100, rng: Any = None
) -> Estimate:
    """Squared Frechet distance between Gaussians fitted to two sets of features.

    Args:
        real: Shape (n, d), n > d.
        made: Shape (m, d), m > d.
        n_bootstrap: Resamplings of both sets, at least 2, for the standard error.
        rng: Generator or seed of these.

    Returns:
        The distance, in squared units of the features. Its standard error does not contain the
        bias upwards of order d/n + d/m; see it in the distance between two sets of real images.

    Raises:
        ValueError: If the shapes do not fit.

    Source: Dowson and Landau 1982; Heusel et al. 2017.
    """
    one, other = (np.asarray(x, dtype=float) for x in (real, made))
    for name, x in (("real", one), ("made", other)):
        if x.ndim != 2 or x.shape[1] != one.shape[-1] or len(x) <= x.shape[1]:
            raise ValueError(
                f"{name} has shape {x.shape}: (n, {one.shape[-1]}) with n > {one.shape[-1]} needed"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"{name} holds NaN or infinite values")
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap={n_bootstrap}: at least 2 needed")
    rng = np.random.default_rng(rng)
    again = [
        _frechet(one[rng.integers(len(one), size=len(one))],
                 other[rng.integers(len(other), size=len(other))])
        for _ in range(n_bootstrap)
    ]  # fmt: skip
    fewer = min(len(one), len(other))
    return Estimate(
        _frechet(one, other), float(np.std(again, ddof=1)), fewer, float(fewer),
        "1", "squared Frechet distance",
    )  # fmt: skip


def two_sample_test(
    real: ArrayLike, made: ArrayLike, settings: Training, *, rng: Any = None, **network: Any
) -> Estimate:
    """Held-out accuracy of a network that was trained to tell two sets of images apart.

    Args:
        real: Shape (n, H, W), images that no generator was trained on.
        made: Shape (m, H, W); of the larger set a random part is taken. Half of each is for
            training, half for the value.
        settings: How to train.
        rng: Generator or seed of the split.
        **network: `width`, `n_features` of :class:`Classifier`.

    Returns:
        The accuracy: 1/2 within errors where the network finds no difference.

    Raises:
        ValueError: If the shapes do not fit or there are fewer than 8 images.
    """
    sets = [checked_images(name, x, None, 8) for name, x in (("real", real), ("made", made))]
    if sets[0].shape[1:] != sets[1].shape[1:]:
        raise ValueError(f"made has shape {sets[1].shape}: (m, *{sets[0].shape[1:]}) needed")
    rng = np.random.default_rng(rng)
    n = min(map(len, sets)) // 2
    order = [rng.permutation(len(x)) for x in sets]
    labels = np.repeat([0, 1], n)
    first, second = (
        np.concatenate([x[o[part]] for x, o in zip(sets, order, strict=True)])
        for part in (slice(n), slice(n, 2 * n))
    )
    judge = train_classifier(first, labels, settings, data_range=None, **network)
    found = accuracy(judge, second, labels)
    return Estimate(
        found.value, found.stderr, found.n_samples, found.n_effective, "1",
        "held-out accuracy of telling real from generated",
    )  # fmt: skip


def _evaluated(classifier: Classifier, images: ArrayLike, function: Any) -> Floats:
    clean = checked_images("images", images, None, least=1)
    device = next(classifier.parameters()).device
    with torch.no_grad():
        parts = [
            function(
                torch.as_tensor(clean[i : i + _ROWS], dtype=torch.float32, device=device)[:, None]
            )
            for i in range(0, len(clean), _ROWS)
        ]
    return np.asarray(torch.cat(parts).cpu().to(torch.float64).numpy())


def _checked_labels(labels: ArrayLike, n: int) -> NDArray[np.int64]:
    found = np.asarray(labels)
    if found.shape != (n,) or not np.issubdtype(found.dtype, np.integer) or found.min() < 0:
        raise ValueError(f"labels has shape {found.shape}: {n} whole numbers >= 0 needed")
    return found.astype(np.int64)


def _frechet(one: Floats, other: Floats) -> float:
    shift = one.mean(axis=0) - other.mean(axis=0)
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # sqrt(a b) has the eigenvalues of the symmetric sqrt(root b root).
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2.0 * cross)
