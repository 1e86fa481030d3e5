"""The checks that a chain brings with it: each derivative of ours against finite differences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from tensorgrad_cli.numeric import projection
from tensorgrad_cli.verify.certify import Certificate
from tensorgrad_cli.verify.prepared import ChainCheck, Printed
from tensorgrad_cli.verify.verdict import Counterexample, Error, Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["check_derivative", "compared", "error_of", "with_formulas"]


def check_derivative(bench: Workbench, check: ChainCheck) -> Result:
    """A derivative of ours against finite differences, with its formulas."""
    return with_formulas(bench, check, compared(bench, check))


def compared(bench: Workbench, check: ChainCheck) -> Result:
    """A derivative of ours against finite differences, without its formulas."""
    derivative = check.derivative
    bench.calculus.extend((), (derivative,))
    certificate = bench.certificate(derivative.name)
    assert certificate is not None
    verdict, reason = _verdict(certificate)
    step = next((s for s in bench.spec.chain if s.name == derivative.numerator), None)
    here = step if check.kind == "step" else None
    span = here.source.span() if here is not None else None
    return Result(
        id=check.id,
        kind=check.kind,
        verdict=verdict,
        passed=verdict == "verified",
        reason=reason,
        line=span.line if span else None,
        column=span.column if span else None,
        source=here.source.text if here is not None else "",
        of=bench.scope.spelling(derivative.numerator),
        wrt=tuple(bench.scope.spelling(name) for name in derivative.denominators),
        error=error_of(certificate),
        counterexample=_counterexample(bench, check, certificate) if reason == "internal" else None,
        message="finite differences contradict our own derivative: a bug of ours"
        if reason == "internal"
        else "",
        note=here.note if here is not None else None,
        details=tuple(_details(bench, check, certificate)),
    )


def with_formulas(
    bench: Workbench, check: ChainCheck, result: Result, shown: Printed | None = None
) -> Result:
    """The result with the formulas of its derivative, which may have been printed before."""
    if shown is None:
        from tensorgrad_cli.verify.printed import printed

        shown = printed(bench, check)
    sizes = bench.points[0].sizes
    return replace(
        result,
        reading=shown.reading,
        remarks=shown.remarks,
        rank=len(shown.axes),
        shape=tuple(dimension.size(sizes) for _, dimension in shown.axes),
        formula=shown.formula,
        details=(*shown.under, *result.details),
    )


def _verdict(certificate: Certificate) -> tuple[str, str | None]:
    comparison = certificate.comparison
    if certificate.symmetry is not None and not certificate.symmetry.holds:
        return "inconclusive", "internal"
    if comparison.verdict == "equal":
        return "verified", None
    if comparison.verdict == "different":
        return "inconclusive", "internal"
    return "inconclusive", comparison.reason


def error_of(certificate: Certificate) -> Error:
    """The numbers of a certificate as the report has them."""
    c = certificate.comparison
    return Error(
        max_abs=c.max_abs,
        max_rel=c.max_rel,
        bar=c.bar,
        resolution=c.resolution,
        evaluations=certificate.evaluations,
        method=certificate.method,
        mode=certificate.mode,
        missed=certificate.missed,
    )


def _details(bench: Workbench, check: ChainCheck, certificate: Certificate) -> Iterator[tuple[str, str]]:
    if certificate.missed is not None:
        yield "projected", _chance(certificate.missed)
    if certificate.comparison.reason == "kink":
        yield "kink", _kink(bench, check, certificate)
    symmetry = certificate.symmetry
    if symmetry is not None:
        yield "symmetry", f"|uᵀHv - vᵀHu| = {abs(symmetry.difference):.1e}, of {symmetry.size:.1e}"


def _chance(missed: float) -> str:
    return (
        f"an error above {missed:.1g} of the derivative would have been missed with probability below "
        f"{projection.CHANCE:.0e}".replace("e-0", "e-")
    )


def _kink(bench: Workbench, check: ChainCheck, certificate: Certificate) -> str:
    """Which entry of what lies on a kink of which step, both slopes, and whether our derivative lies between."""
    spell = bench.scope.spelling
    of, by = spell(check.derivative.numerator), spell(check.derivative.denominators[-1])
    if certificate.mode == "projected":
        return f"{of} has a kink at the point: no derivative along a random direction of {by}"
    comparison, slopes = certificate.comparison, certificate.differences.slopes
    bottom = certificate.moving.bottoms[0]
    split = len(comparison.worst) - len(bottom)
    output, entry = comparison.worst[:split], comparison.worst[split:]
    place = f"[{','.join(map(str, entry))}]" if entry else ""
    said = f"{of} has a kink at {by}{place}"
    if slopes is None:
        return said
    line = int(np.ravel_multi_index(entry, bottom)) if entry else 0
    out = int(np.ravel_multi_index(output, certificate.moving.tops)) if output else 0
    left, right = float(slopes[0, line, out]), float(slopes[1, line, out])
    between = min(left, right) <= comparison.claim <= max(left, right)
    return (
        f"{said}: slope {left:.4g} to its left, {right:.4g} to its right, and the formula's "
        f"{comparison.claim:.4g} {'lies' if between else 'does not lie'} between them"
    )


def _counterexample(bench: Workbench, check: ChainCheck, certificate: Certificate) -> Counterexample:
    from tensorgrad_cli.verify.printed import printed

    shown = printed(bench, check)
    c = certificate.comparison
    return Counterexample(
        at={name: int(k) for (name, _), k in zip(shown.axes, c.worst, strict=True)},
        claim=c.claim,
        derivative=c.truth,
        ratio=c.claim / c.truth if c.truth else None,
        dims=bench.dims,
        seed=bench.seed,
    )
