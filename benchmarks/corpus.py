"""The true claims that mistakes are planted into: those of specs/ and of the hand-judged specs of the suite.

A claim is true where its spec expects it to hold; so is a line of a derivation as an equation with its start,
unless the derivation has abbreviations of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim, Derivation, Spec
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.read_claims import attempt_claim
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT / "specs", ROOT / "tests" / "verify" / "verdicts")


class TrueClaim(Struct, frozen=True):
    """A claim that holds, in its spec, as read (or why it cannot be)."""

    spec: Spec
    bench: Workbench
    claim: Claim
    reading: Reading | Issue

    @property
    def text(self) -> str:
        """The equation."""
        return self.claim.source.text


def paths() -> list[Path]:
    """All specs that true claims are taken from."""
    return [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml"))]


def true_claims(specs: Sequence[Path], seed: int) -> list[TrueClaim]:
    """The true claims of some specs, no two alike, read before any point is drawn."""
    found = []
    for path in specs:
        spec, issues = read_path(str(path))
        assert spec is not None, [issue.message for issue in issues]
        bench = Workbench(spec, seed)
        texts: set[str] = set()
        for number, claim in enumerate(_equations(spec), 1):
            if claim.source.text not in texts:
                texts.add(claim.source.text)
                reading = attempt_claim(bench, claim, f"c{number}.")
                found.append(TrueClaim(spec, bench, claim, reading))
    return found


def _equations(spec: Spec) -> Iterator[Claim]:
    yield from (claim for claim in spec.claims if claim.expect == "holds")
    for derivation in spec.derivations:
        if not derivation.where:
            yield from _lines(derivation)


def _lines(derivation: Derivation) -> Iterator[Claim]:
    """The lines that are expected to hold; none after the first wrong one, for of those nothing is said."""
    for number, line in enumerate(derivation.lines, 1):
        if number == derivation.first_wrong:
            return
        if line.expect in (None, "holds"):
            yield Claim(Source("line", f"{derivation.start.text} = {line.source.text}"))
