"""Which slip explains a wrong claim, and the claim that would be right."""

from __future__ import annotations

from tensorgrad_cli.verify.claims import Judged
from tensorgrad_cli.verify.verdict import Diagnosis
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["diagnose"]


def diagnose(bench: Workbench, judged: Judged) -> Diagnosis | None:
    """The first slip that fits."""
    if judged.layout is not None:
        return Diagnosis("layout", "equal up to layout")
    return None
