"""Files that are no specs at all, and specs so large that nothing may be built from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.nodes import MAX_BYTES
from tensorgrad_cli.spec.read import read, read_path

GOOD = "tensors: {x: [n]}\nchain:\n  - cost = sum(x)\n"


def message(path: Path) -> str:
    spec, issues = read_path(str(path))
    assert spec is None
    (issue,) = issues
    assert issue.rendered()
    return f"{issue.code}: {issue.message}".replace(str(path), "SPEC")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty-spec: the file is empty"),
        (b"\xef\xbb\xbf", "empty-spec: the file is empty"),
        (b"chain:\0", "binary-file: SPEC is no text: it holds NUL bytes"),
        ("title: a\n".encode("utf-16"), "binary-file: SPEC is UTF-16 text"),
        (b"\x89PNG\r\n\x1a\n", "binary-file: SPEC is no UTF-8 text: byte 0x89 in line 1"),
        (b"title: a\nnote: \xe9t\xe9\n", "binary-file: SPEC is no UTF-8 text: byte 0xe9 in line 2"),
        (b"title: \x1b[31m\n", "yaml: the file holds a control character (U+001B)"),
        (b"a: " + b"[" * 200_000, "too-deep: lists and mappings nest deeper than 50 here"),
        (b"[" * 200_000 + b"]" * 200_000, "too-deep: lists and mappings nest deeper than 50 here"),
        (b"- " * 200_000, "too-deep: lists and mappings nest deeper than 50 here"),
        (b"[" + b"x," * 200_000 + b"]", "too-large: the file has more than 100000 entries"),
        (b"#" * (MAX_BYTES + 1), "too-large: SPEC is larger than 4 MiB, which no spec is"),
    ],
    ids=range(12),
)
def test_a_file_that_is_no_spec(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(content)
    assert message(path) == said


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert message(tmp_path / "none.yaml") == "no-such-file: there is no file SPEC"
    assert message(tmp_path) == "is-a-folder: SPEC is a folder, and a spec is a file"


def test_a_byte_order_mark_moves_no_caret(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + b"titel: a\n" + GOOD.encode())
    _, issues = read_path(str(path))
    assert issues[0].span is not None
    assert (issues[0].span.line, issues[0].span.column) == (1, 1)


def test_a_spec_with_windows_line_ends() -> None:
    spec, issues = read(Source("s.yaml", GOOD.replace("\n", "\r\n")))
    assert issues == ()
    assert spec is not None
    assert spec.loss == "cost"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("[n]", "n = 1,000,000,000 entries"),
        ("[1000000000]", "1,000,000,000 entries"),
        ("[n, n]", "1,000,000,000 × 1,000,000,000 = about 10^18 entries"),
        ("[n, 2]", "1,000,000,000 × 2 = 2,000,000,000 entries"),
    ],
)
def test_what_is_too_large_says_what_it_is_made_of(shape: str, said: str) -> None:
    text = f"dims: {{n: 1000000000}}\ntensors: {{x: {shape}}}\nchain: ['s = sum(x)']\n"
    _, issues = read(Source("s.yaml", text))
    (issue,) = issues
    assert issue.code == "too-large"
    assert issue.message.startswith(f"`x` alone has {said};")
