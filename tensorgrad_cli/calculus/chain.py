"""The derivative of a chain is a chain: Jacobians, pullbacks, cotangents, Hessians, as equations.

A derivative is carried through the chain in the cheaper direction: backwards, one cotangent for each
step (`∂cost/∂z`), where the numerator has the lower rank; forwards, one tangent for each step, else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tensorgrad_cli.algebra.expression import (
    ZERO,
    Chain,
    Delta,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Ref,
    add,
    fresh,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.library import Scope, derivative_name
from tensorgrad_cli.algebra.rewrite import reuse_steps, simplified
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import needed, occurring, references
from tensorgrad_cli.calculus.derivative import derivative, lowered

__all__ = ["Calculus", "jacobian", "pullback", "tensor_indices"]

_LETTERS = "pqrstuvabcdefghklmno"


class Calculus:
    """The derivatives of one chain, each worked out once, when it is asked for.

    `chain` is lowered and in order; `shapes` has the shape of every declared tensor. Steps may refer to
    derivatives of earlier ones, given by `asked` (a gradient penalty).
    """

    def __init__(self, chain: Chain, scope: Scope, asked: Iterable[Derivative] = ()) -> None:
        self.scope = scope
        self.shapes: dict[str, tuple[Dimension, ...]] = {
            name: tensor.shape for name, tensor in scope.tensors.items()
        }
        self.asked: dict[str, Derivative] = {}
        self.equations: dict[str, Equation] = {}
        self.steps: list[Equation] = []
        self.extend((), asked)
        for equation in chain:
            self.add_step(equation)

    def extend(self, equations: Chain, asked: Iterable[Derivative]) -> None:
        """Add equations (of named expressions under a ∂) and the derivatives that formulas ask for."""
        for request in asked:
            self.asked[request.name] = request
        for equation in equations:
            expression = lowered(equation.expression, self.scope)
            for name in sorted(references(expression)):
                self.resolve(name)
            self._add(Equation(equation.tensor, equation.indices, expression))

    def add_step(self, equation: Equation) -> None:
        """Add a step of the chain: formulas may refer to its value."""
        self.extend((equation,), ())
        self.steps.append(self.equations[equation.tensor])

    def resolve(self, name: str) -> None:
        """See to it that a name that a formula refers to has its equation; tensors need none.

        Raises KeyError for a derivative that nobody asked for.
        """
        if name in self.shapes or name in self.equations or not name.startswith("∂"):
            return
        self._derive(self.asked[name])

    def closure(self, names: Iterable[str]) -> Chain:
        """The equations, in order, that the values of `names` depend on."""
        wanted = list(names)
        for name in wanted:
            self.resolve(name)
        return needed(tuple(self.equations.values()), wanted)

    def _add(self, equation: Equation) -> None:
        self.equations[equation.tensor] = equation
        self.shapes[equation.tensor] = equation.shape

    def _derive(self, request: Derivative) -> None:
        if len(request.denominators) > 1:
            self._derive_again(request)
            return
        numerator, (denominator,) = request.numerator, request.denominators
        self.resolve(numerator)
        self.resolve(denominator)
        if request.own:
            self._add(self._own(request.name, numerator, denominator))
        else:
            self.total(numerator, denominator, request.name)

    def _derive_again(self, request: Derivative) -> None:
        """A second derivative is the derivative of the first one's chain."""
        first = derivative_name(request.numerator, request.denominators[:1], request.own)
        self.asked.setdefault(
            first,
            Derivative(first, request.numerator, request.denominators[:1], request.own),
        )
        self.resolve(first)
        again = Derivative(request.name, first, request.denominators[1:], request.own)
        self._derive(again)

    def _own(self, name: str, numerator: str, denominator: str) -> Equation:
        top, bottom = self._axes(numerator), self._axes(denominator)
        return self._equation(
            name,
            top + bottom,
            self._step_derivative(numerator, top, denominator, bottom),
        )

    def _axes(self, name: str) -> tuple[Index, ...]:
        """New free indices for a tensor, unlike any in an expression."""
        equation = self.equations.get(name)
        if equation is not None:
            return tuple(fresh(index) for index in equation.indices)
        shape = self.shapes[name]
        reader = next((e for e in self.steps if name in references(e.expression)), None)
        if reader is not None:
            return tuple(fresh(index) for index in tensor_indices(reader, name, shape))
        return tuple(fresh(Index(c, d)) for c, d in zip(_names(()), shape, strict=False))

    def _step_derivative(
        self, step: str, top: tuple[Index, ...], by: str, bottom: tuple[Index, ...]
    ) -> Expression:
        """∂⁺step[top]/∂by[bottom]; of a declared tensor, deltas or zero."""
        if step == by:
            return multiply(*(Delta(a, b) for a, b in zip(top, bottom, strict=True)))
        equation = self.equations.get(step)
        if equation is None:
            return ZERO
        body = freshened(equation.expression)
        body = substitute(body, dict(zip(equation.indices, top, strict=True)))
        return derivative(body, by, bottom)

    def _equation(self, name: str, indices: tuple[Index, ...], expression: Expression) -> Equation:
        """An equation with free indices (serial 0) that do not clash, simplified, steps reused."""
        plain = distinct(indices)
        moved = substitute(expression, dict(zip(indices, plain, strict=True)))
        return Equation(name, plain, reuse_steps(simplified(moved), tuple(self.steps)))

    def total(self, numerator: str, denominator: str, name: str | None = None) -> str:
        """The total derivative's name, with equations for it and for all that it refers to."""
        name = name or derivative_name(numerator, (denominator,))
        self._note(name, numerator, denominator)
        if name in self.equations:
            return name
        path = self._path(numerator, denominator)
        if numerator == denominator or numerator not in path:
            top, bottom = self._axes(numerator), self._axes(denominator)
            own = (
                self._step_derivative(numerator, top, denominator, bottom)
                if numerator == denominator
                else ZERO
            )
            self._add(self._equation(name, top + bottom, own))
        elif len(self.shapes[numerator]) <= len(self.shapes[denominator]):
            self._backwards(numerator, denominator, path, name)
        else:
            self._forwards(numerator, denominator, path, name)
        return name

    def _note(self, name: str, numerator: str, denominator: str) -> None:
        """Remember what the name of a derivative stands for."""
        self.asked.setdefault(name, Derivative(name, numerator, (denominator,)))

    def _path(self, numerator: str, denominator: str) -> tuple[str, ...]:
        """The steps after the denominator, in order, that depend on it and that the numerator depends on."""
        if numerator not in self.equations:
            return ()
        order = needed(tuple(self.equations.values()), [numerator])
        moving = {denominator}
        for equation in order:
            if equation.tensor != denominator and moving & references(equation.expression):
                moving.add(equation.tensor)
        return tuple(e.tensor for e in order if e.tensor in moving and e.tensor != denominator)

    def _inputs(self, step: str) -> frozenset[str]:
        return references(self.equations[step].expression)

    def _backwards(self, numerator: str, denominator: str, path: tuple[str, ...], name: str) -> None:
        """∂n/∂u = Σ over the steps s that read u of ∂n/∂s ∂⁺s/∂u, from the last step to the first."""
        for by in (*reversed(path[:-1]), denominator):
            own_name = name if by == denominator else derivative_name(numerator, (by,))
            self._note(own_name, numerator, by)
            if own_name in self.equations:
                continue
            top, bottom = self._axes(numerator), self._axes(by)
            terms = [
                self._pulled(numerator, step, by, top, bottom) for step in path if by in self._inputs(step)
            ]
            self._add(self._equation(own_name, top + bottom, add(*terms)))

    def _pulled(
        self,
        numerator: str,
        step: str,
        by: str,
        top: tuple[Index, ...],
        bottom: tuple[Index, ...],
    ) -> Expression:
        if step == numerator:
            return self._step_derivative(step, top, by, bottom)
        middle = self._axes(step)
        own = self._step_derivative(step, middle, by, bottom)
        cotangent = Ref(derivative_name(numerator, (step,)), top + middle)
        return summation(middle, multiply(own, cotangent))

    def _forwards(self, numerator: str, denominator: str, path: tuple[str, ...], name: str) -> None:
        """∂s/∂u = ∂⁺s/∂u + Σ over the steps r that s reads of ∂⁺s/∂r ∂r/∂u, from the first step on."""
        for step in path:
            own_name = name if step == numerator else derivative_name(step, (denominator,))
            self._note(own_name, step, denominator)
            if own_name in self.equations:
                continue
            top, bottom = self._axes(step), self._axes(denominator)
            terms = []
            if denominator in self._inputs(step):
                terms.append(self._step_derivative(step, top, denominator, bottom))
            for read in path:
                if read in self._inputs(step):
                    middle = self._axes(read)
                    own = self._step_derivative(step, top, read, middle)
                    tangent = Ref(derivative_name(read, (denominator,)), middle + bottom)
                    terms.append(summation(middle, multiply(own, tangent)))
            self._add(self._equation(own_name, top + bottom, add(*terms)))


def distinct(indices: Iterable[Index]) -> tuple[Index, ...]:
    """The indices as free ones (serial 0), each with a name of its own."""
    taken: set[str] = set()
    out: list[Index] = []
    for index in indices:
        name = index.name
        if name in taken:
            name = next(_names(taken))
        taken.add(name)
        out.append(Index(name, index.dimension))
    return tuple(out)


def _names(taken: Iterable[str]) -> Iterator[str]:
    """Index names that are not taken: p, q, r, …, then p1, q1, …"""
    used = set(taken)
    yield from (letter for letter in _LETTERS if letter not in used)
    number = 1
    while True:
        yield from (f"{c}{number}" for c in _LETTERS if f"{c}{number}" not in used)
        number += 1


def index_names(equation: Equation) -> set[str]:
    """The names of all indices of an equation, bound ones included."""
    names = {index.name for index in equation.indices}
    for part in occurring(equation.expression):
        names |= {index.name for index in part.free}
    return names


def tensor_indices(equation: Equation, tensor: str, shape: tuple[Dimension, ...]) -> tuple[Index, ...]:
    """Free indices for a tensor in an equation about it: the names by which the equation reads it, where
    they are plain and distinct, else new ones."""
    reads = {
        part.indices
        for part in occurring(equation.expression)
        if isinstance(part, Ref) and part.tensor == tensor
    }
    if len(reads) == 1:
        (positions,) = reads
        names = [p.name for p in positions if isinstance(p, Index)]
        if len(names) == len(positions) == len(set(names)):
            return tuple(Index(n, d) for n, d in zip(names, shape, strict=True))
    letters = _names(index.name for index in equation.indices)
    return tuple(Index(next(letters), dimension) for dimension in shape)


def jacobian(equation: Equation, tensor: str, shape: tuple[Dimension, ...], steps: Chain) -> Equation:
    """The step's own derivative by a tensor in it, `∂⁺z/∂w` with the step's indices and then new ones.

    `equation` is lowered; `steps` are those whose values may be reused in the formula.
    """
    letters = _names(index_names(equation))
    bottom = tuple(Index(next(letters), dimension) for dimension in shape)
    body = simplified(derivative(freshened(equation.expression), tensor, bottom))
    name = derivative_name(equation.tensor, (tensor,), own=True)
    return Equation(name, equation.indices + bottom, reuse_steps(body, steps))


def pullback(
    equation: Equation,
    tensor: str,
    shape: tuple[Dimension, ...],
    steps: Chain,
    bars: Mapping[str, str],
) -> Equation:
    """The cotangent of a tensor from the step's: `w̄[k,j] = x[i,k] z̄[i,j]`, summed over the step's indices.

    `bars` names the cotangent of the step and of the tensor.
    """
    bottom = tensor_indices(equation, tensor, shape)
    bound = tuple(fresh(index) for index in equation.indices)
    body = substitute(freshened(equation.expression), dict(zip(equation.indices, bound, strict=True)))
    own = derivative(body, tensor, bottom)
    cotangent = Ref(bars[equation.tensor], bound)
    whole = simplified(summation(bound, multiply(own, cotangent)))
    return Equation(bars[tensor], bottom, reuse_steps(whole, steps))
