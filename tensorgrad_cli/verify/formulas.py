"""Formulas of a report: how an equation was read, and the naming that all formulas share."""

from __future__ import annotations

from itertools import chain, count

from tensorgrad_cli.algebra.expression import (
    ONE,
    Chain,
    Delta,
    Derivative,
    Expression,
    Index,
    Product,
    Ref,
    Sum,
    fresh,
)
from tensorgrad_cli.algebra.library import BUILTINS, OWN, Scope
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.render import text
from tensorgrad_cli.render.naming import Naming, bar_spelling
from tensorgrad_cli.render.terms import factors_of
from tensorgrad_cli.render.told import untold

__all__ = ["bar", "naming_of", "reading", "shown", "taken"]


def bar(name: str, scope: Scope) -> str:
    """The canonical name of a cotangent: `w_bar`, printed `w̄`; another one where the spec declares that."""
    return _bar(name, _declared(scope))


def _bar(name: str, declared: frozenset[str]) -> str:
    names = chain((f"{name}_bar",), (f"{name}_cotangent{k or ''}" for k in count()))
    return next(found for found in names if found not in declared)


def taken(scope: Scope) -> frozenset[str]:
    """The words of ours that a declared name hides."""
    return _declared(scope) & {*BUILTINS, "delta", "eye", "ones", "I", "sum"}


def _declared(scope: Scope) -> frozenset[str]:
    return frozenset({*scope.tensors, *scope.steps, *scope.abstract, *scope.defined})


def naming_of(
    scope: Scope,
    calculus: Calculus,
    definitions: Chain = (),
    extra: tuple[Derivative, ...] = (),
) -> Naming:
    """How the names of a spec are printed, with the definitions of one formula."""
    spellings = dict(scope.spellings)
    shapes = calculus.shapes
    declared = _declared(scope)
    for name in (*scope.tensors, *scope.steps):
        cotangent = _bar(name, declared)
        spellings[cotangent] = bar_spelling(cotangent, scope.spelling(name))
    ranks = {name: len(shape) for name, shape in shapes.items()}
    ranks |= {equation.tensor: len(equation.indices) for equation in definitions}
    derivatives = dict(calculus.asked) | {d.name: d for d in extra}
    spellings |= {function: scope.spelling(function.removesuffix(OWN)) for function in scope.applied}
    return Naming(
        spellings=spellings,
        ranks=ranks,
        derivatives=derivatives,
        definitions={equation.tensor: equation for equation in definitions},
        taken=taken(scope),
        functions=frozenset({*scope.abstract, *scope.defined, *scope.applied}),
        dimensions=frozenset(scope.dimensions),
        layout=scope.layout,
        shapes={name: tensor.shape for name, tensor in scope.tensors.items()},
    )


def reading(left: Expression, right: Expression, naming: Naming) -> str:
    """How an equation was read, every Σ written out, so that it is read again as the same one.

    Indices are free by standing on the left, and an entry tells their range. One that the left has lost, as where a
    number stands for a tensor filled with it, is put there by `ones[i]`; one whose range nothing tells, as in what is
    left of `A^0 = I`, by `Σ[k:m] δ[i,k]`, which is 1 for each i of m.
    """
    loose, untied = untold((left, right))
    lost = sorted(index for index in right.free - left.free if index not in untied)
    first = _standing(left, lost, untied, naming) if lost or untied else left
    return f"{shown(first, naming, loose)} = {shown(right, naming, loose)}"


def _standing(left: Expression, lost: list[Index], untied: tuple[Index, ...], naming: Naming) -> Expression:
    """The left side times ones in which some indices stand."""
    ones: list[Expression] = []
    if "ones" in naming.taken:
        ones = [_one_for_each(index) for index in lost]
    elif lost:
        ones = [Ref("ones", tuple(lost))]
    factors = [factor for factor in factors_of(left) if factor != ONE]
    factors += [*ones, *map(_one_for_each, untied)]
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def _one_for_each(index: Index) -> Expression:
    other = fresh(Index("k", index.dimension))
    return Sum((other,), Delta(index, other))


def shown(expression: Expression, naming: Naming, loose: frozenset[Index] = frozenset()) -> str:
    """An expression with every Σ written out; `loose` are free indices whose range nothing tells."""
    return text.expression(expression, naming, implied=False, loose=loose)
