"""Derivatives that the user's own code computed: arrays from a file, or a Python callable, checked like claims.

The truth is our own derivative at the same inputs, which differences have borne out. An array carries its
own precision: a float32 gradient is judged by what float32 does to the same computation.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import Derivative, Ref
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.notation.names import canonical
from tensorgrad_cli.numeric.compare import Comparison, compare, rounding_bar
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.verify.certify import bar_of
from tensorgrad_cli.verify.numeric_slips import numeric_slip
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.read_claims import read_start
from tensorgrad_cli.verify.remarks import derivative_remarks
from tensorgrad_cli.verify.verdict import Counterexample, Diagnosis, Error, Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["UserCodeFailed", "check_implementation", "check_values", "values_by_key"]

Array = NDArray[Any]

# Another program sums in another order: its rounding is a few times what moves our own result.
SAFETY = 16.0
ACCEPT = {"float64": 1e-6, "float32": 1e-3, "float16": 1e-1}


class UserCodeFailed(Exception):
    """The user's own function cannot be found, or raised; the message says which."""


def values_by_key(bench: Workbench) -> Iterator[tuple[str, str, Derivative, Array]]:
    """The entries of `gradients`: the check's id, the key, the derivative and the array."""
    spell = bench.scope.spelling
    for key, array in bench.spec.gradients.items():
        top, _, bottom = key.partition("/")
        numerator, by = canonical(top), canonical(bottom)
        name = derivative_name(numerator, (by,))
        yield (
            f"values:{spell(numerator)}/{spell(by)}",
            key,
            Derivative(name, numerator, (by,)),
            np.asarray(array),
        )


def check_values(bench: Workbench, id_: str, derivative: Derivative, array: Array) -> Result:
    """An array that was computed elsewhere against our derivative."""
    return _compared(
        bench, id_, "values", derivative, array, f"{id_.partition(':')[2]} as computed elsewhere"
    )


def check_implementation(bench: Workbench, source: Source, call: str) -> Result:
    """What the user's own function returns for the spec's arrays, against our derivative.

    Runs the user's code: the caller has seen to it that this is allowed. A function that fails is `ill-formed`.
    """
    derivative = asked_derivative(bench, source)
    spell = bench.scope.spelling
    by = ",".join(spell(name) for name in derivative.denominators)
    id_ = f"implementation:{spell(derivative.numerator)}/{by}"
    try:
        array = _called(bench, call)
    except UserCodeFailed as error:
        return Result(
            id=id_, kind="implementation", verdict="ill-formed", passed=False, source=call, message=str(error)
        )
    return _compared(bench, id_, "implementation", derivative, array, call)


def asked_derivative(bench: Workbench, source: Source) -> Derivative:
    """The derivative that `of: ∂cost/∂w` names. Raises Issue where it is none."""
    side, _, _ = read_start(bench, source, "i.", bench.scope)
    if isinstance(side.expression, Ref) and side.expression.tensor in bench.calculus.asked:
        return bench.calculus.asked[side.expression.tensor]
    raise Issue("no-derivative", source.span(), "this is no derivative", "write one such as ∂cost/∂w")


def _called(bench: Workbench, call: str) -> Array:
    module_name, _, function_name = call.partition(":")
    folder = str(Path(bench.spec.path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, function_name)
        returned = function(**_arguments(bench, function))
        return np.asarray(returned)
    except (Exception, SystemExit) as error:
        raise UserCodeFailed(f"{call} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)


def _arguments(bench: Workbench, function: Callable[..., Any]) -> Mapping[str, Array]:
    """The spec's tensors by the names of the function's parameters; all of them where it takes any."""
    point = bench.points[0]
    arrays = {name: np.array(point.value(name)) for name in bench.spec.tensors}
    spelled = {bench.scope.spelling(name): array for name, array in arrays.items()} | arrays
    parameters = inspect.signature(function).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return {bench.scope.spelling(name): array for name, array in arrays.items()}
    return {name: spelled[name] for name in parameters if name in spelled}


def _compared(
    bench: Workbench, id_: str, kind: str, derivative: Derivative, array: Array, source: str
) -> Result:
    bench.calculus.extend((), (derivative,))
    bench.calculus.resolve(derivative.name)
    point = bench.points[0]
    copies = point.copies(derivative.name)
    truth = copies[0]
    array = _laid_out(bench, derivative, array)
    if array.shape != truth.shape:
        return _misshapen(bench, id_, kind, derivative, array, truth, source)
    dtype = _precision(bench, array)
    values = array.astype(np.float64)
    bar = (
        rounding_bar(np.nan_to_num(values, posinf=0.0, neginf=0.0), dtype)
        + SAFETY * bar_of(copies)
        + _lower_precision(point, derivative, truth, dtype)
    )
    options = bench.spec.check
    found = compare(
        values,
        bar,
        truth,
        0.0,
        known_zero=bench.is_zero(derivative.name),
        accept=ACCEPT[dtype],
        rtol=options.rtol or 0.0,
        atol=options.atol or 0.0,
    )
    return _result(bench, id_, kind, derivative, source, found, values, truth, dtype)


def _precision(bench: Workbench, array: Array) -> str:
    name = array.dtype.name
    if name in ("float16", "float32"):
        return name
    return bench.spec.check.dtype if bench.spec.check.dtype in ACCEPT else "float64"


def _laid_out(bench: Workbench, derivative: Derivative, array: Array) -> Array:
    """The array with the numerator's axes first."""
    rank = len(bench.calculus.shapes[derivative.denominators[0]])
    if bench.spec.layout == "denominator" and bench.calculus.shapes[derivative.numerator]:
        return np.moveaxis(array, tuple(range(rank)), tuple(range(array.ndim - rank, array.ndim)))
    return array


def _lower_precision(point: Point, derivative: Derivative, truth: Array, dtype: str) -> Array:
    """How far the same computation strays in a lower precision, a measure of what may be asked of it."""
    if dtype == "float64":
        return np.zeros(truth.shape)
    low = point.in_precision(derivative.name, dtype)
    error = np.abs(low.astype(np.float64) - truth)
    rms = float(np.sqrt(np.mean(np.square(error)))) if error.size else 0.0
    bar: Array = SAFETY * (error + rms)
    return bar


def _result(
    bench: Workbench,
    id_: str,
    kind: str,
    derivative: Derivative,
    source: str,
    found: Comparison,
    values: Array,
    truth: Array,
    dtype: str,
) -> Result:
    verdict = {"equal": "verified", "different": "refuted", "undecided": "inconclusive"}[found.verdict]
    certificate = bench.certificate(derivative.name)
    reason = found.reason
    if certificate is not None and certificate.comparison.verdict == "different":
        verdict, reason = "inconclusive", "internal"
    wrong = verdict == "refuted"
    slip = numeric_slip(bench, derivative, values, truth, found) if wrong else None
    return Result(
        id=id_,
        kind=kind,
        verdict=verdict,
        passed=verdict == "verified",
        reason=reason,
        source=source,
        of=bench.scope.spelling(derivative.numerator),
        wrt=tuple(bench.scope.spelling(name) for name in derivative.denominators),
        remarks=derivative_remarks(bench, (derivative,)),
        rank=truth.ndim,
        shape=truth.shape,
        error=Error(
            found.max_abs, found.max_rel, found.bar, found.resolution, 1, f"evaluation in {dtype}", "full"
        ),
        diagnosis=slip,
        counterexample=_example(bench, derivative, found) if wrong else None,
        message=slip.message if slip is not None else "",
    )


def _example(bench: Workbench, derivative: Derivative, found: Comparison) -> Counterexample:
    equation = bench.calculus.equations[derivative.name]
    return Counterexample(
        at={i.name: k for i, k in zip(equation.indices, found.worst, strict=True)},
        claim=found.claim,
        derivative=found.truth,
        ratio=found.claim / found.truth if found.truth else None,
        dims=bench.dims,
        seed=bench.seed,
    )


def _misshapen(
    bench: Workbench,
    id_: str,
    kind: str,
    derivative: Derivative,
    array: Array,
    truth: Array,
    source: str,
) -> Result:
    have, want = "×".join(map(str, array.shape)) or "a number", "×".join(map(str, truth.shape)) or "a number"
    turned = array.ndim == 2 and array.T.shape == truth.shape and np.allclose(array.T, truth, rtol=1e-3)
    return Result(
        id=id_,
        kind=kind,
        verdict="refuted" if turned else "ill-formed",
        passed=False,
        source=source,
        of=bench.scope.spelling(derivative.numerator),
        wrt=tuple(bench.scope.spelling(name) for name in derivative.denominators),
        remarks=derivative_remarks(bench, (derivative,)),
        diagnosis=Diagnosis("layout", "equal up to layout: it is the transpose") if turned else None,
        message=f"the array is {have}, the derivative is {want}",
    )
