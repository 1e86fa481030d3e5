"""The gallery of bad specs: each gives its exact messages, and never a traceback.

`make golden` (or `TENSORGRAD_GOLDEN=1 pytest tests/spec`) rewrites `bad/messages.txt`; look at `git diff` then.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorgrad_cli.spec.read import read_path

BAD = Path(__file__).parent / "bad"
MESSAGES = BAD / "messages.txt"
SPECS = sorted(path.name for path in BAD.glob("*.yaml"))


def messages(name: str) -> str:
    """All issues of a bad spec as they are shown, with its path as it was given."""
    spec, issues = read_path(str(BAD / name))
    assert spec is None
    assert issues
    return "\n\n".join(issue.rendered() for issue in issues).replace(str(BAD), "bad") + "\n"


def golden() -> dict[str, str]:
    """The messages by spec, as the file has them."""
    sections = MESSAGES.read_text(encoding="utf-8").split("\n#### ")[1:]
    return {name: body.strip("\n") + "\n" for name, body in (part.split("\n", 1) for part in sections)}


@pytest.mark.skipif("TENSORGRAD_GOLDEN" not in os.environ, reason="rewrites the golden file")
def test_regenerate() -> None:
    sections = [f"\n#### {name}\n\n{messages(name)}" for name in SPECS]
    MESSAGES.write_text("The messages of the specs in this folder.\n" + "\n".join(sections), encoding="utf-8")


def test_the_gallery_is_complete() -> None:
    assert len(SPECS) >= 40
    assert list(golden()) == SPECS


@pytest.mark.parametrize("name", SPECS)
def test_a_bad_spec_gives_its_exact_messages(name: str) -> None:
    assert messages(name) == golden()[name]
