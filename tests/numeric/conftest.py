"""Functions to differentiate in any precision, and their derivatives by an 80-bit complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[Any]


class Case(Struct):
    """A function of points [batch, n], where to look at it, and its name."""

    name: str
    f: Callable[[Array], Array]
    x: Array


def logsumexp(z: Array) -> Array:
    top = np.max(z.real, axis=-1, keepdims=True)
    total: Array = np.log(np.sum(np.exp(z - top), axis=-1, keepdims=True)) + top
    return total


def softmax(z: Array) -> Array:
    e = np.exp(z - np.max(z.real, axis=-1, keepdims=True))
    shares: Array = e / np.sum(e, axis=-1, keepdims=True)
    return shares


def like(p: Array, constant: Any) -> Array:
    """A constant in the precision of p; its value is that of the double."""
    return np.asarray(constant).astype(p.real.dtype)


def mlp(rng: np.random.Generator) -> Callable[[Array], Array]:
    data = rng.standard_normal((4, 5))

    def f(p: Array) -> Array:
        w1, b, w2 = p[:, :30].reshape(-1, 5, 6), p[:, 30:36], p[:, 36:].reshape(-1, 6, 3)
        y = np.tanh(np.einsum("mi,bij->bmj", like(p, data), w1) + b[:, None])
        return np.tanh(np.einsum("bmi,bij->bmj", y, w2)).reshape(len(p), -1)

    return f


def cross_entropy(rng: np.random.Generator) -> Callable[[Array], Array]:
    target = np.eye(5)[rng.integers(0, 5, 6)]

    def f(p: Array) -> Array:
        z = p.reshape(-1, 6, 5)
        return np.sum((logsumexp(z) - z) * like(p, target), axis=2)

    return f


def layer_norm(rng: np.random.Generator) -> Callable[[Array], Array]:
    gamma, beta = rng.standard_normal((2, 8))

    def f(p: Array) -> Array:
        z = p.reshape(-1, 3, 8)
        d = z - np.sum(z, axis=-1, keepdims=True) / 8
        v = np.sum(d * d, axis=-1, keepdims=True) / 8
        y = d / np.sqrt(v + like(p, 1e-5)) * like(p, gamma) + like(p, beta)
        return y.reshape(len(p), -1)

    return f


def attention(p: Array) -> Array:
    q, k, v = (p[:, part * 20 : (part + 1) * 20].reshape(-1, 5, 4) for part in range(3))
    return (softmax(q @ k.swapaxes(1, 2) / 2) @ v).reshape(len(p), -1)


def scaled(rng: np.random.Generator, s: float) -> Callable[[Array], Array]:
    """Outputs of inputs of size s: a tanh layer, a quadratic form, logarithms, a log-sum-exp."""
    w, a = rng.standard_normal((10, 7)) / s, rng.standard_normal((10, 10))

    def f(p: Array) -> Array:
        form = np.einsum("bi,ij,bj->b", p, like(p, a), p)
        logs = np.sum(np.log(1 + p * p), axis=1)
        return np.concatenate([np.tanh(p @ like(p, w)), form[:, None], logs[:, None], logsumexp(p)], axis=1)

    return f


def make_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    g = rng.standard_normal
    net, loss, norm = mlp(rng), cross_entropy(rng), layer_norm(rng)
    cases = [
        Case("mlp", net, g(54)),
        Case("mlp saturated", net, 8 * g(54)),
        Case("mlp cost", lambda p: np.sum(net(p) ** 2, axis=1, keepdims=True) / 2, g(54)),
        Case("cross-entropy", loss, g(30)),
        Case("cross-entropy × 20", loss, 20 * g(30)),
        Case("softmax × 20", lambda p: softmax(p.reshape(-1, 6, 5)).reshape(len(p), -1), 20 * g(30)),
        Case("layer norm", norm, g(24)),
        Case("layer norm at 1e3", norm, g(24) + 1e3),
        Case("attention", attention, g(60)),
    ]
    for s in (1e-6, 1e6):
        cases += [
            Case(f"inputs of {s:g}", scaled(rng, s), s * g(10)),
            Case(f"sin at {s:g}", np.sin, s * g(20)),
            Case(f"cos at {s:g}", np.cos, s * g(20)),
        ]
    return cases


def complex_step_of_80_bits(case: Case) -> Array:
    """The Jacobian [n, m] of a case; its error is a few 1e-19 of the largest term."""
    x = case.x.astype(np.longdouble)
    size = max(float(np.sqrt(np.mean(case.x**2))), 1e-300)
    h = np.longdouble(1e-30) * np.maximum(np.abs(x), np.longdouble(size))
    points = np.repeat(x.astype(np.clongdouble)[None], x.size, axis=0)
    points[np.arange(x.size), np.arange(x.size)] += 1j * h
    with np.errstate(all="ignore"):
        jacobian: Array = np.imag(case.f(points)) / h[:, None]
    return jacobian


@pytest.fixture
def cases() -> Callable[[int], list[Case]]:
    return make_cases


@pytest.fixture
def true_jacobian() -> Callable[[Case], Array]:
    if np.finfo(np.longdouble).eps > 2e-19:
        pytest.skip("long double has no 80 bits here")
    return complex_step_of_80_bits
