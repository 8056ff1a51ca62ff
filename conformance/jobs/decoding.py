"""The stage *decode*: a bitstream or file of a sample becomes named tensors, in files."""

from __future__ import annotations

from conformance.jobs.context import TaskContext
from conformance.jobs.inspecting import inspected
from conformance.jobs.stored_arrays import array_writer
from conformance.jobs.stored_network import TENSORS
from conformance.plan.requests import PartRequest
from conformance.verdicts import Json


def decode_part(task: TaskContext[PartRequest]) -> Json:
    """Keep every tensor of a part; return what it uses, claims and takes.

    ``stream`` holds the claims and the broken rules of a bitstream, None for parts that are none.
    ``stored_bits`` are those that each tensor was decoded from.
    """
    with task.decoded(task.asked.part) as decoded:
        with array_writer(task.out, TENSORS) as writer:
            for name in decoded:
                writer.add(name, decoded[name])
        return {
            "features": sorted(decoded.features),
            "stored_bits": dict(decoded.stored_bits),
            "stream": inspected(decoded.inspect) if decoded.inspect else None,
        }
