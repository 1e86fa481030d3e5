"""What the names of an expression are worth at a point, or at a batch of points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from tensorgrad_cli.numeric.abstract import AbstractFunction

__all__ = ["DEFAULT_MEMORY", "Environment", "TooLarge"]

DEFAULT_MEMORY = 1 << 30


class TooLarge(MemoryError):
    """More memory is needed than is allowed; `needed` and `allowed` are bytes. Nothing was allocated."""

    def __init__(self, needed: int, allowed: int, name: str = "") -> None:
        of = f" for {name}" if name else ""
        super().__init__(f"{needed:,} bytes are needed{of}, {allowed:,} are allowed")
        self.needed = needed
        self.allowed = allowed
        self.name = name


class Environment(Struct, frozen=True):
    """Arrays by name, sizes of the named dimensions, abstract functions by name.

    An array of `batched` has a batch axis in front, all of the same length. `memory` is how many bytes one
    evaluation may allocate. Arrays are shared, never written to.
    """

    arrays: Mapping[str, Any] = {}
    batched: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = {}
    functions: Mapping[str, AbstractFunction] = {}
    memory: int = DEFAULT_MEMORY

    def with_arrays(self, arrays: Mapping[str, Any], batched: Iterable[str] = ()) -> Environment:
        """The environment with some arrays added or replaced, those named in `batched` with a batch axis.

        Steps computed from the replaced arrays stay as they are: `evaluate_chain` computes those again that
        depend on a batched one, so replace unbatched arrays before the chain is evaluated.
        """
        return Environment(
            {**self.arrays, **arrays},
            (self.batched - frozenset(arrays)) | frozenset(batched),
            self.sizes,
            self.functions,
            self.memory,
        )
