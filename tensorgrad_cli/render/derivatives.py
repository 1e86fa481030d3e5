"""Derivatives on one line: `∂z[i,j]/∂w[p,q]`; in ASCII `dz[i,j]/dw[p,q]` where nothing else is called so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorgrad_cli.algebra.expression import Apply, Derivative, Expression, Op, Position
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.notation.names import word_for
from tensorgrad_cli.render.naming import Names, Naming, counted
from tensorgrad_cli.render.pieces import ATOM, FACTOR, Piece, merged, wrapped

if TYPE_CHECKING:
    from tensorgrad_cli.render.linear import Linear

__all__ = ["defined", "derivative", "joined", "spelled"]


def defined(naming: Naming, name: str, indices: Sequence[Position]) -> Expression:
    """The expression that a definition names, at some positions."""
    definition = naming.definitions[name]
    return substitute(definition.expression, dict(zip(definition.indices, indices, strict=True)))


def derivative(printer: Linear, d: Derivative, indices: Sequence[Position], names: Names) -> Piece:
    """A derivative at some positions: the numerator's come first, then the denominators'."""
    d = joined(d, printer.naming)
    ranks = printer.naming.ranks
    at = len(indices) - sum(ranks[name] for name in d.denominators)
    numerator = _numerator(printer, d, indices[:at], names)
    below = []
    for name in d.denominators:
        piece = printer.reference(name, indices[at : at + ranks[name]], names)
        # A derivative by a cotangent (in the chain of a Hessian) has no spelling that is read.
        below.append(wrapped(piece, ATOM))
        at += ranks[name]
    text = spelled(printer, d, numerator.text, [piece.text for piece in below])
    parts = (numerator, *below)
    stands = merged(part.stands for part in parts)
    opened = frozenset[str]().union(*(part.opened for part in parts))
    under = counted(indices[len(indices) - sum(ranks[name] for name in d.denominators) :], names)
    if numerator.strength == ATOM and numerator.plain and d.numerator not in printer.naming.definitions:
        twice = frozenset(name for name in stands if stands[name] > 1)
    else:
        twice = frozenset(n for n in stands if under.get(n, 0) + (n in numerator.opened) > 1)
    return Piece(text, FACTOR, stands, opened, twice, plain=True)


def joined(d: Derivative, naming: Naming) -> Derivative:
    """The derivative of a first derivative is a second one: ∂²a/∂b∂c for ∂(∂a/∂b)/∂c."""
    inner = naming.derivatives.get(d.numerator)
    if inner is None or d.own or inner.own:
        return d
    denominators = inner.denominators + d.denominators
    if len(denominators) != 2 or not naming.derivatives.keys().isdisjoint(denominators):
        return d
    return Derivative(d.name, inner.numerator, denominators)


def _numerator(printer: Linear, d: Derivative, indices: Sequence[Position], names: Names) -> Piece:
    """A tensor and a call as they are, everything else in parentheses."""
    naming = printer.naming
    if d.numerator in naming.derivatives:
        piece = printer.reference(d.numerator, indices, names)
    elif d.numerator in naming.definitions:
        expression = defined(naming, d.numerator, indices)
        piece = printer.inner(expression, names)
        call = isinstance(expression, Apply) and piece.text.endswith(")")
        if (call or (isinstance(expression, Op) and piece.text.endswith("]"))) and piece.strength == ATOM:
            return piece
    else:
        return printer.reference(d.numerator, indices, names)
    return Piece(f"({piece.text})", ATOM, piece.stands, piece.opened)


def spelled(printer: Linear, d: Derivative, above: str, below: Sequence[str]) -> str:
    """The fraction. In ASCII the closed form where it is one for sure, else with the letter d alone; where something is
    named d with another word for ∂ that nothing is named."""
    order = "" if len(below) == 1 else printer.exponent(len(below))
    naming = printer.naming
    if printer.glyphs.ascii:
        if not order and not d.own and _closed(d, naming):
            return f"d{above}/d{below[0]}"
        word = word_for("∂", {*naming.ranks, *naming.functions, *naming.dimensions})
        own = "^+" if d.own else ""
        return f"{word}{order}{own} {above}/{' '.join(f'{word} {part}' for part in below)}"
    own = "⁺" if d.own else ""
    return f"∂{order}{own}{above}/{''.join(f'∂{part}' for part in below)}"


def _closed(d: Derivative, naming: Naming) -> bool:
    """Whether `da/db` is a derivative and nothing else: a and b are tensors, da and db are not, as cotangents too."""
    if d.numerator in naming.derivatives or d.numerator in naming.definitions:
        return False
    known = {*naming.ranks, *naming.functions, *naming.dimensions, *naming.spellings}
    return not {f"d{name}" for name in (d.numerator, *d.denominators)} & known
