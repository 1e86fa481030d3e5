"""The keys `check` and `layout`: how numbers are drawn and compared, and which index order is meant."""

from __future__ import annotations

import re
from typing import Any

from tensorgrad_cli.spec.entries import Notes, clipped, is_empty
from tensorgrad_cli.spec.model import CheckOptions
from tensorgrad_cli.spec.nodes import Node, Scalar

__all__ = ["read_check", "read_layout"]

_WHOLE = {"points": 1, "seed": 0}
_CHOICES = {
    "method": ("auto", "central", "complex"),
    "mode": ("auto", "full", "projected"),
    "dtype": ("float64", "float32"),
}
_TOLERANCES = ("rtol", "atol")
_KEYS = ("points", "seed", "method", "dtype", "rtol", "atol", "mode", "max_memory")
_MEMORY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([kMGT]?)(i?)B?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_MOST_POINTS = 1000


def read_layout(node: Node | None, notes: Notes) -> str:
    """The key `layout`."""
    if node is None or is_empty(node):
        return "numerator"
    return notes.choice(node, "`layout`", ("numerator", "denominator")) or "numerator"


def read_check(node: Node | None, notes: Notes) -> CheckOptions:
    """The key `check`; what is not said is left to the tool."""
    if node is None or is_empty(node):
        return CheckOptions()
    said: dict[str, Any] = {}
    for key, value in notes.fields(node, _KEYS, "`check`").items():
        where = f"`{key}`"
        found: Any
        if isinstance(value, Scalar) and value.text == "auto" and key != "max_memory":
            continue
        if key in _WHOLE:
            found = notes.whole(value, where, _WHOLE[key])
            if key == "points" and found is not None and found > _MOST_POINTS:
                notes.issue("bad-value", value.span, f"{where} is at most {_MOST_POINTS}")
        elif key in _CHOICES:
            found = notes.choice(value, where, _CHOICES[key])
        elif key in _TOLERANCES:
            found = _tolerance(value, where, notes)
        else:
            found = _memory(value, where, notes)
        if found is not None:
            said[key] = found
    return CheckOptions(**said)


def _tolerance(node: Node, where: str, notes: Notes) -> float | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e300:
        return float(value)
    notes.wrong_type(node, where, "a number from 0")
    return None


def _memory(node: Node, where: str, notes: Notes) -> int | None:
    text = notes.text(node, where)
    if text is None:
        return None
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        message = f"{where} is a number of bytes, and `{clipped(text)}` stands here"
        notes.issue("bad-value", node.span, message, "write `2GB`, for example")
        return None
    return int(float(found.group(1)) * (1024 if found.group(3) else 1000) ** _POWERS[found.group(2)])
