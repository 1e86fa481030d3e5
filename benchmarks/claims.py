"""The time of claims: a hundred on a three-layer network, and those of the specs.

    python benchmarks/claims.py [ROUNDS]

Prints the time of a hundred hand-written gradients of a three-layer tanh network, checked in process and as a
whole process, beside the time of a plain central-difference loop in NumPy over the same hundred gradients at the
same sizes; then the same hundred with a planted factor, which are diagnosed; then the median time of a claim
over `specs/` and the share of the true ones that is proved. The specs are checked twice, the second time counts:
the first one fills the caches that a session of many claims has filled.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import SpecReport

Array = NDArray[Any]
Values = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
COUNT = 100
GOAL_SECONDS = 3.0
GOAL_MILLISECONDS = 10.0
GOAL_SHARE = 0.95

NETWORK = """\
title: A hundred claims on a three-layer network
tensors:
  x: {shape: [m, a], constant: true}
  t: {shape: [m, d], constant: true}
  W1: [a, b]
  b1: [b]
  W2: [b, c]
  b2: [c]
  W3: [c, d]
  b3: [d]
chain:
  - z1 = x W1 + b1
  - h1 = tanh(z1)
  - z2 = h1 W2 + b2
  - h2 = tanh(z2)
  - y = h2 W3 + b3
  - cost = sum[i,j] (y[i,j] - t[i,j])^2 / (2 m)
wrt: [W1, b1, W2, b2, W3, b3]
claims:
"""

# How people write the error of the output and the derivative of tanh.
ERRORS = ("((y - t) / m)", "(1/m (y - t))", "(y / m - t / m)")
SLOPES = ("(1 - {h} ⊙ {h})", "tanh'({z})", "(1 - tanh({z})**2)")


def gradients() -> Iterator[tuple[str, str]]:
    """A name and a formula of its gradient, each a different one: three layers, three ways to write each part."""
    for error in ERRORS:
        yield "y", error
        yield "h2", f"{error} W3ᵀ"
        yield "W3", f"h2ᵀ {error}"
        yield "b3", f"sum({error}, axis=0)"
    for error, second in product(ERRORS, SLOPES):
        outer = f"(({error} W3ᵀ) ⊙ {second.format(h='h2', z='z2')})"
        yield "z2", outer
        yield "W2", f"h1ᵀ {outer}"
        yield "b2", f"sum({outer}, axis=0)"
        yield "h1", f"{outer} W2ᵀ"
    for error, second, first in product(ERRORS, SLOPES, SLOPES):
        outer = f"(({error} W3ᵀ) ⊙ {second.format(h='h2', z='z2')})"
        inner = f"(({outer} W2ᵀ) ⊙ {first.format(h='h1', z='z1')})"
        yield "z1", inner
        yield "W1", f"xᵀ {inner}"
        yield "b1", f"sum({inner}, axis=0)"


def claims(factor: str = "") -> list[str]:
    return [f"∂cost/∂{name} = {factor}{formula}" for name, formula in islice(gradients(), COUNT)]


def spec_text(factor: str = "") -> str:
    return NETWORK + "".join(f'  - "{claim}"\n' for claim in claims(factor))


# --- ours ---------------------------------------------------------------------------------------------------


def in_process(text: str, seed: int) -> tuple[float, SpecReport]:
    """Seconds, and the report."""
    started = time.perf_counter()
    spec, issues = read(Source("network.yaml", text))
    assert spec is not None, issues
    report = check_spec(spec, seed)
    return time.perf_counter() - started, report


def whole_process(text: str) -> tuple[float, float]:
    """Seconds by the clock, and of the processor: on a busy machine only the second says something of us."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.yaml"
        path.write_text(text, encoding="utf-8")
        started, before = time.perf_counter(), os.times()
        subprocess.run(
            [sys.executable, "-m", "tensorgrad_cli", "check", "-q", str(path)],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - started, used


# --- a central-difference loop, as people write it ------------------------------------------------------------


def forward(values: Mapping[str, Any], given: str) -> float:
    """The cost with everything after `given` computed again."""
    v = dict(values)
    steps: tuple[tuple[str, Callable[[], Array]], ...] = (
        ("z1", lambda: v["x"] @ v["W1"] + v["b1"]),
        ("h1", lambda: np.tanh(v["z1"])),
        ("z2", lambda: v["h1"] @ v["W2"] + v["b2"]),
        ("h2", lambda: np.tanh(v["z2"])),
        ("y", lambda: v["h2"] @ v["W3"] + v["b3"]),
    )
    for name, step in steps:
        if name != given:
            v[name] = step()
    return float(np.sum((v["y"] - v["t"]) ** 2) / (2 * len(v["t"])))


def central(values: Values, name: str) -> Array:
    step = 1e-5
    gradient: Array = np.zeros_like(values[name])
    for at in np.ndindex(gradient.shape):
        ends = []
        for sign in (1, -1):
            moved = values[name].copy()
            moved[at] += sign * step
            ends.append(forward({**values, name: moved}, name))
        gradient[at] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def by_hand(v: Values) -> Values:
    """The gradients by the formulas."""
    y = (v["y"] - v["t"]) / len(v["t"])
    h2 = y @ v["W3"].T
    z2 = h2 * (1 - v["h2"] ** 2)
    h1 = z2 @ v["W2"].T
    z1 = h1 * (1 - v["h1"] ** 2)
    weights = {"W3": v["h2"].T @ y, "W2": v["h1"].T @ z2, "W1": v["x"].T @ z1}
    return {
        "y": y,
        "h2": h2,
        "z2": z2,
        "h1": h1,
        "z1": z1,
        **weights,
        "b3": y.sum(0),
        "b2": z2.sum(0),
        "b1": z1.sum(0),
    }


def numpy_loop(sizes: Mapping[str, int], seed: int) -> float:
    rng = np.random.default_rng(seed)
    m, a, b, c, d = (sizes[name] for name in "mabcd")
    shapes = {
        "x": (m, a),
        "t": (m, d),
        "W1": (a, b),
        "b1": (b,),
        "W2": (b, c),
        "b2": (c,),
        "W3": (c, d),
        "b3": (d,),
    }
    v: Values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    started = time.perf_counter()
    v["z1"] = v["x"] @ v["W1"] + v["b1"]
    v["h1"] = np.tanh(v["z1"])
    v["z2"] = v["h1"] @ v["W2"] + v["b2"]
    v["h2"] = np.tanh(v["z2"])
    v["y"] = v["h2"] @ v["W3"] + v["b3"]
    for name, _ in islice(gradients(), COUNT):
        np.testing.assert_allclose(by_hand(v)[name], central(v, name), rtol=1e-4, atol=1e-6)
    return time.perf_counter() - started


# --- the specs ----------------------------------------------------------------------------------------------


def over_specs(seed: int) -> tuple[list[float], int, int]:
    """Milliseconds of each claim and line; how many are true, and how many of those proved."""
    times: list[float] = []
    true = proved = 0
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        spec, _ = read_path(str(path))
        if spec is None:
            continue
        for check in check_spec(spec, seed).checks:
            if check.kind not in ("claim", "derivation"):
                continue
            times.append(check.seconds * 1e3)
            if check.expect == "holds":
                true += 1
                proved += check.verdict == "proved"
    return times, true, proved


def met(good: bool) -> str:
    return "met" if good else "not met"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    text, wrong = spec_text(), spec_text("2 ")
    first, report = in_process(text, 1)
    again = [in_process(text, 2 + k)[0] for k in range(rounds)]
    whole = [whole_process(text) for _ in range(rounds)]
    loop = [numpy_loop(report.dims, k) for k in range(rounds)]
    mutants, mutant_report = in_process(wrong, 1)
    verdicts = [check.verdict for check in report.checks if check.kind == "claim"]
    refuted = [
        check for check in mutant_report.checks if check.kind == "claim" and check.verdict == "refuted"
    ]
    named = sum(check.diagnosis is not None and check.diagnosis.kind == "factor" for check in refuted)
    sizes = "  ".join(f"{name} = {size}" for name, size in report.dims.items())
    median, used = (statistics.median(column) for column in zip(*whole, strict=True))
    print(f"{COUNT} claims on a three-layer network   {sizes}")
    print(
        f"  ours, whole process        {median:6.2f} s   goal {GOAL_SECONDS} s {met(median < GOAL_SECONDS)}"
    )
    print(f"  …, of the processor        {used:6.2f} s")
    print(f"  ours, in process           {first:6.2f} s   {verdicts.count('proved')} of {COUNT} proved")
    print(f"  ours, in process again     {statistics.median(again):6.2f} s")
    print(
        f"  central differences, NumPy {statistics.median(loop):6.2f} s   the same gradients, nothing proved"
    )
    print(
        f"  ours, all off by a factor 2{mutants:6.2f} s   {len(refuted)} refuted, {named} named as a factor"
    )
    over_specs(1)
    times, true, proved = over_specs(2)
    middle, share = statistics.median(times), proved / true
    print(f"specs/: {len(times)} claims and lines of derivations, {true} of them true")
    print(
        f"  median of a claim {middle:.1f} ms   goal {GOAL_MILLISECONDS:.0f} ms {met(middle < GOAL_MILLISECONDS)}"
    )
    print(
        f"  proved {proved} of {true}, {100 * share:.1f} %   goal {100 * GOAL_SHARE:.0f} % {met(share >= GOAL_SHARE)}"
    )


if __name__ == "__main__":
    main()
