"""The points at which a spec is evaluated: drawn once, each with its chain evaluated on demand.

A point comes with a few copies of itself whose inputs are moved by up to two units in the last place; how far
a value moves among them is the measure of its rounding error.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Chain,
    Const,
    Delta,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped, needed, references
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.numeric.evaluate import Environment, evaluate, evaluate_chain, evaluate_shaken

__all__ = ["JITTERS", "Point"]

Array = NDArray[Any]

JITTERS = 4
# Down, not at all or up by the last place, one of them for each value of a byte.
_ONE_PLACE = 1.0 + np.resize(np.array([-1, 0, 1]), 256) * 2.0**-52
_DISCRETE = frozenset({"integers", "binary", "signs", "onehot"})


class Point:
    """Values for the tensors of a spec, and what follows from them.

    `environment` has the tensors at the point itself; `jittered` has them with a leading axis: the point,
    then JITTERS copies moved by up to two units in the last place.
    """

    def __init__(
        self,
        calculus: Calculus,
        environment: Environment,
        tensors: Mapping[str, Tensor],
        given: Chain = (),
        shake: int = 0,
    ) -> None:
        self.calculus = calculus
        self.shake = shake
        self.tensors = tensors
        self.sizes = environment.sizes
        self.environment = environment
        self.given = {equation.tensor: equation for equation in given}
        self.jittered = _jittered(environment, tensors, shake)
        self._long: Environment | None = None
        self._magnitudes: dict[str, Array] = {}

    def at(self, given: Chain) -> Point:
        """The point with some tensors given by expressions in the others."""
        names = {equation.tensor for equation in given}
        arrays = {name: self.environment.arrays[name] for name in self.tensors if name not in names}
        rest = {name: t for name, t in self.tensors.items() if name not in names}
        return Point(self.calculus, _only(self.environment, arrays), rest, given, self.shake)

    def shaken(self, shake: int) -> Point:
        """The same point with other copies, their roundings moved otherwise."""
        arrays = {name: self.environment.arrays[name] for name in self.tensors}
        given = tuple(self.given.values())
        return Point(self.calculus, _only(self.environment, arrays), self.tensors, given, self.shake + shake)

    def missing(self, names: Iterable[str], environment: Environment) -> Chain:
        """The equations to evaluate, in order, before `names` have values in an environment."""
        wanted = [name for name in names if name not in environment.arrays]
        if not wanted:
            return ()
        equations = [*self.calculus.closure(wanted)]
        if self.given:
            equations = self._with_given(equations)
        return tuple(e for e in equations if e.tensor not in environment.arrays)

    def _with_given(self, equations: Sequence[Equation]) -> list[Equation]:
        """The equations with the given tensors' own put before their first use."""
        out: list[Equation] = []
        done: set[str] = set()

        def visit(equation: Equation) -> None:
            if equation.tensor in done:
                return
            done.add(equation.tensor)
            for name in references(equation.expression):
                if name in self.given:
                    for before in self.calculus.closure(references(self.given[name].expression)):
                        visit(before)
                    visit(self.given[name])
            out.append(equation)

        for equation in equations:
            visit(equation)
        return out

    def ordered(self, names: Iterable[str]) -> Chain:
        """The equations that some names depend on, given tensors included, in order."""
        equations: list[Equation] = []
        for name in sorted(set(names)):
            if name in self.given:
                inner = self.calculus.closure(references(self.given[name].expression))
                equations += [*inner, self.given[name]]
        equations += self.calculus.closure(names)
        return tuple(dict.fromkeys(self._with_given(equations)))

    def ensure(self, names: Iterable[str]) -> None:
        """Evaluate what the names need, at the point and at its copies."""
        wanted = list(names)
        given = [n for n in wanted if n in self.given and n not in self.environment.arrays]
        for name in given:
            self._give(name)
        self._evaluate(self.missing(wanted, self.environment))

    def _evaluate(self, equations: Chain) -> None:
        for equation in equations:
            name = equation.tensor
            array = evaluate_shaken(
                equation.expression,
                equation.indices,
                self.jittered,
                zlib.crc32(name.encode()) + self.shake,
                1 + JITTERS,
                name,
            )
            batched = np.ndim(array) > len(equation.indices)
            self.jittered = self.jittered.with_arrays({name: array}, (name,) if batched else ())
            # The first of the copies is the point itself, nothing moved.
            self.environment = self.environment.with_arrays({name: array[0] if batched else array})

    def _give(self, name: str) -> None:
        equation = self.given[name]
        self.ensure(references(equation.expression))
        self._evaluate((equation,))

    def value(self, name: str) -> Array:
        """The array of a tensor, step or derivative."""
        self.ensure((name,))
        return np.asarray(self.environment.arrays[name])

    def copies(self, name: str) -> Array:
        """The array of a name at the point and at its moved copies, [1 + JITTERS, …]."""
        self.ensure((name,))
        array = np.asarray(self.jittered.arrays[name])
        if name not in self.jittered.batched:
            array = np.broadcast_to(array, (1 + JITTERS, *array.shape))
        return array

    def evaluated(self, expression: Expression, order: tuple[Index, ...]) -> Array:
        """An expression at the point and at its copies, [1 + JITTERS, …] with axes in the given order."""
        return self.evaluated_with(expression, order, {})

    def evaluated_with(
        self, expression: Expression, order: tuple[Index, ...], extra: Mapping[str, Array]
    ) -> Array:
        """The same, with some further arrays by name."""
        self.ensure(references(expression) - extra.keys())
        moving = self.jittered.with_arrays(extra)
        array = np.asarray(evaluate_shaken(expression, order, moving, self.shake, 1 + JITTERS))
        shape = tuple(index.dimension.size(self.sizes) for index in order)
        if array.ndim == len(order):
            array = array[None]
        return np.broadcast_to(array, (1 + JITTERS, *shape))

    def magnitude(
        self, expression: Expression, order: tuple[Index, ...], extra: Mapping[str, Array] | None = None
    ) -> Array:
        """The size of the terms that an expression adds up, entry by entry: what its rounding is a part of. `extra`
        are arrays of names that the point does not know.

        Sums add the sizes of their terms; of a step it is its value that counts, of a derivative its terms.
        """
        others = {f"|{name}|": np.abs(array) for name, array in (extra or {}).items()}
        names = references(expression) - (extra or {}).keys()
        self.ensure(names)
        environment = self.environment.with_arrays({**self._sizes(names), **others})
        array = np.abs(np.asarray(evaluate(_absolute(expression), order, environment)))
        return np.broadcast_to(array, tuple(index.dimension.size(self.sizes) for index in order))

    def _sizes(self, names: Iterable[str]) -> dict[str, Array]:
        """Under the name `|x|`, the size of each name: of a derivative that of its equation's terms."""
        for name in names:
            if name in self._magnitudes:
                continue
            if name in self.calculus.asked:
                equation = self.calculus.equations[name]
                self._magnitudes[name] = self.magnitude(equation.expression, equation.indices)
            else:
                self._magnitudes[name] = np.abs(self.value(name))
        return {f"|{name}|": self._magnitudes[name] for name in names}

    def extended(self, expression: Expression, order: tuple[Index, ...]) -> Array | None:
        """The expression in extended precision, or None where that is not to be had."""
        if np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps:
            return None
        if self._long is None:
            arrays = {
                name: _long(array) for name, array in self.environment.arrays.items() if name in self.tensors
            }
            self._long = _only(self.environment, arrays)
        try:
            for name in references(expression):
                if name in self.given and name not in self._long.arrays:
                    before = self.missing(references(self.given[name].expression), self._long)
                    self._long = evaluate_chain((*before, self.given[name]), self._long)
            equations = self.missing(references(expression), self._long)
            self._long = evaluate_chain(equations, self._long)
            array = np.asarray(evaluate(expression, order, self._long))
        except (TypeError, NotImplementedError, np.linalg.LinAlgError):
            return None
        shape = tuple(index.dimension.size(self.sizes) for index in order)
        return np.broadcast_to(array, shape)

    def in_precision(self, name: str, dtype: str) -> Array:
        """The array of a name, computed in a lower precision from rounded inputs."""
        arrays = {
            tensor: np.asarray(self.environment.arrays[tensor]).astype(dtype)
            if np.issubdtype(np.asarray(self.environment.arrays[tensor]).dtype, np.floating)
            else self.environment.arrays[tensor]
            for tensor in self.tensors
        }
        low = _only(self.environment, arrays)
        return np.asarray(evaluate_chain(self.missing((name,), low), low).arrays[name])

    def dependents(self, numerator: str, by: Iterable[str]) -> Chain:
        """The equations that change when `by` are varied, up to the numerator; `by` themselves are held."""
        held = frozenset(by)
        moving = set(held)
        out = []
        for equation in needed(tuple(self.calculus.closure((numerator,))), [numerator]):
            if equation.tensor not in held and moving & references(equation.expression):
                moving.add(equation.tensor)
                out.append(equation)
        return tuple(out)


def _absolute(expression: Expression, done: dict[int, Expression] | None = None) -> Expression:
    """The expression with every entry and every call replaced by its absolute value, sums and products kept.

    `done` has what was made of parts that stand in several places, by identity.
    """
    done = {} if done is None else done
    known = done.get(id(expression))
    if known is None:
        known = done[id(expression)] = _absolute_anew(expression, done)
    return known


def _absolute_anew(expression: Expression, done: dict[int, Expression]) -> Expression:
    match expression:
        case Const(value):
            return Const(abs(value))
        case Ref(tensor, indices):
            return expression if tensor == RANGE else Ref(f"|{tensor}|", indices)
        case Apply() | Op():
            return Apply("abs", (0,), (expression,))
        case Delta():
            return expression
        case Product() | Sum() | Add():
            return mapped(expression, lambda part: _absolute(part, done))
        case _:
            assert_never(expression)


def _only(environment: Environment, arrays: Mapping[str, Array], batched: Iterable[str] = ()) -> Environment:
    """The environment with these arrays and no others."""
    return Environment(
        arrays, frozenset(batched), environment.sizes, environment.functions, environment.memory
    )


def _jittered(environment: Environment, tensors: Mapping[str, Tensor], shake: int) -> Environment:
    rng = np.random.default_rng(20_240_501 + shake)
    arrays: dict[str, Array] = {}
    batched: list[str] = []
    for name, array in environment.arrays.items():
        tensor = tensors.get(name)
        if tensor is None:
            continue
        value = np.asarray(array)
        if tensor.values in _DISCRETE or not np.issubdtype(value.dtype, np.floating):
            arrays[name] = value
            continue
        copies = np.empty((1 + JITTERS, *value.shape))
        copies[0] = value
        drawn = np.frombuffer(rng.bytes(JITTERS * value.size), np.uint8)
        np.multiply(_ONE_PLACE[drawn].reshape(JITTERS, *value.shape), value, out=copies[1:])
        arrays[name] = copies
        batched.append(name)
    return _only(environment, arrays, batched)


def _long(array: Any) -> Array:
    value = np.asarray(array)
    return value.astype(np.longdouble) if np.issubdtype(value.dtype, np.floating) else value
