"""The classes of the rows: all that the package knows of a scalar function or an operation stands in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from msgspec import Struct

__all__ = ["Formula", "Function", "Operation"]

# A formula of an operation may depend on its parameters: the norm's does on p.
Formula = str | Callable[[Mapping[str, Fraction]], str]


class Function(Struct, frozen=True):
    """A scalar function.

    `parameters` name its arguments in the strings below. `derivatives` has one formula in the notation for
    each argument; it may use the parameters and `y`, the value. `definition` is the function in terms of
    simpler rows, for the exact test, None for a leaf. `domain` holds conditions on the parameters in the
    notation ("x > 0"), all of which must hold; `kinks` are expressions of the parameters at whose zeros
    the function or one of its first derivatives jumps or is infinite. `numeric(xp, *arrays)` evaluates on an
    array namespace; with `analytic` it also takes complex arrays and continues the function analytically
    (branching on the real part), so that a complex step works. `latex` is the LaTeX of the name, or a pattern
    in which `{0}`, `{1}` are replaced by the arguments (`\\sqrt{{0}}` becomes `\\sqrt{x}`).
    """

    name: str
    parameters: tuple[str, ...]
    derivatives: tuple[str, ...]
    numeric: Callable[..., Any]
    definition: str | None = None
    domain: tuple[str, ...] = ()
    kinks: tuple[str, ...] = ()
    analytic: bool = True
    latex: str | None = None


class Operation(Struct, frozen=True):
    """An operation that stays a node (`Op`).

    `inputs` has, for each argument, the letters of the indices it binds; `output` the letters of the result.
    ("k",) and "" is a reduction such as max; ("k",) and "j" runs along an index that stays free (softmax);
    ("kl",) and "ij" is a matrix to a matrix (inv). `parameters` maps each parameter to its default.

    In `derivative`, `definition` and `kinks`, formulas in the notation, the argument is `x`, the value `y`:
    softmax has the derivative "y[j] (delta[j,k] - y[k])" of y[j] by x[k]. Besides, `n` is the size of a bound
    index, `equal(u, v)` is 1 where two values are the same, `at_most[k,j]` is 1 where k <= j, and parameters
    stand for their values. A `multilinear` one needs no derivative: it is the operation at a unit tensor; an
    `idempotent` one of something repeated is that itself. `definition` is None for what the exact test does
    natively. Where no expression tells of a kink, `branch(xp, *arrays, **parameters)` is a number for each value
    that changes where a derivative jumps (the argmax), and `margin` is how far the arguments are from that.

    `numeric(xp, *arrays, **parameters)` takes arrays whose last axes are the bound indices of each argument
    (any axes before them are batch axes, the same for all arguments) and returns the result's axes last; with
    `analytic` it continues to complex arrays.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    numeric: Callable[..., Any]
    derivative: Formula | None = None
    definition: Formula | None = None
    multilinear: bool = False
    idempotent: bool = False
    domain: tuple[str, ...] = ()
    kinks: tuple[str, ...] = ()
    analytic: bool = True
    parameters: Mapping[str, Fraction] = {}
    latex: str | None = None
    branch: Callable[..., Any] | None = None
    margin: Callable[..., Any] | None = None
