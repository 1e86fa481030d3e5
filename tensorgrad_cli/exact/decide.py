"""Two expressions → equal, with a bound on the chance of an error; different; or unknown.

design/PROOF.md has the argument. In short: both sides are evaluated in random finite models of the reals. What
the models take for true is true of the reals; so what holds in all draws is proved up to a chance that
is stated. What differs is refuted only if it is rational, since the models know only some laws of the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import Equation, Expression, Index
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.batches import Batch, Mode
from tensorgrad_cli.exact.claims import Claim, Claims
from tensorgrad_cli.exact.contract import ordered
from tensorgrad_cli.exact.domain import Requirement
from tensorgrad_cli.exact.evaluate import Undefined
from tensorgrad_cli.exact.field import FIELDS, Field
from tensorgrad_cli.exact.measure import Measure
from tensorgrad_cli.exact.reading import aligned
from tensorgrad_cli.exact.residues import EXPONENT, VALUE, both_kept
from tensorgrad_cli.exact.sizes import Condition

__all__ = ["LARGEST_CHANCE", "Decision", "Session", "decide"]

Outcome = Literal["equal", "different", "unknown"]

LARGEST_CHANCE = 2.0**-40
_KEPT_PER_FIELD = 24
_KEPT_PER_SIZES = 4
_EACH = 7  # draws for a field, an assignment of sizes and the first round, at least
_MOST_EACH = 224
_ROUNDS = 5  # each with four times as many draws as the one before
_PATIENCE = 2
_LARGEST_ARRAY = 1 << 21
# Sizes at which arrays of a single draw would have more entries than this, a gigabyte, are left out.
_LARGEST_DRAW = 1 << 27
_MOST_DRAWS = 4000
# Above this many random signs the opaque model, in which they count for nothing, is tried first.
_FEW_BITS = 2.0
_MOST_FIELDS = 12
_LEAST_CHANCE = 1e-300


class Decision(Struct, frozen=True):
    """What the exact test says.

    `bound` is the chance that an 'equal' is wrong. `rational` says whether the claim is of rational functions, of
    which 'different' is a refutation (and the only kind of which it is said). `domain` is what must hold for
    both sides to be real and finite, as far as it is not known to; `note` says why the outcome is unknown.
    """

    outcome: Outcome
    bound: float | None = None
    rational: bool = False
    domain: tuple[Requirement, ...] = ()
    note: str | None = None

    @property
    def domain_dropped(self) -> bool:
        """Whether the equation is not real everywhere, so that draws outside its domain were dropped."""
        return bool(self.domain)


class _Tally:
    """The draws of one comparison that were kept, by prime and by sizes."""

    def __init__(self) -> None:
        self.fields: Counter[Field] = Counter()
        self.sizes: Counter[tuple[tuple[str, int], ...]] = Counter()

    @property
    def total(self) -> int:
        """All draws that were kept."""
        return self.fields.total()

    def full(self, wanted: int, many: int) -> bool:
        """Whether `many` primes and the whole have as many draws as they should."""
        fields = sum(count >= _KEPT_PER_FIELD for count in self.fields.values())
        return fields >= many and self.total >= wanted

    def varied(self, sizes: Mapping[str, int]) -> bool:
        """Whether one assignment of sizes has its draws."""
        return self.sizes[tuple(sizes.items())] >= _KEPT_PER_SIZES

    def promising(self, fields: tuple[Field, ...], wanted: int) -> bool:
        """Whether more draws of these primes help: one has some but too few (none at all: a known sign of a
        constant contradicts them all)."""
        counts = [self.fields[field] for field in fields]
        return any(0 < count < _KEPT_PER_FIELD for count in counts) or (any(counts) and self.total < wanted)


class Session:
    """A chain whose draws are made once for many claims.

    `equations` are the lowered steps and derivative equations in order; `minimum` and `fixed` are sizes by the
    name of a dimension, `conditions` what is said of the others. Everything follows from the seed.
    """

    def __init__(
        self,
        equations: Iterable[Equation],
        tensors: Mapping[str, Tensor],
        minimum: Mapping[str, int] | None = None,
        fixed: Mapping[str, int] | None = None,
        seed: int = 0,
        conditions: Iterable[Condition] = (),
    ) -> None:
        self._claims = Claims(equations, tensors, minimum or {}, fixed or {}, seed, conditions)
        turn = 2 * (seed % (len(FIELDS) // 2))
        self._turned = FIELDS[turn:] + FIELDS[:turn]

    def decide(self, left: Expression, right: Expression, free: tuple[Index, ...] = ()) -> Decision:
        """Whether two lowered expressions are equal for all sizes and for all inputs of the domain."""
        try:
            claim = self._claims.claim(left, right, free)
            decision = self._decided(claim)
            if decision.outcome == "unknown" and (narrow := self._claims.narrowed(claim)) is not None:
                narrower = self._decided(narrow)
                return narrower if narrower.outcome == "equal" else decision
            return decision
        except Undefined as undefined:
            return Decision("unknown", note=f"{undefined.args[0]} has no value of its own")
        finally:
            self._claims.batches.forget()

    def domain(
        self, left: Expression, right: Expression, free: tuple[Index, ...] = ()
    ) -> tuple[Requirement, ...]:
        """What must hold for both sides of an equation to be real and finite."""
        try:
            return self._claims.claim(left, right, free).domain
        except Undefined:
            return ()

    def _decided(self, claim: Claim) -> Decision:
        rational, domain = claim.measure.rational, claim.domain
        if not claim.sizes:
            return Decision("unknown", None, rational, domain, "no sizes meet the conditions")
        note = "no law that the model knows proves it"
        modes = list(_modes(claim.measure))
        while modes:
            mode = modes.pop(0)
            measure = claim.opaque_measure if mode is Mode.OPAQUE else claim.measure
            outcome, tally = self._attempt(claim, mode, measure)
            if outcome == "equal":
                return Decision("equal", _bound(measure, tally.total), rational, domain)
            if outcome == "different" and rational and mode is Mode.PLAIN:
                return Decision("different", None, True, domain)
            if outcome == "unknown":
                note = "too few draws lie inside the domain"
                # The strict round keeps still fewer.
                modes = [other for other in modes if other is not Mode.STRICT]
        return Decision("unknown", None, rational, domain, note)

    def _attempt(self, claim: Claim, mode: Mode, measure: Measure) -> tuple[Outcome, _Tally]:
        outcome, tally = self._compared(claim, mode, VALUE, measure)
        if outcome == "different" and measure.logs:
            second, second_tally = self._compared(claim, mode, EXPONENT, measure)
            if second == "equal":
                return second, second_tally
        return outcome, tally

    def _compared(self, claim: Claim, mode: Mode, kind: int, measure: Measure) -> tuple[Outcome, _Tally]:
        """Equal in all draws that were kept, different in one, or unknown: too few were kept."""
        tally = _Tally()
        wanted = _wanted(measure)
        if wanted > _MOST_DRAWS:
            return "unknown", tally
        many = 4 if measure.signs or measure.roots else 2
        for fields in self._field_groups(many, measure):
            for turn in range(_ROUNDS):
                short = not tally.full(wanted, many)
                each = _each(wanted, many, claim) * 4**turn
                for batch in self._round(claim, mode, fields, each, turn, tally, short=short):
                    if not _agree(claim, batch, mode, kind, tally):
                        return "different", tally
                full = tally.full(wanted, many)
                varied = sum(map(tally.varied, claim.sizes))
                # After a while two assignments of sizes do, where hardly a draw with larger ones is in the domain.
                if full and varied >= min(len(claim.sizes), 4 if turn < _PATIENCE else 2):
                    return "equal", tally
                if turn and not full and not tally.promising(fields, wanted):
                    break
        return "unknown", tally

    def _field_groups(self, many: int, measure: Measure) -> Iterator[tuple[Field, ...]]:
        # Tables are made for the smallest primes first; a rational claim needs none and takes others each time.
        fields = self._turned if measure.rational else FIELDS
        for start in range(0, _MOST_FIELDS, many):
            yield fields[start : start + many]

    def _round(
        self,
        claim: Claim,
        mode: Mode,
        fields: tuple[Field, ...],
        each: int,
        turn: int,
        tally: _Tally,
        *,
        short: bool,
    ) -> Iterator[Batch]:
        best = max(tally.sizes.values(), default=0)
        for sizes in claim.sizes:
            if turn and tally.varied(sizes) and not short:
                continue
            if turn > _PATIENCE and tally.sizes[tuple(sizes.items())] * 64 < best:
                continue  # many radicands at these sizes: hardly a draw is kept
            if len(fields) * claim.stored(sizes) > _LARGEST_DRAW:
                continue
            largest = _LARGEST_ARRAY // (len(fields) * claim.weight(sizes))
            count = max(1, min(each, largest))
            yield self._claims.batches.batch(
                fields, count, turn, sizes, relaxed=mode is Mode.OPAQUE, keep=turn <= 1
            )


def decide(
    left: Expression,
    right: Expression,
    free: tuple[Index, ...],
    equations: Iterable[Equation],
    tensors: Mapping[str, Tensor],
    *,
    minimum: Mapping[str, int] | None = None,
    fixed: Mapping[str, int] | None = None,
    seed: int = 0,
    conditions: Iterable[Condition] = (),
) -> Decision:
    """Whether two lowered expressions over a chain are equal; see `Session` for many claims on one chain."""
    return Session(equations, tensors, minimum, fixed, seed, conditions).decide(left, right, free)


def _each(wanted: int, many: int, claim: Claim) -> int:
    """Draws for a field and an assignment of sizes in the first round, so that it is the last one if none are
    dropped; few different numbers, so that claims can share batches."""
    each = _EACH
    while each * many * len(claim.sizes) < wanted and each < _MOST_EACH:
        each *= 2
    return each


def _agree(claim: Claim, batch: Batch, mode: Mode, kind: int, tally: _Tally) -> bool:
    """Whether both sides are the same in all draws of a batch that are kept; those are counted."""
    model = batch.evaluator(mode)
    left, right = model.value(claim.left, kind), model.value(claim.right, kind)
    kept = both_kept(left.kept, right.kept)
    gap = aligned(left.values, ordered(claim.left.free), claim.order) != aligned(
        right.values, ordered(claim.right.free), claim.order
    )
    draws = batch.draws
    wrong = np.any(gap.reshape(draws.count, -1), axis=1)
    inside = np.ones(draws.count, np.bool_) if kept is None else kept
    if bool(np.any(wrong & inside)):
        return False
    for field, count in zip(draws.fields, inside.reshape(-1, draws.each).sum(axis=1), strict=True):
        tally.fields[field] += int(count)
    tally.sizes[tuple(batch.sizes.items())] += int(inside.sum())
    return True


def _modes(measure: Measure) -> tuple[Mode, ...]:
    """The models to try, in their order. The opaque one first where it is cheap, else last."""
    characters = measure.signs or measure.roots or measure.logs
    exact = (Mode.PLAIN, Mode.STRICT) if characters else (Mode.PLAIN,)
    if not (measure.signs or measure.discrete):
        return exact
    if measure.random_bits > _FEW_BITS:
        return (Mode.OPAQUE, *exact)
    return (*exact, Mode.OPAQUE) if measure.signs else exact


def _failure(measure: Measure) -> float:
    """The chance that one draw does not tell two different functions apart."""
    bits = measure.random_bits if measure.rational else max(1.0, measure.random_bits)
    least = min(field.p for field in FIELDS)
    degree = min(0.5, max(1.0, measure.degree) / least)
    return float(1 - 2.0**-bits * (1 - degree))


def _wanted(measure: Measure) -> int:
    """The number of draws that brings the chance of an error below the largest that is allowed."""
    failure = _failure(measure)
    if failure >= 1:
        return _MOST_DRAWS + 1
    return math.ceil(math.log(LARGEST_CHANCE) / math.log(failure)) + 1


def _bound(measure: Measure, total: int) -> float:
    # Not below what a float holds: no chance is zero.
    return max(float(_failure(measure) ** total), _LEAST_CHANCE)
