"""The variables of a graph, and the tensor files that hold them.

A label is untrusted: it names a file, and a parser that follows it reads whatever file it leads to.
Here it only picks one of the files that belong to the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.nnef.files.datfile import TensorFile, open_tensor
from conformance.runtimes.nnef.files.model_files import TENSOR, ModelFiles
from conformance.runtimes.nnef.quantisation import Quantisation
from conformance.runtimes.nnef.text.document import Document, outputs_of
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

_KINDS = {"scalar": "f", "integer": "iu", "logical": "b"}
_TYPES = {"scalar": "float", "integer": "int or uint", "logical": "bool"}


@dataclass(frozen=True, slots=True)
class Variable:
    """What a label stands for: a tensor file, and the integers' meaning if it is quantised.

    ``tensors`` are the names that graph operations know it by.
    """

    label: str
    tensors: tuple[str, ...]
    file: TensorFile
    quantisation: Quantisation | None

    @property
    def dtype(self) -> DType:
        """The element type of :meth:`read`: float32 for what is quantised."""
        return np.dtype(np.float32) if self.quantisation else self.file.dtype

    def read(self) -> Array:
        """Return the values, dequantised if need be; MalformedError if integers do not fit."""
        items = self.file.read()
        return self.quantisation.dequantised(items) if self.quantisation else items


def labels_in(document: Document) -> dict[str, Location]:
    """Return the labels of all variables and where they are; MalformedError if one leads away."""
    found: dict[str, Location] = {}
    for statement in document.graph.statements:
        if statement.call.operation == "variable":
            label = statement.call.argument("label")
            where = document.where("variable", statement.targets[0] if statement.targets else "")
            found.setdefault(_confined(label, where), where)
    return found


def read_variables(
    graph: Any,
    document: Document,
    files: ModelFiles,
    quantisations: Mapping[str, Quantisation],
    limit_bytes: int,
) -> tuple[Variable, ...]:
    """Return the variables of ``graph``, in its order.

    Raises ConformanceError for a file that is not declared, MalformedError if a file is broken or
    contradicts the graph, LimitError if all together take more than ``limit_bytes``.
    """
    labels_in(document)
    found: dict[str, Variable] = {}
    for operation in graph.operations:
        if operation.name != "variable":
            continue
        tensor = outputs_of(operation)[0]
        where = document.where("variable", tensor)
        label = operation.attribs["label"]
        file = open_tensor(files.tensors[label]) if label in files.tensors else None
        if file is None:
            raise _undeclared(label, files, where)
        variable = Variable(label, (tensor,), file, quantisations.get(tensor))
        _check(variable, operation, where)
        found[label] = _joined(found.get(label), variable, where)
    _check_size(found.values(), document, limit_bytes)
    return tuple(found.values())


def _confined(label: object, where: Location) -> str:
    """Return ``label`` if the file that it names lies in the folder of the graph."""
    path = PurePosixPath(label) if isinstance(label, str) else None
    if path is None or not isinstance(label, str):
        raise _wrong("a variable has no label", where, "label = 'conv1/filter'", repr(label))
    leaves = path.is_absolute() or ".." in path.parts or "\\" in label or ":" in label
    if leaves or path.as_posix() != label or not path.name:
        raise _wrong(
            "the label of a variable leads out of the model's folder, or is not a path",
            *(where, "a relative path with forward slashes and without '..'", repr(label[:120])),
        )
    return label


def _check(variable: Variable, operation: Any, where: Location) -> None:
    file, shape = variable.file, tuple(operation.attribs["shape"])
    if file.shape != shape:
        raise _wrong(
            f"the tensor file of {variable.label!r} has a different shape than the graph declares",
            *(where, list(shape), f"{list(file.shape)} in {file.file.shown}"),
        )
    kind = operation.dtype
    if file.is_quantised:
        _check_quantised(variable, kind, where)
    elif variable.quantisation:
        raise UnsupportedError(
            f"{variable.label!r} is quantised by the quantisation file, but stored as it is",
            where=variable.quantisation.where,
            expected="a tensor file of quantised integers (qint or quint)",
            found=f"{file.item_name} in {file.file.shown}",
            fix="Store the integers, or remove the entry from the quantisation file.",
        )
    elif file.dtype.kind not in _KINDS[kind]:
        raise _wrong(
            f"the tensor file of {variable.label!r} holds a different type than the graph declares",
            *(where, f"items of type {_TYPES[kind]} for variable<{kind}>", file.item_name),
        )


def _check_quantised(variable: Variable, kind: str, where: Location) -> None:
    quantisation, file = variable.quantisation, variable.file
    if quantisation is None or kind != "scalar":
        raise _wrong(
            f"{variable.label!r} is stored as quantised integers, but nothing says of what",
            where,
            f"variable<scalar>, and an entry for {variable.tensors[0]!r} in graph.quant",
            f"variable<{kind}> without an entry" if quantisation is None else f"variable<{kind}>",
        )
    if quantisation.operation == "logarithmic_quantize":
        raise UnsupportedError(
            f"{variable.label!r} is quantised logarithmically, for which no integers are defined",
            where=quantisation.where,
            expected="linear quantisation of variables",
            found=quantisation.operation,
            fix="Quantise it linearly, or store it in floating point.",
        )
    if not quantisation.fits(file.shape) or quantisation.signed != (file.dtype.kind == "i"):
        raise _wrong(
            f"the quantisation of {variable.label!r} does not fit its tensor file",
            *(quantisation.where, f"{file.item_name} of shape {list(file.shape)}"),
            f"signed = {quantisation.signed}, attributes of shapes "
            + ", ".join(str(list(array.shape)) for array in quantisation.arrays.values()),
        )


def _joined(earlier: Variable | None, variable: Variable, where: Location) -> Variable:
    """Return a variable under all names that share its label."""
    if earlier is None:
        return variable
    if earlier.quantisation or variable.quantisation or earlier.file != variable.file:
        raise _wrong(
            "a label is used twice, for variables that are not the same",
            *(where, "one label for one variable", repr(variable.label)),
        )
    return Variable(variable.label, earlier.tensors + variable.tensors, variable.file, None)


def _check_size(variables: Iterable[Variable], document: Document, limit_bytes: int) -> None:
    total = sum(variable.file.elements * variable.dtype.itemsize for variable in variables)
    if total > limit_bytes:
        raise LimitError(
            "the variables take more memory than is allowed",
            where=document.file.where("graph"),
            expected=f"at most {limit_bytes} bytes",
            found=f"{total} bytes",
            fix="Submit a smaller model, or judge it with a higher memory limit.",
        )


def _undeclared(label: str, files: ModelFiles, where: Location) -> ConformanceError:
    name = f"{label}{TENSOR}"
    return ConformanceError(
        f"the variable {label!r} has no tensor file among the files of the model",
        where=where,
        expected=name,
        found=", ".join(f"{each}{TENSOR}" for each in list(files.tensors)[:10]) or "none",
        fix=f"Put {name} next to the graph, and list it under the model's files.",
    )


def _wrong(message: str, where: Location, expected: object, found: object) -> MalformedError:
    return MalformedError(
        message,
        where=where,
        expected=str(expected),
        found=str(found),
        fix="Correct the graph or the tensor file, or export the model again.",
    )
