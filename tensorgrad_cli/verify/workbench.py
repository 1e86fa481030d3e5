"""All that the checks of one spec share: its calculus, its points, its exact session, its derivatives' numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import ZERO, Derivative, Dimension, Ref
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.numeric.abstract import AbstractFunction
from tensorgrad_cli.numeric.environment import DEFAULT_MEMORY, Environment
from tensorgrad_cli.numeric.sample import Facts, draw, draw_sizes, implied_facts
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.certify import Certificate, certify, certify_together
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.points import Point

if TYPE_CHECKING:
    from tensorgrad_cli.exact.decide import Session

__all__ = ["Workbench"]

VACUOUS = {"verdict": "undecided", "reason": "vacuous"}
SCALES = (1.0, 0.25, 3.0)
REPAIRS = 100
# The last of the repairs draw some tensors without signs, and larger entries each time.
UNSIGNED_FROM = 60
GROWTH = 1.3
REDRAWS = 50
# The spare points: of any sizes; of small ones, where a condition on each of a few entries is met sooner; without signs.
SPARE, SPARE_SMALL, SPARE_UNSIGNED = 8, 16, 8
SPREAD, SMALL = (2, 6), (2, 3)
MASKS = frozenset({"binary", "signs", "onehot"})
BRANCH_POINTS = 32
BRANCH_SCALES = (10.0, 1.0, 0.25, 1e3)
# So many entries are drawn at most for the further points of a spec.
FURTHER_ENTRIES = 1 << 19


class Points(Sequence[Point]):
    """Points that are drawn when they are first used."""

    def __init__(self, count: int, drawn: Callable[[int], Point]) -> None:
        self._drawn = drawn
        self._points: list[Point | None] = [None] * count

    def __len__(self) -> int:
        return len(self._points)

    @overload
    def __getitem__(self, place: int) -> Point: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Point, ...]: ...

    def __getitem__(self, place: int | slice) -> Point | tuple[Point, ...]:
        if isinstance(place, slice):
            return tuple(self[k] for k in range(*place.indices(len(self))))
        point = self._points[place]
        if point is None:
            point = self._points[place] = self._drawn(range(len(self))[place])
        return point


class Workbench(Ground):
    """What the checks of a spec work with. Points are drawn when first needed, after all formulas are known."""

    def __init__(self, spec: Spec, seed: int) -> None:
        super().__init__(spec)
        self._begin(seed)

    @classmethod
    def on(cls, ground: Ground, seed: int) -> Workbench:
        """A workbench that begins with what was worked out on a ground, and takes it over."""
        bench = cls.__new__(cls)
        bench.__dict__.update(ground.__dict__)
        bench._begin(seed)
        return bench

    def _begin(self, seed: int) -> None:
        self.seed = seed
        self._certificates: dict[str, Certificate] = {}
        self._tried: set[tuple[str, bool]] = set()
        self._session: tuple[object, Session] | None = None

    # --- points

    @cached_property
    def points(self) -> Points:
        """The points, each drawn when it is first used: at scale 1, then at other scales and sizes."""
        count = max(1, self.spec.check.points)
        return Points(count, lambda k: self._point(k, SCALES[k % len(SCALES)]))

    @cached_property
    def spare_points(self) -> Points:
        """Further points, for formulas that have no value at those: an inverse that exists at other sizes, a
        sum of logarithms. In the last some tensors have no negative entries."""
        return Points(self._at_most(SPARE + SPARE_SMALL + SPARE_UNSIGNED), self._spare)

    def _spare(self, k: int) -> Point:
        if k < SPARE:
            return self._point(200 + k, 1.0)
        unsigned = k >= SPARE + SPARE_SMALL
        return self._point(
            200 + k, (1.0, 3.0)[k % 2], unsigned=unsigned, spread=SPREAD if unsigned else SMALL
        )

    @cached_property
    def branch_points(self) -> Points:
        """Further points, so that each function with a kink is met on either side of it, fewer of a large spec."""
        count = self._at_most(BRANCH_POINTS)
        return Points(count, lambda k: self._point(300 + k, BRANCH_SCALES[k % len(BRANCH_SCALES)]))

    def _at_most(self, count: int) -> int:
        """So many further points, fewer of a large spec."""
        entries = self._entries(tensor.shape for tensor in self.spec.tensors.values())
        return max(3, min(count, FURTHER_ENTRIES // max(entries, 1)))

    def entries(self) -> int:
        """How many entries all tensors and steps have at the first point."""
        shapes = self.calculus.shapes
        return self._entries(
            shapes[n] for n in (*self.spec.tensors, *(step.name for step in self.spec.chain))
        )

    def _entries(self, shapes: Iterable[Sequence[Dimension]]) -> int:
        sizes = self.points[0].sizes
        return sum(math.prod(dimension.size(sizes) for dimension in shape) for shape in shapes)

    @cached_property
    def free_point(self) -> Point | None:
        """A point at other sizes than the spec fixes; None where it fixes none, or by data."""
        if not any(fact.size for fact in self.spec.dims.values()) or self.spec.data:
            return None
        return self._point(101, 1.0, free=True)

    @cached_property
    def generic_point(self) -> Point | None:
        """A point at which masks, signs and one-hot rows are any numbers: at a mask's 0 a relu has a kink. None where
        there are none of these, or data are given."""
        tensors = self.spec.tensors
        anything = {n: replace(t, values="normal") for n, t in tensors.items() if t.values in MASKS}
        if not anything or self.spec.data:
            return None
        return self._point(102, 1.0, tensors={**tensors, **anything})

    def _point(
        self,
        number: int,
        scale: float,
        free: bool = False,
        unsigned: bool = False,
        spread: tuple[int, int] = SPREAD,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> Point:
        rng = np.random.default_rng([self.seed, number])
        facts = implied_facts(self.spec.tensors.values(), {} if free else self.spec.dims)
        sizes = self._drawn_sizes(number, facts, rng, spread, free=free)
        functions = {
            name: AbstractFunction(name, arity, self.seed + number) for name, arity in self.arity.items()
        }
        tensors = tensors or self.spec.tensors
        best: Point | None = None
        for turn in range(REPAIRS):
            if turn == UNSIGNED_FROM:
                scale, unsigned = 1.0, True
            data = {} if free else self.spec.data
            # Some, never all: what holds where nothing is negative may not hold elsewhere.
            some = {name for name in tensors if unsigned and rng.random() < 0.5}
            arrays = draw(tensors.values(), sizes, rng, scale=scale, data=data, unsigned=some)
            memory = max(DEFAULT_MEMORY, self.spec.check.max_memory)
            environment = Environment(arrays, frozenset(), sizes, functions, memory)
            point = Point(self.calculus, environment, tensors)
            best = best or point
            if self._finite(point):
                return point
            # Inputs too large for the domain, or sizes: XᵀX has no inverse where X is wide. Or inputs of the
            # wrong sign: a matrix of normal entries has a logarithm once in a blue moon.
            if turn % 2:
                sizes = self._drawn_sizes(number, facts, rng, spread, free=free)
            elif turn < UNSIGNED_FROM:
                scale *= 0.7
            else:
                scale *= GROWTH
        assert best is not None
        return best

    def _drawn_sizes(
        self,
        number: int,
        facts: Mapping[str, Facts],
        rng: np.random.Generator,
        spread: tuple[int, int],
        *,
        free: bool,
    ) -> dict[str, int]:
        names = sorted({n for d in self.spec.dimensions.values() for n in d.names})
        sizes = draw_sizes(names, facts, self.minimum, rng, spread)
        if number and not free:
            first = self.points[0].sizes
            for _ in range(REDRAWS):
                # What holds at one size of a dimension alone is to be seen at the further points.
                if not any(sizes[n] == first[n] and n not in self.fixed for n in names):
                    break
                sizes = draw_sizes(names, facts, self.minimum, rng, spread)
        return sizes

    def _finite(self, point: Point) -> bool:
        point.ensure(step.name for step in self.spec.chain)
        return all(np.isfinite(point.value(step.name)).all() for step in self.spec.chain)

    @property
    def dims(self) -> Mapping[str, int]:
        """The sizes at the first point."""
        return {name: self.points[0].sizes[name] for name in sorted(self.points[0].sizes)}

    # --- exact arithmetic

    def exact(self) -> Session:
        """The session of the exact test, sizes drawn freely; begun anew where formulas brought new derivatives.

        Imported where a claim needs it.
        """
        equations = tuple(self.calculus.equations.values())
        state = (len(equations), tuple(sorted(self.minimum.items())))
        if self._session is None or self._session[0] != state:
            from tensorgrad_cli.exact.decide import Session

            session = Session(
                equations, self.spec.tensors, self.minimum, seed=self.seed, conditions=self.conditions
            )
            self._session = (state, session)
        return self._session[1]

    # --- derivatives against differences

    def certificate(self, name: str) -> Certificate | None:
        """A derivative (and what it is the derivative of) against finite differences of the chain, at a
        point where they resolve it; None where the name is no derivative."""
        derivative = self.calculus.asked.get(name)
        if derivative is None:
            return None
        if name not in self._certificates:
            self._certify_together(derivative)
        if name not in self._certificates:
            best = None
            for place, point in enumerate(chain(self.points, self.spare_points)):
                if best is not None and place >= len(self.points) and best.comparison.reason != "domain":
                    break
                best = self.certified(derivative, point)
                if self._underflown(best, name, point):
                    best = replace(best, comparison=replace(best.comparison, **VACUOUS))
                if best.comparison.verdict != "undecided":
                    break
                if best.comparison.reason != "kink" and self.is_zero(name):
                    best = self.certified(derivative, point, known_zero=True)
                    break
            assert best is not None
            if best.comparison.reason == "kink" and self.generic_point is not None:
                elsewhere = self.certified(derivative, self.generic_point)
                best = elsewhere if elsewhere.comparison.verdict != "undecided" else best
            self._certificates[name] = best
        return self._certificates[name]

    def _certify_together(self, derivative: Derivative) -> None:
        """Certify, along with a derivative, those of the same step or of the loss that the report has anyway."""
        key = (derivative.numerator, derivative.own)
        if key in self._tried or len(derivative.denominators) > 1:
            return
        if derivative.own:
            names = (
                self.read_by(derivative.numerator) if derivative.numerator in self.calculus.equations else ()
            )
        elif derivative.numerator == self.spec.loss:
            tensors = self.spec.tensors
            names = tuple(n for n in self.spec.wrt if n in tensors and self.reached(self.spec.loss, n))
        else:
            return
        if len(names) > 1 and derivative.denominators[0] in names:
            self._tried.add(key)
            own = derivative.own
            group = [
                Derivative(derivative_name(derivative.numerator, (n,), own), derivative.numerator, (n,), own)
                for n in names
            ]
            found = certify_together(self.calculus, group, self.points[0], self.spec.check, self.seed)
            self._certificates = {**found, **self._certificates}

    def certified(self, derivative: Derivative, point: Point, known_zero: bool = False) -> Certificate:
        """One derivative at one point; `known_zero` where it was proved to be zero."""
        return certify(self.calculus, derivative, point, self.spec.check, self.seed, known_zero)

    def _underflown(self, found: Certificate, name: str, point: Point) -> bool:
        """Whether a derivative and its differences are zero everywhere because nothing smaller can be written:
        with a longer exponent it is not zero. Zeros on both sides are no evidence then."""
        if found.comparison.verdict != "equal" or found.mode != "full" or found.comparison.max_abs:
            return False
        if np.any(found.differences.values):
            return False
        equation = self.calculus.equations[name]
        longer = point.extended(Ref(name, equation.indices), equation.indices)
        return longer is not None and bool(np.any(longer))

    def is_zero(self, name: str) -> bool:
        """Whether a derivative is zero in exact arithmetic: noise on both sides is then no reason to doubt."""
        equation = self.calculus.equations[name]
        if equation.expression == ZERO:
            return True
        decision = self.exact().decide(Ref(name, equation.indices), ZERO, equation.indices)
        return decision.outcome == "equal"
