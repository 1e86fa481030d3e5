"""How an equation is decided, cheapest first: normal form, exact test, numbers.

The order and its reasons: a zero normal form or the exact test is a proof, if the numbers agree; the
numbers alone verify or refute; a difference in exact arithmetic refutes rational functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import ZERO, Apply, Chain, Const, Expression, Index, Ref
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.normal import equal
from tensorgrad_cli.algebra.scalars import positive
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import mapped, nodes, occurring, references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.numeric.compare import Comparison, compare
from tensorgrad_cli.verify.certify import EPS, JITTER_SAFETY, bar_of
from tensorgrad_cli.verify.jumps import unsettled
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.verdict import Proof
from tensorgrad_cli.verify.workbench import Workbench

if TYPE_CHECKING:
    from tensorgrad_cli.exact.decide import Decision
    from tensorgrad_cli.exact.domain import Requirement

__all__ = ["Answer", "Question", "answer", "numbers", "written_out"]

Array = NDArray[Any]

# An inlined derivative of more nodes than this is left to the exact test.
INLINE_LIMIT = 400
# So many times the copies of a point are drawn anew where a sign may be a rounding.
SHAKES = 6
# Reasons why a point says nothing: no value there, or zeros on both sides (a hinge that is not active).
_SILENT = ("domain", "vacuous")


class Question(Struct, frozen=True):
    """Whether left = right for all values of the free indices; `at` gives some tensors by equations."""

    left: Expression
    right: Expression
    free: tuple[Index, ...]
    at: Chain = ()


class Answer(Struct, frozen=True):
    """What was found. `verdict` is one of the language's, `comparison` the numbers at `point`."""

    verdict: str
    reason: str | None = None
    proof: Proof | None = None
    comparison: Comparison | None = None
    point: Point | None = None
    domain: tuple[Requirement, ...] = ()
    remarks: tuple[str, ...] = ()
    exactly_different: bool = False
    internal: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the equation was found to hold."""
        return self.verdict in ("proved", "verified")


def answer(bench: Workbench, question: Question) -> Answer:
    """Decide a question. Whoever asks has handed the derivatives in it to the calculus."""
    question = Question(
        lowered(question.left, bench.scope),
        lowered(question.right, bench.scope),
        question.free,
        question.at,
    )
    bench.require((question.left, question.right))
    names = references(question.left) | references(question.right)
    for name in names:
        bench.calculus.resolve(name)
    unsure = _on_kink(bench, question, names) or _uncertified(bench, names)
    found = [numbers(bench, question, bench.points[0])]
    same_form = not question.at and _same_form(bench, question)
    decision = (
        None if same_form or found[0][0].verdict == "different" else _exact(bench, question, fixed=False)
    )
    proved = same_form or (decision is not None and decision.outcome == "equal")
    if not (proved and found[0][0].verdict == "equal"):
        found += _elsewhere(bench, question, found[0][0])
    return _verdict(bench, question, found, same_form, decision, proved, unsure)


def _on_kink(bench: Workbench, question: Question, names: Iterable[str]) -> tuple[str, str] | None:
    """A reason and a sentence where a derivative is asked for at a given point that lies on a kink."""
    if not question.at:
        return None
    point = bench.points[0].at(question.at)
    for name in sorted(names):
        derivative = bench.calculus.asked.get(name)
        if derivative is None:
            continue
        found = bench.certified(derivative, point)
        if found.comparison.reason == "kink" or found.differences.kinks.any():
            return "kink", f"the given point lies on a kink of {name}"
    return None


def _elsewhere(bench: Workbench, question: Question, first: Comparison) -> Iterator[tuple[Comparison, Point]]:
    """The numbers at the further points, until they differ somewhere; where nothing is to be seen of the equation
    at any of them, at other ones until something is."""
    before, silent = first, first.reason in _SILENT
    for number in range(1, len(bench.points)):
        if before.verdict == "different":
            return
        before, where = numbers(bench, question, bench.points[number])
        silent &= before.reason in _SILENT
        yield before, where
    if not silent:
        return
    # An inactive hinge may well be active at another scale, a root may have a value at other sizes.
    further = bench.branch_points if before.reason == "vacuous" else bench.spare_points
    for number in range(len(further)):
        before, where = numbers(bench, question, further[number])
        yield before, where
        if before.reason not in _SILENT:
            return


def _verdict(
    bench: Workbench,
    question: Question,
    found: list[tuple[Comparison, Point]],
    same_form: bool,
    decision: Decision | None,
    proved: bool,
    unsure: tuple[str, str] | None,
) -> Answer:
    different = [pair for pair in found if pair[0].verdict == "different"]
    if different:
        comparison, point = different[0]
        if same_form and unsure is None:
            return Answer(
                "inconclusive",
                "internal",
                comparison=comparison,
                point=point,
                internal="equal by normal form, but the numbers differ",
            )
        return Answer("refuted", comparison=comparison, point=point)
    comparison, point = _best(found)
    domain = decision.domain if decision is not None else _domain(bench, question) if same_form else ()
    if unsure is not None:
        return Answer(
            "inconclusive",
            unsure[0],
            comparison=comparison,
            point=point,
            remarks=(unsure[1],),
        )
    if proved:
        agreed = any(_agrees(c) for c, _ in found)
        if agreed:
            proof = Proof("normal-form") if decision is None else Proof("exact", decision.bound)
            return Answer("proved", None, proof, comparison, point, domain)
    if decision is not None and decision.outcome == "different":
        return _exactly_different(bench, question, comparison, point)
    if comparison.verdict == "equal":
        for other, there in (*found, *_on_other_branches(bench, question)):
            if other.verdict == "different":
                return Answer("refuted", comparison=other, point=there)
            if other.verdict == "undecided" and _apart_by_signs(question, there):
                return Answer("inconclusive", "kink", comparison=other, point=there)
        return _verified(bench, question, comparison, point, domain)
    return Answer("inconclusive", comparison.reason or "unresolved", comparison=comparison, point=point)


def _domain(bench: Workbench, question: Question) -> tuple[Requirement, ...]:
    """The domain of an equation that equal normal forms prove; exact arithmetic, which knows the signs, is asked only
    where something may have no value."""
    parts = [*occurring(question.left), *occurring(question.right)]
    if question.at or not any(isinstance(part, Apply) and _is_partial(part) for part in parts):
        return ()
    return bench.exact().domain(question.left, question.right, question.free)


def _is_partial(part: Apply) -> bool:
    """Whether a function has not a value everywhere, as far as its argument's form shows."""
    match part.function, part.arguments:
        case "pow", (base, Const(exponent)) if exponent.denominator == 1:
            return exponent < 0 and not positive(base)
        case "pow", (base, _):
            return not positive(base)
        case name, arguments:
            row = FUNCTIONS.get(name)
            return row is not None and bool(row.domain) and not all(map(positive, arguments))


def _agrees(comparison: Comparison) -> bool:
    """Whether numbers agree as far as they go: what a proof asks of them."""
    return comparison.verdict == "equal" or comparison.reason in ("vacuous", "unresolved")


def _exactly_different(bench: Workbench, question: Question, comparison: Comparison, point: Point) -> Answer:
    """Different in exact arithmetic at sizes drawn freely: refuted, unless the spec's own sizes make it true."""
    fixed = bench.fixed
    if fixed and comparison.verdict == "equal":
        again = _exact(bench, question, fixed=True)
        if again.outcome == "equal":
            return Answer(
                "verified",
                comparison=comparison,
                point=point,
                domain=again.domain,
                remarks=(f"at {_sizes(fixed)} only",),
            )
    return Answer("refuted", comparison=comparison, point=point, exactly_different=True)


def _on_other_branches(bench: Workbench, question: Question) -> Iterator[tuple[Comparison, Point]]:
    """The numbers at points where the sides may differ: a hinge may well be active, or a root's radicand the square
    of something positive, at every point so far."""
    return (numbers(bench, question, point) for point in bench.branch_points)


def _verified(
    bench: Workbench,
    question: Question,
    comparison: Comparison,
    point: Point,
    domain: tuple[Requirement, ...],
) -> Answer:
    remarks: tuple[str, ...] = ()
    if bench.free_point is not None:
        elsewhere, _ = numbers(bench, question, bench.free_point)
        if elsewhere.verdict == "different":
            remarks = (f"at {_sizes(bench.fixed)} only",)
    return Answer("verified", comparison=comparison, point=point, domain=domain, remarks=remarks)


def _sizes(fixed: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in fixed.items())


def _best(found: list[tuple[Comparison, Point]]) -> tuple[Comparison, Point]:
    order = {"equal": 0, "undecided": 1, "different": 2}
    return min(found, key=lambda pair: order[pair[0].verdict])


def _uncertified(bench: Workbench, names: Iterable[str]) -> tuple[str, str] | None:
    """A reason and a sentence where finite differences do not bear out a derivative that is used."""
    for name in sorted(names):
        certificate = bench.certificate(name)
        if certificate is None or certificate.comparison.verdict == "equal":
            continue
        reason = certificate.comparison.reason
        if certificate.comparison.verdict == "different":
            return "internal", f"{name}: finite differences contradict our own derivative"
        return reason or "unresolved", f"finite differences could not resolve {name}"
    return None


# --- normal form ----------------------------------------------------------------------------------


def _same_form(bench: Workbench, question: Question) -> bool:
    # Where one side names what the other does not, they are alike only when it is written out.
    if _named(question.left) == _named(question.right) and equal(question.left, question.right):
        return True
    left = _inlined(bench, question.left)
    right = _inlined(bench, question.right)
    if left is None or right is None or (left == question.left and right == question.right):
        return False
    return equal(left, right)


def _named(expression: Expression) -> frozenset[str]:
    """The derivatives and named expressions that an expression reads."""
    return frozenset(name for name in references(expression) if name[0] in "∂‹")


def _inlined(bench: Workbench, expression: Expression) -> Expression | None:
    """The expression with derivatives and named expressions written out; None where it grows too long."""
    if expression not in bench.written_out:
        bench.written_out[expression] = written_out(bench, expression, INLINE_LIMIT)
    return bench.written_out[expression]


def written_out(bench: Workbench, expression: Expression, limit: int) -> Expression | None:
    """The expression with the derivatives in it written out; None where more than `limit` nodes come in."""
    budget = [limit]

    def out(part: Expression) -> Expression:
        if budget[0] < 0:
            return part
        if isinstance(part, Ref) and part.tensor[0] in "∂‹":
            (equation,) = (e for e in bench.calculus.closure((part.tensor,)) if e.tensor == part.tensor)
            body = freshened(equation.expression)
            budget[0] -= nodes(body)
            return out(substitute(body, dict(zip(equation.indices, part.indices, strict=True))))
        return mapped(part, out)

    result = out(expression)
    return result if budget[0] >= 0 else None


# --- exact arithmetic -----------------------------------------------------------------------------


def _exact(bench: Workbench, question: Question, fixed: bool) -> Decision:
    """The exact test, at sizes drawn freely or at those that the spec fixes."""
    if not question.at and not fixed:
        return bench.exact().decide(question.left, question.right, question.free)
    from tensorgrad_cli.exact.decide import decide

    names = references(question.left) | references(question.right)
    given = {equation.tensor for equation in question.at}
    at = question.at
    equations = bench.points[0].at(at).ordered(names) if at else bench.calculus.closure(names)
    return decide(
        question.left,
        question.right,
        question.free,
        equations,
        {name: tensor for name, tensor in bench.spec.tensors.items() if name not in given},
        minimum=bench.minimum,
        fixed=bench.fixed if fixed else {},
        seed=bench.seed,
        conditions=bench.conditions,
    )


# --- numbers --------------------------------------------------------------------------------------


def numbers(bench: Workbench, question: Question, point: Point) -> tuple[Comparison, Point]:
    """Both sides at a point, compared by the rounding errors of each."""
    if question.at:
        point = point.at(question.at)
    left = point.evaluated(question.left, question.free)
    right = point.evaluated(question.right, question.free)
    finite = np.isfinite(left[0]) & np.isfinite(right[0])
    if not finite.any():
        return _nowhere(left[0].shape), point
    truth, claim = np.where(finite, left[0], 0.0), np.where(finite, right[0], 0.0)
    bars = [np.where(finite, bar_of(side), 0.0) for side in (left, right)]
    zero = ZERO in (question.left, question.right)
    size = _size(question, point, finite) if zero else None
    comparison = compare(claim, bars[1], truth, bars[0], known_zero=zero, size=size)
    if comparison.verdict == "different":
        # Perhaps the bars missed a rounding: measure them by the size of the terms that cancel.
        wide = JITTER_SAFETY * EPS * _sizes_of_terms(question, point, finite)
        comparison = compare(claim, bars[1] + wide, truth, bars[0], known_zero=zero, size=size)
    if comparison.verdict == "different" and _rounding_only(question, point, comparison):
        wide = np.abs(claim - truth)
        comparison = compare(claim, bars[1] + wide, truth, bars[0], known_zero=zero, size=size)
    if comparison.verdict == "different" and unsettled(point, (question.left, question.right)):
        more = _shaken_more(question, point, finite)
        comparison = compare(claim, more[1] + wide, truth, more[0], known_zero=zero, size=size)
    if comparison.verdict == "equal" and not zero and not truth.any() and not claim.any():
        # Nothing but zeros (an underflow, a dead branch) is no evidence.
        comparison = replace(comparison, verdict="undecided", reason="vacuous")
    return comparison, point


def _shaken_more(question: Question, point: Point, finite: Array) -> list[Array]:
    """The bars of both sides from so many copies that a sign that rounding decides is not the same in all."""
    points = [point.shaken(turn) for turn in range(SHAKES)]
    sides = (question.left, question.right)
    bars = [[bar_of(p.evaluated(side, question.free)) for p in points] for side in sides]
    return [np.where(finite, np.maximum.reduce(several), 0.0) for several in bars]


def _apart_by_signs(question: Question, point: Point) -> bool:
    """Whether the sides differ by more than the rounding of their terms where they take the sign of what may be zero:
    no evidence against them, and none for them."""
    left = point.evaluated(question.left, question.free)[0]
    right = point.evaluated(question.right, question.free)[0]
    finite = np.isfinite(left) & np.isfinite(right)
    rounding = JITTER_SAFETY * EPS * _sizes_of_terms(question, point, finite)
    apart = bool(np.any((np.abs(left - right) > rounding) & finite))
    return apart and unsettled(point, (question.left, question.right), zeros=True)


def _sizes_of_terms(question: Question, point: Point, finite: Array) -> Array:
    left = point.magnitude(question.left, question.free)
    right = point.magnitude(question.right, question.free)
    sizes: Array = np.where(finite, left + right, 0.0)
    return sizes


def _size(question: Question, point: Point, finite: Array) -> float:
    """The size that a zero is judged against: that of the terms that cancel."""
    sizes = _sizes_of_terms(question, point, finite)
    return float(np.max(sizes)) if np.isfinite(sizes).all() else 0.0


def _rounding_only(question: Question, point: Point, comparison: Comparison) -> bool:
    """Whether a difference shrinks with more digits, so that it is rounding and nothing else."""
    left = point.extended(question.left, question.free)
    right = point.extended(question.right, question.free)
    if left is None or right is None or comparison.wrong is None:
        return False
    with np.errstate(all="ignore"):
        long = np.abs(left - right)[comparison.wrong]
    # A true difference stays; rounding shrinks by eleven bits.
    plain = point.evaluated(question.left, question.free)[0]
    other = point.evaluated(question.right, question.free)[0]
    short = np.abs(plain - other)[comparison.wrong]
    return bool(np.all(long < 0.1 * short))


def _nowhere(shape: tuple[int, ...]) -> Comparison:
    return Comparison(
        "undecided", (0,) * len(shape), np.nan, np.nan, np.nan, np.nan, np.nan, np.inf, "domain"
    )
