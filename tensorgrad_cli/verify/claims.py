"""Claims decided: a reading, and what was found of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from msgspec import Struct

from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.verify.decide import Answer, Question, answer
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["Judged", "judge", "judge_claim", "question_of"]


class Judged(Struct, frozen=True):
    """A reading with its answer; an issue where it has no meaning. `layout` says that the sides are equal
    with their axes in another order: the order of the right side's axes that makes them so."""

    source: Source
    reading: Reading | None
    answer: Answer | None
    issue: Issue | None = None
    layout: tuple[int, ...] | None = None

    @property
    def verdict(self) -> str:
        """The verdict."""
        if self.layout is not None:
            return "refuted"
        return "ill-formed" if self.answer is None else self.answer.verdict

    @property
    def holds(self) -> bool:
        """Whether the equation was found to hold."""
        return self.verdict in ("proved", "verified")


def question_of(reading: Reading) -> Question:
    """An equation as a question to decide."""
    return Question(reading.left.expression, reading.right.expression, reading.free, reading.at)


def judge(bench: Workbench, reading: Reading) -> Judged:
    """Decide a reading; where the sides' shapes do not meet, look whether they do in another order of axes."""
    if reading.mismatch is None:
        return Judged(reading.source, reading, answer(bench, question_of(reading)))
    for order in _orders(reading):
        right = _permuted(reading.right, order)
        question = Question(
            reading.left.expression,
            substitute(right.expression, dict(zip(right.indices, reading.left.indices, strict=True))),
            reading.left.indices,
            reading.at,
        )
        found = answer(bench, question)
        if found.holds:
            return Judged(reading.source, reading, found, None, order)
    return Judged(reading.source, reading, None, reading.mismatch)


def _permuted(side: Side, order: tuple[int, ...]) -> Side:
    return Side(side.expression, tuple(side.indices[k] for k in order), side.row, side.matrix)


def _orders(reading: Reading) -> Iterator[tuple[int, ...]]:
    """The orders of the right side's axes in which its shape is the left side's."""
    left = [i.dimension for i in reading.left.indices]
    right = [i.dimension for i in reading.right.indices]
    if not left or sorted(left) != sorted(right) or len(left) > 4:
        return
    for order in permutations(range(len(right))):
        if [right[k] for k in order] == left:
            yield order


def judge_claim(bench: Workbench, source: Source, attempt: Reading | Issue) -> Judged:
    """Decide a claim that was read, or not; never raises for what is written in it."""
    if isinstance(attempt, Issue):
        return Judged(source, None, None, attempt)
    return judge(bench, attempt)
