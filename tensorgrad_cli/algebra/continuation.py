"""Real functions continued to complex numbers near the real axis, on any array namespace.

A complex step puts the perturbation into the imaginary part, so every branch is taken by the real part, and
nothing here may lose an imaginary part that is 1e-30 of the real one. NumPy's own `abs`, `sign`, `hypot`,
`arctan2`, `cbrt`, `max` and `logaddexp` are not continuations, and its `log1p` of a complex number is inexact
near zero. `xp` is NumPy or a namespace like it.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "absolute",
    "angle",
    "cube_root",
    "expm1",
    "greater",
    "hypotenuse",
    "log1p",
    "log_add_exp",
    "positive_part",
    "sigmoid",
    "sign",
    "softplus",
    "step",
]


def is_complex(xp: Any, x: Any) -> bool:
    """Whether an array or a number is complex."""
    return "complex" in str(getattr(x, "dtype", type(x)))


def real(xp: Any, x: Any) -> Any:
    """The real part; the array itself where it is real."""
    return xp.real(x) if is_complex(xp, x) else x


def absolute(xp: Any, x: Any) -> Any:
    """|x|, continued as x or -x."""
    return xp.where(real(xp, x) < 0, -x, x) if is_complex(xp, x) else xp.abs(x)


def sign(xp: Any, x: Any) -> Any:
    """The sign of the real part: -1, 0 or 1."""
    return xp.sign(real(xp, x))


def step(xp: Any, x: Any) -> Any:
    """0 below zero, 1 above, 1/2 at zero."""
    return (1 + sign(xp, x)) / 2


def positive_part(xp: Any, x: Any) -> Any:
    """x where positive, else 0; what is not a number stays so."""
    return xp.where(real(xp, x) <= 0, xp.zeros_like(x), x)


def greater(xp: Any, a: Any, b: Any) -> Any:
    """The greater of two; where equal, the first."""
    if not (is_complex(xp, a) or is_complex(xp, b)):
        return xp.maximum(a, b)
    return xp.where(real(xp, a) >= real(xp, b), a, b)


def log1p(xp: Any, x: Any) -> Any:
    """log(1 + x), exact near zero."""
    if not is_complex(xp, x):
        return xp.log1p(x)
    u, v = xp.real(x), xp.imag(x)
    return 0.5 * xp.log1p(u * (2 + u) + v * v) + 1j * _arctan2(xp, v, 1 + u)


def expm1(xp: Any, x: Any) -> Any:
    """exp(x) - 1, exact near zero."""
    if not is_complex(xp, x):
        return xp.expm1(x)
    u, v = xp.real(x), xp.imag(x)
    half = xp.sin(v / 2)
    return xp.expm1(u) * xp.cos(v) - 2 * half * half + 1j * (xp.exp(u) * xp.sin(v))


def cube_root(xp: Any, x: Any) -> Any:
    """The real cube root of a real number, continued."""
    if not is_complex(xp, x):
        return xp.cbrt(x) if hasattr(xp, "cbrt") else xp.sign(x) * xp.abs(x) ** (1 / 3)
    magnitude = absolute(xp, x)
    base = xp.where(xp.real(magnitude) == 0, xp.ones_like(x), magnitude)
    return sign(xp, x) * xp.exp(xp.log(base) / 3)


def sigmoid(xp: Any, x: Any) -> Any:
    """1/(1 + exp(-x)) without overflow: only the exponential of a negative number is taken."""
    small = xp.exp(-absolute(xp, x))
    return xp.where(real(xp, x) >= 0, 1 / (1 + small), small / (1 + small))


def softplus(xp: Any, x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    # Both parts take the same side of 0: the function is smooth there, its parts are not.
    above = real(xp, x) > 0
    return xp.where(above, x, 0.0) + log1p(xp, xp.exp(xp.where(above, -x, x)))


def log_add_exp(xp: Any, a: Any, b: Any) -> Any:
    """log(exp(a) + exp(b)) without overflow."""
    return greater(xp, a, b) + log1p(xp, xp.exp(-absolute(xp, a - b)))


def hypotenuse(xp: Any, a: Any, b: Any) -> Any:
    """sqrt(a^2 + b^2) without overflow."""
    scale = greater(xp, xp.abs(real(xp, a)), xp.abs(real(xp, b)))
    scale = xp.where(scale == 0, 1.0, scale)
    return scale * xp.sqrt((a / scale) ** 2 + (b / scale) ** 2)


def angle(xp: Any, a: Any, b: Any) -> Any:
    """The angle of the point (b, a), continued: after turning by the real angle little is left."""
    turn = _arctan2(xp, real(xp, a), real(xp, b))
    if not (is_complex(xp, a) or is_complex(xp, b)):
        return turn
    cosine, sine = xp.cos(turn), xp.sin(turn)
    return turn + _arctan(xp, (a * cosine - b * sine) / (b * cosine + a * sine))


def _arctan2(xp: Any, a: Any, b: Any) -> Any:
    return xp.arctan2(a, b) if hasattr(xp, "arctan2") else xp.atan2(a, b)


def _arctan(xp: Any, x: Any) -> Any:
    return xp.arctan(x) if hasattr(xp, "arctan") else xp.atan(x)
