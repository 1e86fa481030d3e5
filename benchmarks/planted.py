"""Planted mistakes: true claims of the specs with one slip each, and what the verifier says of them.

usage: planted.py [--mutants N] [--seeds N] [--no-diagnosis] [SPEC…]

Prints the share of mutants that differ and are refuted (or ill-formed), the share of true claims that are
not, and how often the diagnosis names the slip. Whether a mutant differs at all is decided by a plain
evaluation in extended precision on full grids of indices, which knows nothing of plans, bars and normal
forms. tests/verify/test_planted.py runs a sample.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    references,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.occurrences import bound_names
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.notation.tree import (
    Call,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Transposed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.numeric.evaluate import evaluate
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.claims import Judged, Reading, attempt_claim, judge_claim
from tensorgrad_cli.verify.diagnose import diagnose
from tensorgrad_cli.verify.diagnoses.coefficients import dropped
from tensorgrad_cli.verify.diagnoses.draft import is_derivative
from tensorgrad_cli.verify.diagnoses.splice import Edit, factors, positions, put, removed, terms, walk
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.workbench import Workbench

FOLDER = Path(__file__).parent.parent / "specs"
_serials = itertools.count(1)
HOLDS = ("proved", "verified")
WRONG = ("refuted", "ill-formed")


class Mutant(Struct, frozen=True):
    """A claim with a slip: which one, its text, and the kinds by which a diagnosis may name it.

    `kinds` is empty where the language has no kind for the slip.
    """

    slip: str
    text: str
    kinds: frozenset[str]


class Outcome(Struct, frozen=True):
    """What was said of a mutant. `differs` is what plain evaluation says, None where it says nothing."""

    spec: str
    claim: str
    mutant: Mutant
    differs: bool | None
    verdict: str
    kind: str | None
    suggestion: str | None
    suggested: str | None
    seconds: float


# --- slips --------------------------------------------------------------------------------------------

Slip = Callable[[str, Tree, Workbench], Iterator[str]]


def transposes(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A transpose forgotten or put where none belongs; two indices of an entry exchanged."""
    for node in walk(side):
        if isinstance(node, Transposed) and not node.inverse:
            yield put(text, [Edit.at(node.span, node.base.span.text)])
        elif (
            isinstance(node, Name)
            and _rank(bench, node) == 2
            and not _indexed(side)
            and not _in_derivative(side, node)
        ):
            yield put(text, [Edit.at(node.span, node.span.text + "ᵀ")])
    seen = set()
    for node, _, _ in positions(side):
        if node.span.start in seen or len(node.positions) != 2:
            continue
        seen.add(node.span.start)
        a, b = node.positions
        if a.span.text != b.span.text:
            yield put(text, [Edit.at(a.span, b.span.text), Edit.at(b.span, a.span.text)])


def _rank(bench: Workbench, name: Name) -> int:
    shape = bench.scope.shape(name.text)
    return -1 if shape is None else len(shape)


def _indexed(side: Tree) -> bool:
    return "[" in side.span.text


def signs(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sign turned round."""
    for term in terms(side):
        if term.sign_at is None:
            at = term.operand.span.start
            yield put(text, [Edit(at, at, "-")])
        else:
            new = ("" if term.first else " + ") if term.negative else " - "
            yield put(text, [Edit.at(term.sign_at, new)])


def constant_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A 2, a 1/2 or the root of a dimension put in front of a term; a numeral taken out."""
    for term in terms(side):
        if not term.linear:
            continue
        at = term.operand.span.start
        if not term.operand.span.text[0].isdigit():
            for number in ("2 ", "1/2 "):
                yield put(text, [Edit(at, at, number)])
            for name in sorted(bench.spec.dimensions)[:1]:
                if name not in bench.scope.tensors:
                    yield put(text, [Edit(at, at, f"sqrt({name}) ")])
    for factor in factors(side):
        if isinstance(factor.tree, Number) and factor.count > 1:
            yield put(text, [removed(factor)])


def means(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A mean for a sum, a sum for a mean, a division by a dimension forgotten."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", indices, body):
                head = ",".join(i.span.text for i in indices)
                yield put(text, [Edit.at(node.span, f"mean[{head}]({body.span.text})")])
            case Call(function, _, _, _, _, None) if function.text in ("sum", "mean"):
                yield put(text, [Edit.at(function.span, "mean" if function.text == "sum" else "sum")])
            case Call(function, (argument,), _, _, _, indices) if function.text == "mean" and indices:
                head = ",".join(i.span.text for i in indices)
                yield put(text, [Edit.at(node.span, f"(sum[{head}] ({argument.span.text}))")])
            case _:
                pass
    for factor in factors(side):
        match factor.tree:
            case Name(text_) if factor.before == "/" and text_ in bench.scope.dimensions:
                yield put(text, [removed(factor)])
            case _:
                pass


def lost_sums(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A written sum left out; its letter put in place of nothing."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", _, body):
                yield put(text, [Edit.at(node.span, f"({body.span.text})")])
            case Call(function, (argument,), _, _, _, None) if function.text == "sum":
                yield put(text, [Edit.at(node.span, f"({argument.span.text})")])
            case _:
                pass


def extra_sums(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sum over everything, or over an axis, that does not belong."""
    if _indexed(side):
        return
    for node in walk(side):
        if isinstance(node, Name) and _rank(bench, node) == 2 and not _in_derivative(side, node):
            yield put(text, [Edit.at(node.span, f"sum({node.span.text})")])


def sums_elsewhere(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sum taken before a function or power that it should be taken after, and the other way round."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", _, Power(base, _) as body):
                head = text[node.span.start : body.span.start]
                yield put(
                    text,
                    [Edit.at(node.span, f"({head}{base.span.text}){text[base.span.end : body.span.end]}")],
                )
            case Power(Parenthesis(WrittenSum("sum", _, body) as inner) as base, _):
                head = text[inner.span.start : body.span.start]
                tail = text[base.span.end : node.span.end]
                yield put(text, [Edit.at(node.span, f"({head}({body.span.text}){tail})")])
            case Call(function, (WrittenSum("sum", _, body) as inner,), _, _, _, None) if (
                function.text not in ("sum", "mean")
            ):
                head = text[inner.span.start : body.span.start]
                before = text[node.span.start : inner.span.start]
                yield put(text, [Edit.at(node.span, f"({head}{before}{body.span.text}))")])
            case _:
                pass


def wrong_indices(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """One index of an entry, of a sum or of an axis is another one."""
    names = sorted({p.text for _, _, p in positions(side) if isinstance(p, Name)})
    for _, _, place in positions(side):
        if isinstance(place, Name):
            for other in names:
                if other != place.text:
                    yield put(text, [Edit.at(place.span, other)])
    for node in walk(side):
        if isinstance(node, Call):
            for name, value in node.keywords:
                if name.text == "axis" and value.span.text in ("0", "1"):
                    yield put(text, [Edit.at(value.span, "1" if value.span.text == "0" else "0")])


def wrong_functions(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A prime forgotten or added."""
    for node in walk(side):
        if isinstance(node, Call) and node.indices is None and len(node.arguments) == 1:
            name, end = node.function, node.function.span.end
            if node.primes:
                yield put(text, [Edit(name.span.start, end + 1, name.span.text)])
            elif name.text in bench.scope.abstract or name.text in ("tanh", "sigmoid", "exp", "softplus"):
                yield put(text, [Edit(end, end, "'")])


def wrong_arguments(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """What a function is applied to is put for its value, and the value for the argument: everywhere at once."""
    pairs = []
    for step in bench.spec.chain:
        match step.equation.expression:
            case Apply(_, _, (Ref(inner, _),)):
                pairs += [(step.name, inner), (inner, step.name)]
            case _:
                pass
    for old, new in pairs:
        places = [
            n for n in walk(side) if isinstance(n, Name) and n.text == old and not _in_derivative(side, n)
        ]
        spelled = bench.scope.spelling(new)
        if places:
            yield put(text, [Edit.at(place.span, spelled) for place in places])


def _in_derivative(side: Tree, name: Name) -> bool:
    return any(
        type(node).__name__ == "Derivative"
        and node.span.start <= name.span.start
        and name.span.end <= node.span.end
        for node in walk(side)
    )


def lost_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A factor forgotten: that of an activation's derivative, an upstream gradient, a delta."""
    for factor in factors(side):
        if isinstance(factor.tree, Number) or _is_constant(factor.tree, bench) or factor.count < 2:
            continue
        if isinstance(factor.tree, WrittenSum | Juxtaposed):
            continue
        yield put(text, [removed(factor)])


def _is_constant(tree: Tree, bench: Workbench) -> bool:
    match tree:
        case Name(text):
            return text in bench.scope.dimensions and bench.scope.shape(text) is None
        case Parenthesis(body) | Call(_, (body,)):
            return _is_constant(body, bench)
        case Number():
            return True
        case Multiplied(first, rest):
            return all(_is_constant(t, bench) for t in (first, *(p for _, p in rest)))
        case Juxtaposed(parts):
            return all(_is_constant(t, bench) for t in parts)
        case _:
            return False


def extra_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A factor twice: an activation's derivative taken again."""
    for factor in factors(side):
        tree = factor.tree
        if factor.before == "/" or isinstance(tree, Number | WrittenSum) or _is_constant(tree, bench):
            continue
        if _indexed(side):
            yield put(text, [Edit.at(tree.span, f"({tree.span.text}) ({tree.span.text})")])
        else:
            yield put(text, [Edit.at(tree.span, f"(({tree.span.text}) ⊙ ({tree.span.text}))")])


def diagonals(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The diagonal of a Jacobian alone."""
    left = _left(text, bench)
    free = [p.text for _, _, p in positions(left) if isinstance(p, Name) and p.text not in bound_names(left)]
    if len(free) >= 2 and "delta" in side.span.text:
        for k, a in enumerate(free):
            for b in free[k + 1 :]:
                if a != b:
                    yield put(text, [Edit.at(side.span, f"delta[{a},{b}] ({side.span.text})")])


def _left(text: str, bench: Workbench) -> Tree:
    return parse_equation(Source("claim", text), bench.scope.vocabulary).left


def lost_terms(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A term forgotten."""
    for term in terms(side):
        if not term.alone and term.linear:
            yield put(text, dropped(term))


def extra_terms(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A term too many: one of another tensor of the same shape as the claim's left side, or one twice."""
    for term in terms(side):
        if not term.alone and term.linear:
            end = term.operand.span.end
            sign = "-" if term.negative else "+"
            yield put(text, [Edit(end, end, f" {sign} 3 * {term.operand.span.text}")])


def products(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A matrix product for ⊙, and ⊙ for a matrix product."""
    if _indexed(side):
        return
    for node in walk(side):
        match node:
            case Juxtaposed(parts) if len(parts) == 2:
                yield put(text, [Edit(parts[0].span.end, parts[1].span.start, " ⊙ ")])
            case Multiplied(first, rest):
                before = first
                for sign, part in rest:
                    if sign in ("⊙", "∘"):
                        yield put(text, [Edit(before.span.end, part.span.start, " @ ")])
                    before = part
            case _:
                pass


def inverses(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """Not inverted, or the transpose for the inverse."""
    for node in walk(side):
        match node:
            case Call(function, (argument,)) if function.text == "inv":
                yield put(text, [Edit.at(node.span, f"({argument.span.text})")])
                yield put(text, [Edit.at(node.span, f"({argument.span.text})ᵀ")])
            case Power(base) if node.span.text.endswith(("^-1", "⁻¹")):
                yield put(text, [Edit.at(node.span, base.span.text)])
            case _:
                pass


def orders(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """Two neighbours of a matrix product exchanged."""
    if _indexed(side):
        return
    for node in walk(side):
        if isinstance(node, Juxtaposed):
            for a, b in zip(node.factors, node.factors[1:], strict=False):
                yield put(text, [Edit.at(a.span, b.span.text), Edit.at(b.span, a.span.text)])


def assumptions(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """2 A for A + Aᵀ."""
    for node in walk(side):
        written = node.span.text
        for name, tensor in bench.spec.tensors.items():
            if tensor.structure or len(tensor.shape) != 2 or tensor.shape[0] != tensor.shape[1]:
                continue
            if written in (f"({name} + {name}ᵀ)", f"({name}ᵀ + {name})"):
                yield put(text, [Edit.at(node.span, f"(2 {name})")])


def relative_errors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The whole side wrong by a small part of it, down to one millionth."""
    for error in ("1.001", "0.9999", "1.00001", "0.999999"):
        yield put(text, [Edit.at(side.span, f"{error} * ({side.span.text})")])


def single_entries(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """One entry wrong, by a thousandth of itself."""
    left = _left(text, bench)
    free = list(dict.fromkeys(p.text for _, _, p in positions(left) if isinstance(p, Name)))
    if free and _indexed(side):
        mask = " ".join(f"delta[{name},{k % 2}]" for k, name in enumerate(free))
        yield put(text, [Edit.at(side.span, f"(1 + 0.001 {mask}) ({side.span.text})")])


_PLACES = ("transpose", "layout", "missing-assumption", "wrong-index")
SLIPS: dict[str, tuple[Slip, frozenset[str]]] = {
    "transpose": (transposes, frozenset({*_PLACES, "order"})),
    "sign": (signs, frozenset({"sign"})),
    "constant factor": (constant_factors, frozenset({"factor", "mean-or-sum"})),
    "mean or sum": (means, frozenset({"mean-or-sum", "factor"})),
    "sum missing": (lost_sums, frozenset({"sum", "mean-or-sum"})),
    "sum too many": (extra_sums, frozenset({"sum"})),
    "sum elsewhere": (sums_elsewhere, frozenset({"sum"})),
    "wrong index": (wrong_indices, frozenset({*_PLACES, "sum"})),
    "wrong function": (wrong_functions, frozenset({"wrong-function"})),
    "wrong argument": (wrong_arguments, frozenset({"wrong-argument", "missing-factor", "extra-factor"})),
    "factor missing": (lost_factors, frozenset({"missing-factor", "missing-assumption"})),
    "factor too many": (extra_factors, frozenset({"extra-factor"})),
    "diagonal only": (diagonals, frozenset({"diagonal-only", "extra-factor"})),
    "term missing": (lost_terms, frozenset({"missing-term"})),
    "term too many": (extra_terms, frozenset({"extra-term", "factor"})),
    "product": (products, frozenset({"product"})),
    "inverse": (inverses, frozenset({"inverse", "missing-assumption"})),
    "order": (orders, frozenset({"order", "transpose", "missing-assumption"})),
    "assumption": (assumptions, frozenset({"missing-assumption"})),
    "relative error": (relative_errors, frozenset()),
    "single entry": (single_entries, frozenset()),
}


# --- plain evaluation -----------------------------------------------------------------------------------


def plain(expression: Expression, axes: Sequence[Index], point: Point) -> Any:
    """An expression on the full grid of the given axes, in extended precision, operation by operation."""
    sizes = point.sizes
    long = np.longdouble

    def along(index: Index, axes: Sequence[Index]) -> Any:
        shape = [1] * len(axes)
        shape[axes.index(index)] = -1
        return np.arange(index.dimension.size(sizes)).reshape(shape)

    def place(position: Any, axes: Sequence[Index]) -> Any:
        return along(position, axes) if isinstance(position, Index) else int(position)

    def value(e: Expression, axes: tuple[Index, ...]) -> Any:
        match e:
            case Const(number):
                return long(number.numerator) / long(number.denominator)
            case Ref(tensor, (Index() as index,)) if tensor == RANGE:
                return along(index, axes).astype(long)
            case Ref(tensor, indices):
                point.ensure((tensor,))
                array = np.asarray(point.environment.arrays[tensor]).astype(long)
                return array[tuple(place(p, axes) for p in indices)] if indices else array
            case Delta(left, right):
                return np.asarray(place(left, axes) == place(right, axes)).astype(long)
            case Add(parts):
                return sum(value(p, axes) for p in parts)
            case Product(parts):
                total = long(1)
                for p in parts:
                    total = total * value(p, axes)
                return total
            case Sum(indices, body):
                inner = (*axes, *indices)
                shape = tuple(i.dimension.size(sizes) for i in inner)
                full = np.broadcast_to(value(body, inner), shape)
                return full.sum(axis=tuple(range(len(axes), len(inner))))
            case Apply("pow", (0, 0), (base, exponent)):
                return np.power(value(base, axes), value(exponent, axes))
            case Apply(function, _, arguments) if function in FUNCTIONS:
                return FUNCTIONS[function].numeric(np, *(value(a, axes) for a in arguments))
            case Apply() | Op():
                free = tuple(sorted(e.free))
                point.ensure(references(e))
                array = np.asarray(evaluate(e, free, point.environment)).astype(long)
                return array[tuple(along(i, axes) for i in free)] if free else array
        raise TypeError(e)

    shape = tuple(i.dimension.size(sizes) for i in axes)
    return np.broadcast_to(value(expression, tuple(axes)), shape)


def differs(bench: Workbench, reading: Reading) -> bool | None:
    """Whether the sides differ somewhere, by far more than extended precision loses; None: nobody knows."""
    sides = [lowered(side.expression, bench.scope) for side in (reading.left, reading.right)]
    near = far = True
    with np.errstate(all="ignore"):
        for number in range(2):
            point = bench.points[number % len(bench.points)]
            a, b = (plain(side, reading.free, point) for side in sides)
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                return None
            scale = np.maximum(np.abs(a).max(), np.abs(b).max())
            worst = np.abs(a - b).max()
            # Derivatives come in double precision: their rounding stands between the two, and is large where
            # a point is badly conditioned, but not at both.
            far &= bool(worst > 1e-9 * scale)
            near &= bool(worst <= 1e-12 * scale)
    return True if far else False if near else None


# --- the run ------------------------------------------------------------------------------------------


class Planted:
    """The true claims of some specs at one seed, and their mutants."""

    def __init__(self, paths: Sequence[Path], seed: int) -> None:
        self.seed = seed
        self.specs: list[tuple[Spec, Workbench]] = []
        for path in paths:
            spec, _ = read_path(str(path))
            if spec is not None:
                self.specs.append((spec, Workbench(spec, seed)))

    def claims(self) -> Iterator[tuple[Spec, Workbench, Claim, Reading | Issue, str]]:
        """Every claim that is expected to hold."""
        for spec, bench in self.specs:
            for number, claim in enumerate(spec.claims, 1):
                if claim.expect == "holds":
                    prefix = f"c{number}."
                    yield spec, bench, claim, attempt_claim(bench, claim, prefix), prefix

    def false_alarms(self) -> tuple[list[str], int]:
        """The true claims that are refuted or called ill-formed, and how many there are."""
        found, count = [], 0
        with np.errstate(all="ignore"):
            for spec, bench, claim, attempt, _ in self.claims():
                count += 1
                judged = judge_claim(bench, claim.source, attempt)
                if judged.verdict in WRONG:
                    found.append(f"{spec.path}: {claim.source.text}: {judged.verdict}")
        return found, count

    def mutants(self) -> list[tuple[Spec, Workbench, Claim, Mutant]]:
        """Every mutant of every true claim, each text once."""
        out = []
        for spec, bench, claim, _, _ in self.claims():
            try:
                tree = parse_equation(Source("claim", claim.source.text), bench.scope.vocabulary)
            except Issue:
                continue
            if is_derivative(tree.right) and not is_derivative(tree.left):
                continue
            seen = {claim.source.text}
            for slip, (plant, kinds) in SLIPS.items():
                for text in plant(claim.source.text, tree.right, bench):
                    if text not in seen:
                        seen.add(text)
                        out.append((spec, bench, claim, Mutant(slip, text, kinds)))
        return out

    def sample(self, count: int) -> list[tuple[Spec, Workbench, Claim, Mutant]]:
        """So many mutants, every slip as often as it can be."""
        rng = np.random.default_rng([self.seed, 1])
        every = self.mutants()
        by_slip: dict[str, list[Any]] = {}
        for k in rng.permutation(len(every)):
            by_slip.setdefault(every[k][3].slip, []).append(every[k])
        chosen: list[Any] = []
        while len(chosen) < min(count, len(every)):
            for rest in by_slip.values():
                if rest and len(chosen) < count:
                    chosen.append(rest.pop())
        return chosen

    def outcome(self, bench: Workbench, spec: Spec, claim: Claim, mutant: Mutant, named: bool) -> Outcome:
        """What is said of one mutant."""
        started = time.perf_counter()
        source = Source("mutant", mutant.text)
        attempt = attempt_claim(bench, Claim(source, at=claim.at), f"m{next(_serials)}.")
        judged = judge_claim(bench, source, attempt)
        kind = suggestion = suggested = None
        if named and judged.verdict in WRONG:
            found = diagnose(bench, judged)
            if found is not None:
                kind, suggestion = found.kind, found.suggestion
        seconds = time.perf_counter() - started
        if suggestion is not None:
            suggested = self._checked(bench, suggestion, claim)
        differ = None
        if not isinstance(attempt, Issue) and attempt.mismatch is None:
            differ = differs(bench, attempt)
        return Outcome(
            spec.path,
            claim.source.text,
            mutant,
            differ,
            judged.verdict,
            kind,
            suggestion,
            suggested,
            seconds,
        )

    def _checked(self, bench: Workbench, text: str, claim: Claim) -> str:
        """The verdict of a suggestion as a claim of its own."""
        source = Source("suggestion", text)
        attempt = attempt_claim(bench, Claim(source, at=claim.at), f"g{next(_serials)}.")
        judged: Judged = judge_claim(bench, source, attempt)
        return judged.verdict


def has_kind(outcome: Outcome) -> bool:
    """Whether the language has a kind for the slip: not for a delta between two dimensions, for one."""
    if outcome.mutant.slip == "diagonal only" and outcome.verdict == "ill-formed":
        return False
    return bool(outcome.mutant.kinds) and outcome.differs is not False


def is_missed(outcome: Outcome) -> bool:
    """A mutant that differs and is not found out."""
    return outcome.differs is True and outcome.verdict not in WRONG


def is_false_alarm(outcome: Outcome) -> bool:
    """A mutant that is as true as its claim and is called wrong."""
    return outcome.differs is False and outcome.verdict == "refuted"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--no-diagnosis", action="store_true")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("specs", nargs="*", type=Path)
    options = parser.parse_args()
    paths = options.specs or sorted(FOLDER.glob("*.yaml"))
    alarms: list[str] = []
    claims = 0
    outcomes: list[Outcome] = []
    with np.errstate(all="ignore"):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            planted = Planted(paths, seed)
            found, count = planted.false_alarms()
            alarms += found
            claims += count
            for spec, bench, claim, mutant in planted.sample(options.mutants):
                outcomes.append(planted.outcome(bench, spec, claim, mutant, not options.no_diagnosis))
    report(outcomes, alarms, claims, options.v)


def report(outcomes: Sequence[Outcome], alarms: Sequence[str], claims: int, verbose: bool) -> None:
    """The rates, and every case that is not as it should be."""
    missed = [o for o in outcomes if is_missed(o)]
    false = [o for o in outcomes if is_false_alarm(o)]
    wrong = [o for o in outcomes if o.verdict in WRONG]
    kinded = [o for o in wrong if has_kind(o)]
    named = [o for o in kinded if o.kind in o.mutant.kinds]
    unsound = [o for o in outcomes if o.suggestion is not None and o.suggested not in HOLDS]
    for o in missed:
        print(f"MISSED {o.verdict}: {o.mutant.text}   [{o.mutant.slip}; {o.spec}]")
    for o in false:
        print(f"FALSE ALARM: {o.mutant.text}   [{o.mutant.slip}; {o.spec}]")
    for o in unsound:
        print(f"UNSOUND suggestion {o.suggested}: {o.suggestion}   for {o.mutant.text}   [{o.spec}]")
    for text in alarms:
        print(f"TRUE CLAIM REFUTED: {text}")
    if verbose:
        for o in kinded:
            if o.kind not in o.mutant.kinds:
                print(
                    f"named {o.kind} for {o.mutant.slip} ({o.verdict}, {o.seconds:.2f} s): {o.mutant.text}"
                    f"   was {o.claim}   suggests {o.suggestion}"
                )
    by_slip = Counter(o.mutant.slip for o in kinded)
    right = Counter(o.mutant.slip for o in named)
    for slip, count in by_slip.items():
        print(f"  {slip:16} {right[slip]:4} of {count:4} named")
    seconds = sorted(o.seconds for o in wrong) or [0.0]
    differing = sum(o.differs is not False for o in outcomes)
    print(f"{len(outcomes)} mutants, {differing} differ, {len(missed)} of them not found out")
    print(
        f"{claims} true claims, {len(alarms)} of them called wrong; {len(false)} harmless mutants called wrong"
    )
    print(f"{len(named)} of {len(kinded)} slips named ({len(named) / max(1, len(kinded)):.1%})")
    print(f"{sum(o.suggestion is not None for o in wrong)} suggestions, {len(unsound)} of them do not hold")
    print(
        f"a wrong claim takes {seconds[len(seconds) // 2]:.2f} s at the median, {seconds[-1]:.2f} s at most"
    )


if __name__ == "__main__":
    main()
