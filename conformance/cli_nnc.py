"""The commands of ``nnr-conformance nnc``: looking into NNC bitstreams, and decoding them.

Like :mod:`conformance.cli` it imports only typer; the commands import what they need. The exit
code is 0 where all is well, 1 where the stream breaks a rule, 2 where a file cannot be read or the
call is wrong, and 3 where the stream holds what this decoder has no rule for.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional, ParamSpec

import typer

if TYPE_CHECKING:
    from conformance.nnc.errors import NncError
    from conformance.nnc.options import Options
    from conformance.nnc.state import DecoderState


app = typer.Typer(
    help="Look into NNC bitstreams (ISO/IEC 15938-17): inspect, validate, decode.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_LAID_BY = 4 << 20
_LOST_ERROR = "without setting an exception"
_VIOLATION, _USAGE, _UNSUPPORTED = 1, 2, 3
_DIALECTS = ("nncodec-2", "nncodec-1.0")

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
UnaryLength = Annotated[
    int,
    typer.Option(
        "--cabac-unary-length", min=1, max=256, help="That of units that do not state theirs."
    ),
]


Said = ParamSpec("Said")


def _says_when_memory_ends(command: Callable[Said, None]) -> Callable[Said, None]:
    """Let a command that runs out of memory end in words.

    To leave a ``with`` block CPython 3.11 needs a few bytes, and where there are none it tries
    again for ever. So the error is caught around the command itself, before any block of typer's,
    and memory that was laid by is given back before anything else is done.
    """

    @functools.wraps(command)
    def guarded(*args: Said.args, **options: Said.kwargs) -> None:
        laid_by = bytearray(_LAID_BY)
        try:
            return command(*args, **options)
        except MemoryError:
            del laid_by
        except SystemError as error:
            # Where not a byte is left, CPython can lose the MemoryError on its way here.
            del laid_by
            if _LOST_ERROR not in str(error):
                raise
        _end("there is not enough memory for what the stream asks for", _VIOLATION)

    return guarded


@app.command()
@_says_when_memory_ends
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
) -> None:
    """Show every unit, element and tensor of a stream; of a damaged one all up to the damage.

    Places are byte.bit from the start of the file: 66.3 is the fourth bit of byte 66.
    """
    from conformance.nnc.inspection.document import document_of
    from conformance.nnc.inspection.examination import examine
    from conformance.nnc.inspection.lazy import json_text
    from conformance.nnc.inspection.listing import listing
    from conformance.nnc.inspection.tree import tree

    if as_json and as_tree:
        raise typer.BadParameter("--json and --tree are two forms: choose one")
    options = _options(dialect, dimensions, cabac_unary_length)
    data = file.read_bytes()
    examination = examine(data, options, _state_after(after, options))
    document = _only_unit(document_of(examination, bits=bits), unit)
    if as_json:
        _print(json_text(document))
    elif as_tree:
        _print(tree(document, str(file)))
    else:
        _print(listing(document, str(file), whole=unit is not None))
    raise typer.Exit(0 if examination.error is None else _code_of(examination.error))


@app.command()
@_says_when_memory_ends
def validate(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
) -> None:
    """Hold a stream against every rule; each violation says what, where, and how to see it.

    The exit code is 1 for violations, 0 without (warnings are none), 3 if not all could be checked.
    """
    from conformance.nnc.inspection.rules import UNCHECKED
    from conformance.nnc.inspection.rules import validate as violations_of
    from conformance.nnc.inspection.verdict import verdict_facts, verdict_lines

    options = _options(dialect, dimensions, cabac_unary_length)
    data = file.read_bytes()
    found = violations_of(data, options, _state_after(after, options), file=_quoted(file))
    if as_json:
        _print([json.dumps(verdict_facts(found), indent=1)])
    else:
        _print(verdict_lines(found, str(file)))
    if any(each.severity == "violation" for each in found):
        raise typer.Exit(_VIOLATION)
    raise typer.Exit(_UNSUPPORTED if any(each.rule == UNCHECKED for each in found) else 0)


@app.command()
@_says_when_memory_ends
def features(
    file: File,
    as_json: Annotated[
        bool, typer.Option("--json", help="Features and claims as one JSON document.")
    ] = False,
    after: After = None,
    dialect: Dialect = "nncodec-2",
    dimensions: Dimensions = None,
    cabac_unary_length: UnaryLength = 10,
) -> None:
    """List the tools that a stream uses, one a line, as samples declare them."""
    from conformance.nnc.inspection.document import document_of
    from conformance.nnc.inspection.examination import examine

    options = _options(dialect, dimensions, cabac_unary_length)
    data = file.read_bytes()
    examination = examine(data, options, _state_after(after, options))
    document = document_of(examination)
    if as_json:
        wanted = {name: document[name] for name in ("features", "claims", "error")}
        _print([json.dumps(wanted, indent=1, allow_nan=False)])
    else:
        _print(document["features"])
    if examination.error is not None:
        _end(str(examination.error), _code_of(examination.error))


@app.command()
@_says_when_memory_ends
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
) -> None:
    """Decode a stream into an .npz file, one array for each tensor.

    After earlier streams of an update chain, what is written is the difference to them. With
    --tensor it is said how much of the file was read.
    """
    from dataclasses import replace

    if output is None and tensor is None:
        raise typer.BadParameter("say where the tensors go", param_hint="--output")
    if output is not None and output.suffix != ".npz":
        raise typer.BadParameter("the output is an .npz file", param_hint="--output")
    if tensor is not None and after:
        raise typer.BadParameter("a tensor alone is decoded from one stream", param_hint="--after")
    options = replace(
        _options(dialect, dimensions, cabac_unary_length),
        apply_local_scaling=apply_local_scaling,
        multiply_decomposition=multiply_decomposition,
    )
    tensors, said = (
        _decode_all(file, options, after) if tensor is None else _decode_one(file, options, tensor)
    )
    if output is not None:
        from conformance.nnc.inspection.archive import write_npz

        try:
            write_npz(output, tensors)
        except ValueError as error:
            _end(str(error), _USAGE)
    for name, array in tensors.items():
        _print([f"{array.dtype!s:<8} {' x '.join(map(str, array.shape)):<20} {name!r}"])
    _print(said)


@app.command("warm-up")
def warm_up() -> None:
    """Compile the kernels of the decoder, once after installation; say how long it took."""
    from time import perf_counter

    from conformance.nnc.cabac import warm_up

    start = perf_counter()
    known = warm_up.is_compiled()
    warm_up.warm_up()
    what = "are compiled already; loaded" if known else "compiled"
    _print([f"The kernels of the NNC decoder {what} in {perf_counter() - start:.1f} s"])


def _decode_all(
    file: Path, options: Options, after: list[Path] | None
) -> tuple[dict[str, Any], list[str]]:
    from conformance.nnc.decoder import decode as decode_file
    from conformance.nnc.errors import NncError

    data = file.read_bytes()
    state = _state_after(after, options)
    try:
        return decode_file(data, options, state), []
    except NncError as error:
        _end(f"{file}: {error}", _code_of(error))


def _decode_one(file: Path, options: Options, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return one tensor, and how much was read for it."""
    from conformance.nnc.access import StreamAccess
    from conformance.nnc.errors import NncError

    try:
        with StreamAccess(file, options) as stream:
            tensors = {name: stream.decode(name)}
            return tensors, [f"read {stream.bytes_read} of {stream.size} bytes"]
    except NncError as error:
        _end(f"{file}: {error}", _code_of(error))


def _options(dialect: str, dimensions: Path | None, unary_length: int) -> Options:
    from typing import cast

    from conformance.nnc.options import Dialect as KnownDialect
    from conformance.nnc.options import Interpretation, Options

    if dialect not in _DIALECTS:
        raise typer.BadParameter(f"one of {', '.join(_DIALECTS)}", param_hint="--dialect")
    return Options(
        interpretation=Interpretation(dialect=cast("KnownDialect", dialect)),
        dimensions={} if dimensions is None else _read_dimensions(dimensions),
        cabac_unary_length=unary_length,
    )


def _read_dimensions(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        shapes = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        message = f"{path} is not JSON: {error}"
        raise typer.BadParameter(message, param_hint="--dimensions") from None
    if not isinstance(shapes, dict) or not all(map(_is_shape, shapes.values())):
        message = f'{path} has to be of the form {{"name": [64, 3]}}'
        raise typer.BadParameter(message, param_hint="--dimensions")
    return {name: tuple(shape) for name, shape in shapes.items()}


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and each >= 0 for each in value)


def _state_after(earlier: list[Path] | None, options: Options) -> DecoderState | None:
    if not earlier:
        return None
    from conformance.nnc.decoder import decode as decode_file
    from conformance.nnc.errors import NncError
    from conformance.nnc.state import DecoderState

    state = DecoderState()
    for path in earlier:
        data = path.read_bytes()
        try:
            decode_file(data, options, state)
        except NncError as error:
            _end(f"{path}, given with --after: {error}", _USAGE)
    return state


def _only_unit(document: dict[str, Any], unit: int | None) -> dict[str, Any]:
    if unit is None:
        return document
    units = document["units"][max(unit, 0) : unit + 1]
    if not units:
        last = document["unit_count"] - 1
        there = f"there are units 0 to {last}" if last >= 0 else "there is no unit"
        raise typer.BadParameter(f"{there} in the file", param_hint="--unit")
    return {**document, "units": units}


def _code_of(error: NncError) -> int:
    from conformance.nnc.errors import NncUnsupportedError

    return _UNSUPPORTED if isinstance(error, NncUnsupportedError) else _VIOLATION


def _quoted(file: Path) -> str:
    import shlex

    return shlex.quote(str(file))


def _print(lines: Iterable[str]) -> None:
    """Print lines; what the terminal cannot show is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        typer.echo(line.encode(encoding, "backslashreplace").decode(encoding))


def _end(text: str, code: int) -> NoReturn:
    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(code)
