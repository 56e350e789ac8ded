"""Exercises of chapter 2: tables p[a, b, c], entropies in nats, local recovery."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

from phasetheory.course.exercise import Exercise, Slip

__all__ = ["EXERCISES"]

Floats = NDArray[np.float64]


def _entropy(p: Floats) -> float:
    return float(-xlogy(p, p).sum())


def _cmi(p: Floats) -> float:
    ab, bc, b = p.sum(axis=2), p.sum(axis=0), p.sum(axis=(0, 2))
    return _entropy(ab) + _entropy(bc) - _entropy(b) - _entropy(p)


def _unconditioned(p: Floats) -> float:
    """I(A;C)."""
    return _cmi(p.sum(axis=1, keepdims=True))


def _with_all(p: Floats) -> float:
    """I(A;BC)."""
    return _cmi(p.reshape(p.shape[0], 1, -1))


def _other_pair(p: Floats) -> float:
    """I(A;B|C)."""
    return _cmi(p.transpose(0, 2, 1))


def _recovered(p: Floats, channel: Floats) -> Floats:
    """p-hat: A goes through the channel and back by Bayes with p(a, b)."""
    noisy = np.einsum("ya,abc->ybc", channel, p)
    joint = np.einsum("ya,ab->yab", channel, p.sum(axis=2))
    back = joint / joint.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("yab,ybc->abc", back, noisy))


def _recovered_blind(p: Floats, channel: Floats) -> Floats:
    """The same without a look at B."""
    joint = channel * p.sum(axis=(1, 2))
    back = joint / joint.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ya,ybc->abc", back, np.einsum("ya,abc->ybc", channel, p)))


def _uninformed(p: Floats, channel: Floats) -> Floats:
    """Bayes with a uniform prior."""
    back = channel / channel.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ya,ybc->abc", back, np.einsum("ya,abc->ybc", channel, p)))


def _noised(p: Floats, channel: Floats) -> Floats:
    return np.asarray(np.einsum("ya,abc->ybc", channel, p))


def _bounds(table: Floats, channel: Floats) -> Floats:
    """The four members of T1, smallest first."""
    back = _recovered(table, channel)
    tv = 0.5 * np.abs(table - back).sum()
    before, after = _cmi(table), _cmi(_noised(table, channel))
    kl = float(rel_entr(table, back).sum())
    return np.array([2 * tv**2, kl, before - after, before])


def _t1_case() -> tuple[Floats, Floats]:
    p = np.array([[[4.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 4.0]]]) / 16.0
    return p, np.array([[0.8, 0.2], [0.2, 0.8]])


def _changed(entry: int, factor: float) -> Floats:
    found = _bounds(*_t1_case())
    found[entry] *= factor
    return found


def _with_third(value: float) -> Floats:
    found = _bounds(*_t1_case())
    found[2] = value
    return found


def _binary(p: float) -> float:
    return _entropy(np.array([p, 1.0 - p]))


def _shared(c: float) -> float:
    """Mutual information of two spins with correlation c."""
    return float(np.log(2.0)) - _binary((1.0 + c) / 2.0)


def _tables() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(21)
    drawn = [rng.exponential(size=shape) for shape in ((2, 2, 2), (2, 3, 4), (3, 2, 2))]
    drawn[0][0, 1, 1] = 0.0
    return [(p / p.sum(),) for p in drawn]


def _steps() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(22)
    steps = []
    for (p,) in _tables():
        channel = rng.exponential(size=(p.shape[0] + 1, p.shape[0]))
        steps.append((p, channel / channel.sum(axis=0)))
    return steps


EXERCISES = (
    Exercise(
        key="2.1",
        asks="a function entropy(p) that returns H in nats for an array p of any shape, zeros"
        " allowed",
        reference=_entropy,
        cases=lambda: [*_tables(), (np.array([0.5, 0.5, 0.0]),), (np.array([1.0, 0.0]),)],
        unit="nats",
        slips=(
            Slip(lambda p: _entropy(p.sum(axis=-1)), "sums out the last axis first"),
            Slip(lambda p: _entropy(p) / p.size, "is a mean over entries instead of a sum"),
            Slip(lambda p: -float(np.log(p[p > 0]).sum()), "does not weight log p by p"),
        ),
        hint="H = - sum p log p over all entries.",
        rtol=1e-8,
    ),
    Exercise(
        key="2.2",
        asks="a function cmi(p) that returns I(A;C|B) in nats for a table p[a, b, c]",
        reference=_cmi,
        cases=_tables,
        unit="nats",
        slips=(
            Slip(_unconditioned, "is I(A;C): B is summed out instead of being known"),
            Slip(_with_all, "is I(A;BC): what B alone says has to be taken off"),
            Slip(_other_pair, "is I(A;B|C): B is axis 1, C is axis 2"),
            Slip(lambda p: _cmi(p.transpose(1, 0, 2)), "is I(B;C|A): A is axis 0, B is axis 1"),
            Slip(
                lambda p: _cmi(p) + _entropy(p.sum(axis=(0, 2))),
                "leaves out H(B)",
            ),
        ),
        hint="H(AB) + H(BC) - H(B) - H(ABC): which axes does each of them sum out?",
        rtol=1e-8,
    ),
    Exercise(
        key="2.3",
        asks="a number: I(A;C|B) in nats, A and C fair and independent, B their parity, flipped"
        " with t = 0.2",
        reference=lambda: np.log(2.0) - _binary(0.1),
        unit="nats",
        slips=(
            Slip(lambda: np.log(2.0) - _binary(0.2), "flips with t; a spin flips with t/2"),
            Slip(lambda: _binary(0.1), "is the entropy of the flips, which is what is lost"),
            Slip(lambda: 0.0, "is I(A;C), without B"),
            Slip(lambda: np.log(2.0), "takes the parity without its noise"),
            Slip(lambda: 0.8 * np.log(2.0), "erases the parity with t, which is another noise"),
        ),
        hint="Given B, how well is A known from C? Write the table p[a, b, c] and use cmi.",
    ),
    Exercise(
        key="2.4",
        asks="a function recover(p, channel) that returns p-hat[a, b, c], channel[y, a] = p(y|a)",
        reference=_recovered,
        cases=_steps,
        slips=(
            Slip(lambda p, channel: p, "reads C: with the exact posterior p comes back"),
            Slip(_recovered_blind, "does not read the buffer: use p(a|b), not p(a)"),
            Slip(_uninformed, "uses a uniform prior: use p(a|b)"),
            Slip(
                lambda p, channel: (
                    p.sum(axis=2)[:, :, None] * (p.sum(axis=0) / p.sum(axis=(0, 2))[:, None])
                ),
                "redraws A from p(a|b) without reading the noisy A",
            ),
        ),
        hint="R(a|y, b) = N(y|a) p(a, b) / sum_a N(y|a) p(a, b), applied to p(y, b, c).",
        sums=(0, 1, 2),
        rtol=1e-8,
    ),
    Exercise(
        key="2.5",
        asks="an array of shape (4,): 2 TV^2, KL(p||p-hat), I - I~, I of the given step, in nats",
        reference=lambda: _bounds(*_t1_case()),
        slips=(
            Slip(lambda: _changed(0, 4.0), "takes TV without its factor 1/2"),
            Slip(lambda: _changed(0, 0.5), "leaves out the 2 in front of TV^2"),
            Slip(lambda: _bounds(*_t1_case()) / np.log(2.0), "is in bits: nats are needed"),
            Slip(lambda: _changed(1, 1 / np.log(2.0)), "has KL in bits: nats are needed"),
            Slip(
                lambda: _with_third(_cmi(_noised(*_t1_case()))),
                "has I~ as its third entry: the difference I - I~ is needed",
            ),
            Slip(lambda: np.flip(_bounds(*_t1_case())), "has the four in the opposite order"),
        ),
        hint="TV = sum |p - p-hat|/2; I~ is the CMI of the table after the channel on A.",
        rtol=2e-3,
    ),
    Exercise(
        key="2.6",
        asks="a number: I(A;C|B~) in nats, chain A-B-C with correlation 0.8 a bond, B erased with"
        " t = 0.3",
        reference=lambda: 0.3 * _shared(0.64),
        unit="nats",
        slips=(
            Slip(lambda: 0.7 * _shared(0.64), "weights with 1 - t, the chance that B is seen"),
            Slip(lambda: _shared(0.64), "is I(A;C) with B gone for certain"),
            Slip(lambda: 0.3 * _shared(0.8), "takes the correlation of one bond for that of two"),
            Slip(lambda: 0.0, "takes the clean chain: an erased B does not screen"),
        ),
        hint="Where B is seen it screens; where it is erased, I(A;C) of the ends is left.",
    ),
)
