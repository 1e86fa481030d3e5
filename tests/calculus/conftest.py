"""A chain at a point, and its derivatives by the complex step: exact to rounding, and independent of our rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import Apply, Derivative, Equation, Expression, Ref
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.calculus.chain import Calculus, jacobian, pullback
from tensorgrad_cli.numeric.abstract import AbstractFunction
from tensorgrad_cli.numeric.environment import Environment
from tensorgrad_cli.numeric.evaluate import evaluate, evaluate_chain
from tensorgrad_cli.numeric.sample import draw, draw_sizes
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read

Array = np.ndarray[Any, Any]

STEP = 2.0**-100


class Point:
    """A spec's chain at random values, its steps evaluated."""

    def __init__(self, text: str, seed: int = 0) -> None:
        spec, issues = read(Source("chain", text))
        assert spec is not None, f"{text}\n" + "\n".join(issue.message for issue in issues)
        self.spec: Spec = spec
        self.calculus = Calculus((), spec.scope)
        for step in spec.chain:
            self.calculus.extend(step.definitions, step.derivatives)
            self.calculus.add_step(step.equation)
        self.steps = [step.name for step in spec.chain]
        rng = np.random.default_rng(seed)
        sizes = draw_sizes(spec.dimensions, spec.dims, {}, rng, (2, 3))
        functions = {
            part.function: AbstractFunction(part.function, len(part.arguments), seed)
            for step in spec.chain
            for part in subexpressions(step.equation.expression)
            if isinstance(part, Apply) and part.function in spec.scope.abstract
        }
        arrays = draw(spec.tensors.values(), sizes, rng)
        self.inputs = Environment(arrays, sizes=sizes, functions=functions)
        self.here = evaluate_chain(tuple(self.calculus.equations.values()), self.inputs)

    # --- ours ---------------------------------------------------------------------------------------------

    def total(self, numerator: str, *denominators: str, own: bool = False) -> Array:
        """A derivative as the calculus has it; axes of the numerator, then of the denominators."""
        name = derivative_name(numerator, denominators, own)
        self.calculus.extend((), (Derivative(name, numerator, denominators, own),))
        return self.value(name)

    def value(self, name: str) -> Array:
        return np.asarray(evaluate_chain(self.calculus.closure((name,)), self.here).arrays[name])

    def jacobian(self, step: str, tensor: str) -> Array:
        """The step's own derivative by a tensor in it, as reports give it."""
        equation = jacobian(self.equation(step), tensor, self.calculus.shapes[tensor], self.before(step))
        return np.asarray(evaluate(equation.expression, equation.indices, self.here))

    def pullback(self, step: str, tensor: str, bar: Array) -> Array:
        """The cotangent of a tensor from a step's, as reports give it."""
        names = {step: "‹bar›", tensor: "‹pulled›"}
        shape = self.calculus.shapes[tensor]
        equation = pullback(self.equation(step), tensor, shape, self.before(step), names)
        environment = self.here.with_arrays({"‹bar›": bar})
        return np.asarray(evaluate(equation.expression, equation.indices, environment))

    def equation(self, step: str) -> Equation:
        return self.calculus.equations[step]

    def before(self, step: str) -> tuple[Equation, ...]:
        names = self.steps[: self.steps.index(step) + 1]
        return tuple(self.calculus.equations[name] for name in names)

    def inputs_of(self, step: str) -> list[str]:
        """The tensors and steps that stand in a step."""
        parts = subexpressions(self.equation(step).expression)
        return list(dict.fromkeys(part.tensor for part in parts if isinstance(part, Ref)))

    # --- by the complex step ------------------------------------------------------------------------------

    def stepped(self, numerator: str, denominator: str) -> Array:
        """∂numerator/∂denominator, everything between the two computed again."""
        equations = self.calculus.closure((numerator,))
        if numerator == denominator:
            return self.back(self.moved(numerator), numerator, denominator)
        environment = self.here.with_arrays({denominator: self.moved(denominator)}, batched=(denominator,))
        found = evaluate_chain(equations, environment, only=(numerator,))
        values = np.asarray(found.arrays[numerator])
        if numerator not in found.batched:
            values = np.broadcast_to(values, (self.here.arrays[denominator].size, *values.shape))
        return self.back(values, numerator, denominator)

    def held(self, step: str, denominator: str) -> Array:
        """∂⁺step/∂denominator: the step's own equation, all else held."""
        equation = self.equation(step)
        environment = self.here.with_arrays({denominator: self.moved(denominator)}, batched=(denominator,))
        return self.back(
            np.asarray(evaluate(equation.expression, equation.indices, environment)), step, denominator
        )

    def moved(self, name: str) -> Array:
        """The values of a tensor, a copy for each entry, that entry moved by i h."""
        value = np.asarray(self.here.arrays[name], dtype=complex)
        return value + 1j * STEP * np.eye(value.size).reshape(-1, *value.shape)

    def back(self, values: Array, numerator: str, denominator: str) -> Array:
        below = np.shape(self.here.arrays[denominator])
        above = values.shape[1:]
        return np.moveaxis(np.imag(values) / STEP, 0, -1).reshape((*above, *below))


def _close(ours: Array, stepped: Array, what: str = "", of: Array | None = None) -> None:
    """Agreement to 1e-10, relative to the largest entry; where all are nearly zero, to 1e-13, or to the rounding of terms
    as large as what is differentiated (`of`), which cancel: the entries of a softmax sum to one."""
    assert np.shape(ours) == np.shape(stepped), what
    scale = max(float(np.max(np.abs(stepped), initial=0.0)), 1e-3)
    cancelled = 1e-14 * float(np.max(np.abs(of), initial=0.0)) if of is not None else 0.0
    worst = float(np.max(np.abs(ours - stepped), initial=0.0))
    assert worst <= max(1e-10 * scale, cancelled), f"{what}: {worst:.3g} of {scale:.3g}"


@pytest.fixture(scope="session")
def at_point() -> Callable[..., Point]:
    return Point


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    return _close


@pytest.fixture(scope="session")
def nodes() -> Callable[[Expression], Iterable[Expression]]:
    return subexpressions
