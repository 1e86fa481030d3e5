"""The drawn inputs of a spec and its expected derivatives, as arrays for another program to be compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.reports import seed_of
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["exported", "write_npz"]


def exported(spec: Spec, seed: int | None = None) -> dict[str, Any]:
    """The tensors by their names, the steps' values, and `loss/w` for each `wrt` tensor: the arrays at the first
    point of a check with the same seed."""
    bench = Workbench(spec, seed_of(spec, seed))
    point, spell = bench.points[0], bench.scope.spelling
    arrays = {spell(name): np.array(point.value(name)) for name in spec.tensors}
    if spec.loss is None:
        return arrays
    arrays[spell(spec.loss)] = np.array(point.value(spec.loss))
    for name in spec.wrt:
        derivative = Derivative(derivative_name(spec.loss, (name,)), spec.loss, (name,))
        bench.calculus.extend((), (derivative,))
        arrays[f"{spell(spec.loss)}/{spell(name)}"] = np.array(point.value(derivative.name))
    return arrays


def write_npz(arrays: dict[str, Any], path: Path) -> None:
    """Write arrays to an .npz file. Raises OSError."""
    with path.open("wb") as file:
        np.savez(file, **arrays)
