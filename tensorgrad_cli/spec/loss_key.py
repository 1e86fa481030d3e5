"""The keys `loss`, `wrt` and `hessian`: what is differentiated, and by what."""

from __future__ import annotations

from itertools import combinations_with_replacement

from msgspec import Struct

from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.spec.entries import Notes, did_you_mean, is_empty
from tensorgrad_cli.spec.model import Step
from tensorgrad_cli.spec.nodes import Items, Node, Scalar

__all__ = ["Declared", "read_hessian", "read_loss", "read_wrt"]


class Declared(Struct, frozen=True):
    """What the scope knows, and beside it the names of all `steps` and of the `tensors` with a mistake."""

    scope: Scope
    steps: frozenset[str]
    tensors: frozenset[str]


def read_loss(node: Node | None, chain: tuple[Step, ...], declared: Declared, notes: Notes) -> str | None:
    """The scalar step that total derivatives are taken of; None where the last step is none."""
    scope = declared.scope
    if node is None or is_empty(node):
        last = chain[-1] if chain else None
        return last.name if last is not None and not last.equation.indices else None
    name = notes.name(node, "`loss`")
    if name is None or (name[0] in declared.steps and name[0] not in scope.steps):
        return None
    shape = scope.steps.get(name[0])
    if shape is None:
        if name[0] in scope.tensors:
            notes.issue("unknown-step", node.span, f"the loss is a step, and `{name[1]}` is a tensor")
        else:
            options = [scope.spelling(step) for step in scope.steps]
            notes.issue(
                "unknown-step",
                node.span,
                f"`{name[1]}` is no step of the chain",
                did_you_mean(name[1], options),
            )
        return None
    if shape:
        said = "[" + ", ".join(scope.spelling(dimension.name) for dimension in shape) + "]"
        notes.issue(
            "loss-not-scalar",
            node.span,
            f"the loss is a scalar, and `{name[1]}` has the shape {said}",
            f"add a step such as `cost = sum({name[1]})`",
        )
        return None
    return name[0]


def _tensor(node: Node, where: str, declared: Declared, notes: Notes) -> str | None:
    """The canonical name of a declared tensor."""
    scope = declared.scope
    name = notes.name(node, where)
    if name is None or name[0] in declared.tensors:
        return None
    if name[0] not in scope.tensors:
        if name[0] in declared.steps:
            message, helped = f"`{name[1]}` is a step, and {where} is a declared tensor", None
        else:
            message = f"`{name[1]}` is no tensor of the spec"
            helped = did_you_mean(name[1], [scope.spelling(tensor) for tensor in scope.tensors])
        notes.issue("unknown-tensor", node.span, message, helped)
        return None
    if scope.tensors[name[0]].values == "integers":
        message = f"`{name[1]}` holds whole numbers, and nothing can be differentiated by it"
        notes.issue("bad-value", node.span, message)
        return None
    return name[0]


def read_wrt(node: Node | None, declared: Declared, notes: Notes) -> tuple[str, ...]:
    """The tensors to differentiate by: those named, or all that are neither constant nor whole numbers."""
    scope = declared.scope
    if node is None or is_empty(node):
        return tuple(
            name
            for name, tensor in scope.tensors.items()
            if not tensor.constant and tensor.values != "integers"
        )
    items = (node,) if isinstance(node, Scalar) else notes.items(node, "`wrt`", "`wrt: [w, b]`")
    found: list[str] = []
    for item in items:
        name = _tensor(item, "an entry of `wrt`", declared, notes)
        if name is not None and name in found:
            notes.issue("duplicate-name", item.span, f"`{scope.spelling(name)}` stands twice in `wrt`")
        elif name is not None:
            found.append(name)
    return tuple(found)


def read_hessian(
    node: Node | None, wrt: tuple[str, ...], declared: Declared, notes: Notes
) -> tuple[tuple[str, str], ...]:
    """Pairs of tensors: those written, or all of `wrt`."""
    if node is None or is_empty(node):
        return ()
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return tuple(combinations_with_replacement(wrt, 2)) if node.value else ()
    pairs: list[tuple[str, str]] = []
    for item in notes.items(node, "`hessian`", "`hessian: [[w, w], [w, b]]` or `hessian: true`"):
        if not isinstance(item, Items) or len(item.items) != 2:
            notes.wrong_type(item, "an entry of `hessian`", "a pair of tensors", "write `[w, b]`")
            continue
        left, right = (_tensor(part, "an entry of `hessian`", declared, notes) for part in item.items)
        if left is not None and right is not None:
            pairs.append((left, right))
    return tuple(pairs)
