r"""Formulas in LaTeX: `\frac{\partial z_{i,j}}{\partial w_{p,q}} = x_{i,p}\, \delta_{j,q}`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    Add,
    Apply,
    Const,
    Delta,
    Derivative,
    Equation,
    Expression,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    substitute,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.notation.names import unicode_name
from tensorgrad_cli.render.naming import Names, Naming, free_names, named, positions
from tensorgrad_cli.render.terms import signed, split

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
_COMMANDS = frozenset("exp log sin cos tan sinh cosh tanh max min det arcsin arccos arctan".split())


def name(text: str) -> str:
    r"""A name: `\hat{y}`, `\omega`, `W_{1}`, `\mathrm{cost}`."""
    import unicodedata

    base, accents = "", []
    for character in unicodedata.normalize("NFD", text):
        if character in _ACCENTS:
            accents.append(_ACCENTS[character])
        elif not unicodedata.combining(character):
            base += unicodedata.normalize("NFKC", character)
    stem, _, suffix = base.partition("_")
    if suffix in _SUFFIXES:
        accents, suffix = [*accents, suffix], ""
    digits = stem[len(stem.rstrip("0123456789")) :]
    stem = stem[: len(stem) - len(digits)]
    out = f"\\{_GREEK[stem]}" if stem in _GREEK else stem if len(stem) == 1 else f"\\mathrm{{{stem}}}"
    for accent in accents:
        out = f"\\{accent}{{{out}}}"
    below = ",".join(part for part in (digits, suffix.replace("_", r"\_")) if part)
    return f"{out}_{{{below}}}" if below else out


def equation(value: Equation, naming: Naming) -> str:
    """An equation, every sum written out."""
    printer = _Latex(naming)
    names = free_names(value.indices)
    left = printer.reference(value.tensor, value.indices, names)
    return f"{left} = {printer.show(value.expression, names, 1)}"


def expression(value: Expression, naming: Naming) -> str:
    """An expression, every sum written out."""
    return _Latex(naming).show(value, free_names(value.free), 1)


class _Latex:
    def __init__(self, naming: Naming) -> None:
        self.naming = naming

    def name(self, text: str) -> str:
        return name(unicode_name(self.naming.spelling(text)))

    def show(self, e: Expression, names: Names, strength: int) -> str:
        """An expression; strength 1 is a line, 2 a factor, 3 the base of a power."""
        match e:
            case Const(value):
                return self.number(value, strength)
            case Ref(tensor, indices):
                return self.reference(tensor, indices, names)
            case Delta(left, right):
                return f"\\delta_{{{positions((left, right), names, self.naming)}}}"
            case Apply():
                return self.call(e, names)
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
        if value.denominator == 1:
            return str(value) if value >= 0 or strength == 1 else f"({value})"
        sign = "-" if value < 0 else ""
        text = f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
        return text if strength < 3 and not sign else self.braced(text)

    def braced(self, text: str) -> str:
        return f"\\left({text}\\right)"

    def reference(self, tensor: str, indices: Sequence[Position], names: Names) -> str:
        derivative = self.naming.derivatives.get(tensor)
        if derivative is not None:
            return self.derivative(derivative, indices, names)
        definition = self.naming.definitions.get(tensor)
        if definition is not None:
            moved = dict(zip(definition.indices, indices, strict=True))
            return self.braced(self.show(substitute(definition.expression, moved), names, 1))
        text = self.name(tensor)
        if not indices:
            return text
        below = positions(indices, names, self.naming)
        if text.endswith("}") and "_{" in text and text.count("_{") == 1 and "\\" not in text:
            return f"{text[:-1]};{below}}}"
        return f"{{{text}}}_{{{below}}}" if "_{" in text else f"{text}_{{{below}}}"

    def derivative(self, d: Derivative, indices: Sequence[Position], names: Names) -> str:
        ranks = self.naming.ranks
        at = len(indices) - sum(ranks[n] for n in d.denominators)
        top = self.reference(d.numerator, indices[:at], names)
        order = len(d.denominators)
        raised = f"^{{{order}}}" if order > 1 else ("^{+}" if d.own else "")
        below = ""
        for denominator in d.denominators:
            place = indices[at : at + ranks[denominator]]
            below += f"\\partial {self.reference(denominator, place, names)}"
            at += ranks[denominator]
        return f"\\frac{{\\partial{raised} {top}}}{{{below}}}"

    def call(self, e: Apply, names: Names) -> str:
        arguments = [self.show(a, names, 1) for a in e.arguments]
        if e.function == "pow" and not any(e.order):
            base, exponent = e.arguments
            if exponent == Const(Fraction(-1)):
                return f"\\frac{{1}}{{{self.show(base, names, 1)}}}"
            return f"{{{self.show(base, names, 3)}}}^{{{arguments[1]}}}"
        if e.function == "pi":
            return "\\pi"
        if e.function == "sqrt" and not any(e.order):
            return f"\\sqrt{{{arguments[0]}}}"
        if not e.function.isidentifier():
            sign = {"<=": "\\le", ">=": "\\ge", "!=": "\\ne"}.get(e.function, e.function)
            return f"[{arguments[0]} {sign} {arguments[1]}]"
        inside = ", ".join(arguments)
        return f"{self.function(e)}\\left({inside}\\right)"

    def function(self, e: Apply) -> str:
        row = FUNCTIONS.get(e.function)
        if row is not None and row.latex and "{" not in row.latex:
            head = row.latex
        elif e.function in _COMMANDS:
            head = f"\\{e.function}"
        elif row is not None:
            head = f"\\operatorname{{{e.function.replace('_', chr(92) + '_')}}}"
        else:
            head = self.name(e.function)
        if len(e.order) == 1:
            return head + "'" * e.order[0]
        partials = ",".join(str(k + 1) for k, n in enumerate(e.order) for _ in range(n))
        return f"{head}_{{{partials}}}" if partials else head

    def operation(self, e: Op, names: Names) -> str:
        bound = named(e.bound, names)
        inside = ", ".join(self.show(a, bound, 1) for a in e.arguments)
        below = ",".join(bound[i] for i in e.bound)
        head = f"\\{e.operation}" if e.operation in _COMMANDS else (
            f"\\operatorname{{{e.operation.replace('_', chr(92) + '_')}}}"
        )  # fmt: skip
        text = f"{head}_{{{below}}}\\left({inside}\\right)"
        if not e.out:
            return text
        return f"\\left[{text}\\right]_{{{positions(e.out, names, self.naming)}}}"

    def terms(self, terms: Sequence[Expression], names: Names, strength: int) -> str:
        out = ""
        for k, term in enumerate(terms):
            negative, part = signed(term)
            text = self.show(part, names, 1)
            if negative and isinstance(part, Add):
                text = self.braced(text)
            out += ("-" if negative else "") + text if k == 0 else (" - " if negative else " + ") + text
        return out if strength == 1 else self.braced(out)

    def summed(self, e: Sum, names: Names, strength: int) -> str:
        if e.body == Const(Fraction(1)) and len(e.indices) == 1 and e.indices[0].serial < 0:
            return self.name(e.indices[0].dimension.name)
        bound = named(e.indices, names)
        below = ",".join(bound[i] for i in e.indices)
        negative, part = signed(e.body)
        body = self.show(part, bound, 2 if isinstance(part, Add) else 1)
        text = f"{'-' if negative else ''}\\sum_{{{below}}} {body}"
        return text if strength == 1 else self.braced(text)

    def product(self, factors: Sequence[Expression], names: Names, strength: int) -> str:
        coefficient, above, below = split(factors)
        negative, coefficient = coefficient < 0, abs(coefficient)
        top = [self.show(f, names, 2) for f in above]
        if below:
            if coefficient.numerator != 1 or not top:
                top.insert(0, str(coefficient.numerator))
            bottom = [str(coefficient.denominator)] if coefficient.denominator != 1 else []
            one = len(below) == 1 and not bottom and below[0][1] == 1
            bottom += [self.raised(base, n, names, 1 if one else 3) for base, n in below]
            text = f"\\frac{{{self.joined(top)}}}{{{self.joined(bottom)}}}"
        else:
            if coefficient != 1 or not top:
                top.insert(0, self.number(coefficient, 2))
            text = self.joined(top)
        text = f"-{text}" if negative else text
        return self.braced(text) if strength == 3 or (negative and strength == 2) else text

    def raised(self, base: Expression, exponent: Fraction, names: Names, strength: int) -> str:
        below = self.show(base, names, strength)
        return below if exponent == 1 else f"{{{below}}}^{{{exponent}}}"

    def joined(self, parts: Sequence[str]) -> str:
        return "\\, ".join(parts)
