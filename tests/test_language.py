"""Every sentence of the language's description by lines that it makes hold, fail or ill-formed: language.yaml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.run import check_spec

SPEC = """\
tensors:
  A: [n, n]
  B: [n, n]
  D: []
  K: [2, 3]
  P: {shape: [m, n], values: probabilities}
  S: {shape: [n, n], structure: symmetric}
  T: [m, n, o]
  V: [m, n]
  W: [m, n]
  X: [q, n]
  a: [n]
  b: [m]
  c: [n]
  lam: []
  mu: []
  p: {shape: [n], values: positive}
  r: [q]
  x: [n]
  x₁: [n]
  x_1: [n]
  ŷ: [n]
  ω: []
functions: [f, G, 'D(u) = 2 u']
chain:
  - z[i] = W[i,k] x[k] + b[i]
  - y = f(z)
  - cost = sum[i] G(y[i], b[i])
wrt: [x]
"""
SENTENCES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("language.yaml").read_text(encoding="utf-8")
)
LINES = [
    (line, wanted) for entry in SENTENCES for wanted in entry if wanted != "says" for line in entry[wanted]
]


@cache
def verdicts() -> dict[str, str]:
    """The verdict of each line, or the code of its error."""
    spec, issues = read(Source("language.yaml", SPEC))
    assert spec is not None, [issue.message for issue in issues]
    lines = list(dict.fromkeys(line for line, _ in LINES))
    checks = check_spec(spec, claims=lines).checks[-len(lines) :]
    found = {}
    for line, check in zip(lines, checks, strict=True):
        assert check.source == line
        code = re.match(r"error\[(.*?)\]", check.message) if check.verdict == "ill-formed" else None
        found[line] = code[1] if code else check.verdict
    return found


@pytest.mark.parametrize(("line", "wanted"), LINES, ids=[line for line, _ in LINES])
def test_every_sentence(line: str, wanted: str) -> None:
    found = verdicts()[line]
    assert found in (("proved", "verified") if wanted == "holds" else (wanted,))
