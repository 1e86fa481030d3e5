"""A spec prepared: all that can be worked out without numbers.

This module imports no NumPy, so that a process may prepare a spec while another one imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.verify.chain_formulas import chain_checks
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.prepared import ChainCheck, Formulas, Outcome, Prepared, Printed, Read
from tensorgrad_cli.verify.printed import printed
from tensorgrad_cli.verify.read_claims import attempt_claim, read_derivation

__all__ = ["formulas", "outcome_of", "prepared"]


def outcome_of(read: Read, claims: Iterable[str] = ()) -> Outcome:
    """What comes of reading a spec, prepared; `claims` are further ones, from the command line."""
    spec, issues = read()
    return (prepared(spec, claims) if spec is not None else None), issues


def prepared(spec: Spec, claims: Iterable[str] = ()) -> Prepared:
    """A spec prepared; `claims` are further ones, from the command line."""
    ground = Ground(spec)
    checks = tuple(chain_checks(ground))
    every = (*spec.claims, *(Claim(Source("--claim", text)) for text in claims))
    # Everything is read before anything is drawn: what is read may ask for larger sizes.
    read = tuple(
        (claim, attempt_claim(ground, claim, f"c{number}.")) for number, claim in enumerate(every, 1)
    )
    derivations = tuple(read_derivation(ground, n, d) for n, d in enumerate(spec.derivations, 1))
    for check in checks:
        # A derivative that cannot be worked out crashes where it is checked.
        with suppress(Exception):
            ground.calculus.extend((), (check.derivative,))
            ground.calculus.resolve(check.derivative.name)
    return Prepared(ground, checks, read, derivations)


def formulas(ground: Ground, checks: Iterable[ChainCheck]) -> Formulas:
    """What is printed of some checks; nothing of one that cannot be printed."""
    found: dict[str, Printed] = {}
    for check in checks:
        with suppress(Exception):
            found[check.id] = printed(ground, check)
    return found
