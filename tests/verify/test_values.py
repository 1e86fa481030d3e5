"""Gradients that other code computed: planted errors in arrays and in Python functions, and right ones in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Result

SPEC = """
dims: {n: 8, p: 5, c: 3}
tensors:
  X: {shape: [n, p], constant: true}
  T: {shape: [n, c], values: onehot, constant: true}
  w: [p, c]
  s: [p, p]
  b: [c]
chain:
  - z[i,k] = X[i,l] s[l,a] w[a,k] + b[k]
  - cost = sum[i] (logsumexp[k](z[i,k]) - sum[l] T[i,l] z[i,l]) / n
"""


def spec_of(text: str = SPEC) -> Spec:
    spec, issues = read(Source("values.yaml", text))
    assert spec is not None, [issue.message for issue in issues]
    return spec


def data(scale: float = 1.0) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {"X": (8, 5), "w": (5, 3), "s": (5, 5), "b": (3,)}
    arrays: dict[str, Any] = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
    return {**arrays, "T": np.eye(3)[rng.integers(0, 3, 8)]}


def gradients(given: dict[str, Any], dtype: str = "float64") -> dict[str, Any]:
    """By hand, in NumPy."""
    X, T, w, s, b = (given[name].astype(dtype) for name in ("X", "T", "w", "s", "b"))
    z = X @ s @ w + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    d = (e / e.sum(axis=1, keepdims=True) - T) / np.asarray(8, dtype)
    return {"cost/w": s.T @ X.T @ d, "cost/s": X.T @ d @ w.T, "cost/b": d.sum(axis=0)}


def values(
    arrays: dict[str, Any], given: dict[str, Any] | None = None, text: str = SPEC
) -> dict[str, Result]:
    spec = replace(spec_of(text), data=data() if given is None else given, gradients=arrays)
    return {check.id: check for check in check_spec(spec, 1).checks if check.kind == "values"}


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_gradients_are_verified_by_their_own_precision(scale: float, dtype: str) -> None:
    given = data(scale)
    found = values(gradients(given, dtype), given)
    assert {id_: check.verdict for id_, check in found.items()} == {
        f"values:cost/{name}": "verified" for name in "wsb"
    }
    for check in found.values():
        assert check.error is not None
        assert check.error.method == f"evaluation in {dtype}"
        assert check.error.resolution < (1e-9 if dtype == "float64" else 1e-2)


def entry(array: Any, factor: float) -> Any:
    array[2, 1] *= factor
    return array


def without_last_row(array: Any) -> Any:
    array[-1] = 0.0
    return array


MISTAKES: dict[str, tuple[Callable[[Any], Any], str | None, str]] = {
    "sign": (lambda a: -a, "sign", "the sign is wrong"),
    "twice": (lambda a: 2.0 * a, "factor", "every entry is 2 times what it should be"),
    "a little more than twice": (lambda a: 2.01 * a, "factor", "every entry is 2.01"),
    "one entry, by a little": (lambda a: entry(a, 1.0001), None, "1 of 15 entry is wrong: w[2,1]"),
    "batch size": (lambda a: 8.0 * a, "mean-or-sum", "n = 8 times"),
    "mean twice": (lambda a: a / 8.0, "mean-or-sum", "1/n = 1/8 times"),
    "one entry": (lambda a: entry(a, 1.01), None, "1 of 15 entry is wrong: w[2,1]"),
    "one entry is zero": (lambda a: entry(a, 0.0), None, "1 of 15 entry is wrong: w[2,1]"),
    "last row": (without_last_row, None, "3 of 15 entries are wrong: w[4,0], w[4,1], w[4,2]"),
    "all a little": (lambda a: a * (1.0 + 1e-7), None, ""),
    "not finite": (lambda a: entry(a, np.nan), None, ""),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_planted_mistake_is_refuted_and_located(name: str, dtype: str) -> None:
    change, kind, said = MISTAKES[name]
    if dtype == "float32" and name == "all a little":
        pytest.skip("below float32's last place")
    given = data()
    arrays = gradients(given, dtype)
    arrays["cost/w"] = change(arrays["cost/w"].copy()).astype(dtype)
    found = values(arrays, given)
    wrong = found["values:cost/w"]
    assert (wrong.verdict, wrong.passed) == ("refuted", False)
    assert found["values:cost/s"].verdict == found["values:cost/b"].verdict == "verified"
    assert said in wrong.message
    if kind is not None:
        assert wrong.diagnosis is not None and wrong.diagnosis.kind == kind
    if said.startswith("1 of"):
        assert wrong.counterexample is not None and list(wrong.counterexample.at.values()) == [2, 1]


def test_a_transpose_is_a_matter_of_layout() -> None:
    arrays = gradients(data())
    square = values({**arrays, "cost/s": arrays["cost/s"].T})["values:cost/s"]
    assert square.verdict == "refuted" and square.diagnosis is not None
    assert square.diagnosis.kind == "transpose"
    other = values({**arrays, "cost/w": arrays["cost/w"].T})["values:cost/w"]
    assert other.verdict == "refuted" and other.diagnosis is not None
    assert "the transpose" in other.diagnosis.message


def test_a_wrong_shape_is_ill_formed() -> None:
    arrays = gradients(data())
    found = values({**arrays, "cost/w": arrays["cost/w"][:4]})["values:cost/w"]
    assert found.verdict == "ill-formed"
    assert found.message == "the array is 4×3, the derivative is 5×3"


def test_a_jacobian_in_either_layout() -> None:
    text = SPEC.replace("  - cost", "  - r[i] = z[i,0]\n  - cost")
    given = data()
    jacobian = given["X"] @ given["s"]
    array = np.zeros((8, 5, 3))
    array[:, :, 0] = jacobian
    numerator = values({"r/w": array}, given, text)["values:r/w"]
    assert numerator.verdict == "verified"
    turned = values({"r/w": np.moveaxis(array, 0, 2)}, given, text + "layout: denominator\n")["values:r/w"]
    assert turned.verdict == "verified"


# --- Python functions

ROUND_TRIP = str(Path(__file__).parents[2] / "specs" / "round_trip.yaml")


def test_functions_run_only_when_that_is_allowed() -> None:
    spec, issues = read_path(ROUND_TRIP)
    assert spec is not None, issues
    asked = check_spec(spec, 1)
    assert not any(check.kind == "implementation" for check in asked.checks)
    assert any("--allow-python" in remark for remark in asked.remarks)
    allowed = check_spec(spec, 1, allow_python=True)
    verdicts = [check.verdict for check in allowed.checks if check.kind == "implementation"]
    assert verdicts == ["verified", "verified"]


FUNCTIONS = """
import numpy as np

def right(X, s, w, b, T):
    z = X @ s @ w + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return X.T @ ((e / e.sum(axis=1, keepdims=True) - T) / len(X)) @ w.T

def wrong(**tensors):
    return 0.5 * right(**tensors)

def single(X, s, w, b, T):
    return right(*(a.astype(np.float32) for a in (X, s, w, b, T)))

def broken(X):
    raise RuntimeError("no GPU")
"""


@pytest.mark.parametrize(
    "function, verdict, said",
    [
        ("right", "verified", ""),
        ("single", "verified", ""),
        ("wrong", "refuted", "every entry is 1/2 times what it should be"),
        ("broken", "ill-formed", "RuntimeError: no GPU"),
        ("missing", "ill-formed", "AttributeError"),
    ],
)
def test_a_function(tmp_path: Path, function: str, verdict: str, said: str) -> None:
    module = f"functions_{function}"
    (tmp_path / f"{module}.py").write_text(FUNCTIONS, encoding="utf-8")
    path = tmp_path / "spec.yaml"
    path.write_text(
        f"{SPEC}implementations:\n  - of: ∂cost/∂s\n    call: {module}:{function}\n", encoding="utf-8"
    )
    spec, issues = read_path(str(path))
    assert spec is not None, issues
    (check,) = (c for c in check_spec(spec, 1, allow_python=True).checks if c.kind == "implementation")
    assert check.verdict == verdict
    assert said in check.message
