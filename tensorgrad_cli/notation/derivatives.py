"""Derivatives in all their spellings: `∂a/∂b`, `∂²a/∂b∂c`, `∂⁺a/∂b`, `d a/d b` and the closed `da/db`.

A derivative is one factor. Its numerator is a tensor, a call or a parenthesis with the brackets behind it,
each denominator a tensor with its brackets; what stands behind the last denominator is the next factor.
"""

from __future__ import annotations

from tensorgrad_cli.notation.calls import index_brackets, named
from tensorgrad_cli.notation.cursor import Arguments, Cursor
from tensorgrad_cli.notation.tree import Derivative, Indexed, Name, Parenthesis, Transposed, Tree
from tensorgrad_cli.source import Issue, Span

__all__ = ["closed_derivative", "curly", "letter_derivative", "parenthesis"]


def curly(p: Cursor) -> Derivative:
    """The derivative at a `∂`."""
    p.k += 1
    return _derivative(p, p.starts[p.k - 1])


def letter_derivative(p: Cursor) -> Derivative | None:
    """`d a/d b`, if it stands at the cursor, which is at the name `d`; never where something is named d."""
    if _taken(p):
        return None
    k = _behind_order(p, p.k + 1)
    # `d/dx …` without a numerator is refused as such: nothing else is meant by it.
    end = k if p.kinds[k] == "/" else _behind_numerator(p, k)
    if end is None or p.kinds[end] != "/":
        return None
    if not _letter_denominator(p, end + 1):
        if p.kinds[end + 1] != "name" or p.text(end + 1)[0] != "d" or p.text(end + 1) == "d":
            return None
        below = p.text(end + 1)
        raise Issue(
            "denominator",
            Span(p.source, p.starts[p.k], p.ends[end + 1]),
            f"`{below}` is no denominator of a derivative: there is no tensor `{below[1:]}`",
            "write `∂a/∂b`, or `∂²a/∂b∂c` for a second one",
        )
    p.k += 1
    return _derivative(p, p.starts[p.k - 1])


def closed_derivative(p: Cursor) -> Derivative | None:
    """`da/db`, if it stands at the cursor, which is at a longer name in d.

    None where it is a quotient. Raises Issue `ambiguous-derivative` where it could be either or is neither.
    """
    k = p.k
    end = p.match[k + 1] + 1 if p.kinds[k + 1] == "[" else k + 1
    if p.kinds[end] != "/" or p.kinds[end + 1] != "name":
        return None
    below = p.name(end + 1)
    apart = below.text == "d"
    if below.text[:1] != "d" or (apart and (_taken(p) or p.kinds[end + 2] != "name")):
        return None
    if not _is_derivative(p, p.name(k), p.name(end + 2) if apart else below, apart):
        return None
    start = p.starts[k]
    p.k += 1
    return _denominated(p, start, _with_brackets(p, _less_d(p, k)), 1, False, "d")


def _is_derivative(p: Cursor, above: Name, below: Name, apart: bool) -> bool:
    tensors = p.vocabulary.tensors
    numerator, denominator = above.text[1:], below.text if apart else below.text[1:]
    both = numerator in tensors and denominator in tensors
    taken = [name for name in (above, below) if name.text in tensors and not (apart and name is below)]
    if not taken and both:
        return True
    if len(taken) == 2 or (apart and taken):
        return False
    if not both and any(name[:1] in "_0123456789" for name in (numerator, denominator)):
        return False
    if not both and all(p.role(name.text) != "unknown" for name in (above, below)):
        return False
    raise _ambiguous(p, above, below, both, taken)


def _ambiguous(p: Cursor, above: Name, below: Name, both: bool, taken: list[Name]) -> Issue:
    written = f"{above.span.text}/{below.span.text}"
    curly = f"∂{above.span.text.removeprefix('d')}/∂{below.span.text.removeprefix('d')}"
    if both:
        other = below if taken[0] is above else above
        message = f"`{written}` could be a derivative, but `{taken[0].span.text}` is a tensor of its own"
        if p.role(other.text) == "unknown":
            message += f" and `{other.span.text}` is none"
    else:
        missing = [
            n.span.text.removeprefix("d") for n in (above, below) if n.text[1:] not in p.vocabulary.tensors
        ]
        why = f"there is no tensor `{missing[0]}`"
        message = f"`{written}` is neither a derivative ({why}) nor a quotient of tensors"
    return Issue(
        "ambiguous-derivative", above.span.to(below.span), message, f"a derivative is written `{curly}`"
    )


def _derivative(p: Cursor, start: int) -> Derivative:
    letter = p.text(p.k - 1)
    letter = "d" if letter == "d" else "∂"
    count, own = _order(p)
    if p.kinds[p.k] == "/":
        closed = p.kinds[p.k + 1] == "name" and p.text(p.k + 1) != "d"
        end = p.k + (1 if closed else 2 if p.kinds[p.k + 1] in ("∂", "name") else 0)
        message = "a derivative has what is differentiated above the fraction bar"
        raise Issue("numerator", Span(p.source, start, p.ends[end]), message, "write `∂(…)/∂x`")
    return _denominated(p, start, _numerator(p), count, own, letter)


def _order(p: Cursor) -> tuple[int, bool]:
    """How many denominators follow, and whether the derivative is the step's own."""
    kind = p.kinds[p.k]
    if kind == "⁺" or (kind == "^" and p.kinds[p.k + 1] == "+"):
        p.k += 1 if kind == "⁺" else 2
        if p.kinds[p.k] in ("superscript", "^"):
            message = "the derivative of a step's own equation is a first one"
            raise Issue("derivative-order", p.span(p.k), message, "write `∂⁺(∂a/∂b)/∂c` for a second one")
        return 1, True
    if kind == "superscript" or kind == "^":
        end = p.k if kind == "superscript" else p.k + 1
        if p.text(end) not in ("²", "2"):
            message = "a derivative is a first or a second one"
            raise Issue("derivative-order", p.span(end), message, "write `∂(∂²c/∂x∂y)/∂z` for a third one")
        p.k = end + 1
        return 2, False
    return 1, False


def _numerator(p: Cursor) -> Tree:
    start, kind = p.k, p.kinds[p.k]
    if kind == "∂":
        message = "what is differentiated stands in parentheses where it is a derivative itself"
        raise Issue("numerator", p.span(p.k), message, "write `∂(∂a/∂b)/∂c`, or `∂²a/∂b∂c`")
    if kind == "name" and p.kinds[p.k + 1] == "/" and p.role(p.name(p.k).text) == "function":
        word = p.text(p.k)
        message = f"the function `{word}` is differentiated without its argument"
        raise Issue("function-argument", p.span(p.k), message, f"write `∂{word}(x)/∂x` or `{word}'(x)`")
    if (kind in ("name", "partials") and not p.written_sum()) or kind == "(":
        tree = _with_brackets(p, parenthesis(p) if kind == "(" else named(p))
        if p.kinds[p.k] == "/":
            return tree
    if kind == "end":
        raise Issue("numerator", p.span(p.k - 1), "the derivative has no numerator", "write `∂a/∂b`")
    if p.kinds[p.k] in ("transpose", "inverse", "superscript", "^", "**", "'") or start == p.k:
        bar = next((k for k in range(p.k, len(p.kinds)) if p.kinds[k] in ("/", "end")), p.k)
        text = p.slice(p.starts[start], p.starts[bar])
        message = "the numerator of a derivative is a tensor, a call or a parenthesis"
        span = Span(p.source, p.starts[start], p.ends[bar - 1])
        raise Issue("numerator", span, message, f"write `∂({text})/∂…`")
    span = Span(p.source, p.starts[start - 1], p.ends[p.k - 1])
    message = f"the derivative `{span.text}` has no denominator"
    raise Issue("denominator", span, message, f"write `{span.text}/∂x`")


def _with_brackets(p: Cursor, tree: Tree) -> Tree:
    if p.kinds[p.k] != "[":
        return tree
    positions = index_brackets(p)
    return Indexed(tree, positions, p.since(tree.span.start))


def parenthesis(p: Cursor) -> Parenthesis:
    """The parenthesis at the cursor. Raises Issue where it holds none or several expressions."""
    opener = p.k
    p.k = p.match[opener] + 1
    entries: Arguments = p.groups[opener]  # type: ignore[assignment]
    span = p.since(p.starts[opener])
    if not entries:
        raise Issue("empty-parenthesis", span, "nothing stands in this parenthesis")
    keyword, body = entries[0]
    if keyword is not None:
        raise Issue(
            "equals-sign", span, "an equals sign stands in a parenthesis", "a mask is written `[i = j]`"
        )
    if len(entries) > 1:
        message = "a comma stands in a parenthesis that is no function's"
        raise Issue("comma", span, message, "indices are written in square brackets, `x[i,j]`")
    return Parenthesis(body, span)


def _denominated(p: Cursor, start: int, numerator: Tree, count: int, own: bool, letter: str) -> Derivative:
    slash = p.k
    p.k += 1
    denominators = [_denominator(p, slash, letter)]
    if count == 2:
        if not _letter_at(p, p.k, letter):
            raise _one_denominator(p, start, denominators[0])
        denominators.append(_denominator(p, slash, letter))
    kind = p.kinds[p.k]
    transpose = 1 if kind == "transpose" else 2 if kind == "^" and p.text(p.k + 1) == "T" else 0
    if transpose and count == 2:
        p.k += transpose
        last = denominators[1]
        denominators[1] = Transposed(last, False, p.since(last.span.start))
    elif kind in ("transpose", "inverse", "superscript", "^", "**", "'"):
        raise _behind_derivative(p, start, denominators)
    return Derivative(numerator, tuple(denominators), own, p.since(start))


def _denominator(p: Cursor, slash: int, letter: str) -> Tree:
    k = p.k
    if not _letter_at(p, k, letter):
        end = k if p.kinds[k] != "end" else slash
        message = f"the denominator of a derivative begins with `{letter}` and a tensor"
        raise Issue("denominator", Span(p.source, p.starts[slash], p.ends[end]), message, "write `∂a/∂b`")
    p.k += 1
    if p.kinds[k] == "∂" or p.text(k) == "d":
        if p.kinds[p.k] != "name":
            message = "the denominator of a derivative is a tensor, with its indices in brackets"
            raise Issue("denominator", p.span(p.k), message, "write `∂a/∂b[i,j]`")
        p.k += 1
        return _with_brackets(p, p.name(p.k - 1))
    return _with_brackets(p, _less_d(p, k))


def _letter_at(p: Cursor, k: int, letter: str) -> bool:
    if letter == "∂":
        return p.kinds[k] == "∂"
    if p.kinds[k] != "name":
        return False
    text = p.name(k).text
    return text[0] == "d" and (text == "d" or text[1:] in p.vocabulary.tensors)


def _one_denominator(p: Cursor, start: int, first: Tree) -> Issue:
    text = first.span.text
    if p.kinds[p.k] in ("superscript", "^"):
        end = p.k if p.kinds[p.k] == "superscript" else min(p.k + 1, len(p.kinds) - 1)
        span = Span(p.source, start, p.ends[end])
        return Issue(
            "denominator",
            span,
            "a second derivative names both of its denominators",
            f"write `∂{text}∂{text}`",
        )
    message = "a second derivative has two denominators"
    return Issue("denominator", p.since(start), message, f"write `∂²c/∂{text}∂…`, or `∂` for a first one")


def _behind_derivative(p: Cursor, start: int, denominators: list[Tree]) -> Issue:
    written = p.slice(start, p.ends[p.k - 1])
    last = p.k + 1 if p.kinds[p.k] in ("^", "**") and p.kinds[p.k + 1] != "end" else p.k
    sign = p.slice(p.starts[p.k], p.ends[last])
    if p.kinds[p.k] == "'":
        sign = "ᵀ"
    span = Span(p.source, start, p.ends[last])
    message = f"`{sign}` behind a derivative could belong to all of it or to `{denominators[-1].span.text}`"
    other = f" or `{written}`" if p.kinds[p.k] == "transpose" else ""
    return Issue("behind-derivative", span, message, f"write `({written}){sign}`{other}")


def _taken(p: Cursor) -> bool:
    """Whether something of the spec is named d, so that the letter alone is no derivative."""
    vocabulary = p.vocabulary
    return "d" in vocabulary.tensors or "d" in vocabulary.dimensions or "d" in vocabulary.functions


def _behind_order(p: Cursor, k: int) -> int:
    if p.kinds[k] in ("superscript", "⁺"):
        return k + 1
    if p.kinds[k] == "^" and p.text(k + 1) in ("2", "+"):
        return k + 2
    return k


def _behind_numerator(p: Cursor, k: int) -> int | None:
    """The token behind the numerator that begins at token `k`, None where none does."""
    if p.kinds[k] not in ("name", "partials", "("):
        return None
    if p.kinds[k] != "(":
        k += 1
    while p.kinds[k] == "'" or (k in p.match and p.kinds[k] in "(["):
        k = p.match.get(k, k) + 1
    return k


def _letter_denominator(p: Cursor, k: int) -> bool:
    return p.kinds[k] == "name" and (p.text(k) != "d" or p.kinds[k + 1] == "name") and _letter_at(p, k, "d")


def _less_d(p: Cursor, k: int) -> Name:
    """The name at token `k` without its leading d."""
    name = p.name(k)
    return Name(name.text[1:], Span(p.source, name.span.start + 1, name.span.end))
