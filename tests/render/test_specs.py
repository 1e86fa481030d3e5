"""Every formula of every spec in `specs/` reads back as the same formula."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensorgrad_cli.algebra.expression import Equation
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.chain_formulas import chain_checks, displayed, gradient_chain, pullback_of
from tensorgrad_cli.verify.ground import Ground

# More folders of specs, for a run by hand.
FOLDERS = ["specs", *os.environ.get("TENSORGRAD_SPECS", "").split()]
SPECS = [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.yaml"))]


def formulas(ground: Ground) -> Iterator[tuple[Equation, Naming]]:
    for step in ground.spec.chain:
        definitions = {equation.tensor for equation in step.definitions}
        assert not definitions or all(name.startswith("‹") for name in definitions)
        yield ground.calculus.equations[step.name], ground.naming(step.definitions)
    for check in chain_checks(ground):
        equation, shown = displayed(ground, check)
        naming = ground.naming(extra=(shown,))
        yield equation, naming
        if check.kind == "step":
            yield pullback_of(ground, check), naming
        else:
            yield from ((part, naming) for part in gradient_chain(ground, check))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_formulas_read_back(
    path: Path,
    reads_back: Callable[[Equation, Scope, Naming], None],
    matrix_reads_back: Callable[[Equation, Scope, Naming], None],
    barred: Callable[[Scope], Scope],
) -> None:
    spec, issues = read_path(path)
    if spec is None:
        pytest.skip(f"{issues[0].code}")
    ground = Ground(spec)
    scope = barred(ground.scope)
    for equation, naming in formulas(ground):
        # A derivative by a cotangent, in the chain of a Hessian, has no spelling in the language.
        if "∂∂" not in repr(equation):
            reads_back(equation, scope, naming)
            matrix_reads_back(equation, scope, naming)
