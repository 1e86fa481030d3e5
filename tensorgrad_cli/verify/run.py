"""Specs to results. One failing check never stops another; a check that crashes is said loudly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, groupby

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.render import text
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.verify.chain_checks import compared, with_formulas
from tensorgrad_cli.verify.claim_results import claim_result
from tensorgrad_cli.verify.claims import judge_claim
from tensorgrad_cli.verify.derivations import derivation_results
from tensorgrad_cli.verify.prepared import ChainCheck, Checked, Formulas, Options, Outcome, Prepared
from tensorgrad_cli.verify.processes import Task, cores, side_by_side
from tensorgrad_cli.verify.readings import ReadDerivation, Reading
from tensorgrad_cli.verify.remarks import derivative_remarks
from tensorgrad_cli.verify.reports import seed_of
from tensorgrad_cli.verify.verdict import Result, SpecReport
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["check_prepared", "check_spec", "checked"]

# A process is forked for no fewer tasks than these, and by itself only where tensors and steps have no more entries.
TASKS_EACH = 3
SMALL = 1 << 14


def checked(
    outcome: Outcome,
    options: Options,
    say: Callable[[str], None],
    formulas: Callable[[], Formulas] = dict,
) -> Checked:
    """What comes of a spec that was read: `say` is told which check is next, the rest as in `check_prepared`."""
    ready, issues = outcome
    if ready is None:
        return Checked(None, issues, None)
    report = check_prepared(ready, formulas, options.seed, say, options.allow_python, options.processes)
    return Checked(report, issues, ready.ground.spec.check.seed)


def check_spec(
    spec: Spec,
    seed: int | None = None,
    claims: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
    allow_python: bool = False,
    processes: int | None = 1,
) -> SpecReport:
    """All checks of a spec. `claims` are further ones, from the command line; the rest as in `check_prepared`."""
    from tensorgrad_cli.verify.prepare import prepared

    return check_prepared(prepared(spec, claims), dict, seed, progress, allow_python, processes)


def check_prepared(
    ready: Prepared,
    formulas: Callable[[], Formulas],
    seed: int | None = None,
    progress: Callable[[str], None] | None = None,
    allow_python: bool = False,
    processes: int | None = 1,
) -> SpecReport:
    """All checks of a spec that was prepared. `formulas` are asked for when all is checked; what they lack is printed
    then. So many `processes` work on the checks; None stands for as many as there are cores where arrays are small,
    else for one: each has copies of its own."""
    started = time.perf_counter()
    spec = ready.ground.spec
    bench = Workbench.on(ready.ground, seed_of(spec, seed))
    results: list[Result] = []
    summaries: list[str] = []
    checks = {check.id: check for check in ready.checks}
    with np.errstate(all="ignore"):
        for batch in _batches(bench, ready, progress, allow_python, processes):
            results += batch.results
            summaries += batch.summaries
    naming = bench.naming()
    shown = formulas()
    results = [
        _formulated(bench, checks[result.id], result, shown) if result.id in checks else result
        for result in results
    ]
    if os.environ.get("TENSORGRAD_TRACEBACK"):
        results += _malformed(bench)
    unrun = (
        ("implementations are run only with --allow-python",)
        if spec.implementations and not allow_python
        else ()
    )
    vocabulary = bench.scope.vocabulary
    passed = bool(results) and all(result.passed for result in results)
    steps = tuple(
        (bench.scope.spelling(s.name), text.equation(s.equation, naming, implied=False)) for s in spec.chain
    )
    asked = derivative_remarks(bench, chain.from_iterable(step.derivatives for step in spec.chain))
    said = chain.from_iterable(step.remarks for step in spec.chain)
    remarks = (*spec.remarks, *said, *bench.remarks, *asked, *unrun)
    return SpecReport(
        path=spec.path,
        title=spec.title,
        verdict="pass" if passed else "fail",
        dims=bench.dims,
        remarks=tuple(dict.fromkeys(remarks)),
        checks=tuple(results),
        steps=steps,
        notes={bench.scope.spelling(s.name): s.note for s in spec.chain if s.note},
        summaries=tuple(summaries),
        seconds=time.perf_counter() - started,
        note=spec.note,
        names=vocabulary.tensors | vocabulary.functions | vocabulary.dimensions,
    )


class Batch(Struct, frozen=True):
    """The results of checks that are done together, with sentences about them as a whole."""

    results: tuple[Result, ...]
    summaries: tuple[str, ...] = ()


def _batches(
    bench: Workbench,
    ready: Prepared,
    progress: Callable[[str], None] | None,
    allow_python: bool,
    processes: int | None,
) -> Iterator[Batch]:
    say = progress or (lambda _: None)
    together = groupby(ready.checks, _certified_with)
    queues = (
        [Task(partial(_derivatives, bench, say, tuple(group))) for _, group in together],
        [
            # A slip takes longer to explain than a true line to prove.
            *(
                Task(partial(_claim, bench, say, number, claim, reading), long=claim.expect == "refuted")
                for number, (claim, reading) in enumerate(ready.claims, 1)
            ),
            *(
                Task(partial(_derivation, bench, say, derivation), long=True)
                for derivation in ready.derivations
            ),
        ],
    )
    if processes is None:
        processes = min(cores(), sum(map(len, queues)) // TASKS_EACH) if bench.entries() <= SMALL else 1
    yield from chain.from_iterable(side_by_side(queues, Batch, processes))
    if bench.spec.gradients or bench.spec.implementations:
        yield from _user_code(bench, say, allow_python)


def _certified_with(check: ChainCheck) -> tuple[str, str]:
    """What first derivatives that are certified together have in common: those of a step, those of the loss."""
    kind, of = check.kind, check.derivative.numerator
    return (kind, check.id) if kind == "hessian" else (kind, of)


def _malformed(bench: Workbench) -> Iterator[Result]:
    """The equations of ours that break an invariant of expressions, looked for by -vv, each as a crash."""
    from tensorgrad_cli.algebra.invariants import check_equation

    for equation in bench.calculus.equations.values():
        try:
            check_equation(equation)
        except ValueError as error:
            yield _crashed(f"step:{equation.tensor}", "step", None, "internal", f"internal error: {error}")


def _user_code(bench: Workbench, say: Callable[[str], None], allow_python: bool) -> Iterator[Batch]:
    from tensorgrad_cli.verify.values import check_implementation, check_values, values_by_key

    for id_, _, derivative, array in values_by_key(bench):
        say(id_)
        yield Batch((guarded(id_, "values", partial(check_values, bench, id_, derivative, array)),))
    if not allow_python:
        return
    for source, call in bench.spec.implementations:
        id_ = f"implementation:{source.text}"
        say(id_)
        check = partial(check_implementation, bench, source, call)
        yield Batch((guarded(id_, "implementation", check),))


def _derivatives(bench: Workbench, say: Callable[[str], None], checks: tuple[ChainCheck, ...]) -> Batch:
    results = []
    for check in checks:
        say(check.id)
        results.append(guarded(check.id, check.kind, partial(compared, bench, check)))
    return Batch(tuple(results))


def _formulated(bench: Workbench, check: ChainCheck, result: Result, shown: Formulas) -> Result:
    """A result with its formulas, where it was not a crash."""
    if result.of is None:
        return result
    found = guarded(check.id, check.kind, partial(with_formulas, bench, check, result, shown.get(check.id)))
    return replace(found, seconds=result.seconds + found.seconds)


def _claim(
    bench: Workbench, say: Callable[[str], None], number: int, claim: Claim, attempt: Reading | Issue
) -> Batch:
    id_ = f"claim:{number}"
    say(id_)

    def check() -> Result:
        judged = judge_claim(bench, claim.source, attempt)
        return claim_result(bench, id_, "claim", judged, claim.expect, claim.note)

    return Batch((guarded(id_, "claim", check, claim),))


def _derivation(bench: Workbench, say: Callable[[str], None], derivation: ReadDerivation) -> Batch:
    say(f"derivation:{derivation.number}")
    lines, summaries = derivation_results(bench, derivation)
    return Batch(tuple(lines), tuple(summaries))


def guarded(id_: str, kind: str, check: Callable[[], Result], claim: Claim | None = None) -> Result:
    """The result of a check; of one that crashes, `inconclusive`, reason `internal`, with what happened."""
    started = time.perf_counter()
    try:
        result = check()
    except MemoryError as error:
        result = _crashed(id_, kind, claim, "unresolved", f"too large to evaluate: {error}")
    except Exception as error:
        message = f"internal error: {type(error).__name__}: {error}"
        result = _crashed(id_, kind, claim, "internal", message)
    return replace(result, seconds=time.perf_counter() - started)


def _crashed(id_: str, kind: str, claim: Claim | None, reason: str, message: str) -> Result:
    import traceback

    if os.environ.get("TENSORGRAD_TRACEBACK"):
        traceback.print_exc()
    span = claim.source.span() if claim is not None else None
    placed = span is not None and claim is not None and claim.source.parent is not None
    return Result(
        id=id_,
        kind=kind,
        verdict="inconclusive",
        expect=claim.expect if claim is not None else "holds",
        passed=claim is not None and claim.expect == "inconclusive",
        reason=reason,
        line=span.line if placed and span else None,
        column=span.column if placed and span else None,
        source=claim.source.text if claim is not None else "",
        message=message,
    )
