"""What PyTorch says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re
from typing import Any

from conformance.runtimes._protocol import FAILED_RUN
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

FAULTS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
    OverflowError,
    ArithmeticError,
    MemoryError,
)
"""What PyTorch raises; what its C++ throws arrives as a RuntimeError."""

_MOST_TEXT = 400
_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "Storage size calculation")
_OPERATOR = re.compile(
    r"(?:Unknown builtin op: |Unknown operator |no operator named )([\w:.]{1,200}\w)"
)
_FRAMES = re.compile(
    r"Exception raised from .*|C\+\+ CapturedTraceback.*|\s*~+\s*(<--- HERE)?", re.DOTALL
)
_PLACES = re.compile(r'File "[^"]*", line \d+[^\n]*|/\S*torch\S*')


def faults_of_scripts(torch: Any) -> tuple[type[Exception], ...]:
    """Return what TorchScript raises: its ``raise`` and ``assert`` have a class of their own."""
    return (*FAULTS, torch.jit.Error)


def refused_model(error: Exception, file: str, element: str) -> ConformanceError:
    """Return why PyTorch could not load a model.

    Unknown operators are UnsupportedError, allocations that fail LimitError, all else
    MalformedError.
    """
    text = plain(error)
    where = Location(file, element=element)
    match = _OPERATOR.search(str(error))
    if match:
        return UnsupportedError(
            f"the network uses an operator that PyTorch itself has not: {match[1]}",
            where=where,
            expected="operators of PyTorch; no library of operators is loaded",
            found=match[1],
            fix="Export the network with operators of PyTorch only.",
        )
    if isinstance(error, MemoryError) or any(sign in text for sign in _MEMORY):
        return _too_large(text, where)
    return MalformedError(
        "PyTorch cannot load the network",
        where=where,
        expected="a model that the installed PyTorch loads",
        found=text,
        fix="Save the model again with the PyTorch that this report names, or an earlier one.",
    )


def failed_run(error: Exception, file: str, element: str) -> ConformanceError:
    """Return why a run of a network that could be loaded failed."""
    text = plain(error)
    where = Location(file, element=element)
    if isinstance(error, MemoryError) or any(sign in text for sign in _MEMORY):
        return _too_large(text, where)
    return ConformanceError(
        "the network cannot be run on these inputs",
        where=where,
        expected="outputs",
        found=text,
        fix=FAILED_RUN.format("PyTorch"),
    )


def plain(error: Exception) -> str:
    """Return the message on one line, without places in source code."""
    text = _FRAMES.split(str(error), maxsplit=1)[0] if "Exception raised" in str(error) else None
    said = text if text is not None else str(error)
    last = said.rpartition("Error: ")[2]
    return (
        " ".join(_PLACES.sub("", last).replace("~", "").replace("<--- HERE", "").split())[
            :_MOST_TEXT
        ]
        or type(error).__name__
    )


def _too_large(text: str, where: Location) -> LimitError:
    return LimitError(
        "the network asks for more memory than there is",
        where=where,
        expected="tensors that fit into memory",
        found=text,
        fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
    )
