"""Rows of the special functions: the error function, the gamma function and its family."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from tensorgrad_cli.algebra import continuation
from tensorgrad_cli.algebra.rows import Function

__all__ = ["SPECIAL", "normal_cdf"]


def scipy_special() -> Any:
    """The module `scipy.special`, imported only when a function needs it: it costs more than NumPy."""
    return import_module("scipy.special")


def normal_cdf(xp: Any, x: Any) -> Any:
    """The distribution function of the normal distribution, exact at negative x too."""
    return scipy_special().erfc(-x * math.sqrt(0.5)) / 2


def _log_gamma(xp: Any, x: Any) -> Any:
    special = scipy_special()
    return special.loggamma(x) if continuation.is_complex(xp, x) else special.gammaln(x)


def _digamma(xp: Any, x: Any) -> Any:
    return scipy_special().psi(x)


def _polygamma(xp: Any, n: Any, x: Any) -> Any:
    """The n-th derivative of digamma at x > 0; n a whole number from 0, one for all x or for each."""
    order = continuation.real(xp, xp.asarray(n))
    if not continuation.is_complex(xp, x):
        return scipy_special().polygamma(order, x)
    order, x = xp.broadcast_arrays(order, x)
    out = xp.zeros_like(x)
    for each in {int(value) for value in order.reshape(-1)}:
        value = _digamma(xp, x) if each == 0 else _polygamma_series(xp, each, x)
        out = xp.where(order == each, value, out)
    return out


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _polygamma_series(xp: Any, n: int, x: Any) -> Any:
    """By recurrence up to a large argument and the asymptotic series there (DLMF 5.15.5, 5.15.8)."""
    total = 0 * x
    for k in range(20 + n):
        total = total + math.factorial(n) / (x + k) ** (n + 1)
    z = x + (20 + n)
    total = total + math.factorial(n - 1) / z**n + math.factorial(n) / (2 * z ** (n + 1))
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        factor = bernoulli * math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        total = total + factor / z ** (2 * k + n)
    return total if n % 2 else -total


SPECIAL: tuple[Function, ...] = (
    Function("erf", ("x",), ("2 exp(-x^2)/sqrt(pi)",), lambda xp, x: scipy_special().erf(x)),
    Function(
        "erfc",
        ("x",),
        ("-2 exp(-x^2)/sqrt(pi)",),
        lambda xp, x: scipy_special().erfc(x),
        "1 - erf(x)",
    ),
    Function(
        "lgamma",
        ("x",),
        ("digamma(x)",),
        _log_gamma,
        domain=("x > 0",),
        latex=r"\log\Gamma",
    ),
    Function(
        "gamma",
        ("x",),
        ("y digamma(x)",),
        lambda xp, x: scipy_special().gamma(x),
        "exp(lgamma(x))",
        domain=("x > 0",),
        latex=r"\Gamma",
    ),
    Function(
        "digamma",
        ("x",),
        ("polygamma(1, x)",),
        _digamma,
        domain=("x > 0",),
        latex=r"\psi",
    ),
    Function(
        "trigamma",
        ("x",),
        ("polygamma(2, x)",),
        lambda xp, x: _polygamma(xp, 1, x),
        "polygamma(1, x)",
        domain=("x > 0",),
        latex=r"\psi_1",
    ),
    # The order n is a whole number, so there is nothing to differentiate by.
    Function(
        "polygamma",
        ("n", "x"),
        ("0", "polygamma(n + 1, x)"),
        _polygamma,
        domain=("x > 0",),
        latex=r"\psi^{({0})}({1})",
    ),
)
