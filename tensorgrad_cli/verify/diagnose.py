"""Which slip explains a wrong claim, and the claim that would be right.

Every diagnosis is a function from a draft of the claim to candidates: a kind, a sentence, and the claim
without the slip. They are tried in the order of DIAGNOSES; the first candidate that holds, decided like any
claim, is given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from tensorgrad_cli.algebra.expression import ZERO, Expression
from tensorgrad_cli.algebra.rewrite import difference
from tensorgrad_cli.algebra.walking import nodes, references
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.verify.claims import Judged
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft, is_derivative
from tensorgrad_cli.verify.diagnoses.plain import says_nothing, untidy
from tensorgrad_cli.verify.diagnoses.splice import put
from tensorgrad_cli.verify.formulas import shown
from tensorgrad_cli.verify.readings import Line
from tensorgrad_cli.verify.verdict import Diagnosis
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["DIAGNOSES", "diagnose", "named"]

Slips = Callable[[Draft], Iterator[Candidate]]

DIAGNOSES: tuple[str, ...] = (
    "terms.unseen",
    "whole.axes_in_another_order",
    "whole.diagonal_alone",
    "assumptions.unstated_property",
    "names.other_axis",
    "names.transpose",
    "terms.sign",
    "sums.sum_reaches",
    "terms.mean_or_sum",
    "terms.constant_factor",
    "terms.other_size",
    "activations.argument_for_value",
    "products.other_product",
    "products.inverse",
    "products.order",
    "sums.sum_missing",
    "sums.sum_too_many",
    "sums.sum_elsewhere",
    "sums.sum_of_free",
    "names.other_function",
    "names.other_index",
    "exchanges.other_name",
    "sums.sum_along",
    "powers.exponent",
    "products.other_side_of_bar",
    "activations.activation",
    "missing_factors.missing_delta",
    "missing_factors.ones_or_identity",
    "extra_factors.factor_too_many",
    "terms.constant_in_general",
    "terms.term_too_many",
    "missing_terms.partial",
    "term_factors.term_factor",
    "term_factors.jacobian_factor",
    "missing_terms.missing_term",
    "whole.diagonal_and_factor",
    "whole.own_entries_alone",
    "names.other_argument",
    "exchanges.arguments_exchanged",
    "powers.summand_inside",
    "exchanges.changed_places",
    "exchanges.other_layer",
    "names.transpose_two",
    "activations.everywhere",
    "missing_factors.missing_factor",
    "extra_factors.factor_to_divide",
    "names.function_missing",
    "names.other_variable",
    "assumptions.unstated_sign",
    "assumptions.sums_to_zero",
)

# Of a tensor of too many axes for matrix notation: what takes it away, or puts another one in its place.
WITH_FEWER_AXES: tuple[str, ...] = (
    "extra_factors.factor_too_many",
    "names.other_argument",
    "names.other_variable",
)

# So many texts are tried, and so many that fit in numbers are decided, before nobody knows.
TRIALS = 700
DECISIONS = 6
# Where the numbers cannot tell right from wrong, everything has to be decided.
UNSEEN_DECISIONS = 24
SECONDS = 2.0
# Kinds that explain nothing where the claim would be that something is itself.
SAYING_NOTHING = frozenset({"wrong-argument", "missing-term", "missing-factor"})
# A difference of more nodes than this is not printed.
LONG = 40


def named(name: str) -> Slips:
    """A diagnosis by its module and name. A module is imported when the first of its diagnoses is tried: most claims
    are explained by an early one."""
    module, _, function = name.partition(".")
    slips: Slips = getattr(import_module(f"tensorgrad_cli.verify.diagnoses.{module}"), function)
    return slips


def _tried_on(draft: Draft) -> tuple[str, ...]:
    if draft.reading is None:
        from tensorgrad_cli.verify.diagnoses.products import too_many_axes

        if too_many_axes(draft):
            return WITH_FEWER_AXES
    return DIAGNOSES


def diagnose(bench: Workbench, judged: Judged, line: Line | None = None) -> Diagnosis | None:
    """The first slip that fits; for a claim that can be read and that none fits, the difference of the sides.

    `line` is given where a line of a derivation was judged: the suggestion is then the whole equation.
    """
    draft = drafted(bench, judged, line)
    if draft is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return Search(draft).found() or _unknown(draft)
    except Exception as error:
        # The verdict stands whatever becomes of its explanation.
        if os.environ.get("TENSORGRAD_TRACEBACK"):
            raise
        return Diagnosis("unknown", f"the diagnosis crashed, a bug of ours: {type(error).__name__}: {error}")


def drafted(bench: Workbench, judged: Judged, line: Line | None) -> Draft | None:
    """The claim as a draft; None where its text cannot be parsed, or what is wrong stands elsewhere: in its `at`."""
    wrong = None if judged.issue is None else judged.issue.span
    if wrong is not None and wrong.source.text != judged.source.text:
        return None
    text = judged.source.text if line is None else f"{line.start} = {judged.source.text}"
    scope = bench.scope if line is None else line.scope
    try:
        return Draft(bench, judged, text, scope, parse_equation(Source("claim", text), scope.vocabulary))
    except Issue:
        return None


class Search:
    """The search for the first candidate that holds, within a budget."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.tried: set[str] = {draft.text}
        self.decisions = 0
        self.most = UNSEEN_DECISIONS if draft.unseen else DECISIONS
        self.end = time.thread_time() + SECONDS

    def found(self) -> Diagnosis | None:
        """The diagnosis, None where no candidate holds."""
        for name in _tried_on(self.draft):
            found = self._first(named(name))
            if found is not None:
                return found
            if self._spent():
                return None
        return None

    def _spent(self) -> bool:
        return self.draft.trials > TRIALS or time.thread_time() > self.end

    def _first(self, slips: Slips) -> Diagnosis | None:
        for candidate in slips(self.draft):
            if candidate.text is None:
                return self._without_text(candidate)
            if candidate.text in self.tried:
                continue
            self.tried.add(candidate.text)
            found = self._fitting(candidate, candidate.text)
            if found is not None:
                return found
            if self._spent():
                return None
        return None

    def _fitting(self, candidate: Candidate, text: str) -> Diagnosis | None:
        """A candidate that holds as a diagnosis. That something is itself always holds: it is no suggestion, and
        some slips that would end there are none."""
        if not self.draft.fits(text):
            return None
        tidy, trivial = self._tidied(text)
        if trivial and candidate.kind in SAYING_NOTHING:
            return None
        if not self._holds(tidy):
            return None
        return Diagnosis(candidate.kind, candidate.message, None if trivial else tidy)

    def _holds(self, text: str) -> bool:
        if self.decisions >= self.most or not self.draft.fits(text):
            return False
        self.decisions += 1
        return self.draft.holds(text)

    def _tidied(self, text: str) -> tuple[str, bool]:
        """The text without doubled parentheses, factors 1 and terms 0, and whether it says nothing."""
        vocabulary = self.draft.scope.vocabulary
        try:
            tree = parse_equation(Source("suggestion", text), vocabulary)
            while edits := untidy(tree.left) or untidy(tree.right):
                tree = parse_equation(
                    Source("suggestion", put(tree.left.span.source.text, edits)), vocabulary
                )
        except Issue:
            return text, False
        return tree.left.span.source.text, says_nothing(tree)

    def _without_text(self, candidate: Candidate) -> Diagnosis:
        """A slip that is certain: the claim that would be right is looked for in what is left."""
        text = None
        if candidate.kind == "missing-assumption":
            text = self._repair()
        return Diagnosis(candidate.kind, candidate.message, text or self._truth())

    def _repair(self) -> str | None:
        for name in ("names.transpose", "names.other_index"):
            for other in named(name)(self.draft):
                found = self._fitting(other, other.text) if other.text is not None else None
                if found is not None and found.suggestion is not None:
                    return found.suggestion
        return None

    def _truth(self) -> str | None:
        from tensorgrad_cli.verify.diagnoses import truth

        for text in truth.printed_truth(self.draft):
            tidy, trivial = self._tidied(text)
            if not trivial and self._holds(tidy):
                return tidy
        return None


def _unknown(draft: Draft) -> Diagnosis | None:
    """The difference of the sides, where the claim could be read."""
    reading = draft.reading
    if reading is None or draft.judged.layout is not None:
        return None
    search = Search(draft)
    suggestion = search._truth()
    written = _difference(draft)
    message = "none of the slips that we know explains it"
    if written is not None:
        by = "claim - derivative" if is_derivative(draft.other) else "one side minus the other"
        message += f"; {by} = {written}"
    return Diagnosis("unknown", message, suggestion)


def _difference(draft: Draft) -> str | None:
    """The claim minus the truth in its shortest form; None where all are long or none is known."""
    from tensorgrad_cli.verify.diagnoses import truth

    wrong = draft.wrong
    if wrong is None:
        return None
    claim = truth.written_out(draft, wrong[0])
    if claim is None:
        return None
    found = []
    for form in truth.forms(draft):
        left = difference(claim, form)
        count = nodes(left)
        if left != ZERO and count <= LONG and not _unfolded(left):
            found.append((count, shown(left, truth.naming(draft))))
    return min(found)[1] if found else None


def _unfolded(expression: Expression) -> bool:
    """Whether a derivative or a named expression is left in it."""
    return any(name[0] in "∂‹" for name in references(expression))
