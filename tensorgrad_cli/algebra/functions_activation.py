"""Rows of the activation functions and losses of machine learning; constants as in PyTorch's functions."""

from __future__ import annotations

import math
from typing import Any

from msgspec.structs import replace

from tensorgrad_cli.algebra import continuation as c
from tensorgrad_cli.algebra.functions_special import normal_cdf
from tensorgrad_cli.algebra.rows import Function

__all__ = ["ACTIVATIONS"]

_SELU_SCALE = "1.0507009873554804934193349852946"
_SELU_ALPHA = "1.6732632423543772848170429916717"
_GELU_TANH_DERIVATIVE = (
    "sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) + 2 sqrt(2/pi) (x + 0.134145 x^3)"
    " sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) sigmoid(-2 sqrt(2/pi) (x + 0.044715 x^3))"
)


def _elu(xp: Any, x: Any) -> Any:
    return c.positive_part(xp, x) + c.expm1(xp, -c.positive_part(xp, -x))


def _selu(xp: Any, x: Any) -> Any:
    negative = c.expm1(xp, -c.positive_part(xp, -x))
    return float(_SELU_SCALE) * (c.positive_part(xp, x) + float(_SELU_ALPHA) * negative)


def _between(xp: Any, x: Any, low: float, high: float) -> Any:
    """x held between two numbers."""
    lower = xp.where(c.real(xp, x) < low, low * xp.ones_like(x), x)
    return xp.where(c.real(xp, x) > high, high * xp.ones_like(x), lower)


def _gelu_tanh(xp: Any, x: Any) -> Any:
    return x * c.sigmoid(xp, 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def _huber(xp: Any, x: Any) -> Any:
    inside = _between(xp, x, -1.0, 1.0)
    return inside * inside / 2 + c.absolute(xp, x - inside)


def _log_cosh(xp: Any, x: Any) -> Any:
    # Near zero x - log 2 + log(1 + exp(-2x)) would cancel; cosh(x) = 1 + 2 sinh(x/2)² does not.
    magnitude = c.absolute(xp, x)
    near = _between(xp, magnitude, 0.0, 1.0)
    half = xp.sinh(near / 2)
    far = magnitude - math.log(2) + c.log1p(xp, xp.exp(-2 * magnitude))
    return xp.where(c.real(xp, magnitude) < 1, c.log1p(xp, 2 * half * half), far)


_SMOOTH = (
    Function("sigmoid", ("x",), ("y (1 - y)",), c.sigmoid, "1/(1 + exp(-x))", latex=r"\sigma"),
    Function(
        "log_sigmoid",
        ("x",),
        ("sigmoid(-x)",),
        lambda xp, x: -c.softplus(xp, -x),
        "-log(1 + exp(-x))",
    ),
    Function("softplus", ("x",), ("sigmoid(x)",), c.softplus, "log(1 + exp(x))"),
    Function(
        "silu",
        ("x",),
        ("sigmoid(x) + y (1 - sigmoid(x))",),
        lambda xp, x: x * c.sigmoid(xp, x),
        "x/(1 + exp(-x))",
    ),
    Function(
        "mish",
        ("x",),
        ("tanh(softplus(x)) + x sigmoid(x) (1 - tanh(softplus(x))^2)",),
        lambda xp, x: x * xp.tanh(c.softplus(xp, x)),
        "x tanh(softplus(x))",
    ),
    # (1 + erf(u))/2 would be lost to cancellation at negative x; erfc(-u)/2 is the same and is not.
    Function(
        "gelu",
        ("x",),
        ("erfc(-x/sqrt(2))/2 + x exp(-x^2/2)/sqrt(2 pi)",),
        lambda xp, x: x * normal_cdf(xp, x),
        "x (1 + erf(x/sqrt(2)))/2",
    ),
    # (1 + tanh(u))/2 is sigmoid(2 u), which keeps its digits at negative x.
    Function(
        "gelu_tanh",
        ("x",),
        (_GELU_TANH_DERIVATIVE,),
        _gelu_tanh,
        "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))/2",
    ),
    Function(
        "normal_cdf",
        ("x",),
        ("exp(-x^2/2)/sqrt(2 pi)",),
        normal_cdf,
        "(1 + erf(x/sqrt(2)))/2",
        latex=r"\Phi",
    ),
    Function("log_cosh", ("x",), ("tanh(x)",), _log_cosh, "log((exp(x) + exp(-x))/2)"),
)


_PIECEWISE = (
    Function(
        "relu",
        ("x",),
        ("step(x)",),
        c.positive_part,
        kinks=("x",),
        latex=r"\operatorname{ReLU}",
    ),
    Function(
        "relu6",
        ("x",),
        ("step(x) step(6 - x)",),
        lambda xp, x: _between(xp, x, 0.0, 6.0),
        "relu(x) - relu(x - 6)",
        kinks=("x", "x - 6"),
    ),
    Function(
        "leaky_relu",
        ("x",),
        ("step(x) + step(-x)/100",),
        lambda xp, x: xp.where(c.real(xp, x) > 0, x, 0.01 * x),
        "relu(x) - relu(-x)/100",
        kinks=("x",),
    ),
    Function(
        "prelu",
        ("x", "a"),
        ("step(x) + a step(-x)", "-relu(-x)"),
        lambda xp, x, a: xp.where(c.real(xp, x) > 0, x, a * x),
        "relu(x) - a relu(-x)",
        kinks=("x",),
    ),
    # exp(-relu(-x)) is exp(x) below zero and 1 above, where step(-x) exp(x) would be 0 times infinity.
    Function(
        "elu",
        ("x",),
        ("exp(-relu(-x))",),
        _elu,
        "relu(x) + exp(-relu(-x)) - 1",
        kinks=("x",),
    ),
    Function(
        "selu",
        ("x",),
        (f"{_SELU_SCALE} (step(x) + {_SELU_ALPHA} step(-x) exp(-relu(-x)))",),
        _selu,
        f"{_SELU_SCALE} (relu(x) + {_SELU_ALPHA} (exp(-relu(-x)) - 1))",
        kinks=("x",),
    ),
    Function(
        "celu",
        ("x",),
        ("exp(-relu(-x))",),
        _elu,
        "relu(x) + exp(-relu(-x)) - 1",
        kinks=("x",),
    ),
    Function(
        "softsign",
        ("x",),
        ("1/(1 + abs(x))^2",),
        lambda xp, x: x / (1 + c.absolute(xp, x)),
        "x/(1 + abs(x))",
        kinks=("x",),
    ),
    Function(
        "softshrink",
        ("x",),
        ("step(x - 1/2) + step(-x - 1/2)",),
        lambda xp, x: x - _between(xp, x, -0.5, 0.5),
        "relu(x - 1/2) - relu(-x - 1/2)",
        kinks=("x - 1/2", "x + 1/2"),
    ),
    Function(
        "hardshrink",
        ("x",),
        ("step(abs(x) - 1/2)",),
        lambda xp, x: x * c.step(xp, c.absolute(xp, x) - 0.5),
        "x step(abs(x) - 1/2)",
        kinks=("x - 1/2", "x + 1/2"),
    ),
    Function(
        "hardtanh",
        ("x",),
        ("step(x + 1) step(1 - x)",),
        lambda xp, x: _between(xp, x, -1.0, 1.0),
        "relu(x + 1) - relu(x - 1) - 1",
        kinks=("x + 1", "x - 1"),
    ),
    Function(
        "hardsigmoid",
        ("x",),
        ("step(x + 3) step(3 - x)/6",),
        lambda xp, x: _between(xp, x / 6 + 0.5, 0.0, 1.0),
        "(relu(x + 3) - relu(x - 3))/6",
        kinks=("x + 3", "x - 3"),
    ),
    Function(
        "hardswish",
        ("x",),
        ("hardsigmoid(x) + x step(x + 3) step(3 - x)/6",),
        lambda xp, x: x * _between(xp, x / 6 + 0.5, 0.0, 1.0),
        "x (relu(x + 3) - relu(x - 3))/6",
        kinks=("x + 3", "x - 3"),
    ),
    Function(
        "huber",
        ("x",),
        ("hardtanh(x)",),
        _huber,
        "x^2/2 - relu(abs(x) - 1)^2/2",
        kinks=("x + 1", "x - 1"),
    ),
)

_ROWS = {row.name: row for row in (*_SMOOTH, *_PIECEWISE)}

# Other names in use for the same functions.
_ALIASES = {"swish": "silu", "logsigmoid": "log_sigmoid"}

ACTIVATIONS: tuple[Function, ...] = (
    *_ROWS.values(),
    *(replace(_ROWS[name], name=alias) for alias, name in _ALIASES.items()),
)
