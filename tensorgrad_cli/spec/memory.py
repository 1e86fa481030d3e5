"""Whether the declared sizes fit in memory, reckoned before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.source import Issue, Span

__all__ = ["too_large"]

_BYTES = 8
# A tensor or step is held at the point and at copies of it whose inputs and roundings are moved, at most so often:
# `verify.points` has the point, and the point again with four copies.
_COPIES = 6
_LEAST = 2  # what is not given is drawn, and is at least this


def too_large(
    shapes: Mapping[str, tuple[Dimension, ...]],
    spans: Mapping[str, Span],
    sizes: Mapping[str, int],
    budget: int,
    spellings: Mapping[str, str],
) -> Issue | None:
    """An issue at the largest tensor or step, where all of them together, with the copies that a check makes,
    take more than the budget."""
    entries = {name: _entries(shape, sizes) for name, shape in shapes.items()}
    total = sum(entries.values()) * _BYTES
    if total * _COPIES <= budget:
        return None
    name = max(entries, key=lambda key: entries[key])
    spelling = spellings.get(name, name)
    message = (
        f"`{spelling}` alone has {_counted(shapes[name], entries[name], sizes, spellings)} entries; all tensors and steps take "
        f"{_amount(total)}, {_amount(total * _COPIES)} with the copies that a check makes, and "
        f"`check: max_memory` is {_amount(budget)}"
    )
    return Issue(
        "too-large", spans.get(name), message, "derivatives are the same at small sizes: choose some"
    )


def _entries(shape: tuple[Dimension, ...], sizes: Mapping[str, int]) -> int:
    filled = {name: sizes.get(name, _LEAST) for dimension in shape for name in dimension.names}
    return math.prod(max(dimension.size(filled), 0) for dimension in shape)


def _counted(
    shape: tuple[Dimension, ...], entries: int, sizes: Mapping[str, int], spellings: Mapping[str, str]
) -> str:
    """The number of entries, with the factors that make it up: the sizes, of a vector the dimension's name."""
    named = {} if len(shape) == 1 else sizes
    factors = [_factor(dimension, named, spellings) for dimension in shape]
    whole = _count(entries)
    return whole if factors in ([], [whole]) else f"{' × '.join(factors)} = {whole}"


def _factor(dimension: Dimension, sizes: Mapping[str, int], spellings: Mapping[str, str]) -> str:
    if dimension.fixed is not None:
        return _count(dimension.fixed)
    known = all(name in sizes for name in dimension.names)
    return _count(dimension.size(sizes)) if known else spellings.get(dimension.name, dimension.name)


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"


def _amount(size: int) -> str:
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            number = size / factor if size < 10**300 else 10.0**288
            return (
                f"{number:.3g} {unit}" if number < 1000 else f"about 10^{len(str(size // factor)) - 1} {unit}"
            )
    return f"{size} bytes"
