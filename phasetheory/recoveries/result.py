"""What a recovery step is judged by."""

from dataclasses import dataclass

from phasetheory.estimate import Estimate

__all__ = ["Recovery"]


@dataclass(frozen=True)
class Recovery:
    r"""The T1 chain in numbers, for one local Bayes recovery.

    .. math:: 2\,\mathrm{TV}^2 \le \mathrm{KL}(p\|\hat p) \le I(A;C|B) - I(\tilde A;C|B)
              \le I(A;C|B), \qquad F \ge e^{-I(A;C|B)/2}

    Attributes:
        kl: KL(p || p-hat), nats.
        tv: Total variation distance, between 0 and 1.
        fidelity: Bhattacharyya coefficient F = sum sqrt(p p-hat), between 0 and 1.
        cmi_before: I(A;C|B) before the noise on A, nats.
        cmi_after: I(A~;C|B) after it, nats.
        posterior_kl: E_y KL(p(x_A|y) || q(x_A|y)) between the exact and the local posterior of
            the step, nats; computed on its own, it equals cmi_before - cmi_after.
    """

    kl: Estimate
    tv: Estimate
    fidelity: Estimate
    cmi_before: Estimate
    cmi_after: Estimate
    posterior_kl: Estimate

    def __str__(self) -> str:
        """Return one line a quantity."""
        rows = ("kl", "tv", "fidelity", "cmi_before", "cmi_after", "posterior_kl")
        return "\n".join(f"{name:>12}  {getattr(self, name)}" for name in rows)
