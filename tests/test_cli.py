"""The commands: what goes where, and with which exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tensorgrad_cli import cli as commands
from tensorgrad_cli.cli import cli
from tensorgrad_cli.terminal import roomy, single_threaded
from tensorgrad_cli.verify import run as running
from tensorgrad_cli.verify.processes import cores

ROOT = Path(__file__).parent.parent
GOOD = """\
title: a line
dims: {n: 3}
tensors: {w: [n], x: [n]}
chain: [cost = wᵀ x]
claims:
  - ∂cost/∂w = x
"""
FAILING = GOOD + "  - ∂cost/∂w = w\n"
BAD = GOOD.replace("chain", "chian")
NOTHING = "tensors: {x: [n]}\nchain: [y = 1]\n"


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"good": GOOD, "failing": FAILING, "bad": BAD, "nothing": NOTHING}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for variable in ("NO_COLOR", "FORCE_COLOR", "TENSORGRAD_TRACEBACK"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def call(*arguments: str, input: str | bytes | None = None) -> Result:
    """A command in this process; the status that it returns is that of the process."""
    result = CliRunner().invoke(cli, list(arguments), input=input, standalone_mode=False)
    if result.exception is not None and hasattr(result.exception, "exit_code"):
        result.stderr_bytes += str(result.exception.format_message()).encode()
        result.return_value = commands.ExitStatus.ERROR
    elif result.exception is not None:
        raise result.exception
    return result


def status(*arguments: str, input: str | bytes | None = None) -> int:
    return int(call(*arguments, input=input).return_value or 0)


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "tensorgrad_cli", *arguments], capture_output=True, env=environment, **options
    )


# --- exit statuses


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check", "good.yaml"), 0),
        (("check", "failing.yaml"), 1),
        (("check", "bad.yaml"), 2),
        (("check", "missing.yaml"), 2),
        (("check", "nothing.yaml"), 2),
        (("check", "good.yaml", "failing.yaml"), 1),
        (("check", "bad.yaml", "failing.yaml", "good.yaml"), 2),
        (("check", "good.yaml", "nothing.yaml"), 2),
        (("check",), 2),
        (("check", "-", "-"), 2),
        (("check", "good.yaml", "--seed", "-1"), 2),
        (("check", "good.yaml", "--fromat", "json"), 2),
        (("chekc", "good.yaml"), 2),
        (("show", "good.yaml"), 0),
        (("show", "bad.yaml", "good.yaml"), 2),
        (("show", "missing.yaml"), 2),
        (("explain", "good.yaml", "claim:1"), 0),
        (("explain", "good.yaml", "claim:9"), 2),
        (("explain", "good.yaml"), 2),
        (("explain", "bad.yaml", "claim:1"), 2),
        (("explain", "shape-mismatch"), 0),
        (("explain", "shape-mismtach"), 2),
        ((), 0),
        (("--help",), 0),
        (("--version",), 0),
    ],
)
def test_exit_status(specs: Path, arguments: tuple[str, ...], expected: int) -> None:
    assert status(*arguments) == expected


def test_an_empty_folder_is_nothing_to_check(specs: Path) -> None:
    (specs / "empty").mkdir()
    result = call("check", "empty")
    assert result.return_value == 2
    assert "no .yaml or .yml file in this folder" in result.stderr


def test_one_bad_spec_does_not_stop_the_others(specs: Path) -> None:
    result = call("check", ".", "--format", "json")
    report = json.loads(result.stdout)
    assert result.return_value == 2
    assert {spec["path"]: spec["verdict"] for spec in report["specs"]} == {
        "bad.yaml": "error",
        "failing.yaml": "fail",
        "good.yaml": "pass",
        "nothing.yaml": "fail",
    }
    # What is misspelt is read as what was meant, so there is one error.
    assert [(e["path"], e["code"]) for e in report["errors"]] == [("bad.yaml", "unknown-key")]


def test_a_crash_of_a_whole_spec_is_said_and_the_others_go_on(
    specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (specs / "other.yaml").write_text(GOOD, encoding="utf-8")
    true_check = running.check_prepared

    def check(ready: Any, *arguments: Any, **options: Any) -> Any:
        if ready.ground.spec.path == "good.yaml":
            raise ZeroDivisionError("while drawing points")
        return true_check(ready, *arguments, **options)

    monkeypatch.setattr(running, "check_prepared", check)
    result = call("check", "good.yaml", "other.yaml", "failing.yaml", "--format", "json")
    report = json.loads(result.stdout)
    assert result.return_value == 3
    assert [spec["verdict"] for spec in report["specs"]] == ["error", "pass", "fail"]
    (error,) = report["errors"]
    assert error["code"] == "internal" and "ZeroDivisionError: while drawing points" in error["message"]


def test_a_crash_of_one_check_leaves_the_others(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(running, "judge_claim", crash)
    result = call("check", "good.yaml", "--format", "json")
    checks = {check["id"]: check for check in json.loads(result.stdout)["specs"][0]["checks"]}
    assert result.return_value == 3
    assert (checks["claim:1"]["verdict"], checks["claim:1"]["reason"]) == ("inconclusive", "internal")
    assert checks["gradient:w"]["verdict"] == "verified"


def test_too_little_memory_is_no_bug_of_ours(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: Any, **__: Any) -> Any:
        raise MemoryError("8 GB")

    monkeypatch.setattr(running, "check_prepared", check)
    result = call("check", "good.yaml")
    assert result.return_value == 2
    assert "error[too-large]" in result.stdout


def test_blas_has_one_thread_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    single_threaded()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    single_threaded()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


def test_an_interrupt_is_130(specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "check_prepared", interrupted)
    monkeypatch.setattr(sys, "argv", ["tensorgrad", "check", "good.yaml"])
    assert commands.run() == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_from_outside_is_130_and_quiet(specs: Path) -> None:
    running_ = subprocess.Popen(
        [sys.executable, "-m", "tensorgrad_cli", "check", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell ignores it for what runs in the background, the suite too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(3)  # until it reads; a busy machine takes long to begin
    running_.send_signal(signal.SIGINT)
    out, err = running_.communicate(timeout=20)
    assert running_.returncode == 130
    assert out == b"" and err == b"interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_closed_pipe_is_no_error(specs: Path) -> None:
    script = f"{sys.executable} -m tensorgrad_cli check failing.yaml; echo $? >status"
    script = f"({script}) | true; sleep 0.1; cat status"
    done = subprocess.run(["bash", "-c", script], capture_output=True)
    assert done.stderr == b""
    assert done.stdout == b"1\n"


@pytest.mark.skipif(os.name == "nt", reason="shell")
@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("check failing.yaml >&-", 1, ""),
        ("check failing.yaml 2>&-", 1, "2 as expected, 1"),
        ("check - <&-", 2, "empty-spec"),
        # A pipe is read once: what it holds is gone then.
        ("check <(cat bad.yaml)", 2, "unknown-key"),
        ("check <(cat nothing_there.yaml 2>/dev/null; cat good.yaml)", 0, "proved"),
        ("check <(cat good.yaml; echo 'data: nowhere.npz')", 2, "data-missing"),
        ("ulimit -n 6; check failing.yaml", 1, "refuted"),
    ],
)
def test_odd_streams(specs: Path, line: str, status: int, said: str) -> None:
    script = f'check() {{ {sys.executable} -m tensorgrad_cli check "$@"; }}; {line}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr.decode()
    assert done.stderr == b""
    assert said.split(" as expected")[0] in done.stdout.decode()


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ends_of_processes_may_be_nobodys_business(specs: Path) -> None:
    ignoring = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # noqa: E731
    done = process("check", str(ROOT / "specs" / "mlp.yaml"), "-q", preexec_fn=ignoring)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_users_code_runs_once_in_the_process_that_was_called(specs: Path) -> None:
    code = "import os\n\n\ndef grad(x):\n    print('called by', os.getppid(), flush=True)\n    raise SystemExit(7)\n"
    (specs / "mine.py").write_text(code, encoding="utf-8")
    (specs / "mine.yaml").write_text(
        f"{GOOD}implementations: [{{of: ∂cost/∂w, call: 'mine:grad'}}]\n", encoding="utf-8"
    )
    done = process("check", "mine.yaml", "--allow-python")
    said, *report = done.stdout.decode().splitlines()
    assert said == f"called by {os.getpid()}"
    # That it would end the process is a failure of its own.
    assert any("mine:grad failed: SystemExit: 7" in line for line in report) and done.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="bytes in arguments")
def test_what_is_no_utf_8_on_the_command_line_is_no_crash(specs: Path) -> None:
    done = process("check", "good.yaml", "--format", "json", "--claim", os.fsdecode(b"\xff"))
    assert done.returncode == 1 and json.loads(done.stdout)["verdict"] == "fail"


# --- reading


def test_standard_input_has_a_name(specs: Path) -> None:
    result = call("check", "-", "--stdin-name", "specs/mine.yaml", input=BAD)
    assert result.return_value == 2
    assert "--> specs/mine.yaml:4:1" in result.stdout
    assert call("check", "-", input=GOOD).return_value == 0


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xff\xfe", "binary-file"),
        (b"chain:\0", "binary-file"),
        (b"", "empty-spec"),
        (b"\xef\xbb\xbf", "empty-spec"),
    ],
)
def test_bytes_that_are_no_spec(specs: Path, raw: bytes, code: str) -> None:
    result = call("check", "-", input=raw)
    assert result.return_value == 2
    assert f"error[{code}]" in result.stdout


def test_claims_of_the_command_line(specs: Path) -> None:
    result = call(
        "check", "good.yaml", "--claim", "∂cost/∂x = w", "--claim", "∂cost/∂x = x", "--format", "json"
    )
    checks = json.loads(result.stdout)["specs"][0]["checks"]
    claims = {check["id"]: (check["verdict"], check["line"]) for check in checks if check["kind"] == "claim"}
    assert claims == {"claim:1": ("proved", 6), "claim:2": ("proved", None), "claim:3": ("refuted", None)}
    assert result.return_value == 1


def test_a_claim_of_the_command_line_that_cannot_be_read(specs: Path) -> None:
    result = call("check", "good.yaml", "--claim", "∂cost/∂x = (w")
    assert result.return_value == 1
    assert "--> --claim:1:12" in result.stdout


def test_layout(specs: Path) -> None:
    (specs / "jacobian.yaml").write_text(
        "tensors: {W: [m, n], x: [n]}\nchain: [y = W x]\nclaims: [∂y/∂x = W]\n", encoding="utf-8"
    )
    assert status("check", "jacobian.yaml") == 0
    assert status("check", "jacobian.yaml", "--layout", "denominator") == 1
    assert "layout" in call("check", "jacobian.yaml", "--layout", "denominator").stdout


def test_the_seed_stands_in_the_report(specs: Path) -> None:
    assert "seed 20240501" in call("check", "good.yaml").stdout
    assert "seed 7" in call("check", "good.yaml", "--seed", "7").stdout
    (specs / "seeded.yaml").write_text(GOOD + "check: {seed: 11}\n", encoding="utf-8")
    assert "seed 11" in call("check", "seeded.yaml").stdout


# --- writing


def test_several_outputs(specs: Path) -> None:
    result = call("check", "good.yaml", "-o", "report.json", "-o", "text:report.out", "-o", "report.txt")
    assert result.return_value == 0
    assert json.loads((specs / "report.json").read_text())["verdict"] == "pass"
    assert (specs / "report.out").read_text(encoding="utf-8") == (specs / "report.txt").read_text(
        encoding="utf-8"
    )
    assert "wrote report.json" in result.stderr and "wrote" not in result.stdout


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("report.xyz", "no format for the suffix .xyz"),
        ("report", "no format for a name without suffix"),
        ("html:report.html", "html is no format; it is one of text, json"),
        ("none/report.json", "there is no folder none"),
        ("json:.", "that is a folder"),
    ],
)
def test_outputs_are_looked_at_before_anything_runs(specs: Path, target: str, said: str) -> None:
    result = call("check", "good.yaml", "-o", target)
    assert result.return_value == 2
    assert said in result.stderr and result.stdout == ""


def test_quiet_and_verbose(specs: Path) -> None:
    assert call("check", "good.yaml", "-qq").stdout == ""
    quiet = call("check", "failing.yaml", "-q").stdout
    assert "claim:2" in quiet and "claim:1" not in quiet
    assert call("check", "good.yaml", "-q").stdout.count("\n") == 1
    plain, verbose = (call("check", "good.yaml", *option).stdout for option in ((), ("-v",)))
    assert "read as" not in plain and "read as  ∂cost/∂w[i] = x[i]" in verbose
    assert " ms\n" in call("check", "good.yaml", "-vv").stdout


def test_a_failure_says_how_to_go_on(specs: Path) -> None:
    assert "tensorgrad explain failing.yaml claim:2" in call("check", "failing.yaml").stdout


@pytest.mark.parametrize(
    ("option", "environment", "coloured"),
    [
        ((), {}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": ""}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1", "TERM": "dumb"}, True),
        (("--colour", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour(
    specs: Path, monkeypatch: pytest.MonkeyPatch, option: Any, environment: Any, coloured: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, ["check", "good.yaml", *option], color=True)
    assert ("\x1b[" in result.stdout) == coloured


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (SimpleNamespace(isatty=lambda: True), {}, True),
        (SimpleNamespace(isatty=lambda: True), {"TERM": "dumb"}, False),
        (SimpleNamespace(isatty=lambda: True), {"NO_COLOR": "1"}, False),
        (SimpleNamespace(isatty=lambda: True), {"NO_COLOR": ""}, True),
        (SimpleNamespace(isatty=lambda: False), {}, False),
    ],
)
def test_a_terminal_is_coloured(
    specs: Path, monkeypatch: pytest.MonkeyPatch, stream: Any, environment: Any, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert commands.coloured("auto", stream) == coloured


# --- show, explain, help


@pytest.mark.parametrize("notation", commands.NOTATIONS)
def test_show(specs: Path, notation: str) -> None:
    text = call("show", "good.yaml", "--as", notation).stdout
    expected = {
        "text": "∂cost/∂w[i] = x[i]",
        "ascii": "dcost/dw[i] = x[i]",
        "latex": r"\frac{\partial",
        "einsum": "i->i",
        "matrix": "∂cost/∂w = x",
    }
    assert expected[notation] in text


def test_explain_knows_what_was_meant(specs: Path) -> None:
    assert "Did you mean claim:1?" in call("explain", "good.yaml", "clam:1").stderr
    assert "Did you mean shape-mismatch?" in call("explain", "shape-mismtach").stderr
    assert "gradient:w" in call("explain", "good.yaml").stderr
    assert "∂cost/∂w = x" in call("explain", "-", "claim:1", input=GOOD).stdout


def test_no_arguments_give_help_with_examples() -> None:
    text = call().stdout
    assert "tensorgrad check specs/" in text and "--claim" in text and len(text.splitlines()) < 30


def test_a_misspelt_command_is_suggested() -> None:
    done = process("chekc")
    assert done.returncode == 2
    assert "Did you mean 'check'?" in done.stderr.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_without_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "tensorgrad_cli", "check", "specs/quadratic_form.yaml"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].startswith("cannot write: ")


# --- start-up


def loaded(arguments: list[str], modules: list[str]) -> list[str]:
    """Which of some modules a command has imported at its end."""
    code = (
        "import sys, atexit\n"
        f"sys.argv = {['tensorgrad', *arguments]!r}\n"
        "from tensorgrad_cli.__main__ import main\n"
        f"said = lambda: print(*[m for m in {modules!r} if m in sys.modules], file=sys.stderr)\n"
        "atexit.register(said)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    return done.stderr.decode().split()


def test_help_imports_neither_numpy_nor_rich() -> None:
    heavy = ["numpy", "rich", "scipy", "opt_einsum", "yaml", "msgspec"]
    assert loaded(["--help"], heavy) == []
    assert loaded(["check", "--help"], heavy) == []


def test_show_imports_no_numbers() -> None:
    assert loaded(["show", "specs/rank4_question.yaml"], ["numpy", "rich", "scipy", "opt_einsum"]) == []


@pytest.mark.skipif(cores() == 1 or not hasattr(os, "fork"), reason="nobody else checks")
def test_a_check_leaves_numbers_to_another_process() -> None:
    assert loaded(["check", "specs/quadratic_form.yaml", "specs/round_trip.yaml", "-q"], ["numpy"]) == []
    assert loaded(["check", "specs/quadratic_form.yaml", "-q", "-j1"], ["numpy"]) == ["numpy"]


def test_the_test_of_imports_can_fail() -> None:
    """The meta-test: what a command does import is seen."""
    assert loaded(["show", "specs/rank4_question.yaml"], ["yaml", "msgspec"]) == ["yaml", "msgspec"]
    assert "numpy" in loaded(["check", "-qq", "-j1", "specs/quadratic_form.yaml"], ["numpy", "rich"])


# --- deep formulas


def nested(left: str, right: str, core: str, depth: int) -> str:
    return left * depth + core + right * depth


DEEP: dict[str, tuple[str, str]] = {
    "parentheses": (nested("(", ")", "x[i]", 199), "x[i]"),
    "functions": (nested("tanh(", ")", "x[i]", 199), ""),
    "sums": (nested("sum[j] (w[j] + ", ")", "x[i]", 40), ""),
    "fractions": (nested("w[i]/(1 + ", ")", "x[i]", 80), ""),
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_formulas_in_a_claim(tmp_path: Path, kind: str) -> None:
    formula, same = DEEP[kind]
    path = tmp_path / "deep.yaml"
    path.write_text(
        "tensors: {x: [n], w: [n]}\nchain: ['y[i] = x[i] w[i]', 'cost = sum(y)']\n"
        f"claims: ['x[i] = {formula}', '{formula} = {formula}']\n",
        encoding="utf-8",
    )
    done = process("check", str(path), "--format", "json")
    checks = {check["id"]: check for check in json.loads(done.stdout)["specs"][0]["checks"]}
    assert checks["claim:2"]["verdict"] == "proved"
    assert (checks["claim:1"]["verdict"] == "proved") == bool(same)
    assert done.returncode == (0 if same else 1)


@pytest.mark.parametrize("depth", [199])
def test_deep_formulas_in_the_chain(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(
        "tensors: {x: [n]}\n"
        f"chain: ['y[i] = {nested('(', ')', 'x[i]', depth)}', 'z[i] = {nested('sin(', ')', 'y[i]', 60)}',"
        " 'cost = sum(z)']\n",
        encoding="utf-8",
    )
    done = process("check", str(path))
    assert done.returncode == 0, done.stdout.decode()


def test_too_deep_is_said(specs: Path) -> None:
    result = call("check", "good.yaml", "--claim", f"x[i] = {nested('(', ')', 'x[i]', 100_000)}")
    assert result.return_value == 1
    assert "error[too-deep]" in result.stdout and len(result.stdout) < 1_000_000


def test_roomy_gives_back_what_is_raised() -> None:
    def fails() -> int:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        roomy(fails)
    deep: Callable[[int], int] = lambda n: 0 if n == 0 else deep(n - 1)  # noqa: E731
    limit = sys.getrecursionlimit()
    try:
        assert roomy(lambda: deep(20_000)) == 0
    finally:
        sys.setrecursionlimit(limit)
