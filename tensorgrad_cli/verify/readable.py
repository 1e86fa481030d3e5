"""Formulas of ours in what the language reads.

Three things in derivatives have no spelling of their own. The derivative of `kron` and `vec` by an entry is
the operation at a unit matrix: it is printed as what it is, `∂kron(A, B)[i,j]/∂A[p,q]`. A derivative by a
cotangent, in the chain of a Hessian, is the derivative of a step, ∂(∂c/∂w)/∂(∂c/∂r) = ∂r/∂w, since
cotangents are linear in each other; by another derivative (a gradient penalty) it is written out. A function
of ours whose name a declared one hides has none at all.

What is evaluated and decided is left as it was: this is for printing only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    Apply,
    Delta,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Ref,
    fresh,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.operations import OPERATIONS, is_on_matrices
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import mapped, references, subexpressions
from tensorgrad_cli.render import text
from tensorgrad_cli.render.linear import is_hidden
from tensorgrad_cli.render.matrix import argument_of

if TYPE_CHECKING:
    from tensorgrad_cli.verify.ground import Ground

__all__ = [
    "REMARK",
    "as_derivative",
    "asked",
    "defined",
    "is_readable",
    "readable",
]

REMARK = "it has no closed formula in this notation: it is printed as a derivative"

# What a derivative by a derivative may grow to where it is written out.
_NODES = 400


class _Unreadable(Exception):
    """A formula that has no spelling."""


def is_readable(ground: Ground, equation: Equation) -> bool:
    """Whether the equation, as it is, is in what the language reads."""
    return not _by_a_derivative(ground, equation.tensor) and all(
        _reads(ground, part) for part in subexpressions(equation.expression)
    )


def readable(ground: Ground, equation: Equation, by: Sequence[str] = ()) -> Equation | None:
    """The equation in what the language reads, None where we know of no way. `by` are tensors that a derivative
    of an operation is preferably written by."""
    if is_readable(ground, equation):
        return equation
    name, indices = equation.tensor, equation.indices
    if _by_a_derivative(ground, name):
        left = _as_tangent(ground, Ref(name, indices))
        if not isinstance(left, Ref):
            return None
        name, indices = left.tensor, tuple(i for i in left.indices if isinstance(i, Index))
    try:
        expression = _spelled(ground, equation.expression, by)
    except _Unreadable:
        return None
    return Equation(name, indices, simplified(expression))


def as_derivative(ground: Ground, equation: Equation) -> bool:
    """Whether a derivative stands in an equation for want of a closed formula: one of an expression, or a second one
    of a step."""
    derivatives = (ground.spelled.get(name) for name in references(equation.expression))
    return any(
        d is not None and (d.numerator in ground.unevaluated or len(d.denominators) > 1) for d in derivatives
    )


# --- what has a spelling --------------------------------------------------------------------------


def _reads(ground: Ground, part: Expression) -> bool:
    match part:
        case Ref(name):
            return not _by_a_derivative(ground, name)
        case Apply() | Op() if is_hidden(part, ground.taken):
            return False
        case Op() if is_on_matrices(part.operation):
            return not _holes(ground, part)
        case _:
            return True


def _by_a_derivative(ground: Ground, name: str) -> bool:
    derivative = ground.calculus.asked.get(name)
    return derivative is not None and any(by.startswith("∂") for by in derivative.denominators)


def _groups(op: Op) -> list[tuple[Index, ...]]:
    """The bound indices of each argument."""
    groups, start = [], 0
    for letters in OPERATIONS[op.operation].inputs:
        groups.append(op.bound[start : start + len(letters)])
        start += len(letters)
    return groups


def _holes(ground: Ground, op: Op) -> list[int]:
    """The arguments that have no form in matrix notation."""
    pairs = enumerate(zip(op.arguments, _groups(op), strict=True))
    naming = ground.naming()
    return [k for k, (part, own) in pairs if argument_of(part, own, naming, text.GLYPHS) is None]


# --- what is put for what has none ----------------------------------------------------------------


def _spelled(ground: Ground, expression: Expression, by: Sequence[str]) -> Expression:
    budget = [_NODES]

    def spelled(part: Expression) -> Expression:
        if is_hidden(part, ground.taken):
            raise _Unreadable
        if isinstance(part, Ref) and _by_a_derivative(ground, part.tensor):
            tangent = _as_tangent(ground, part)
            return tangent if tangent is not None else written_out(part)
        if isinstance(part, Op) and is_on_matrices(part.operation) and _holes(ground, part):
            return opened(part)
        return mapped(part, spelled)

    def written_out(part: Ref) -> Expression:
        equation = ground.calculus.equations[part.tensor]
        budget[0] -= sum(1 for _ in subexpressions(equation.expression))
        if budget[0] < 0:
            raise _Unreadable
        body = freshened(equation.expression)
        return spelled(substitute(body, dict(zip(equation.indices, part.indices, strict=True))))

    def opened(part: Op) -> Expression:
        """Σ ∂op(X)/∂X[a,b] e[a,b] for op(e): it is linear in e, and X any tensor of that shape."""
        if not all(isinstance(place, Index) for place in part.out):
            raise _Unreadable
        holes: list[_Hole] = []
        filled = _filled(ground, part, frozenset(), by, holes)
        fixed = references(filled) - {hole.stand_in for hole in holes}
        out = tuple(
            Index(letter, place.dimension)
            for letter, place in zip("ij", part.out, strict=False)
            if isinstance(place, Index)
        )
        name = defined(ground, Equation("", out, freshened(replace(filled, out=out))))
        own = any(other in ground.calculus.equations for other in fixed)
        derivative = asked(ground, name, [hole.stand_in for hole in holes], own)
        if len(holes) > 2 or (own and len(holes) > 1):
            raise _Unreadable
        bound = [index for hole in holes for index in hole.at]
        below = [index for hole in holes for index in hole.places]
        contents = (spelled(hole.content) for hole in holes)
        return summation(bound, multiply(Ref(derivative, (*part.out, *below)), *contents))

    return spelled(expression)


class _Hole(Struct, frozen=True):
    """What stood in an argument, at new indices `at`, and the tensor put in its place, read at `places` of them."""

    stand_in: str
    at: tuple[Index, ...]
    places: tuple[Index, ...]
    content: Expression


def _filled(ground: Ground, op: Op, taken: frozenset[str], by: Sequence[str], holes: list[_Hole]) -> Op:
    """The operation with tensors in place of what has no matrix form, which go to `holes`. Raises _Unreadable."""
    if not OPERATIONS[op.operation].multilinear:
        raise _Unreadable
    empty, groups, arguments = _holes(ground, op), _groups(op), list(op.arguments)
    taken |= _read_by(part for k, part in enumerate(arguments) if k not in empty)
    for k in empty:
        inner, own = arguments[k], groups[k]
        taken |= {hole.stand_in for hole in holes}
        if isinstance(inner, Op) and inner.out == own and is_on_matrices(inner.operation):
            arguments[k] = _filled(ground, inner, taken, by, holes)
            continue
        name, turned = _stand_in(ground, tuple(index.dimension for index in own), taken, by)
        at = {index: fresh(index) for index in own}
        new = tuple(at.values())
        holes.append(_Hole(name, new, new[::-1] if turned else new, substitute(inner, at)))
        arguments[k] = Ref(name, own[::-1] if turned else own)
    return Op(op.operation, op.bound, op.out, tuple(arguments), op.parameters)


def _read_by(parts: Iterable[Expression]) -> frozenset[str]:
    """The names that some expressions read."""
    return frozenset[str]().union(*map(references, parts))


def _as_tangent(ground: Ground, ref: Ref) -> Expression | None:
    """∂(∂c/∂w)/∂(∂c/∂r) as ∂r/∂w, None for another derivative."""
    known, shapes = ground.calculus.asked, ground.calculus.shapes
    outer = known[ref.tensor]
    inner, by = known.get(outer.numerator), known.get(outer.denominators[0])
    if inner is None or by is None or inner.own or by.own or outer.own or len(outer.denominators) > 1:
        return None
    if len(inner.denominators) != 1 or len(by.denominators) != 1 or inner.numerator != by.numerator:
        return None
    (w,), (r,) = inner.denominators, by.denominators
    if w.startswith("∂") or w == r:
        return None
    top, last = len(shapes[inner.numerator]), len(shapes[r])
    count = len(ref.indices)
    first, varied = ref.indices[:top], ref.indices[top : count - top - last]
    second, moved = ref.indices[count - top - last : count - last], ref.indices[count - last :]
    deltas = (Delta(a, b) for a, b in zip(first, second, strict=True))
    return multiply(*deltas, Ref(asked(ground, r, (w,), False), (*moved, *varied)))


def _stand_in(
    ground: Ground, shape: tuple[Dimension, ...], taken: Iterable[str], preferred: Sequence[str]
) -> tuple[str, bool]:
    """A tensor or step of that shape, or of the transposed one (True). Raises _Unreadable where there is none."""
    spec, used = ground.spec, set(taken)
    known = [*preferred, *spec.tensors, *(step.name for step in spec.chain)]
    for turned, wanted in ((False, shape), (True, shape[::-1])):
        for name in known:
            tensor = spec.tensors.get(name)
            varies = "∂" not in name and (tensor is None or tensor.values != "integers")
            if name not in used and varies and ground.calculus.shapes.get(name) == wanted:
                return name, turned
    raise _Unreadable


def asked(ground: Ground, numerator: str, denominators: Sequence[str], own: bool) -> str:
    """The name of a derivative that a printed formula refers to."""
    name = derivative_name(numerator, denominators, own)
    if name not in ground.calculus.asked:
        ground.spelled[name] = Derivative(name, numerator, tuple(denominators), own)
    return name


def defined(ground: Ground, equation: Equation) -> str:
    """The name of an expression that stands under a ∂, the same for the same one."""
    name = equation.tensor or f"‹{text.expression(equation.expression, ground.naming())}›"
    ground.unevaluated.setdefault(name, Equation(name, equation.indices, equation.expression))
    return name
