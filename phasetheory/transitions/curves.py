"""Curves of several sizes: the input of everything about finite-size scaling."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES

__all__ = ["Curves", "as_curves"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    r"""A quantity against t for several system sizes, one entry a point.

    Attributes:
        size: Linear size L of the system, shape (n_points,), positive.
        t: Diffusion time, or any other control parameter, shape (n_points,).
        value: The quantity, shape (n_points,).
        stderr: Its standard errors, shape (n_points,), taken as independent of each other; 0
            everywhere for exact data.

    Raises:
        ValueError: If shapes do not fit, a number is not finite, a size not positive, an error
            negative, or some errors are zero and others not.
    """

    size: Floats
    t: Floats
    value: Floats
    stderr: Floats

    def __post_init__(self) -> None:
        """Check."""
        shape = np.shape(self.value)
        for name in ("size", "t", "value", "stderr"):
            array = np.asarray(getattr(self, name), dtype=float)
            if array.ndim != 1 or array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}: {shape}, one a point, needed")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds {int((~np.isfinite(array)).sum())} NaN or infinity")
            object.__setattr__(self, name, array)
        if not (self.size > 0).all():
            raise ValueError(f"size holds {self.size.min()}: positive numbers needed")
        if (self.stderr < 0).any():
            raise ValueError(f"stderr holds {self.stderr.min()}: numbers >= 0 needed")
        zero = int((self.stderr == 0).sum())
        if 0 < zero < self.stderr.size:
            raise ValueError(
                f"stderr is 0 for {zero} of {self.stderr.size} points: give all of them an error,"
                " none of them (exact data), or leave the certain ones out (value NaN)"
            )

    @classmethod
    def from_arrays(
        cls, size: ArrayLike, t: ArrayLike, value: ArrayLike, *, stderr: ArrayLike = 0.0
    ) -> "Curves":
        """Curves from a table with a row for each size.

        Args:
            size: Shape (n_sizes,), distinct.
            t: Shape (n_t,), or (n_sizes, n_t) where every size has times of its own.
            value: Shape (n_sizes, n_t); NaN leaves a point out.
            stderr: Scalar, or shape (n_sizes, n_t).

        Returns:
            The curves.

        Raises:
            ValueError: If shapes do not fit, sizes repeat, or the points are refused.

        Example:
            >>> import numpy as np
            >>> t, L = np.linspace(0.4, 0.6, 5), np.array([8, 16, 32])
            >>> curves = Curves.from_arrays(L, t, np.tanh((t - 0.5) * L[:, None]))
            >>> curves.sizes.tolist(), curves.exact
            ([8.0, 16.0, 32.0], True)
        """
        sizes, values = np.asarray(size, dtype=float), np.asarray(value, dtype=float)
        if sizes.ndim != 1 or np.unique(sizes).size != sizes.size:
            raise ValueError(f"size={sizes.tolist()}: distinct numbers in one axis needed")
        if values.ndim != 2 or len(values) != sizes.size:
            raise ValueError(f"value has shape {values.shape}: ({sizes.size}, n_t) needed")
        kept = ~np.isnan(values)
        flat = [np.broadcast_to(sizes[:, None], values.shape)[kept]]
        for name, given in (("t", t), ("stderr", stderr)):
            array = np.asarray(given, dtype=float)
            try:
                flat.append(np.broadcast_to(array, values.shape)[kept])
            except ValueError:
                raise ValueError(
                    f"{name} has shape {array.shape}: one that broadcasts to {values.shape} needed"
                ) from None
        return cls(flat[0], flat[1], values[kept], flat[2])

    @property
    def sizes(self) -> Floats:
        """The different sizes, increasing."""
        return np.unique(self.size)

    @property
    def exact(self) -> bool:
        """Whether the points have no errors."""
        return not self.stderr.any()

    @property
    def error(self) -> Floats | None:
        """Standard errors, or None for exact data."""
        return None if self.exact else self.stderr

    def where(self, kept: NDArray[np.bool_]) -> "Curves":
        """The points of a mask of shape (n_points,)."""
        return Curves(self.size[kept], self.t[kept], self.value[kept], self.stderr[kept])


def as_curves(data: xr.Dataset | Curves, value: str, least: int) -> Curves:
    """Curves from a dataset over dims `size` and `t`, or from themselves.

    Args:
        data: Curves, or a dataset with variables `<value>` and `<value>_stderr` over exactly the
            dims `size` and `t`; `<value>_n_effective`, where present, leaves out points whose
            error bar is not to be trusted. Rename other dims first: ``data.rename(radius="size")``.
        value: Name of the variable.
        least: How many sizes are needed.

    Raises:
        ValueError: If a variable or a dim is missing or superfluous, or too few sizes remain.
    """
    if isinstance(data, xr.Dataset):
        data = _from_dataset(data, value)
    if not isinstance(data, Curves):
        raise ValueError(f"data is a {type(data).__name__}: an xarray.Dataset or Curves needed")
    if data.sizes.size < least:
        raise ValueError(f"data has the sizes {data.sizes.tolist()}: at least {least} needed")
    return data


def _from_dataset(data: xr.Dataset, value: str) -> Curves:
    missing = {value, f"{value}_stderr"} - set(data.data_vars)
    if missing:
        raise ValueError(
            f"data lacks {sorted(missing)}, it has {sorted(map(str, data.data_vars))}: name the"
            " variable by value=, and give its _stderr (0 where exact)"
        )
    if set(data[value].dims) != {"size", "t"}:
        raise ValueError(
            f"{value} has dims {data[value].dims}: exactly 'size' and 't' needed; select or rename"
        )
    grid = data.transpose("size", "t", ...)
    kept = grid[value].values
    if f"{value}_n_effective" in grid:
        kept = np.where(grid[f"{value}_n_effective"] >= MIN_EFFECTIVE_SAMPLES, kept, np.nan)
    times = grid["t"].values.astype(float)
    error = grid[f"{value}_stderr"].values
    return Curves.from_arrays(grid["size"].values, times, kept, stderr=error)
