"""A formula says what its indices run over: by an entry, through a delta, or by a written range."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.run import check_spec

HEAD = """
dims: {m: 2, n: 3}
tensors:
  A: [m, m]
  X: [m, n]
  x: [m]
  y: [n]
chain:
  - s = xᵀ A x
"""


def spec(claim: str, head: str = HEAD) -> Spec:
    found, issues = read(Source("ranges", f"{head}claims:\n  - '{claim}'\n"))
    assert found is not None, [issue.message for issue in issues]
    return found


READINGS = {
    "A^0 = I": "δ[i,j] Σ[k:m] δ[i,k] = δ[i,j]",
    "I = A^0": "δ[i,j] Σ[k:m] δ[i,k] = δ[i,j]",
    "A^0 = 1": "δ[i,j] Σ[k:m] δ[i,k] = 1",
    "x^0 = 1": "1 = 1",
    "2 (x - x)^0 = 2 x^0": "2 = 2",
    "(A^0)[i,j] = delta[i,j]": "δ[i,j] Σ[k:m] δ[i,k] = δ[i,j]",
    "x[i]^0 y[j] = x[i] y[j]": "y[j] ones[i] = x[i] y[j]",
    "x[i]^0 = x[i]": "ones[i] = x[i]",
    "0 x[i] + 2 = x[i]": "2 ones[i] = x[i]",
    "sum[k:m] δ[i,k] = 1": "Σ[k:m] δ[i,k] = 1",
    "sum[k] δ[i,k] x[k]^0 = sum[l] δ[i,l] x[l]^0": "Σ[k:m] δ[i,k] = Σ[l:m] δ[i,l]",
    "sum[k] sum[l] δ[k,l] A[k,l]^0 = m": "Σ[k:m,l:m] δ[k,l] = m",
    "s max[k](x[k]^0) = s": "s max[k:m](1) = s",
    "softmax[i](x[i]^0) = 1/m ones[i] x[i]^0": "softmax[i:m](1) = 1 / m",
    "softmax[i](x[i]^0) x[j] = x[i] x[j]": "softmax[i](1) x[j] = x[i] x[j]",
    "kron(A, A)^0 = I": "δ[i,j] Σ[k:m m] δ[i,k] = δ[i,j]",
    "sum[k:m n + 2 m] 1 = m (n + 2)": "Σ[k:2 m + m n] 1 = m (n + 2)",
    "max[k:(m + 1) n](1) = 1": "max[k:m n + n](1) = 1",
    "max[k:3 m^2](1) = 1": "max[k:3 m m](1) = 1",
}


@pytest.mark.parametrize("claim", READINGS)
def test_a_reading_says_what_its_indices_run_over(claim: str, all_reads_back: Callable[[Spec], None]) -> None:
    found = spec(claim)
    (check,) = (check for check in check_spec(found).checks if check.kind == "claim")
    assert check.reading == READINGS[claim]
    all_reads_back(found)


def test_a_declared_name_hides_ones(all_reads_back: Callable[[Spec], None]) -> None:
    found = spec("x[i]^0 y[j] = x[i] y[j]", HEAD.replace("  y: [n]", "  y: [n]\n  ones: []"))
    (check,) = (check for check in check_spec(found).checks if check.kind == "claim")
    assert check.reading == "y[j] Σ[k] δ[i,k] = x[i] y[j]"
    all_reads_back(found)


SIZED = {
    "s = logdet(A^0)": "s = logdet(I + 0 A)",
    "kron((x xᵀ)^0, X)[i,j] = 0": "kron(I + 0 A, X)[i,j] = 0",
    "vec(2 X**0)[i] = 2": "vec(2 + 0 X)[i] = 2",
    "vec((x ⊗ y)**0 diag(y))[i] = 0": "vec(ones yᵀ + 0 X)[i] = 0",
    "vec((y xᵀ)**0)[i] = 1": "vec(1 + 0 Xᵀ)[i] = 1",
    "vec((y yᵀ)^0)[i] = 1": "vec(I + 0 (y yᵀ))[i] = 1",
}


@pytest.mark.parametrize("claim", SIZED)
def test_an_argument_says_how_large_it_is(claim: str, all_reads_back: Callable[[Spec], None]) -> None:
    found = spec(claim)
    (check,) = (check for check in check_spec(found).checks if check.kind == "claim")
    assert check.reading == SIZED[claim]
    all_reads_back(found)
