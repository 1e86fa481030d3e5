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
    "reciprocals": ("s", "p", "(1 / (1 + {}))"),
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


@pytest.mark.parametrize(
    ("family", "levels"), [("generator", 60), ("index", 60), ("continued", 95), ("reciprocals", 95)]
)
def test_deep_formulas_are_checked(family: str, levels: int) -> None:
    """The derivative of a continued fraction is a product of as many factors as it has levels, and one of 1e-40
    beside a value of 0.6, which no difference resolves and the complex step does."""

    def checked() -> int:
        spec, issues = read(Source("deep.yaml", spec_of(family, levels)))
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


def test_more_sums_in_a_product_than_there_are_letters() -> None:
    chain = "['s = " + " ".join(["(a[i] b[i])"] * 60) + "']"
    claims = "['∂s/∂a[i] = 60 s b[i] / (a[k] b[k])', '∂s/∂a[i] = 59 s b[i] / (a[k] b[k])']"
    text = f"tensors: {{a: [n], b: [n]}}\nchain: {chain}\nclaims: {claims}\n"
    spec, issues = read(Source("many.yaml", text))
    assert spec is not None, issues
    verdicts = [check.verdict for check in check_spec(spec).checks]
    assert verdicts[:-2] == ["verified"] * 4
    assert verdicts[-2:] == ["proved", "refuted"]
