"""The state of one formula being read: its scope, and what reading it brings to light."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tensorgrad_cli.algebra.expression import Derivative, Dimension, Equation, Expression, Index, Position
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.implied_sums import ImpliedSums
from tensorgrad_cli.algebra.library import BUILTINS, Scope, derivative_name, function_name
from tensorgrad_cli.algebra.ranges import Ranges, shape_words
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.notation.later import LAYERS, not_yet
from tensorgrad_cli.notation.spelling import nearest, run_together
from tensorgrad_cli.notation.tree import Call, Indexed, Name, Number, Signed, Tree
from tensorgrad_cli.source import Issue, Span

__all__ = ["LETTERS", "Reading", "shape_text"]

# Names of the indices that matrix notation leaves out.
LETTERS = "ijklpqrstuvabcdefgh"

# How many names a message lists at most.
_SHOWN = 12


def shape_text(shape: Sequence[Dimension]) -> str:
    """A declared shape as a spec writes it: `[m, p]`."""
    return f"[{', '.join(dimension.name for dimension in shape)}]"


class Reading:
    """One formula being read. Collects remarks, the derivatives asked for and the definitions under ∂."""

    def __init__(self, scope: Scope, prefix: str = "") -> None:
        self.scope = scope
        self.prefix = prefix
        self.ranges = Ranges()
        self.sums = ImpliedSums()
        self.remarks: list[str] = []
        self.derivatives: dict[str, Derivative] = {}
        self.definitions: list[Equation] = []
        self.implied: set[Index] = set()
        self._arity = dict(scope.abstract)

    def remark(self, text: str) -> None:
        """A sentence for the report, said once."""
        if text not in self.remarks:
            self.remarks.append(text)

    # --- tensors ---------------------------------------------------------------------------------

    def shape(self, name: Name) -> tuple[Dimension, ...]:
        """The shape of a tensor or step. Raises `unknown-tensor`, with a suggestion."""
        shape = self.scope.shape(name.text)
        if shape is None:
            raise self.unknown(name)
        return shape

    def is_function(self, name: str) -> bool:
        """Whether the name is that of a declared function."""
        return name in self.scope.abstract or name in self.scope.defined

    def unknown(self, name: Name) -> Issue:
        """The error for a name that is no tensor."""
        written = name.span.text
        if self.is_function(name.text) or (name.text in BUILTINS and name.text != "pi"):
            kind = BUILTINS.get(name.text, "function") if not self.is_function(name.text) else "function"
            word = "an operation" if kind == "operation" else "a function"
            return Issue(
                "not-a-tensor",
                name.span,
                f"{written} is {word}, and stands here without an argument",
                f"write {written}(…)",
            )
        if name.text in self.scope.dimensions:
            message = f"{written} is a dimension, not a tensor"
            return Issue("unknown-tensor", name.span, message, f"without brackets, {written} is its size")
        known = {*self.scope.tensors, *self.scope.steps}
        parts = run_together(name.text, known)
        meant = " ".join(self.scope.spelling(part) for part in parts or nearest(name.text, known))
        help = f"did you mean {meant}?" if meant else None
        if name.text == "e":
            help = "e is no number here: write exp(1), and exp(x) for its powers"
        elif name.text == "I":
            help = "with indices the identity is written delta[i,j]"
        elif help is None and known:
            shown = sorted(self.scope.spelling(k) for k in known)
            more = ", …" if len(shown) > _SHOWN else ""
            help = f"known here: {', '.join(shown[:_SHOWN])}{more}"
        return Issue("unknown-tensor", name.span, f"there is no tensor or step named {written} here", help)

    def entry(self, written: str, shape: Sequence[Dimension], tree: Indexed) -> None:
        """Checks that as many positions stand in the brackets as the tensor has axes."""
        count = len(tree.positions)
        if count == len(shape):
            return
        axes = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}, {shape_text(shape)}"
        if not shape:
            raise Issue(
                "wrong-rank", tree.span, f"{written} is a scalar and takes no indices", f"write {written}"
            )
        raise Issue(
            "wrong-rank",
            tree.span,
            f"{written} has {axes}, but {count} {'index stands' if count == 1 else 'indices stand'} "
            f"in {tree.span.text}",
            f"write {written}[{','.join(LETTERS[: len(shape)])}]",
        )

    def position(self, tree: Tree, env: dict[str, Index], dimension: Dimension, span: Span) -> Position:
        """A position in the brackets of an entry: an index, pinned to the dimension of its axis, or a number."""
        match tree:
            case Name(text):
                if text not in env:
                    raise Issue(
                        "unbound-index", tree.span, f"the index {text} is neither free nor summed here"
                    )
                self.ranges.meet(env[text], dimension, span)
                return env[text]
            case Number(value):
                if value.denominator != 1:
                    raise Issue(
                        "position", tree.span, f"a position is a whole number, {tree.span.text} is none"
                    )
                self._inside(int(value), dimension, tree, span)
                return int(value)
            case Signed("-", Number(value)) if value.denominator == 1 and value > 0:
                raise Issue(
                    "position-out-of-range",
                    tree.span,
                    f"{tree.span.text} is outside: positions count from 0, and no negative one means the last",
                )
            case _:
                self.plain(tree)
                raise Issue(
                    "position", tree.span, f"a position is an index or a number, {tree.span.text} is none"
                )

    def plain(self, tree: Tree) -> None:
        """Raises `not-yet` for a position that is neither an index nor a number."""
        match tree:
            case Name() | Number() | Signed(_, Number()):
                return
            case Indexed():
                raise not_yet(tree.span, "a position that an integer tensor holds")
            case _:
                raise not_yet(tree.span, "a shifted position")

    def _inside(self, value: int, dimension: Dimension, tree: Tree, span: Span) -> None:
        size = self.ranges.find(dimension).fixed if self.ranges.known(dimension) else None
        if size is not None and value >= size:
            raise Issue(
                "position-out-of-range",
                tree.span,
                f"position {value} is outside: the axis has {size} entries in {span.text}",
                f"positions count from 0, the last is {size - 1}",
            )

    # --- functions -------------------------------------------------------------------------------

    def function(self, call: Call) -> tuple[str, tuple[int, ...]]:
        """The function of a call and how often it is differentiated in each argument. Checks their number."""
        name, count = call.function.text, len(call.arguments)
        written = call.function.span.text
        if call.keywords:
            raise Issue(
                "keyword", call.keywords[0][0].span, f"{written} takes no {call.keywords[0][0].text}="
            )
        arity = self._arguments(call)
        if count != arity:
            raise Issue(
                "arguments",
                call.span,
                f"{written} takes {arity} {'argument' if arity == 1 else 'arguments'}, "
                f"here {'is' if count == 1 else 'are'} {count}",
            )
        order = [0] * arity
        if call.primes:
            if arity != 1:
                raise Issue(
                    "arguments",
                    call.span,
                    f"{written} has {arity} arguments, a prime does not say by which one to differentiate",
                    f"write {written}.1(…) for the derivative by the first",
                )
            order[0] = call.primes
        for place in call.partials:
            if not 1 <= place <= arity:
                raise Issue("arguments", call.span, f"{written} has no argument number {place}")
            order[place - 1] += 1
        return function_name(name) if self.is_function(name) else name, tuple(order)

    def _arguments(self, call: Call) -> int:
        name = call.function.text
        if name in self.scope.defined:
            return len(self.scope.defined[name].parameters)
        if name in self.scope.abstract:
            if not self._arity[name]:
                self._arity[name] = max(1, len(call.arguments), *call.partials)
            return self._arity[name]
        if name in FUNCTIONS:
            return len(FUNCTIONS[name].parameters)
        raise self.unknown_function(call)

    def refuse_layer(self, call: Call) -> None:
        """Raises `not-yet` for the call of a layer, before its arguments are looked at."""
        name = call.function.text
        if name in LAYERS and not self.is_function(name):
            help = "write the layer's equations as steps of the chain"
            raise not_yet(call.span, "a layer", help)

    def unknown_function(self, call: Call) -> Issue:
        """The error for a call of something that is no function."""
        name, written = call.function.text, call.function.span.text
        known = {*self.scope.abstract, *self.scope.defined, *BUILTINS}
        close = nearest(name, known)
        help = f"did you mean {self.scope.spelling(close[0])}?" if close else "declare it under functions:"
        return Issue("unknown-function", call.function.span, f"there is no function named {written}", help)

    # --- derivatives -----------------------------------------------------------------------------

    def derivative(self, numerator: str, denominators: Iterable[str], own: bool) -> str:
        """Asks for a derivative; the name of its tensor."""
        by = tuple(denominators)
        name = derivative_name(numerator, by, own)
        self.derivatives[name] = Derivative(name, numerator, by, own)
        return name

    def define(self, expression: Expression, axes: Sequence[Index]) -> str:
        """Names an expression under ∂: a definition whose indices are those given, as free ones."""
        name = f"‹{self.prefix}{len(self.definitions) + 1}›"
        names = _distinct([axis.name for axis in axes])
        free = {axis: Index(n, axis.dimension) for axis, n in zip(axes, names, strict=True)}
        self.definitions.append(Equation(name, tuple(free.values()), substitute(expression, free)))
        return name

    def resolved_definitions(self) -> tuple[Equation, ...]:
        """The definitions with the dimensions found."""
        return tuple(
            Equation(d.tensor, tuple(map(self.ranges.index, d.indices)), self.ranges.resolved(d.expression))
            for d in self.definitions
        )

    def words(self, shape: Sequence[Dimension]) -> str:
        """A shape in words."""
        return shape_words(shape)


def _distinct(names: Sequence[str]) -> list[str]:
    out: list[str] = []
    for name in names:
        spare = (letter for letter in LETTERS if letter not in names and letter not in out)
        out.append(name if name not in out else next(spare, name + "1"))
    return out
