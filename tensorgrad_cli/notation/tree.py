"""The syntax tree of a formula: what was written, with its place, before it means anything.

Trees keep what the reader wrote (parentheses, the sign of a product, the spelling of a power), since
the rule for implied sums and every message depend on it. What a tree means is decided in `algebra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from msgspec import Struct

from tensorgrad_cli.source import Span

__all__ = [
    "Bars",
    "Call",
    "Derivative",
    "EquationTree",
    "IndexRange",
    "Indexed",
    "Juxtaposed",
    "Mask",
    "Multiplied",
    "Name",
    "Number",
    "Parenthesis",
    "Power",
    "Signed",
    "Summed",
    "Transposed",
    "Tree",
    "Vocabulary",
    "WrittenSum",
]


class Vocabulary(Struct, frozen=True):
    """What the names of a spec are: the parser needs it to tell a call from a product.

    Names are in their one spelling (`notation.names.canonical`). A name hides ours (`delta`, `sum`, …)
    where it is declared: a function first, then a tensor or step, then ours, then a dimension.
    `builtins` maps each function, operation and matrix word of ours to its kind:
    'function' (`exp`), 'operation' (`max`, `softmax`, `mean`), 'matrix' (`tr`, `inv`, `outer`), 'constant' (`pi`).
    """

    functions: frozenset[str] = frozenset()
    tensors: frozenset[str] = frozenset()
    dimensions: frozenset[str] = frozenset()
    builtins: Mapping[str, str] = {}
    layers: frozenset[str] = frozenset()


class Name(Struct, frozen=True):
    """A bare name: a tensor, a step, a dimension, a constant, an index, or `I`, `ones`. Canonical spelling."""

    text: str
    span: Span


class Number(Struct, frozen=True):
    """A numeral, exact."""

    value: Fraction
    span: Span


class Indexed(Struct, frozen=True):
    """`x[i,k]`, `delta[i,j]`, `ones[i]`, `eye[i,j]`, `(Vᵀ V)[a,b]`, `inv(X)[k,l]`. Positions are trees of positions."""

    base: Tree
    positions: tuple[Tree, ...]
    span: Span


class IndexRange(Struct, frozen=True):
    """An index that a written sum or an operation binds: `i`, or `k:3` with a written range."""

    name: Name
    range: Tree | None
    span: Span


class Call(Struct, frozen=True):
    """A function, operation or layer applied: `f'(u)`, `C.1.2(u, t)`, `max[j](z[i,j])`, `sum(A, axis=0)`.

    `primes` counts primes; `partials` are the positions from 1 of a derivative by arguments; `indices` is
    None where no brackets stand between the name and the parenthesis.
    """

    function: Name
    arguments: tuple[Tree, ...]
    keywords: tuple[tuple[Name, Tree], ...]
    primes: int
    partials: tuple[int, ...]
    indices: tuple[IndexRange, ...] | None
    span: Span


class WrittenSum(Struct, frozen=True):
    """`sum[i,j] body`, `Σ[i] body`, `prod[i] body`: `kind` is 'sum' or 'prod'; the body is one product."""

    kind: str
    indices: tuple[IndexRange, ...]
    body: Tree
    span: Span


class Parenthesis(Struct, frozen=True):
    """`( … )`, kept: an implied sum stops or goes through here."""

    body: Tree
    span: Span


class Bars(Struct, frozen=True):
    """`|a|` (absolute value, entry by entry) or, where `double`, `‖x‖` (the norm)."""

    body: Tree
    double: bool
    span: Span


class Signed(Struct, frozen=True):
    """A sign in front: `sign` is '-' or '+'."""

    sign: str
    operand: Tree
    span: Span


class Power(Struct, frozen=True):
    """`a^b`, `a**b`, `a²`, `A⁻¹`. `spelling` is '^', '**' or 'superscript' (`²`, `⁻¹`)."""

    base: Tree
    exponent: Tree
    spelling: str
    span: Span


class Transposed(Struct, frozen=True):
    """`x.T`, `x^T`, `xᵀ`; where `inverse`, `A⁻ᵀ` (or `A^-T`)."""

    base: Tree
    inverse: bool
    span: Span


class Juxtaposed(Struct, frozen=True):
    """Factors side by side: `2 x[i] w[i]`. At least two. Binds tighter than every written sign of a product.

    A coefficient that is a number over a number (`1/2 x`, `1/m x`) is a first factor of class `Multiplied`.
    """

    factors: tuple[Tree, ...]
    span: Span


class Multiplied(Struct, frozen=True):
    """Operands joined by written signs, left to right: `first`, then (sign, operand) pairs.

    Signs are normalised: '*', '/', '@', '⊙', '∘', '⊗'. An operand may be `Juxtaposed` or `Signed`.
    """

    first: Tree
    rest: tuple[tuple[str, Tree], ...]
    span: Span


class Summed(Struct, frozen=True):
    """Terms joined by + and -, left to right: `first`, then (sign, term) pairs."""

    first: Tree
    rest: tuple[tuple[str, Tree], ...]
    span: Span


class Derivative(Struct, frozen=True):
    """`∂a/∂b[p,q]`, `∂²c/∂w[k]∂w[p]`, `∂(…)/∂w`, `∂⁺a/∂b`, `d a/d b`, `da/db`.

    The numerator is a Name, Indexed, Call (perhaps within Indexed) or Parenthesis (perhaps Indexed).
    Denominators are Name, Indexed of a Name, or Transposed of a Name (`∂²f/∂x∂xᵀ`); one, or two of a second one.
    """

    numerator: Tree
    denominators: tuple[Tree, ...]
    own: bool
    span: Span


class Mask(Struct, frozen=True):
    """`[i <= j]`: `sign` is one of '<', '<=', '>', '>=', '=', '!='."""

    left: Tree
    sign: str
    right: Tree
    span: Span


Tree = (
    Name
    | Number
    | Indexed
    | Call
    | WrittenSum
    | Parenthesis
    | Bars
    | Signed
    | Power
    | Transposed
    | Juxtaposed
    | Multiplied
    | Summed
    | Derivative
    | Mask
)


class EquationTree(Struct, frozen=True):
    """`left = right`; the equals sign is the first one outside all brackets."""

    left: Tree
    right: Tree
    span: Span
