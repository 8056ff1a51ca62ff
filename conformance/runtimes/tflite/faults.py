"""What LiteRT says when it refuses a model or a run, said as a ConformanceError."""

from __future__ import annotations

import re

from conformance.runtimes._protocol import FAILED_RUN
from conformance.runtimes.tflite.graph import MAIN
from conformance.runtimes.tflite.model import Model
from conformance.verdicts import ConformanceError, LimitError, Location, UnsupportedError

FAULTS: tuple[type[Exception], ...] = (RuntimeError, ValueError, TypeError, OverflowError)
"""What LiteRT raises through its Python bindings."""

_MOST_TEXT = 400
_SOURCE = re.compile(r"\b[\w./+-]+\.(?:cc|h|c):\d+ ")
_UNKNOWN = re.compile(r"Didn't find op for builtin opcode '(?P<op>\w+)' version '(?P<version>\d+)'")
_NODE = re.compile(r"Node number (?P<index>\d+) \((?P<op>\w+)\)")
_MEMORY = ("allocat", "overflow", "too large")


def refused_model(error: Exception, model: Model, file: str) -> ConformanceError:
    """Return why an interpreter could not be made or prepared for a model that is not damaged.

    Memory that cannot be had is a LimitError, all else an UnsupportedError.
    """
    text = _plain(error)
    unknown = _UNKNOWN.search(text)
    if unknown:
        return UnsupportedError(
            f"the network uses an operator that LiteRT cannot run: {unknown['op']}",
            where=Location(file=file, element=_first(model, unknown["op"])),
            expected="operators, and versions of them, of the installed LiteRT on the CPU",
            found=f"{unknown['op']} of version {unknown['version']}",
            fix="Convert the model with builtin operators of this version of LiteRT.",
        )
    if any(sign in text for sign in _MEMORY):
        return _too_large(text, model, file)
    return UnsupportedError(
        "LiteRT cannot run this network",
        where=Location(file=file, element=_node(text, model)),
        expected="operators that accept their inputs and options, for batches too if the model "
        "leaves their size free",
        found=text,
        fix="Convert the model again; fix the size of its batch if it was converted for one.",
    )


def failed_run(error: Exception, model: Model, file: str) -> ConformanceError:
    """Return why a run of a network that could be prepared failed."""
    text = _plain(error)
    return ConformanceError(
        "the network cannot be run on these inputs",
        where=Location(file=file, element=_node(text, model)),
        expected="outputs",
        found=text,
        fix=FAILED_RUN.format("LiteRT"),
    )


def _too_large(text: str, model: Model, file: str) -> LimitError:
    return LimitError(
        "the network asks for more memory than there is",
        where=Location(file=file, element=_node(text, model)),
        expected="tensors that fit into memory",
        found=text,
        fix="Reduce the network or its inputs, or judge it with a higher memory limit.",
    )


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
