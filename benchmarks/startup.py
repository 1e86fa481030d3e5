"""Start-up and whole-process time, as ratios to importing NumPy and opt_einsum, side by side in one run.

    python benchmarks/startup.py [ROUNDS]

Prints, for each command, its median time and the ratio to `python -c "import numpy, opt_einsum"`. The commands
take turns, so that a busy machine slows them all alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BASE = "import numpy, opt_einsum"
# The chains that people recognise, each with its claims.
SMALL = (
    "quadratic_form",
    "least_squares",
    "matrix_factorisation",
    "rnn_cell",
    "softmax_regression",
    "rank4_question",
    "attention",
    "logistic_regression",
    "mlp",
    "gaussian_kernel",
)
COMMANDS = {
    BASE: [PYTHON, "-c", BASE],
    "tensorgrad --help": [PYTHON, "-m", "tensorgrad_cli", "--help"],
    **{
        f"tensorgrad {command} specs/{name}.yaml": [
            PYTHON,
            "-m",
            "tensorgrad_cli",
            command,
            f"specs/{name}.yaml",
        ]
        for command, name in (("show", "rank4_question"), *(("check", name) for name in SMALL))
    },
}


def main() -> None:
    """Time every command in turn and print the medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
            times[name].append(time.perf_counter() - started)
    base = statistics.median(times[BASE])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{1000 * median:7.0f} ms   {median / base:5.2f}   {name}")


if __name__ == "__main__":
    main()
