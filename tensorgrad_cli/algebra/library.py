"""What names mean: the scope that formulas are read in, and the rows of the tables as expressions.

Rows hold their formulas as text in the notation; each is parsed once, when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    constant,
    fresh,
    mask,
    multiply,
    size,
    subtract,
    summation,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.rows import Formula
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped
from tensorgrad_cli.notation.later import LAYERS
from tensorgrad_cli.notation.tree import Vocabulary
from tensorgrad_cli.source import Source

__all__ = [
    "BUILTINS",
    "OWN",
    "Scope",
    "UserFunction",
    "derivative_name",
    "function_definition",
    "function_derivative",
    "function_domain",
    "function_kinks",
    "function_name",
    "instantiate",
    "operation_derivative_at",
    "operation_expanded",
    "operation_kinks",
]

# Words of the language that are lowered to index notation and so have no row.
_LOWERED_OPERATIONS = ("sum", "mean")
_LOWERED_MATRIX = ("tr", "transpose", "diag", "outer", "inner", "expm")
_MATRIX_ROWS = ("inv", "det", "logdet", "kron", "vec")

BUILTINS: Mapping[str, str] = {
    **dict.fromkeys(FUNCTIONS, "function"),
    # `max` and `min` are both: an operation in brackets or with axis=, a function of two arguments.
    **{name: "matrix" if name in _MATRIX_ROWS else "operation" for name in OPERATIONS},
    **dict.fromkeys(_LOWERED_OPERATIONS, "operation"),
    **dict.fromkeys(_LOWERED_MATRIX, "matrix"),
    "pi": "constant",
}


# Ends the name, in expressions, of a declared function that has the name of one of ours: no name has this sign.
OWN = "°"


def function_name(name: str) -> str:
    """The name that a declared function has in expressions: its own, unless a function of ours is meant by that."""
    return f"{name}{OWN}" if name in FUNCTIONS or name in ("pow", "pi") else name


class UserFunction(Struct, frozen=True):
    """A function that a spec defines: `C(u, t) = (u - t)^2 / 2`. The body is over `Ref(parameter)`."""

    name: str
    parameters: tuple[str, ...]
    body: Expression
    source: Source


class Scope(Struct, frozen=True, dict=True):
    """What each name means. Names are canonical; `spellings` has the reader's own spelling of each.

    `tensors` are declared, `steps` are the left sides so far with their shapes, `dimensions` the named
    dimensions. `abstract` are functions without a formula, with their number of arguments (0: not used yet);
    `defined` those with one. `layout` is 'numerator' or 'denominator'.
    """

    tensors: Mapping[str, Tensor] = {}
    steps: Mapping[str, tuple[Dimension, ...]] = {}
    dimensions: Mapping[str, Dimension] = {}
    abstract: Mapping[str, int] = {}
    defined: Mapping[str, UserFunction] = {}
    spellings: Mapping[str, str] = {}
    layout: str = "numerator"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the parser needs to know of the names."""
        return Vocabulary(
            functions=frozenset(self.abstract) | frozenset(self.defined),
            tensors=frozenset(self.tensors) | frozenset(self.steps),
            dimensions=frozenset(self.dimensions),
            builtins=BUILTINS,
            layers=LAYERS,
        )

    @cached_property
    def applied(self) -> Mapping[str, UserFunction | None]:
        """The declared functions by their names in expressions: the definition, or None of an abstract one."""
        return {
            **{function_name(name): None for name in self.abstract},
            **{function_name(name): function for name, function in self.defined.items()},
        }

    def shape(self, name: str) -> tuple[Dimension, ...] | None:
        """The shape of a tensor or a step; None where the name is neither."""
        if name in self.steps:
            return self.steps[name]
        tensor = self.tensors.get(name)
        return None if tensor is None else tensor.shape

    def with_step(self, name: str, shape: tuple[Dimension, ...], spelling: str | None = None) -> Scope:
        """The scope with one more step."""
        return replace(
            self,
            steps={**self.steps, name: shape},
            spellings={**self.spellings, name: spelling or name},
        )

    def spelling(self, name: str) -> str:
        """The name as the reader wrote it."""
        return self.spellings.get(name, name)


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def derivative_name(numerator: str, denominators: Iterable[str], own: bool = False) -> str:
    """The name of a derivative's tensor: '∂cost/∂w', '∂²cost/∂w∂b', '∂⁺c/∂u'.

    A numerator that is itself a derivative stands in parentheses: '∂(∂cost/∂w)/∂b'.
    """
    by = tuple(denominators)
    order = "" if len(by) == 1 else str(len(by)).translate(_SUPERSCRIPTS)
    top = f"({numerator})" if numerator.startswith("∂") else numerator
    return f"∂{order}{'⁺' if own else ''}{top}/" + "".join(f"∂{name}" for name in by)


# --- the rows of the functions --------------------------------------------------------------------


def function_derivative(name: str, argument: int) -> Expression:
    """The derivative of a row by an argument (from 0), over Ref(parameter) and Ref("y"), the value."""
    row = FUNCTIONS[name]
    return _scalar(row.derivatives[argument], (*row.parameters, "y"))


def function_definition(name: str) -> Expression | None:
    """A row in terms of simpler ones, over Ref(parameter); None for a leaf."""
    row = FUNCTIONS[name]
    return None if row.definition is None else _scalar(row.definition, row.parameters)


def function_domain(name: str) -> tuple[tuple[Expression, str], ...]:
    """The conditions on the parameters: pairs of an expression and '>' or '>=', which it must be to zero."""
    row = FUNCTIONS[name]
    return tuple(_condition(text, row.parameters) for text in row.domain)


def function_kinks(name: str) -> tuple[Expression, ...]:
    """Expressions of the parameters at whose zeros the row or a derivative of it jumps."""
    row = FUNCTIONS[name]
    return tuple(_scalar(text, row.parameters) for text in row.kinks)


def instantiate(template: Expression, values: Mapping[str, Expression]) -> Expression:
    """A template with its scalars (parameters of a row or of a user-defined function) replaced by values."""
    if isinstance(template, Ref) and not template.indices:
        return values.get(template.tensor, template)
    return mapped(template, lambda part: instantiate(part, values))


def _condition(text: str, parameters: tuple[str, ...]) -> tuple[Expression, str]:
    sign = next(sign for sign in (">=", "<=", ">", "<") if sign in text)
    left, right = (_scalar(side.strip(), parameters) for side in text.split(sign))
    if sign[0] == "<":
        left, right = right, left
    return subtract(left, right), ">" + sign[1:]


# --- the rows of the operations -------------------------------------------------------------------

# The dimension of every index of a template: no name that a reader can write.
_ANY = Dimension("·")


def operation_derivative_at(op: Op, argument: int, inner: tuple[Index, ...]) -> Expression:
    """The derivative of an operation, read at `op.out`, by the entry `inner` of an argument, counted from 0.

    `inner` are as many indices as the operation binds in that argument.
    """
    row = OPERATIONS[op.operation]
    if row.derivative is not None:
        return _at(
            op,
            _text(row.derivative, op),
            row.output,
            op.out,
            row.inputs[argument],
            inner,
        )
    # Linear in the argument: the operation at the unit tensor of that entry.
    bound = _bound(op)[argument]
    unit = multiply(*(Delta(index, at) for index, at in zip(bound, inner, strict=True)))
    arguments = (*op.arguments[:argument], unit, *op.arguments[argument + 1 :])
    linear = Op(op.operation, op.bound, op.out, arguments, op.parameters)
    return freshened(linear)


def operation_expanded(op: Op) -> Expression:
    """The operation by its definition; itself where it has none (prod, max, min, inv, det, kron, vec)."""
    row = OPERATIONS[op.operation]
    if row.definition is None:
        return op
    return _at(op, _text(row.definition, op), row.output, op.out)


def operation_kinks(op: Op) -> tuple[Expression, ...]:
    """Expressions at whose zeros the operation or its derivative jumps; see also `branch` of its row."""
    row = OPERATIONS[op.operation]
    return tuple(_at(op, text, row.output, op.out) for text in row.kinks)


def _text(formula: Formula, op: Op) -> str:
    if isinstance(formula, str):
        return formula
    return formula({**OPERATIONS[op.operation].parameters, **dict(op.parameters)})


def _bound(op: Op) -> tuple[tuple[Index, ...], ...]:
    """The bound indices of each argument."""
    parts: list[tuple[Index, ...]] = []
    start = 0
    for letters in OPERATIONS[op.operation].inputs:
        parts.append(op.bound[start : start + len(letters)])
        start += len(letters)
    return tuple(parts)


def _at(
    op: Op,
    formula: str,
    output: str,
    out: tuple[Position, ...],
    inputs: str = "",
    inner: tuple[Index, ...] = (),
) -> Expression:
    """A formula of a row with its letters replaced by positions, and x and y by what they stand for.

    Where the operation runs over several indices at once, a letter stands for as many positions.
    """
    width = len(op.bound) if OPERATIONS[op.operation].inputs == ("k",) else 1
    letters, positions = output + inputs, (*out, *inner)
    places = {Index(letter, _ANY): positions[width * k : width * (k + 1)] for k, letter in enumerate(letters)}
    template = _tensorial(op.operation, formula, letters)
    return _filled(_placed(template, places, op.bound[:width]), op)


def _filled(template: Expression, op: Op) -> Expression:
    match template:
        case Ref("x", positions):
            return substitute(op.arguments[0], dict(zip(op.bound, positions, strict=True)))
        case Ref("y", positions):
            return Op(op.operation, op.bound, positions, op.arguments, op.parameters)
        case Ref("at_most", (Index() | int() as left, Index() | int() as right)):
            return mask(left, "<=", right)
        case Ref(name, ()):
            return constant({**OPERATIONS[op.operation].parameters, **dict(op.parameters)}[name])
        case Apply("equal", _, arguments):
            left_value, right_value = (_filled(argument, op) for argument in arguments)
            return Apply("=", (0, 0), (left_value, right_value))
        case _:
            return mapped(template, lambda part: _filled(part, op))


_Places = Mapping[Index, tuple[Position, ...]]


def _placed(template: Expression, places: _Places, like: tuple[Index, ...]) -> Expression:
    """A template with positions for its letters, and fresh indices like `like` for each that it binds."""

    def flat(positions: Iterable[Position], known: _Places) -> tuple[Position, ...]:
        found: list[Position] = []
        for position in positions:
            found += known[position] if isinstance(position, Index) else (position,)
        return tuple(found)

    def bound(indices: tuple[Index, ...]) -> dict[Index, tuple[Index, ...]]:
        return {
            index: tuple(fresh(Index(index.name, model.dimension)) for model in like) for index in indices
        }

    def placed(part: Expression, known: _Places) -> Expression:
        match part:
            case Ref(tensor, positions):
                return Ref(tensor, flat(positions, known))
            case Delta(left, right):
                pairs = zip(flat((left,), known), flat((right,), known), strict=True)
                return multiply(*(ONE if a == b else Delta(a, b) for a, b in pairs))
            case Sum() if part == size(_ANY):
                return multiply(*(size(index.dimension) for index in like))
            case Sum(indices, body):
                inner = bound(indices)
                return summation(flat_indices(inner), placed(body, {**known, **inner}))
            case Op(operation, indices, out, arguments, parameters):
                inner = bound(indices)
                values = tuple(placed(argument, {**known, **inner}) for argument in arguments)
                return Op(operation, flat_indices(inner), flat(out, known), values, parameters)
            case Const() | Apply() | Product() | Add():
                return mapped(part, lambda child: placed(child, known))
            case _:
                assert_never(part)

    def flat_indices(inner: Mapping[Index, tuple[Index, ...]]) -> tuple[Index, ...]:
        return tuple(index for group in inner.values() for index in group)

    return placed(template, places)


# --- formulas of the tables as expressions --------------------------------------------------------
# The elaborator reads formulas in a Scope, and so is imported here only where a formula is read.


@cache
def _scalar(formula: str, names: tuple[str, ...]) -> Expression:
    """A formula over scalars."""
    scope = Scope(tensors={name: Tensor(name, ()) for name in names})
    return _read(formula, scope, ())


@cache
def _tensorial(operation: str, formula: str, letters: str) -> Expression:
    """A formula of an operation's row, its letters free, every dimension `_ANY`."""
    row = OPERATIONS[operation]
    shapes = {
        "x": (_ANY,) * len(row.inputs[0]),
        "y": (_ANY,) * len(row.output),
        "at_most": (_ANY, _ANY),
        **dict.fromkeys(row.parameters, ()),
    }
    scope = Scope(
        tensors={name: Tensor(name, shape) for name, shape in shapes.items()},
        dimensions={"n": _ANY},
        abstract={"equal": 2},
    )
    return _read(formula, scope, tuple(Index(letter, _ANY) for letter in letters))


def _read(formula: str, scope: Scope, free: tuple[Index, ...]) -> Expression:
    from tensorgrad_cli.algebra.elaborate import elaborate_expression
    from tensorgrad_cli.notation.parse import parse_expression

    tree = parse_expression(Source("<table>", formula), scope.vocabulary)
    side, *_ = elaborate_expression(tree, scope, free)
    return side.expression
