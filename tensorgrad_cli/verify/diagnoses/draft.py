"""A wrong claim as a text that may be changed, read again and tried in numbers.

A trial in numbers is cheap and proves nothing: it only picks the candidates that are then decided like any
claim.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tensorgrad_cli.algebra.elaborate import elaborate_equation, elaborate_expression
from tensorgrad_cli.algebra.expression import Chain, Derivative, Equation, Expression, Index, Ref
from tensorgrad_cli.algebra.library import Scope, derivative_name
from tensorgrad_cli.algebra.matching import alike
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.walking import mapped, references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation, parse_expression
from tensorgrad_cli.notation.tree import Derivative as DerivativeTree
from tensorgrad_cli.notation.tree import EquationTree, Indexed, Parenthesis, Tree
from tensorgrad_cli.numeric.environment import Environment
from tensorgrad_cli.numeric.evaluate import evaluate
from tensorgrad_cli.numeric.sample import draw
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.verify.certify import bar_of
from tensorgrad_cli.verify.claims import Judged, judge
from tensorgrad_cli.verify.diagnoses.near import NEAR, NEAREST, PART, apart
from tensorgrad_cli.verify.diagnoses.splice import Edit, put, walk
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["Candidate", "Draft", "is_derivative"]

Array = NDArray[Any]

_numbers = itertools.count(1)


class Candidate(Struct, frozen=True):
    """A slip that would explain the claim: its kind, a sentence, and the claim without it.

    `text` is None where the slip is certain without a claim that would be right.
    """

    kind: str
    message: str
    text: str | None


class Draft:
    """What was claimed, as text and tree, with what is needed to try other texts in its place.

    `side` is the side to change and `other` the one that is taken for right.
    """

    def __init__(self, bench: Workbench, judged: Judged, text: str, scope: Scope, tree: EquationTree) -> None:
        self.bench = bench
        self.judged = judged
        self.scope = scope
        self.text = text
        self.tree = tree
        flipped = is_derivative(tree.right) and not is_derivative(tree.left)
        self.flipped = flipped
        self.side: Tree = tree.left if flipped else tree.right
        self.other: Tree = tree.right if flipped else tree.left
        self._read: dict[str, Reading | None] = {}
        self._fits: dict[str, bool] = {}
        self._lines: dict[str, Expression | None] = {}
        self._truths: dict[int, Array | None] = {}
        self.notes: dict[str, object] = {}
        self.trials = 0
        if judged.reading is None:
            self._ask_for_derivatives()

    def _ask_for_derivatives(self) -> None:
        """What was ill-formed has asked for nothing yet: its derivatives are made known one by one."""
        for side in (self.tree.left, self.tree.right):
            for node in walk(side):
                if isinstance(node, DerivativeTree):
                    self._read_anew(f"{node.span.text} = {node.span.text}", True)

    # --- the claim itself

    @cached_property
    def reading(self) -> Reading | None:
        """The claim as read, where it can be and its sides meet."""
        reading = self.judged.reading
        return None if reading is None or reading.mismatch is not None else reading

    @cached_property
    def wrong(self) -> tuple[Expression, tuple[Index, ...]] | None:
        """The side to change, as an expression, and its free indices."""
        if self.reading is None:
            return None
        return self._sides(self.reading)[1].expression, self.reading.free

    @property
    def matrix(self) -> bool:
        """Whether the claim is in matrix notation."""
        if self.judged.reading is not None:
            return self._sides(self.judged.reading)[1].matrix
        return "[" not in self.side.span.text

    def _sides(self, reading: Reading) -> tuple[Side, Side]:
        sides = (reading.left, reading.right)
        return sides[::-1] if self.flipped else sides

    @cached_property
    def truth_side(self) -> Side | None:
        """The side that is taken for right."""
        reading = self.judged.reading
        if reading is None:
            # The claim cannot be read, the side that is taken for right perhaps can.
            alone = self.read(f"{self.other.span.text} = {self.other.span.text}")
            return None if alone is None else alone.left
        return self._sides(reading)[0]

    @cached_property
    def truth(self) -> Array | None:
        """Its value at the first point, axes as the claim's free indices."""
        return None if self.reading is None else self._value(self.reading, 0, 0)

    @cached_property
    def claimed(self) -> Array | None:
        """The value of the side to change at the first point."""
        return None if self.reading is None else self._value(self.reading, 1, 0)

    @cached_property
    def near(self) -> float:
        """How near two values of a trial are that are taken for equal."""
        if self.truth is None or self.claimed is None:
            return NEAR
        gap = apart(self.truth, self.claimed)
        return NEAR if gap <= NEAREST else min(NEAR, max(NEAREST, PART * gap))

    @cached_property
    def unseen(self) -> bool:
        """Whether the sides are the same at the first point, as far as numbers go."""
        return self.truth is not None and self.claimed is not None and self.close(self.truth, self.claimed)

    def close(self, a: Array, b: Array, scale: float | None = None) -> bool:
        """Whether two arrays are the same for a trial: not finite in the same places, and near elsewhere, as a part
        of their largest entry or of `scale`."""
        return apart(a, b, scale) <= self.near

    @cached_property
    def bar(self) -> float:
        """The largest rounding error of either side at the first point."""
        reading = self.reading
        if reading is None:
            return np.inf
        sides = [lowered(side.expression, self.scope) for side in self._sides(reading)]
        return sum(
            float(np.nan_to_num(bar_of(self.point(0).evaluated(s, reading.free))).max()) for s in sides
        )

    # --- other texts

    def replaced(self, edits: Iterable[Edit]) -> str:
        """The claim with edits done."""
        return put(self.text, edits)

    def with_side(self, side: str) -> str:
        """The claim with its wrong side written anew."""
        return self.replaced([Edit.at(self.side.span, side)])

    def read(self, text: str, new: bool = False) -> Reading | None:
        """A text as a claim; None where it has no meaning, or (but for `new`) asks for derivatives that
        nobody asked for yet."""
        if new or text not in self._read:
            self._read[text] = self._read_anew(text, new)
        return self._read[text]

    def _read_anew(self, text: str, new: bool) -> Reading | None:
        source = Source("suggestion", text)
        try:
            tree = parse_equation(source, self.scope.vocabulary)
            found = elaborate_equation(tree, self.scope, f"s{next(_numbers)}.")
        except Issue:
            return None
        if found.mismatch is not None:
            return None
        names = self._names(found.definitions, found.derivatives, new)
        if names is None:
            return None
        at = self.judged.reading.at if self.judged.reading is not None else ()
        return Reading(
            source,
            _renamed(found.left, names),
            _renamed(found.right, names),
            found.free,
            found.definitions,
            found.remarks,
            None,
            at,
        )

    def _names(
        self, definitions: Chain, derivatives: Iterable[Derivative], new: bool
    ) -> dict[str, str] | None:
        """Definitions and derivatives by the names under which the calculus knows them."""
        calculus = self.bench.calculus
        names: dict[str, str] = {}
        fresh: list[Equation] = []
        for definition in definitions:
            expression = renamed(definition.expression, names)
            known = self._known(Equation(definition.tensor, definition.indices, expression))
            if known is not None:
                names[definition.tensor] = known
            elif not new:
                return None
            else:
                fresh.append(replace(definition, expression=expression))
        wanted: list[Derivative] = []
        for d in derivatives:
            numerator = names.get(d.numerator, d.numerator)
            by = tuple(names.get(name, name) for name in d.denominators)
            name = derivative_name(numerator, by, d.own)
            names[d.name] = name
            if name not in calculus.asked:
                wanted.append(Derivative(name, numerator, by, d.own))
        if wanted and not new:
            return None
        calculus.extend(tuple(fresh), wanted)
        for d in wanted:
            calculus.resolve(d.name)
        return names

    def _known(self, definition: Equation) -> str | None:
        expression = lowered(definition.expression, self.scope)
        equations = self.bench.calculus.equations
        own = self.judged.reading.definitions if self.judged.reading is not None else ()
        # The claim's own first, then the latest: of these the derivatives are known.
        for name in (*(d.tensor for d in own), *reversed(equations)):
            equation = equations[name]
            if name[0] == "‹" and equation.shape == definition.shape:
                moved = dict(zip(definition.indices, equation.indices, strict=True))
                if alike(substitute(expression, moved), equation.expression):
                    return name
        return None

    # --- trials

    def values(self, text: str, point: int = 0) -> tuple[Array, Array] | None:
        """Truth and claim of a text at a point, or None where it has none."""
        self.trials += 1
        side = self._side_of(text)
        if side is not None:
            return self._line_values(side, point)
        reading = self.read(text)
        if reading is None:
            return None
        truth, claim = self._value(reading, 0, point), self._value(reading, 1, point)
        return None if truth is None or claim is None else (truth, claim)

    def _side_of(self, text: str) -> str | None:
        """The wrong side in a text that differs from the claim there alone; None of any other text."""
        if self.flipped or self.truth_side is None:
            return None
        start, rest = self.side.span.start, len(self.text) - self.side.span.end
        end = len(text) - rest
        if text[:start] != self.text[:start] or text[end:] != self.text[self.side.span.end :]:
            return None
        return text[start:end]

    def _line_values(self, side: str, point: int) -> tuple[Array, Array] | None:
        """Truth, worked out once, and another side, read like a line of a derivation from the truth."""
        truth_side = self.truth_side
        assert truth_side is not None
        free = truth_side.indices
        if point not in self._truths:
            self._truths[point] = self.evaluated(truth_side.expression, free, self.point(point))
        truth = self._truths[point]
        other = self._line(side, truth_side)
        if truth is None or other is None:
            return None
        claim = self.evaluated(other, free, self.point(point))
        return None if claim is None else (truth, claim)

    def _line(self, side: str, truth: Side) -> Expression | None:
        if side not in self._lines:
            self._lines[side] = self._line_anew(side, truth)
        return self._lines[side]

    def _line_anew(self, side: str, truth: Side) -> Expression | None:
        try:
            tree = parse_expression(Source("suggestion", side), self.scope.vocabulary)
            found, derivatives, definitions, _ = elaborate_expression(
                tree,
                self.scope,
                free=truth.indices,
                matrix=truth.matrix,
                prefix=f"s{next(_numbers)}.",
            )
        except Issue:
            return None
        have, want = (tuple(i.dimension for i in s.indices) for s in (found, truth))
        if have != want or (found.row != truth.row and len(want) == 1 and found.matrix):
            return None
        names = self._names(definitions, derivatives, False)
        if names is None:
            return None
        moved = dict(zip(found.indices, truth.indices, strict=True))
        return renamed(substitute(found.expression, moved), names)

    def _value(self, reading: Reading, which: int, point: int) -> Array | None:
        return self.evaluated(self._sides(reading)[which].expression, reading.free, self.point(point))

    def point(self, number: int) -> Point:
        """A point of the workbench, tensors given at it put in."""
        if number not in self._points:
            where = self.bench.points[number % len(self.bench.points)]
            reading = self.judged.reading
            self._points[number] = where.at(reading.at) if reading is not None and reading.at else where
        return self._points[number]

    @cached_property
    def _points(self) -> dict[int, Point]:
        return {}

    def evaluated(self, expression: Expression, free: tuple[Index, ...], point: Point) -> Array | None:
        """An expression at a point."""
        try:
            low = lowered(expression, self.scope)
            for name in references(low):
                self.bench.calculus.resolve(name)
            point.ensure(references(low))
            array = np.asarray(evaluate(low, free, point.environment), dtype=float)
            return np.broadcast_to(array, tuple(i.dimension.size(point.sizes) for i in free))
        except (MemoryError, NotImplementedError, np.linalg.LinAlgError, KeyError, ValueError, TypeError):
            return None

    def redrawn_ratio(self, number: int) -> float | None:
        """The ratio of truth to claim at other values and the same sizes; None where it is not constant."""
        reading = self.reading
        if reading is None or reading.at or self.bench.spec.data:
            return None
        base = self.point(0)
        rng = np.random.default_rng([self.bench.seed, 4711, number])
        try:
            arrays = draw(self.bench.spec.tensors.values(), base.sizes, rng)
        except ValueError:
            return None
        environment = Environment(arrays, frozenset(), base.sizes, base.environment.functions)
        point = Point(self.bench.calculus, environment, self.bench.spec.tensors)
        truth, claim = (self._value_at(reading, which, point) for which in (0, 1))
        if truth is None or claim is None or not np.isfinite(truth).all() or not np.any(claim):
            return None
        ratio = float(np.vdot(claim, truth) / np.vdot(claim, claim))
        return ratio if self.close(truth, ratio * claim) else None

    def _value_at(self, reading: Reading, which: int, point: Point) -> Array | None:
        return self.evaluated(self._sides(reading)[which].expression, reading.free, point)

    def fits(self, text: str) -> bool:
        """Whether a text is true at two points, as far as numbers go."""
        if text not in self._fits:
            pair = self.values(text)
            fits = pair is not None and self.close(*pair)
            if fits and len(self.bench.points) > 1:
                pair = self.values(text, 1)
                fits = pair is not None and self.close(*pair)
            self._fits[text] = fits
        return self._fits[text]

    def holds(self, text: str) -> bool:
        """Whether a text, decided like any claim, is proved or verified."""
        reading = self.read(text)
        return reading is not None and judge(self.bench, reading).holds


def is_derivative(tree: Tree) -> bool:
    """Whether a side is a derivative and nothing else."""
    match tree:
        case DerivativeTree():
            return True
        case Parenthesis(body) | Indexed(body):
            return is_derivative(body)
        case _:
            return False


def renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with some tensors called otherwise."""
    if not names:
        return expression
    if isinstance(expression, Ref):
        name = names.get(expression.tensor)
        return expression if name is None else Ref(name, expression.indices)
    return mapped(expression, lambda part: renamed(part, names))


def _renamed(side: Side, names: Mapping[str, str]) -> Side:
    return Side(renamed(side.expression, names), side.indices, side.row, side.matrix)
