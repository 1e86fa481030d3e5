"""Operations on one line: `max[j](z[i,j])`, `softmax[j](z[i,j])`, `inv(X)[k,l]`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tensorgrad_cli.algebra.expression import Index, Op
from tensorgrad_cli.algebra.operations import OPERATIONS, is_on_matrices
from tensorgrad_cli.render.naming import Names, counted, named, position, positions
from tensorgrad_cli.render.pieces import ATOM, NOTHING, PRODUCT, Piece, merged

if TYPE_CHECKING:
    from tensorgrad_cli.render.linear import Linear

__all__ = ["operation"]


def operation(printer: Linear, e: Op, names: Names) -> Piece:
    """An operation; one on matrices has its arguments in matrix notation."""
    if is_on_matrices(e.operation):
        return _on_matrices(printer, e, names)
    return _along(printer, e, names) if e.out else _reduced(printer, e, names)


def _reduced(printer: Linear, e: Op, names: Names) -> Piece:
    """`max[j](z[i,j])`. A product over an index ends its term, so it binds like one."""
    bound = named(e.bound, names)
    inside = printer.inner(e.arguments[0], bound)
    own = [bound[index] for index in e.bound]
    extra = "".join(f", {name}={_numeral(value)}" for name, value in e.parameters)
    text = f"{_word(printer, e)}[{printer.bound(e.bound, e.arguments[0], bound)}]({inside.text}{extra})"
    strength = PRODUCT if e.operation == "prod" else ATOM
    stands = merged((inside.stands,), own)
    return Piece(text, strength, stands, inside.opened - frozenset(own), plain=strength == ATOM)


def _word(printer: Linear, e: Op) -> str:
    return printer.sign("Π") if e.operation == "prod" and "prod" in printer.naming.taken else e.operation


def _numeral(value: Fraction) -> str:
    """A parameter is a numeral: 1/2 is written 0.5."""
    return str(value) if value.denominator == 1 else str(float(value))


def _along(printer: Linear, e: Op, names: Names) -> Piece:
    """`softmax[j](z[i,j])`; read at another place than an index of its own, through a delta."""
    free = e.arguments[0].free - frozenset(e.bound)
    out = [p for p in e.out if isinstance(p, Index) and p not in free]
    if len(out) == len(e.out) == len(set(out)):
        own = {**names, **{b: names[p] for b, p in zip(e.bound, out, strict=True)}}
        return _along_own(printer, e, own)
    bound = named(e.bound, names)
    call = _along_own(printer, e, bound)
    deltas = " ".join(
        f"{printer.delta()}[{bound[b]},{position(p, names, printer.naming)}]"
        for b, p in zip(e.bound, e.out, strict=True)
    )
    own_names = [bound[index] for index in e.bound]
    text = f"{printer.sum()}[{','.join(own_names)}] {deltas} {call.text}"
    outer = counted(e.out, names)
    stands = merged((call.stands, outer), own_names)
    return Piece(text, PRODUCT, stands, (call.opened | frozenset(outer)) - frozenset(own_names))


def _along_own(printer: Linear, e: Op, names: Names) -> Piece:
    inside = printer.inner(e.arguments[0], names)
    own = [names[index] for index in e.bound]
    text = f"{e.operation}[{printer.bound(e.bound, e, names)}]({inside.text})"
    stands = merged((merged((inside.stands,), own), dict.fromkeys(own, 1)))
    return Piece(text, ATOM, stands, inside.opened | frozenset(own), plain=True)


def _on_matrices(printer: Linear, e: Op, names: Names) -> Piece:
    from tensorgrad_cli.render.matrix import argument_of

    at, texts = 0, []
    for argument, letters in zip(e.arguments, OPERATIONS[e.operation].inputs, strict=True):
        bound = e.bound[at : at + len(letters)]
        at += len(letters)
        text = argument_of(argument, bound, printer.naming, printer.glyphs)
        if text is None:
            # No formula that is read leads here; it is shown with its indices rather than not at all.
            text = printer.inner(argument, named(bound, names)).text
        texts.append(text)
    call = f"{e.operation}({', '.join(texts)})"
    if e.operation == "inv" and "inv" in printer.naming.taken:
        call = f"(({texts[0]})^-1)"
    if not e.out:
        return Piece(call, ATOM, opened=NOTHING, plain=True)
    return printer.indexed(f"{call}[{positions(e.out, names, printer.naming)}]", e.out, names)
