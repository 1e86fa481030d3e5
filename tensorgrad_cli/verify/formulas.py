"""Formulas of a report: how an equation was read, and the naming that all formulas share."""

from __future__ import annotations

from tensorgrad_cli.algebra.expression import ONE, Add, Chain, Derivative, Expression, Index
from tensorgrad_cli.algebra.library import BUILTINS, OWN, Scope
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.render import text
from tensorgrad_cli.render.naming import Naming, bar_spelling, free_names

__all__ = ["bar", "naming_of", "reading", "shown"]


def bar(name: str) -> str:
    """The canonical name of a cotangent: `w_bar`, printed `w̄`."""
    return f"{name}_bar"


def naming_of(
    scope: Scope,
    calculus: Calculus,
    definitions: Chain = (),
    extra: tuple[Derivative, ...] = (),
) -> Naming:
    """How the names of a spec are printed, with the definitions of one formula."""
    spellings = dict(scope.spellings)
    shapes = calculus.shapes
    for name in (*scope.tensors, *scope.steps):
        spellings[bar(name)] = bar_spelling(name, scope.spelling(name))
    ranks = {name: len(shape) for name, shape in shapes.items()}
    ranks |= {equation.tensor: len(equation.indices) for equation in definitions}
    derivatives = dict(calculus.asked) | {d.name: d for d in extra}
    spellings |= {function: scope.spelling(function.removesuffix(OWN)) for function in scope.applied}
    declared = {*scope.tensors, *scope.steps, *scope.abstract, *scope.defined}
    return Naming(
        spellings=spellings,
        ranks=ranks,
        derivatives=derivatives,
        definitions={equation.tensor: equation for equation in definitions},
        taken=frozenset(declared & {*BUILTINS, "delta", "eye", "ones", "I", "sum"}),
        functions=frozenset({*scope.abstract, *scope.defined, *scope.applied}),
        dimensions=frozenset(scope.dimensions),
        layout=scope.layout,
    )


def reading(left: Expression, right: Expression, naming: Naming, free: tuple[Index, ...] = ()) -> str:
    """How an equation was read, every Σ written out. A number on the left that stands for a tensor filled with it
    carries the tensor's indices, `2 ones[i] = x[i]`: those of the left side are the free ones."""
    written = shown(left, naming)
    if free and not left.free and right.free and "ones" not in naming.taken:
        names = free_names(free)
        ones = f"ones[{','.join(names.values())}]"
        number = f"({written})" if isinstance(left, Add) else written
        written = ones if left == ONE else f"{number} {ones}"
    return f"{written} = {shown(right, naming)}"


def shown(expression: Expression, naming: Naming) -> str:
    """An expression with every Σ written out."""
    return text.expression(expression, naming, implied=False)


def axes(indices: tuple[Index, ...]) -> str:
    """Dimensions as one says them: m×n."""
    return "×".join(index.dimension.name for index in indices) or "a scalar"
