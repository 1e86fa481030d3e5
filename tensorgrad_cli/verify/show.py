"""The formulas of a spec without any numbers: what `tensorgrad show` prints."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.algebra.expression import Equation
from tensorgrad_cli.render import ascii, latex, matrix, text
from tensorgrad_cli.render.einsum import einsum_subscripts
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.chain_formulas import chain_checks, written
from tensorgrad_cli.verify.ground import Ground

__all__ = ["formulas"]


def formulas(spec: Spec, notation: str) -> Iterator[str]:
    """The chain, each step's derivatives and pullbacks, the gradients: a line each, in one notation."""
    yield spec.title
    ground = Ground(spec)
    done = None
    for check in chain_checks(ground):
        equation, under, naming = written(ground, check)
        if check.kind == "step" and check.derivative.numerator != done:
            done = check.derivative.numerator
            yield ""
            yield from _written(ground.calculus.equations[done], naming, notation, "")
        if check.kind != "step" and done is not None:
            done = None
            yield ""
        yield from _written(equation, naming, notation, "  ")
        for part in under:
            if part != equation:
                yield from _written(part, naming, notation, "    ")


def _written(equation: Equation, naming: Naming, notation: str, indent: str) -> Iterator[str]:
    match notation:
        case "ascii":
            yield indent + ascii.equation(equation, naming)
        case "latex":
            yield indent + latex.equation(equation, naming)
        case "matrix":
            yield indent + (matrix.equation(equation, naming) or text.equation(equation, naming))
        case "einsum":
            left = text.equation(equation, naming).split(" = ")[0]
            subscripts = ", ".join(einsum_subscripts(equation.expression, equation.indices))
            yield f"{indent}{left}: {subscripts or '0'}"
        case _:
            yield indent + text.equation(equation, naming)
