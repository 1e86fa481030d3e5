"""Formulas that nest deeply: the work grows with the levels, not with their square or worse. Calls are counted."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from tensorgrad_cli.algebra.matching import blind, shared
from tensorgrad_cli.algebra.walking import nodes, occurring, subexpressions
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.terminal import roomy
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.show import formulas

SPEC = """\
tensors: {{a: [n], b: [n], u: [n], p: [], q: []}}
chain:
  - '{} = {}'
"""

# A level around what is inside: sums and products mixed, with and without an index summed, fractions.
FAMILIES = {
    "generator": ("s", "a[i] b[i]", "({} (a[{}] b[{}] + 1) + 1)"),
    "index": ("s[k]", "u[k]", "({} a[k] + u[k])"),
    "fraction": ("s", "p", "({} / q + 1)"),
    "continued": ("s", "q", "(1 + p / {})"),
    "sum below a bar": ("s", "p", "(1 + p / (a[i] b[i] + {}))"),
}


def spec_of(family: str, levels: int) -> str:
    left, inner, around = FAMILIES[family]
    for level in range(levels):
        letter = "ij"[level % 2]
        inner = around.format(inner, *(letter for _ in range(around.count("{}") - 1)))
    return SPEC.format(left, inner)


def calls(family: str, levels: int) -> int:
    """How many functions of the package are entered to read a spec and to print all its formulas."""
    blind.cache_clear()
    shared.cache_clear()
    count = 0

    def entered(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event == "call" and "tensorgrad_cli" in frame.f_code.co_filename

    spec, issues = read(Source("deep.yaml", spec_of(family, levels)))
    assert spec is not None, issues
    sys.setprofile(entered)
    try:
        for notation in ("text", "latex"):
            list(formulas(spec, notation))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("family", FAMILIES)
def test_twice_the_levels_are_about_twice_the_work(family: str) -> None:
    def counted() -> int:
        calls(family, 4)
        few, many = calls(family, 12), calls(family, 24)
        # Linear work doubles, quadratic work is fourfold; Python versions count calls differently.
        assert many < 3.2 * few, (few, many)
        return 0

    assert roomy(counted) == 0


@pytest.mark.parametrize("family", ["generator", "index"])
def test_deep_formulas_are_checked(family: str) -> None:
    def checked() -> int:
        spec, issues = read(Source("deep.yaml", spec_of(family, 60)))
        assert spec is not None, issues
        assert check_spec(spec).verdict == "pass"
        return 0

    assert roomy(checked) == 0


def test_parts_are_counted_as_written_and_listed_once() -> None:
    spec, _ = read(Source("deep.yaml", spec_of("generator", 3)))
    assert spec is not None
    for equation in (step.equation for step in spec.chain):
        every = list(subexpressions(equation.expression))
        assert nodes(equation.expression) == len(every)
        once = list(occurring(equation.expression))
        assert {id(part) for part in once} == {id(part) for part in every}
        assert len({id(part) for part in once}) == len(once)
