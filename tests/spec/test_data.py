"""Real data: the four formats, the sizes that follow from them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read

X = np.arange(6.0).reshape(2, 3) + 1
SPEC = "tensors: {{x: [m, p], b: [p], c: []}}\nchain:\n  - cost = sum(x)\ndata: {data}\n"


def write(folder: Path, **arrays: np.ndarray) -> None:
    np.savez(folder / "all.npz", **arrays)
    (folder / "all.json").write_text(json.dumps({name: a.tolist() for name, a in arrays.items()}))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        np.savetxt(folder / f"{name}.csv", np.atleast_1d(array), delimiter=",", header="a", comments="")


def read_in(folder: Path, text: str) -> Spec:
    spec, issues = read(Source(str(folder / "spec.yaml"), text))
    assert not issues, [issue.rendered() for issue in issues]
    assert spec is not None
    return spec


def refused(folder: Path, text: str) -> str:
    spec, issues = read(Source(str(folder / "spec.yaml"), text))
    assert spec is None
    return "\n".join(f"{i.code}: {i.message}" + (f" ({i.help})" if i.help else "") for i in issues)


@pytest.mark.parametrize(
    "data", ["all.npz", "all.json", "{x: x.npy, b: b.npy, c: c.npy}", "{x: all.npz, b: b.csv}"]
)
def test_every_format_gives_values_and_sizes(tmp_path: Path, data: str) -> None:
    write(tmp_path, x=X, b=np.array([1, 2, 3]), c=np.array(0.5))
    spec = read_in(tmp_path, SPEC.format(data=data))
    np.testing.assert_array_equal(spec.data["x"], X)
    np.testing.assert_array_equal(spec.data["b"], [1.0, 2.0, 3.0])
    assert spec.data["b"].dtype == np.float64
    assert (spec.dims["m"].size, spec.dims["p"].size) == (2, 3)


def test_csv_of_one_row_or_column_is_a_vector_and_of_one_number_a_scalar(tmp_path: Path) -> None:
    (tmp_path / "row.csv").write_text("1;2;3\n")
    (tmp_path / "column.csv").write_text("b\n1\n2\n\n3\n")
    (tmp_path / "one.csv").write_text("7\n")
    for name in ("row", "column"):
        spec = read_in(tmp_path, SPEC.format(data=f"{{b: {name}.csv, c: one.csv}}"))
        np.testing.assert_array_equal(spec.data["b"], [1, 2, 3])
        assert spec.data["c"].shape == ()


def test_names_in_a_file_may_be_spelt_in_ascii(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", y_hat=np.ones(2))
    spec = read_in(tmp_path, "tensors: {ŷ: [n]}\nchain:\n  - cost = sum(ŷ)\ndata: a.npz\n")
    assert list(spec.data) == ["y_hat"]


def test_an_array_that_is_no_tensor_is_remarked_on(tmp_path: Path) -> None:
    write(tmp_path, x=X, unrelated=np.ones(3))
    spec = read_in(tmp_path, SPEC.format(data="all.npz"))
    assert spec.remarks == ("`unrelated` in all.npz is no tensor of the spec and is not read",)


def test_without_loading_no_file_is_touched(tmp_path: Path) -> None:
    text = SPEC.format(data="nowhere.npz")
    spec, issues = read(Source(str(tmp_path / "spec.yaml"), text), load_data=False)
    assert issues == ()
    assert spec is not None
    assert spec.data == {}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X[0]}, "data-shape: `x` in all.npz has the shape [3], and the spec says [m, p]"),
        (
            {"x": X, "b": np.ones(2)},
            "data-shape: `b` in all.npz has the shape [2], and the spec says [p], which is [3] "
            "(`p = 3` comes from `x` in all.npz)",
        ),
        (
            {"x": np.array([[1, np.nan]])},
            "data-nan: `x[0,1]` in all.npz is NaN (data holds finite numbers only)",
        ),
        ({"c": np.array(np.inf)}, "data-nan: `c` in all.npz is infinite (data holds finite numbers only)"),
        ({"b": np.ones(0)}, "data-shape: `b` in all.npz has the shape [0]: it is empty"),
        (
            {"b": np.array([1j])},
            "data-format: `b` in all.npz holds complex numbers (save an array of real numbers)",
        ),
        (
            {"b": np.array(["a"])},
            "data-format: `b` in all.npz holds no numbers (save an array of real numbers)",
        ),
        (
            {"b": np.array([None, {}], dtype=object)},
            "data-pickle: all.npz holds pickled Python objects, which are never read "
            "(save arrays of numbers: `numpy.savez(path, x=x.astype(float))`)",
        ),
    ],
    ids=["rank", "size", "nan", "infinite", "empty", "complex", "words", "pickle"],
)
def test_what_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "all.npz", **arrays)
    assert refused(tmp_path, SPEC.format(data="all.npz")) == said


def test_a_size_in_dims_is_held_against_the_data(tmp_path: Path) -> None:
    write(tmp_path, x=X)
    assert refused(tmp_path, "dims: {p: 4}\n" + SPEC.format(data="all.npz")) == (
        "data-shape: `x` in all.npz has the shape [2, 3], and the spec says [m, p], which is [m, 4] "
        "(`p = 4` comes from `dims`)"
    )


def test_one_dimension_twice_is_one_size(tmp_path: Path) -> None:
    write(tmp_path, A=X)
    text = "tensors: {A: [n, n]}\nchain:\n  - cost = tr(A)\ndata: all.npz\n"
    assert refused(tmp_path, text) == (
        "data-shape: `A` in all.npz has the shape [2, 3], and the spec says [n, n] (both axes `n` have one size)"
    )


def test_a_file_larger_than_the_budget_is_not_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "all.npz", x=np.zeros((1000, 1000)))
    text = SPEC.format(data="all.npz") + "check: {max_memory: 1MB}\n"
    assert "too-large: all.npz has 8,000,128 bytes" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("declared", "array", "holds"),
    [
        ("values: uniform", [0.5, 0.1], True),
        ("values: uniform", [0.5, 1.0], False),
        ("values: positive", [1.0, 0.0], False),
        ("values: binary", [0, 1], True),
        ("values: binary", [0, 2], False),
        ("values: signs", [-1, 1], True),
        ("values: signs", [-1, 0], False),
        ("values: integers", [3, 0], True),
        ("values: integers", [3, 0.5], False),
        ("values: onehot", [0, 1, 0], True),
        ("values: onehot", [1, 1, 0], False),
        ("values: probabilities", [0.25, 0.75], True),
        ("values: probabilities", np.full(7, 1 / 7, dtype=np.float32).tolist(), True),
        ("values: probabilities", [0.25, 0.7], False),
        ("values: probabilities", [1.25, -0.25], False),
        ("structure: symmetric", [[1, 2], [2, 1]], True),
        ("structure: symmetric", [[1, 2], [3, 1]], False),
        ("structure: skew", [[0, 2], [-2, 0]], True),
        ("structure: skew", [[1, 2], [-2, 0]], False),
        ("structure: spd", [[2, 1], [1, 2]], True),
        ("structure: spd", [[1, 2], [2, 1]], False),
        ("structure: diagonal", [[1, 0], [0, 2]], True),
        ("structure: diagonal", [[1, 1], [0, 2]], False),
        ("structure: lower", [[1, 0], [3, 2]], True),
        ("structure: upper", [[1, 0], [3, 2]], False),
        ("structure: orthonormal", [[0.6, -0.8], [0.8, 0.6]], True),
        ("structure: orthonormal", [[1, 1], [0, 1]], False),
    ],
)
def test_facts_hold_of_data(tmp_path: Path, declared: str, array: list[float], holds: bool) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"x": array}))
    shape = "[n]" if np.ndim(array) == 1 else "[n, n]"
    text = f"tensors: {{x: {{shape: {shape}, {declared}}}}}\nchain:\n  - cost = sum(x)\ndata: a.json\n"
    if holds:
        assert set(read_in(tmp_path, text).data) == {"x"}
    else:
        assert refused(tmp_path, text).startswith("data-values: `x` in a.json is not as the spec says")


def test_gradients_have_the_shape_of_the_derivative(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", **{"cost/x": X, "∂z/∂x": np.ones((3, 2, 3))})
    text = (
        "tensors: {x: [m, p]}\nchain:\n  - z = x.T ones\n  - cost = sum(x)\ngradients: g.npz\ndata: all.npz\n"
    )
    write(tmp_path, x=X)
    spec = read_in(tmp_path, text)
    assert {key: array.shape for key, array in spec.gradients.items()} == {"cost/x": (2, 3), "z/x": (3, 2, 3)}
