r"""The T1 chain :math:`2 TV^2 \le KL \le I - \tilde I \le I` of one more step of noise on A.

Recovery is exact on tables and on Gaussian fields. A larger discrete law is replaced by a small
patch of the same model; where the law under its noise is neither discrete nor Gaussian, only I
before and after the step can be had.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

from phasetheory.estimate import Estimate
from phasetheory.explorer.scenes import Scene, Shape, Stage
from phasetheory.explorer.study import SEED, Study
from phasetheory.information import cmi
from phasetheory.lattice import Tripartition
from phasetheory.models.table import Table
from phasetheory.noise import Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.recoveries import recovery

__all__ = ["CHAIN_SAMPLES", "Chain", "chain"]

#: Draws where I before and after the step is sampled.
CHAIN_SAMPLES = 300


@dataclass(frozen=True)
class Chain:
    """One step of noise on A and its local undoing.

    Attributes:
        two_tv_squared: 2 TV(p, p-hat)^2, or None where there is no recovery.
        tv: TV(p, p-hat), or None.
        kl: KL(p || p-hat), nats, or None.
        drop: I - I~, nats, or None where both are sampled.
        before: I(A;C|B) before the step, nats.
        after: I~ = I(A~;C|B) after it, nats.
        radius: Buffer radius in the law that was used.
        patch: Rows and columns of the patch, or None where the law itself was used.
    """

    two_tv_squared: Estimate | None
    tv: Estimate | None
    kl: Estimate | None
    drop: Estimate | None
    before: Estimate
    after: Estimate
    radius: int
    patch: Shape | None


@lru_cache(maxsize=2048)
def chain(study: Study, t: float, radius: int, strength: float) -> Chain:
    """The chain at (t, r) for a step that takes A alone from t to 1 - (1 - t)(1 - strength).

    Args:
        study: The law and its noise.
        t: Time before the step.
        radius: Buffer radius.
        strength: Strength of the step on A, in (0, 1].

    Raises:
        ValueError: If the strength is out of range.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"strength={strength}: a number in (0, 1] needed")
    noise = study.noise(t)
    step = noise.increment(study.noise(1.0 - (1.0 - t) * (1.0 - strength)))
    stage, patch = study.stage, None
    if study.noise_name in study.scene.patch:
        patch, _ = study.scene.patch[study.noise_name]
        stage = _patch(study.scene, study.noise_name)
    own = min(radius, max(stage.parts))
    law, parts = NoisyLaw(stage.model, noise), stage.parts[own]
    if law.discrete.all() or hasattr(stage.model, "noisy_covariance"):
        found = recovery(law, parts, step)
        drop = Estimate(found.cmi_before.value - found.cmi_after.value, quantity="cmi drop")
        twice = Estimate(2.0 * found.tv.value**2, quantity="2 TV^2")
        return Chain(twice, found.tv, found.kl, drop, found.cmi_before, found.cmi_after, own, patch)
    before, after = _informations(law, parts, step)
    exact = before.exact and after.exact
    difference = Estimate(before.value - after.value, quantity="cmi drop") if exact else None
    return Chain(None, None, None, difference, before, after, own, patch)


def _informations(law: NoisyLaw, parts: Tripartition, step: Noise) -> tuple[Estimate, Estimate]:
    """I before and after the step on A, from the same seed."""
    before = cmi(law, parts, n_samples=CHAIN_SAMPLES, rng=SEED)
    after = cmi(law.then(step, parts.A), parts, n_samples=CHAIN_SAMPLES, rng=SEED)
    return before, after


@cache
def _patch(scene: Scene, noise_name: str) -> Stage:
    """The small copy of a law, as a table."""
    shape, centre = scene.patch[noise_name]
    small = scene.build(shape)
    return Stage(Table.from_prior(small.model), shape, centre, small.places)
