"""What matrix notation computes with: an expression with its axes in order, and how shapes meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension, Expression, Index, Position, Ref, fresh
from tensorgrad_cli.algebra.ranges import Ranges
from tensorgrad_cli.algebra.reading import LETTERS, Reading
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.source import Issue, Span

__all__ = ["Meeting", "Value", "axes_of", "entrywise", "meet", "shapes_do_not_meet", "tensor_value"]


class Value(Struct, frozen=True):
    """A value of matrix notation: `axes` are fresh bound indices, free in the expression or repeated along.

    `row` is true of a row vector, `number` of what is made of numbers alone.
    """

    expression: Expression
    axes: tuple[Index, ...]
    span: Span
    row: bool = False
    number: bool = False

    @property
    def text(self) -> str:
        """What was written."""
        return self.span.text

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.axes)


def axes_of(shape: Sequence[Dimension]) -> tuple[Index, ...]:
    """Fresh axes of the given dimensions."""
    return tuple(fresh(Index(LETTERS[k % len(LETTERS)], d)) for k, d in enumerate(shape))


def tensor_value(name: str, shape: Sequence[Dimension], span: Span) -> Value:
    """A whole tensor, step or derivative."""
    axes = axes_of(shape)
    return Value(Ref(name, axes), axes, span)


class Meeting(Struct, frozen=True):
    """How two shapes meet: what to put for the axes of each, the axes of the result, and whether one stretched."""

    left: Mapping[Index, Position]
    right: Mapping[Index, Position]
    axes: tuple[Index, ...]
    row: bool
    stretched: bool


def meet(ranges: Ranges, a: Value, b: Value) -> Meeting | None:
    """The shapes of two values entry by entry: mathematics first (equal shapes), NumPy second. None: they don't."""
    if not a.axes:
        return Meeting({}, {}, b.axes, b.row, False)
    if not b.axes:
        return Meeting({}, {}, a.axes, a.row, False)
    if a.rank == b.rank and a.row == b.row:
        pairs = tuple((x.dimension, y.dimension) for x, y in zip(a.axes, b.axes, strict=True))
        if ranges.same(pairs):
            return Meeting({}, dict(zip(b.axes, a.axes, strict=True)), a.axes, a.row, False)
    if a.row or b.row:
        return None
    return _stretch(ranges, a.axes, b.axes)


def _stretch(ranges: Ranges, left: Sequence[Index], right: Sequence[Index]) -> Meeting | None:
    """NumPy's rule: shapes line up from the last axis; a 1 and a missing axis stretch."""
    for_left: dict[Index, Position] = {}
    for_right: dict[Index, Position] = {}
    axes: list[Index] = []
    for k in range(1, max(len(left), len(right)) + 1):
        x = left[-k] if k <= len(left) else None
        y = right[-k] if k <= len(right) else None
        if x is None or y is None:
            axes += [axis for axis in (x, y) if axis is not None]
        elif ranges.same(((x.dimension, y.dimension),)):
            for_right[y] = x
            axes.append(x)
        elif ranges.find(x.dimension).fixed == 1:
            for_left[x] = 0
            axes.append(y)
        elif ranges.find(y.dimension).fixed == 1:
            for_right[y] = 0
            axes.append(x)
        else:
            return None
    return Meeting(for_left, for_right, tuple(reversed(axes)), False, True)


def entrywise(
    reading: Reading, values: Sequence[Value], sign: str, span: Span, signs: Sequence[str] = ()
) -> tuple[tuple[Expression, ...], tuple[Index, ...], bool]:
    """Values brought to one shape: their expressions, the axes they share, whether it is a row. The sign is what a
    message says that joins them, or for each value after the first that in `signs`.

    Raises `shape-mismatch`, naming both shapes.
    """
    so_far = values[0]
    expressions = [so_far.expression]
    for number, value in enumerate(values[1:]):
        sign = signs[number] if signs else sign
        meeting = meet(reading.ranges, so_far, value)
        if meeting is None:
            raise _cannot_meet(reading, so_far, value, sign)
        if meeting.stretched:
            reading.remark(_stretching(reading, so_far, value, meeting))
        elif not (so_far.axes and value.axes) and sign in "+-":
            _spread(reading, so_far, value)
        if meeting.left:
            expressions = [substitute(e, meeting.left) for e in expressions]
        expressions.append(substitute(value.expression, meeting.right))
        so_far = Value(so_far.expression, meeting.axes, so_far.span.to(value.span), meeting.row)
    return tuple(expressions), so_far.axes, so_far.row


def _spread(reading: Reading, a: Value, b: Value) -> None:
    """A scalar added to a tensor: said, unless it is a number."""
    small, large = (b, a) if a.axes else (a, b)
    if large.axes and not small.number:
        reading.remark(f"the scalar {small.text} is added to every entry of {large.text}")


def _stretching(reading: Reading, a: Value, b: Value, meeting: Meeting) -> str:
    words = reading.ranges.words
    small, large = (b, a) if a.rank >= b.rank else (a, b)
    return (
        f"{small.text}, {words(small.axes)}, is broadcast against {large.text}, {words(large.axes)}, "
        f"to {words(meeting.axes)}: shapes line up from the last axis, as in NumPy"
    )


def shapes_do_not_meet(reading: Reading, a: Value, b: Value, reason: str, help: str | None = None) -> Issue:
    """The error for two shapes: both in words, and why they don't meet."""
    left, right = reading.ranges.words(a.axes, a.row), reading.ranges.words(b.axes, b.row)
    # `W W`: both are one tensor.
    shapes = dict.fromkeys((f"{_bare(a.text)} is {left}", f"{_bare(b.text)} is {right}"))
    return Issue(
        "shape-mismatch",
        a.span.to(b.span),
        f"{', '.join(shapes)}; {reason}.",
        help,
        ((a.span, left), (b.span, right)),
    )


def _bare(text: str) -> str:
    """A text without the parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and k < len(text) - 1:
            return text
    return text[1:-1].strip()


def _cannot_meet(reading: Reading, a: Value, b: Value, sign: str) -> Issue:
    if a.row or b.row:
        reason = "a row never broadcasts"
        help = None
        if a.rank == b.rank == 1 and reading.ranges.same(((a.axes[0].dimension, b.axes[0].dimension),)):
            other = a if a.row else b
            reason = f"a row and a column do not meet in {sign}"
            help = f"transpose one of them: {_transposed(other.text)}"
        return shapes_do_not_meet(reading, a, b, reason, help)
    ranges = reading.ranges
    for x, y in zip(reversed(a.axes), reversed(b.axes), strict=False):
        if not ranges.same(((x.dimension, y.dimension),)) and 1 not in (
            ranges.find(x.dimension).fixed,
            ranges.find(y.dimension).fixed,
        ):
            clash = f"{ranges.find(x.dimension).name} does not meet {ranges.find(y.dimension).name}"
            break
    else:
        clash = "they differ"
    return shapes_do_not_meet(reading, a, b, f"{sign} lines shapes up from the last axis, and {clash}")


def _transposed(text: str) -> str:
    return text.removesuffix("ᵀ") if text.endswith("ᵀ") else f"{text}ᵀ" if text.isalnum() else f"({text})ᵀ"
