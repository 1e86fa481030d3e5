"""Every error code that the package can raise is explained, and its examples do what they say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import tensorgrad_cli
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.codes import Code, codes, example, explain_code, near_codes
from tensorgrad_cli.verify.read_claims import read_claim
from tensorgrad_cli.verify.values import asked_derivative
from tensorgrad_cli.verify.workbench import Workbench

PACKAGE = Path(tensorgrad_cli.__file__).parent
# Those who raise an issue whose code they are given as an argument.
GIVEN = {"Issue", "issue"}
# What is raised with a code in a variable or passed through: where it comes from is scanned too.
CONSTANTS = {"CODE"}


def raised_codes() -> dict[str, str]:
    """The codes given as first argument to an issue, and those that helpers take: with a place for each."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for code in _codes(node):
                found.setdefault(code, f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}")
    return found


def _codes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id in CONSTANTS for t in node.targets
    ):
        return [node.value.value] if isinstance(node.value, ast.Constant) else []
    if not isinstance(node, ast.Call) or not node.args:
        return []
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if called not in GIVEN:
        return []
    first = node.args[0]
    if isinstance(first, ast.IfExp):
        return [part.value for part in (first.body, first.orelse) if isinstance(part, ast.Constant)]
    return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []


def test_codes_are_kebab_case() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in {*codes(), *raised_codes()})


def test_every_code_raised_is_explained_and_every_one_explained_is_raised() -> None:
    raised = raised_codes()
    assert {code: place for code, place in raised.items() if code not in codes()} == {}
    assert sorted(set(codes()) - set(raised)) == []


def test_only_known_helpers_pass_a_code_on() -> None:
    """Where the code is no literal it comes from another issue, from CODE, or is a parameter of Notes.issue."""
    odd = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Name)
                or node.func.id != "Issue"
            ):
                continue
            first = ast.unparse(node.args[0]) if node.args else ""
            if not _codes(node) and first not in ("CODE", "code", "issue.code"):
                odd.append(f"{path.name}:{node.lineno} {first}")
    assert odd == []


def found_codes(path: Path) -> set[str]:
    """The codes of the issues of a spec and of its claims."""
    spec, issues = read_path(str(path))
    found = {issue.code for issue in issues}
    if spec is None:
        return found
    bench = Workbench(spec, 0)
    for number, claim in enumerate(spec.claims):
        try:
            reading = read_claim(bench, claim.source, f"c{number}.", claim.at)
        except Issue as issue:
            found.add(issue.code)
        else:
            found |= {reading.mismatch.code} if reading.mismatch is not None else set()
    for source, _ in spec.implementations:
        try:
            asked_derivative(bench, source)
        except Issue as issue:
            found.add(issue.code)
    return found


def path_of(code: Code, text: str, folder: Path) -> Path:
    """The file that an example is about, written into a folder."""
    for name, content in code.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    if not text.startswith("$"):
        path = folder / "spec.yaml"
        path.write_text(example(text), encoding="utf-8")
        return path
    good = "tensors: {x: [n]}\nchain: [y = x]\n"
    data = "tensors: {x: [n]}\ndata: {x: x.npy}\nchain: [y = x]\n"
    (folder / "mlp.yaml").write_text(good)
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (folder / "folder").mkdir()
    (folder / "pickled.yaml").write_text(data)
    (folder / "numbers.yaml").write_text(data.replace("x.npy", "good.npy"))
    np.save(folder / "x.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.save(folder / "good.npy", np.array([1.0, 2.0]))
    return folder / text.split()[3]


EXAMPLES = [code for code in codes().values() if code.wrong is not None and code.right is not None]


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.name)
def test_the_wrong_example_yields_exactly_the_code(code: Code, tmp_path: Path) -> None:
    assert code.wrong is not None
    assert found_codes(path_of(code, code.wrong, tmp_path)) == {code.name}


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.name)
def test_the_right_example_yields_none(code: Code, tmp_path: Path) -> None:
    assert code.right is not None
    if code.right.startswith("$ tensorgrad check folder"):
        return  # the right command is another one
    assert found_codes(path_of(code, code.right, tmp_path)) == set()


def test_only_what_no_text_can_cause_has_no_example() -> None:
    """`internal` is a bug of ours."""
    assert {code.name for code in codes().values() if code not in EXAMPLES} == {"internal"}


@pytest.mark.parametrize("code", list(codes().values()), ids=lambda code: code.name)
def test_texts_are_short(code: Code) -> None:
    text = explain_code(code.name)
    assert text is not None
    assert text.startswith(f"error[{code.name}]\n\n") and text.endswith("\n") and not text.endswith("\n\n")
    assert len(code.means) < 300 and code.means.endswith(".")


def test_a_code_is_found_as_it_is_printed() -> None:
    assert explain_code("error[shape-mismatch]") == explain_code("shape-mismatch")
    assert explain_code("no-such-code") is None


def test_near_codes() -> None:
    assert near_codes("shape-mismtach")[0] == "shape-mismatch"
    assert "unknown-tensor" in near_codes("tensor")
    assert near_codes("zzz") == []
