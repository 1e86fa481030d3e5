"""Every block of the README is run: its specs pass, its commands exist, its make targets too."""

import re
from pathlib import Path

from click.testing import CliRunner

from tensorgrad_cli.cli import cli
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.run import check_spec

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, flags=re.DOTALL)


def passes(text: str) -> None:
    spec, issues = read(Source("README.md", text))
    assert spec is not None, [issue.rendered() for issue in issues]
    report = check_spec(spec)
    assert report.verdict == "pass", [(c.id, c.verdict, c.message) for c in report.checks if not c.passed]


def test_the_first_spec_and_its_derivation() -> None:
    first, derivation = blocks("yaml")
    passes(first)
    passes(first + derivation)


def test_commands() -> None:
    commands = [
        line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")
    ]
    assert commands
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands:
        program, *words = command.split()
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, flags=re.MULTILINE), command
        else:
            assert program.endswith("tensorgrad"), command
            result = CliRunner().invoke(cli, [words[0], "--help"])
            assert result.exit_code == 0, command


def test_the_added_claim(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    claim = re.search(r"--claim '(.*?)'", README)
    assert claim is not None
    path = str(tmp_path / "first.yaml")
    result = CliRunner().invoke(cli, ["check", path, "--claim", claim[1]], standalone_mode=False)
    assert result.return_value == 0, result.output
