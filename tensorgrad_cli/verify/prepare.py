"""A spec prepared: all that can be worked out without numbers.

This module imports no NumPy, so that a process may prepare a spec while another one imports it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.verify.chain_formulas import chain_checks
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.prepared import ChainCheck, Prepared, Printed
from tensorgrad_cli.verify.printed import printed
from tensorgrad_cli.verify.read_claims import attempt_claim, read_derivation

__all__ = ["prepared"]


def prepared(spec: Spec, claims: Iterable[str] = ()) -> Prepared:
    """A spec prepared; `claims` are further ones, from the command line."""
    ground = Ground(spec)
    checks = tuple(chain_checks(ground))
    every = (*spec.claims, *(Claim(Source("--claim", text)) for text in claims))
    # Everything is read before anything is printed or drawn: what is read may ask for larger sizes.
    read = tuple(
        (claim, attempt_claim(ground, claim, f"c{number}.")) for number, claim in enumerate(every, 1)
    )
    derivations = tuple(read_derivation(ground, n, d) for n, d in enumerate(spec.derivations, 1))
    shown = {check.id: found for check in checks if (found := _attempted(ground, check)) is not None}
    return Prepared(ground, checks, read, derivations, shown)


def _attempted(ground: Ground, check: ChainCheck) -> Printed | None:
    """None of what cannot be printed: the check says why, where it is tried again."""
    try:
        return printed(ground, check)
    except Exception:
        return None
