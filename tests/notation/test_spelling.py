"""Which word a misspelt one stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.notation.later import LAYERS
from tensorgrad_cli.notation.spelling import distance, nearest, run_together

WORDS = st.text("abc_", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("tahn", "tanh"),
        ("expp", "exp"),
        ("sofmax", "softmax"),
        ("sigmiod", "sigmoid"),
        ("Relu", "relu"),
        ("layernorm", "layer_norm"),
        ("logsum", "logsumexp"),
        ("qqq", None),
        ("x", None),
    ],
)
def test_the_nearest_word(word: str, meant: str | None) -> None:
    found = nearest(word, [*BUILTINS, *LAYERS])
    assert found == ([] if meant is None else [meant])


def test_no_word_of_two_letters_is_near_another() -> None:
    assert nearest("x", ["X", "y"]) == nearest("W1", ["W2", "w1"]) == []


def test_at_most_as_many_as_asked_for_the_nearest_first() -> None:
    known = ["claim:12", "step:z/w", "claim:1", "claim:44"]
    assert nearest("claim:1", known, 3) == ["claim:1", "claim:12", "claim:44"]
    assert nearest("claim:1", known, 2) == ["claim:1", "claim:12"]


@given(WORDS, st.data())
def test_one_slip_is_one_away(word: str, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcx"))
    swapped = word[:k] + word[k + 1 : k + 2] + word[k] + word[k + 2 :]
    for other in (
        word[:k] + word[k + 1 :],
        word[:k] + letter + word[k:],
        word[:k] + letter + word[k + 1 :],
        swapped,
    ):
        assert distance(word, other, 3) == (word != other)


@given(WORDS, WORDS, st.integers(0, 8))
def test_the_distance_is_symmetric_and_bounded(a: str, b: str, most: int) -> None:
    far = distance(a, b, 8)
    assert far is not None and abs(len(a) - len(b)) <= far <= max(len(a), len(b))
    assert distance(b, a, 8) == far
    assert distance(a, b, most) == (far if far <= most else None)
    assert (far == 0) == (a == b)


def test_no_layer_has_the_name_of_something_that_can_be_read() -> None:
    assert not LAYERS & set(BUILTINS)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("Xw", ("X", "w")),
        ("Xw1", ("X", "w1")),
        ("wXw", ("w", "X", "w")),
        ("X", None),
        ("Xz", None),
        ("wwwww", None),
    ],
)
def test_names_run_together(word: str, parts: tuple[str, ...] | None) -> None:
    assert run_together(word, {"X", "w", "w1"}) == parts


@given(st.lists(st.sampled_from(["a", "ab", "bc", "c1"]), min_size=2, max_size=4))
def test_what_names_run_together_are_made_of(parts: list[str]) -> None:
    word = "".join(parts)
    found = run_together(word, {"a", "ab", "bc", "c1"})
    assert found is not None and "".join(found) == word
