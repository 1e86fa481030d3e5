"""Operations with gradients derived by hand in NumPy, and the mistakes that people make in them.

An operation maps arrays to an array; its pullback maps the arrays and a cotangent to one cotangent per array.
Mutants are pullbacks too. `chain` is the same operation in the notation of a spec.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]
Pullback = Callable[..., Arrays]


class Operation(Struct, frozen=True):
    """`shapes` of its arguments by name, the function, its pullback, and pullbacks with a mistake each."""

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    function: Callable[..., Array]
    pullback: Pullback
    mutants: Mapping[str, Pullback]
    chain: str


class Mutant(Struct, frozen=True):
    """`subtle`: it changes the gradient by less than a thousandth of it."""

    name: str
    pullback: Pullback
    subtle: bool = False


def draw(operation: Operation, seed: int, offset: float = 0.0, factor: float = 1.0) -> Arrays:
    """Arguments: normal, kept away from zero, times `factor`, plus `offset`."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in operation.shapes.values():
        value = rng.standard_normal(shape)
        arrays.append(factor * (value + np.copysign(0.05, value)) + offset)
    return tuple(arrays)


def mutants_of(operation: Operation, number: int) -> list[Mutant]:
    """The operation's own mutants, and some of the general ones, each operation others."""
    own = [Mutant(name, pullback, name.startswith("subtle ")) for name, pullback in operation.mutants.items()]
    every = list(GENERAL.items())
    general = [every[(number * 3 + k) % len(every)] for k in range(3)]
    small = list(SUBTLE.items())
    subtle = [small[(number + k) % len(small)] for k in range(2)]
    return [
        *own,
        *(Mutant(name, _after(operation.pullback, change)) for name, change in general),
        *(Mutant(name, _after(operation.pullback, change), True) for name, change in subtle),
    ]


def _after(pullback: Pullback, change: Callable[[Array], Array]) -> Pullback:
    def changed(*arguments: Array) -> Arrays:
        first, *rest = pullback(*arguments)
        return (change(np.array(first)), *rest)

    return changed


def _entry(change: Callable[[float], float]) -> Callable[[Array], Array]:
    def changed(a: Array) -> Array:
        place = np.unravel_index(a.size // 2, a.shape)
        a[place] = change(a[place])
        return a

    return changed


def _swapped(a: Array) -> Array:
    flat = a.reshape(-1)
    flat[[0, 1]] = flat[[1, 0]]
    return a


def _last_row_dropped(a: Array) -> Array:
    a[-1] = 0.0
    return a


GENERAL: dict[str, Callable[[Array], Array]] = {
    "sign": lambda a: -a,
    "twice": lambda a: 2.0 * a,
    "half": lambda a: 0.5 * a,
    "one entry doubled": _entry(lambda v: 2.0 * v),
    "one entry zero": _entry(lambda v: 0.0),
    "one entry 1 % off": _entry(lambda v: 1.01 * v),
    "two entries swapped": _swapped,
    "last row dropped": _last_row_dropped,
    "1 % off": lambda a: 1.01 * a,
}
SUBTLE: dict[str, Callable[[Array], Array]] = {
    "off by 1e-4": lambda a: a * (1.0 + 1e-4),
    "off by 1e-5": lambda a: a * (1.0 + 1e-5),
    "off by 1e-6": lambda a: a * (1.0 + 1e-6),
    "off by 1e-7": lambda a: a * (1.0 + 1e-7),
}


# --- functions and their derivatives --------------------------------------------------------------


def sigmoid(u: Array) -> Array:
    """1 / (1 + exp(-u)) without overflow."""
    return np.where(u >= 0, 1.0 / (1.0 + np.exp(-np.abs(u))), np.exp(-np.abs(u)) / (1.0 + np.exp(-np.abs(u))))


def softmax(u: Array) -> Array:
    """The softmax of each row."""
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(u: Array) -> Array:
    """The logarithm of the softmax of each row."""
    s = u - u.max(axis=-1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))


def _erf(u: Array) -> Array:
    return np.vectorize(math.erf, otypes=[float])(np.asarray(u, dtype=float))


def _cdf(u: Array) -> Array:
    return 0.5 * (1.0 + _erf(u / math.sqrt(2.0)))


def _density(u: Array) -> Array:
    return np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)


def _gelu_tanh_slope(u: Array) -> Array:
    c = math.sqrt(2.0 / math.pi)
    t = np.tanh(c * (u + 0.044715 * u**3))
    return 0.5 * (1.0 + t) + 0.5 * u * (1.0 - t * t) * c * (1.0 + 3.0 * 0.044715 * u * u)


EPSILON = 1e-5


def _normalised(x: Array, axis: int) -> tuple[Array, Array]:
    centred = x - x.mean(axis=axis, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + EPSILON)
    return centred / deviation, deviation


def _norm_pullback(
    axis: int, mean: bool = True, variance: bool = True, epsilon: bool = True, power: float = 1.0
) -> Pullback:
    """That of a layer norm (axis 1) or a batch norm (axis 0), or of one with a path left out."""

    def pullback(x: Array, gamma: Array, beta: Array, g: Array) -> Arrays:
        h, deviation = _normalised(x, axis)
        if not epsilon:
            deviation = x.std(axis=axis, keepdims=True)
        d = g * gamma
        inner = d
        if mean:
            inner = inner - d.mean(axis=axis, keepdims=True)
        if variance:
            inner = inner - h * (d * h).mean(axis=axis, keepdims=True)
        return inner / deviation**power, (g * h).sum(axis=0), g.sum(axis=0)

    return pullback


def _attention(q: Array, k: Array, v: Array) -> Array:
    return softmax(q @ k.T / math.sqrt(q.shape[1])) @ v


def _attention_pullback(
    scale: bool = True,
    turned: bool = False,
    diagonal: bool = False,
    values: bool = True,
    unmixed: bool = False,
) -> Pullback:
    def pullback(q: Array, k: Array, v: Array, g: Array) -> Arrays:
        p = softmax(q @ k.T / math.sqrt(q.shape[1]))
        dp = g @ v.T
        ds = p * (1.0 - p) * dp if diagonal else p * (dp - (dp * p).sum(axis=1, keepdims=True))
        if unmixed:
            ds = p * dp
        if scale:
            ds = ds / math.sqrt(q.shape[1])
        return ds @ k, (ds if turned else ds.T) @ q, (p.T if values else p) @ g

    return pullback


def _cross_entropy(z: Array) -> Array:
    return np.asarray(-(TARGETS * log_softmax(z)).sum() / len(z))


TARGETS = np.eye(4)[[0, 2, 1, 3, 1]]
GOAL = np.random.default_rng(5).standard_normal((5, 4))


def _distances(x: Array, y: Array) -> Array:
    d = x[:, None] - y[None]
    return np.asarray((d * d).sum(axis=-1))


def _rms(x: Array) -> Array:
    return np.sqrt((x * x).mean(axis=1, keepdims=True) + EPSILON)


def _unit(x: Array) -> Array:
    return np.sqrt((x * x).sum(axis=1, keepdims=True))


OPERATIONS = (
    Operation(
        "linear layer",
        {"x": (5, 4), "w": (4, 3), "b": (3,)},
        lambda x, w, b: x @ w + b,
        lambda x, w, b, g: (g @ w.T, x.T @ g, g.sum(axis=0)),
        {
            "mean over the batch": lambda x, w, b, g: (g @ w.T, x.T @ g / len(x), g.sum(axis=0)),
            "bias not summed": lambda x, w, b, g: (g @ w.T, x.T @ g, g[0]),
            "bias of a mean": lambda x, w, b, g: (g @ w.T, x.T @ g, g.mean(axis=0)),
            "upstream missing": lambda x, w, b, g: (g @ w.T, x.T @ np.ones_like(g), g.sum(axis=0)),
        },
        "y[i,j] = x[i,k] w[k,j] + b[j]",
    ),
    Operation(
        "product of square matrices",
        {"a": (4, 4), "b": (4, 4)},
        lambda a, b: a @ b,
        lambda a, b, g: (g @ b.T, a.T @ g),
        {
            "transpose dropped": lambda a, b, g: (g @ b, a.T @ g),
            "transpose dropped on the right": lambda a, b, g: (g @ b.T, a @ g),
            "result transposed": lambda a, b, g: ((g @ b.T).T, a.T @ g),
            "operands swapped": lambda a, b, g: (b.T @ g, g @ a.T),
        },
        "y[i,j] = a[i,k] b[k,j]",
    ),
    Operation(
        "bilinear form",
        {"x": (5, 4), "a": (4, 4), "z": (5, 4)},
        lambda x, a, z: np.einsum("ia,ab,ib->i", x, a, z),
        lambda x, a, z, g: ((g[:, None] * z) @ a.T, x.T @ (g[:, None] * z), (g[:, None] * x) @ a),
        {
            "matrix not transposed": lambda x, a, z, g: (
                (g[:, None] * z) @ a,
                x.T @ (g[:, None] * z),
                (g[:, None] * x) @ a,
            ),
            "matrix's gradient transposed": lambda x, a, z, g: (
                (g[:, None] * z) @ a.T,
                z.T @ (g[:, None] * x),
                (g[:, None] * x) @ a,
            ),
        },
        "y[i] = x[i,p] a[p,q] z[i,q]",
    ),
    Operation(
        "quadratic form",
        {"x": (5, 4), "a": (4, 4)},
        lambda x, a: np.einsum("ia,ab,ib->i", x, a, x),
        lambda x, a, g: (g[:, None] * (x @ (a + a.T)), x.T @ (g[:, None] * x)),
        {
            "one use of x missing": lambda x, a, g: (g[:, None] * (x @ a.T), x.T @ (g[:, None] * x)),
            "as if symmetric": lambda x, a, g: (g[:, None] * (2.0 * x @ a), x.T @ (g[:, None] * x)),
        },
        "y[i] = x[i,p] a[p,q] x[i,q]",
    ),
    Operation(
        "sigmoid",
        {"x": (5, 4)},
        sigmoid,
        lambda x, g: (g * sigmoid(x) * (1.0 - sigmoid(x)),),
        {
            "f for f'": lambda x, g: (g * sigmoid(x),),
            "derivative at the output": lambda x, g: (g * sigmoid(sigmoid(x)) * (1.0 - sigmoid(sigmoid(x))),),
            "upstream missing": lambda x, g: (sigmoid(x) * (1.0 - sigmoid(x)),),
        },
        "y = sigmoid(x)",
    ),
    Operation(
        "tanh layer",
        {"x": (5, 4), "w": (4, 3), "b": (3,)},
        lambda x, w, b: np.tanh(x @ w + b),
        lambda x, w, b, g: _through(x, w, g * (1.0 - np.tanh(x @ w + b) ** 2)),
        {
            "activation's derivative missing": lambda x, w, b, g: _through(x, w, g),
            "derivative at the wrong argument": lambda x, w, b, g: _through(
                x, w, g * (1.0 - (x @ w + b) ** 2)
            ),
            "derivative twice": lambda x, w, b, g: _through(x, w, g * (1.0 - np.tanh(x @ w + b) ** 2) ** 2),
            "f for f'": lambda x, w, b, g: _through(x, w, g * np.tanh(x @ w + b)),
        },
        "y[i,j] = tanh(x[i,k] w[k,j] + b[j])",
    ),
    Operation(
        "relu",
        {"x": (5, 4)},
        lambda x: np.maximum(x, 0.0),
        lambda x, g: (g * (x > 0),),
        {
            "mask flipped": lambda x, g: (g * (x < 0),),
            "mask missing": lambda x, g: (np.array(g),),
            "mask of the cotangent": lambda x, g: (g * (g > 0),),
        },
        "y = relu(x)",
    ),
    Operation(
        "gelu",
        {"x": (5, 4)},
        lambda x: x * _cdf(x),
        lambda x, g: (g * (_cdf(x) + x * _density(x)),),
        {
            "subtle derivative of the tanh approximation": lambda x, g: (g * _gelu_tanh_slope(x),),
            "density's term missing": lambda x, g: (g * _cdf(x),),
            "factor x missing": lambda x, g: (g * (_cdf(x) + _density(x)),),
        },
        "y[i,j] = x[i,j] (1 + erf(x[i,j] / sqrt(2))) / 2",
    ),
    Operation(
        "softplus",
        {"x": (5, 4)},
        lambda x: np.logaddexp(0.0, x),
        lambda x, g: (g * sigmoid(x),),
        {
            "sigmoid's derivative": lambda x, g: (g * sigmoid(x) * (1.0 - sigmoid(x)),),
            "sigmoid at -x": lambda x, g: (g * sigmoid(-x),),
        },
        "y = softplus(x)",
    ),
    Operation(
        "softmax",
        {"x": (5, 4)},
        softmax,
        lambda x, g: (softmax(x) * (g - (g * softmax(x)).sum(axis=1, keepdims=True)),),
        {
            "diagonal only": lambda x, g: (g * softmax(x) * (1.0 - softmax(x)),),
            "second term missing": lambda x, g: (g * softmax(x),),
            "summed over the wrong index": lambda x, g: (
                softmax(x) * (g - (g * softmax(x)).sum(axis=0, keepdims=True)),
            ),
            "mean for sum": lambda x, g: (softmax(x) * (g - (g * softmax(x)).mean(axis=1, keepdims=True)),),
        },
        "y[i,j] = softmax[j](x[i,j])",
    ),
    Operation(
        "log-softmax",
        {"x": (5, 4)},
        log_softmax,
        lambda x, g: (g - softmax(x) * g.sum(axis=1, keepdims=True),),
        {
            "sum of cotangents missing": lambda x, g: (g - softmax(x) * g,),
            "softmax missing": lambda x, g: (g - g.sum(axis=1, keepdims=True),),
            "as if the cotangents summed to one": lambda x, g: (g - softmax(x),),
        },
        "y[i,j] = log_softmax[j](x[i,j])",
    ),
    Operation(
        "softmax cross-entropy",
        {"z": (5, 4)},
        _cross_entropy,
        lambda z, g: (g * (softmax(z) - TARGETS) / len(z),),
        {
            "1/m forgotten": lambda z, g: (g * (softmax(z) - TARGETS),),
            "1/m twice": lambda z, g: (g * (softmax(z) - TARGETS) / len(z) ** 2,),
            "wrong count": lambda z, g: (g * (softmax(z) - TARGETS) / z.size,),
            "targets missing": lambda z, g: (g * softmax(z) / len(z),),
            "sign": lambda z, g: (g * (TARGETS - softmax(z)) / len(z),),
        },
        "y = -sum[i,j] (t[i,j] log_softmax[j](z[i,j])) / 5",
    ),
    Operation(
        "mean squared error",
        {"x": (5, 4)},
        lambda x: np.asarray(((x - GOAL) ** 2).mean()),
        lambda x, g: (g * 2.0 * (x - GOAL) / x.size,),
        {
            "2 forgotten": lambda x, g: (g * (x - GOAL) / x.size,),
            "mean over rows only": lambda x, g: (g * 2.0 * (x - GOAL) / len(x),),
            "upstream missing": lambda x, g: (2.0 * (x - GOAL) / x.size,),
        },
        "y = sum[i,j] (x[i,j] - t[i,j])^2 / 20",
    ),
    Operation(
        "layer norm",
        {"x": (5, 4), "gamma": (4,), "beta": (4,)},
        lambda x, gamma, beta: gamma * _normalised(x, 1)[0] + beta,
        _norm_pullback(1),
        {
            "mean path missing": _norm_pullback(1, mean=False),
            "variance path missing": _norm_pullback(1, variance=False),
            "deviation squared": _norm_pullback(1, power=2.0),
            "subtle epsilon forgotten": _norm_pullback(1, epsilon=False),
        },
        "y[i,j] = g[j] (x[i,j] - mean[j](x[i,j])) / sqrt(var[j](x[i,j]) + 0.00001) + b[j]",
    ),
    Operation(
        "batch norm",
        {"x": (5, 4), "gamma": (4,), "beta": (4,)},
        lambda x, gamma, beta: gamma * _normalised(x, 0)[0] + beta,
        _norm_pullback(0),
        {
            "mean path missing": _norm_pullback(0, mean=False),
            "variance path missing": _norm_pullback(0, variance=False),
            "statistics held fixed": _norm_pullback(0, mean=False, variance=False),
            "subtle epsilon forgotten": _norm_pullback(0, epsilon=False),
        },
        "y[i,j] = g[j] (x[i,j] - mean[i](x[i,j])) / sqrt(var[i](x[i,j]) + 0.00001) + b[j]",
    ),
    Operation(
        "attention",
        {"q": (5, 4), "k": (5, 4), "v": (5, 4)},
        _attention,
        _attention_pullback(),
        {
            "1/√d forgotten": _attention_pullback(scale=False),
            "keys' transpose dropped": _attention_pullback(turned=True),
            "softmax's diagonal only": _attention_pullback(diagonal=True),
            "weights not transposed": _attention_pullback(values=False),
            "softmax's second term missing": _attention_pullback(unmixed=True),
        },
        "y[i,c] = softmax[j](q[i,a] k[j,a] / 2) v[j,c]",
    ),
    Operation(
        "rows made unit vectors",
        {"x": (5, 4)},
        lambda x: x / _unit(x),
        lambda x, g: ((g - x / _unit(x) * (g * x / _unit(x)).sum(axis=1, keepdims=True)) / _unit(x),),
        {
            "norm held fixed": lambda x, g: (g / _unit(x),),
            "norm missing": lambda x, g: (g - x / _unit(x) * (g * x / _unit(x)).sum(axis=1, keepdims=True),),
        },
        "y[i,j] = x[i,j] / sqrt(sum[k] x[i,k]^2)",
    ),
    Operation(
        "residual block",
        {"x": (5, 4), "w": (4, 3), "v": (3, 4)},
        lambda x, w, v: x + np.tanh(x @ w) @ v,
        lambda x, w, v, g: _residual(x, w, v, g, True, True),
        {
            "skip missing": lambda x, w, v, g: _residual(x, w, v, g, False, True),
            "branch missing": lambda x, w, v, g: _residual(x, w, v, g, True, False),
        },
        "y[i,j] = x[i,j] + tanh(x[i,a] w[a,b]) v[b,j]",
    ),
    Operation(
        "weight used twice",
        {"x": (5, 4), "w": (4, 4)},
        lambda x, w: np.tanh(np.tanh(x @ w) @ w),
        lambda x, w, g: _shared(x, w, g, True, True),
        {
            "first use missing": lambda x, w, g: _shared(x, w, g, False, True),
            "second use missing": lambda x, w, g: _shared(x, w, g, True, False),
        },
        "y[i,j] = tanh(tanh(x[i,a] w[a,b]) w[b,j])",
    ),
    Operation(
        "log-sum-exp",
        {"x": (5, 4)},
        lambda x: np.log(np.exp(x - x.max()).sum(axis=1)) + x.max(),
        lambda x, g: (g[:, None] * softmax(x),),
        {
            "softmax of the whole": lambda x, g: (g[:, None] * softmax(x.reshape(1, -1)).reshape(x.shape),),
            "not normalised": lambda x, g: (g[:, None] * np.exp(x),),
        },
        "y[i] = logsumexp[j](x[i,j])",
    ),
    Operation(
        "rms norm",
        {"x": (5, 4), "gamma": (4,)},
        lambda x, gamma: gamma * x / _rms(x),
        lambda x, gamma, g: _rms_pullback(x, gamma, g, x.shape[1]),
        {
            "path through the norm missing": lambda x, gamma, g: _rms_pullback(x, gamma, g, math.inf),
            "wrong count": lambda x, gamma, g: _rms_pullback(x, gamma, g, len(x)),
        },
        "y[i,j] = g[j] x[i,j] / sqrt(sum[k] x[i,k]^2 / 4 + 0.00001)",
    ),
    Operation(
        "pairwise squared distances",
        {"x": (5, 4), "y": (3, 4)},
        _distances,
        lambda x, y, g: (
            2.0 * (g.sum(axis=1)[:, None] * x - g @ y),
            2.0 * (g.sum(axis=0)[:, None] * y - g.T @ x),
        ),
        {
            "second argument's sign": lambda x, y, g: (
                2.0 * (g.sum(axis=1)[:, None] * x - g @ y),
                -2.0 * (g.sum(axis=0)[:, None] * y - g.T @ x),
            ),
            "cross term missing": lambda x, y, g: (
                2.0 * g.sum(axis=1)[:, None] * x,
                2.0 * (g.sum(axis=0)[:, None] * y - g.T @ x),
            ),
        },
        "d[i,j] = sum[a] (x[i,a] - y[j,a])^2",
    ),
    Operation(
        "gated linear unit",
        {"x": (5, 4), "w": (4, 3), "v": (4, 3)},
        lambda x, w, v: (x @ w) * sigmoid(x @ v),
        lambda x, w, v, g: _gated(x, w, v, g, True),
        {
            "gate held fixed": lambda x, w, v, g: _gated(x, w, v, g, False),
            "gate forgotten in w": lambda x, w, v, g: (
                _gated(x, w, v, g, True)[0],
                x.T @ g,
                _gated(x, w, v, g, True)[2],
            ),
        },
        "y[i,j] = (x[i,a] w[a,j]) sigmoid(x[i,b] v[b,j])",
    ),
)


def _through(x: Array, w: Array, d: Array) -> Arrays:
    return d @ w.T, x.T @ d, d.sum(axis=0)


def _residual(x: Array, w: Array, v: Array, g: Array, skip: bool, branch: bool) -> Arrays:
    h = np.tanh(x @ w)
    d = (g @ v.T) * (1.0 - h * h)
    return (g if skip else 0.0) + (d @ w.T if branch else 0.0), x.T @ d, h.T @ g


def _shared(x: Array, w: Array, g: Array, first: bool, second: bool) -> Arrays:
    h = np.tanh(x @ w)
    outer = g * (1.0 - np.tanh(h @ w) ** 2)
    inner = (outer @ w.T) * (1.0 - h * h)
    return inner @ w.T, (x.T @ inner if first else 0.0) + (h.T @ outer if second else np.zeros_like(w))


def _rms_pullback(x: Array, gamma: Array, g: Array, count: float) -> Arrays:
    r = _rms(x)
    d = g * gamma
    return d / r - x * (d * x).sum(axis=1, keepdims=True) / (count * r**3), (g * x / r).sum(axis=0)


def _gated(x: Array, w: Array, v: Array, g: Array, gate: bool) -> Arrays:
    a, s = x @ w, sigmoid(x @ v)
    da, ds = g * s, g * a * s * (1.0 - s)
    return da @ w.T + (ds @ v.T if gate else 0.0), x.T @ da, x.T @ ds
