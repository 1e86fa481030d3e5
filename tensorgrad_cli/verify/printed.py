"""What a report prints of a derivative of ours, before any number is known: its formulas, rank and axes.

This module imports no NumPy, so that a process may print while another one imports it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.algebra.expression import Chain, Equation
from tensorgrad_cli.render import latex, matrix, text
from tensorgrad_cli.render.einsum import einsum_subscripts
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.verify.chain_formulas import written
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.prepared import ChainCheck, Printed
from tensorgrad_cli.verify.readable import REMARK, as_derivative
from tensorgrad_cli.verify.remarks import derivative_remarks
from tensorgrad_cli.verify.verdict import Formula

__all__ = ["formula", "printed"]


def printed(ground: Ground, check: ChainCheck) -> Printed:
    """What is printed of a derivative."""
    equation, under, naming = written(ground, check)
    return Printed(
        reading=text.equation(equation, naming, implied=False),
        formula=formula(equation, naming),
        remarks=(
            *derivative_remarks(ground, (check.derivative,)),
            *((REMARK,) if as_derivative(ground, equation) else ()),
        ),
        axes=tuple((index.name, index.dimension) for index in equation.indices),
        under=tuple(_under(check, under, naming)),
    )


def formula(equation: Equation, naming: Naming) -> Formula:
    """An equation in every notation."""
    return Formula(
        text=text.equation(equation, naming),
        latex=latex.equation(equation, naming),
        matrix=matrix.equation(equation, naming),
        einsum=einsum_subscripts(equation.expression, equation.indices),
    )


def _under(check: ChainCheck, under: Chain, naming: Naming) -> Iterator[tuple[str, str]]:
    if check.kind == "step":
        (equation,) = under
        yield "pullback", text.equation(equation, naming)
        in_matrices = matrix.equation(equation, naming)
        if in_matrices is not None:
            yield "matrix", in_matrices
    elif check.kind == "gradient" and len(under) > 1:
        for equation in under:
            yield "through", text.equation(equation, naming)
