"""Gradient checkers against right and wrong gradients: what each misses, and where it raises a false alarm.

    python benchmarks/checkers.py [--scales 1,1e-6] [--only NAME]

The operations, their gradients and the mutants are those of `operations.py`, all in NumPy; each checker gets
them as a function with its own backward rule, and judges by its own default rule. Outputs are scaled by c. A
checker that is not installed is left out. Of ours there are two rows: the numeric room as a checker of any
NumPy function, and a spec's `gradients:` key, where the operation is written in the notation of a spec.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from operations import GOAL, OPERATIONS, TARGETS, Arrays, Mutant, Operation, Pullback, draw, mutants_of

from tensorgrad_cli.numeric.compare import compare, is_linear, jitter_bar
from tensorgrad_cli.numeric.difference import jacobian
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.run import check_spec

Array = NDArray[Any]
SCALES = (1e-6, 1e-4, 1.0, 1e4, 1e6)


class Case(Struct, frozen=True):
    """A gradient to judge: the operation at these arguments, and a pullback that is right or not."""

    operation: Operation
    arguments: Arrays
    pullback: Pullback
    right: bool
    subtle: bool
    name: str


# accepted, refused, or None: no answer
Checker = Callable[[Case, float], bool | None]


def cases() -> Iterator[Case]:
    """Every mutant, and the right gradients at plain and at difficult points."""
    for number, operation in enumerate(OPERATIONS):
        plain = draw(operation, number)
        for mutant in mutants_of(operation, number):
            yield _mutant(operation, plain, mutant)
        for arguments, where in _points(operation, number):
            yield Case(operation, arguments, operation.pullback, True, False, f"{operation.name}, {where}")


def _mutant(operation: Operation, arguments: Arrays, mutant: Mutant) -> Case:
    name = f"{operation.name}: {mutant.name}"
    return Case(operation, arguments, mutant.pullback, False, mutant.subtle, name)


SMOOTH_AT_ANY_SIZE = (
    "linear layer",
    "product of square matrices",
    "bilinear form",
    "quadratic form",
    "relu",
    "mean squared error",
    "rows made unit vectors",
    "pairwise squared distances",
)
LOGITS = ("softmax", "log-softmax", "softmax cross-entropy", "log-sum-exp", "softplus", "sigmoid")
OFFSET = ("layer norm", "batch norm", "softmax", "linear layer", "mean squared error", "log-sum-exp")


def _points(operation: Operation, number: int) -> Iterator[tuple[Arrays, str]]:
    yield draw(operation, number), "plain"
    yield draw(operation, 100 + number), "plain again"
    yield draw(operation, 200 + number, factor=1e-6), "|x| = 1e-6"
    if operation.name in SMOOTH_AT_ANY_SIZE:
        yield draw(operation, 300 + number, factor=1e6), "|x| = 1e6"
    if operation.name in LOGITS:
        yield draw(operation, 400 + number, factor=20.0), "logits times 20"
    if operation.name in OFFSET:
        first, *rest = draw(operation, 500 + number)
        yield (first + 1e3, *rest), "offset 1e3"
    if operation.name == "relu":
        for distance in (1e-4, 1e-8, 1e-12):
            (x,) = draw(operation, 600)
            x.flat[3], x.flat[7] = distance, -distance
            yield (x,), f"{distance} from a kink"


# --- ours -----------------------------------------------------------------------------------------


def numeric_room(case: Case, c: float) -> bool | None:
    """The numeric room on a NumPy function: accepted only where every entry of the Jacobian is."""
    shapes = [a.shape for a in case.arguments]
    cuts = np.cumsum([a.size for a in case.arguments])[:-1]
    x = np.concatenate([a.reshape(-1) for a in case.arguments])

    def parts(flat: Array) -> list[Array]:
        return [p.reshape(shape) for p, shape in zip(np.split(flat, cuts), shapes, strict=True)]

    def function(points: Array) -> Any:
        values = np.stack([np.reshape(c * case.operation.function(*parts(p)), -1) for p in points])
        return (values, points > 0.0) if case.operation.name == "relu" else values

    def pulled(flat: Array, g: Array) -> Array:
        return np.concatenate([np.reshape(a, -1) for a in case.pullback(*parts(flat), c * g)])

    out = np.asarray(case.operation.function(*case.arguments))
    cotangents = np.eye(out.size).reshape(out.size, *out.shape)

    def claims(points: Array) -> Array:
        return np.stack([np.stack([pulled(p, g) for g in cotangents], axis=1).reshape(-1) for p in points])

    g = np.random.default_rng(0).standard_normal(out.shape)
    if not is_linear(lambda cotangent: pulled(x, cotangent), g):
        return False
    truth = jacobian(function, x, groups=[a.size for a in case.arguments])
    shape = truth.values.shape
    claim = claims(x[None]).reshape(shape)
    bar = jitter_bar(claims, x).reshape(shape)
    kinks = truth.kinks[:, None] if truth.kinks.any() else None
    starts = [0, *cuts, x.size]
    # Tensor by tensor, as a spec's derivatives are: the rows of one say nothing of another's.
    verdicts = {
        compare(
            claim[part],
            bar[part],
            truth.values[part],
            truth.bars[part],
            row=(0,),
            still=truth.still[part],
            kinks=None if kinks is None else kinks[part],
        ).verdict
        for part in (slice(a, b) for a, b in pairwise(starts))
    }
    return None if verdicts == {"equal", "undecided"} or verdicts == {"undecided"} else verdicts == {"equal"}


SPECS: dict[str, Spec] = {}
DATA = {"t"}


def _spec_of(operation: Operation) -> Spec:
    if operation.name not in SPECS:
        names = _names(operation)
        sizes = {name: list(shape) for name, shape in zip(names, operation.shapes.values(), strict=True)}
        output = operation.chain.split("=")[0].strip().split("[")[0]
        shape = np.asarray(operation.function(*draw(operation, 0))).shape
        lines = ["tensors:"]
        lines += [f"  {name}: {list(shape)}" for name, shape in sizes.items()]
        if "t[" in operation.chain:
            lines.append("  t: {shape: [5, 4], constant: true}")
        index = "[" + ",".join("ij"[: len(shape)]) + "]" if shape else ""
        lines.append(f"  G: {{shape: {list(shape)}, constant: true}}")
        lines.append("chain:")
        lines.append(f"  - {operation.chain}")
        lines.append(
            f"  - cost = sum[{index[1:-1]}] (G{index} {output}{index})" if shape else f"  - cost = G {output}"
        )
        lines.append(f"wrt: [{', '.join(names)}]")
        spec, issues = read(Source("<benchmark>", "\n".join(lines) + "\n"))
        assert spec is not None, [issue.message for issue in issues]
        SPECS[operation.name] = spec
    return SPECS[operation.name]


def _names(operation: Operation) -> list[str]:
    short = {"gamma": "g", "beta": "b"}
    return [short.get(name, name) for name in operation.shapes]


def gradients_key(case: Case, c: float) -> bool | None:
    """`gradients:` of a spec: a random cotangent, and the arrays that the pullback makes of it."""
    names = _names(case.operation)
    out = np.asarray(case.operation.function(*case.arguments))
    g = c * np.random.default_rng(1).standard_normal(out.shape)
    found = case.pullback(*case.arguments, g)
    data = {**dict(zip(names, case.arguments, strict=True)), "G": g}
    if "t[" in case.operation.chain:
        data["t"] = TARGETS if "cross" in case.operation.name else GOAL
    gradients = {f"cost/{name}": np.asarray(a) for name, a in zip(names, found, strict=True)}
    spec = replace(_spec_of(case.operation), data=data, gradients=gradients)
    report = check_spec(spec)
    verdicts = {check.verdict for check in report.checks if check.kind == "values"}
    return None if verdicts in ({"verified", "inconclusive"}, {"inconclusive"}) else verdicts == {"verified"}


# --- the others -----------------------------------------------------------------------------------


def torch_checker(fast: bool) -> Checker:
    """torch.autograd.gradcheck with its default tolerances."""
    import torch

    torch.set_num_threads(1)

    def check(case: Case, c: float) -> bool:
        class Function(torch.autograd.Function):  # type: ignore[misc,name-defined]
            @staticmethod
            def forward(ctx: Any, *tensors: Any) -> Any:
                ctx.arrays = [t.detach().numpy() for t in tensors]
                return torch.from_numpy(np.array(c * case.operation.function(*ctx.arrays)))

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                pulled = case.pullback(*ctx.arrays, c * g.numpy())
                return tuple(torch.from_numpy(np.array(a, dtype=float)) for a in pulled)

        tensors = [torch.from_numpy(a.copy()).requires_grad_() for a in case.arguments]
        return bool(torch.autograd.gradcheck(Function.apply, tensors, fast_mode=fast, raise_exception=False))

    return check


def jax_checker(dtype: str) -> Checker:
    """jax.test_util.check_grads in reverse mode with its default tolerances."""
    import jax
    from jax.test_util import check_grads

    def check(case: Case, c: float) -> bool:
        jax.config.update("jax_enable_x64", dtype == "float64")
        arguments = [jax.numpy.asarray(a.astype(dtype)) for a in case.arguments]
        out = np.asarray(case.operation.function(*case.arguments)).shape

        def forward(*arrays: Any) -> Any:
            wide = [np.asarray(a, dtype=float) for a in arrays]
            return np.asarray(c * case.operation.function(*wide)).astype(dtype)

        def backward(arrays: Any, g: Any) -> Any:
            wide = [np.asarray(a, dtype=float) for a in arrays]
            pulled = case.pullback(*wide, c * np.asarray(g, dtype=float))
            return tuple(np.asarray(a).astype(dtype) for a in pulled)

        @jax.custom_vjp
        def function(*arrays: Any) -> Any:
            return jax.pure_callback(forward, jax.ShapeDtypeStruct(out, dtype), *arrays)

        shapes = tuple(jax.ShapeDtypeStruct(a.shape, dtype) for a in arguments)
        function.defvjp(
            lambda *arrays: (function(*arrays), arrays),
            lambda arrays, g: jax.pure_callback(backward, shapes, arrays, g),
        )
        try:
            check_grads(function, arguments, order=1, modes=["rev"])
        except AssertionError:
            return False
        return True

    return check


def autograd_checker() -> Checker:
    """autograd.test_util.check_grads in reverse mode with its default tolerances."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(case: Case, c: float) -> bool:
        function = primitive(lambda *arrays: c * case.operation.function(*arrays))

        def pulling(number: int) -> Callable[..., Any]:
            def maker(_: Any, *arrays: Any) -> Any:
                return lambda g: np.asarray(case.pullback(*arrays, c * g)[number])

            return maker

        defvjp(function, *(pulling(number) for number in range(len(case.arguments))))
        try:
            check_grads(function, modes=["rev"], order=1)(*case.arguments)
        except AssertionError:
            return False
        return True

    return check


CHECKERS: dict[str, Callable[[], Checker]] = {
    "tensorgrad, any NumPy function": lambda: numeric_room,
    "tensorgrad, `gradients:` of a spec": lambda: gradients_key,
    "torch gradcheck, slow": lambda: torch_checker(False),
    "torch gradcheck, fast": lambda: torch_checker(True),
    "jax check_grads, float64": lambda: jax_checker("float64"),
    "jax check_grads, float32": lambda: jax_checker("float32"),
    "autograd check_grads": autograd_checker,
}


class Row(Struct):
    """What one checker did at one scale: wrong gradients missed (gross, subtle), right ones refused, seconds."""

    missed: list[str]
    missed_subtle: list[str]
    alarms: list[str]
    unanswered: list[str]
    seconds: float


def measured(checker: Checker, every: list[Case], c: float) -> Row:
    """A checker on all cases at one scale."""
    row = Row([], [], [], [], 0.0)
    started = time.process_time()
    for case in every:
        passed = checker(case, c)
        if passed is None:
            row.unanswered.append(case.name)
        elif case.right and not passed:
            row.alarms.append(case.name)
        elif not case.right and passed:
            (row.missed_subtle if case.subtle else row.missed).append(case.name)
    row.seconds = time.process_time() - started
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scales", default=",".join(map(str, SCALES)))
    parser.add_argument("--only", default="", help="checkers whose name contains this")
    parser.add_argument("--names", action="store_true", help="name what was missed and what was refused")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    every = list(cases())
    wrong = [case for case in every if not case.right]
    subtle = sum(case.subtle for case in wrong)
    scales = [float(scale) for scale in options.scales.split(",")]
    print(
        f"{len(wrong) - subtle} wrong gradients and {subtle} wrong by less than 1e-3 of {len(OPERATIONS)} "
        f"operations, {len(every) - len(wrong)} right ones\n"
        "per cell: % missed / % missed of the small ones / % false alarms; no answer: of all, at the worst scale\n"
    )
    print("| checker | " + " | ".join(f"c = {scale:g}" for scale in scales) + " | no answer | ms each |")
    print("|---|" + "---|" * (len(scales) + 2))
    for name, make in CHECKERS.items():
        if options.only not in name:
            continue
        try:
            checker = make()
        except ImportError as error:
            print(f"| {name} | not installed ({error.name}) |" + " |" * len(scales))
            continue
        checker(every[0], 1.0)
        rows = [measured(checker, every, scale) for scale in scales]
        cells = [
            f"{_percent(row.missed, len(wrong) - subtle)} / {_percent(row.missed_subtle, subtle)} / "
            f"{_percent(row.alarms, len(every) - len(wrong))}"
            for row in rows
        ]
        each = 1000.0 * sum(row.seconds for row in rows) / (len(rows) * len(every))
        most = max((row.unanswered for row in rows), key=len)
        print(f"| {name} | " + " | ".join(cells) + f" | {len(most)} | {each:.1f} |", flush=True)
        if options.names:
            for scale, row in zip(scales, rows, strict=True):
                print(
                    f"  c = {scale:g}: missed {row.missed + row.missed_subtle}, refused {row.alarms}, no answer {row.unanswered}"
                )


def _percent(some: list[str], total: int) -> str:
    """Whole percent, but 0 only where there is none."""
    share = 100.0 * len(some) / total
    return "0" if not some else f"{max(1.0, share):.0f}"


if __name__ == "__main__":
    main()
