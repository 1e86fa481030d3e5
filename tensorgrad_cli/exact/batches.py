"""Batches of draws for a chain, made when a claim first needs them and shared by all claims that can."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum

import numpy as np

from tensorgrad_cli.algebra.expression import Dimension, Equation
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.evaluate import Evaluator
from tensorgrad_cli.exact.field import Field
from tensorgrad_cli.exact.inputs import Inputs
from tensorgrad_cli.exact.residues import Draws
from tensorgrad_cli.exact.signs import Signs
from tensorgrad_cli.exact.sizes import Condition, assignments

__all__ = ["Batch", "Batches", "Mode"]


class Mode(Enum):
    """How signs are treated: as random odd functions; as characters; as characters, all known signs respected."""

    OPAQUE = "opaque"
    PLAIN = "plain"
    STRICT = "strict"


class Batch:
    """Draws with one assignment of sizes, and the evaluators on them."""

    def __init__(
        self,
        draws: Draws,
        sizes: Mapping[str, int],
        tensors: Mapping[str, Tensor],
        equation: Callable[[str], Equation | None],
        signs: Signs,
        *,
        relaxed: bool,
    ) -> None:
        self.draws = draws
        self.sizes = sizes
        inputs = Inputs(tensors, draws, sizes, relaxed=relaxed)

        def evaluator(mode: Mode) -> Evaluator:
            return Evaluator(
                draws,
                sizes,
                tensors,
                inputs,
                equation,
                signs,
                opaque=mode is Mode.OPAQUE,
                strict=mode is Mode.STRICT,
            )

        self._make = evaluator
        self._evaluators: dict[Mode, Evaluator] = {}

    def evaluator(self, mode: Mode) -> Evaluator:
        """The evaluator of a mode; it keeps the values of steps."""
        if mode not in self._evaluators:
            self._evaluators[mode] = self._make(mode)
        return self._evaluators[mode]

    def forget(self) -> None:
        """Drops the values that only one claim has."""
        for evaluator in self._evaluators.values():
            evaluator.forget()


class Batches:
    """The batches of one chain. The same arguments give the same batch; everything follows from the seed."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        equation: Callable[[str], Equation | None],
        signs: Signs,
        fixed: Mapping[str, int],
        seed: int,
        conditions: Iterable[Condition] = (),
    ) -> None:
        self._tensors = tensors
        self._equation = equation
        self._signs = signs
        self._fixed = fixed
        self.conditions = tuple(conditions)
        self._seed = seed
        self._sizes: dict[object, tuple[dict[str, int], ...]] = {}
        self._kept: dict[object, Batch] = {}

    def sizes(
        self,
        dimensions: frozenset[Dimension],
        minimum: Mapping[str, int],
        at_least: frozenset[tuple[Dimension, Dimension]],
    ) -> tuple[dict[str, int], ...]:
        """Four assignments of sizes (fewer where there are not as many)."""
        key = (dimensions, tuple(sorted(minimum.items())), at_least)
        if key not in self._sizes:
            names = sorted(dimension.name for dimension in dimensions)
            rng = self._rng("sizes", *names)
            self._sizes[key] = assignments(
                sorted(dimensions),
                minimum,
                self._fixed,
                sorted(at_least),
                rng,
                conditions=self.conditions,
            )
        return self._sizes[key]

    def batch(
        self,
        fields: tuple[Field, ...],
        each: int,
        turn: int,
        sizes: Mapping[str, int],
        *,
        relaxed: bool,
        keep: bool,
    ) -> Batch:
        """`each` draws for each field with these sizes, others for each turn; remembered where `keep` says so."""
        key = (fields, each, turn, tuple(sorted(sizes.items())), relaxed)
        found = self._kept.get(key)
        if found is None:
            draws = Draws(fields, each, self._rng("draws", repr(key)))
            found = Batch(draws, sizes, self._tensors, self._equation, self._signs, relaxed=relaxed)
            if keep:
                self._kept[key] = found
        return found

    def forget(self) -> None:
        """Drops what only one claim has."""
        for batch in self._kept.values():
            batch.forget()

    def _rng(self, *parts: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32("|".join(parts).encode())])


def orthonormal_shapes(tensors: Iterable[Tensor]) -> frozenset[tuple[Dimension, Dimension]]:
    """Pairs of dimensions of which the first is to be at least as large: rows and columns of orthonormal ones."""
    return frozenset(
        (tensor.shape[-2], tensor.shape[-1])
        for tensor in tensors
        if tensor.structure == "orthonormal" and tensor.shape[-2] != tensor.shape[-1]
    )
