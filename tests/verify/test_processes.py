"""Checks side by side: the same results, whoever works on them and however it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.claims import judge_claim
from tensorgrad_cli.verify.processes import Channel, Task, cores, partner, side_by_side
from tensorgrad_cli.verify.read_claims import attempt_claim
from tensorgrad_cli.verify.reports import seed_of
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Proof, SpecReport
from tensorgrad_cli.verify.workbench import Workbench

SPECS = Path(__file__).resolve().parents[2] / "specs"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def _proof(number: int) -> Proof:
    return Proof("exact", float(number))


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=4), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_results_come_back_in_order(longs: list[list[bool]], processes: int) -> None:
    numbers = iter(range(100))
    queues = [[Task(partial(_proof, next(numbers)), long) for long in queue] for queue in longs]
    expected = [[task.run() for task in queue] for queue in queues]
    assert side_by_side(queues, Proof, processes) == expected


def test_each_task_is_done_once() -> None:
    reader, writer = os.pipe()

    def task(number: int) -> Proof:
        os.write(writer, bytes([number]))
        return _proof(number)

    side_by_side([[Task(partial(task, k)) for k in range(40)], [Task(partial(task, 40))]], Proof, 3)
    assert sorted(os.read(reader, 1000)) == list(range(41))
    os.close(reader)
    os.close(writer)


def _elsewhere(here: int, act: Callable[[], object], number: int) -> Proof:
    if os.getpid() != here:
        act()
    return _proof(number)


@pytest.mark.parametrize(
    "act",
    [
        lambda: os._exit(0),
        lambda: os._exit(3),
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: 1 // 0,
    ],
)
def test_what_a_process_loses_is_done_here(act: Callable[[], object]) -> None:
    here = os.getpid()
    queues = [[Task(partial(_elsewhere, here, act, k)) for k in range(6)] for _ in range(2)]
    assert side_by_side(queues, Proof, 3) == [[_proof(k) for k in range(6)] for _ in range(2)]


def test_what_raises_raises() -> None:
    def fails() -> Proof:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        side_by_side([[Task(partial(_proof, 1)), Task(fails)]], Proof, 2)


def test_without_a_further_process_everything_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", none_left)
    assert side_by_side([[Task(partial(_proof, k)) for k in range(3)]], Proof, 2) == [
        [_proof(k) for k in range(3)]
    ]


def test_no_process_and_no_pipe_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    forked: list[int] = []
    fork = os.fork

    def recorded() -> int:
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", recorded)

    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is no /proc")
    before = open_files()
    side_by_side([[Task(partial(_proof, k)) for k in range(5)]], Proof, 3)
    assert open_files() == before
    assert len(forked) == 2
    for number in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(number, os.WNOHANG)


def _echo(channel: Channel) -> None:
    while True:
        value = channel.take()
        channel.send(value if value is not None else os.getpid())


def test_values_go_to_a_partner_and_back() -> None:
    other = partner(_echo)
    assert other is not None
    other.channel.send(None)
    assert other.channel.take() == other.pid != os.getpid()
    for value in ("x" * 1_000_000, {"a": (1, 2.5)}, b""):
        other.channel.send(value)
        assert other.channel.take() == value
    other.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(other.pid, os.WNOHANG)


@pytest.mark.parametrize("act", [lambda: os._exit(0), lambda: os._exit(3), lambda: 1 // 0])
def test_a_partner_that_fails_sends_no_more(act: Callable[[], object]) -> None:
    def work(channel: Channel) -> None:
        channel.send(1)
        act()

    other = partner(work)
    assert other is not None
    assert other.channel.take() == 1
    with pytest.raises(EOFError):
        other.channel.take()
    other.close()


def test_a_partner_is_ended_whatever_it_does() -> None:
    for work in (lambda _: time.sleep(60), lambda channel: channel.send("x" * 10_000_000), _echo):
        other = partner(work)
        assert other is not None
        started = time.monotonic()
        other.close()
        assert time.monotonic() - started < 20


def test_a_partner_ends_with_its_channel() -> None:
    other = partner(_echo)
    assert other is not None
    other.channel.close()
    assert os.waitpid(other.pid, 0)[1] == 0


def test_there_is_a_core() -> None:
    assert cores() >= 1


def _timeless(report: SpecReport) -> SpecReport:
    checks = tuple(replace(check, seconds=0.0) for check in report.checks)
    return replace(report, seconds=0.0, checks=checks)


@pytest.mark.parametrize("name", ["rank4_question", "logistic_regression", "derivation_slips"])
def test_a_report_does_not_tell_how_many_worked_on_it(name: str) -> None:
    spec, issues = read_path(str(SPECS / f"{name}.yaml"))
    assert spec is not None and not issues
    alone = _timeless(check_spec(spec, processes=1))
    assert _timeless(check_spec(spec, processes=3)) == alone


def test_a_claim_is_decided_the_same_whatever_was_decided_before() -> None:
    spec, _ = read_path(str(SPECS / "flash_attention.yaml"))
    assert spec is not None
    chosen = (2, 3, 5)
    found = set()
    for order in permutations(chosen):
        bench = Workbench(spec, seed_of(spec, None))
        read = [attempt_claim(bench, claim, f"c{k}.") for k, claim in enumerate(spec.claims, 1)]
        proofs = {}
        for k in order:
            answer = judge_claim(bench, spec.claims[k].source, read[k]).answer
            proofs[k] = answer.proof if answer is not None else None
        found.add(tuple(proofs[k] for k in chosen))
    assert len(found) == 1
