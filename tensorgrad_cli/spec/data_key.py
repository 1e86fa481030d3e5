"""The keys `data` and `gradients`: which array of which file is which tensor, and what sizes follow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.notation.names import canonical, is_name
from tensorgrad_cli.source import Issue, Span
from tensorgrad_cli.spec.data import load, with_finite_numbers
from tensorgrad_cli.spec.data_facts import broken_fact
from tensorgrad_cli.spec.entries import Notes, did_you_mean, is_empty
from tensorgrad_cli.spec.nodes import Node, Scalar, Table

__all__ = ["Files", "Sizes", "read_data", "read_gradients"]


class Files(Struct, frozen=True):
    """Where files are looked for, and how many bytes of them are read."""

    folder: str
    budget: int


class Sizes:
    """The sizes of named dimensions as far as they are known, each with who says so."""

    def __init__(self, sizes: Mapping[str, int], spellings: Mapping[str, str]) -> None:
        self.known = dict(sizes)
        self.said = dict.fromkeys(sizes, "`dims`")
        self.spellings = spellings

    def meet(self, shape: tuple[Dimension, ...], array: Any, name: str, shown: str, span: Span) -> None:
        """Notes the sizes that an array gives. Raises an Issue with both shapes where they do not fit."""
        what = f"`{name}` in {shown}"
        here = "[" + ", ".join(map(str, array.shape)) + "]"
        written = "[" + ", ".join(self.spellings.get(d.name, d.name) for d in shape) + "]"
        if len(shape) != array.ndim:
            raise Issue("data-shape", span, f"{what} has the shape {here}, and the spec says {written}")
        first: dict[str, int] = {}
        for dimension, size in zip(shape, array.shape, strict=True):
            fixed = dimension.fixed if not dimension.names else self._size(dimension)
            if fixed is None and not dimension.terms:
                fixed = first.setdefault(dimension.name, size)
            if fixed is not None and fixed != size:
                raise self._mismatch(shape, what, here, written, dimension, span)
            if size == 0:
                raise Issue("data-shape", span, f"{what} has the shape {here}: it is empty")
        for name_of_dimension, size in first.items():
            self.known[name_of_dimension] = size
            self.said[name_of_dimension] = what

    def _size(self, dimension: Dimension) -> int | None:
        return dimension.size(self.known) if all(n in self.known for n in dimension.names) else None

    def _mismatch(
        self,
        shape: tuple[Dimension, ...],
        what: str,
        here: str,
        written: str,
        dimension: Dimension,
        span: Span,
    ) -> Issue:
        sizes = [self._size(d) if d.names else d.fixed for d in shape]
        wanted = (
            "[" + ", ".join(d.name if s is None else str(s) for d, s in zip(shape, sizes, strict=True)) + "]"
        )
        message = f"{what} has the shape {here}, and the spec says {written}"
        if wanted != written:
            message += f", which is {wanted}"
        spelling = self.spellings.get(dimension.name, dimension.name)
        by = self.said.get(dimension.name)
        if by is None and sizes.count(None):
            return Issue("data-shape", span, message, f"both axes `{spelling}` have one size")
        helped = f"`{spelling} = {self.known[dimension.name]}` comes from {by}" if by is not None else None
        return Issue("data-shape", span, message, helped)


def read_data(
    node: Node | None, tensors: Mapping[str, Tensor], scope: Scope, sizes: Sizes, files: Files, notes: Notes
) -> dict[str, Any]:
    """The values of tensors by canonical name; their shapes go to `sizes`."""
    found: dict[str, Any] = {}
    if node is None or is_empty(node):
        return found
    spellings = [scope.spelling(name) for name in tensors]
    for written, array, shown, span, listed in _arrays(node, "`data`", files, notes):
        name = canonical(written) if is_name(written) else written
        tensor = tensors.get(name)
        if tensor is None:
            _unknown_array(written, name, shown, span, listed, spellings, scope, notes)
            continue
        spelling = scope.spelling(name)
        try:
            array = _reshaped(array, len(tensor.shape), shown)
            sizes.meet(tensor.shape, array, spelling, shown, span)
            array = with_finite_numbers(array, spelling, shown, span)
        except Issue as issue:
            notes.issues.append(issue)
            continue
        broken = broken_fact(tensor, array)
        if broken is not None:
            notes.issue("data-values", span, f"`{spelling}` in {shown} is not as the spec says, {broken}")
        elif name in found:
            notes.issue("duplicate-name", span, f"`{spelling}` has values twice")
        else:
            found[name] = array if tensor.values == "integers" else array.astype("float64")
    return found


def _unknown_array(
    written: str,
    name: str,
    shown: str,
    span: Span,
    listed: bool,
    spellings: list[str],
    scope: Scope,
    notes: Notes,
) -> None:
    """An array that is no tensor's: an error where the spec names it or a name is close, else a remark."""
    if not listed and (name in scope.steps or "/" in written):
        # What `export` writes beside the inputs: the loss and the expected derivatives.
        return
    helped = did_you_mean(written, spellings)
    if name in scope.steps:
        notes.issue("unknown-tensor", span, f"`{written}` is a step, and data gives values to tensors")
    elif listed:
        notes.issue("unknown-tensor", span, f"`{written}` is no tensor of the spec", helped)
    elif helped is not None:
        notes.issue("unknown-tensor", span, f"`{written}` in {shown} is no tensor of the spec", helped)
    else:
        notes.remark(f"`{written}` in {shown} is no tensor of the spec and is not read")


def _arrays(node: Node, where: str, files: Files, notes: Notes) -> Iterator[tuple[str, Any, str, Span, bool]]:
    """(name, array, file, place in the spec, whether the spec names it) of each array of a key."""
    if isinstance(node, Scalar):
        for name, array in _file(node, node, files, notes).items():
            if name:
                yield name, array, node.text, node.span, False
            else:
                message = f"the array in {node.text} has no name"
                notes.issue("data-format", node.span, message, f"write {where[:-1]}: {{name: {node.text}}}`")
        return
    if not isinstance(node, Table):
        notes.wrong_type(node, where, "a path, or a mapping of names to paths")
        return
    for key, value in node.entries:
        held = _file(key, value, files, notes)
        path = value.text if isinstance(value, Scalar) else ""
        if not held:
            continue
        if "" in held:
            yield key.text, held[""], path, key.span, True
            continue
        own = {canonical(name) if is_name(name) else name: array for name, array in held.items()}
        wanted = canonical(key.text) if is_name(key.text) else key.text
        if wanted in own:
            yield key.text, own[wanted], path, key.span, True
        elif len(own) == 1:
            yield key.text, next(iter(own.values())), path, key.span, True
        else:
            helped = did_you_mean(key.text, held)
            notes.issue("data-missing", key.span, f"{path} holds no array `{key.text}`", helped)


def _file(place: Scalar, node: Node, files: Files, notes: Notes) -> Mapping[str, Any]:
    """The arrays of the file whose path stands at a node; none where it cannot be read."""
    path = notes.text(node, f"the path of `{place.text}`" if place is not node else "the path")
    if path is None:
        return {}
    if "\0" in path:
        notes.issue("data-missing", node.span, "a path holds no NUL")
        return {}
    try:
        return load(os.path.join(files.folder, path), path, node.span, files.budget)
    except Issue as issue:
        notes.issues.append(issue)
        return {}


def _reshaped(array: Any, rank: int, shown: str) -> Any:
    """A table of one column or one row is a vector where one is declared; one number is a scalar."""
    if shown.lower().endswith(".csv"):
        if rank == 1 and 1 in array.shape:
            return array.reshape(-1)
        if rank == 0 and array.size == 1:
            return array.reshape(())
    return array


def read_gradients(
    node: Node | None, scope: Scope, sizes: Sizes, files: Files, notes: Notes
) -> dict[str, Any]:
    """Derivatives that the user's code computed, by 'step/tensor' in canonical names."""
    found: dict[str, Any] = {}
    if node is None or is_empty(node):
        return found
    for written, array, shown, span, _ in _arrays(node, "`gradients`", files, notes):
        try:
            key, shape = _gradient(written, scope, span)
            array = _reshaped(array, len(shape), shown)
            sizes.meet(shape, array, written, shown, span)
            array = with_finite_numbers(array, written, shown, span)
            found[key] = array if array.dtype.kind == "f" else array.astype("float64")
        except Issue as issue:
            notes.issues.append(issue)
    return found


def _gradient(written: str, scope: Scope, span: Span) -> tuple[str, tuple[Dimension, ...]]:
    """The canonical 'step/tensor' of a key and the derivative's shape."""
    parts = [part.strip().removeprefix("∂") for part in written.split("/")]
    if len(parts) != 2 or not all(map(is_name, parts)):
        raise Issue("bad-value", span, f"`{written}` names no derivative", "write `cost/w`")
    step, tensor = map(canonical, parts)
    if step not in scope.steps:
        options = [scope.spelling(name) for name in scope.steps]
        raise Issue(
            "unknown-step", span, f"`{parts[0]}` is no step of the chain", did_you_mean(parts[0], options)
        )
    if tensor not in scope.tensors:
        options = [scope.spelling(name) for name in scope.tensors]
        message = f"`{parts[1]}` is no tensor of the spec"
        raise Issue("unknown-tensor", span, message, did_you_mean(parts[1], options))
    rows, columns = scope.steps[step], scope.tensors[tensor].shape
    shape = columns + rows if scope.layout == "denominator" else rows + columns
    return f"{step}/{tensor}", shape
