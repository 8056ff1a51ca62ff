"""The layers that Caffe runs in its test phase, as ``LayerParameter`` whatever their version."""

from __future__ import annotations

from typing import Any

from conformance.runtimes.caffe.messages import label_of, new_message
from conformance.verdicts import Location, MalformedError

_V1_SPELLINGS = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_V1_OWN = {"type", "param"}
_TEST = "TEST"


def layers_to_test(net: Any, display: str) -> list[Any]:
    """Return the ``LayerParameter`` of every layer of ``net`` in the test phase, in its order.

    Raises MalformedError if ``net`` mixes versions, or gives a layer rules of both kinds.
    """
    if net.layer and net.layers:
        raise MalformedError(
            "the prototxt mixes two versions of Caffe",
            where=Location(file=display, element="layers"),
            expected='either "layer" or "layers"',
            found=f'{len(net.layer)} of "layer" and {len(net.layers)} of "layers"',
            fix='Write every layer as "layer".',
        )
    layers = list(net.layer) or [_upgraded(layer) for layer in net.layers]
    return [layer for layer in layers if _is_in(layer, net.state, display)]


def layer_type_of(v1: str) -> str:
    """Return the type of a layer, such as ``InnerProduct``, of its V1 name ``INNER_PRODUCT``."""
    return _V1_SPELLINGS.get(v1) or "".join(word.capitalize() for word in v1.split("_"))


def _upgraded(old: Any) -> Any:
    new = new_message("LayerParameter")
    known = new.DESCRIPTOR.fields_by_name
    for field, value in old.ListFields():
        if field.name in _V1_OWN or field.name not in known:
            continue  # learning rates and the like
        if isinstance(value, str):
            setattr(new, field.name, value)
        elif field.name.endswith("_param"):
            getattr(new, field.name).CopyFrom(value)
        else:
            getattr(new, field.name).extend(value)
    if old.HasField("type"):
        new.type = layer_type_of(label_of(old, "type"))
    for name in old.param:
        new.param.add(name=name)
    return new


def _is_in(layer: Any, state: Any, display: str) -> bool:
    if layer.include and layer.exclude:
        raise MalformedError(
            f"layer {layer.name!r} has rules to include it and rules to exclude it",
            where=Location(file=display, element=f"layer {layer.name!r}"),
            expected='"include" or "exclude"',
            found="both",
            fix="Keep one kind of rule.",
        )
    if layer.include:
        return any(_meets(rule, state) for rule in layer.include)
    return not any(_meets(rule, state) for rule in layer.exclude)


def _meets(rule: Any, state: Any) -> bool:
    """Return whether the test phase of a net with ``state`` meets ``rule``."""
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or label_of(rule, "phase") == _TEST)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )
