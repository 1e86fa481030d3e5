"""The typed spec: what a YAML file says, read and elaborated as far as no verdict is involved.

The chain is elaborated here, since a mistake in it is an error of the spec. Claims and derivations stay
sources: what cannot be read in them is a verdict (`ill-formed`), which `verify` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Chain, Derivative, Dimension, Equation
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.source import Source

__all__ = ["CheckOptions", "Claim", "Derivation", "DimensionFact", "Line", "Spec", "Step"]


class Step(Struct, frozen=True):
    """One line of the chain: its equation, and what its right side needs besides earlier steps.

    `derivatives` are those of earlier steps that it contains (a gradient penalty); `definitions` are the
    equations of expressions that stand under a ∂ in it. `matrix` says that it was written in matrix notation.
    """

    name: str
    equation: Equation
    source: Source
    derivatives: tuple[Derivative, ...] = ()
    definitions: Chain = ()
    remarks: tuple[str, ...] = ()
    note: str | None = None
    matrix: bool = False


class Claim(Struct, frozen=True):
    """A claim as written. `at` maps a tensor to the source of the expression that it equals."""

    source: Source
    expect: str = "holds"
    note: str | None = None
    at: Mapping[str, Source] = {}


class Line(Struct, frozen=True):
    """A line of a derivation: its source without the leading equals sign. `expect` None is the default."""

    source: Source
    expect: str | None = None
    note: str | None = None


class Derivation(Struct, frozen=True):
    """A start and lines, each compared with the start and with the line before. `where` are equations' sources."""

    title: str | None
    start: Source
    lines: tuple[Line, ...]
    where: tuple[Source, ...] = ()
    first_wrong: int | None = None
    note: str | None = None


class DimensionFact(Struct, frozen=True):
    """What is said of a named dimension: its size, or conditions such as ('>=', 'p') or ('>=', '3')."""

    size: int | None = None
    conditions: tuple[tuple[str, str], ...] = ()


class CheckOptions(Struct, frozen=True):
    """The `check` key: how numbers are drawn and compared."""

    points: int = 3
    seed: int | None = None
    method: str = "auto"
    mode: str = "auto"
    dtype: str = "float64"
    rtol: float | None = None
    atol: float | None = None
    max_memory: int = 1 << 30


class Spec(Struct, frozen=True):
    """A spec. `data` and `gradients` hold NumPy arrays by name, none where no file was read though the spec
    `names_arrays`; NumPy is imported only where they are read.

    `loss` is the scalar step or None. `hessian` are pairs of tensors. `implementations` are pairs
    (derivative's source, 'package.module:function').
    """

    path: str
    source: Source
    title: str
    note: str | None
    scope: Scope
    dims: Mapping[str, DimensionFact]
    tensors: Mapping[str, Tensor]
    chain: tuple[Step, ...]
    loss: str | None
    wrt: tuple[str, ...]
    hessian: tuple[tuple[str, str], ...] = ()
    claims: tuple[Claim, ...] = ()
    derivations: tuple[Derivation, ...] = ()
    data: Mapping[str, Any] = {}
    gradients: Mapping[str, Any] = {}
    implementations: tuple[tuple[Source, str], ...] = ()
    layout: str = "numerator"
    check: CheckOptions = CheckOptions()
    remarks: tuple[str, ...] = ()
    dimensions: Mapping[str, Dimension] = {}
    names_arrays: bool = False
