"""A spec read in another process, and its formulas printed there, while this one imports NumPy and then checks.

This module imports nothing of ours but `processes`: what the other process needs it imports itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tensorgrad_cli.verify.processes import Ahead, cores

if TYPE_CHECKING:
    from tensorgrad_cli.source import Issue, Source
    from tensorgrad_cli.spec.model import Spec
    from tensorgrad_cli.verify.prepared import Formulas, Outcome

__all__ = ["SpecReading", "readings"]

# What nearly every check needs: there is time to import it before the other process has done.
NEEDED = ("numpy.random", "tensorgrad_cli.exact.decide")


def readings(
    sources: Iterable[tuple[str, Source | Issue | None]],
    read: Callable[[str, Source | Issue | None], tuple[Spec | None, tuple[Issue, ...]]],
    claims: tuple[str, ...],
    processes: int | None,
) -> Iterator[tuple[str, SpecReading]]:
    """The path of each spec with its reading, that of the first one begun in another process where there may be one.
    `claims` are further ones, from the command line."""
    for number, (path, source) in enumerate(sources):
        call = partial(_prepared, partial(read, path, source), claims)
        yield path, SpecReading(call, ahead=number == 0 and (processes or cores()) > 1)


def _prepared(read: Callable[[], tuple[Spec | None, tuple[Issue, ...]]], claims: tuple[str, ...]) -> Outcome:
    from tensorgrad_cli.verify.prepare import prepared

    spec, issues = read()
    return (prepared(spec, claims) if spec is not None else None), issues


class SpecReading:
    """The reading of a spec. It is read, and printed, here where the other process failed, or where there is none: that
    is the case where not `ahead`, and where a spec holds arrays, which take longer to send."""

    def __init__(self, read: Callable[[], Outcome], ahead: bool) -> None:
        self._read = read
        self._ahead: Ahead[Any] | None = Ahead(lambda: _stages(read)) if ahead else None

    def outcome(self) -> Outcome:
        """The spec, prepared for its checks."""
        if self._ahead is None:
            return self._read()
        for name in NEEDED:
            import_module(name)
        sent = self._ahead.take()
        if sent is None:
            self._ahead = None
            return self._read()
        from tensorgrad_cli.algebra.expression import serials_from

        outcome: Outcome
        outcome, serial = sent
        serials_from(serial)
        return outcome

    def formulas(self) -> Formulas:
        """What was printed; whatever is missing is to be printed here."""
        found: Formulas | None = None
        if self._ahead is not None:
            found = self._ahead.take()
            self.close()
        return found or {}

    def close(self) -> None:
        """Wait for the other process to end, where nobody asked for the formulas."""
        if self._ahead is not None:
            self._ahead.close()


def _stages(read: Callable[[], Outcome]) -> Iterator[Any]:
    """The outcome with a serial that no index in it has; then the formulas."""
    outcome = read()
    ready, _ = outcome
    if ready is not None and (ready.ground.spec.data or ready.ground.spec.gradients):
        return
    from tensorgrad_cli.algebra.expression import serials_from

    yield outcome, serials_from(0)
    if ready is not None:
        from tensorgrad_cli.verify.prepare import formulas

        yield formulas(ready.ground, ready.checks)
