"""Recurrent layers: LSTM and RNN over (time, streams, ...), with marks where sequences go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.runtimes.caffe.layers._node import (
    FLOAT_BYTES,
    Inferred,
    Kind,
    Node,
    Weight,
    count,
    kind,
)

_FEWEST = 2
_GATES = {"LSTM": 4, "RNN": 1}
_STATES = {"LSTM": 2, "RNN": 1}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What a recurrent layer works on.

    ``gates`` are the numbers computed for each of ``hidden`` units and step; ``static`` is the
    width of the input that is the same at every step, or None; ``states`` are handed in and out
    if ``exposed``.
    """

    steps: int
    streams: int
    width: int
    hidden: int
    gates: int
    static: int | None
    states: int
    exposed: bool


def recurrence(node: Node) -> Recurrence:
    """Return what a recurrent layer works on; its inputs are x, cont, [static], [states]."""
    x, cont, *rest = node.bottoms
    node.require(len(x) >= _FEWEST, "its first input has no time", "(time, streams, ...)", x)
    node.require(cont == x[:2], "its second input marks no steps", str(list(x[:2])), list(cont))
    hidden, exposed = node.positive("num_output"), bool(node.options.expose_hidden)
    states = _STATES[node.type]
    given = states if exposed else 0
    extra = len(rest) - given
    node.require(
        extra in (0, 1), "it has the wrong number of inputs", f"{2 + given}", len(rest) + 2
    )
    node.require(node.tops == 1 + given, "its outputs are wrong", f"{1 + given}", node.tops)
    for shape in rest[extra:]:
        wanted = (1, x[1], hidden)
        node.require(shape == wanted, "an initial state is wrong", str(wanted), shape)
    static = None
    if extra:
        node.require(rest[0][:1] == x[1:2], "its static input is wrong", f"({x[1]}, ...)", rest[0])
        static = count(rest[0][1:])
    return Recurrence(
        *(x[0], x[1], count(x[2:]), hidden, _GATES[node.type], static, states, exposed)
    )


def _recurrent(node: Node) -> Inferred:
    about = recurrence(node)
    rows, hidden = about.gates * about.hidden, about.hidden
    weights = [Weight("weight_x", (rows, about.width)), Weight("bias", (rows,))]
    if about.static is not None:
        weights.append(Weight("weight_static", (rows, about.static)))
    weights.append(Weight("weight_h", (rows, hidden)))
    if node.type == "RNN":
        weights += [Weight("weight_o", (hidden, hidden)), Weight("bias_o", (hidden,))]
    state = (1, about.streams, hidden)
    tops = ((about.steps, about.streams, hidden), *(state,) * (node.tops - 1))
    scratch = about.steps * about.streams * (rows + about.states * hidden) * FLOAT_BYTES
    return Inferred(tops, tuple(weights), scratch)


_READ, _IDLE = "num_output expose_hidden", "weight_filler bias_filler debug_info"

KINDS: Mapping[str, Kind] = {
    "LSTM": kind(
        _recurrent, "recurrent_param", read=_READ, idle=_IDLE, bottoms=(2, 5), tops=(1, 3)
    ),
    "RNN": kind(_recurrent, "recurrent_param", read=_READ, idle=_IDLE, bottoms=(2, 4), tops=(1, 2)),
}
