"""YAML as nodes: what scalars mean, where their characters stand, and what is refused."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.nodes import MAX_DEPTH, Items, Node, Scalar, Table, parsed


def value(node: Node | None) -> Any:
    """A node as plain Python values."""
    match node:
        case Scalar():
            return node.value
        case Items():
            return [value(item) for item in node.items]
        case Table():
            return {key.text: value(item) for key, item in node.entries}
    return None


def read(text: str) -> Node | None:
    node, issues = parsed(Source("spec.yaml", text))
    assert not issues, issues
    return node


def code(text: str) -> str:
    _, issues = parsed(Source("spec.yaml", text))
    assert issues
    return issues[0].code


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("n", "n"),
        ("Yes", "Yes"),
        ("1:30", "1:30"),
        ("012", 12),
        ("-7", -7),
        ("1_000", "1_000"),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'012'", "012"),
        ('"null"', "null"),
        ("2001-01-01", "2001-01-01"),
        ("= x", "= x"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, meaning: object) -> None:
    found = value(read(f"key: {text}"))["key"]
    assert found == meaning
    assert type(found) is type(meaning)


def offsets_are_exact(text: str, scalar: Scalar, escapes: str = "") -> None:
    source = scalar.source
    assert source.offsets is not None
    assert len(source.offsets) == len(source.text) + 1
    assert list(source.offsets) == sorted(source.offsets)
    for character, offset in zip(source.text, source.offsets, strict=False):
        if not character.isspace():
            assert text[offset] in (character, *escapes)


@pytest.mark.parametrize(
    "text",
    [
        "∂cost/∂w = x",
        "'C''(y) ⊙ f'''' (z)'",
        "'''a'''",
        '"a [b, c]  \\\n   d = e"',
        "a +\n  b\n\n  + c",
        "'a\n  b''c\n\n  d'",
        ">\n  a +\n  b = c\n\n  d\n    e\n",
        "|\n  z[i] =\n    x[i]\n\n  y\n",
        "|2-\n    a\n  b\n",
        "&anchor 'a''b'",
        "&anchor x̄ + ŷ   # a comment",
        ">-\r\n  a\r\n  b\r\n",
    ],
)
def test_every_character_of_a_scalar_is_found_in_the_file(text: str) -> None:
    whole = f"title: é 𝒳 x̄\nkey: {text}\n"
    node = read(whole)
    assert isinstance(node, Table)
    scalar = node.get("key")
    assert isinstance(scalar, Scalar)
    offsets_are_exact(whole, scalar)


def test_escapes_map_to_their_backslash() -> None:
    text = 'key: "a\\u0041\\x42\\n\\\\c"'
    node = read(text)
    assert isinstance(node, Table)
    scalar = node.get("key")
    assert isinstance(scalar, Scalar)
    assert scalar.text == "aAB\n\\c"
    assert scalar.source.offsets == (6, 7, 13, 17, 19, 21, 22)


FORMULA = st.text(alphabet="ab[],'\"#:= \\\n+x̄∂ᵀ𝒳|>-", min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(FORMULA, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(20, 60))
def test_offsets_of_whatever_a_yaml_writer_writes(formula: str, style: str | None, width: int) -> None:
    text = yaml.dump({"key": formula}, default_style=style, allow_unicode=True, width=width)
    node = read(text)
    assert isinstance(node, Table)
    scalar = node.entries[0][1]
    assert isinstance(scalar, Scalar)
    assert scalar.text == formula
    offsets_are_exact(text, scalar, "\\")


def test_a_caret_stands_under_the_character_in_quotes() -> None:
    source = Source("s.yaml", "chain:\n  - step: 'C''(y) = w̄'\n")
    node, _ = parsed(source)
    assert isinstance(node, Table)
    chain = node.get("chain")
    assert isinstance(chain, Items)
    table = chain.items[0]
    assert isinstance(table, Table)
    step = table.get("step")
    assert isinstance(step, Scalar)
    span = step.source.span(step.text.index("="), step.text.index("=") + 1)
    assert (span.line, span.column) == (2, 19)


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "[\n", "{a: "])
def test_nesting_is_bounded_before_anything_is_built(opening: str) -> None:
    assert code("a: " * (opening == "[") + opening * 200_000) in ("too-deep", "yaml")
    assert code(opening * (MAX_DEPTH + 1)) in ("too-deep", "yaml")


def test_aliases_cannot_multiply_beyond_the_limit() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    assert code("\n".join(lines)) == "too-large"


def test_an_alias_is_the_node_it_names() -> None:
    assert value(read("a: &s [m, n]\nb: *s\n")) == {"a": ["m", "n"], "b": ["m", "n"]}


def test_the_parser_in_python_gives_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    text = textwrap.dedent("""\
        chain:
          - 'C''(ȳ)'
          - >-
            a +
            b
        """)

    def places(node: Node | None) -> list[Any]:
        assert isinstance(node, Table)
        chain = node.get("chain")
        assert isinstance(chain, Items)
        return [item.source.offsets for item in chain.items if isinstance(item, Scalar)]

    first = places(read(text))
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert places(read(text)) == first
    assert code("- @x") == "yaml"
    assert code("[" * 2000) == "too-deep"
