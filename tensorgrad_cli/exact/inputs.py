"""Random residues for declared tensors that respect what is declared of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.field import Integers
from tensorgrad_cli.exact.linear import inverse_matrix, matrix_product
from tensorgrad_cli.exact.residues import VALUE, Draws, Residues

__all__ = ["DISCRETE", "Inputs"]

# Values of which there are finitely many, so that a random residue is not what stands for them.
DISCRETE = ("binary", "onehot", "signs", "integers")


class Inputs:
    """The entries of tensors in one batch of draws with given sizes, each drawn once.

    `relaxed`: binary and sign tensors get any values, one-hot ones any rows that sum to one, for claims that need
    no more than that.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], draws: Draws, sizes: Mapping[str, int], *, relaxed: bool
    ) -> None:
        self._tensors = tensors
        self._draws = draws
        self._sizes = sizes
        self._relaxed = relaxed
        self._entries: dict[tuple[str, int], Residues] = {}
        self._choices: dict[str, Integers] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor without the draws' axis."""
        return tuple(dimension.size(self._sizes) for dimension in self._tensors[name].shape)

    def entries(self, name: str, kind: int) -> Residues:
        """The residues of a tensor, shape (draws, …)."""
        found = self._entries.get((name, kind))
        if found is None:
            tensor = self._tensors[name]
            self._draws.begin(name, kind)
            found = self._entries[name, kind] = self._structured(tensor, self.shape(name), kind)
        return found

    def choice(self, name: str) -> Integers:
        """The whole numbers that a tensor of discrete values holds, shape (draws, …); all kinds share them."""
        found = self._choices.get(name)
        if found is None:
            self._draws.begin(name, "choice")
            found = self._choices[name] = self._chosen(self._tensors[name], self.shape(name))
        return found

    # --- values ---------------------------------------------------------------------------------

    def _chosen(self, tensor: Tensor, shape: tuple[int, ...]) -> Integers:
        rng, full = self._draws.rng, (self._draws.count, *shape)
        match tensor.values:
            case "binary":
                return rng.integers(0, 2, full)
            case "signs":
                return np.where(rng.integers(0, 2, full) == 0, np.int64(-1), np.int64(1))
            case "onehot":
                hot: Integers = rng.integers(0, full[-1], full[:-1])[..., None]
                return np.equal(hot, np.arange(full[-1])).astype(np.int64)
            case _:
                dimension = tensor.indexes
                return rng.integers(0, 8 if dimension is None else dimension.size(self._sizes), full)

    def _values(self, tensor: Tensor, shape: tuple[int, ...], kind: int) -> Residues:
        draws = self._draws
        if tensor.values in DISCRETE and not (self._relaxed and tensor.values != "integers"):
            return Residues(draws.reduced(self.choice(tensor.name).copy(), kind))
        match tensor.values:
            case "onehot":
                return Residues(self._summing_to_one(shape, kind))
            case "positive" if kind == VALUE:
                root = draws.uniform(kind, shape, 1)
                return Residues(draws.multiply(root, root, kind))
            case "uniform" if kind == VALUE:
                return self._uniform(shape)
            case "probabilities":
                return self._probabilities(shape, kind)
            case _:
                return Residues(draws.uniform(kind, shape, 1))

    def _uniform(self, shape: tuple[int, ...]) -> Residues:
        """x = s² with 1 - x = t²: a point of the circle s² + t² = 1, s = 2u / (1 + u²)."""
        draws = self._draws
        u = draws.uniform(VALUE, shape, 2)
        scale = draws.inverse(draws.reduced(u * u + 1, VALUE), VALUE)
        s = draws.multiply(2 * u, scale.values, VALUE)
        return Residues(draws.multiply(s, s, VALUE), scale.kept)

    def _probabilities(self, shape: tuple[int, ...], kind: int) -> Residues:
        """Rows that sum to one; as values squares: a point of the sphere, by stereographic projection."""
        if kind != VALUE:
            return Residues(self._summing_to_one(shape, kind))
        draws = self._draws
        free = draws.uniform(kind, (*shape[:-1], shape[-1] - 1), 1)
        norm = draws.reduced((free * free).sum(axis=-1, keepdims=True), kind)
        scale = draws.inverse(draws.reduced(norm + 1, kind), kind)
        sphere = draws.multiply(np.concatenate([2 * free, norm - 1], axis=-1), scale.values, kind)
        return Residues(draws.multiply(sphere, sphere, kind), scale.kept)

    def _summing_to_one(self, shape: tuple[int, ...], kind: int) -> Integers:
        draws = self._draws
        free = draws.uniform(kind, (*shape[:-1], shape[-1] - 1), 1)
        last = draws.reduced(1 - free.sum(axis=-1, keepdims=True), kind)
        return np.concatenate([free, last], axis=-1)

    # --- structures -----------------------------------------------------------------------------

    def _structured(self, tensor: Tensor, shape: tuple[int, ...], kind: int) -> Residues:
        match tensor.structure:
            case None:
                return self._values(tensor, shape, kind)
            case "orthonormal":
                return self._orthonormal(tensor.name, shape, kind)
            case "spd":
                return self._positive_definite(shape, kind)
            case structure:
                drawn = self._values(tensor, shape, kind)
                return Residues(self._shaped(drawn.values, structure, kind), drawn.kept)

    def _shaped(self, values: Integers, structure: str, kind: int) -> Integers:
        match structure:
            case "symmetric":
                return np.triu(values) + np.triu(values, 1).swapaxes(-1, -2)
            case "skew":
                above = np.triu(values, 1)
                return self._draws.reduced(above - above.swapaxes(-1, -2), kind)
            case "diagonal":
                return values * np.eye(*values.shape[-2:], dtype=np.int64)
            case "lower":
                return np.tril(values)
            case "upper":
                return np.triu(values)
            case _:
                raise ValueError(f"unknown structure {structure}")

    def _positive_definite(self, shape: tuple[int, ...], kind: int) -> Residues:
        """L Lᵀ of a lower triangular L with no zero on its diagonal: all leading minors are squares."""
        lower = np.tril(self._draws.uniform(kind, shape, 1))
        return Residues(matrix_product(lower, lower.swapaxes(-1, -2), kind, self._draws))

    def _orthonormal(self, name: str, shape: tuple[int, ...], kind: int) -> Residues:
        """Columns of Cayley's (I - S)(I + S)⁻¹ with S skew, the first with a random sign: rotations alone would
        prove det Q = 1."""
        draws = self._draws
        *batch, rows, columns = shape
        skew = self._shaped(draws.uniform(kind, (*batch, rows, rows)), "skew", kind)
        identity = np.eye(rows, dtype=np.int64)
        inverse = inverse_matrix(draws.reduced(identity + skew, kind), kind, draws)
        product = matrix_product(draws.reduced(identity - skew, kind), inverse.values, kind, draws)
        signed = product[..., :columns].copy()
        signed[..., 0] *= self._reflection(name, tuple(batch))[..., None]
        return Residues(draws.reduced(signed, kind), inverse.kept)

    def _reflection(self, name: str, batch: tuple[int, ...]) -> Integers:
        # The same in all kinds, or a determinant would differ between them.
        if name not in self._choices:
            self._draws.begin(name, "reflection")
            drawn = self._draws.rng.integers(0, 2, (self._draws.count, *batch))
            self._choices[name] = np.where(drawn == 0, np.int64(-1), np.int64(1))
        return self._choices[name]
