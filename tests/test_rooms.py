"""The order of the rooms: each knows those before it only, so that there is one direction to read the code in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensorgrad_cli

PACKAGE = Path(tensorgrad_cli.__file__).parent
# Rooms in a row; those that stand together do not know each other.
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"source"}),
    frozenset({"notation"}),
    frozenset({"algebra"}),
    frozenset({"calculus", "exact", "numeric", "render", "spec"}),
    frozenset({"verify"}),
    frozenset({"report"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
# `terminal` is about the process, not about formulas: it knows none of the rooms.
FREE = frozenset({"__init__", "terminal"})
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# Libraries that one place only may import.
ONE_PLACE = {"rich": "report/text.py", "opt_einsum": "numeric/", "click": "cli.py"}


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, wherever in it, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.module or "", node.lineno
            if node.module == "tensorgrad_cli":
                yield from ((f"tensorgrad_cli.{alias.name}", node.lineno) for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_file_is_in_a_room() -> None:
    assert {room_of(path) for path in FILES} <= {*RANK, *FREE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_knows_only_earlier_ones(path: Path) -> None:
    room = room_of(path)
    for module, line in imported(path):
        parts = module.split(".")
        if parts[0] != "tensorgrad_cli" or len(parts) == 1 or parts[1] in (room, "__version__", *FREE):
            continue
        assert room not in FREE, f"{path.name}:{line} knows {module}"
        assert RANK[parts[1]] < RANK[room], f"{path.relative_to(PACKAGE)}:{line} imports {module}"


@pytest.mark.parametrize("library", sorted(ONE_PLACE))
def test_a_library_is_known_in_one_place(library: str) -> None:
    where = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for module, _ in imported(path)
        if module.split(".")[0] == library
    }
    assert where and all(place.startswith(ONE_PLACE[library]) for place in where), where
