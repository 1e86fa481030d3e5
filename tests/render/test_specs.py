"""Every formula of every spec reads back as the same formula, and how each claim was read does too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read_path

# More folders of specs, for a run by hand.
FOLDERS = ["specs", "tests/verify/verdicts", *os.environ.get("TENSORGRAD_SPECS", "").split()]
SPECS = [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.yaml"))]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_formulas_read_back(path: Path, all_reads_back: Callable[[Spec], None]) -> None:
    spec, issues = read_path(path)
    if spec is None:
        pytest.skip(f"{issues[0].code}")
    all_reads_back(spec)
