"""What the side that is taken for right is made of: its terms and its factors, and how it prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorgrad_cli.algebra.expression import (
    Add,
    Apply,
    Const,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.library import derivative_name, operation_expanded
from tensorgrad_cli.algebra.normal import normal_form
from tensorgrad_cli.algebra.rewrite import reuse_steps, simplified
from tensorgrad_cli.algebra.scalars import is_size
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import children, mapped, nodes, references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.render import matrix, text
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.render.text import GLYPHS
from tensorgrad_cli.verify.diagnoses.draft import Draft

__all__ = [
    "by_a_derivative",
    "factors_of_truth",
    "forms",
    "printed",
    "printed_in",
    "printed_truth",
    "steps_about",
    "terms_of",
    "written_out",
]

# Formulas of more nodes than this are not written out.
LARGE = 150
SHORT = 60
TERMS = 24
DEFINED = frozenset({"softmax", "log_softmax", "var", "std", "normalize", "norm", "logsumexp"})


def forms(draft: Draft) -> tuple[Expression, ...]:
    """The truth in several forms, from what is written to everything written out."""
    known = draft.notes.get("forms")
    if known is None:
        known = draft.notes["forms"] = tuple(_distinct(_forms(draft)))
    assert isinstance(known, tuple)
    return known


def _distinct(found: Iterator[Expression]) -> Iterator[Expression]:
    seen: set[Expression] = set()
    for expression in found:
        if expression not in seen:
            seen.add(expression)
            yield expression


def _forms(draft: Draft) -> Iterator[Expression]:
    side = draft.truth_side
    if side is None:
        return
    low = lowered(side.expression, draft.scope)
    yield low
    opened = _opened(draft, low, "∂‹")
    yield opened
    if isinstance(low, Ref) and low.tensor[0] not in "∂‹":
        opened = _opened(draft, low, "")
        yield opened
    spelled = _defined(opened)
    if spelled != opened:
        yield spelled
    whole = written_out(draft, opened)
    if whole is not None:
        short = simplified(whole)
        yield reuse_steps(short, tuple(draft.bench.calculus.steps)) if short != low else short
        yield short
        form = normal_form(whole)
        if nodes(form) < LARGE:
            yield form


def _defined(e: Expression) -> Expression:
    """The expression with operations such as `log_softmax` and `var` written out by their definition."""
    if isinstance(e, Op) and e.operation in DEFINED:
        return freshened(operation_expanded(e))
    return mapped(e, _defined)


def _opened(draft: Draft, expression: Expression, marks: str) -> Expression:
    """The expression with the derivatives (and named expressions) directly in it written out once."""
    equations = draft.bench.calculus.equations

    def out(part: Expression) -> Expression:
        if isinstance(part, Ref) and part.tensor in equations and (not marks or part.tensor[0] in marks):
            equation = equations[part.tensor]
            moved = dict(zip(equation.indices, part.indices, strict=True))
            return substitute(freshened(equation.expression), moved)
        return mapped(part, out)

    return out(expression)


def written_out(draft: Draft, expression: Expression) -> Expression | None:
    """The expression with all derivatives in it written out; None where it grows too large."""
    current = lowered(expression, draft.scope)
    for _ in range(12):
        after = _opened(draft, current, "∂‹")
        if after == current or not any(name[0] in "∂‹" for name in references(current)):
            return current
        if nodes(after) > LARGE:
            return None
        current = after
    return current


def steps_about(draft: Draft) -> list[Equation]:
    """The steps that the claim and the truth are about, the last ones first."""
    names: set[str] = set()
    for form in forms(draft):
        names |= references(form)
    if draft.wrong is not None:
        names |= references(lowered(draft.wrong[0], draft.scope))
    known = draft.bench.calculus
    names |= {e.tensor for e in known.closure(name for name in names if name in known.shapes)}
    return [step for step in reversed(known.steps) if step.tensor in names]


# --- terms --------------------------------------------------------------------------------------------


def terms_of(expression: Expression) -> tuple[Expression, ...]:
    """The terms of an expression, parentheses multiplied out as far as that gives few."""
    out = tuple(_terms(expression))
    return out if len(out) <= TERMS else (expression,)


def _terms(e: Expression) -> Iterator[Expression]:
    match e:
        case Add(parts):
            for part in parts:
                yield from _terms(part)
        case Sum(indices, body) if not is_size(e):
            for part in _terms(body):
                yield freshened(summation(indices, part))
        case Product(parts):
            for k, part in enumerate(parts):
                if isinstance(part, Add) or (isinstance(part, Sum) and isinstance(part.body, Add)):
                    rest = parts[:k], parts[k + 1 :]
                    for inner in _terms(part):
                        yield from _terms(multiply(*rest[0], freshened(inner), *rest[1]))
                    return
            yield e
        case _:
            yield e


# --- factors ------------------------------------------------------------------------------------------


def by_a_derivative(draft: Draft, expression: Expression) -> bool:
    """Whether a derivative by a derivative stands in an expression: what no claim can be written with."""
    asked = draft.bench.calculus.asked
    return any(
        by[0] in "∂‹" for name in references(expression) if name in asked for by in asked[name].denominators
    )


def factors_of_truth(draft: Draft) -> tuple[Expression, ...]:
    """The factors that stand in the truth and in the steps it depends on, those that the claim has last."""
    claim: set[str] = set()
    if draft.wrong is not None:
        claim = {_blind(part) for part in _factors(lowered(draft.wrong[0], draft.scope))}
    found: dict[str, Expression] = {}
    late: dict[str, Expression] = {}
    steps = tuple(draft.bench.calculus.steps)
    sources = [*forms(draft), *_steps(draft)]
    for form in sources:
        for part in (reuse_steps(factor, steps) for factor in _factors(form)):
            if by_a_derivative(draft, part):
                continue
            where = late if _blind(part) in claim else found
            where.setdefault(_blind(part), part)
    upstream = [part for part in _upstream(draft) if _blind(part) not in claim and _blind(part) not in found]
    return (*upstream, *found.values(), *late.values())


def _upstream(draft: Draft) -> Iterator[Expression]:
    """The derivatives of the same scalar by later steps: what comes from upstream."""
    side, calculus = draft.truth_side, draft.bench.calculus
    truth = side.expression if side is not None else None
    if not isinstance(truth, Ref) or truth.tensor not in calculus.asked:
        return
    whole = calculus.asked[truth.tensor]
    for step in draft.scope.steps:
        name = derivative_name(whole.numerator, (step,))
        if name in calculus.equations and name != truth.tensor and not calculus.shapes[whole.numerator]:
            yield Ref(name, calculus.equations[name].indices)


def _steps(draft: Draft) -> Iterator[Expression]:
    names: set[str] = set()
    for form in forms(draft):
        names |= references(form)
    if draft.wrong is not None:
        names |= references(lowered(draft.wrong[0], draft.scope))
    for step in draft.bench.calculus.steps:
        if step.tensor in names:
            yield step.expression


def _factors(e: Expression) -> Iterator[Expression]:
    match e:
        case Product(parts):
            for part in parts:
                yield from _factors(part)
        case Const():
            return
        case Sum(_, body):
            if not is_size(e):
                yield e
                yield from _factors(body)
        case Apply("pow", (0, 0), (base, Const(value))) if value < 0:
            yield e
            yield from _factors(base)
        case _:
            yield e
            if isinstance(e, Add):
                for part in children(e):
                    yield from _factors(part)


def _blind(e: Expression) -> str:
    """What identifies a factor whatever its indices are called."""
    order: dict[Index, int] = {}

    def name(index: Index) -> str:
        return f"{index.dimension.name}{order.setdefault(index, len(order))}"

    def of(part: Expression) -> str:
        inside = ",".join(of(c) for c in children(part))
        indices = getattr(part, "indices", ()) or ()
        places = ",".join(name(i) if isinstance(i, Index) else str(i) for i in indices)
        if isinstance(part, Const):
            return str(part.value)
        head = getattr(part, "tensor", "") or getattr(part, "function", "") or type(part).__name__
        order_ = getattr(part, "order", "")
        return f"{head}{order_}[{places}]({inside})"

    return of(e)


# --- printing -----------------------------------------------------------------------------------------


def naming(draft: Draft) -> Naming:
    """How the names of the claim print."""
    reading = draft.judged.reading
    return draft.bench.naming(reading.definitions if reading is not None else ())


def printed(draft: Draft, expression: Expression, free: tuple[Index, ...]) -> str | None:
    """An expression in the claim's notation, None where it has no such form."""
    if draft.matrix:
        return matrix.matrix_of(expression, free, naming(draft), GLYPHS)
    return text.expression(expression, naming(draft))


def printed_in(draft: Draft, expression: Expression, names: Mapping[Index, str]) -> str:
    """An expression in index notation, its indices called otherwise."""
    moved = {index: Index(name, index.dimension) for index, name in names.items()}
    return text.expression(substitute(expression, moved), naming(draft))


def printed_truth(draft: Draft) -> Iterator[str]:
    """The whole claim as it would be right, where the other side is a derivative: the truth printed."""
    side = draft.truth_side
    if side is None or draft.flipped:
        return
    low = side.expression
    if not isinstance(low, Ref) or low.tensor not in draft.bench.calculus.asked:
        return
    plain = tuple(p for p in low.indices if isinstance(p, Index) and p.serial == 0)
    if len(set(plain)) != len(low.indices):
        return
    candidates = [f for f in reversed(forms(draft)) if f != low]
    for form in sorted(candidates, key=lambda f: nodes(f) > SHORT):
        if nodes(form) > LARGE or by_a_derivative(draft, form):
            continue
        equation = Equation(low.tensor, plain, simplified(form))
        if draft.matrix:
            written = printed(draft, equation.expression, plain)
            if written is not None:
                yield draft.with_side(written)
                continue
        elif "[" in draft.other.span.text or not plain:
            yield draft.with_side(text.expression(equation.expression, naming(draft)))
            continue
        yield text.equation(equation, naming(draft))
