"""One check in full: how it was read, how it was decided, and the numbers. What `tensorgrad explain SPEC ID` prints."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad_cli.algebra.expression import Expression, add, constant, multiply
from tensorgrad_cli.algebra.normal import equal, normal_form
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.walking import nodes
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.spelling import nearest
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.chain_checks import check_derivative
from tensorgrad_cli.verify.chain_formulas import chain_checks
from tensorgrad_cli.verify.claim_results import claim_result
from tensorgrad_cli.verify.claims import Judged, judge, judge_claim, question_of
from tensorgrad_cli.verify.decide import Answer, numbers, written_out
from tensorgrad_cli.verify.derivations import derivation_results
from tensorgrad_cli.verify.explain_derivative import explain_derivative
from tensorgrad_cli.verify.formulas import shown
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.read_claims import attempt_claim, read_derivation
from tensorgrad_cli.verify.readings import ReadDerivation, Reading
from tensorgrad_cli.verify.reports import seed_of
from tensorgrad_cli.verify.verdict import Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["check_ids", "explain_check", "near_ids"]

# A formula of more nodes than this is no explanation.
LONGEST = 160
POINTS = 3


def check_ids(spec: Spec) -> list[str]:
    """The ids of all checks of a spec, in the order of the report; nothing is evaluated."""
    ids = [check.id for check in chain_checks(Ground(spec))]
    ids += [f"claim:{k}" for k in range(1, len(spec.claims) + 1)]
    for number_, derivation in enumerate(spec.derivations, 1):
        ids += [f"derivation:{number_}.{k}" for k in range(1, len(derivation.lines) + 1)]
    return ids + [f"values:{key}" for key in spec.gradients]


def near_ids(spec: Spec, id_: str) -> list[str]:
    """The ids that a misspelt one may stand for."""
    return nearest(id_, check_ids(spec), 3)


def explain_check(spec: Spec, id_: str, seed: int | None = None) -> str | None:
    """A check in full, as text; None where the spec has no check of this id."""
    bench = Workbench(spec, seed_of(spec, seed))
    checks = {check.id: check for check in chain_checks(bench)}
    # All formulas are read first, as `check` does, so that the same points are drawn.
    claims = [attempt_claim(bench, claim, f"c{k}.") for k, claim in enumerate(spec.claims, 1)]
    derivations = [read_derivation(bench, k, d) for k, d in enumerate(spec.derivations, 1)]
    kind, _, rest = id_.partition(":")
    with np.errstate(all="ignore"):
        if id_ in checks:
            result = check_derivative(bench, checks[id_])
            return _text(bench, result, explain_derivative(bench, checks[id_], result))
        if kind == "claim" and rest.isdecimal() and 1 <= int(rest) <= len(claims):
            at = int(rest) - 1
            claim = spec.claims[at]
            judged = judge_claim(bench, claim.source, claims[at])
            result = claim_result(bench, id_, "claim", judged, claim.expect, claim.note)
            return _text(bench, result, _judged(bench, judged, result))
        if kind == "derivation":
            return _line(bench, id_, rest, derivations)
        if kind == "values":
            return _values(bench, id_)
    return None


def _text(bench: Workbench, result: Result, body: Iterator[str]) -> str:
    place = f", line {result.line}" if result.line is not None else ""
    verdict = result.verdict + (f" ({result.reason})" if result.reason else "")
    expected = result.expect is not None and result.expect != "holds"
    met = ", as expected" if result.passed and expected else "" if result.passed else ", not as expected"
    head = f"{result.id} of {bench.spec.path}{place}: {verdict}{met}"
    note = [f"  {' '.join(result.note.split())}"] if result.note else []
    lines = [head, *note, *body, "", f"seed {bench.seed}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _titled(title: str) -> Iterator[str]:
    yield ""
    yield title


# --- claims


def _judged(bench: Workbench, judged: Judged, result: Result) -> Iterator[str]:
    yield ""
    yield f"  {' '.join(judged.source.text.split())}"
    if judged.reading is None:
        yield from _message(result)
        return
    naming = bench.naming(judged.reading.definitions)
    yield from _reading(bench, judged.reading, result, naming)
    if judged.reading.mismatch is None:
        yield from _forms(bench, judged.reading, naming)
        yield from _decision(bench, judged, result)
    if judged.answer is not None and result.verdict in ("refuted", "inconclusive", "verified"):
        yield from _numbers(bench, judged)
    yield from _message(result)


def _reading(bench: Workbench, reading: Reading, result: Result, naming: Naming) -> Iterator[str]:
    yield from _titled("As read, every sum written out")
    yield f"  left   {shown(reading.left.expression, naming)}"
    yield f"  right  {shown(reading.right.expression, naming)}"
    if reading.free:
        sizes = bench.points[0].sizes
        said = [
            f"{i.name} over {i.dimension.name}"
            + ("" if i.dimension.fixed is not None else f" = {i.dimension.size(sizes)}")
            for i in reading.free
        ]
        yield f"  free   {', '.join(said)}"
    for equation in reading.at:
        yield f"  at     {bench.scope.spelling(equation.tensor)} = {shown(equation.expression, naming)}"
    for remark in (*reading.remarks, *(r for r in result.remarks if r not in reading.remarks)):
        yield f"  {remark}"
    if result.domain:
        yield f"  {result.domain}"


def _forms(bench: Workbench, reading: Reading, naming: Naming) -> Iterator[str]:
    """Both normal forms, with the derivatives written out where that stays short, and their difference."""
    sides = [lowered(side.expression, bench.scope) for side in (reading.left, reading.right)]
    written = [written_out(bench, side, LONGEST) for side in sides]
    left, right = (w if w is not None else side for w, side in zip(written, sides, strict=True))
    forms = [normal_form(left), normal_form(right)]
    yield from _titled("Normal forms, derivatives written out" if None not in written else "Normal forms")
    if equal(left, right):
        yield f"  both   {_short(forms[0], naming)}"
        return
    yield f"  left   {_short(forms[0], naming)}"
    yield f"  right  {_short(forms[1], naming)}"
    difference = simplified(add(right, multiply(constant(-1), left)))
    yield from _titled("right - left, simplified")
    yield f"  {_short(difference, naming)}"


def _short(expression: Expression, naming: Naming) -> str:
    count = nodes(expression)
    return shown(expression, naming) if count <= LONGEST else f"(too long to be of use: {count} nodes)"


def _decision(bench: Workbench, judged: Judged, result: Result) -> Iterator[str]:
    """The three ways in their order, as far as they were gone."""
    assert judged.reading is not None
    question = question_of(judged.reading)
    left, right = (lowered(side, bench.scope) for side in (question.left, question.right))
    yield from _titled("Decision")
    if result.proof is not None and result.proof.by == "normal-form":
        yield "  normal form  equal: a proof, for all sizes and inputs"
    elif question.at:
        yield "  normal form  not asked: this is a claim at a point"
    else:
        yield "  normal form  different, which proves nothing"
    answer = judged.answer
    if question.at:
        yield f"  exact test   {_exact_at(answer)}"
    elif not (result.proof is not None and result.proof.by == "normal-form"):
        yield f"  exact test   {_exact(bench, left, right, judged)}"
    if answer is not None and answer.comparison is not None:
        c = answer.comparison
        said = {"equal": "equal within the error bars", "different": "different", "undecided": "no answer"}
        bars = f"largest error {c.max_abs:.2e}, bar {c.bar:.2e}"
        yield f"  numbers      {said[c.verdict]}: {bars}"


def _exact(bench: Workbench, left: Expression, right: Expression, judged: Judged) -> str:
    assert judged.reading is not None
    decision = bench.exact().decide(left, right, judged.reading.free)
    if decision.outcome == "equal":
        return f"equal at all sizes, signs and values drawn{_bound(decision.bound)}"
    if decision.outcome == "different":
        return "different, and both sides are rational: a refutation"
    return f"no answer: {decision.note}" if decision.note else "no answer"


def _exact_at(answer: Answer | None) -> str:
    """What the exact test said of a claim at a point, with the given expressions put in."""
    if answer is not None and answer.proof is not None and answer.proof.by == "exact":
        return (
            f"equal with the given values put in, at all sizes and others drawn{_bound(answer.proof.bound)}"
        )
    if answer is not None and answer.exactly_different:
        return "different with the given values put in, and both sides are rational: a refutation"
    return "no answer with the given values put in"


def _bound(bound: float | None) -> str:
    return f", wrong with a chance below {bound:.0e}" if bound else ""


def _numbers(bench: Workbench, judged: Judged) -> Iterator[str]:
    """The worst entry at each of the first points: sizes differ from point to point."""
    assert judged.reading is not None and judged.answer is not None
    question = question_of(judged.reading)
    if judged.layout is not None or len(question.free) != len(judged.reading.left.indices):
        return
    yield from _titled("Numbers at the worst entry")
    names = [index.name for index in question.free]
    for k in range(min(POINTS, len(bench.points))):
        comparison, point = numbers(bench, question, bench.points[k])
        at = ", ".join(f"{n}={v}" for n, v in zip(names, comparison.worst, strict=True))
        sizes = ", ".join(f"{n} = {point.sizes[n]}" for n in sorted(point.sizes))
        yield (
            f"  {f'at {at}: ' if at else ''}left {comparison.truth:.12g}, right {comparison.claim:.12g}"
            f"   error bar {comparison.bar:.1e}   ({sizes})"
        )


def _message(result: Result) -> Iterator[str]:
    diagnosis = result.diagnosis
    if result.message and (diagnosis is None or diagnosis.message != result.message):
        yield ""
        for text in result.message.splitlines():
            yield f"  {text}"
    if result.counterexample is not None and any("." in row for row in result.counterexample.picture):
        yield from _titled("Entries that differ")
        for row in result.counterexample.picture:
            yield f"  {row}"
    if diagnosis is not None:
        yield from _titled(f"Diagnosis: {diagnosis.kind}")
        if diagnosis.message and (
            diagnosis.message == result.message or diagnosis.message not in result.message
        ):
            yield f"  {diagnosis.message}"
        if diagnosis.suggestion:
            yield f"  right is  {diagnosis.suggestion}"


# --- lines of derivations


def _line(bench: Workbench, id_: str, rest: str, derivations: list[ReadDerivation]) -> str | None:
    first, _, second = rest.partition(".")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= len(derivations)):
        return None
    read, k = derivations[int(first) - 1], int(second)
    if not 1 <= k <= len(read.lines):
        return None
    results, sentences = derivation_results(bench, read)
    result = results[k - 1]
    judged = judge_claim(bench, read.derivation.lines[k - 1].source, read.lines[k - 1])
    return _text(bench, result, _of_line(bench, read, k, judged, result, sentences))


def _of_line(
    bench: Workbench, read: ReadDerivation, k: int, judged: Judged, result: Result, sentences: list[str]
) -> Iterator[str]:
    yield ""
    for sentence in sentences:
        yield f"  {sentence}"
    yield f"  start: {' '.join(read.derivation.start.text.split())}"
    yield from _titled(f"Line {k} against the start")
    yield from (line for line in _judged(bench, judged, result))
    if k == 1:
        return
    yield from _titled(f"Line {k} against line {k - 1}")
    before, here = read.lines[k - 2], read.lines[k - 1]
    yield f"  before: {' '.join(read.derivation.lines[k - 2].source.text.split())}"
    if isinstance(before, Issue) or isinstance(here, Issue) or before.mismatch or here.mismatch:
        yield "  one of the two has no meaning, so they cannot be compared"
        return
    pair = Reading(
        here.source, before.right, here.right, here.free, before.definitions + here.definitions, ()
    )
    found = judge(bench, pair)
    yield f"  {'it follows' if found.holds else 'it does not follow'} ({found.verdict})"
    if not found.holds:
        yield from _forms(bench, pair, bench.naming(pair.definitions))


# --- what was computed elsewhere


def _values(bench: Workbench, id_: str) -> str | None:
    from tensorgrad_cli.verify.values import check_values, values_by_key

    for own, _, derivative, array in values_by_key(bench):
        if own == id_:
            result = check_values(bench, own, derivative, array)
            return _text(bench, result, _computed(result))
    return None


def _computed(result: Result) -> Iterator[str]:
    if result.formula is not None:
        yield f"  {result.formula.text}"
    example = result.counterexample
    if example is not None:
        at = ", ".join(f"{name}={k}" for name, k in example.at.items())
        yield f"  {f'at {at}: ' if at else ''}yours {example.claim:.12g}, ours {example.derivative:.12g}"
    if result.error is not None:
        e = result.error
        shows = f", would show {e.resolution:.2e}" if e.resolution < 1 else ""
        yield f"  largest error {e.max_abs:.2e}, bar {e.bar:.2e}{shows}"
    yield from _message(result)
