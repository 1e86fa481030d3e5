"""What was judged of an equation, as a result of the report: reading, numbers, counterexample, diagnosis."""

from __future__ import annotations

import numpy as np

from tensorgrad_cli.algebra.expression import Ref
from tensorgrad_cli.algebra.normal import normal_form
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.verify.claims import Judged
from tensorgrad_cli.verify.decide import Answer
from tensorgrad_cli.verify.formulas import reading as written
from tensorgrad_cli.verify.formulas import shown
from tensorgrad_cli.verify.readings import Line
from tensorgrad_cli.verify.remarks import derivative_remarks
from tensorgrad_cli.verify.verdict import LEFT_AND_RIGHT, Counterexample, Diagnosis, Error, Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["claim_result", "meets"]

UP_TO_LAYOUT = "equal up to layout"
_ZERO = {">": "> 0", ">=": "≥ 0", "!=": "≠ 0"}


def meets(expect: str | None, verdict: str) -> bool:
    """Whether a verdict is what a check expects; None expects nothing."""
    if expect is None:
        return True
    if expect == "holds":
        return verdict in ("proved", "verified")
    return verdict == expect


def claim_result(
    bench: Workbench,
    id_: str,
    kind: str,
    judged: Judged,
    expect: str | None,
    note: str | None,
    *,
    follows: bool | None = None,
    diagnosed: bool = True,
    line: Line | None = None,
) -> Result:
    """The result of a claim or of a line of a derivation, `line` then says of which."""
    verdict = judged.verdict
    span = judged.source.span()
    placed = judged.source.parent is not None
    reading, answer = judged.reading, judged.answer
    naming = bench.naming(reading.definitions if reading is not None else ())
    diagnosis = None
    if diagnosed and verdict in ("refuted", "ill-formed"):
        # Much to import where nothing is wrong.
        from tensorgrad_cli.verify.diagnose import diagnose

        diagnosis = diagnose(bench, judged, line)
    different = answer is not None and verdict == "refuted" and judged.layout is None
    return Result(
        id=id_,
        kind=kind,
        verdict=verdict,
        expect=expect,
        passed=meets(expect, verdict),
        reason=answer.reason if answer is not None else None,
        line=span.line if placed else None,
        column=span.column if placed else None,
        source=judged.source.text,
        reading=_reading(judged, naming),
        remarks=(
            *(reading.remarks if reading is not None else ()),
            *derivative_remarks(bench, reading.derivatives if reading is not None else ()),
            *_remarks(judged, diagnosis),
        ),
        domain=_domain(answer, naming),
        rank=len(reading.free) if reading is not None else None,
        shape=_shape(bench, judged),
        proof=answer.proof if answer is not None and judged.layout is None else None,
        error=_error(answer) if judged.layout is None else None,
        follows=follows,
        diagnosis=diagnosis,
        counterexample=_counterexample(bench, judged) if different else None,
        note=note,
        message=_message(bench, judged, diagnosis),
    )


def _reading(judged: Judged, naming: Naming) -> str:
    if judged.reading is None:
        return ""
    reading = judged.reading
    sides = reading.left.expression, reading.right.expression
    if reading.mismatch is not None:
        # Nothing that reads back: the sides have other indices.
        return " = ".join(shown(side, naming) for side in sides)
    return written(*sides, naming)


def _remarks(judged: Judged, diagnosis: Diagnosis | None) -> tuple[str, ...]:
    square = diagnosis is not None and diagnosis.message.startswith(UP_TO_LAYOUT)
    if judged.layout is not None or square:
        return (UP_TO_LAYOUT,)
    return judged.answer.remarks if judged.answer is not None else ()


def _domain(answer: Answer | None, naming: Naming) -> str | None:
    if answer is None or not answer.domain:
        return None
    # The same divisor may stand on both sides in two forms.
    needs = {(normal_form(need.expression), need.sign): need for need in answer.domain}.values()
    return "where " + " and ".join(f"{shown(n.expression, naming)} {_ZERO[n.sign]}" for n in needs)


def _shape(bench: Workbench, judged: Judged) -> tuple[int, ...] | None:
    if judged.reading is None or judged.answer is None:
        return None
    sizes = bench.points[0].sizes
    return tuple(index.dimension.size(sizes) for index in judged.reading.free)


def _error(answer: Answer | None) -> Error | None:
    if answer is None or answer.comparison is None:
        return None
    c = answer.comparison
    return Error(c.max_abs, c.max_rel, c.bar, c.resolution, 0, "evaluation", "full")


def _counterexample(bench: Workbench, judged: Judged) -> Counterexample | None:
    answer, reading = judged.answer, judged.reading
    if answer is None or reading is None or answer.comparison is None or answer.point is None:
        return None
    c = answer.comparison
    if c.verdict != "different":
        return None
    names = [index.name for index in reading.free]
    at = {name: int(k) for name, k in zip(names, c.worst, strict=True)}
    claim, truth, sides = c.claim, c.truth, ("claim", "derivative")
    left, right = (_is_derivative(bench, side) for side in (reading.left, reading.right))
    if right and not left:
        claim, truth = truth, claim
    elif not left:
        sides = LEFT_AND_RIGHT
    ratio = claim / truth if truth and np.isfinite(claim / truth) else None
    sizes = {name: answer.point.sizes[name] for name in sorted(answer.point.sizes)}
    return Counterexample(at, claim, truth, ratio, sizes, bench.seed, _picture(c.wrong), sides)


def _is_derivative(bench: Workbench, side: Side) -> bool:
    expression = side.expression
    return isinstance(expression, Ref) and expression.tensor in bench.calculus.asked


def _picture(wrong: object) -> tuple[str, ...]:
    """Which entries of a vector or matrix disagree, one character each, a line a row."""
    if not isinstance(wrong, np.ndarray) or wrong.ndim not in (1, 2) or wrong.size > 400:
        return ()
    rows = wrong if wrong.ndim == 2 else wrong[None]
    return tuple("".join("x" if entry else "." for entry in row) for row in rows)


def _counterpart(bench: Workbench, judged: Judged) -> str:
    """An entry of the left side and where it stands on the right one, whose axes are in another order."""
    reading, answer = judged.reading, judged.answer
    if reading is None or answer is None or answer.point is None or judged.layout is None:
        return ""
    order = judged.layout
    if order == tuple(range(len(order))):
        words = ("row", "column") if reading.left.row else ("column", "row")
        return f"; a {words[0]} on the left, a {words[1]} on the right"
    left = answer.point.evaluated(lowered(reading.left.expression, bench.scope), reading.left.indices)[0]
    # An entry off the diagonal tells most.
    at = tuple((k + 1) % size for k, size in enumerate(left.shape))
    there = [0] * len(order)
    for axis, place in zip(order, at, strict=True):
        there[axis] = place
    return f"; {left[at]:.6g} is at {list(at)} on the left and at {there} on the right"


def _too_near(answer: Answer) -> str:
    """What floating point sees of sides that it cannot tell apart."""
    c = answer.comparison
    if c is None or not np.isfinite(c.truth):
        return ""
    return f": in floating point both sides are {c.truth:.6g}, the same to its last digits"


def _message(bench: Workbench, judged: Judged, diagnosis: Diagnosis | None) -> str:
    if judged.layout is not None:
        counterpart = _counterpart(bench, judged)
        return f"equal up to layout: the sides differ in the order of their axes alone{counterpart}"
    if judged.issue is not None:
        return judged.issue.rendered()
    if judged.answer is not None and judged.answer.internal:
        return judged.answer.internal
    if judged.answer is not None and judged.answer.exactly_different:
        return f"different in exact arithmetic alone{_too_near(judged.answer)}"
    return diagnosis.message if diagnosis is not None else ""
