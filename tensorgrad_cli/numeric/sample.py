"""Random sizes and values for what a spec declares: no two dimensions alike, every declared fact true."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.tensors import Tensor

__all__ = ["Fact", "Unsatisfiable", "draw", "draw_sizes", "draw_tensor", "implied_facts"]

Array = Any

# Entries are kept so far from zero, where kinks and poles of most functions are.
_GAP = 1 / 16
# Structures that entries keep without their signs.
_SIGNLESS = frozenset({None, "symmetric", "diagonal", "lower", "upper"})


class Unsatisfiable(ValueError):
    """No sizes or values have all that is declared."""


class Facts(Protocol):
    """What is said of a dimension: its size, or conditions such as ('>=', 'p') or ('>=', '3')."""

    @property
    def size(self) -> int | None:
        """The size, where it is given."""

    @property
    def conditions(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a sign and a dimension's name or a number."""


class Fact(Struct, frozen=True):
    """A fact of one's own making."""

    size: int | None = None
    conditions: tuple[tuple[str, str], ...] = ()


_SIGNS: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


# --- sizes ----------------------------------------------------------------------------------------


def implied_facts(tensors: Iterable[Tensor], facts: Mapping[str, Facts]) -> dict[str, Facts]:
    """The facts with those added that structures imply: orthonormal columns are no longer than many."""
    found: dict[str, Facts] = dict(facts)
    for tensor in tensors:
        if tensor.structure == "orthonormal" and len(tensor.shape) >= 2:
            rows, columns = tensor.shape[-2:]
            name = rows.name if not rows.terms and rows.fixed is None else None
            if name is None or rows == columns or columns.terms:
                continue
            known = found.get(name)
            conditions = known.conditions if known is not None else ()
            size = known.size if known is not None else None
            found[name] = Fact(size, (*conditions, (">=", columns.name)))
    return found


def draw_sizes(
    names: Iterable[str],
    facts: Mapping[str, Facts],
    minimum: Mapping[str, int],
    rng: np.random.Generator,
    spread: tuple[int, int] = (2, 6),
) -> dict[str, int]:
    """A size for each name: at least 2 and its minimum, no two alike, every fact true.

    Sizes come from `spread` (both ends included), beyond it where that is not enough; two are alike only
    where they must be. Raises Unsatisfiable where no sizes have all the facts.
    """
    order = sorted(set(names))
    search = _Search(order, facts, minimum, spread)
    for distinct in (True, False):
        found = search.run(rng, distinct)
        if found is not None:
            return found
    raise Unsatisfiable(f"no sizes of {', '.join(order)} meet all conditions")


class _Search:
    """Backtracking over the names, each with its candidates in random order."""

    def __init__(
        self,
        names: Sequence[str],
        facts: Mapping[str, Facts],
        minimum: Mapping[str, int],
        spread: tuple[int, int],
    ) -> None:
        self.fixed = {
            name: size for name in names if name in facts and (size := facts[name].size) is not None
        }
        self.order = sorted(names)
        self.conditions = [
            (name, sign, other) for name in names if name in facts for sign, other in facts[name].conditions
        ]
        numbers = [int(other) for _, _, other in self.conditions if other.isdecimal()]
        self.minimum, self.spread = minimum, spread
        self.top = max([spread[1], *self.fixed.values(), *numbers, *minimum.values()]) + 2 * len(names)

    def run(self, rng: np.random.Generator, distinct: bool) -> dict[str, int] | None:
        """The first sizes found that meet all conditions; None where there are none."""
        candidates = []
        # In random order, so that no name gets the size that is left for the last one every time.
        free = [name for name in self.order if name not in self.fixed]
        self.order = [*self.fixed, *(free[k] for k in rng.permutation(len(free)))]
        for name in self.order:
            low = max(2, self.spread[0], self.minimum.get(name, 0))
            values = list(range(low, self.top + 1))
            rng.shuffle(values)
            # Those of the spread first, then as few beyond it as will do.
            values.sort(key=lambda value: max(value, self.spread[1], low + 1))
            candidates.append([self.fixed[name]] if name in self.fixed else values)
        self.steps = 20_000
        return self._extended({}, candidates, distinct)

    def _extended(
        self, chosen: dict[str, int], candidates: Sequence[Sequence[int]], distinct: bool
    ) -> dict[str, int] | None:
        if len(chosen) == len(self.order):
            return dict(chosen)
        name = self.order[len(chosen)]
        for value in candidates[len(chosen)]:
            self.steps -= 1
            if self.steps < 0:
                return None
            if distinct and name not in self.fixed and value in chosen.values():
                continue
            chosen[name] = value
            if self._holds(chosen):
                found = self._extended(chosen, candidates, distinct)
                if found is not None:
                    return found
            del chosen[name]
        return None

    def _holds(self, chosen: Mapping[str, int]) -> bool:
        for name, sign, other in self.conditions:
            right = int(other) if other.isdecimal() else chosen.get(other)
            if name in chosen and right is not None and not _SIGNS[sign](chosen[name], right):
                return False
        return True


# --- values ---------------------------------------------------------------------------------------


def draw(
    tensors: Iterable[Tensor],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    scale: float = 1.0,
    data: Mapping[str, Array] | None = None,
    unsigned: Collection[str] = (),
) -> dict[str, Array]:
    """An array for each tensor, as `draw_tensor` makes it; one with data gets the data as they are.

    `unsigned` are names whose normal values are to have no signs, where the structure allows that.
    """
    given = data or {}
    drawn = {}
    for tensor in tensors:
        array = given.get(tensor.name)
        if array is None:
            array = draw_tensor(tensor, sizes, rng, scale)
            if tensor.name in unsigned and tensor.values == "normal" and tensor.structure in _SIGNLESS:
                array = np.abs(array)
        drawn[tensor.name] = array
    return drawn


def draw_tensor(
    tensor: Tensor, sizes: Mapping[str, int], rng: np.random.Generator, scale: float = 1.0
) -> Array:
    """An array of the tensor's shape with its values and its structure; float64, `integers` int64.

    Normal, positive, symmetric, skew, spd, diagonal and triangular values are multiplied by `scale`; the
    others mean what they mean at one scale only. Normal values keep away from zero. The structure is that of
    the last two axes. Raises Unsatisfiable for columns that cannot be orthonormal, or a structure of a
    tensor that has not two equal last axes.
    """
    shape = tuple(dimension.size(sizes) for dimension in tensor.shape)
    if tensor.structure is None:
        return np.asarray(_values(tensor, shape, sizes, rng, scale))
    if len(shape) < 2:
        raise Unsatisfiable(f"{tensor.name} has not two axes, so it cannot be {tensor.structure}")
    rows, columns = shape[-2:]
    if tensor.structure == "orthonormal":
        if rows < columns:
            raise Unsatisfiable(f"{columns} columns of length {rows} cannot be orthonormal ({tensor.name})")
        return _orthonormal(shape, rng)
    if rows != columns:
        raise Unsatisfiable(f"{tensor.name} is {rows} x {columns}, so it cannot be {tensor.structure}")
    if tensor.structure == "spd":
        return scale * _positive_definite(shape, rng)
    return _structured(tensor.structure, _values(tensor, shape, sizes, rng, scale))


def _values(
    tensor: Tensor,
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    scale: float,
) -> Array:
    match tensor.values:
        case "normal":
            drawn = rng.standard_normal(shape)
            return scale * (drawn + np.copysign(_GAP, drawn))
        case "positive":
            return scale * np.exp(rng.uniform(-1.0, 1.0, shape))
        case "uniform":
            return rng.uniform(_GAP, 1 - _GAP, shape)
        case "integers":
            positions = 4 if tensor.indexes is None else tensor.indexes.size(sizes)
            return rng.integers(0, positions, shape)
        case "binary":
            return _both(rng, shape).astype(np.float64)
        case "signs":
            return 2.0 * _both(rng, shape) - 1.0
        case "onehot":
            return _onehot(shape, rng)
        case "probabilities":
            weights = np.exp(rng.uniform(-1.0, 1.0, shape))
            return weights / weights.sum(axis=-1, keepdims=True)
        case _:
            raise ValueError(f"unknown values {tensor.values!r}")


def _both(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Zeros and ones, both of them where there is room."""
    drawn = np.asarray(rng.integers(0, 2, shape))
    if drawn.size > 1 and (drawn == drawn.flat[0]).all():
        place = int(rng.integers(drawn.size))
        drawn.flat[place] = 1 - drawn.flat[place]
    return drawn


def _onehot(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if not shape:
        return np.ones(())
    hot = rng.integers(0, shape[-1], shape[:-1])
    return (np.arange(shape[-1]) == np.asarray(hot)[..., None]).astype(np.float64)


def _structured(structure: str, values: Array) -> Array:
    match structure:
        case "symmetric":
            return np.triu(values) + np.swapaxes(np.triu(values, 1), -1, -2)
        case "skew":
            upper = np.triu(values, 1)
            return upper - np.swapaxes(upper, -1, -2)
        case "diagonal":
            return values * np.eye(values.shape[-1])
        case "lower":
            return np.tril(values)
        case "upper":
            return np.triu(values)
        case _:
            raise ValueError(f"unknown structure {structure!r}")


def _orthonormal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    q, r = np.linalg.qr(rng.standard_normal(shape))
    return q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]


def _positive_definite(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Eigenvalues between 1/2 and 2, so that inverses and logarithms are well conditioned."""
    q = _orthonormal(shape, rng)
    eigenvalues = np.exp2(rng.uniform(-1.0, 1.0, shape[:-1]))
    product = (q * eigenvalues[..., None, :]) @ np.swapaxes(q, -1, -2)
    return (product + np.swapaxes(product, -1, -2)) / 2
