"""What LiteRT says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re

from conformance.runtimes.faults import Fault, as_error, cannot_run, recognised, too_large
from conformance.runtimes.tflite.graph import MAIN
from conformance.runtimes.tflite.model import Model
from conformance.verdicts import ConformanceError, Location, UnsupportedError

FAULTS: tuple[type[Exception], ...] = (RuntimeError, ValueError, TypeError, OverflowError)
"""What LiteRT raises through its Python bindings."""

_MOST_TEXT = 400
_SOURCE = re.compile(r"\b[\w./+-]+\.(?:cc|h|c):\d+ ")
_NODE = re.compile(r"Node number (?P<index>\d+) \((?P<op>\w+)\)")
_REFUSALS = (
    Fault(
        kind=UnsupportedError,
        signs=(
            re.compile(
                r"Didn't find op for builtin opcode '(?P<op>\w+)' version '(?P<version>\d+)'"
            ),
        ),
        message="the network uses an operator that LiteRT cannot run: {op}",
        expected="operators, and versions of them, of the installed LiteRT on the CPU",
        found="{op} of version {version}",
        fix="Convert the model with builtin operators of this version of LiteRT.",
    ),
    too_large("allocat", "overflow", "too large"),
    Fault(
        kind=UnsupportedError,
        message="LiteRT cannot run this network",
        expected="operators that accept their inputs and options, for batches too if the model "
        "leaves their size free",
        fix="Convert the model again; fix the size of its batch if it was converted for one.",
    ),
)
_FAILURES = (cannot_run("LiteRT"),)


def refused_model(error: Exception, model: Model, file: str) -> ConformanceError:
    """Return why an interpreter could not be made or prepared for a model that is not damaged.

    Memory that cannot be had is a LimitError, all else an UnsupportedError.
    """
    text = _plain(error)
    fault, words = recognised(error, text, _REFUSALS)
    element = _first(model, words["op"]) if "op" in words else _node(text, model)
    return fault.at(Location(file=file, element=element), text, **words)


def failed_run(error: Exception, model: Model, file: str) -> ConformanceError:
    """Return why a run of a network that could be prepared failed."""
    text = _plain(error)
    return as_error(error, text, _FAILURES, Location(file=file, element=_node(text, model)))


def _first(model: Model, name: str) -> str:
    operators = (each for graph in model.subgraphs for each in graph.operators)
    return next((each.element for each in operators if each.name == name), name)


def _node(text: str, model: Model) -> str:
    """Return the operator that a message is about: the last it names is of the main graph."""
    found = list(_NODE.finditer(text))
    operators = model.subgraphs[MAIN].operators
    if found and int(found[-1]["index"]) < len(operators):
        return operators[int(found[-1]["index"])].element
    return f"model.subgraphs[{MAIN}]"


def _plain(error: Exception) -> str:
    """Return the message on one line, without places in the source code."""
    return _SOURCE.sub("", " ".join(str(error).split()))[:_MOST_TEXT]
