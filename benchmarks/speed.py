"""Time and memory of a gradient check, whole process and warm, side by side with the other checkers.

    python benchmarks/speed.py [--rounds 5] [--cases a,b,c] [--only NAME]

(a) the seed chain at m=8, k=16, n=8; (b) a three-layer tanh network with softmax cross-entropy, batch 32,
64-64-64-10; (c) the same, batch 64, 784-256-128-10. The commands take turns, so that a busy machine slows them
all alike; times are CPU seconds of one thread (user and system), medians over the rounds. `ratio` is to
`python -c "import numpy, opt_einsum"`. A checker that is not installed is left out. tensorgrad's whole process
reads the spec and checks every step's derivatives too; warm, both the whole spec and its gradients alone are
timed. The others check the gradient of the loss.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BASE = "import numpy, opt_einsum"
SIZES = {"a": (8, 16, 8), "b": (32, 64, 64, 64, 10), "c": (64, 784, 256, 128, 10)}
SEED_CHAIN = """
title: The seed chain
dims: {{m: {0}, k: {1}, n: {2}}}
functions: [f, C]
tensors:
  x: [m, k]
  w: [k, n]
  b: [n]
  y: {{shape: [m, n], constant: true}}
chain:
  - z = x w + b
  - a = f(z)
  - cost = sum(C(a, y))
wrt: [w, b]
data: data.npz
"""
NETWORK = """
title: A three-layer tanh network with softmax cross-entropy
dims: {{batch: {0}, d: {1}, p: {2}, q: {3}, c: {4}}}
tensors:
  x: {{shape: [batch, d], constant: true}}
  t: {{shape: [batch, c], constant: true, values: onehot}}
  w1: [d, p]
  b1: [p]
  w2: [p, q]
  b2: [q]
  w3: [q, c]
  b3: [c]
chain:
  - h[i,j] = tanh(x[i,k] w1[k,j] + b1[j])
  - g[i,j] = tanh(h[i,k] w2[k,j] + b2[j])
  - z[i,j] = g[i,k] w3[k,j] + b3[j]
  - cost = -sum[i,j](t[i,j] log_softmax[j](z[i,j])) / batch
wrt: [w1, b1, w2, b2, w3, b3]
data: data.npz
"""
OURS = ("tensorgrad, auto", "tensorgrad, full")
PEERS = {
    "torch gradcheck, fast": "torch",
    "torch gradcheck, slow": "torch",
    "jax check_grads": "jax",
    "autograd check_grads": "autograd",
}
# Every entry of (c), one after the other, is a matter of many minutes.
TOO_LONG = {("c", "torch gradcheck, slow"), ("c", "tensorgrad, full")}


def write(case: str, folder: Path) -> None:
    """The spec of a case and its data."""
    rng = np.random.default_rng(0)
    sizes = SIZES[case]
    arrays: dict[str, Any]
    if case == "a":
        m, k, n = sizes
        shapes: dict[str, tuple[int, ...]] = {"x": (m, k), "w": (k, n), "b": (n,), "y": (m, n)}
        arrays = {name: rng.standard_normal(shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}
        text = SEED_CHAIN
    else:
        batch, *widths = sizes
        arrays = {
            "x": rng.standard_normal((batch, widths[0])),
            "t": np.eye(widths[-1])[rng.integers(0, widths[-1], batch)],
        }
        for layer, (before, after) in enumerate(pairwise(widths), 1):
            arrays[f"w{layer}"] = rng.standard_normal((before, after)) / np.sqrt(before)
            arrays[f"b{layer}"] = rng.standard_normal(after)
        text = NETWORK
    (folder / "spec.yaml").write_text(text.format(*sizes), encoding="utf-8")
    np.savez(folder / "data.npz", **arrays)


# --- what a child process runs --------------------------------------------------------------------


def loss_of(
    xp: Any, log_softmax: Callable[[Any], Any], data: dict[str, Any]
) -> tuple[Callable[..., Any], list[str]]:
    """The loss as a function of its parameters, in the array library `xp`, and their names."""
    if "y" in data:

        def seed(w: Any, b: Any) -> Any:
            return ((xp.tanh(data["x"] @ w + b) - data["y"]) ** 2).sum() / 2

        return seed, ["w", "b"]

    def network(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
        h = xp.tanh(data["x"] @ w1 + b1)
        g = xp.tanh(h @ w2 + b2)
        return -(data["t"] * log_softmax(g @ w3 + b3)).sum() / len(data["x"])

    return network, ["w1", "b1", "w2", "b2", "w3", "b3"]


def check_of(name: str, folder: Path) -> Callable[[], bool]:
    """One gradient check of a peer, ready to run."""
    arrays = dict(np.load(folder / "data.npz"))
    if name.startswith("torch"):
        import torch

        torch.set_num_threads(1)
        data = {key: torch.from_numpy(a) for key, a in arrays.items()}
        loss, names = loss_of(torch, lambda z: torch.log_softmax(z, 1), data)
        tensors = [data[key].requires_grad_() for key in names]
        return lambda: bool(torch.autograd.gradcheck(loss, tensors, fast_mode=name.endswith("fast")))
    if name.startswith("jax"):
        import jax
        from jax.test_util import check_grads as jax_check

        jax.config.update("jax_enable_x64", True)
        data = {key: jax.numpy.asarray(a) for key, a in arrays.items()}
        loss, names = loss_of(jax.numpy, lambda z: jax.nn.log_softmax(z, axis=1), data)
        return lambda: jax_check(loss, [data[key] for key in names], order=1, modes=["rev"]) is None
    import autograd.numpy as anp
    from autograd.test_util import check_grads

    def log_softmax(z: Any) -> Any:
        top = anp.max(z, axis=1, keepdims=True)
        return z - top - anp.log(anp.sum(anp.exp(z - top), axis=1, keepdims=True))

    class Namespace:
        tanh = staticmethod(anp.tanh)

    loss, names = loss_of(Namespace, log_softmax, arrays)
    return lambda: check_grads(loss)(*[arrays[key] for key in names]) is None


def ours(name: str, folder: Path) -> dict[str, Callable[[], bool]]:
    """A check of ours, whole and gradients alone, ready to run on a spec that was read."""
    from msgspec.structs import replace

    from tensorgrad_cli.spec.read import read_path
    from tensorgrad_cli.verify.chain_formulas import chain_checks
    from tensorgrad_cli.verify.run import check_spec
    from tensorgrad_cli.verify.workbench import Workbench

    spec, issues = read_path(str(folder / "spec.yaml"))
    assert spec is not None, issues
    if name.endswith("full"):
        spec = replace(spec, check=replace(spec.check, mode="full"))
    ready = spec

    derived = Workbench(ready, 0)
    asked = [check.derivative for check in chain_checks(derived) if check.kind == "gradient"]
    derived.calculus.extend((), asked)
    seeds = count()

    def gradients() -> bool:
        bench = Workbench(ready, next(seeds))
        bench.calculus = derived.calculus  # the formulas are worked out once
        with np.errstate(all="ignore"):
            found = [bench.certificate(derivative.name) for derivative in asked]
        return all(f is not None and f.comparison.verdict == "equal" for f in found)

    whole = {} if name.endswith("full") else {"": lambda: check_spec(ready).verdict == "pass"}
    return {**whole, " (gradients alone)": gradients}


def child(name: str, folder: Path, repeats: int) -> None:
    """Run a checker, the first time unmeasured; print `what seconds` for each thing it can do."""
    runs = ours(name, folder) if name in OURS else {"": check_of(name, folder)}
    for what, run in runs.items():
        assert run()
        taken = []
        for _ in range(repeats):
            started = time.process_time()
            assert run()
            taken.append(time.process_time() - started)
        if taken:
            print(f"{statistics.median(taken)}\t{name}{what}")


# --- the parent -----------------------------------------------------------------------------------


def measured(command: list[str]) -> tuple[float, float, str]:
    """CPU seconds, megabytes at most, and the output of a command."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0, said


def rows(case: str, folder: Path, rounds: int, only: str) -> None:
    """Measure one case and print its table."""
    this, spec = str(Path(__file__)), str(folder / "spec.yaml")
    installed = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    names = [n for n in (*OURS, *installed) if (case, n) not in TOO_LONG and only in n]
    commands = {BASE: [sys.executable, "-c", BASE]}
    for name in names:
        if name == OURS[0]:
            commands[name] = [sys.executable, "-m", "tensorgrad_cli", "check", spec]
        else:
            commands[name] = [
                sys.executable,
                this,
                "--child",
                name,
                "--folder",
                str(folder),
                "--repeats",
                "0",
            ]
    for command in commands.values():
        measured(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, float] = {}
    for _ in range(rounds):
        for name, command in commands.items():
            seconds, megabytes, _ = measured(command)
            times[name].append(seconds)
            memory[name] = max(memory.get(name, 0.0), megabytes)
    base = statistics.median(times[BASE])
    print(
        f"\n({case})  {'×'.join(map(str, SIZES[case]))}\n\n| whole process | s | ratio | MB |\n|---|---|---|---|"
    )
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"| {name} | {median:.2f} | {median / base:.1f} | {memory[name]:.0f} |")
    print("\n| warm | ms |\n|---|---|", flush=True)
    warm: dict[str, list[float]] = {}
    for _ in range(max(1, rounds // 2)):
        for name in names:
            repeats = "1" if "slow" in name or "full" in name else "5"
            _, _, said = measured(
                [sys.executable, this, "--child", name, "--folder", str(folder), "--repeats", repeats]
            )
            for line in said.splitlines():
                seconds, _, what = line.partition("\t")
                if what:
                    warm.setdefault(what, []).append(float(seconds))
    for what, taken in warm.items():
        print(f"| {what} | {1000.0 * statistics.median(taken):.1f} |", flush=True)
    missing = sorted(set(PEERS.values()) - {PEERS[name] for name in installed})
    if missing:
        print(f"\nnot installed: {', '.join(missing)} (pip install -e '.[peers]')")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="a,b,c")
    parser.add_argument("--only", default="", help="checkers whose name contains this")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder, options.repeats)
        return
    for case in options.cases.split(","):
        with tempfile.TemporaryDirectory() as folder:
            write(case, Path(folder))
            rows(case, Path(folder), options.rounds, options.only)


if __name__ == "__main__":
    main()
