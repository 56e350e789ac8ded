"""What is shown at one (t, r): a sample on its path, its two denoisers, the locality gap."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.explorer.local import local_denoise
from phasetheory.explorer.study import SEED, Study
from phasetheory.information import locality_gap

__all__ = ["GAP_SAMPLES", "Moment", "moment"]

Floats = NDArray[np.float64]

#: Draws of the locality gap where it is sampled.
GAP_SAMPLES = 300


@dataclass(frozen=True, eq=False)
class Moment:
    r"""One sample at time t, denoised from windows of radius r and from everything.

    Attributes:
        t: Diffusion time.
        radius: Buffer radius r.
        x: Clean sample x_0, shape (n_sites,).
        y: Its noisy version, `law.sample(1, rng=seed)`: the same x_0 and the same random numbers
            at every t, so that the sample moves along one path.
        local: E[x_i | y on the window of i], shape (n_sites,).
        whole: E[x_i | y], shape (n_sites,).
        gap: Squared locality gap at A (:func:`phasetheory.locality_gap`).
    """

    t: float
    radius: int
    x: Floats
    y: Floats
    local: Floats
    whole: Floats
    gap: Estimate

    @property
    def difference(self) -> Floats:
        """Local less global output, shape (n_sites,)."""
        return self.local - self.whole

    def rms(self, values: Floats) -> float:
        """Root mean square over the sites."""
        return float(np.sqrt(np.square(values).mean()))


@lru_cache(maxsize=512)
def moment(study: Study, t: float, radius: int, seed: int) -> Moment:
    """One sample at (t, r).

    Args:
        study: The law and its noise.
        t: Time in (0, 1).
        radius: Buffer radius, one of `study.radii`.
        seed: Which sample.

    Raises:
        ValueError: If the radius leaves no site in C.

    Cost: n_sites local posteriors, one global one, and the gap (300 samples where not exact).
    """
    if radius not in study.stage.parts:
        raise ValueError(f"radius={radius}: one of {study.radii} needed")
    law = study.law(t)
    x, y = law.sample(1, rng=seed)
    return Moment(
        t, radius, x[0].astype(float), y[0].astype(float),
        local_denoise(law, study.stage, y, radius), law.denoise(y)[0], gap_at(study, t, radius),
    )  # fmt: skip


@lru_cache(maxsize=2048)
def gap_at(study: Study, t: float, radius: int) -> Estimate:
    """Squared locality gap at A."""
    parts = study.stage.parts[radius]
    return locality_gap(study.law(t), parts, n_samples=GAP_SAMPLES, rng=SEED)
