"""A vocabulary, and trees written out so that a test can say which reading it expects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.notation.parse import parse_equation, parse_expression
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    EquationTree,
    Indexed,
    IndexRange,
    Juxtaposed,
    Mask,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Transposed,
    Tree,
    Vocabulary,
    WrittenSum,
)
from tensorgrad_cli.source import Issue, Source

OURS = (
    dict.fromkeys(
        "exp log sin asin cos tanh sqrt cbrt sigmoid abs pow gamma stop_gradient".split(), "function"
    )
    | dict.fromkeys("sum prod mean max min softmax logsumexp norm var std cumsum".split(), "operation")
    | dict.fromkeys("tr det logdet inv diag outer inner kron vec expm".split(), "matrix")
    | dict.fromkeys("pi I ones delta eye".split(), "constant")
)

VOCABULARY = Vocabulary(
    functions=frozenset("f C".split()),
    tensors=frozenset("a b c g p q s t u v w x y z A B D E W X Y P V H lam cost y_hat dO dP".split()),
    dimensions=frozenset("m n k bs".split()),
    builtins=OURS,
    layers=frozenset(("linear", "conv2d")),
)


def written(tree: Tree | IndexRange | EquationTree) -> str:
    """The tree with every grouping shown: `{a + b}` terms, `<a * b>` signs, `(a b)` factors, `P()` parentheses."""
    match tree:
        case EquationTree(left, right):
            return f"{written(left)} = {written(right)}"
        case Name(text):
            return text
        case Number(value):
            return str(value)
        case Indexed(base, positions):
            return f"{written(base)}[{','.join(map(written, positions))}]"
        case IndexRange(name, extent):
            return name.text if extent is None else f"{name.text}:{written(extent)}"
        case Call():
            return _call(tree)
        case WrittenSum(kind, indices, body):
            return f"{kind}[{','.join(map(written, indices))}]({written(body)})"
        case Parenthesis(body):
            return f"P({written(body)})"
        case Bars(body, double):
            return f"‖{written(body)}‖" if double else f"|{written(body)}|"
        case Signed(sign, operand):
            return f"({sign}{written(operand)})"
        case Power(base, exponent, spelling):
            return f"({written(base)}{'**' if spelling == '**' else '^'}{written(exponent)})"
        case Transposed(base, inverse):
            return f"{written(base)}{'⁻' if inverse else ''}ᵀ"
        case Juxtaposed(factors):
            return f"({' '.join(map(written, factors))})"
        case Multiplied(first, rest):
            return f"<{written(first)}{''.join(f' {sign} {written(t)}' for sign, t in rest)}>"
        case Summed(first, rest):
            return f"{{{written(first)}{''.join(f' {sign} {written(t)}' for sign, t in rest)}}}"
        case Derivative(numerator, denominators, own):
            return f"∂{'⁺' if own else ''}({written(numerator)}; {', '.join(map(written, denominators))})"
        case Mask(left, sign, right):
            return f"[{written(left)} {sign} {written(right)}]"
    raise AssertionError(tree)


def _call(call: Call) -> str:
    marks = "'" * call.primes + "".join(f".{number}" for number in call.partials)
    if call.indices is not None:
        marks += f"[{','.join(map(written, call.indices))}]"
    arguments = [*map(written, call.arguments), *(f"{name.text}={written(t)}" for name, t in call.keywords)]
    return f"{call.function.text}{marks}({', '.join(arguments)})"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return VOCABULARY


@pytest.fixture(scope="session")
def reading() -> Callable[..., str]:
    """How an expression is read, every grouping shown."""

    def of(text: str, vocabulary: Vocabulary = VOCABULARY) -> str:
        return written(parse_expression(Source("formula", text), vocabulary))

    return of


@pytest.fixture(scope="session")
def equation() -> Callable[..., str]:
    """How an equation is read."""

    def of(text: str, vocabulary: Vocabulary = VOCABULARY) -> str:
        return written(parse_equation(Source("formula", text), vocabulary))

    return of


@pytest.fixture(scope="session")
def issue() -> Callable[..., tuple[str, str, str, str | None]]:
    """What is wrong with an expression: code, the text under the caret, message, help."""

    def of(text: str, vocabulary: Vocabulary = VOCABULARY) -> tuple[str, str, str, str | None]:
        with pytest.raises(Issue) as caught:
            parse_expression(Source("formula", text), vocabulary)
        span = caught.value.span
        assert span is not None
        assert caught.value.rendered()
        return caught.value.code, span.text, caught.value.message, caught.value.help

    return of
