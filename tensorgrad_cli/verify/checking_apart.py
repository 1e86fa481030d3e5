"""Specs checked by another process: it imports NumPy while this one reads the command line and the first spec, and
checks while this one prints the formulas.

This module imports nothing of ours but `processes`, so that the other process is begun before anything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad_cli.verify.processes import Channel, Partner, cores, partner

if TYPE_CHECKING:
    from tensorgrad_cli.verify.prepared import Checked, Formulas, Options, Prepared, Read

__all__ = ["Checker", "checker"]

# What nearly every check needs: there is time to import it before the first question.
NEEDED = ("numpy.random", "tensorgrad_cli.verify.run", "tensorgrad_cli.exact.decide")
# How often, in seconds, the other process sees whether this one is still there.
LOOK = 0.2


class Question(NamedTuple):
    """A spec to check, prepared, or how to read it: what that takes is not imported where it is not asked for. No index
    in the spec has the serial."""

    spec: Prepared | Read
    serial: int
    options: Options
    traceback: str | None


# Sent for the formulas that were printed meanwhile; names of checks are sent for the progress, then the answer.
FORMULAS = 0


def checker() -> Checker | None:
    """Another process that checks; None where there is no core for it."""
    other = partner(_answered) if cores() > 1 else None
    return Checker(other) if other is not None else None


class Checker:
    """The other process, as this one sees it."""

    def __init__(self, other: Partner) -> None:
        self._other: Partner | None = other

    def check(self, read: Read, options: Options, say: Callable[[str], None]) -> Checked | None:
        """What comes of a spec; None where it is to be checked here: the other process has failed, now or before, or
        the user's own code is to run, which expects to do so once, in the process that was called.

        The spec is read here, and by the other process where it cannot be read, or names arrays: that takes NumPy.
        """
        if self._other is None:
            return None
        from tensorgrad_cli.algebra.expression import serials_from
        from tensorgrad_cli.verify.prepare import prepared

        spec, _ = read(load_data=False)
        if spec is not None and spec.implementations and options.allow_python:
            return None
        ready = prepared(spec, options.claims) if spec is not None and not spec.names_arrays else None
        traceback = os.environ.get("TENSORGRAD_TRACEBACK")
        try:
            channel = self._other.channel
            channel.send(Question(ready or read, serials_from(0), options, traceback))
            return _answer(channel, ready, say)
        except (EOFError, OSError):
            self.close()
            return None
        except BaseException:
            # An answer may still come, which nobody waits for.
            self.close()
            raise

    def close(self) -> None:
        """End the other process."""
        if self._other is not None:
            self._other.close()
        self._other = None


def _answer(channel: Channel, ready: Prepared | None, say: Callable[[str], None]) -> Checked:
    from tensorgrad_cli.verify.prepare import formulas
    from tensorgrad_cli.verify.prepared import Checked

    printed = formulas(ready.ground, ready.checks) if ready is not None else {}
    while True:
        told = channel.take()
        if isinstance(told, Checked):
            return told
        if told == FORMULAS:
            channel.send(printed)
        else:
            say(told)


# --- the other process --------------------------------------------------------------------------------


def _answered(channel: Channel) -> None:
    """Answer what is asked until this process is left alone."""
    from tensorgrad_cli.terminal import roomy

    asking = os.getppid()
    roomy(partial(_answers, channel), lambda: os.getppid() != asking, LOOK)


def _answers(channel: Channel) -> int:
    for name in NEEDED:
        import_module(name)
    while True:
        try:
            question: Question = channel.take()
        except EOFError:
            return 0
        answer = _checked(channel, question)
        sys.stdout.flush()
        sys.stderr.flush()
        channel.send(answer)


def _checked(channel: Channel, question: Question) -> Checked:
    from tensorgrad_cli.algebra.expression import serials_from
    from tensorgrad_cli.verify.prepared import Prepared
    from tensorgrad_cli.verify.run import checked

    if question.traceback is not None:
        os.environ["TENSORGRAD_TRACEBACK"] = question.traceback
    serials_from(question.serial)
    here = os.getpid()

    def say(check: str) -> None:
        # A process forked from this one has no word.
        if os.getpid() == here:
            channel.send(check)

    def formulas() -> Formulas:
        channel.send(FORMULAS)
        printed: Any = channel.take()
        return printed  # type: ignore[no-any-return]

    if isinstance(question.spec, Prepared):
        return checked((question.spec, ()), question.options, say, formulas)
    from tensorgrad_cli.verify.prepare import outcome_of

    return checked(outcome_of(question.spec, question.options.claims), question.options, say)
