"""The commands and their options. No logic: what they do lives in the other rooms, imported when asked for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

import click

from tensorgrad_cli.terminal import (
    Progress,
    coloured,
    encodes,
    piped,
    put,
    width_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tensorgrad_cli.source import Issue, Source
    from tensorgrad_cli.verify.checking_apart import Checker
    from tensorgrad_cli.verify.prepared import Options
    from tensorgrad_cli.verify.verdict import Problem, Report, SpecReport

__all__ = ["ExitStatus", "cli", "run"]

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "auto_envvar_prefix": "TENSORGRAD",
    "max_content_width": 100,
}
FORMATS = ("text", "json")
# Where this is set, a crash shows its traceback: `-vv` sets it.
TRACEBACK = "TENSORGRAD_TRACEBACK"
NOTATIONS = ("text", "ascii", "latex", "einsum", "matrix")


class ExitStatus(IntEnum):
    """What the exit status says; of several specs the highest wins.

    0: every check is as expected. 1: some check is not. 2: a spec that cannot be read, a wrong call, or
    nothing to check. 3: two of our own methods disagree, or a check crashed. 130: interrupted.
    """

    PASS = 0
    FAIL = 1
    ERROR = 2
    INTERNAL = 3
    INTERRUPTED = 130


def run(apart: Checker | None = None) -> int:
    """The command that was given, like click's own; `apart` is another process that checks. The exit status."""
    try:
        status = cli.main(standalone_mode=False, obj=apart)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return ExitStatus.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitStatus.ERROR
    except OSError as error:
        click.echo(f"cannot write: {error.strerror or error}", err=True)
        return ExitStatus.ERROR
    finally:
        if apart is not None:
            apart.close()
    return int(status or 0)


_layout = click.option(
    "--layout",
    type=click.Choice(["numerator", "denominator"]),
    help="The order of a tensor-by-tensor derivative written without indices.",
)
_stdin_name = click.option(
    "--stdin-name", default="<stdin>", metavar="PATH", help="What to call a spec that is read from -."
)
_seed = click.option("--seed", type=click.IntRange(min=0), help="The seed of all draws.")
_paths = click.argument("paths", nargs=-1, metavar="[SPEC|FOLDER]…")


@click.group(context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(package_name="tensorgrad-cli", prog_name="tensorgrad")
@click.pass_context
def cli(context: click.Context) -> None:
    """Check derivations: every derivative of a chain in index notation, and what you claim of it, proved or
    refuted.

    \b
    Examples:
      tensorgrad check specs/rank4_question.yaml
      tensorgrad check specs/mlp.yaml --claim '∂cost/∂b3[j] = sum[i] ∂cost/∂y[i,j]'
      tensorgrad show specs/attention.yaml --as latex
      tensorgrad explain specs/mlp.yaml claim:7
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@_paths
@click.option("--claim", "claims", multiple=True, metavar="EQUATION", help="Check this too; repeatable.")
@_layout
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
    help="Write a file too, the format by its suffix or as in json:FILE; repeatable.",
)
@click.option("-q", "--quiet", count=True, help="Only what fails; twice: nothing but the exit status.")
@click.option("-v", "--verbose", count=True, help="How each check was read and decided; twice: times too.")
@_seed
@click.option(
    "--color",
    "--colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour the text.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes check a spec; as many as there are cores where arrays are small.",
)
@click.option("--allow-python", is_flag=True, help="Run the code that `implementations` name.")
@_stdin_name
@click.pass_obj
def check(
    apart: Checker | None,
    paths: tuple[str, ...],
    claims: tuple[str, ...],
    layout: str | None,
    format_: str,
    outputs: tuple[str, ...],
    quiet: int,
    verbose: int,
    seed: int | None,
    color: str,
    jobs: int | None,
    allow_python: bool,
    stdin_name: str,
) -> int:
    """Check specs: every step, gradient, claim and derivation in them.

    A folder stands for the .yaml and .yml files in it; - is standard input. Exit status: 0 all is as
    expected; 1 some check is not; 2 a spec cannot be read, or there is nothing to check; 3 a bug of ours; of
    several specs the highest.
    """
    targets = [_target(output) for output in outputs]
    if verbose >= 2:
        os.environ[TRACEBACK] = "1"
    # Before the check: another process is still importing then.
    from tensorgrad_cli.report import json, text
    from tensorgrad_cli.verify.prepared import Options

    options = Options(claims, seed, allow_python, jobs)
    report = _checked(_sources(paths, stdin_name), layout, options, apart if jobs != 1 else None)
    if format_ == "json":
        put(json.render(report))
    else:
        colour, width = coloured(color, sys.stdout), width_of(sys.stdout)
        with piped():
            text.write(report, sys.stdout, verbosity=verbose - quiet, colour=colour, width=width)
    for kind, path in targets:
        _save(report, kind, path)
    return _status(report)


@cli.command()
@_paths
@click.option("--as", "notation", type=click.Choice(NOTATIONS), help="The notation; text by default.")
@_layout
@_stdin_name
def show(paths: tuple[str, ...], notation: str | None, layout: str | None, stdin_name: str) -> int:
    """Print the formulas of specs: steps, derivatives, pullbacks, gradients. Nothing is evaluated."""
    from tensorgrad_cli.spec.read import read_source
    from tensorgrad_cli.verify.show import formulas

    if notation is None:
        notation = "text" if encodes(sys.stdout) else "ascii"
    status, first = ExitStatus.PASS, True
    for path, source in _sources(paths, stdin_name):
        spec, issues = read_source(source, layout, load_data=False)
        for issue in issues:
            click.echo(issue.rendered(path), err=True)
        if spec is None:
            status = ExitStatus.ERROR
            continue
        put("".join(line + "\n" for line in ([] if first else [""]) + list(formulas(spec, notation))))
        first = False
    return status


@cli.command()
@click.argument("subject", metavar="SPEC|CODE")
@click.argument("id_", required=False, metavar="[ID]")
@_seed
@_layout
@_stdin_name
def explain(subject: str, id_: str | None, seed: int | None, layout: str | None, stdin_name: str) -> int:
    """Explain one check of a spec in full, or the code of an error.

    \b
    tensorgrad explain specs/mlp.yaml claim:7
    tensorgrad explain shape-mismatch
    """
    if id_ is None and subject != "-" and not os.path.exists(subject):
        from tensorgrad_cli.verify.codes import explain_code, near_codes

        text = explain_code(subject)
        if text is None:
            meant = near_codes(subject)
            did = f" Did you mean {_or(meant)}?" if meant else " For a check: tensorgrad explain SPEC ID"
            raise click.UsageError(f"{subject} is neither the code of an error nor a spec.{did}")
        put(text)
        return ExitStatus.PASS
    from tensorgrad_cli.spec.read import read_source
    from tensorgrad_cli.verify.explain import check_ids, explain_check, near_ids

    ((path, source),) = _sources((subject,), stdin_name, folders=False)
    spec, issues = read_source(source, layout)
    for issue in issues:
        click.echo(issue.rendered(path), err=True)
    if spec is None:
        return ExitStatus.ERROR
    text = explain_check(spec, id_, seed) if id_ is not None else None
    if text is None:
        near = near_ids(spec, id_) if id_ is not None else []
        said = f"{path} has no check {id_}." if id_ is not None else f"Which check of {path}?"
        offer = f"Did you mean {_or(near)}?" if near else f"It has {', '.join(check_ids(spec)) or 'none'}."
        raise click.UsageError(f"{said} {offer}")
    put(text)
    return ExitStatus.PASS


@cli.command()
@click.argument("path", metavar="SPEC")
@click.option("-o", "--output", required=True, metavar="FILE.npz", help="Where to write the arrays.")
@_seed
@_layout
@_stdin_name
def export(path: str, output: str, seed: int | None, layout: str | None, stdin_name: str) -> int:
    """Write the inputs that are drawn for a spec, and the derivatives expected at them, to an .npz file.

    The tensors stand under their names, the derivatives under loss/tensor: what `data` and `gradients` read.
    """
    from pathlib import Path

    from tensorgrad_cli.spec.read import read_source

    if Path(output).suffix != ".npz":
        raise click.UsageError(f"-o {output}: the arrays go to an .npz file")
    ((name, source),) = _sources((path,), stdin_name, folders=False)
    spec, issues = read_source(source, layout)
    for issue in issues:
        click.echo(issue.rendered(name), err=True)
    if spec is None:
        return ExitStatus.ERROR
    from tensorgrad_cli.verify.export import exported, write_npz

    arrays = exported(spec, seed)
    try:
        write_npz(arrays, Path(output))
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from None
    click.echo(f"wrote {output}: {', '.join(arrays)}", err=True)
    return ExitStatus.PASS


def _or(names: list[str]) -> str:
    return " or ".join(", ".join(names).rsplit(", ", 1))


def _sources(
    paths: tuple[str, ...], stdin_name: str, folders: bool = True
) -> Iterator[tuple[str, Source | Issue]]:
    """The specs that some paths stand for: a folder its YAML files, - standard input. Each is read when its turn comes."""
    from tensorgrad_cli.spec.read import source_at

    if not paths:
        raise click.UsageError("name a spec, a folder of specs, or - for standard input")
    if paths.count("-") > 1:
        raise click.UsageError("standard input, -, can be read only once")
    for path in paths:
        if path == "-":
            yield stdin_name, _standard_input(stdin_name)
        elif folders and os.path.isdir(path):
            found = sorted(n for n in os.listdir(path) if os.path.splitext(n)[1] in (".yaml", ".yml"))
            if not found:
                click.echo(f"{path}: no .yaml or .yml file in this folder", err=True)
            inside = (os.path.normpath(os.path.join(path, name)) for name in found)
            yield from ((name, source_at(name)) for name in inside)
        else:
            yield path, source_at(path)


def _standard_input(name: str) -> Source | Issue:
    from tensorgrad_cli.source import Issue, Source
    from tensorgrad_cli.spec.read import decoded

    if sys.stdin.isatty():
        click.echo("reading a spec from the terminal; end it with Ctrl-D", err=True)
    try:
        return Source(name, decoded(sys.stdin.buffer.read(), name))
    except Issue as issue:
        return issue


def _checked(
    sources: Iterable[tuple[str, Source | Issue]],
    layout: str | None,
    options: Options,
    apart: Checker | None,
) -> Report:
    started = time.perf_counter()
    from msgspec.structs import replace

    from tensorgrad_cli.spec.read import read_source
    from tensorgrad_cli.verify.prepare import outcome_of
    from tensorgrad_cli.verify.reports import DEFAULT_SEED, problem_of, report_of, unreadable

    specs: list[SpecReport] = []
    problems: list[Problem] = []
    progress = Progress()
    used = options.seed
    crashed = False
    for path, source in sources:
        read, say = partial(read_source, source, layout), partial(progress.say, path)
        try:
            found = apart.check(read, options, say) if apart is not None else None
            if found is None:
                # NumPy, above all.
                from tensorgrad_cli.verify.run import checked

                found = checked(outcome_of(read, options.claims), options, say)
            problems += [problem_of(issue, path) for issue in found.issues]
            specs.append(found.report or unreadable(path))
            used = found.seed if used is None else used
        except Exception as error:
            crashed = crashed or not isinstance(error, MemoryError)
            problems.append(problem_of(_crash(error), path))
            specs.append(unreadable(path))
    progress.clear()
    seconds = time.perf_counter() - started
    report = report_of(specs, problems, DEFAULT_SEED if used is None else used, seconds)
    return replace(report, internal=True) if crashed else report


def _crash(error: Exception) -> Issue:
    """What is said of a spec whose check crashed as a whole, before or between its checks."""
    import traceback

    from tensorgrad_cli.source import Issue

    if isinstance(error, MemoryError):
        return Issue("too-large", None, f"too large to evaluate: {error}", "give smaller sizes in `dims`")
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Issue("internal", None, f"a bug of ours, please report it with the spec: {said}")


def _status(report: Report) -> int:
    if report.internal:
        return ExitStatus.INTERNAL
    if report.verdict == "error" or not all(spec.checks for spec in report.specs):
        return ExitStatus.ERROR
    return ExitStatus.PASS if report.verdict == "pass" else ExitStatus.FAIL


def _target(output: str) -> tuple[str, Path]:
    """The format and the path of an -o option."""
    from pathlib import Path

    kind, colon, rest = output.partition(":")
    path = Path(rest if colon and kind in FORMATS else output)
    by_suffix = {".json": "json", ".txt": "text"}
    if not (colon and kind in FORMATS):
        if len(kind) > 1 and kind.isalpha() and colon:  # one letter is a drive
            raise click.UsageError(f"-o {output}: {kind} is no format; it is one of {', '.join(FORMATS)}")
        if path.suffix not in by_suffix:
            ending = f"the suffix {path.suffix}" if path.suffix else "a name without suffix"
            raise click.UsageError(f"-o {output}: no format for {ending}; write -o json:{output}")
        kind = by_suffix[path.suffix]
    if not path.name or path.is_dir():
        raise click.UsageError(f"-o {output}: that is a folder")
    if not path.parent.is_dir():
        raise click.UsageError(f"-o {output}: there is no folder {path.parent}")
    return kind, path


def _save(report: Report, kind: str, path: Path) -> None:
    from tensorgrad_cli.report import json, text

    content = json.render(report) if kind == "json" else text.render(report)
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None
    click.echo(f"wrote {path}", err=True)
