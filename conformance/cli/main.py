"""The command line: every command calls a package of the project.

Only typer is imported here; what a command needs is imported by the command, so that ``--help``
is instant.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from conformance import __version__
from conformance.cli import nnc as cli_nnc
from conformance.cli.app import App, say
from conformance.text import one_line

app = App(
    name="nnr-conformance",
    help="Conformance suite for compressed neural networks (MPEG NNR / NNC, ISO/IEC 15938-17).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cli_nnc.app, name="nnc")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Submission folder.")]
Memory = cli_nnc.Memory
Seconds = cli_nnc.Seconds


def main() -> None:
    """Run the command line; what is wrong with the user's material is one screen, no traceback."""
    from conformance.verdicts import (
        CaseTimeoutError,
        ConformanceError,
        EvaluationError,
        ExitCode,
    )

    try:
        app(prog_name="nnr-conformance")
    except (EvaluationError, CaseTimeoutError) as error:
        # The worker died, or was too slow: whatever it read is at fault, not how it was called.
        _end(str(error), ExitCode.FAIL)
    except ConformanceError as error:
        _end(str(error), ExitCode.USAGE)
    except OSError as error:
        place = one_line(f"{error.filename}: ") if error.filename else ""
        fix = "  fix       correct the path, or make it readable and writable"
        _end(f"{place}{error.strerror or error}\n{fix}", ExitCode.USAGE)


def _end(text: str, code: int) -> NoReturn:
    say(f"error: {text}", err=True)
    sys.exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"nnr-conformance {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version."),
    ] = False,
) -> None:
    """Conformance suite for compressed neural networks (MPEG NNR / NNC, ISO/IEC 15938-17)."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR... [OPTIONS OF PYTEST]", help="Submission folders."),
    ],
    report: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(
            metavar="DIR",
            help="Where reports go (default: reports; next to the submission if started in it).",
        ),
    ] = None,
    only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="CHECK:SUBJECT",
            help="Make this finding alone, as the report names it; may be repeated. "
            "Its report goes to the folder `selected`.",
        ),
    ] = None,
) -> None:
    """Judge submissions: decode, infer, measure, compare, report.

    Options that are not listed here go after the folders, and on to pytest: -n auto, -k, -x, --lf,
    --waivers FILE, --no-cache, --case-timeout SECONDS, --memory-limit MIB, --keep-outputs MIB.
    The exit code is the verdict: 0 pass, 1 fail, 2 usage or unreadable submission, 3 incomplete,
    4 internal error.
    """
    from conformance.cli.commands import run_suites

    raise typer.Exit(run_suites([*folders, *context.args], report, only or []))


@app.command()
def check(
    folder: Folder,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Recompute sizes, sums of sizes and hashes; keeps a backup."),
    ] = False,
) -> None:
    """Look at the metadata and files only: seconds instead of a whole run."""
    from conformance.cli.commands import check_metadata, fix_metadata

    if fix:
        say(fix_metadata(folder))
    text, code = check_metadata(folder)
    say(text)
    raise typer.Exit(code)


@app.command()
def describe(
    model: Annotated[Path, typer.Argument(help="A network: its first file, or folder.")],
    model_format: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--format", help="Model format, if the name of the file does not imply it."),
    ] = None,
    memory: Memory = None,
    seconds: Seconds = cli_nnc.LONGEST,
) -> None:
    """List inputs, outputs and parameters of a network: the names for vectors and samples."""
    from conformance.cli.asking import limits_for
    from conformance.cli.commands import description_of

    say(description_of(model, model_format, limits_for(memory, seconds)))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New submission folder.")],
    model: Annotated[Path, typer.Option(help="The original network: its first file, or folder.")],
    inputs: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option("--input", help="Input vectors: .npz, .safetensors or .pb; may be repeated."),
    ] = None,
    targets: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option("--target", help="Targets of the vectors; may be repeated."),
    ] = None,
    outputs: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option("--output", help="Expected outputs of the original; may be repeated."),
    ] = None,
    samples: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option("--sample", help="A compressed sample; may be repeated."),
    ] = None,
    model_format: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--format", help="Model format, if the name of the file does not imply it."),
    ] = None,
    memory: Memory = None,
    seconds: Seconds = cli_nnc.LONGEST,
) -> None:
    """Start a submission folder from a network and its vectors; lists what is left to fill in."""
    from conformance.cli.asking import limits_for
    from conformance.cli.commands import init_submission

    arrays = (inputs or [], targets or [], outputs or [])
    limits = limits_for(memory, seconds)
    say(init_submission(folder, model, *arrays, samples or [], model_format, limits))


@app.command()
def schema(
    name: Annotated[Optional[str], typer.Argument(help="Schema to print.")] = None,  # noqa: UP045
) -> None:
    """Print a JSON schema, or the names of all of them."""
    from conformance.cli.commands import schema_text

    say(schema_text(name))


@app.command()
def checks() -> None:
    """List every check: id, what it is about, and its title."""
    from conformance.checks import CHECKS

    for entry in CHECKS:
        say(f"{entry.id:<24}  {entry.over:<14}  {entry.title}")


@app.command()
def digest(
    file: Annotated[Path, typer.Argument(help="A .safetensors, .npz or .pb file of tensors.")],
    memory: Memory = None,
    seconds: Seconds = cli_nnc.LONGEST,
) -> None:
    """Print the digest of every tensor in a file, as claims.tensor_digests wants them."""
    from conformance.cli.asking import limits_for
    from conformance.cli.commands import digests_of

    say(digests_of(file, limits_for(memory, seconds)))


@app.command()
def measure(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a sample or model.")],
    memory: Memory = None,
    seconds: Seconds = cli_nnc.LONGEST,
) -> None:
    """Print what a sample or model truly is, as JSON to be pasted into its claims or values."""
    from conformance.cli.asking import limits_for
    from conformance.cli.measure import true_claims

    say(true_claims(folder, name, limits_for(memory, seconds)))


@app.command("compare-runtimes")
def compare_runtimes(
    folder: Folder, memory: Memory = None, seconds: Seconds = cli_nnc.LONGEST
) -> None:
    """Compare what a network gives in all its formats: outputs, metrics, the noise floor.

    Vector sets say in `equivalent_to` which others they equal. Exit code: 0 all agree, 1 some do
    not, 3 something could not be run.
    """
    from conformance.cli.asking import limits_for
    from conformance.cli.compare_runtimes import compare_runtimes

    text, code = compare_runtimes(folder, limits_for(memory, seconds))
    say(text)
    raise typer.Exit(code)


@app.command()
def localise(
    folder: Folder,
    sample: Annotated[str, typer.Argument(help="Id of a lossy sample of tensors.")],
    metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Id of the metric (default: the first the sample is judged by)."),
    ] = None,
    search: Annotated[
        float,
        typer.Option("--seconds", min=0, help="Time limit; what was found by then is shown."),
    ] = 600.0,
    memory: Memory = None,
    seconds: Seconds = cli_nnc.LONGEST,
) -> None:
    """Find the parameters that carry the loss: swap groups of them, and halve what matters."""
    from conformance.cli.asking import limits_for
    from conformance.cli.localise import localise_loss

    def tell(text: str) -> None:
        say(one_line(text), err=True)

    limits = limits_for(memory, seconds)
    say(localise_loss(folder, sample, limits, metric=metric, seconds=search, tell=tell))


@app.command()
def render(
    report: Annotated[Path, typer.Argument(help="A report.json.")],
    to: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for the rendered reports (default: next to report.json)."),
    ] = None,
) -> None:
    """Render a report.json again: HTML, Markdown and JUnit XML."""
    from conformance.cli.commands import render_report

    say(render_report(report, to or report.parent))
