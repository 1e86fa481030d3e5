"""The key `tensors`: names, shapes and facts."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.tensors import STRUCTURES, VALUES, Tensor
from tensorgrad_cli.source import Span
from tensorgrad_cli.spec.dims_key import read_shape
from tensorgrad_cli.spec.entries import Notes
from tensorgrad_cli.spec.nodes import Node, Scalar, Table

__all__ = ["Tensors", "read_tensors"]

_KEYS = ("shape", "values", "structure", "constant", "by")
_SQUARE = ("symmetric", "skew", "spd", "diagonal")
# A structure puts zeros, signs or whole rows where a range of values would forbid them.
_VALUES_OF = {"symmetric": ("normal", "uniform", "positive")}


class Tensors(Struct, frozen=True):
    """The declared tensors by canonical name, how each was written, and where."""

    tensors: Mapping[str, Tensor] = {}
    spellings: Mapping[str, str] = {}
    spans: Mapping[str, Span] = {}


def read_tensors(node: Node | None, notes: Notes) -> Tensors:
    """The tensors of the key `tensors`; one with a mistake is left out, but its name is in `spellings`."""
    tensors: dict[str, Tensor] = {}
    spellings: dict[str, str] = {}
    spans: dict[str, Span] = {}
    example = "`tensors: {x: [m, p], c: []}`"
    for key, value in notes.entries(node, "`tensors`", example) if node is not None else ():
        name = notes.name(key, "the name of a tensor")
        if name is None:
            continue
        if name[0] in spellings:
            other = spellings[name[0]]
            notes.issue("duplicate-name", key.span, f"`{key.text}` and `{other}` are the same name")
            continue
        spellings[name[0]] = name[1]
        spans[name[0]] = key.span
        tensor = _tensor(name[0], key, value, notes)
        if tensor is not None:
            tensors[name[0]] = tensor
    return Tensors(tensors, spellings, spans)


def _tensor(name: str, key: Scalar, node: Node, notes: Notes) -> Tensor | None:
    where = f"the shape of `{key.text}`"
    if not isinstance(node, Table):
        shape = read_shape(node, where, notes)
        return None if shape is None else Tensor(name, shape)
    before = len(notes.issues)
    fields = notes.fields(node, _KEYS, f"the tensor `{key.text}`")
    shape = None
    if "shape" in fields:
        shape = read_shape(fields["shape"], where, notes)
    elif len(notes.issues) == before:
        notes.issue(
            "missing-key", key.span, f"the tensor `{key.text}` has no `shape`", "`shape: []` is a scalar"
        )
    values, structure, constant, free = "normal", None, False, False
    if "values" in fields:
        values = notes.choice(fields["values"], f"`values` of `{key.text}`", VALUES) or values
    if "structure" in fields:
        structure = notes.choice(fields["structure"], f"`structure` of `{key.text}`", STRUCTURES)
    if "constant" in fields:
        constant = notes.truth(fields["constant"], f"`constant` of `{key.text}`") or False
    if "by" in fields:
        free = notes.choice(fields["by"], f"`by` of `{key.text}`", ("free-entries",)) is not None
    if shape is None or len(notes.issues) > before:
        return None
    if not _fits(key.text, fields, shape, values, structure, free, notes):
        return None
    if free:
        notes.issue(
            "not-yet",
            fields["by"].span,
            f"`by: free-entries` of `{key.text}` is not supported yet",
            "leave it out: the entries of a structured tensor then vary independently",
        )
        return None
    return Tensor(name, shape, values, structure, constant, free)


def _fits(
    name: str,
    fields: Mapping[str, Node],
    shape: tuple[Dimension, ...],
    values: str,
    structure: str | None,
    free: bool,
    notes: Notes,
) -> bool:
    """Whether the facts can be true of the shape and of one another."""
    if values in ("onehot", "probabilities") and not shape:
        message = f"`{name}` is a scalar, and `values: {values}` runs along the last axis"
        notes.issue("bad-value", fields["values"].span, message)
        return False
    if free and structure in (None, "orthonormal"):
        message = f"`by: free-entries` needs a structure whose entries are free, and `{name}` has none"
        notes.issue("bad-value", fields["by"].span, message, "give it `structure: symmetric`, for example")
        return False
    if structure is None:
        return True
    span = fields["structure"].span
    if len(shape) != 2 or (structure in _SQUARE and shape[0] != shape[1]):
        wanted = "a matrix with one dimension twice" if structure in _SQUARE else "a matrix"
        said = "[" + ", ".join(dimension.name for dimension in shape) + "]"
        notes.issue(
            "bad-shape",
            span,
            f"`structure: {structure}` is that of {wanted}, and `{name}` has the shape {said}",
        )
        return False
    rows, columns = shape[0].fixed, shape[1].fixed
    if structure == "orthonormal" and rows is not None and columns is not None and rows < columns:
        message = f"`{name}` has more columns than rows, so they cannot be orthonormal"
        notes.issue("bad-shape", span, message)
        return False
    if values not in _VALUES_OF.get(structure, ("normal",)):
        notes.issue(
            "bad-value",
            fields["values"].span,
            f"`values: {values}` and `structure: {structure}` cannot both hold of `{name}`",
        )
        return False
    return True
