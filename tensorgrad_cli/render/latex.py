r"""Formulas in LaTeX: `\frac{\partial z_{i,j}}{\partial w_{p,q}} = x_{i,p}\, \delta_{j,q}`.

Every sum is written out, since LaTeX is read by people who have not read our rule for implied ones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    ONE,
    RANGE,
    Add,
    Affine,
    Apply,
    Const,
    Delta,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.notation.names import unicode_name
from tensorgrad_cli.render.derivatives import defined, joined
from tensorgrad_cli.render.naming import Names, Naming, free_names, named
from tensorgrad_cli.render.terms import ordered, signed, split

__all__ = ["equation", "expression", "name"]

_ACCENTS = {
    "\u0302": "hat",
    "\u0304": "bar",
    "\u0303": "tilde",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u0306": "breve",
    "\u030c": "check",
    "\u20d7": "vec",
}
_SUFFIXES = ("hat", "bar", "tilde", "dot", "ddot", "breve", "check", "vec")
_GREEK = {
    chr(code): command
    for code, command in zip(
        (0x3B1, 0x3B2, 0x3B3, 0x3B4, 0x3B5, 0x3B6, 0x3B7, 0x3B8, 0x3B9, 0x3BA, 0x3BB, 0x3BC, 0x3BD,
         0x3BE, 0x3C0, 0x3C1, 0x3C3, 0x3C4, 0x3C5, 0x3C6, 0x3C7, 0x3C8, 0x3C9, 0x393, 0x394, 0x398,
         0x39B, 0x39E, 0x3A6, 0x3A8, 0x3A9),
        ("alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma "
         "tau upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Phi Psi Omega").split(),
        strict=True,
    )
}  # fmt: skip
_OWN = frozenset("exp log sin cos tan cot sec csc sinh cosh tanh max min det arcsin arccos arctan".split())
_SIGNS = {"<=": r"\le", ">=": r"\ge", "!=": r"\ne"}
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "=", "!="})


def name(text: str) -> str:
    r"""A name: `\hat{y}`, `\omega`, `W_{1}`, `\mathrm{cost}`, `w_{\mathrm{out}}`."""
    base, accents = "", []
    for character in unicodedata.normalize("NFD", unicode_name(text)):
        if character in _ACCENTS:
            accents.append(_ACCENTS[character])
        elif not unicodedata.combining(character):
            base += unicodedata.normalize("NFKC", character)
    stem, *below = base.split("_")
    while below and below[-1] in _SUFFIXES:
        accents.append(below.pop())
    digits = stem[len(stem.rstrip("0123456789")) :]
    stem = stem.removesuffix(digits)
    if not stem:
        return _word(base.replace("_", r"\_"))
    out = f"\\{_GREEK[stem]}" if stem in _GREEK else _word(stem)
    for accent in accents:
        out = f"\\{accent}{{{out}}}"
    lower = ",".join(_word(part) for part in (digits, *below) if part)
    return f"{out}_{{{lower}}}" if lower else out


def _word(text: str) -> str:
    """A letter or a number as it is, a word upright; other scripts than Latin as text."""
    if not text.isascii():
        return f"\\text{{{text}}}"
    return text if len(text) == 1 or text.isdigit() else f"\\mathrm{{{text}}}"


def equation(value: Equation, naming: Naming) -> str:
    """An equation, every sum written out."""
    printer = _Latex(naming)
    names = free_names(value.indices)
    left = printer.reference(value.tensor, value.indices, names)
    return f"{left} = {printer.show(value.expression, names, LINE)}"


def expression(value: Expression, naming: Naming) -> str:
    """An expression, every sum written out."""
    return _Latex(naming).show(value, free_names(value.free), LINE)


# What the surroundings need: anything, a term without a sign, a factor, what takes a power.
LINE, UNSIGNED, FACTOR, BASE = 1, 2, 3, 4


def _braced(text: str) -> str:
    return f"\\left({text}\\right)"


def _joined(parts: Sequence[str]) -> str:
    return "\\, ".join(parts)


class _Latex:
    def __init__(self, naming: Naming) -> None:
        self.naming = naming
        # By identity, what stands in several places; each expression is kept, so that its id stays taken. The
        # only factor above a bar is looked at twice.
        self._known: dict[tuple[int, int, tuple[tuple[Index, str], ...]], tuple[Expression, str]] = {}

    def name(self, text: str) -> str:
        return name(self.naming.spelling(text))

    def show(self, e: Expression, names: Names, strength: int) -> str:
        """An expression where at least `strength` is needed."""
        key = (id(e), strength, tuple(names.items()))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (e, self._show(e, names, strength))
        return known[1]

    def _show(self, e: Expression, names: Names, strength: int) -> str:
        match e:
            case Const(value):
                return self.number(value, strength)
            case Ref(tensor, indices):
                text = self.reference(tensor, indices, names)
                return _braced(text) if strength == BASE and text.startswith("\\frac") else text
            case Delta(left, right):
                return f"\\delta_{{{self.places((left, right), names)}}}"
            case Apply():
                return self.call(e, names, strength)
            case Op():
                return self.operation(e, names)
            case Product(factors):
                return self.product(factors, names, strength)
            case Sum():
                return self.summed(e, names, strength)
            case Add(terms):
                return self.terms(terms, names, strength)
            case _:
                assert_never(e)

    def number(self, value: Fraction, strength: int) -> str:
        sign, value = "-" if value < 0 else "", abs(value)
        text = str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        if (sign and strength > LINE) or (value.denominator != 1 and strength == BASE):
            return _braced(sign + text)
        return sign + text

    # --- entries

    def places(self, places: Iterable[Position], names: Names) -> str:
        return ",".join(self.place(place, names) for place in places)

    def place(self, place: Position, names: Names) -> str:
        match place:
            case Index():
                return name(names.get(place, place.name))
            case int():
                return str(place)
            case Affine(terms, offset):
                text = ""
                for coefficient, index in terms:
                    number = "" if abs(coefficient) == 1 else str(abs(coefficient))
                    sign = "-" if coefficient < 0 else "+" if text else ""
                    text += f"{sign}{number}{self.place(index, names)}"
                return text + (f"{offset:+d}" if offset else "")
            case Gather(tensor, inner):
                return f"{self.name(tensor)}_{{{self.places(inner, names)}}}"
            case _:
                assert_never(place)

    def reference(self, tensor: str, indices: Sequence[Position], names: Names) -> str:
        derivative = self.naming.derivatives.get(tensor)
        if derivative is not None:
            return self.derivative(joined(derivative, self.naming), indices, names)
        if tensor in self.naming.definitions:
            return _braced(self.show(defined(self.naming, tensor, indices), names, LINE))
        below = self.places(indices, names)
        if tensor == RANGE:
            return below
        text = self.name(tensor)
        if not indices:
            return text
        # A name with an index of its own: the name's first, then the entry's.
        return f"{{{text}}}_{{{below}}}" if "_{" in text else f"{text}_{{{below}}}"

    def derivative(self, d: Derivative, indices: Sequence[Position], names: Names) -> str:
        ranks = self.naming.ranks
        at = len(indices) - sum(ranks[by] for by in d.denominators)
        top = self.reference(d.numerator, indices[:at], names)
        if d.numerator in self.naming.derivatives:
            top = _braced(top)
        order = len(d.denominators)
        raised = f"^{{{order}}}" if order > 1 else ("^{+}" if d.own else "")
        below = []
        for by in d.denominators:
            text = self.reference(by, indices[at : at + ranks[by]], names)
            below.append(f"\\partial {_braced(text) if by in self.naming.derivatives else text}")
            at += ranks[by]
        return f"\\frac{{\\partial{raised} {top}}}{{{_joined(below)}}}"

    # --- functions, powers, operations

    def call(self, e: Apply, names: Names, strength: int) -> str:
        plain = not any(e.order)
        if e.function == "pow" and plain:
            return self.power(e, names, strength)
        if e.function == "pi":
            return "\\pi"
        arguments = [self.show(a, names, LINE) for a in e.arguments]
        if e.function in _COMPARISONS:
            return f"[{arguments[0]} {_SIGNS.get(e.function, e.function)} {arguments[1]}]"
        row = FUNCTIONS.get(e.function)
        if row is not None and row.latex and "{0}" in row.latex and plain:
            return _filled(row.latex, arguments)
        return f"{self.function(e)}{_braced(', '.join(arguments))}"

    def function(self, e: Apply) -> str:
        row = FUNCTIONS.get(e.function)
        if e.function in self.naming.functions or row is None:
            head = self.name(e.function)
        else:
            head = row.latex if row.latex and "{0}" not in row.latex else _operator(e.function)
        if len(e.order) == 1:
            return head + "'" * e.order[0]
        partials = ",".join(str(k + 1) for k, n in enumerate(e.order) for _ in range(n))
        if not partials:
            return head
        return f"\\partial_{{{partials}}} {head}"

    def power(self, e: Apply, names: Names, strength: int) -> str:
        base, exponent = e.arguments
        if isinstance(exponent, Const) and exponent.value < 0:
            return self.product((e,), names, strength)
        text = self.raised(base, exponent, names)
        return _braced(text) if strength == BASE else text

    def raised(self, base: Expression, exponent: Expression, names: Names) -> str:
        above = str(exponent.value) if isinstance(exponent, Const) else self.show(exponent, names, LINE)
        below = self.show(base, names, BASE)
        return f"{{{below}}}^{{{above}}}" if "'" in below or "^" in below else f"{below}^{{{above}}}"

    def operation(self, e: Op, names: Names) -> str:
        if all(self.whole(a) for a in e.arguments) and any(
            len(row) > 1 for row in OPERATIONS[e.operation].inputs
        ):
            text = self.on_matrices(e)
        else:
            bound = named(e.bound, names)
            inside = ", ".join(self.show(a, bound, LINE) for a in e.arguments)
            inside += "".join(f"; {key} = {value}" for key, value in e.parameters)
            text = f"{_operator(e.operation)}_{{{self.places(e.bound, bound)}}}{_braced(inside)}"
            text = f"\\left[{text}\\right]" if e.out else text
        return f"{text}_{{{self.places(e.out, names)}}}" if e.out else text

    def whole(self, argument: Expression) -> bool:
        """Whether an argument is a matrix that has a name."""
        plain = isinstance(argument, Ref) and all(isinstance(place, Index) for place in argument.indices)
        return plain and isinstance(argument, Ref) and argument.tensor not in self.naming.derivatives

    def on_matrices(self, e: Op) -> str:
        """`\\left(X^{-1}\\right)`, `\\det\\left(X\\right)`; a matrix read column by row is transposed."""
        texts, at = [], 0
        for argument in e.arguments:
            assert isinstance(argument, Ref)
            order = e.bound[at : at + len(argument.indices)]
            at += len(argument.indices)
            turned = "^{\\top}" if argument.indices != order else ""
            texts.append(self.reference(argument.tensor, (), {}) + turned)
        if e.operation == "inv":
            inner = f"{{{texts[0]}}}" if "^" in texts[0] else texts[0]
            return _braced(f"{inner}^{{-1}}")
        if e.operation == "kron":
            return _braced(" \\otimes ".join(texts))
        return f"{_operator(e.operation)}{_braced(', '.join(texts))}"

    # --- sums and products

    def terms(self, terms: Sequence[Expression], names: Names, strength: int) -> str:
        out = ""
        for k, term in enumerate(ordered(terms)):
            negative, part = signed(term)
            text = self.show(part, names, UNSIGNED if negative or k else LINE)
            out += ("-" if negative else "") + text if k == 0 else (" - " if negative else " + ") + text
        return out if strength == LINE else _braced(out)

    def summed(self, e: Sum, names: Names, strength: int) -> str:
        if e.body == ONE and len(e.indices) == 1 and e.indices[0].serial < 0:
            return self.size(e.indices[0].dimension)
        bound = named(e.indices, names)
        negative, part = signed(e.body)
        body = self.show(part, bound, UNSIGNED)
        text = f"\\sum_{{{self.places(e.indices, bound)}}} {body}"
        if negative:
            return f"-{text}" if strength == LINE else _braced(f"-{text}")
        return text if strength <= UNSIGNED else _braced(text)

    def size(self, dimension: Dimension) -> str:
        if not dimension.terms:
            return self.name(dimension.name)
        parts = (_joined([str(n)] * (n != 1) + [self.name(x) for x in xs]) for n, xs in dimension.terms)
        return _braced(" + ".join(parts))

    def product(self, factors: Sequence[Expression], names: Names, strength: int) -> str:
        coefficient, above, below = split(factors)
        negative, coefficient = coefficient < 0, abs(coefficient)
        alone = len(above) == 1 and coefficient.numerator == 1
        top = [self.factor(f, names, last=k == len(above) - 1) for k, f in enumerate(above)]
        if below:
            if alone:
                top = [self.show(above[0], names, LINE)]
            if coefficient.numerator != 1 or not top:
                top.insert(0, str(coefficient.numerator))
            bottom = [str(coefficient.denominator)] if coefficient.denominator != 1 else []
            one = len(below) == 1 and not bottom and below[0][1] == 1
            bottom += [self.divisor(base, n, names, LINE if one else FACTOR) for base, n in below]
            text = f"\\frac{{{_joined(top)}}}{{{_joined(bottom)}}}"
        else:
            if coefficient != 1 or not top:
                top.insert(0, self.number(coefficient, FACTOR))
            text = _joined(top)
        text = f"-{text}" if negative else text
        loose = strength >= FACTOR and (not below or strength == BASE) and (len(top) > 1 or bool(below))
        return _braced(text) if loose or (negative and strength > LINE) else text

    def factor(self, e: Expression, names: Names, last: bool) -> str:
        """A factor; a sum may stand as the last one as it is."""
        return self.show(e, names, UNSIGNED if last and isinstance(e, Sum) else FACTOR)

    def divisor(self, base: Expression, exponent: Fraction, names: Names, strength: int) -> str:
        return (
            self.show(base, names, strength) if exponent == 1 else self.raised(base, Const(exponent), names)
        )


def _operator(word: str) -> str:
    if word in _OWN:
        return f"\\{word}"
    if word == "logdet":
        return "\\log\\det"
    row = FUNCTIONS.get(word) or OPERATIONS.get(word)
    if row is not None and row.latex and "{" not in row.latex:
        return row.latex
    return f"\\operatorname{{{word.replace('_', chr(92) + '_')}}}"


def _filled(pattern: str, arguments: Sequence[str]) -> str:
    for k, argument in enumerate(arguments):
        pattern = pattern.replace(f"{{{k}}}", argument)
    return pattern
