"""The theorems in order, and the run that checks all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from phasetheory.theorems.buffer_radius import RADIUS
from phasetheory.theorems.composition import COMPOSITION
from phasetheory.theorems.converse import CONVERSE
from phasetheory.theorems.debruijn import DE_BRUIJN
from phasetheory.theorems.girsanov import GIRSANOV
from phasetheory.theorems.locality import BEST_LOCAL_SCORE, GAP_AND_CMI
from phasetheory.theorems.nishimori import NISHIMORI
from phasetheory.theorems.processing import DATA_PROCESSING, MARKOV_NETWORKS
from phasetheory.theorems.recovery_bound import RECOVERY_BOUND
from phasetheory.theorems.relation import Relation, Theorem
from phasetheory.theorems.speciation import SPECIATION

__all__ = ["THEOREMS", "Verification", "verify"]

#: Every theorem by its key, in the order of the theory.
THEOREMS: dict[str, Theorem] = {
    theorem.key: theorem
    for theorem in (
        RECOVERY_BOUND,
        COMPOSITION,
        RADIUS,
        CONVERSE,
        BEST_LOCAL_SCORE,
        DE_BRUIJN,
        GAP_AND_CMI,
        DATA_PROCESSING,
        MARKOV_NETWORKS,
        NISHIMORI,
        SPECIATION,
        GIRSANOV,
    )
}


@dataclass(frozen=True)
class Verification:
    """Outcome of :func:`verify`.

    Attributes:
        theorems: The theorems checked, by key.
        rows: Every relation on every instance.
        wrong_rows: The same for the deliberately wrong variants.
        failures: One sentence for each thing that failed; empty if all is well.
    """

    theorems: Mapping[str, Theorem]
    rows: list[Relation]
    wrong_rows: list[Relation] = field(repr=False)
    failures: list[str]

    @property
    def ok(self) -> bool:
        """Whether everything held, nothing was trivial, and every wrong variant was caught."""
        return not self.failures

    @property
    def controls(self) -> dict[str, bool]:
        """For each theorem, whether every relation of its wrong variant was seen to fail."""
        return {key: not _missed(self.wrong_rows, key) for key in self.theorems}

    def of(self, key: str) -> list[Relation]:
        """The relations of one theorem."""
        return [row for row in self.rows if row.theorem == key]

    def to_records(self) -> list[dict[str, Any]]:
        """The rows in plain types, for JSON: theorem, instance, relation, both sides, slack."""
        return [row.record() for row in self.rows]


def verify(
    keys: Iterable[str] | None = None,
    *,
    rng: Any = 0,
    quick: bool = False,
    progress: bool = True,
    theorems: Mapping[str, Theorem] = THEOREMS,
) -> Verification:
    """Check theorems on their zoo of instances, with a deliberately wrong variant of each.

    A theorem fails if a relation is violated, if a relation holds only where both of its sides
    vanish, or if a relation of its wrong variant is violated nowhere.

    Args:
        keys: Theorems to check, for example ["T1", "T8"]; all by default.
        rng: Generator or seed. Every instance of every theorem has a stream of its own, so a
            theorem's numbers do not depend on which others are checked.
        quick: Leave out the costlier instances.
        progress: Show a progress bar on a terminal.
        theorems: The registry.

    Returns:
        Rows and verdict.

    Raises:
        ValueError: If a key is not in the registry.

    Cost: about 9 seconds on one core, half of that if quick.
    """
    chosen = list(theorems) if keys is None else list(keys)
    unknown = [key for key in chosen if key not in theorems]
    if unknown:
        raise ValueError(f"unknown theorem {unknown[0]!r}: one of {', '.join(theorems)} needed")
    streams = dict(zip(theorems, np.random.default_rng(rng).spawn(len(theorems)), strict=True))
    rows: list[Relation] = []
    wrong_rows: list[Relation] = []
    with tqdm(chosen, desc="theorems", disable=None if progress else True) as bar:
        for key in bar:
            bar.set_postfix_str(key)
            theorem = theorems[key]
            instances = theorem.instances()
            for instance, stream in zip(instances, streams[key].spawn(len(instances)), strict=True):
                if quick and not instance.quick:
                    continue
                seed = int(stream.integers(2**63))
                rows += theorem.check(instance, seed)
                wrong_rows += theorem.wrong(instance, seed)
    failures = [sentence for key in chosen for sentence in _failures(rows, wrong_rows, key)]
    return Verification({key: theorems[key] for key in chosen}, rows, wrong_rows, failures)


def _failures(rows: list[Relation], wrong_rows: list[Relation], key: str) -> list[str]:
    """What is wrong with one theorem, in sentences."""
    own = [row for row in rows if row.theorem == key]
    found = [
        f"{key}: {row.relation} is violated on {row.instance}: {row.lhs:.6g} against {row.rhs:.6g}"
        for row in own
        if not row.holds
    ]
    if not own:
        found.append(f"{key}: no instance was checked")
    counted = {row.relation for row in own if not row.vacuous}
    trivial = dict.fromkeys(row.relation for row in own if row.relation not in counted)
    found += [f"{key}: {text} was checked only where both sides vanish" for text in trivial]
    missed = _missed(wrong_rows, key)
    return found + [f"{key}: the wrong variant {text} went unnoticed" for text in missed]


def _missed(wrong_rows: list[Relation], key: str) -> list[str]:
    """Relations of a wrong variant that were violated nowhere."""
    own = [row for row in wrong_rows if row.theorem == key]
    caught = {row.relation for row in own if not row.holds}
    missed = list(dict.fromkeys(row.relation for row in own if row.relation not in caught))
    return missed if own else ["(it has no relations)"]
