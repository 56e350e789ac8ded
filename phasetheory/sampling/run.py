"""One entry point for all Markov chains: several chains, burn-in, thinning, diagnostics."""

from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from phasetheory.sampling.chains import ChainResult
from phasetheory.sampling.checkerboard import Checkerboard
from phasetheory.sampling.heat_bath import HeatBath
from phasetheory.sampling.metropolis import Metropolis
from phasetheory.sampling.move import Move
from phasetheory.sampling.multispin import Multispin
from phasetheory.sampling.perfect import Perfect
from phasetheory.sampling.swendsen_wang import SwendsenWang
from phasetheory.sampling.target import target_of
from phasetheory.sampling.tempering import Tempering
from phasetheory.sampling.wolff import Wolff
from phasetheory.seeds import seed_sequence

__all__ = ["SAMPLERS", "sample"]

#: Name -> how to make the move from a model.
SAMPLERS: dict[str, Callable[[Any], Move]] = {
    "metropolis": lambda model: Metropolis(target_of(model)),
    "heat-bath": lambda model: HeatBath(target_of(model)),
    "checkerboard": lambda model: Checkerboard(target_of(model)),
    "multispin": Multispin,
    "swendsen-wang": lambda model: SwendsenWang(target_of(model)),
    "wolff": lambda model: Wolff(target_of(model)),
    "perfect": lambda model: Perfect(target_of(model)),
    "tempering": lambda model: Tempering(target_of(model)),
}

_MEMORY = 2**31  # bytes of kept states
_SEGMENT = 500  # kept states between two updates of the progress bar


def sample(
    model: Any,
    n: int,
    *,
    sampler: str | Move = "swendsen-wang",
    chains: int | None = None,
    burn_in: int | None = None,
    thin: int = 1,
    rng: Any = None,
) -> ChainResult:
    """Run several independent Markov chains on an Ising model.

    Args:
        model: A `phasetheory.Ising`.
        n: States kept of each chain, at least 4.
        sampler: A name of :data:`SAMPLERS`, or a move made by hand, for example
            ``Tempering(target_of(model), beta=...)``.
        chains: Number of chains, at least 2; a multiple of 64 for 'multispin'. 4 (64) by default.
        burn_in: Steps dropped at the start of each chain; half of ``n * thin`` by default, none
            for 'perfect'.
        thin: Steps between kept states. A step is a sweep, a cluster for 'wolff', an exact draw
            for 'perfect'.
        rng: Generator or seed. Each chain has a child of its own, so that results do not depend
            on how the work is spread.

    Returns:
        The states with their diagnostics; `estimate` refuses if the chains have not mixed.

    Raises:
        ValueError: If an argument or the pair of model and sampler does not fit, or the states
            would exceed 2 GiB.

    Chains start from random, all-up and all-down configurations in turn, so that chains that stay
    where they began disagree. They run through joblib, in this process unless the caller says
    otherwise (``with joblib.parallel_config(n_jobs=2): ...``); progress is shown on a terminal.
    """
    move = _move(model, sampler)
    count = (4 if move.replicas == 1 else move.replicas) if chains is None else chains
    if count < 2 or count % move.replicas:
        raise ValueError(f"chains={count}: at least 2, and a multiple of {move.replicas}, needed")
    dropped = (0 if move.independent else n * thin // 2) if burn_in is None else burn_in
    if n < 4 or thin < 1 or dropped < 0:
        raise ValueError(f"n={n}, thin={thin}, burn_in={dropped}: n >= 4, thin >= 1, burn_in >= 0")
    n_sites = move.target.n_sites
    if count * n * n_sites > _MEMORY:
        raise ValueError(
            f"{count} x {n} states of {n_sites} sites are {count * n * n_sites / 2**30:.1f} GiB,"
            " the limit is 2: raise thin, or call the move's init and step yourself"
        )
    states, acceptance = _run(move, count // move.replicas, (n, thin, dropped), rng)
    name = sampler if isinstance(sampler, str) else type(sampler).__name__
    rate = np.repeat(acceptance, move.replicas)
    return ChainResult(move.target, states, rate, name, dropped, thin, move.independent)


def _move(model: Any, sampler: str | Move) -> Move:
    if not isinstance(sampler, str):
        if not (hasattr(sampler, "init") and hasattr(sampler, "step")):
            raise ValueError(f"sampler={sampler!r}: a move with init and step needed, or a name")
        if not sampler.target.equals(target_of(model)):
            raise ValueError("sampler was made for another model: make it from this one")
        return sampler
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler={sampler!r}: one of {sorted(SAMPLERS)} needed")
    return SAMPLERS[sampler](model)


def _run(
    move: Move, n_runs: int, plan: tuple[int, int, int], rng: Any
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """All chains, in segments: states (chains, n, n_sites) and mean acceptance of each run."""
    n, thin, burn_in = plan
    runs = []
    for index, child in enumerate(seed_sequence(rng).spawn(n_runs)):
        own = np.random.default_rng(child)
        runs.append((move.init(_start(move, index, own)), own))
    segments = [(0, burn_in)] + [(min(_SEGMENT, n - k), thin) for k in range(0, n, _SEGMENT)]
    states = np.empty((n_runs * move.replicas, n, move.target.n_sites), dtype=np.int8)
    total = np.zeros(n_runs)
    done = 0
    with tqdm(total=n_runs * (burn_in + n * thin), unit="step", disable=None) as bar:
        for keep, steps in segments:
            tasks = (delayed(_advance)(move, *run, keep, steps) for run in runs)
            for k, (state, own, kept, accepted) in enumerate(
                Parallel(return_as="generator")(tasks)
            ):
                runs[k] = (state, own)
                block = slice(k * move.replicas, (k + 1) * move.replicas)
                states[block, done : done + keep] = kept
                total[k] += accepted
                bar.update(steps * max(keep, 1))
            done += keep
    return states, total / (n * thin)


def _advance(
    move: Move, state: Any, rng: np.random.Generator, keep: int, steps: int
) -> tuple[Any, np.random.Generator, NDArray[np.int8], float]:
    """Keep `keep` states `steps` apart (none: just move on); also the sum of acceptances."""
    kept = np.empty((move.replicas, keep, move.target.n_sites), dtype=np.int8)
    accepted = 0.0
    for k in range(max(keep, 1)):
        for _ in range(steps):
            state, info = move.step(state, rng)
            accepted += info.acceptance if keep else 0.0
        if keep:
            kept[:, k] = state.spins
    return state, rng, kept, accepted


def _start(move: Move, index: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Configurations to start from: random, up and down in turn."""
    chain = index * move.replicas + np.arange(move.replicas)[:, None]
    random = rng.choice(np.array([-1, 1], dtype=np.int8), (move.replicas, move.target.n_sites))
    start = np.where(chain % 3 == 1, 1, np.where(chain % 3 == 2, -1, random)).astype(np.int8)
    return start if move.replicas > 1 else start[0]
