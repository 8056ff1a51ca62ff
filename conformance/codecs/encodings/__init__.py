"""The encodings a tensor may have in the tensors codec, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conformance.codecs._fields import Fields
from conformance.codecs.encodings._scope import Output, Scope
from conformance.codecs.encodings.affine import parse_affine
from conformance.codecs.encodings.codebook import parse_codebook
from conformance.codecs.encodings.plain import parse_cast, parse_plain
from conformance.codecs.encodings.sparse import parse_sparse
from conformance.tensorfiles import TensorFile, check_name
from conformance.verdicts import Json, Location, MalformedError

__all__ = ["ENCODINGS", "Output", "parse_outputs"]

ENCODINGS: Mapping[str, Callable[[Scope], Output]] = {
    "plain": parse_plain,
    "cast": parse_cast,
    "affine": parse_affine,
    "sparse": parse_sparse,
    "codebook": parse_codebook,
}
"""What takes the fields of each encoding."""


def parse_outputs(described: Json, tensors: TensorFile, where: Location) -> dict[str, Output]:
    """Return the outputs that ``described`` (name: encoding) and the other arrays make up.

    Arrays that no encoding uses are outputs themselves. Nothing is decoded yet.
    """
    outputs = {
        name: _parse_output(check_name(name, where), fields, tensors, where)
        for name, fields in Fields(described, "the description of encodings", where).items()
    }
    used = {array for output in outputs.values() for array in output.consumed}
    for name in tensors:
        if name in used:
            continue
        if name in outputs:
            raise _twice(name, tensors)
        outputs[name] = _parse_output(name, {"encoding": "plain", "values": name}, tensors, where)
    for name, output in outputs.items():
        _require_numbers(name, output)
    return outputs


def _parse_output(name: str, data: Json, tensors: TensorFile, where: Location) -> Output:
    fields = Fields(data, f"the encoding of tensor {name!r}", where)
    encoding = fields.choice("encoding", tuple(ENCODINGS))
    return ENCODINGS[encoding](Scope(name, fields, tensors))


def _twice(name: str, tensors: TensorFile) -> MalformedError:
    return MalformedError(
        f"there are two tensors {name!r}",
        where=tensors.stored(name).where,
        expected="one tensor of each name",
        found="an encoded tensor, and a stored array that no encoding uses",
        fix="Rename the stored array, remove it, or let the encoding use it.",
    )


def _require_numbers(name: str, output: Output) -> None:
    if output.stored.dtype.kind in "US":
        raise MalformedError(
            f"tensor {name!r} holds strings",
            where=output.stored.where,
            expected="numbers or booleans",
            found=str(output.stored),
            fix="Leave strings out of a sample: parameters of networks are numbers.",
        )
