"""The commands of ``nnr-conformance nnc``: looking into NNC bitstreams, and decoding them.

Like :mod:`conformance.cli.main` it imports only typer; the commands import what they need.
Streams are read by a worker under limits, never in this process. The exit code is 0 where all is
well, 1 where the stream breaks a rule or the worker did not survive it, 2 where a file cannot be
read or the call is wrong, and 3 where the stream holds what this decoder has no rule for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from conformance.cli.app import App, say

app = App(
    help="Look into NNC bitstreams (ISO/IEC 15938-17): inspect, validate, decode.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

LONGEST = 600.0
"""Seconds that a command may take, unless others are given."""

_DIALECTS = ("nncodec-2", "nncodec-1.0")
_MOST_DIMENSIONS = 16 << 20
_DECODED = "decoded.npz"

File = Annotated[Path, typer.Argument(metavar="FILE", help="An NNC bitstream.")]
After = Annotated[
    Optional[list[Path]],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--after", help="A stream before this one in its update chain; may be repeated."),
]
Dialect = Annotated[
    str, typer.Option("--dialect", help="nncodec-2, or nncodec-1.0 for streams of NNCodec 1.0.")
]
Dimensions = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--dimensions", help='Shapes that are not in the stream: {"name": [64, 3]}.'),
]
Memory = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--memory-limit",
        metavar="MIB",
        min=1,
        help="Address space for reading files (default: three quarters of the memory).",
    ),
]
Seconds = Annotated[
    float,
    typer.Option("--case-timeout", metavar="SECONDS", min=1, help="Time for reading files."),
]
UnaryLength = Annotated[
    int,
    typer.Option(
        "--cabac-unary-length", min=1, max=256, help="For units that do not state theirs."
    ),
]


@app.command()
def inspect(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    as_tree: Annotated[
        bool, typer.Option("--tree", help="The structure, with the condition of every element.")
    ] = False,
    unit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--unit", help="Only the unit of this number, with all of its elements."),
    ] = None,
    bits: Annotated[bool, typer.Option("--bits", help="Raw bits of every element.")] = False,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
    memory: Memory = None,
    seconds: Seconds = LONGEST,
) -> None:
    """Show every unit, element and tensor of a stream; of a damaged one all up to the damage.

    Places are byte.bit from the start of the file: 66.3 is the fourth bit of byte 66.
    """
    if as_json and as_tree:
        raise typer.BadParameter("--json and --tree are two forms: choose one")
    stream = _stream(file, after, dialect, dimensions, cabac_unary_length)
    question = {**stream, "json": as_json, "tree": as_tree, "unit": unit, "bits": bits}
    _answer("nnc-inspect", question, memory, seconds)


@app.command()
def validate(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
    memory: Memory = None,
    seconds: Seconds = LONGEST,
) -> None:
    """Compare a stream with every rule; each violation says what, where, and how to see it.

    The exit code is 1 for violations, 0 without (warnings do not count), 3 if not all could be
    checked.
    """
    import shlex

    stream = _stream(file, after, dialect, dimensions, cabac_unary_length)
    question = {**stream, "json": as_json, "quoted": shlex.quote(str(file))}
    _answer("nnc-validate", question, memory, seconds)


@app.command()
def features(
    file: File,
    as_json: Annotated[
        bool, typer.Option("--json", help="Features and claims as one JSON document.")
    ] = False,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
    memory: Memory = None,
    seconds: Seconds = LONGEST,
) -> None:
    """List the tools that a stream uses, one a line, as samples declare them."""
    stream = _stream(file, after, dialect, dimensions, cabac_unary_length)
    _answer("nnc-features", {**stream, "json": as_json}, memory, seconds)


@app.command()
def decode(
    file: File,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The .npz file to write; with --tensor it may be left out."),
    ] = None,
    tensor: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--tensor", help="Only this tensor: payloads of others are not read."),
    ] = None,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
    apply_local_scaling: Annotated[
        bool, typer.Option("--apply-local-scaling", help="Multiply weights by their scaling.")
    ] = False,
    multiply_decomposition: Annotated[
        bool, typer.Option("--multiply-decomposition", help="Replace G and H by their product.")
    ] = False,
    memory: Memory = None,
    seconds: Seconds = LONGEST,
) -> None:
    """Decode a stream into an .npz file, one array for each tensor.

    After earlier streams of an update chain, what is written is the difference to them. With
    --tensor it is said how much of the file was read.
    """
    if output is None and tensor is None:
        raise typer.BadParameter("say where the tensors go", param_hint="--output")
    if output is not None and output.suffix != ".npz":
        raise typer.BadParameter("the output is an .npz file", param_hint="--output")
    if tensor is not None and after:
        raise typer.BadParameter("a tensor alone is decoded from one stream", param_hint="--after")
    if output is not None and not output.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(output))
    question = {
        **_stream(file, after, dialect, dimensions, cabac_unary_length),
        "tensor": tensor,
        "write": output is not None,
        "values": {
            "apply_local_scaling": apply_local_scaling,
            "multiply_decomposition": multiply_decomposition,
        },
    }
    _answer("nnc-decode", question, memory, seconds, output)


@app.command("warm-up")
def warm_up() -> None:
    """Compile the kernels of the decoder, once after installation; say how long it took."""
    from time import perf_counter

    from conformance.nnc.cabac.decoding import warm_up as compile_kernels
    from conformance.nnc.cabac.jit import is_compiled

    start = perf_counter()
    known = is_compiled()
    compile_kernels()
    what = "are compiled already; loaded" if known else "compiled"
    _print([f"The kernels of the NNC decoder {what} in {perf_counter() - start:.1f} s"])


def _stream(
    file: Path,
    after: Sequence[Path] | None,
    dialect: str,
    dimensions: Path | None,
    cabac_unary_length: int,
) -> dict[str, Any]:
    """Return what a question says of a stream; an OSError if one of the files is not there."""
    from conformance.cli.asking import require_files

    if dialect not in _DIALECTS:
        raise typer.BadParameter(f"one of {', '.join(_DIALECTS)}", param_hint="--dialect")
    require_files([file, *(after or [])])
    return {
        "file": str(file.absolute()),
        "display": str(file),
        "after": [(str(path.absolute()), str(path)) for path in after or []],
        "dialect": dialect,
        "dimensions": {} if dimensions is None else _read_dimensions(dimensions),
        "cabac_unary_length": cabac_unary_length,
    }


def _read_dimensions(path: Path) -> dict[str, list[int]]:
    from conformance.documents import read_json

    try:
        shapes = read_json(path, _MOST_DIMENSIONS)
    except ValueError as error:
        message = f"{path} is not JSON that can be used: {error}"
        raise typer.BadParameter(message, param_hint="--dimensions") from None
    if not isinstance(shapes, dict) or not all(map(_is_shape, shapes.values())):
        message = f'{path} must be of the form {{"name": [64, 3]}}'
        raise typer.BadParameter(message, param_hint="--dimensions")
    return shapes


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _answer(
    name: str,
    question: dict[str, Any],
    memory: int | None,
    seconds: float,
    output: Path | None = None,
) -> None:
    """Ask the worker, print what it says, and end as it says; decoded tensors go to ``output``."""
    from conformance.cli.asking import answered, limits_for

    with answered(name, question, limits_for(memory, seconds)) as answer:
        ended = answer.facts
        if output is not None and ended["error"] is None:
            answer.move(_DECODED, output)
        _print(answer.lines())
        if ended.get("option"):
            raise typer.BadParameter(ended["error"], param_hint=ended["option"])
        if ended["error"] is not None:
            say(f"error: {ended['error']}", err=True)
        raise typer.Exit(ended["code"])


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)
