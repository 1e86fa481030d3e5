"""Rows of the elementary functions: exponentials, powers, circular, hyperbolic and piecewise ones."""

from __future__ import annotations

from typing import Any

from tensorgrad_cli.algebra import continuation
from tensorgrad_cli.algebra.rows import Function

__all__ = ["ELEMENTARY"]


def _named(xp: Any, *names: str) -> Any:
    # NumPy 1 and the array standard call inverse functions arcsin and asin.
    return next(getattr(xp, name) for name in names if hasattr(xp, name))


def _x_log_y(xp: Any, a: Any, b: Any) -> Any:
    # 0 log(0) is 0 in entropies.
    return xp.where(a == 0, 0 * a, a * xp.log(xp.where(a == 0, xp.ones_like(b), b)))


_EXPONENTIALS = (
    Function("exp", ("x",), ("y",), lambda xp, x: xp.exp(x), latex=r"\exp"),
    Function(
        "log",
        ("x",),
        ("1/x",),
        lambda xp, x: xp.log(x),
        domain=("x > 0",),
        latex=r"\log",
    ),
    Function(
        "exp2",
        ("x",),
        ("log(2) y",),
        lambda xp, x: xp.exp(x * 0.6931471805599453),
        "exp(x log(2))",
    ),
    Function(
        "log2",
        ("x",),
        ("1/(x log(2))",),
        lambda xp, x: xp.log2(x) if not continuation.is_complex(xp, x) else xp.log(x) / 0.6931471805599453,
        "log(x)/log(2)",
        domain=("x > 0",),
        latex=r"\log_2",
    ),
    Function(
        "log10",
        ("x",),
        ("1/(x log(10))",),
        lambda xp, x: xp.log10(x) if not continuation.is_complex(xp, x) else xp.log(x) / 2.302585092994046,
        "log(x)/log(10)",
        domain=("x > 0",),
        latex=r"\log_{10}",
    ),
    Function(
        "log1p",
        ("x",),
        ("1/(1 + x)",),
        continuation.log1p,
        "log(1 + x)",
        domain=("1 + x > 0",),
    ),
    Function("expm1", ("x",), ("exp(x)",), continuation.expm1, "exp(x) - 1"),
    Function(
        "logaddexp",
        ("a", "b"),
        ("exp(a - y)", "exp(b - y)"),
        continuation.log_add_exp,
        "log(exp(a) + exp(b))",
    ),
    Function("xlogy", ("a", "b"), ("log(b)", "a/b"), _x_log_y, "a log(b)", domain=("b > 0",)),
    Function(
        "logit",
        ("x",),
        ("1/(x (1 - x))",),
        lambda xp, x: xp.log(x) - continuation.log1p(xp, -x),
        "log(x/(1 - x))",
        domain=("x > 0", "1 - x > 0"),
    ),
)

_POWERS = (
    Function(
        "sqrt",
        ("x",),
        ("1/(2 y)",),
        lambda xp, x: xp.sqrt(x),
        domain=("x > 0",),
        latex=r"\sqrt{{0}}",
    ),
    Function(
        "rsqrt",
        ("x",),
        ("-y^3/2",),
        lambda xp, x: 1 / xp.sqrt(x),
        "1/sqrt(x)",
        domain=("x > 0",),
    ),
    Function(
        "cbrt",
        ("x",),
        ("1/(3 y^2)",),
        continuation.cube_root,
        "sign(x) abs(x)^(1/3)",
        kinks=("x",),
        latex=r"\sqrt[3]{{0}}",
    ),
    Function("reciprocal", ("x",), ("-y^2",), lambda xp, x: 1 / x, "1/x", kinks=("x",)),
    Function("square", ("x",), ("2 x",), lambda xp, x: x * x, "x^2"),
    Function(
        "pow",
        ("a", "b"),
        ("b a^(b - 1)", "y log(a)"),
        lambda xp, a, b: a**b,
        domain=("a > 0",),
        latex=r"{0}^{{1}}",
    ),
    Function(
        "hypot",
        ("a", "b"),
        ("a/y", "b/y"),
        continuation.hypotenuse,
        "sqrt(a^2 + b^2)",
        kinks=("a^2 + b^2",),
    ),
)

_CIRCULAR = (
    Function("sin", ("x",), ("cos(x)",), lambda xp, x: xp.sin(x), latex=r"\sin"),
    Function("cos", ("x",), ("-sin(x)",), lambda xp, x: xp.cos(x), latex=r"\cos"),
    Function(
        "tan",
        ("x",),
        ("1 + y^2",),
        lambda xp, x: xp.tan(x),
        "sin(x)/cos(x)",
        kinks=("cos(x)",),
        latex=r"\tan",
    ),
    Function(
        "cot",
        ("x",),
        ("-1 - y^2",),
        lambda xp, x: xp.cos(x) / xp.sin(x),
        "cos(x)/sin(x)",
        kinks=("sin(x)",),
        latex=r"\cot",
    ),
    Function(
        "sec",
        ("x",),
        ("y tan(x)",),
        lambda xp, x: 1 / xp.cos(x),
        "1/cos(x)",
        kinks=("cos(x)",),
        latex=r"\sec",
    ),
    Function(
        "csc",
        ("x",),
        ("-y cot(x)",),
        lambda xp, x: 1 / xp.sin(x),
        "1/sin(x)",
        kinks=("sin(x)",),
        latex=r"\csc",
    ),
    Function(
        "asin",
        ("x",),
        ("1/sqrt((1 - x) (1 + x))",),
        lambda xp, x: _named(xp, "arcsin", "asin")(x),
        domain=("1 - x^2 > 0",),
        latex=r"\arcsin",
    ),
    Function(
        "acos",
        ("x",),
        ("-1/sqrt((1 - x) (1 + x))",),
        lambda xp, x: _named(xp, "arccos", "acos")(x),
        "pi/2 - asin(x)",
        domain=("1 - x^2 > 0",),
        latex=r"\arccos",
    ),
    Function(
        "atan",
        ("x",),
        ("1/(1 + x^2)",),
        lambda xp, x: _named(xp, "arctan", "atan")(x),
        latex=r"\arctan",
    ),
    # The angle of the point (b, a): it jumps where a is zero and b negative.
    Function(
        "atan2",
        ("a", "b"),
        ("b/(a^2 + b^2)", "-a/(a^2 + b^2)"),
        continuation.angle,
        "2 atan(a/(sqrt(a^2 + b^2) + b))",
        kinks=("a",),
    ),
)

_HYPERBOLIC = (
    Function(
        "sinh",
        ("x",),
        ("cosh(x)",),
        lambda xp, x: xp.sinh(x),
        "(exp(x) - exp(-x))/2",
        latex=r"\sinh",
    ),
    Function(
        "cosh",
        ("x",),
        ("sinh(x)",),
        lambda xp, x: xp.cosh(x),
        "(exp(x) + exp(-x))/2",
        latex=r"\cosh",
    ),
    Function(
        "tanh",
        ("x",),
        ("1 - y^2",),
        lambda xp, x: xp.tanh(x),
        "1 - 2/(exp(2 x) + 1)",
        latex=r"\tanh",
    ),
    Function(
        "asinh",
        ("x",),
        ("1/sqrt(x^2 + 1)",),
        lambda xp, x: _named(xp, "arcsinh", "asinh")(x),
        "log(x + sqrt(x^2 + 1))",
    ),
    Function(
        "acosh",
        ("x",),
        ("1/sqrt((x - 1) (x + 1))",),
        lambda xp, x: _named(xp, "arccosh", "acosh")(x),
        "log(x + sqrt(x^2 - 1))",
        domain=("x > 1",),
    ),
    Function(
        "atanh",
        ("x",),
        ("1/((1 - x) (1 + x))",),
        lambda xp, x: _named(xp, "arctanh", "atanh")(x),
        "log((1 + x)/(1 - x))/2",
        domain=("1 - x^2 > 0",),
    ),
)

_PIECEWISE = (
    Function(
        "abs",
        ("x",),
        ("sign(x)",),
        continuation.absolute,
        kinks=("x",),
        latex=r"\left|{0}\right|",
    ),
    Function("sign", ("x",), ("0",), continuation.sign, kinks=("x",)),
    Function("step", ("x",), ("0",), continuation.step, kinks=("x",)),
    Function(
        "max",
        ("a", "b"),
        ("step(a - b)", "step(b - a)"),
        continuation.greater,
        kinks=("a - b",),
        latex=r"\max",
    ),
    Function(
        "min",
        ("a", "b"),
        ("step(b - a)", "step(a - b)"),
        lambda xp, a, b: -continuation.greater(xp, -a, -b),
        kinks=("a - b",),
        latex=r"\min",
    ),
    Function(
        "clamp",
        ("x", "a", "b"),
        ("step(x - a) step(b - x)", "step(a - x)", "step(x - b)"),
        lambda xp, x, a, b: -continuation.greater(xp, -continuation.greater(xp, x, a), -b),
        "min(max(x, a), b)",
        domain=("b - a > 0",),
        kinks=("x - a", "x - b"),
    ),
    Function("stop_gradient", ("x",), ("0",), lambda xp, x: x, "x"),
)

ELEMENTARY: tuple[Function, ...] = (
    *_EXPONENTIALS,
    *_POWERS,
    *_CIRCULAR,
    *_HYPERBOLIC,
    *_PIECEWISE,
)
