r"""Reverse circuits on Gaussian fields, in closed form at any size.

A local recovery of a Gaussian law is linear. With the block's channel :math:`\tilde y_A = a y_A +
b z`, and mean m and covariance V of :math:`y_A` given the buffer, the gate draws

.. math:: y_A \sim N\big(m + K(\tilde y_A - a m),\; (1 - aK) V\big), \qquad
          K = aV(a^2 V + b^2)^{-1}, \quad m = \mu_A + W (y_B - \mu_B),

so what comes out is Gaussian. Its mean is exact, and its covariance follows gate by gate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from tqdm import tqdm

from phasetheory.circuits.circuit import Circuit, Gate
from phasetheory.circuits.result import CircuitRun
from phasetheory.estimate import Estimate
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.noise import Gaussian, Noise

__all__ = ["run_gaussian"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Draws behind the total variation distance.
N_TV = 100_000


@dataclass(frozen=True)
class Linear:
    """A gate y_A -> keep @ y_A + read @ y_B + N(0, spread), all about the means.

    Attributes:
        keep: Shape (m, m).
        read: Shape (m, |B|).
        spread: Shape (m, m).
        local: Covariance V of y_A given y_B before the noise, shape (m, m).
    """

    keep: Floats
    read: Floats
    spread: Floats
    local: Floats


class GaussianPath:
    """The forward laws of a Gaussian field along the times of a circuit."""

    def __init__(self, model: GaussianField, noise: Callable[[float], Noise], circuit: Circuit):
        if model.lattice.n_sites != circuit.lattice.n_sites:
            raise ValueError(
                f"circuit is made for {circuit.lattice.n_sites} sites: the model has"
                f" {model.lattice.n_sites}"
            )
        levels = []
        for level in (noise(float(t)) for t in circuit.times):
            if not isinstance(level, Gaussian) or level.n_sites is not None:
                raise ValueError(
                    f"{level.name} noise on a Gaussian field: Gaussian noise with the same t on"
                    " every site needed"
                )
            levels.append(level)
        self.circuit, self.n_sites = circuit, model.lattice.n_sites
        sites = np.arange(self.n_sites)
        self.clean = model.noisy_covariance(Gaussian(0.0), sites)
        spectrum = np.linalg.eigvalsh(self.clean)
        if not spectrum[0] > self.n_sites * np.finfo(float).eps * spectrum[-1]:
            raise ValueError(
                "the data have no density (singular covariance, eigenvalues from"
                f" {spectrum[0]:.3g} to {spectrum[-1]:.3g}), so that KL is infinite: add white"
                " noise to the field"
            )
        self._scales = [(float(level.alpha), float(level.sigma)) for level in levels]
        steps = [early.increment(late) for late, early in pairwise(levels)]
        self.increments = [(float(step.alpha), float(step.sigma)) for step in steps]

    def covariance(self, step: int, done: Mask, sites: Indices | None = None) -> Floats:
        """Of the half-finished law: sites done at times[step + 1], the others at times[step].

        Args:
            step: The step.
            done: Shape (n_sites,).
            sites: Those wanted; all by default.
        """
        wanted = np.arange(self.n_sites) if sites is None else sites
        late, early = self._scales[step], self._scales[step + 1]
        alpha, sigma = (np.where(done[wanted], e, t) for e, t in zip(early, late, strict=True))
        clean = self.clean if sites is None else self.clean[np.ix_(wanted, wanted)]
        return np.asarray(alpha[:, None] * clean * alpha + np.diag(sigma**2))

    def gate(self, step: int, gate: Gate, done: Mask) -> Linear:
        """The gate's linear map, from the covariance of the law before its noise.

        Args:
            step: The step.
            gate: A and B.
            done: Sites at times[step + 1] before the noise, those of A among them.
        """
        m = gate.A.size
        law = self.covariance(step, done, np.concatenate(gate))
        block, cross = law[:m, :m], law[:m, m:]
        weights = np.asarray(np.linalg.solve(law[m:, m:], cross.T).T, dtype=float)
        local = np.asarray(block - weights @ cross.T)
        a, b = self.increments[step]
        gain = np.asarray(a * np.linalg.solve(a**2 * local + b**2 * np.eye(m), local).T)
        rest = np.eye(m) - a * gain
        return Linear(gain, np.asarray(rest @ weights), np.asarray(rest @ local), local)


def run_gaussian(
    model: GaussianField,
    noise: Callable[[float], Noise],
    circuit: Circuit,
    *,
    terms: bool = True,
    progress: bool = True,
    rng: Any = 0,
) -> CircuitRun:
    """Run a circuit on a Gaussian field; see :func:`phasetheory.reverse_circuit`.

    Args:
        model: The field; its covariance must not be singular.
        noise: Callable t -> Gaussian.
        circuit: The circuit.
        terms: Compute the terms of T2.
        progress: Show a bar on a terminal.
        rng: Generator or seed of the draws behind TV.

    Returns:
        Law (a GaussianField), KL and terms exact; TV a sampled Estimate, an integral over the
        generalised eigenvalues of the two covariances.

    Raises:
        ValueError: If the noise is not Gaussian, sizes differ, or the covariance is singular.

    Cost: a solve of the window's size for each gate, and with terms n_sites^2, besides an inverse
    for each step.
    """
    path = GaussianPath(model, noise, circuit)
    simultaneous = circuit.simultaneous
    with_terms = terms and not simultaneous
    output = path.covariance(0, np.zeros(path.n_sites, dtype=bool))
    found: list[tuple[float, float]] = []
    steps = tqdm(range(circuit.n_steps), desc="steps", disable=None if progress else True)
    for step in steps:
        gates = [gate for layer in circuit.layers(step) for gate in layer]
        done = np.zeros(path.n_sites, dtype=bool)
        maps = []
        for gate in gates:
            after = done.copy()
            after[gate.A] = True
            maps.append(path.gate(step, gate, after))
            done = done if simultaneous else after
        output = _together(output, gates, maps) if simultaneous else _in_turn(output, gates, maps)
        if with_terms:
            found += _terms(path, step, gates, maps)
    ratios = _ratios(path.clean, output)
    cmi, falls = np.array(found).reshape(-1, 2).T
    return CircuitRun(
        circuit=circuit,
        law=GaussianField(model.lattice, mean=model.mean, covariance=output),
        kl=Estimate(float(0.5 * (ratios - 1.0 - np.log(ratios)).sum()), quantity="kl"),
        tv=_total_variation(ratios, rng=rng),
        terms=falls,
        cmi=cmi,
    )


def _in_turn(law: Floats, gates: list[Gate], maps: list[Linear]) -> Floats:
    """Covariance after gates that act one after the other."""
    law = law.copy()
    for gate, linear in zip(gates, maps, strict=True):
        rows = linear.keep @ law[gate.A] + linear.read @ law[gate.B]
        block = rows[:, gate.A] @ linear.keep.T + rows[:, gate.B] @ linear.read.T + linear.spread
        law[gate.A], law[:, gate.A] = rows, rows.T
        law[np.ix_(gate.A, gate.A)] = 0.5 * (block + block.T)
    return law


def _together(law: Floats, gates: list[Gate], maps: list[Linear]) -> Floats:
    """Covariance after gates that all read the law before the step."""
    pull, spread = np.zeros_like(law), np.zeros_like(law)
    for gate, linear in zip(gates, maps, strict=True):
        pull[np.ix_(gate.A, gate.A)] = linear.keep
        pull[np.ix_(gate.A, gate.B)] = linear.read
        spread[np.ix_(gate.A, gate.A)] = linear.spread
    new = pull @ law @ pull.T + spread
    return np.asarray(0.5 * (new + new.T))


def _terms(
    path: GaussianPath, step: int, gates: list[Gate], maps: list[Linear]
) -> list[tuple[float, float]]:
    """(I(A;C|B), its fall) of the gates of a step, in their order.

    The precision follows the forward path, so that the exact conditional covariance of a block
    costs its own size; it is inverted afresh at every step, before rounding adds up.
    """
    a, b = path.increments[step]
    everywhere = np.ones(path.n_sites, dtype=bool)
    precision: Floats = np.asarray(np.linalg.inv(path.covariance(step, everywhere)), dtype=float)
    found = []
    for gate, linear in zip(reversed(gates), reversed(maps), strict=True):
        exact = np.asarray(np.linalg.inv(precision[np.ix_(gate.A, gate.A)]), dtype=float)
        unit = b**2 * np.eye(len(exact))
        before = _log_det_ratio(linear.local, exact)
        after = _log_det_ratio(a**2 * linear.local + unit, a**2 * exact + unit)
        found.append((before, before - after))
        _noise_block(precision, gate.A, exact, a, unit)
    return found[::-1]


def _noise_block(precision: Floats, A: Indices, exact: Floats, a: float, unit: Floats) -> None:
    """Precision after y_A -> a y_A + b z, in place."""
    rows = precision[A].copy()
    rows[:, A] = 0.0  # E[y_A | rest] = -exact @ rows @ rest
    noisy = np.linalg.inv(a**2 * exact + unit)
    # The law of the rest stays, and given the rest A has mean a E[y_A | rest] and precision
    # `noisy`: in all, rows^T (exact - a^2 exact noisy exact) rows is taken away.
    precision -= rows.T @ (unit @ exact @ noisy @ rows)
    precision[A] = a * noisy @ exact @ rows
    precision[:, A] = precision[A].T
    precision[np.ix_(A, A)] = noisy


def _log_det_ratio(larger: Floats, smaller: Floats) -> float:
    """Half of log det larger - log det smaller, for matrices that hardly differ."""
    ratio = np.linalg.solve(smaller, larger - smaller)
    if len(ratio) == 1:
        return float(0.5 * np.log1p(ratio[0, 0]))
    return float(0.5 * np.linalg.slogdet(np.eye(len(ratio)) + ratio)[1])


def _ratios(p: Floats, q: Floats) -> Floats:
    """Eigenvalues of q^-1 p: the variances of p in coordinates where q is the identity."""
    return np.asarray(eigh(p, q, eigvals_only=True))


def _total_variation(ratios: Floats, *, rng: Any) -> Estimate:
    """TV of two centred Gaussians as E_p max(0, 1 - q/p), sampled along the joint axes."""
    rng = np.random.default_rng(rng)
    batches = []
    rows = max(1, 10**7 // ratios.size)
    for start in range(0, N_TV, rows):
        z2 = np.square(rng.standard_normal((min(rows, N_TV - start), ratios.size)))
        # log q - log p at x = sqrt(ratio) z.
        log_ratio = 0.5 * (z2 @ (1.0 - ratios) + np.log(ratios).sum())
        batches.append(np.maximum(0.0, -np.expm1(np.minimum(log_ratio, 0.0))))
    return Estimate.from_samples(np.concatenate(batches), unit="1", quantity="tv")
