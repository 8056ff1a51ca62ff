"""What PyTorch says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re
from typing import Any

from conformance.runtimes.faults import Fault, as_error, cannot_run, recognised, too_large
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

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
_TOO_LARGE = too_large(
    MemoryError,
    *("can't allocate memory", "not enough memory", "bad_alloc", "Storage size calculation"),
)
_REFUSALS = (
    Fault(
        kind=UnsupportedError,
        signs=(
            re.compile(
                r"(?:Unknown builtin op: |Unknown operator |no operator named )"
                r"(?P<op>[\w:.]{1,200}\w)"
            ),
        ),
        message="the network uses an operator that PyTorch itself has not: {op}",
        expected="operators of PyTorch; no library of operators is loaded",
        found="{op}",
        fix="Export the network with operators of PyTorch only.",
    ),
    _TOO_LARGE,
    Fault(
        kind=MalformedError,
        message="PyTorch cannot load the network",
        expected="a model that the installed PyTorch loads",
        fix="Save the model again with the PyTorch that this report names, or an earlier one.",
    ),
)
_FAILURES = (_TOO_LARGE, cannot_run("PyTorch"))
_FRAMES = re.compile(
    r"Exception raised from .*|C\+\+ CapturedTraceback.*|\s*~+\s*(<--- HERE)?", re.DOTALL
)
_PLACES = re.compile(r'File "[^"]*", line \d+[^\n]*|/\S*torch\S*')


def faults_of_scripts(torch: Any) -> tuple[type[Exception], ...]:
    """Return what TorchScript raises: its ``raise`` and ``assert`` have their own class."""
    return (*FAULTS, torch.jit.Error)


def refused_model(error: Exception, file: str, element: str) -> ConformanceError:
    """Return why PyTorch could not load a model.

    Unknown operators are UnsupportedError, allocations that fail LimitError, all else
    MalformedError.
    """
    fault, words = recognised(error, str(error), _REFUSALS)
    return fault.at(Location(file, element=element), plain(error), **words)


def failed_run(error: Exception, file: str, element: str) -> ConformanceError:
    """Return why a run of a network that could be loaded failed."""
    return as_error(error, plain(error), _FAILURES, Location(file, element=element))


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
