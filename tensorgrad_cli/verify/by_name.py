"""Derivatives by the chain rule alone, each derivative in it by its name: for what has no closed formula that is read.

    ∂c/∂x = Σ ∂⁺z/∂x ∂c/∂z over the steps z that read x
    ∂²c/∂x∂w = what the product rule makes of c's own equation, with ∂z/∂x, ∂z/∂w and ∂²z/∂x∂w of the steps in it

Where that has no spelling either, a derivative is that of the right side as it stands: `∂²c/∂x∂w = ∂²(…)/∂x∂w`.
This is for printing only: what is evaluated and decided is left as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tensorgrad_cli.algebra.expression import (
    Derivative,
    Equation,
    Expression,
    Index,
    Ref,
    add,
    fresh,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.substitution import freshened
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.derivative import derivative
from tensorgrad_cli.verify.readable import asked, defined, readable

if TYPE_CHECKING:
    from tensorgrad_cli.verify.ground import Ground

__all__ = ["by_names", "readable_chain", "unevaluated"]


def by_names(ground: Ground, equation: Equation) -> Equation | None:
    """The equation of a total derivative by the chain rule, None where it is of another kind."""
    total = ground.calculus.asked.get(equation.tensor)
    if total is None or total.own or not _plain(ground, total):
        return None
    if len(total.denominators) == 1:
        return _first(ground, equation, total)
    ruled = _second(ground, equation, total)
    shown = None if ruled is None else readable(ground, ruled, total.denominators)
    return shown or unevaluated(ground, total, equation.indices)


def _plain(ground: Ground, total: Derivative) -> bool:
    """Whether a step is differentiated, by tensors and steps."""
    calculus = ground.calculus
    below = all(by in calculus.shapes and "∂" not in by for by in total.denominators)
    return below and total.numerator in calculus.equations and "∂" not in total.numerator


def readable_chain(ground: Ground, chain: Iterable[Equation], by: Sequence[str] = ()) -> tuple[Equation, ...]:
    """The equations of a chain of derivatives, those left out that have no spelling."""
    found: dict[str, Equation] = {}
    for equation in chain:
        shown = readable(ground, equation, by) or by_names(ground, equation)
        if shown is not None:
            found.setdefault(shown.tensor, shown)
    return tuple(found.values())


def unevaluated(ground: Ground, derivative: Derivative, indices: tuple[Index, ...]) -> Equation:
    """A step's derivative as the derivative of the step's right side: ∂⁺z/∂x = ∂⁺(…)/∂x."""
    step = ground.calculus.equations[derivative.numerator]
    name = defined(ground, Equation(f"‹{step.tensor}›", step.indices, step.expression))
    spelled = asked(ground, name, derivative.denominators, derivative.own)
    return Equation(derivative.name, indices, Ref(spelled, indices))


def _first(ground: Ground, equation: Equation, total: Derivative) -> Equation:
    """∂c/∂x = Σ ∂⁺z/∂x ∂c/∂z over the steps z that read x."""
    calculus = ground.calculus
    numerator, (by,) = total.numerator, total.denominators
    rank = len(calculus.shapes[numerator])
    top, bottom = equation.indices[:rank], equation.indices[rank:]
    terms: list[Expression] = []
    for step in calculus.closure((numerator,)):
        if by not in references(step.expression) or "∂" in step.tensor:
            continue
        own = asked(ground, step.tensor, (by,), True)
        if step.tensor == numerator:
            terms.append(Ref(own, (*top, *bottom)))
            continue
        middle = tuple(fresh(index) for index in step.indices)
        rest = Ref(asked(ground, numerator, (step.tensor,), False), (*top, *middle))
        terms.append(summation(middle, multiply(Ref(own, (*middle, *bottom)), rest)))
    return Equation(equation.tensor, equation.indices, simplified(add(*terms)))


def _second(ground: Ground, equation: Equation, total: Derivative) -> Equation | None:
    """∂²c/∂x∂w from c's own equation. None by a step: what stands in the steps' derivatives would vary with it."""
    if any(by in ground.calculus.equations for by in total.denominators):
        return None
    step = ground.calculus.equations[total.numerator]
    value, places = step.expression, iter(equation.indices[len(step.indices) :])
    for by in total.denominators:
        bottom = tuple(next(places) for _ in ground.calculus.shapes[by])
        value = simplified(_varied(ground, value, by, bottom))
    return Equation(equation.tensor, equation.indices, value)


def _varied(ground: Ground, value: Expression, by: str, bottom: tuple[Index, ...]) -> Expression:
    """The total derivative of an expression of tensors, steps and first derivatives of steps."""
    terms = []
    for name in sorted(references(value)):
        if name == by:
            terms.append(derivative(freshened(value), by, bottom))
            continue
        known = ground.spelled.get(name) or ground.calculus.asked.get(name)
        top = name if known is None else known.numerator
        if top not in ground.calculus.equations or not ground.reached(top, by):
            continue
        before = () if known is None else known.denominators
        shape = [ground.calculus.shapes[part] for part in (top, *before)]
        middle = tuple(fresh(Index("i", dimension)) for axes in shape for dimension in axes)
        inner = Ref(asked(ground, top, (*before, by), False), (*middle, *bottom))
        terms.append(summation(middle, multiply(derivative(freshened(value), name, middle), inner)))
    return add(*terms)
