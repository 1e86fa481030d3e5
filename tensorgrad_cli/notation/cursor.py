"""Where the parser stands in a formula: its tokens, the groups it has read, and the names it knows."""

from __future__ import annotations

from tensorgrad_cli.notation.names import PARTIAL, SIGNS, canonical
from tensorgrad_cli.notation.tokens import DEEPEST, Tokens, too_deep
from tensorgrad_cli.notation.tree import IndexRange, Mask, Name, Tree, Vocabulary
from tensorgrad_cli.source import Issue, Source, Span

__all__ = ["FACTOR_STARTS", "Arguments", "Cursor", "Positions"]

Arguments = tuple[tuple[Name | None, Tree], ...]
"""What a parenthesis holds: each with its keyword, if it has one."""

Positions = tuple[tuple[Tree, Tree | None], ...]
"""What index brackets hold: each with the range behind its colon, if it has one."""

FACTOR_STARTS = frozenset(
    ("name", "partials", "number", "(", "mask", "|", "‖", "||", "√", "∛", "∂", "∇", "Σ", "Π")
)
"""The kinds of tokens that a factor may begin with."""

_DIFFERENTIATED = frozenset(("name", "partials", "(", "^", "superscript", "⁺"))

_SIGNS = {word: sign for sign, word in SIGNS.items()}

# Words of ours that are tensors and numbers: never calls, whatever kind the table of ours gives them.
_NOUNS = frozenset(("I", "ones", "eye", "delta", "pi"))


def _words_read(tokens: Tokens, vocabulary: Vocabulary) -> list[str]:
    """The kinds of tokens, signs written as words read as themselves: `partial` as ∂ where it names nothing of the spec and
    something to differentiate follows."""
    kinds, text = tokens.kinds, tokens.source.text
    if not any(word in text for word in (PARTIAL, *_SIGNS)):
        return kinds
    known = vocabulary.tensors | vocabulary.functions | vocabulary.dimensions
    read = kinds.copy()
    for k, kind in enumerate(kinds):
        word = tokens.text(k) if kind == "name" else ""
        if word in _SIGNS:
            read[k] = _SIGNS[word]
        elif word == PARTIAL and PARTIAL not in known and kinds[k + 1] in _DIFFERENTIATED:
            read[k] = "∂"
    return read


class Cursor:
    """A place in the tokens of a formula.

    `k` is the next token. `positions` says that the text is within index brackets, where every name is an
    index. `groups` has the contents of the brackets that were read, by their opening token: the innermost
    are read first, so that a bracket's contents are there when it is met. `depth` counts all that nests.
    """

    __slots__ = (
        "depth",
        "ends",
        "groups",
        "k",
        "kinds",
        "match",
        "positions",
        "source",
        "starts",
        "vocabulary",
    )

    def __init__(self, tokens: Tokens, vocabulary: Vocabulary) -> None:
        self.source: Source = tokens.source
        self.kinds = _words_read(tokens, vocabulary)
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.match = tokens.match
        self.vocabulary = vocabulary
        self.groups: dict[int, Arguments | Positions | Tree] = {}
        self.k = 0
        self.positions = False
        self.depth = 0

    def text(self, k: int) -> str:
        """The characters of token `k`."""
        return self.source.text[self.starts[k] : self.ends[k]]

    def slice(self, start: int, end: int) -> str:
        """The characters between two offsets, blanks around them left out."""
        return self.source.text[start:end].strip()

    def since(self, start: int) -> Span:
        """The span from an offset to the end of the last token taken."""
        return Span(self.source, start, self.ends[self.k - 1])

    def span(self, k: int) -> Span:
        """The span of token `k`."""
        return Span(self.source, self.starts[k], self.ends[k])

    def name(self, k: int) -> Name:
        """The name that token `k` is; without the positions behind a name of kind 'partials'."""
        start, end = self.starts[k], self.ends[k]
        text = self.source.text[start:end]
        if self.kinds[k] == "partials":
            text = text[: text.index(".")]
            end = start + len(text)
        return Name(text if text.isascii() else canonical(text), Span(self.source, start, end))

    def role(self, name: str) -> str:
        """What a name stands for, by what hides what.

        'function' (declared), 'tensor', a kind of ours ('our function', 'operation', 'matrix', 'constant',
        'layer'), 'dimension' or 'unknown'.
        """
        vocabulary = self.vocabulary
        if name in vocabulary.functions:
            return "function"
        if name in vocabulary.tensors:
            return "tensor"
        if name in _NOUNS:
            return "constant"
        kind = vocabulary.builtins.get(name)
        if kind is not None:
            return "our function" if kind == "function" else kind
        if name in vocabulary.layers:
            return "layer"
        if name in ("sum", "prod"):
            return "operation"
        return "dimension" if name in vocabulary.dimensions else "unknown"

    def deeper(self, by: int = 1) -> None:
        """Count that the formula nests deeper here. Raises Issue `too-deep`."""
        self.depth += by
        if self.depth > DEEPEST:
            raise too_deep(self.span(self.k))

    def factor_text(self, k: int) -> str:
        """Roughly the factor at token `k`, for a message: a name or group with the groups behind it."""
        start = self.starts[k]
        if k in self.match:
            k = self.match[k]
        while k + 1 in self.match and self.kinds[k + 1] in "([":
            k = self.match[k + 1]
        return self.source.text[start : self.ends[k]]

    def written_sum(self) -> str | None:
        """'sum' or 'prod' where a written one begins here: `Σ`, `∏`, or our `sum`, `prod` with brackets."""
        kind = self.kinds[self.k]
        if kind != "name":
            return {"Σ": "sum", "Π": "prod"}.get(kind)
        if self.kinds[self.k + 1] not in ("[", "mask"):
            return None
        word = self.text(self.k)
        if word not in ("sum", "prod") or self.positions:
            return None
        vocabulary = self.vocabulary
        return None if word in vocabulary.tensors or word in vocabulary.functions else word

    def ranges(self, opener: int) -> tuple[IndexRange, ...]:
        """The indices that the brackets at `opener` bind. Raises Issue where one is no plain index."""
        if self.kinds[opener] == "mask":
            mask = self.groups[opener]
            assert isinstance(mask, Mask)
            raise Issue(
                "not-an-index",
                mask.span,
                "brackets behind an operation hold the indices that it runs over, not a condition",
                "write the condition as a factor, `sum[i] [i <= j] x[i]`, and a range as `sum[i:3] x[i]`",
            )
        out = []
        items: Positions = self.groups[opener]  # type: ignore[assignment]
        for tree, extent in items:
            if not isinstance(tree, Name):
                raise Issue(
                    "not-an-index",
                    tree.span,
                    f"`{tree.span.text}` is not an index",
                    "these brackets hold the indices to run over, such as `sum[i,j]` or `sum[k:3]`",
                )
            out.append(IndexRange(tree, extent, tree.span if extent is None else tree.span.to(extent.span)))
        if not out:
            raise Issue(
                "not-an-index",
                Span(self.source, self.starts[opener], self.ends[self.match[opener]]),
                "no index stands in these brackets",
                "name the indices to run over, such as `sum[i,j]`",
            )
        return tuple(out)
