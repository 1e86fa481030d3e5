"""The derivatives that a chain brings with it, as formulas: each step's, the gradient, the Hessian.

This module imports no NumPy: `show` prints formulas and evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.algebra.expression import (
    Chain,
    Derivative,
    Equation,
    Expression,
    Ref,
    fresh,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.rewrite import reuse_steps, simplified
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import mapped, nodes, references
from tensorgrad_cli.calculus.chain import jacobian, pullback
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.verify.by_name import by_names, readable_chain, unevaluated
from tensorgrad_cli.verify.formulas import bar
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.prepared import ChainCheck
from tensorgrad_cli.verify.readable import readable

__all__ = ["chain_checks", "displayed", "gradient_chain", "pullback_of", "written"]

# A total derivative of more nodes than this is given as a chain of cotangents only.
SHORT = 40


def chain_checks(ground: Ground) -> Iterator[ChainCheck]:
    """The derivatives of a chain in the order of the report: steps, then gradients, then Hessians."""
    spec, spell = ground.spec, ground.scope.spelling
    for step in spec.chain:
        for name in ground.read_by(step.name):
            own = Derivative(derivative_name(step.name, (name,), True), step.name, (name,), True)
            yield ChainCheck(f"step:{spell(step.name)}/{spell(name)}", "step", own)
    if spec.loss is None:
        return
    for name in spec.wrt:
        if ground.reached(spec.loss, name):
            total = Derivative(derivative_name(spec.loss, (name,)), spec.loss, (name,))
            yield ChainCheck(f"gradient:{spell(name)}", "gradient", total)
    for first, second in spec.hessian:
        pair = (first, second)
        yield ChainCheck(
            f"hessian:{spell(first)},{spell(second)}",
            "hessian",
            Derivative(derivative_name(spec.loss, pair), spec.loss, pair),
        )


def written(ground: Ground, check: ChainCheck) -> tuple[Equation, Chain, Naming]:
    """The equation to print; what stands under it, a step's pullback or the cotangents that a total derivative is
    made of; and how their names are printed."""
    equation, shown = displayed(ground, check)
    under = (pullback_of(ground, check),) if check.kind == "step" else gradient_chain(ground, check)
    return equation, under, ground.naming(extra=(shown,))


def displayed(ground: Ground, check: ChainCheck) -> tuple[Equation, Derivative]:
    """The equation to print, and what its name stands for: a step's own derivative is written ∂ where no
    other path leads from the tensor to the step, else ∂⁺; a gradient in one formula where it stays short."""
    derivative = check.derivative
    ground.calculus.extend((), (derivative,))
    ground.calculus.resolve(derivative.name)
    if check.kind != "step":
        equation = ground.calculus.equations[derivative.name]
        written = one_formula(ground, equation) or equation
        spelled = readable(ground, written, derivative.denominators)
        return spelled or by_names(ground, equation) or written, derivative
    (by,) = derivative.denominators
    step = ground.calculus.equations[derivative.numerator]
    shape = ground.calculus.shapes[by]
    equation = jacobian(step, by, shape, tuple(ground.calculus.steps))
    inner = references(step.expression) - {by}
    indirect = any(name in ground.calculus.equations and ground.reached(name, by) for name in inner)
    shown = Derivative(equation.tensor, derivative.numerator, (by,), own=indirect)
    return readable(ground, equation, (by,)) or unevaluated(ground, shown, equation.indices), shown


def one_formula(ground: Ground, equation: Equation) -> Equation | None:
    """The equation with the derivatives in it written out, where it stays short."""
    budget = [4 * SHORT]

    def out(part: Expression) -> Expression:
        if budget[0] < 0:
            return part
        if isinstance(part, Ref) and part.tensor in ground.calculus.asked:
            inner = ground.calculus.equations[part.tensor]
            body = freshened(inner.expression)
            budget[0] -= _nodes(body)
            return out(substitute(body, dict(zip(inner.indices, part.indices, strict=True))))
        return mapped(part, out)

    whole = simplified(out(equation.expression))
    if budget[0] < 0 or _nodes(whole) > SHORT:
        return None
    return Equation(equation.tensor, equation.indices, reuse_steps(whole, tuple(ground.calculus.steps)))


def _nodes(expression: Expression) -> int:
    return nodes(expression)


def gradient_chain(ground: Ground, check: ChainCheck) -> tuple[Equation, ...]:
    """The equations of the cotangents that a total derivative is made of, the last one its own."""
    closure = ground.calculus.closure((check.derivative.name,))
    chain = (e for e in closure if e.tensor in ground.calculus.asked)
    return readable_chain(ground, chain, check.derivative.denominators)


def pullback_of(ground: Ground, check: ChainCheck) -> Equation:
    """The cotangent of a tensor from that of the step that reads it."""
    (by,) = check.derivative.denominators
    step = ground.calculus.equations[check.derivative.numerator]
    bars = {name: bar(name, ground.scope) for name in (step.tensor, by)}
    equation = pullback(step, by, ground.calculus.shapes[by], tuple(ground.calculus.steps), bars)
    shown = readable(ground, equation, (by,))
    if shown is not None:
        return shown
    bound = tuple(fresh(index) for index in step.indices)
    own = Ref(check.derivative.name, (*bound, *equation.indices))
    body = simplified(summation(bound, multiply(own, Ref(bars[step.tensor], bound))))
    return Equation(equation.tensor, equation.indices, body)
