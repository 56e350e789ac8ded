"""What a run of Markov chains returns: states, diagnostics, and estimates they stand behind."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import Estimate
from phasetheory.sampling.diagnostics import autocorrelation_time, r_hat, variance_of_mean
from phasetheory.sampling.target import Target

__all__ = ["MAX_R_HAT", "MIN_ESS", "ChainResult"]

#: Chains whose split R-hat exceeds this disagree (Vehtari et al. 2021).
MAX_R_HAT = 1.01

#: Below this many effective draws neither R-hat nor the autocorrelation time can be believed.
MIN_ESS = 100.0

Floats = NDArray[np.float64]
Observable = Callable[[NDArray[np.int8]], ArrayLike] | str | ArrayLike


@dataclass(frozen=True, eq=False)
class ChainResult:
    """States of several chains, with what is needed to judge them.

    Attributes:
        target: The law sampled.
        states: int8, shape (n_chains, n, n_sites), after burn-in, every `thin`-th step.
        acceptance: Mean acceptance of each chain, shape (n_chains,); its meaning is the move's.
        sampler: Name of the move.
        burn_in: Steps dropped at the start of each chain.
        thin: Steps between kept states.
        independent: Whether the draws are independent and exact (perfect sampling), which needs
            no diagnosis.
    """

    target: Target
    states: NDArray[np.int8]
    acceptance: Floats
    sampler: str
    burn_in: int
    thin: int
    independent: bool = False

    @cached_property
    def energies(self) -> Floats:
        """E of every state (no unit: temperature is absorbed), shape (n_chains, n)."""
        return self.target.energy(self.states)

    @cached_property
    def monitors(self) -> dict[str, Floats]:
        """The series that are watched: name -> shape (n_chains, n).

        Energy and magnetisation per site, and the overlap with a fixed random pattern of signs,
        which sees the valleys of a frustrated model.
        """
        n = self.target.n_sites
        pattern = np.random.default_rng(0).random(n) < 0.5
        # Sums, because a product with floats would copy all states at eight times their size.
        up, whole = self.states.sum(axis=-1, where=pattern), self.states.sum(axis=-1)
        return {
            "energy": self.energies / n,
            "magnetisation": whole / n,
            "pattern overlap": (2 * up - whole) / n,
        }

    @cached_property
    def tau_int(self) -> dict[str, float]:
        """Integrated autocorrelation time of each monitor, in kept states."""
        return {name: self._tau(series) for name, series in self.monitors.items()}

    @cached_property
    def ess(self) -> dict[str, float]:
        """Effective sample size of each monitor, over all chains."""
        return {name: self.energies.size / tau for name, tau in self.tau_int.items()}

    @cached_property
    def r_hat(self) -> dict[str, float]:
        """Rank-normalised split R-hat of each monitor; NaN if it never changed."""
        return {name: r_hat(series) for name, series in self.monitors.items()}

    @property
    def mixed(self) -> bool:
        """Whether nothing speaks against the chains having mixed."""
        return not self.diagnosis

    @cached_property
    def diagnosis(self) -> str:
        """What is wrong with the chains, empty if nothing is seen."""
        # One series may be constant by symmetry (free spins have energy 0); all of them may not.
        moving = {name: series for name, series in self.monitors.items() if np.ptp(series) > 0.0}
        if not moving and not self.independent:
            return "nothing ever changed: a frozen chain cannot be told from one that has mixed"
        found = (self._complaint(name, series) for name, series in moving.items())
        return "; ".join(complaint for complaint in found if complaint)

    def estimate(
        self,
        observable: Observable,
        *,
        force: bool = False,
        unit: str = "1",
        quantity: str = "",
    ) -> Estimate:
        r"""Mean of an observable, with the standard error that autocorrelation leaves it.

        .. math:: \bar f \pm \sqrt{\hat V \tau / (n_{chains} n)}

        Args:
            observable: A function of states (k, n_sites) that returns (k,) values, the name of a
                monitor, or a series of shape (n_chains, n).
            force: Return the estimate although the chains have not mixed.
            unit: Unit of the observable.
            quantity: What it is.

        Returns:
            The estimate; its `n_effective` is that of independent draws with the same spread,
            divided by the autocorrelation time.

        Raises:
            ValueError: If the chains have not mixed (unless forced), or the observable has the
                wrong shape.
        """
        series = self._series(observable)
        # An observable that never changes has no error of its own; the monitors still speak.
        own = "" if np.ptp(series) == 0.0 else self._complaint(quantity or "observable", series)
        complaint = "; ".join(text for text in (self.diagnosis, own) if text)
        if complaint and not force:
            raise ValueError(
                f"the chains of '{self.sampler}' have not mixed: {complaint}. Run longer, take"
                " another sampler (cluster moves without frustration, 'tempering' with it), or"
                " pass force=True"
            )
        plain = Estimate.from_samples(series.ravel())
        tau = self._tau(series)
        variance = plain.stderr**2 if self.independent else variance_of_mean(series)
        return Estimate(
            plain.value,
            float(np.sqrt(variance)),
            series.size,
            plain.n_effective / tau,
            unit,
            quantity,
        )

    def _series(self, observable: Observable) -> Floats:
        shape = self.states.shape[:2]
        if isinstance(observable, str):
            if observable not in self.monitors:
                raise ValueError(
                    f"observable={observable!r}: one of {sorted(self.monitors)}, a function of the"
                    " states, or a series needed"
                )
            return self.monitors[observable]
        if callable(observable):
            flat = self.states.reshape(-1, self.target.n_sites)
            values = np.asarray(observable(flat), dtype=float)
            if values.shape != flat.shape[:1]:
                raise ValueError(
                    f"observable returned shape {values.shape} for states of shape {flat.shape}:"
                    f" {flat.shape[:1]} needed"
                )
            return values.reshape(shape)
        values = np.asarray(observable, dtype=float)
        if values.shape != shape:
            raise ValueError(f"observable has shape {values.shape}: {shape} needed")
        return values

    def _tau(self, series: Floats) -> float:
        return 1.0 if self.independent else autocorrelation_time(series)

    def _complaint(self, name: str, series: Floats) -> str:
        if self.independent:
            return ""
        ratio, size = r_hat(series), series.size / self._tau(series)
        if ratio > MAX_R_HAT:
            means = ", ".join(f"{m:.3g}" for m in series.mean(axis=1)[:4])
            return (
                f"{name} has R-hat {ratio:.3f} > {MAX_R_HAT} (chain means {means}, effective"
                f" sample size {size:.0f} of {series.size})"
            )
        if size < MIN_ESS:
            return f"{name} has an effective sample size of {size:.0f} < {MIN_ESS:.0f}"
        return ""
