"""What the formulas of a spec need, without any numbers: its scope, its calculus, its names.

This module imports no NumPy: `show` prints formulas and evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from tensorgrad_cli.algebra.expression import Apply, Chain, Derivative, Dimension, Equation, Expression, Ref
from tensorgrad_cli.algebra.library import function_name
from tensorgrad_cli.algebra.walking import occurring, references
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.formulas import naming_of, taken

__all__ = ["Ground"]


class Ground:
    """A spec with its calculus: every derivative is worked out once, when it is first asked for."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.scope = spec.scope
        self.calculus = Calculus((), spec.scope)
        self.minimum: dict[str, int] = {}
        self._read: dict[str, tuple[Equation, frozenset[str]]] = {}
        # Expressions with the derivatives in them written out, as `decide` makes them.
        self.written_out: dict[Expression, Expression | None] = {}
        # What formulas in `readable` form refer to: expressions under a ∂, and what names of derivatives stand for.
        self.unevaluated: dict[str, Equation] = {}
        self.spelled: dict[str, Derivative] = {}
        self.arity = {function_name(name): count for name, count in spec.scope.abstract.items() if count}
        for step in spec.chain:
            self.calculus.extend(step.definitions, step.derivatives)
            self.calculus.add_step(step.equation)
            self.require((step.equation.expression,))

    def require(self, expressions: Iterable[Expression]) -> None:
        """See to it that draws are large enough for the fixed positions in some expressions, and that abstract
        functions have as many arguments as their first use."""
        for expression in expressions:
            for part in occurring(expression):
                if isinstance(part, Apply) and part.function in self.scope.applied:
                    self.arity.setdefault(part.function, len(part.arguments))
                if isinstance(part, Ref) and part.tensor in self.calculus.shapes:
                    shape = self.calculus.shapes[part.tensor]
                    for position, dimension in zip(part.indices, shape, strict=True):
                        self._require(position, dimension)

    def _require(self, position: object, dimension: Dimension) -> None:
        if isinstance(position, int) and not dimension.terms and dimension.fixed is None:
            name = dimension.name
            self.minimum[name] = max(self.minimum.get(name, 2), position + 1)

    @cached_property
    def taken(self) -> frozenset[str]:
        """The words of ours that a declared name hides."""
        return taken(self.scope)

    @cached_property
    def fixed(self) -> dict[str, int]:
        """The sizes that the spec itself fixes."""
        return {name: fact.size for name, fact in self.spec.dims.items() if fact.size}

    @cached_property
    def conditions(self) -> tuple[tuple[str, str, str], ...]:
        """What the spec says of sizes: a dimension, a sign, a dimension or number."""
        facts = self.spec.dims.items()
        return tuple((name, sign, other) for name, fact in facts for sign, other in fact.conditions)

    def read_by(self, step: str) -> tuple[str, ...]:
        """The tensors and steps that a step's equation reads, in order; integer tensors are no variables."""
        found: dict[str, None] = {}
        for part in occurring(self.calculus.equations[step].expression):
            if isinstance(part, Ref) and part.tensor in self.calculus.shapes:
                found.setdefault(part.tensor)
        tensors = self.spec.tensors
        return tuple(
            name
            for name in found
            if name[0] not in "∂‹" and not (name in tensors and tensors[name].values == "integers")
        )

    def reached(self, loss: str, name: str) -> bool:
        """Whether a step depends on a tensor or step at all."""
        seen = {loss}
        waiting = [loss]
        while waiting:
            found = self._reads(waiting.pop())
            if name in found:
                return True
            waiting += found - seen
            seen |= found
        return False

    def _reads(self, step: str) -> frozenset[str]:
        """What a step's equation reads; nothing where the name has none."""
        equation = self.calculus.equations.get(step)
        if equation is None:
            return frozenset()
        if step not in self._read or self._read[step][0] is not equation:
            self._read[step] = (equation, references(equation.expression))
        return self._read[step][1]

    def depends(self, step: str, name: str, own: bool = False) -> bool:
        """Whether a step depends on a tensor or another step; of its `own` equation whether that contains it."""
        return name in self._reads(step) if own else self.reached(step, name)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What is worth saying of the spec as a whole."""
        loss, spell = self.spec.loss, self.scope.spelling
        if loss is None:
            return ("the last step is no scalar and no loss is named: no total derivative is checked",)
        return tuple(
            f"{spell(loss)} does not depend on {spell(name)}: its derivative is zero and is no check"
            for name in self.spec.wrt
            if not self.reached(loss, name)
        )

    def naming(self, definitions: Chain = (), extra: tuple[Derivative, ...] = ()) -> Naming:
        """How names are printed, with the definitions of one formula."""
        return naming_of(
            self.scope,
            self.calculus,
            (*definitions, *self.unevaluated.values()),
            (*self.spelled.values(), *extra),
        )
