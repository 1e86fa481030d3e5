"""A derivative that the chain brings with it, in full: every notation, the pullback, differences, Taylor steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tensorgrad_cli.render import ascii
from tensorgrad_cli.verify.chain_formulas import displayed
from tensorgrad_cli.verify.prepared import ChainCheck
from tensorgrad_cli.verify.taylor import plot, remainders
from tensorgrad_cli.verify.verdict import Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["explain_derivative"]


def explain_derivative(bench: Workbench, check: ChainCheck, result: Result) -> Iterator[str]:
    """The lines of the explanation, without its head."""
    formula = result.formula
    assert formula is not None
    equation, derivative = displayed(bench, check)
    naming = bench.naming(extra=(derivative,))
    yield ""
    yield f"  {formula.text}"
    yield ""
    shape = "×".join(map(str, result.shape or ())) or "a scalar"
    rows = [
        ("as read", result.reading),
        ("ascii", ascii.equation(equation, naming)),
        ("latex", formula.latex),
        ("matrix", formula.matrix or "none"),
        ("einsum", "   ".join(formula.einsum) or "none"),
        ("rank", f"{result.rank}, {shape}"),
    ]
    for label, text in (*rows, *result.details):
        yield f"  {label:<9} {text}"
    yield from (f"  {remark}" for remark in result.remarks)
    yield from _differences(bench, check, result)
    yield from _taylor(bench, check)
    if result.message:
        yield ""
        yield f"  {result.message}"


def _differences(bench: Workbench, check: ChainCheck, result: Result) -> Iterator[str]:
    certificate = bench.certificate(check.derivative.name)
    if certificate is None or result.error is None:
        return
    c, e = certificate.comparison, result.error
    yield ""
    yield f"Differences ({e.method}, {e.mode}, {e.evaluations} evaluations of the chain)"
    at = ", ".join(map(str, c.worst))
    yield f"  at the worst entry{f' [{at}]' if at else ''}"
    yield f"    ours         {c.claim:.15g}"
    yield f"    differences  {c.truth:.15g}"
    yield f"    off by       {abs(c.claim - c.truth):.1e}, where {c.bar:.1e} is the most that rounding explains"
    if np.isfinite(e.resolution):
        yield f"  an error of {e.resolution:.1e} of an entry would have shown"
    if e.missed is not None:
        yield f"  along random directions: an error below {e.missed:.1e} of the derivative may be missed"


def _taylor(bench: Workbench, check: ChainCheck) -> Iterator[str]:
    found = remainders(bench, check.derivative, bench.points[0])
    if found is None:
        return
    yield ""
    yield "A step h along a random direction v: o is |f(x+hv) - f(x)|, x what remains after h ∂f v"
    yield from (f"  {line}" for line in plot(found))
    if found.slope is None:
        yield "  nothing remains but rounding: along this line f is linear, or nearly so"
    else:
        right = "2 where the derivative is right, 1 where it is not"
        yield f"  the remainder shrinks with slope {found.slope:.2f}: {right}"
    if not np.isfinite(found.rests).all():
        yield "  (some steps leave the domain)"
