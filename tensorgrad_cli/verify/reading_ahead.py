"""A spec read and prepared in another process, while this one imports NumPy.

This module imports nothing of ours but `processes`: what the other process needs it imports itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from tensorgrad_cli.verify.processes import ahead

if TYPE_CHECKING:
    from tensorgrad_cli.verify.prepared import Outcome

__all__ = ["read_ahead"]

# What nearly every check needs: there is time to import it before the other process has done.
NEEDED = ("numpy.random", "tensorgrad_cli.exact.decide")


def read_ahead(read: Callable[[], Outcome]) -> Callable[[], Outcome]:
    """The call that waits for a spec, which another process has begun to read. It is read here where that failed, and
    where it holds arrays, which take longer to send."""
    call = ahead(lambda: _numbered(read), lambda found: not _holds_arrays(found[0]))

    def outcome() -> Outcome:
        for name in NEEDED:
            import_module(name)
        from tensorgrad_cli.algebra.expression import serials_from

        found, serial = call()
        serials_from(serial)
        return found

    return outcome


def _numbered(read: Callable[[], Outcome]) -> tuple[Outcome, int]:
    """The outcome, and a serial that no index in it has."""
    outcome = read()
    from tensorgrad_cli.algebra.expression import serials_from

    return outcome, serials_from(0)


def _holds_arrays(outcome: Outcome) -> bool:
    ready, _ = outcome
    return ready is not None and bool(ready.ground.spec.data or ready.ground.spec.gradients)
