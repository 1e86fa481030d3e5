"""What is declared of a tensor: its shape and the facts that draws respect and proofs may use."""

from __future__ import annotations

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension

__all__ = ["STRUCTURES", "VALUES", "Tensor"]

VALUES = (
    "normal",
    "uniform",
    "positive",
    "integers",
    "binary",
    "signs",
    "onehot",
    "probabilities",
)
STRUCTURES = ("symmetric", "skew", "spd", "diagonal", "lower", "upper", "orthonormal")


class Tensor(Struct, frozen=True, cache_hash=True):
    """A declared tensor: `values` is one of VALUES, `structure` one of STRUCTURES or None.

    'uniform' is on (0, 1); 'onehot' and 'probabilities' along the last axis; 'orthonormal' columns;
    'integers' are positions on the axis `indexes` that they index. `constant` tensors are not
    differentiated by unless asked. `free_entries` asks for derivatives by the free entries of a structure.
    """

    name: str
    shape: tuple[Dimension, ...]
    values: str = "normal"
    structure: str | None = None
    constant: bool = False
    free_entries: bool = False
    indexes: Dimension | None = None
