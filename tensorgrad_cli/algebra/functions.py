"""The scalar functions: the one lookup of their rows. The rows stand in `functions_*`, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from tensorgrad_cli.algebra.functions_activation import ACTIVATIONS
from tensorgrad_cli.algebra.functions_elementary import ELEMENTARY
from tensorgrad_cli.algebra.functions_special import SPECIAL
from tensorgrad_cli.algebra.rows import Function

__all__ = ["FUNCTIONS", "Function"]

FUNCTIONS: Mapping[str, Function] = {row.name: row for row in (*ELEMENTARY, *ACTIVATIONS, *SPECIAL)}
