"""Points that differ in one entry, evaluated by slices, against the same points evaluated whole."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.slices import sliced
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.variation import variation
from tensorgrad_cli.verify.workbench import Workbench

NET = """
tensors:
  x: [m, k]
  w: [k, n]
  b: [n]
  v: [n, c]
  s: [n, n]
chain:
  - h[i,j] = tanh(x[i,a] w[a,j] + b[j])
  - g[i,j] = h[i,j]^2 + h[i,a] s[a,j]
  - z = g v
  - p[i,j] = softmax[j](z[i,j])
  - q[i] = p[i,j] z[i,j]
  - cost = sum[i] q[i] / m + tr(s) + sum[i,j] h[i,j] x[i,0]
"""


@pytest.fixture(scope="module")
def bench() -> Workbench:
    spec, issues = read(Source("slices.yaml", NET))
    assert spec is not None, issues
    return Workbench(spec, 3)


@pytest.mark.parametrize("numerator", ["h", "g", "z", "p", "q", "cost"])
@pytest.mark.parametrize("by", ["x", "w", "b", "v", "s", "h", "z"])
def test_slices_give_what_whole_arrays_give(bench: Workbench, numerator: str, by: str) -> None:
    point = bench.points[0]
    moving = variation(bench.calculus, numerator, by, False, point)
    perturb = sliced(moving.equations, point.environment, by, numerator)
    if not moving.equations or perturb is None:
        return
    rng = np.random.default_rng(0)
    which = rng.integers(0, moving.at.size, 30)
    steps = rng.standard_normal(30)
    points = np.tile(moving.at, (30, 1))
    points[np.arange(30), which] += steps
    np.testing.assert_allclose(perturb(which, steps), moving.function(points), rtol=1e-12, atol=1e-12)


def test_what_is_confined(bench: Workbench) -> None:
    for by, numerator, confined in (
        ("w", "cost", True),
        ("x", "h", True),
        ("s", "g", True),
        ("z", "p", True),
    ):
        moving = variation(bench.calculus, numerator, by, False, bench.points[0])
        assert (moving.perturb is not None) == confined, by
