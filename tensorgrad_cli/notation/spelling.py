"""Misspelt words: which of the words that are known was meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

__all__ = ["distance", "nearest", "run_together"]

# So many names may stand without blanks between them.
_RUN = 4


def nearest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """At most `most` of the known words that a misspelt one may stand for, the likeliest first.

    One slip is allowed for every three letters; capitals are no slip. Of words equally far away those of the
    same letters come first, then those of the same length, then those with the longest beginning in common.
    Where none is near, a word of three letters or more may be the beginning of a longer one.
    """
    ranked = []
    for other in known:
        allowed = max(len(word), len(other)) // 3
        away = distance(word.lower(), other.lower(), allowed) if allowed else None
        if away is not None:
            letters = len(set(word.lower()) ^ set(other.lower()))
            key = (away, letters, abs(len(word) - len(other)), -_common(word, other), other)
            ranked.append((key, other))
    if not ranked and len(word) >= 3:
        begun = (other for other in known if other.lower().startswith(word.lower()))
        ranked = [((0, 0, len(other), 0, other), other) for other in begun]
    return [other for _, other in sorted(ranked)[:most]]


def run_together(word: str, known: Collection[str], most: int = _RUN) -> tuple[str, ...] | None:
    """The two to `most` known words that a word is made of, the longest first ones before others: `X`, `w` for `Xw`;
    None where it is not."""
    for end in range(len(word) - 1, 0, -1) if most > 1 else ():
        if word[:end] in known:
            rest = word[end:]
            tail = (rest,) if rest in known else run_together(rest, known, most - 1)
            if tail is not None:
                return word[:end], *tail
    return None


def distance(word: str, other: str, most: int) -> int | None:
    """How many slips lead from one word to the other, None for more than `most`.

    A slip is a letter too many, a letter missing, another letter, or two neighbours swapped (the
    Damerau-Levenshtein distance, no letter edited twice).
    """
    if abs(len(word) - len(other)) > most:
        return None
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(word, 1):
        last, row = row, [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == word[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return None
        before = last
    return row[-1] if row[-1] <= most else None


def _common(word: str, other: str) -> int:
    """The length of the common beginning."""
    return next(
        (k for k, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
