"""A spec prepared in another process: the same report, no NumPy, no index twice."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import Equation, Index, Sum, fresh, serials_from
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify.prepare import formulas, prepared
from tensorgrad_cli.verify.prepared import Prepared
from tensorgrad_cli.verify.run import check_prepared, check_spec
from tensorgrad_cli.verify.verdict import SpecReport

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
NAMES = ("rank4_question", "logistic_regression", "derivation_slips", "attention", "log_det")


def timeless(report: SpecReport) -> SpecReport:
    return replace(report, seconds=0.0, checks=tuple(replace(c, seconds=0.0) for c in report.checks))


def prepared_spec(name: str) -> Prepared:
    spec, issues = read_path(str(SPECS / f"{name}.yaml"))
    assert spec is not None and not issues
    return prepared(spec)


@pytest.mark.parametrize("name", NAMES)
def test_a_prepared_spec_survives_the_way_between_processes(name: str) -> None:
    spec, _ = read_path(str(SPECS / f"{name}.yaml"))
    assert spec is not None
    sent: Prepared = pickle.loads(pickle.dumps(prepared(spec)))
    assert timeless(check_prepared(sent, dict)) == timeless(check_spec(spec))


@pytest.mark.parametrize("name", NAMES)
def test_formulas_are_the_same_wherever_they_are_printed(name: str) -> None:
    ready = prepared_spec(name)
    found = formulas(ready.ground, ready.checks)
    assert found.keys() == {check.id for check in ready.checks}
    sent: Prepared = pickle.loads(pickle.dumps(ready))
    assert timeless(check_prepared(sent, lambda: found)) == timeless(check_prepared(ready, dict))


@pytest.mark.parametrize("name", NAMES[:2])
def test_no_index_made_here_has_the_serial_of_one_that_came(name: str) -> None:
    code = (
        "import pickle, sys; from tensorgrad_cli.algebra.expression import serials_from;"
        "from tensorgrad_cli.spec.read import read_path; from tensorgrad_cli.verify.prepare import prepared;"
        f"spec, _ = read_path('specs/{name}.yaml'); ready = prepared(spec);"
        "sys.stdout.buffer.write(pickle.dumps((ready, serials_from(0))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    ready, serial = pickle.loads(done.stdout)
    serials_from(serial)
    equations: list[Equation] = list(ready.ground.calculus.equations.values())
    bound = [
        index.serial
        for equation in equations
        for part in subexpressions(equation.expression)
        if isinstance(part, Sum)
        for index in part.indices
    ]
    assert bound
    dimension = next(iter(ready.ground.spec.dimensions.values()))
    assert fresh(Index("i", dimension)).serial > max(bound)


def test_serials_never_go_back() -> None:
    first = serials_from(0)
    assert serials_from(first + 1000) == first + 1000
    assert serials_from(0) >= first + 1000


def test_issues_survive_the_way_too() -> None:
    source = Source("spec.yaml", "tensors: {x: [n]}\nchain: [y = q]\n")
    spec, issues = read(source)
    assert spec is None and issues
    (sent,) = pickle.loads(pickle.dumps(issues[:1]))
    assert isinstance(sent, Issue) and sent.rendered("spec.yaml") == issues[0].rendered("spec.yaml")


def test_preparing_imports_no_numpy() -> None:
    code = (
        "import sys; from tensorgrad_cli.spec.read import read_path;"
        "from tensorgrad_cli.verify.prepare import prepared;"
        "spec, _ = read_path('specs/rank4_question.yaml'); prepared(spec);"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
