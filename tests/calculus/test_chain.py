"""Derivatives of random chains against the complex step: Jacobians, pullbacks, totals, own and second ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read

FEW = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = settings(FEW, max_examples=1500, derandomize=False)

LETTERS = {"p": "ikum", "q": "jlvn"}
SMOOTH = ("tanh", "sin", "cos", "sigmoid", "softplus", "atan", "erf", "f")


class Written:
    """A chain that is being written: the names there are with their shapes, and the lines."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.tensors: dict[str, str] = {}
        self.steps: dict[str, str] = {}
        self.lines: list[str] = []

    def choice(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def name(self, shape: str) -> str:
        """A tensor or step of this shape, a new tensor or one that is there; later steps are liked best."""
        known = [n for n, s in reversed({**self.tensors, **self.steps}.items()) if s == shape]
        if known and self.draw(st.integers(0, 3)):
            return known[self.draw(st.integers(0, len(known) - 1))]
        fresh = f"A{len(self.tensors)}"
        self.tensors[fresh] = shape
        return fresh

    def step(self, shape: str) -> None:
        name = f"h{len(self.steps)}"
        matrix = len(shape) <= 2 and self.draw(st.booleans())
        line = self.matrix_line(name, shape) if matrix else self.index_line(name, shape)
        self.lines.append(line)
        self.steps[name] = shape

    # --- index notation

    def index_line(self, name: str, shape: str) -> str:
        free = ""
        for dimension in shape:
            free += next(letter for letter in LETTERS[dimension] if letter not in free)
        terms = [self.term(shape, free) for _ in range(self.draw(st.integers(1, 3)))]
        if shape in self.steps.values() and self.draw(st.booleans()):
            last = [n for n, s in self.steps.items() if s == shape][-1]
            terms.append(f"{last}{brackets(free)}")  # a residual connection
        return f"{name}{brackets(free)} = {' + '.join(terms)}"

    def term(self, shape: str, free: str) -> str:
        """A product with its sums written, or left to the rule where it sums them."""
        factors = [self.factor(shape, free) for _ in range(self.draw(st.integers(1, 3)))]
        used = "".join(dict.fromkeys(c for factor in factors for c in factor[1] if c not in free))
        product = " ".join(text for text, _ in factors)
        if self.draw(st.booleans()):
            product += f" / (2 + sin({factors[0][0]}))"
        implied = "/" not in product and all(sum(c in f[1] for f in factors) >= 2 for c in used)
        if not used or (implied and self.draw(st.booleans())):
            return product
        return f"(sum[{','.join(used)}] {product})"

    def factor(self, shape: str, free: str) -> tuple[str, str]:
        """A factor and its open indices."""
        entry, indices = self.entry(shape, free)
        kind = self.choice("entry", "entry", "function", "square", "sum", "softmax", "logsumexp", "fixed")
        if kind == "function":
            return f"{self.choice(*SMOOTH)}({entry})", indices
        if kind == "square":
            return f"({entry})^2", indices
        if kind == "sum":
            other, more = self.entry(shape, free, like=indices)
            return f"({entry} - {other})", indices + more
        if kind in ("softmax", "logsumexp") and indices:
            along = indices[-1]
            if kind == "softmax":
                return f"softmax[{along}]({entry})", indices
            if along not in free:
                return f"logsumexp[{along}]({entry})", indices.replace(along, "")
        if kind == "fixed":
            tensor = self.name("p")
            return f"{tensor}[1]", ""
        return entry, indices

    def entry(self, shape: str, free: str, like: str | None = None) -> tuple[str, str]:
        rank = self.draw(st.integers(0, 4 if self.draw(st.booleans()) else 2))
        indices = ""
        for _ in range(rank):
            dimension = self.choice(*(set(shape) or "p"), "p", "q")
            letters = LETTERS[dimension]
            indices += self.choice(*letters) if like is None else self.choice(*(like + letters))
        if like is not None:
            indices = like  # of the same indices, so that a difference of the two makes sense
        name = self.name("".join(d for c in indices for d, letters in LETTERS.items() if c in letters))
        return f"{name}{brackets(indices)}", "".join(dict.fromkeys(indices))

    # --- matrix notation

    def matrix_line(self, name: str, shape: str) -> str:
        expression = self.matrix(shape, 2)
        if shape in self.steps.values() and self.draw(st.booleans()):
            last = [n for n, s in self.steps.items() if s == shape][-1]
            expression = f"{last} + {expression}"
        return f"{name} = {expression}"

    def matrix(self, shape: str, depth: int) -> str:
        if depth == 0:
            return self.name(shape)
        if not shape:
            vector = self.matrix("p", depth - 1)
            return self.choice(
                f"sum({vector})",
                f"({vector})ᵀ ({self.matrix('p', 0)})",
                f"tr({self.matrix('qq', 0)} {self.matrix('qq', 0)})",
                f"norm({self.name('pq')})",
            )
        inner = self.choice(*"pq")
        options = [
            f"tanh({self.matrix(shape, depth - 1)})",
            f"({self.matrix(shape, depth - 1)} + {self.matrix(shape, 0)})",
            f"({self.matrix(shape, depth - 1)} ⊙ {self.matrix(shape, 0)})",
            f"{self.name(shape[0] + inner)} {self.matrix(inner + shape[1:], depth - 1)}",
            f"f({self.matrix(shape, depth - 1)})",
        ]
        if len(shape) == 2:
            options += [
                f"({self.matrix(shape[::-1], depth - 1)})ᵀ",
                f"{self.name(shape[0])} {self.name(shape[1])}ᵀ",
                f"(inv({self.name(shape[0] * 2)} + 9 I) {self.name(shape)})",
                f"({self.name(shape)} + {self.name(shape[1])})",
            ]
        return str(self.choice(*options))

    def text(self) -> str:
        tensors = "".join(f"  {n}: [{', '.join(s)}]\n" for n, s in self.tensors.items())
        # The shape is stated, since a free index may stand nowhere on the right.
        chain = "".join(
            f"  - {{step: '{line}', shape: [{', '.join(shape)}]}}\n"
            for line, shape in zip(self.lines, self.steps.values(), strict=True)
        )
        return f"tensors:\n  unused: [p, q]\n{tensors}functions: [f]\nchain:\n{chain}"


def brackets(indices: str) -> str:
    return f"[{','.join(indices)}]" if indices else ""


@st.composite
def chains(draw: st.DrawFn, scalar: bool = False) -> str:
    written = Written(draw)
    for _ in range(draw(st.integers(1, 4))):
        written.step("".join(draw(st.lists(st.sampled_from("pq"), max_size=4 if draw(st.booleans()) else 2))))
    if scalar:
        written.step("")
    return written.text()


def check_steps(text: str, at_point: Any, close: Any) -> None:
    point = at_point(text)
    for step in point.steps:
        value = point.here.arrays[step]
        bar = np.random.default_rng(1).standard_normal(np.shape(value))
        for tensor in point.inputs_of(step):
            held = point.held(step, tensor)
            close(point.jacobian(step, tensor), held, f"{text}\n∂{step}/∂{tensor}", value)
            close(point.total(step, tensor, own=True), held, f"{text}\n∂⁺{step}/∂{tensor}", value)
            pulled = np.tensordot(bar, held, axes=bar.ndim)
            close(point.pullback(step, tensor, bar), pulled, f"{text}\npullback of {step} to {tensor}", value)


# A sum over softmax along the same index has derivative zero, made of terms as large as the sum.
CANCELS = """
tensors: {a: [], x: [p, q]}
chain:
  - h = sum[i] 1000 a exp(a) softmax[i](x[j,i])^1 + 0 x[j,0]
"""


def test_what_cancels_leaves_the_rounding_of_its_terms(at_point: Any, close: Any) -> None:
    point = at_point(CANCELS.replace("h =", "h[j] ="))
    held, ours = point.held("h", "x"), point.jacobian("h", "x")
    close(ours, held, "", point.here.arrays["h"])
    with pytest.raises(AssertionError):
        close(ours + 1e-10 * np.abs(point.here.arrays["h"]).max(), held, "", point.here.arrays["h"])


def check_totals(text: str, at_point: Any, close: Any) -> None:
    point = at_point(text)
    last = point.steps[-1]
    value = point.here.arrays[last]
    for name in (*point.spec.tensors, *point.steps):
        close(point.total(last, name), point.stepped(last, name), f"{text}\n∂{last}/∂{name}", value)


def check_second(text: str, at_point: Any, close: Any) -> None:
    point = at_point(text)
    last = point.steps[-1]
    names = [name for name in point.spec.tensors if np.size(point.here.arrays[name]) <= 6][:3]
    for one in names:
        first = f"∂{last}/∂{one}"
        point.total(last, one)
        for other in names:
            close(
                point.total(last, one, other), point.stepped(first, other), f"{text}\n∂²{last}/∂{one}∂{other}"
            )


@given(chains())
@FEW
def test_own_derivatives_and_pullbacks(at_point: Any, close: Any, text: str) -> None:
    check_steps(text, at_point, close)


@given(chains())
@FEW
def test_total_derivatives_of_tensors(at_point: Any, close: Any, text: str) -> None:
    check_totals(text, at_point, close)


@given(chains(scalar=True))
@FEW
def test_total_derivatives_of_a_loss(at_point: Any, close: Any, text: str) -> None:
    check_totals(text, at_point, close)


@given(chains(scalar=True))
@settings(FEW, max_examples=12)
def test_second_derivatives(at_point: Any, close: Any, text: str) -> None:
    check_second(text, at_point, close)


@pytest.mark.slow
@given(chains(scalar=True))
@MANY
def test_many_chains(at_point: Any, close: Any, text: str) -> None:
    check_steps(text, at_point, close)
    check_totals(text, at_point, close)


@pytest.mark.slow
@given(chains(scalar=True))
@settings(MANY, max_examples=300)
def test_many_second_derivatives(at_point: Any, close: Any, text: str) -> None:
    check_second(text, at_point, close)


@given(chains())
@settings(FEW, max_examples=15)
def test_formulas_read_back(all_reads_back: Any, text: str) -> None:
    all_reads_back(spec_of(text))


@given(chains(scalar=True))
@settings(FEW, max_examples=8)
def test_formulas_of_hessians_read_back(all_reads_back: Any, text: str) -> None:
    all_reads_back(spec_of(f"{text}hessian: true\n"))


@pytest.mark.slow
@given(chains(scalar=True))
@settings(MANY, max_examples=100)
def test_many_formulas_read_back(all_reads_back: Any, text: str) -> None:
    all_reads_back(spec_of(f"{text}hessian: true\n"))


def spec_of(text: str) -> Spec:
    spec, issues = read(Source("chain", text))
    assert spec is not None, f"{text}\n" + "\n".join(issue.message for issue in issues)
    return spec


# --- chains that people write -----------------------------------------------------------------------------

CHAINS = {
    "shared": "{tensors: {W: [p, p], x: [p]}, chain: [a = tanh(W x), b = tanh(W a), c = bᵀ W a]}",
    "residual": "{tensors: {W: [p, p], x: [p]}, chain: [a = x + tanh(W x), b = a + tanh(Wᵀ a), c = sum(b ⊙ a)]}",
    "diamond": "{tensors: {x: [p]}, chain: [a = sin(x), b = a**2, d = a ⊙ b, e = b - d, c = aᵀ e]}",
    "trace": "{tensors: {X: [p, p], Y: [p, q]}, chain: ['c = X[i,i] Y[k,j] Y[k,j]']}",
    "diagonal": "{tensors: {X: [p, p]}, chain: ['d[i] = X[i,i] X[i,0]', 'c = sum[i] d[i]^3']}",
    "rank 4": "{tensors: {T: [p, q, p, q], x: [p, q]}, chain: ['y[i,j] = T[i,j,k,l] x[k,l]', 'c = y[i,j] y[i,j]']}",
    "norm": "{tensors: {x: [p, q]}, chain: ['m[i] = mean[j](x[i,j])', 's[i] = std[j](x[i,j])',"
    " 'y[i,j] = (x[i,j] - m[i]) / s[i]', 'c = sum[i,j] y[i,j]^3']}",
    "inverse": "{tensors: {X: [p, p], b: [p]}, chain: [y = inv(X) b, c = yᵀ X y + det(X)]}",
    "kron": "{tensors: {X: [p, q], Y: [q, q]}, chain: [v = vec(X Y), 'K = kron(X, Y)', c = vᵀ v + sum(K ⊙ K)]}",
    "ops": "{tensors: {x: [p, q]}, chain: ['a[i,j] = cumsum[j](x[i,j])', 'n[i,j] = normalize[j](a[i,j])',"
    " 'l[i,j] = log_softmax[j](n[i,j] a[i,j])', 'c = (prod[i,j](2 + sin(l[i,j]))) norm[i,j](x[i,j])']}",
    "penalty": "{tensors: {w: [p], x: [p]}, chain: ['u = sin(w)ᵀ (x ⊙ x)', 'g[i] = ∂u/∂x[i]', 'c = g[i] g[i] + u^2']}",
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_that_people_write(at_point: Any, close: Any, name: str) -> None:
    check_steps(CHAINS[name], at_point, close)
    check_totals(CHAINS[name], at_point, close)
    check_second(CHAINS[name], at_point, close)


def test_own_and_total_derivatives_differ_by_the_paths(at_point: Callable[..., Any], close: Any) -> None:
    point = at_point("{tensors: {x: [p]}, chain: [a = sin(x), b = a ⊙ x, c = aᵀ b + xᵀ x]}")
    x, a = point.here.arrays["x"], point.here.arrays["a"]
    close(point.total("c", "x", own=True), 2 * x)
    close(point.total("c", "a", own=True), a * x)
    close(point.total("c", "a"), 2 * a * x)
    close(point.total("c", "x"), 2 * x + 2 * a * np.cos(x) * x + a**2)
    # A chain is cut at the step that is varied: a by b is no path.
    close(point.total("a", "b"), np.zeros((x.size, x.size)))


def test_what_does_not_depend_has_derivative_zero(at_point: Callable[..., Any]) -> None:
    point = at_point("{tensors: {x: [p], y: [q], w: [p, q]}, chain: [a = tanh(x), b = tanh(y), c = aᵀ a]}")
    for numerator, denominator in (("c", "y"), ("c", "b"), ("a", "y"), ("b", "c"), ("x", "y"), ("c", "w")):
        found = point.total(numerator, denominator)
        shapes = [np.shape(point.here.arrays[name]) for name in (numerator, denominator)]
        assert found.shape == shapes[0] + shapes[1]
        assert not found.any()
    assert not point.total("c", "x", "y").any()
    assert not point.total("c", "x", own=True).any()


def test_a_tensor_by_itself_is_deltas(at_point: Callable[..., Any]) -> None:
    point = at_point("{tensors: {w: [p, q]}, chain: [a = w ⊙ w]}")
    p, q = point.here.arrays["w"].shape
    for name in ("w", "a"):
        identity = np.eye(p * q).reshape(p, q, p, q)
        assert np.array_equal(point.total(name, name), identity)
