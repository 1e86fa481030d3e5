"""The round trip: what `export` writes, fed back as data and gradients, passes; a planted error does not."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tensorgrad_cli.cli import cli

CHAIN = """
tensors:
  x: {shape: [n, p], constant: true}
  w: [p, c]
chain:
  - z = tanh(x w)
  - cost = sum[i,k] z[i,k]^2 / n
"""


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words), standalone_mode=False, catch_exceptions=False)
    return int(result.return_value or 0), result.output


def exported(folder: Path) -> Path:
    spec, inputs = folder / "spec.yaml", folder / "inputs.npz"
    spec.write_text(CHAIN, encoding="utf-8")
    status, _ = run("export", str(spec), "-o", str(inputs), "--seed", "5")
    assert status == 0
    return inputs


def test_round_trip(tmp_path: Path) -> None:
    inputs = exported(tmp_path)
    with np.load(inputs) as arrays:
        assert set(arrays) == {"x", "w", "cost", "cost/w"}
        x, w, expected = arrays["x"], arrays["w"], arrays["cost/w"]
    z = np.tanh(x @ w)
    mine = x.T @ (2 * z * (1 - z * z)) / len(x)
    np.testing.assert_allclose(mine, expected, rtol=1e-12)
    np.savez(tmp_path / "mine.npz", **{"cost/w": mine})
    spec = tmp_path / "compared.yaml"
    spec.write_text(CHAIN + "data: inputs.npz\ngradients: mine.npz\n", encoding="utf-8")
    assert run("check", str(spec))[0] == 0
    assert run("check", str(spec), "--seed", "77")[0] == 0


@pytest.mark.parametrize("factor", [2.0, -1.0, 1.0 + 1e-7])
def test_a_planted_factor(tmp_path: Path, factor: float) -> None:
    inputs = exported(tmp_path)
    with np.load(inputs) as arrays:
        np.savez(tmp_path / "mine.npz", **{"cost/w": factor * arrays["cost/w"]})
    spec = tmp_path / "compared.yaml"
    spec.write_text(CHAIN + "data: inputs.npz\ngradients: mine.npz\n", encoding="utf-8")
    status, output = run("check", str(spec))
    assert status == 1
    assert "refuted" in output


def test_only_npz(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(CHAIN, encoding="utf-8")
    result = CliRunner().invoke(cli, ["export", str(spec), "-o", "inputs.csv"])
    assert result.exit_code == 2
    assert ".npz" in result.output
