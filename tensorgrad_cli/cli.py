"""The commands and their options. No logic: what they do lives in the other rooms, imported when asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tensorgrad_cli.source import Issue, Source
    from tensorgrad_cli.spec.model import Spec
    from tensorgrad_cli.verify.verdict import Problem, Report, SpecReport

__all__ = ["ExitStatus", "main"]

CONTEXT = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "TENSORGRAD"}
FORMATS = ("text", "json")
NOTATIONS = ("text", "ascii", "latex", "einsum", "matrix")


class ExitStatus(IntEnum):
    """0: every check is as expected. 1: some check is not. 2: a spec that cannot be read, a wrong call, or
    nothing to check. 3: two of our own methods disagree, or a check crashed. 130: interrupted."""

    PASS = 0
    FAIL = 1
    ERROR = 2
    INTERNAL = 3
    INTERRUPTED = 130


def main() -> None:
    """The entry point: like click's own, but an interrupt exits with 130."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        status = ExitStatus.INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        status = ExitStatus.PASS
    sys.exit(int(status or 0))


@click.group(context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(package_name="tensorgrad-cli", prog_name="tensorgrad")
@click.pass_context
def cli(context: click.Context) -> None:
    """Check derivations: index-notation derivatives of a chain, proved and checked by finite differences.

    \b
    tensorgrad check specs/rank4_question.yaml
    tensorgrad check specs/mlp.yaml --claim '∂cost/∂w = xᵀ (y - t)'
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("paths", nargs=-1, metavar="[SPEC|FOLDER]…")
@click.option(
    "--claim", "claims", multiple=True, metavar="EQUATION", help="Check this claim too; repeatable."
)
@click.option(
    "--layout",
    type=click.Choice(["numerator", "denominator"]),
    help="How index-free derivatives are laid out.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write a file too, the format by its suffix, or -o json:FILE; repeatable.",
)
@click.option("-q", "--quiet", count=True, help="Only what fails; twice: nothing but the exit status.")
@click.option("-v", "--verbose", count=True, help="Numbers of each check; twice: times.")
@click.option("--seed", type=int, help="The seed of all draws.")
@click.option(
    "--color",
    "--colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour the text.",
)
@click.option("--stdin-name", default="<stdin>", metavar="PATH", help="The path of a spec read from -.")
def check(
    paths: tuple[str, ...],
    claims: tuple[str, ...],
    layout: str | None,
    format_: str,
    outputs: tuple[str, ...],
    quiet: int,
    verbose: int,
    seed: int | None,
    color: str,
    stdin_name: str,
) -> int:
    """Check specs: every step, gradient, claim and derivation in them.

    A folder stands for all .yaml and .yml files in it; - is standard input.
    """
    targets = [_target(output) for output in outputs]
    report = _checked(list(_sources(paths, stdin_name)), claims, layout, seed)
    if format_ == "json":
        from tensorgrad_cli.report import json

        _write(json.render(report))
    else:
        from tensorgrad_cli.report import text

        text.write(report, sys.stdout, verbosity=verbose - quiet, colour=_coloured(color))
    for kind, path in targets:
        _save(report, kind, path)
    return _status(report)


@cli.command()
@click.argument("paths", nargs=-1, metavar="[SPEC|FOLDER]…")
@click.option(
    "--as", "notation", type=click.Choice(NOTATIONS), default="text", show_default=True, help="The notation."
)
@click.option(
    "--layout",
    type=click.Choice(["numerator", "denominator"]),
    help="How index-free derivatives are laid out.",
)
@click.option("--stdin-name", default="<stdin>", metavar="PATH", help="The path of a spec read from -.")
def show(paths: tuple[str, ...], notation: str, layout: str | None, stdin_name: str) -> int:
    """Print the formulas of specs: steps, derivatives, pullbacks, gradients. Nothing is evaluated."""
    from tensorgrad_cli.verify.show import formulas

    status = ExitStatus.PASS
    found = False
    for path, source in _sources(paths, stdin_name):
        spec, issues = _read(path, source, layout, load_data=False)
        for issue in issues:
            click.echo(issue.rendered(path), err=True)
            status = ExitStatus.ERROR
        if spec is None:
            continue
        found = True
        for line in formulas(spec, notation):
            _write(line + "\n")
    return status if found else ExitStatus.ERROR


@cli.command()
@click.argument("subject", metavar="SPEC|CODE")
@click.argument("id_", required=False, metavar="[ID]")
@click.option("--seed", type=int, help="The seed of all draws.")
def explain(subject: str, id_: str | None, seed: int | None) -> int:
    """Explain one check of a spec in full, or an error code."""
    from tensorgrad_cli.verify.explain import explain_check, explain_code

    if id_ is None:
        text = explain_code(subject)
        if text is None:
            raise click.UsageError(f"{subject} is no error code; for a check: tensorgrad explain SPEC ID")
        _write(text + "\n")
        return ExitStatus.PASS
    spec, issues = _read(subject, None, None)
    for issue in issues:
        click.echo(issue.rendered(subject), err=True)
    if spec is None:
        return ExitStatus.ERROR
    text = explain_check(spec, id_, seed)
    if text is None:
        raise click.UsageError(f"{subject} has no check {id_}")
    _write(text + "\n")
    return ExitStatus.PASS


def _sources(paths: tuple[str, ...], stdin_name: str) -> Iterator[tuple[str, Source | None]]:
    """The specs that some paths stand for: a folder its YAML files, - standard input."""
    if not paths:
        raise click.UsageError("name a spec, a folder of specs, or - for standard input")
    for path in paths:
        if path == "-":
            from tensorgrad_cli.source import Source

            if sys.stdin.isatty():
                click.echo("reading a spec from the terminal; end it with Ctrl-D", err=True)
            text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
            yield stdin_name, Source(stdin_name, text)
        elif Path(path).is_dir():
            found = sorted(p for p in Path(path).iterdir() if p.suffix in (".yaml", ".yml"))
            yield from ((str(p), None) for p in found)
        else:
            yield path, None


def _read(
    path: str, source: Source | None, layout: str | None, load_data: bool = True
) -> tuple[Spec | None, tuple[Issue, ...]]:
    from msgspec.structs import replace

    from tensorgrad_cli.spec.read import read, read_path

    spec, issues = (
        read_path(path, load_data=load_data) if source is None else read(source, load_data=load_data)
    )
    if spec is not None and layout is not None:
        spec = replace(spec, layout=layout, scope=replace(spec.scope, layout=layout))
    return spec, issues


def _checked(
    sources: Iterable[tuple[str, Source | None]],
    claims: tuple[str, ...],
    layout: str | None,
    seed: int | None,
) -> Report:
    from tensorgrad_cli.verify.run import DEFAULT_SEED, check_spec, problem_of, report_of, unreadable

    started = time.perf_counter()
    specs: list[SpecReport] = []
    problems: list[Problem] = []
    progress = _Progress()
    used = seed
    for path, source in sources:
        spec, issues = _read(path, source, layout)
        problems += [problem_of(issue, path) for issue in issues]
        if spec is None:
            specs.append(unreadable(path))
            continue
        if used is None:
            used = spec.check.seed
        specs.append(check_spec(spec, seed, claims, lambda what, path=path: progress.say(path, what)))
    progress.clear()
    return report_of(specs, problems, DEFAULT_SEED if used is None else used, time.perf_counter() - started)


class _Progress:
    """What runs, on standard error, if it is a terminal and the work is not short; gone when done."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.shown = False
        self.wanted = sys.stderr.isatty()

    def say(self, path: str, what: str) -> None:
        if self.wanted and time.monotonic() - self.started > 0.5:
            sys.stderr.write(f"\r\x1b[K{path} · {what}")
            sys.stderr.flush()
            self.shown = True

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _status(report: Report) -> int:
    if report.internal:
        return ExitStatus.INTERNAL
    if report.verdict == "error" or not any(spec.checks for spec in report.specs):
        return ExitStatus.ERROR
    return ExitStatus.PASS if report.verdict == "pass" else ExitStatus.FAIL


def _target(output: str) -> tuple[str, Path]:
    """The format and the path of an -o option."""
    kind, colon, rest = output.partition(":")
    if colon and kind in FORMATS:
        return kind, Path(rest)
    suffix = Path(output).suffix
    by_suffix = {".json": "json", ".txt": "text"}
    if suffix not in by_suffix:
        raise click.UsageError(
            f"-o {output}: no format for {suffix or 'a name without suffix'}; write -o json:{output}"
        )
    return by_suffix[suffix], Path(output)


def _save(report: Report, kind: str, path: Path) -> None:
    from tensorgrad_cli.report import json, text

    content = json.render(report) if kind == "json" else text.render(report)
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None
    click.echo(f"wrote {path}", err=True)


def _coloured(choice: str) -> bool:
    import os

    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        buffer: Any = sys.stdout.buffer
        buffer.write(text.encode("utf-8"))
