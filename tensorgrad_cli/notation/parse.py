"""Text to tree: a hand-written precedence parser of the notation.

From tight to loose:

1. brackets, calls, primes, transposes, `^` and `**` (right to left; the exponent is one factor with an
   optional sign): `-x^2` is `-(x^2)`, `x^1/2` is half of x
2. juxtaposition: `2 x[i] w[i]`; a number over a number in front is its coefficient, `1/2 x`
3. `*`, `/`, `@`, `⊙`, `∘`, `⊗`, left to right: `A ⊙ B C` is `A ⊙ (B C)`, `a / b * c` is `(a / b) * c`
4. a sign in front; a written sum, which takes the whole product that follows and may end a product
5. `+` and `-`, left to right

The first level is in `factors.py` (with `calls.py` and `derivatives.py`), the others are in `products.py`.
Brackets are read innermost first (`tokens.py` has matched them), so that the parser never recurses into one;
all else that nests is counted. What a name means decides only whether a parenthesis behind it is its argument
and whether `da/db` is a derivative; everything else about names is left to `algebra.elaborate`.
"""

from __future__ import annotations

from tensorgrad_cli.notation.cursor import Arguments, Cursor, Positions
from tensorgrad_cli.notation.factors import unexpected
from tensorgrad_cli.notation.names import canonical, leading_name
from tensorgrad_cli.notation.products import terms
from tensorgrad_cli.notation.tokens import COMPARISONS, Tokens, too_deep
from tensorgrad_cli.notation.tree import EquationTree, Mask, Name, Tree, Vocabulary
from tensorgrad_cli.source import Issue, Source, Span

__all__ = ["left_name", "parse_definition", "parse_equation", "parse_expression"]


def parse_equation(source: Source, vocabulary: Vocabulary) -> EquationTree:
    """The equation in a source; its equals sign is the first one outside all brackets. Raises Issue."""
    tokens = Tokens(source)
    p = _read_groups(tokens, vocabulary)
    if p.kinds[0] == "=":
        raise Issue("no-equation", p.span(0), "nothing stands on the left of the equals sign")
    left = _guarded(p)
    _expect_equals(p)
    p.k += 1
    right = _guarded(p)
    _expect_end(p)
    return EquationTree(left, right, left.span.to(right.span))


def parse_expression(source: Source, vocabulary: Vocabulary) -> Tree:
    """The expression that a source holds, all of it. Raises Issue."""
    p = _read_groups(Tokens(source), vocabulary)
    tree = _guarded(p)
    _expect_end(p)
    return tree


def parse_definition(source: Source, vocabulary: Vocabulary) -> tuple[Name, tuple[Name, ...], Tree]:
    """A function's definition `C(u, t) = (u - t)^2 / 2`: its name, its parameters and its body. Raises Issue.

    The parameters hide everything else of the same names in the body, where they are numbers.
    """
    tokens = Tokens(source)
    kinds = tokens.kinds
    if kinds[:2] != ["name", "("] or kinds[tokens.match[1] + 1] != "=":
        message = "a function is a name, or is defined as in `C(u, t) = (u - t)^2 / 2`"
        raise Issue("function-definition", source.span(), message)
    p = Cursor(tokens, vocabulary)
    parameters = _parameters(p)
    names = frozenset(parameter.text for parameter in parameters)
    inner = Vocabulary(
        functions=vocabulary.functions - names,
        tensors=vocabulary.tensors | names,
        dimensions=vocabulary.dimensions - names,
        builtins=vocabulary.builtins,
        layers=vocabulary.layers,
    )
    closer = tokens.match[1]
    p = _read_groups(tokens, inner, after=closer)
    p.k = closer + 2
    body = _guarded(p)
    _expect_end(p)
    return p.name(0), parameters, body


def _parameters(p: Cursor) -> tuple[Name, ...]:
    out: list[Name] = []
    for k in range(2, p.match[1]):
        if p.kinds[k] != ("name" if k % 2 == 0 else ","):
            message = "the parameters of a function are names with commas between them"
            raise Issue("function-definition", p.span(k), message, "as in `C(u, t) = (u - t)^2 / 2`")
        if k % 2 == 0:
            out.append(p.name(k))
            if out[-1] in out[:-1] or any(out[-1].text == other.text for other in out[:-1]):
                raise Issue("function-definition", p.span(k), f"the parameter `{p.text(k)}` stands twice")
    if p.match[1] % 2 == 0:
        span = Span(p.source, p.starts[1], p.ends[p.match[1]])
        raise Issue("function-definition", span, "a parameter is missing", "as in `C(u, t) = (u - t)^2 / 2`")
    return tuple(out)


def left_name(source: Source) -> tuple[str, str, Span, tuple[str, ...] | None]:
    """What a line of a chain (or a definition) begins with: name, spelling, span, and what its brackets hold.

    This looks at the beginning only, so that all names of a chain are known before any line is parsed. The
    positions in the brackets are given as they are written (`h[t-1,i]` has `('t-1', 'i')`), None where there
    are no brackets or they do not close. Raises Issue `step-name` where the line begins with no name.
    """
    found = leading_name(source.text)
    if found is None:
        first = source.text.split("=")[0].strip()
        message = f"`{first}` is not a name"
        if not first:
            empty = not source.text.strip()
            message = "the line is empty" if empty else "nothing stands on the left of the equals sign"
        help = "a step begins with the name that it defines: `z[i,j] = x[i,k] w[k,j]` or `z = x w`"
        raise Issue(
            "step-name", source.span(0, max(len(source.text.split("=")[0].rstrip()), 1)), message, help
        )
    spelling = found[1]
    rest = source.text[found.end() :].lstrip()
    indices = _bracketed(rest, 1) if rest[:1] == "[" else None
    return canonical(spelling), spelling, source.span(found.start(1), found.end(1)), indices


def _bracketed(text: str, start: int) -> tuple[str, ...] | None:
    depth, last = 0, start
    out = []
    for k in range(start, len(text)):
        character = text[k]
        if character in "[(":
            depth += 1
        elif character in ")]" and depth:
            depth -= 1
        elif character == "]":
            out.append(text[last:k].strip())
            return tuple(out) if out != [""] else ()
        elif character == "," and not depth:
            out.append(text[last:k].strip())
            last = k + 1
    return None


def _guarded(p: Cursor) -> Tree:
    p.depth = 0
    p.positions = False
    try:
        return terms(p)
    except RecursionError:
        raise too_deep(p.span(min(p.k, len(p.kinds) - 1))) from None


def _read_groups(tokens: Tokens, vocabulary: Vocabulary, after: int = -1) -> Cursor:
    """A cursor at the beginning, with all brackets behind token `after` read, innermost first."""
    p = Cursor(tokens, vocabulary)
    around = {opener: parent for opener, parent, _ in tokens.groups}
    for opener, _, depth in tokens.groups:
        if opener < after:
            continue
        p.k = opener + 1
        p.depth = depth
        p.positions = _within_positions(p, opener, around)
        try:
            p.groups[opener] = _contents(p, opener)
        except RecursionError:
            raise too_deep(p.span(opener)) from None
    p.k = 0
    return p


def _within_positions(p: Cursor, opener: int, around: dict[int, int]) -> bool:
    while opener >= 0:
        kind = p.kinds[opener]
        if kind == "[":
            return True
        if kind == "mask":
            return False
        opener = around[opener]
    return False


def _contents(p: Cursor, opener: int) -> Arguments | Positions | Tree:
    kind = p.kinds[opener]
    if kind == "(":
        return _arguments(p, p.match[opener])
    if kind == "[":
        return _positions(p, p.match[opener])
    if kind == "mask":
        return _mask(p, opener)
    body = terms(p)
    if p.k != p.match[opener]:
        raise unexpected(p)
    return body


def _arguments(p: Cursor, closer: int) -> Arguments:
    out: list[tuple[Name | None, Tree]] = []
    if p.k == closer:
        return ()
    while True:
        keyword = None
        if p.kinds[p.k] == "name" and p.kinds[p.k + 1] == "=":
            keyword = p.name(p.k)
            p.k += 2
        out.append((keyword, terms(p)))
        if p.k == closer:
            return tuple(out)
        if p.kinds[p.k] != ",":
            raise unexpected(p)
        p.k += 1


def _positions(p: Cursor, closer: int) -> Positions:
    out: list[tuple[Tree, Tree | None]] = []
    if p.k == closer:
        return ()
    while True:
        if p.kinds[p.k] == "name" and p.kinds[p.k + 1] in (",", "]"):
            tree: Tree = p.name(p.k)
            p.k += 1
        else:
            tree = terms(p)
        extent = None
        if p.kinds[p.k] == ":":
            p.k += 1
            extent = terms(p)
        out.append((tree, extent))
        if p.k == closer:
            return tuple(out)
        if p.kinds[p.k] != ",":
            raise unexpected(p)
        p.k += 1


def _mask(p: Cursor, opener: int) -> Mask:
    left = terms(p)
    sign = p.kinds[p.k]
    if sign not in COMPARISONS:
        raise unexpected(p, "a mask compares two positions or expressions: `[i <= j]`")
    p.k += 1
    right = terms(p)
    if p.kinds[p.k] in COMPARISONS:
        a, b = left.span.text, right.span.text
        message = "a mask compares two things"
        rest = p.slice(p.starts[p.k], p.starts[p.match[opener]])
        help = f"write `[{a} {sign} {b}] [{b} {rest}]`"
        raise Issue("comparison", p.span(p.k), message, help)
    if p.k != p.match[opener]:
        raise unexpected(p, "a mask compares two positions or expressions: `[i <= j]`")
    p.k += 1
    return Mask(left, "=" if sign == "==" else sign, right, p.since(p.starts[opener]))


def _expect_equals(p: Cursor) -> None:
    kind = p.kinds[p.k]
    if kind == "=":
        return
    if kind == "end":
        message = "there is no equals sign outside the brackets"
        raise Issue("no-equation", p.source.span(), message, "an equation is written `a = b`")
    if kind == "==":
        raise Issue("equals-sign", p.span(p.k), "an equation has a single equals sign", "write `=`")
    raise unexpected(p)


def _expect_end(p: Cursor) -> None:
    if p.kinds[p.k] != "end":
        raise unexpected(p)
