"""A spec checked by another process: the same report, and the check goes on here where that process fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read_path, read_source, source_at
from tensorgrad_cli.verify.checking_apart import Checker, checker
from tensorgrad_cli.verify.prepare import outcome_of
from tensorgrad_cli.verify.prepared import Options
from tensorgrad_cli.verify.processes import cores
from tensorgrad_cli.verify.run import check_spec, checked
from tensorgrad_cli.verify.verdict import SpecReport

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"

pytestmark = pytest.mark.skipif(
    cores() == 1 or not hasattr(os, "fork") or sys.platform == "darwin", reason="there is no other process"
)


def timeless(report: SpecReport | None) -> SpecReport:
    assert report is not None
    return replace(report, seconds=0.0, checks=tuple(replace(c, seconds=0.0) for c in report.checks))


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def apart() -> Iterator[Checker]:
    other = checker()
    assert other is not None
    yield other
    other.close()


def test_reports_are_the_same_wherever_they_are_made(apart: Checker) -> None:
    # The last one names arrays: it is read by the other process.
    for name in ("rank4_question", "logistic_regression", "derivation_slips", "round_trip"):
        path = str(SPECS / f"{name}.yaml")
        found = apart.check(partial(read_source, source_at(path)), Options(), silent)
        assert found is not None and not found.issues
        spec, _ = read_path(path)
        assert spec is not None
        assert timeless(found.report) == timeless(check_spec(spec)), name


def test_options_reach_the_other_process(apart: Checker) -> None:
    read = partial(read_source, source_at(str(SPECS / "quadratic_form.yaml")))
    options = Options(claims=("1 = 2",), seed=7, processes=1)
    found, here = (
        apart.check(read, options, silent),
        checked(outcome_of(read, options.claims), options, silent),
    )
    assert found is not None and timeless(found.report) == timeless(here.report)
    assert found.report is not None and found.report.checks[-1].verdict == "refuted"


@pytest.mark.parametrize(
    "text",
    [
        "tensors: {x: [n]}\nchain: [y = q]\n",
        "tensors: {x: [n]}\nchain: ['y[i] = x[i]']\ndata: {x: missing.npy}\n",
    ],
)
def test_what_is_wrong_with_a_spec_comes_back(apart: Checker, text: str) -> None:
    read = partial(read_source, Source("spec.yaml", text))
    found, here = apart.check(read, Options(), silent), checked(outcome_of(read), Options(), silent)
    assert found is not None and found.report is None
    assert (
        [i.rendered("spec.yaml") for i in found.issues]
        == [i.rendered("spec.yaml") for i in here.issues]
        != []
    )


def test_the_other_process_tells_what_it_checks(apart: Checker) -> None:
    said: list[str] = []
    found = apart.check(
        partial(read_source, source_at(str(SPECS / "mlp.yaml"))), Options(processes=1), said.append
    )
    assert found is not None and found.report is not None
    assert said == [check.id for check in found.report.checks]


def test_nothing_comes_of_a_process_that_is_gone(apart: Checker) -> None:
    assert apart._other is not None
    os.kill(apart._other.pid, signal.SIGKILL)
    read = partial(read_source, source_at(str(SPECS / "quadratic_form.yaml")))
    assert apart.check(read, Options(), silent) is None
    assert apart.check(read, Options(), silent) is None


def _crashing(*, load_data: bool = True) -> tuple[None, tuple[()]]:
    if load_data:
        raise ValueError("in the other process")
    return None, ()


def test_what_crashes_there_is_done_here(apart: Checker) -> None:
    assert apart.check(_crashing, Options(), silent) is None
    assert apart._other is None


def children(of: int) -> set[int]:
    """The processes that a process has forked, and those that they have."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            parents[int(name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {of, *found}} - found:
        found |= more
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")
def test_no_process_outlives_the_one_that_was_called() -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "tensorgrad_cli", "check", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    until = time.monotonic() + 20
    while not (others := children(waiting.pid)) and time.monotonic() < until:
        time.sleep(0.05)
    assert others
    waiting.kill()
    waiting.wait()
    while any(os.path.exists(f"/proc/{pid}") for pid in others) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in others if os.path.exists(f"/proc/{pid}")]
