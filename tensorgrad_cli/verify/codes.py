"""The codes of errors: what each means, with a wrong and a right example. The texts stand in `codes.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from textwrap import fill, indent

from msgspec import Struct

from tensorgrad_cli.notation.spelling import nearest

__all__ = ["BESIDE", "Code", "codes", "example", "explain_code", "near_codes"]

BESIDE = """\
tensors: {s: [], a: [n], b: [n], v: [m], A: [n, n], x: [m, p], w: [p, n]}
functions: [f, g]
chain:
  - z = x w
  - y = f(z)
  - cost = sum(y) + g(s, s)
claims:
"""
"""The spec beside which an example of one line stands, as a claim."""

_SAID = "In the examples s is a scalar, a and b have n entries, A is n×n, x is m×p and w is p×n; z = x w and y = f(z)."


class Code(Struct, frozen=True):
    """What a code means. Examples are a line, a whole spec, or a command; `files` are the files they need."""

    name: str
    means: str
    wrong: str | None = None
    right: str | None = None
    files: Mapping[str, str] = {}


@lru_cache(maxsize=1)
def codes() -> Mapping[str, Code]:
    """All codes by name, in the order of the alphabet."""
    import yaml

    text = Path(__file__).with_name("codes.yaml").read_text(encoding="utf-8")
    # BaseLoader takes every scalar as the text that it is.
    entries = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return {name: Code(name, **entry) for name, entry in sorted(entries.items())}


def near_codes(name: str) -> list[str]:
    """The codes that a misspelt one may stand for, the nearest first."""
    known = list(codes())
    parts = [code for code in known if name and (name in code or code in name)]
    return list(dict.fromkeys([*nearest(name, known, 3), *parts]))[:3]


def example(text: str) -> str:
    """An example as a whole spec: a line is put as a claim into the spec beside it."""
    if "\n" in text:
        return text
    return f"{BESIDE}  - '{text.replace(chr(39), 2 * chr(39))}'\n"


def explain_code(name: str) -> str | None:
    """The meaning of a code with its examples, or None where there is no such code."""
    name = name.strip().removeprefix("error[").removesuffix("]")
    code = codes().get(name)
    if code is None:
        return None
    out = [f"error[{code.name}]", "", fill(code.means, 88), ""]
    lines = [text for text in (code.wrong, code.right) if text is not None]
    for label, text in (("wrong", code.wrong), ("right", code.right)):
        if text is None:
            continue
        if "\n" in text:
            out += [f"{label}:", "", indent(text.rstrip("\n"), "    "), ""]
        else:
            out += [f"{label}:  {text.removeprefix('$ ')}"]
    if lines and not any("\n" in text or text.startswith("$") for text in lines):
        out += ["", fill(_SAID, 88)]
    return "\n".join(out).rstrip("\n") + "\n"
