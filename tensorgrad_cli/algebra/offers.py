"""What to write instead: a formula of matrix notation with indices, for the help of a message."""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad_cli.algebra.expression import Index
from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.values import Value
from tensorgrad_cli.notation.tree import Call, Derivative, Name, Number, Parenthesis, Transposed, Tree

__all__ = ["NUMERATOR", "offer_brackets", "offer_contraction", "offer_entrywise", "offer_sum", "with_indices"]

NUMERATOR = "ijkl"
_DENOMINATOR = "pqrstuv"


def with_indices(reading: Reading, tree: Tree, letters: Sequence[str]) -> str | None:
    """A simple formula of matrix notation with indices: `C'(y)` and i, j give `C'(y[i,j])`. None: not simple."""
    match tree:
        case Name(text):
            shape = reading.scope.shape(text)
            if shape is None or len(shape) not in (0, len(letters)):
                return None
            return f"{tree.span.text}[{','.join(letters)}]" if shape else tree.span.text
        case Number():
            return tree.span.text
        case Parenthesis(body):
            inner = with_indices(reading, body, letters)
            return inner if inner is None or isinstance(body, Name | Derivative) else f"({inner})"
        case Transposed(base, inverse=False):
            return with_indices(reading, base, tuple(reversed(letters)))
        case Call(function, arguments, keywords=(), indices=None):
            if not reading.is_function(function.text) and BUILTINS.get(function.text) != "function":
                return None
            inside = [with_indices(reading, argument, letters) for argument in arguments]
            if not arguments or None in inside:
                return None
            head = tree.span.source.text[tree.span.start : arguments[0].span.start]
            return f"{head}{', '.join(text for text in inside if text is not None)})"
        case Derivative():
            return _derivative(reading, tree, letters)
        case _:
            return None


def _derivative(reading: Reading, tree: Derivative, letters: Sequence[str]) -> str | None:
    left = list(letters)
    below: list[str] = []
    for denominator in reversed(tree.denominators):
        shape = reading.scope.shape(denominator.text) if isinstance(denominator, Name) else None
        if shape is None or len(shape) > len(left):
            return None
        own = left[len(left) - len(shape) :]
        left = left[: len(left) - len(shape)]
        below.insert(0, f"∂{denominator.span.text}[{','.join(own)}]" if own else f"∂{denominator.span.text}")
    above = with_indices(reading, tree.numerator, left)
    if above is None:
        return None
    sign = tree.span.source.text[tree.span.start : tree.numerator.span.start]
    return f"{sign}{above}/{''.join(below)}"


def letters_of(tree: Tree, reading: Reading, rank: int) -> tuple[str, ...]:
    """i, j, … for a tensor; those and p, q, … for the denominators of a derivative."""
    if isinstance(tree, Parenthesis):
        return letters_of(tree.body, reading, rank)
    below = 0
    if isinstance(tree, Derivative):
        shapes = (reading.scope.shape(d.text) for d in tree.denominators if isinstance(d, Name))
        below = sum(len(shape) for shape in shapes if shape is not None)
    return (*NUMERATOR[: rank - below], *_DENOMINATOR[:below])


def offer_brackets(reading: Reading, tree: Tree, rank: int) -> str:
    """How to write a matrix expression within index notation."""
    letters = letters_of(tree, reading, rank)
    simple = with_indices(reading, tree, letters)
    if simple is not None:
        return f"write {simple}"
    text = tree.span.text
    bare = isinstance(tree, Name | Parenthesis) or (isinstance(tree, Call) and tree.indices is None)
    return f"write {text if bare else f'({text})'}[{','.join(letters)}]"


def offer_entrywise(
    reading: Reading, left: Tree, right: Tree, a: Value, b: Value, sign: str = ""
) -> str | None:
    """Where one shape begins with the other, the same with indices: `ij,ijpq->ijpq` of a product."""
    if not a.axes or not b.axes or a.row or b.row:
        return None
    large = letters_of(left, reading, a.rank) if a.rank >= b.rank else letters_of(right, reading, b.rank)
    small = large[: min(a.rank, b.rank)]
    if not _meet(reading, a.axes, b.axes):
        return None
    first, second = (large, small) if a.rank >= b.rank else (small, large)
    return _offer(reading, left, right, first, second, large, sign)


def offer_contraction(reading: Reading, left: Tree, right: Tree, a: Value, b: Value) -> str | None:
    """A Jacobian by a matrix: the sum over the numerator's last index, `ikpq,kj->ijpq`."""
    letters = letters_of(left, reading, a.rank)
    above = sum(letter in NUMERATOR for letter in letters)
    if b.rank != 2 or a.rank <= 2 or above != 2 or not _meet(reading, a.axes[1:2], b.axes[:1]):
        return None
    first = ("i", "k", *letters[2:])
    return _offer(reading, left, right, first, ("k", "j"), ("i", "j", *letters[2:]))


def offer_sum(reading: Reading, tree: Tree, value: Value) -> str | None:
    """The sum over the numerator's two axes of a derivative, `sum[i,j] ∂C(y[i,j])/∂w[p,q]`."""
    letters = letters_of(tree, reading, value.rank)
    text = with_indices(reading, tree, letters)
    above = [letter for letter in letters if letter in NUMERATOR]
    if text is None or not above or len(above) == len(letters):
        return None
    text = text.removeprefix("(").removesuffix(")") if isinstance(tree, Parenthesis) else text
    left = ", ".join(letter for letter in letters if letter not in NUMERATOR)
    over = ",".join(above)
    return f"written with indices, sum[{over}] {text} sums over {over} and leaves {left}: did you mean that?"


def _meet(reading: Reading, a: Sequence[Index], b: Sequence[Index]) -> bool:
    find = reading.ranges.find
    return all(find(x.dimension) == find(y.dimension) for x, y in zip(a, b, strict=False))


def _offer(
    reading: Reading,
    left: Tree,
    right: Tree,
    first: Sequence[str],
    second: Sequence[str],
    out: Sequence[str],
    sign: str = "",
) -> str | None:
    texts = with_indices(reading, left, first), with_indices(reading, right, second)
    if texts[0] is None or texts[1] is None:
        return None
    if sign:
        return f"written with indices, {texts[0]} {sign} {texts[1]} is fine: did you mean that?"
    subscripts = f"{''.join(first)},{''.join(second)}->{''.join(out)}"
    return f"written with indices, {texts[0]} {texts[1]} is fine ({subscripts}): did you mean that?"
