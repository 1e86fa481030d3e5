"""The operations along indices and on matrices: one row each, with all that is known about one."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tensorgrad_cli.algebra import continuation
from tensorgrad_cli.algebra.continuation import is_complex, real
from tensorgrad_cli.algebra.rows import Operation

__all__ = ["OPERATIONS", "Operation", "is_on_matrices"]

# --- along an index -------------------------------------------------------------------------------


def _top(xp: Any, x: Any) -> Any:
    """The greatest real part along the last axis, kept as an axis: a shift that changes only the rounding."""
    return xp.max(real(xp, x), axis=-1, keepdims=True)


def _branch_of_max(xp: Any, x: Any) -> Any:
    return xp.argmax(real(xp, x), axis=-1)


def _max(xp: Any, x: Any) -> Any:
    if not is_complex(xp, x):
        return xp.max(x, axis=-1)
    where = xp.argmax(real(xp, x), axis=-1)
    return xp.take_along_axis(x, where[..., None], axis=-1)[..., 0]


def _margin_of_max(xp: Any, x: Any) -> Any:
    """How far the greatest is from the next; infinite where there is one only."""
    ordered = xp.sort(real(xp, x), axis=-1)
    if ordered.shape[-1] < 2:
        return xp.full(ordered.shape[:-1], xp.inf)
    return ordered[..., -1] - ordered[..., -2]


def _log_sum_exp(xp: Any, x: Any) -> Any:
    top = _top(xp, x)
    return xp.log(xp.sum(xp.exp(x - top), axis=-1)) + top[..., 0]


def _softmax(xp: Any, x: Any) -> Any:
    weights = xp.exp(x - _top(xp, x))
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def _log_softmax(xp: Any, x: Any) -> Any:
    shifted = x - _top(xp, x)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def _var(xp: Any, x: Any, ddof: Any = 0) -> Any:
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    return xp.sum(centred * centred, axis=-1) / (x.shape[-1] - float(ddof))


def _norm(xp: Any, x: Any, p: Any = 2) -> Any:
    """The p-norm along the last axis, scaled by the greatest entry so that nothing overflows."""
    magnitude = continuation.absolute(xp, x)
    if p == 1:
        return xp.sum(magnitude, axis=-1)
    scale = xp.max(real(xp, magnitude), axis=-1, keepdims=True)
    scale = xp.where(scale == 0, 1.0, scale)
    ratio = magnitude / scale
    if p == 2:
        return xp.sqrt(xp.sum(ratio * ratio, axis=-1)) * scale[..., 0]
    return xp.sum(ratio ** float(p), axis=-1) ** (1 / float(p)) * scale[..., 0]


def _derivative_of_norm(parameters: Mapping[str, Fraction]) -> str:
    p = parameters["p"]
    if p == 1:
        return "sign(x[k])"
    return "x[k]/y" if p == 2 else "sign(x[k]) abs(x[k])^(p - 1) y^(1 - p)"


def _definition_of_norm(parameters: Mapping[str, Fraction]) -> str:
    p = parameters["p"]
    if p == 1:
        return "sum[k] abs(x[k])"
    return "sqrt(sum[k] x[k]^2)" if p == 2 else "(sum[k] abs(x[k])^p)^(1/p)"


def _branch_of_norm(xp: Any, x: Any, p: Any = 2) -> Any:
    """The signs, where they matter (p = 1 has a kink at every zero), as one number in base 3."""
    if p != 1:
        return xp.zeros(x.shape[:-1], dtype=int)
    digits = xp.sign(real(xp, x)) + 1
    weights = xp.asarray([float(3 ** (k % 30)) for k in range(x.shape[-1])])
    return xp.sum(digits * weights, axis=-1)


def _margin_of_norm(xp: Any, x: Any, p: Any = 2) -> Any:
    magnitude = xp.abs(real(xp, x))
    return xp.min(magnitude, axis=-1) if p == 1 else xp.max(magnitude, axis=-1)


def _cumsum(xp: Any, x: Any) -> Any:
    return xp.cumsum(x, axis=-1) if hasattr(xp, "cumsum") else xp.cumulative_sum(x, axis=-1)


_ALONG_AN_INDEX = (
    # The product of all others, right at zeros, too: the factor k is replaced by 1.
    Operation(
        "prod",
        ("k",),
        "",
        lambda xp, x: xp.prod(x, axis=-1),
        "prod[m](x[m] + delta[k,m] (1 - x[m]))",
        latex=r"\prod",
    ),
    Operation(
        "max",
        ("k",),
        "",
        _max,
        "equal(x[k], y)",
        idempotent=True,
        branch=_branch_of_max,
        margin=_margin_of_max,
        latex=r"\max",
    ),
    Operation(
        "min",
        ("k",),
        "",
        lambda xp, x: -_max(xp, -x),
        "equal(x[k], y)",
        idempotent=True,
        branch=lambda xp, x: _branch_of_max(xp, -x),
        margin=lambda xp, x: _margin_of_max(xp, -x),
        latex=r"\min",
    ),
    Operation("logsumexp", ("k",), "", _log_sum_exp, "exp(x[k] - y)", "log(sum[k] exp(x[k]))"),
    Operation(
        "softmax",
        ("k",),
        "j",
        _softmax,
        "y[j] (delta[j,k] - y[k])",
        "exp(x[j])/sum[k] exp(x[k])",
    ),
    Operation(
        "log_softmax",
        ("k",),
        "j",
        _log_softmax,
        "delta[j,k] - exp(y[k])",
        "x[j] - log(sum[k] exp(x[k]))",
    ),
    Operation(
        "var",
        ("k",),
        "",
        _var,
        "2 (x[k] - mean[m](x[m]))/(n - ddof)",
        "(sum[k] (x[k] - mean[m](x[m]))^2)/(n - ddof)",
        parameters={"ddof": Fraction(0)},
    ),
    Operation(
        "std",
        ("k",),
        "",
        lambda xp, x, ddof=0: xp.sqrt(_var(xp, x, ddof)),
        "(x[k] - mean[m](x[m]))/((n - ddof) y)",
        "sqrt((sum[k] (x[k] - mean[m](x[m]))^2)/(n - ddof))",
        kinks=("sum[k] (x[k] - mean[m](x[m]))^2",),
        parameters={"ddof": Fraction(0)},
    ),
    Operation(
        "norm",
        ("k",),
        "",
        _norm,
        _derivative_of_norm,
        _definition_of_norm,
        kinks=("y",),
        parameters={"p": Fraction(2)},
        branch=_branch_of_norm,
        margin=_margin_of_norm,
    ),
    Operation(
        "normalize",
        ("k",),
        "j",
        lambda xp, x: x / _norm(xp, x)[..., None],
        "(delta[j,k] - y[j] y[k])/norm[m](x[m])",
        "x[j]/sqrt(sum[k] x[k]^2)",
        kinks=("norm[m](x[m])",),
    ),
    Operation(
        "cumsum",
        ("k",),
        "j",
        _cumsum,
        "at_most[k,j]",
        "sum[k] at_most[k,j] x[k]",
        multilinear=True,
    ),
)

# --- on matrices ----------------------------------------------------------------------------------


# A matrix is singular as far as its digits go where its condition number leaves fewer than six bits of an inverse.
_SIX_BITS = 2.0**-6


def _inverse(xp: Any, x: Any) -> Any:
    """The inverse; NaN where a matrix is singular as far as its digits go, such as XᵀX of a wide X: what
    `inv` returns there is made of rounding errors and would refute what is true."""
    inverse = xp.linalg.inv(x)
    return xp.where(_singular(xp, x, inverse)[..., None, None], xp.nan, inverse)


def _log_det(xp: Any, x: Any) -> Any:
    """log|det x|, -∞ where x is singular as far as its digits go; of a complex matrix log(± det x) with the
    sign of the real part, its continuation."""
    sign, magnitude = xp.linalg.slogdet(x)
    if is_complex(xp, x):
        magnitude = magnitude + xp.log(sign * xp.sign(xp.real(sign)))
    regular = xp.where((sign == 0)[..., None, None], xp.eye(x.shape[-1], dtype=x.dtype), x)
    singular = (sign == 0) | _singular(xp, regular, xp.linalg.inv(regular))
    return xp.where(singular, -xp.inf, magnitude)


def _singular(xp: Any, x: Any, inverse: Any) -> Any:
    condition = xp.linalg.norm(x, axis=(-2, -1)) * xp.linalg.norm(inverse, axis=(-2, -1))
    return ~(condition * xp.finfo(x.dtype).eps < _SIX_BITS)


def _kron(xp: Any, a: Any, b: Any) -> Any:
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    *batch, rows, more_rows, columns, more_columns = product.shape
    return product.reshape((*batch, rows * more_rows, columns * more_columns))


def _vec(xp: Any, x: Any) -> Any:
    """The columns, one under the other."""
    stacked = xp.swapaxes(x, -1, -2)
    return stacked.reshape((*x.shape[:-2], x.shape[-1] * x.shape[-2]))


_ON_MATRICES = (
    Operation(
        "inv",
        ("kl",),
        "ij",
        _inverse,
        "-y[i,k] y[l,j]",
        kinks=("det(x)",),
        latex=r"{{0}}^{-1}",
    ),
    Operation(
        "det",
        ("kl",),
        "",
        lambda xp, x: xp.linalg.det(x),
        "y inv(x)[l,k]",
        latex=r"\det",
    ),
    Operation(
        "logdet",
        ("kl",),
        "",
        _log_det,
        "inv(x)[l,k]",
        "log(abs(det(x)))",
        kinks=("det(x)",),
        latex=r"\log\det",
    ),
    Operation("kron", ("kl", "mn"), "ij", _kron, multilinear=True, latex=r"{0}\otimes {1}"),
    Operation("vec", ("kl",), "i", _vec, multilinear=True),
)

OPERATIONS: Mapping[str, Operation] = {row.name: row for row in (*_ALONG_AN_INDEX, *_ON_MATRICES)}


def is_on_matrices(operation: str) -> bool:
    """Whether an operation takes matrices: each of its entries depends on two indices of an argument."""
    row = OPERATIONS.get(operation)
    return row is not None and any(len(letters) > 1 for letters in row.inputs)
