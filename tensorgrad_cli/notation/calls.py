"""What a name is in a formula: a bare name, an entry's tensor, or a call.

A name with a parenthesis behind it is a call of a declared function, else a product with a declared tensor or
step (so that `g (x - m)` may be one), else a call of ours, else a product with a dimension.
"""

from __future__ import annotations

from tensorgrad_cli.notation.cursor import FACTOR_STARTS, Arguments, Cursor, Positions
from tensorgrad_cli.notation.spelling import nearest
from tensorgrad_cli.notation.tokens import PRIMES
from tensorgrad_cli.notation.tree import Call, IndexRange, Name, Tree
from tensorgrad_cli.source import Issue, Span

__all__ = ["index_brackets", "named", "needs_parentheses", "transposed_instead"]

_CALLED = frozenset(("function", "our function", "operation", "matrix", "layer"))

# What people write for functions that are called otherwise here.
_OTHER_WORDS = {
    "ln": "log",
    "e": "exp",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "arctan2": "atan2",
    "trace": "tr",
    "Tr": "tr",
    "sgn": "sign",
    "logistic": "sigmoid",
    "transpose": "ᵀ",
    "power": "pow",
    "maximum": "max",
    "minimum": "min",
}


def named(p: Cursor) -> Tree:
    """The name at the cursor, or the call that begins with it. An entry's brackets are left standing."""
    name = p.name(p.k)
    p.k += 1
    kind = p.kinds[p.k]
    if p.positions:
        return name
    role = p.role(name.text)
    if p.kinds[p.k - 1] == "partials":
        return _partial_call(p, name, role)
    if kind == "(":
        return _before_parenthesis(p, name, role)
    if kind == "[":
        return _before_brackets(p, name, role)
    if kind == "'":
        return _primed(p, name, role)
    # The name of a layer without parentheses is more likely that of a tensor not declared.
    bare = role in _CALLED and role != "layer"
    if bare and name.text not in p.vocabulary.tensors and name.text not in p.vocabulary.dimensions:
        raise _bare_function(p, name)
    return name


def _before_parenthesis(p: Cursor, name: Name, role: str) -> Tree:
    if role in _CALLED:
        return _call(p, name)
    if role == "unknown":
        raise _unknown_function(p, name)
    if role == "constant" and name.text in ("delta", "eye"):
        inner = p.slice(p.ends[p.k], p.starts[p.match[p.k]])
        raise Issue(
            "index-brackets",
            p.since(name.span.start).to(p.span(p.match[p.k])),
            f"the indices of {name.span.text} stand in square brackets",
            f"write `{name.span.text}[{inner}]`",
        )
    return name


def _before_brackets(p: Cursor, name: Name, role: str) -> Tree:
    if role not in _CALLED or name.text in p.vocabulary.tensors:
        return name
    opener, closer = p.k, p.match[p.k]
    brackets = p.source.text[p.starts[opener] : p.ends[closer]]
    span = Span(p.source, name.span.start, p.ends[closer])
    word = name.span.text
    if name.text in ("sum", "prod") and role == "operation":
        raise needs_parentheses(p, opener - 1)
    if name.text in ("sum", "prod"):
        sign = "Σ" if name.text == "sum" else "Π"
        message = f"`{word}` is a function of the spec and takes no index brackets"
        raise Issue("function-brackets", span, message, f"a written one is `{sign}{brackets} …`")
    if role in ("function", "our function", "layer"):
        kind = "layer" if role == "layer" else "function"
        raise Issue(
            "function-brackets",
            span,
            f"`{word}` is a {kind} and takes no index brackets",
            f"the brackets stand on what it is applied to: `{word}(x{brackets})`",
        )
    if p.kinds[closer + 1] != "(":
        raise Issue(
            "operation-parentheses",
            span,
            f"`{word}{brackets}` needs parentheses around what it runs over",
            f"write `{word}{brackets}({p.factor_text(closer + 1) or '…'})`",
        )
    indices = p.ranges(opener)
    p.k = closer + 1
    return _call(p, name, indices=indices)


def _primed(p: Cursor, name: Name, role: str) -> Tree:
    start = p.k
    primes = 0
    while p.kinds[p.k] == "'":
        primes += PRIMES.get(p.text(p.k), 1)
        p.k += 1
    marks = p.slice(p.starts[start], p.ends[p.k - 1])
    if role in _CALLED:
        if p.kinds[p.k] == "(":
            return _call(p, name, primes=primes)
        word = name.span.text
        message = f"`{word}{marks}` needs its argument in parentheses"
        raise Issue("function-argument", p.since(name.span.start), message, f"write `{word}{marks}(…)`")
    if role == "unknown" and p.kinds[p.k] == "(":
        raise _unknown_function(p, name)
    raise transposed_instead(name.span.text, p.since(name.span.start))


def transposed_instead(text: str, span: Span) -> Issue:
    """The issue of a prime on what is no function; `text` is what the prime stands behind."""
    return Issue(
        "prime", span, f"a prime is the derivative of a function, and `{text}` is none", f"write `{text}ᵀ`"
    )


def _partial_call(p: Cursor, name: Name, role: str) -> Tree:
    written = p.text(p.k - 1)
    partials = tuple(int(number) for number in written.split(".")[1:] if len(number) < 4)
    span = p.span(p.k - 1)
    if role == "unknown" and p.kinds[p.k] == "(":
        raise _unknown_function(p, name)
    if role not in _CALLED:
        word = name.span.text
        message = (
            f"`{written}` would be the derivative of a function in an argument, and `{word}` is no function"
        )
        raise Issue("not-a-function", span, message, f"an entry is written `{word}[0]`")
    if len(partials) != written.count(".") or 0 in partials:
        raise Issue(
            "argument-number", span, "the arguments of a function are counted from 1, as in `C.1(u, t)`"
        )
    if p.kinds[p.k] != "(":
        message = f"`{written}` needs its arguments in parentheses"
        raise Issue("function-argument", span, message, f"write `{written}(…)`")
    return _call(p, name, partials=partials)


def _call(
    p: Cursor,
    name: Name,
    primes: int = 0,
    partials: tuple[int, ...] = (),
    indices: tuple[IndexRange, ...] | None = None,
) -> Call:
    opener = p.k
    p.k = p.match[opener] + 1
    entries: Arguments = p.groups[opener]  # type: ignore[assignment]
    span = p.since(name.span.start)
    if not entries:
        raise Issue("function-argument", span, f"`{name.span.text}` has no argument")
    arguments: list[Tree] = []
    keywords: list[tuple[Name, Tree]] = []
    for keyword, tree in entries:
        if keyword is None:
            if keywords:
                message = "an argument without a name stands after one with a name"
                raise Issue("argument-order", tree.span, message)
            arguments.append(tree)
        elif any(keyword.text == other.text for other, _ in keywords):
            raise Issue("argument-twice", keyword.span, f"`{keyword.span.text}=` stands twice")
        else:
            keywords.append((keyword, tree))
    return Call(name, tuple(arguments), tuple(keywords), primes, partials, indices, span)


def needs_parentheses(p: Cursor, k: int) -> Issue:
    """The issue of a written sum, beginning at token `k`, where one factor is wanted."""
    return Issue("sum-parentheses", p.span(k), "a written sum needs parentheses here", "write `(sum[i] …)`")


def index_brackets(p: Cursor) -> tuple[Tree, ...]:
    """The positions in the brackets at the cursor, which is moved behind them."""
    opener = p.k
    items: Positions = p.groups[opener]  # type: ignore[assignment]
    p.k = p.match[opener] + 1
    for tree, extent in items:
        if extent is not None:
            raise Issue(
                "range",
                tree.span.to(extent.span),
                "a range is written where an index is bound, not in an entry",
                f"write `sum[{tree.span.text}:{extent.span.text}] …` and here `{tree.span.text}`",
            )
    if not items:
        message = "no index stands in these brackets"
        raise Issue("no-index", p.since(p.starts[opener]), message, "a scalar is written without brackets")
    return tuple(tree for tree, _ in items)


def _unknown_function(p: Cursor, name: Name) -> Issue:
    word = name.span.text
    vocabulary = p.vocabulary
    message = f"there is no function, tensor or step named `{word}`"
    other = _OTHER_WORDS.get(word)
    if other == "ᵀ":
        return Issue("unknown-function", name.span, message, "a transpose is written `Aᵀ` or `A.T`")
    if word[:1] == "d" and p.role(name.text[1:]) in _CALLED:
        inner = p.factor_text(p.k - 1)[1:]
        return Issue("unknown-function", name.span, message, f"a derivative is written `∂{inner}/∂x`")
    if other is not None and other not in vocabulary.builtins:
        other = None
    known = {*vocabulary.functions, *vocabulary.tensors, *vocabulary.builtins}
    if other is None:
        # A layer only where nothing that can be read is near.
        other = next(iter(nearest(name.text, known) or nearest(name.text, vocabulary.layers)), None)
    if other is not None:
        return Issue("unknown-function", name.span, message, f"did you mean `{other}`?")
    return Issue(
        "unknown-function",
        name.span,
        message,
        f"declare it: `functions: [{word}]`, or `{word}` among the tensors",
    )


def _bare_function(p: Cursor, name: Name) -> Issue:
    """A function without a parenthesis: `exp x`, `sin²(x)`, `log det X`, `tr|A|`."""
    k, kind, word = p.k, p.kinds[p.k], name.span.text
    if kind in ("superscript", "^", "**"):
        return _powered_function(p, name)
    if word in ("sum", "prod"):
        message = f"`{word}` needs the indices that it runs over"
        return Issue(
            "function-argument", name.span, message, f"write `{word}[i] …`, or `{word}(A)` of all entries"
        )
    if kind in FACTOR_STARTS:
        return _applied(p, name, k)
    argument = f"-{p.factor_text(k + 1)}" if kind == "-" and p.kinds[k + 1] in FACTOR_STARTS else "…"
    message = f"the function `{word}` needs its argument in parentheses"
    return Issue("function-argument", name.span, message, f"write `{word}({argument})`")


def _applied(p: Cursor, name: Name, k: int) -> Issue:
    word = name.span.text
    argument = p.factor_text(k)
    span = Span(p.source, name.span.start, p.starts[k] + len(argument))
    chained = p.kinds[k] == "name" and p.kinds[k + 1] in FACTOR_STARTS and p.role(p.name(k).text) in _CALLED
    if chained or (p.kinds[k] == "name" and "(" in argument and word == "log"):
        inner_word = p.text(k)
        inner = p.factor_text(k + 1)
        end = p.starts[k + 1] + len(inner)
        if inner[:1] == "(" and p.kinds[k + 1] == "(":
            inner = inner[1:-1]
        span = Span(p.source, name.span.start, end)
        both = word + inner_word
        whole = f"{both}({inner})" if both in p.vocabulary.builtins else f"{word}({inner_word}({inner}))"
        help = f"write `{whole}`"
    else:
        help = f"write `{word}({argument})`"
    return Issue("function-argument", span, f"the function `{word}` needs its argument in parentheses", help)


def _powered_function(p: Cursor, name: Name) -> Issue:
    k, word = p.k, name.span.text
    exponent = p.text(k)
    last = k
    if p.kinds[k] in ("^", "**"):
        last = min(k + 2 if p.kinds[k + 1] in ("+", "-") else k + 1, len(p.kinds) - 2)
        exponent = p.source.text[p.starts[k] : p.ends[last]]
    follows = p.kinds[last + 1] in FACTOR_STARTS
    argument = p.factor_text(last + 1) if follows else "x"
    inner = argument if argument[:1] == "(" and argument[-1:] == ")" else f"({argument})"
    span = Span(p.source, name.span.start, p.ends[last])
    message = f"`{span.text}` is a function without its argument"
    help = f"write `{word}{inner}{exponent}`"
    if exponent.lstrip("^*") in ("⁻¹", "-1"):
        inverse = f"a{word}"
        named = f"`{inverse}{inner}` or " if p.role(inverse) == "our function" else ""
        help = f"write {named}`1/{word}{inner}`"
    return Issue("powered-function", span, message, help)
