"""Which declared names hide others: a function first, then a tensor or step, then ours, then a dimension's size."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tensorgrad_cli.algebra.library import BUILTINS, Scope
from tensorgrad_cli.spec.dims_key import Dims

__all__ = ["hiding_remarks", "unused_dims"]

_OURS = frozenset(BUILTINS) | {"delta", "eye", "ones", "I", "prod", "stop_gradient"}


def hiding_remarks(scope: Scope) -> Iterator[str]:
    """A remark for each name that means one thing and could be taken for another."""
    functions = [*scope.abstract, *scope.defined]
    tensors = [*scope.tensors, *scope.steps]
    for name in functions:
        spelling = scope.spelling(name)
        if name in _OURS:
            yield f"`{spelling}` is the function that the spec declares, not ours"
        if name in tensors:
            yield f"`{spelling}(…)` is a call of the function; the tensor's product is `{spelling} * (…)`"
    for name in tensors:
        kind = "tensor" if name in scope.tensors else "step"
        spelling = scope.spelling(name)
        if name in _OURS:
            yield f"`{spelling}` is the {kind}, and hides our `{name}`"
        elif name in scope.dimensions:
            yield f"`{spelling}` in a formula is the {kind}, not the size of the dimension"


def unused_dims(dims: Dims, scope: Scope, text: str) -> Iterator[str]:
    """A remark for each name in `dims` that stands nowhere else in the spec."""
    shapes = [*(tensor.shape for tensor in scope.tensors.values()), *scope.steps.values()]
    used = {name for shape in shapes for dimension in shape for name in dimension.names}
    for name, spelling in dims.spellings.items():
        if name not in used and len(re.findall(rf"(?<!\w){re.escape(spelling)}(?!\w)", text)) < 2:
            yield f"`dims` has a size for `{spelling}`, and no tensor has that dimension"
