"""Recipes of streams that a decoder must refuse, with the kind of error and the field it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnc_arrays import steps
from nnc_build import Member, StreamBuilder
from nnc_cases import SECOND, Edition, Place
from nnc_own_cases import OwnRecipe

LEVELS = steps(12, 10, low=-4, high=4, seed=130)


def refused_recipes(edition: Edition = SECOND) -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    for name, title, builder, kind, field in (*_units(), *_headers(), *_payloads()):
        error = {"kind": kind, "field": field}
        yield OwnRecipe(Place(edition, "refused", name), title, [builder], error=error)
    yield _chain("update-missing", "An update of the tree is missing", 3)
    yield _chain("update-twice", "An update of the tree comes twice", 1)


Row = tuple[str, str, StreamBuilder, str, str]
PARENT = {"node_id_present_flag": 1, "parent_node_id_present_flag": 1}


def _chain(name: str, title: str, depth: int) -> OwnRecipe:
    """Return a chain whose second stream has ``depth`` where 2 is the next."""
    error = {"kind": "malformed", "field": "put_node_depth"}
    streams = [
        _update(1, temporal_context_modeling_flag=0),
        _update(depth, temporal_context_modeling_flag=1),
    ]
    return OwnRecipe(Place(SECOND, "refused", name), title, streams, error=error)


def _update(depth: int, **header: int) -> StreamBuilder:
    builder = StreamBuilder().begin(mps_parent_signalling_enabled_flag=1)
    reference = LEVELS if header["temporal_context_modeling_flag"] else None
    member = Member("w", LEVELS, qp=-20, reference=reference)
    builder.add_tensor(member, **PARENT, put_node_depth=depth, **header)
    return builder


def _tensor(builder: StreamBuilder | None = None, **header: Any) -> StreamBuilder:
    built = builder or StreamBuilder().begin()
    built.add_tensor(Member("w", LEVELS, qp=-20), **header)
    return built


def _units() -> Iterator[Row]:
    quantised = StreamBuilder().begin()
    quantised.add_unit("QNT")
    yield "quantization-unit", "An NNR_QNT unit", _tensor(quantised), "unsupported", "nnr_unit_type"
    aggregate = StreamBuilder().begin()
    aggregate.add_unit("AGG")
    yield "aggregate-unit", "An NNR_AGG unit", _tensor(aggregate), "unsupported", "nnr_unit_type"
    twice = _tensor()
    twice.add_unit("STR", general_profile_idc=1)
    yield "second-start", "A second start unit", twice, "malformed", "nnr_unit_type"
    sets = StreamBuilder().begin()
    sets.add_parameter_set()
    yield "second-parameter-set", "A second NNR_MPS", _tensor(sets), "malformed", "nnr_unit_type"
    yield "no-parameter-set", "No NNR_MPS", _tensor(StreamBuilder()), "malformed", "nnr_unit_type"


def _headers() -> Iterator[Row]:
    part = _tensor(partial_data_counter_present_flag=1, partial_data_counter=1)
    yield "partial-data", "A part of a data unit", part, "unsupported", "partial_data_counter"
    size = _tensor(nnr_unit_size=200)
    yield "size-too-large", "A unit that ends after the file", size, "malformed", "nnr_unit_size"
    scan = _tensor(scan_order=5)
    yield "scan-order-5", "scan_order is 5", scan, "malformed", "scan_order"
    outside = _tensor(tensor_dimensions_flag=0)
    field = "tensor_dimensions_flag"
    yield "dimensions-missing", "Dimensions are nowhere", outside, "unsupported", field
    parents = StreamBuilder().begin(mps_parent_signalling_enabled_flag=1)
    parent = _tensor(parents, parent_node_id_present_flag=1, parent_node_id_type=3)
    yield "parent-type-3", "parent_node_id_type is 3", parent, "malformed", "parent_node_id_type"
    huge = _tensor(tensor_dimensions=(1 << 20, 1 << 20), count_tensor_dimensions=2)
    title = "Dimensions that no payload of this size can fill"
    yield "dimensions-implausible", title, huge, "limit", "tensor_dimensions"


def _payloads() -> Iterator[Row]:
    more = _tensor(tensor_dimensions=(12, 11))
    title = "One column more than the payload has"
    yield "dimensions-too-large", title, more, "malformed", "levels of 'w'"
    alone = _update(1, temporal_context_modeling_flag=1)
    field = "temporal_context_modeling_flag"
    yield "reference-missing", "No reference for temporal contexts", alone, "unsupported", field
    less = _tensor(tensor_dimensions=(12, 9))
    field = "the end of the payload"
    yield "dimensions-too-small", "One column less", less, "malformed", field
