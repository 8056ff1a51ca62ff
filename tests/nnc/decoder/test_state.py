import numpy as np
import pytest

from conformance.nnc.errors import NncMalformedError, NncUnsupportedError
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState, Reference

from .making import header, stream_of

LEVELS = np.array([3, 0, -1, 0], np.int32)


def unit_with(**ids):
    node = {"node_id_present_flag": int(bool(ids)), **ids}
    parent = {"parent_node_id_present_flag": 1, "temporal_context_modeling_flag": 1}
    data = stream_of(header(shape=(4,), **node, **parent), mps_parent_signalling_enabled_flag=1)
    return parse_stream(data).units[-1]


def state_with(device=1, parameter=2, depth=3):
    return DecoderState({"w": Reference(LEVELS, device, parameter, depth)})


NEXT = {"device_id": 1, "parameter_id": 2, "put_node_depth": 4}


def test_the_next_node_refers_to_the_levels_before():
    assert state_with().reference_for("w", 4, unit_with(**NEXT)) is LEVELS


def test_a_unit_without_a_node_is_taken_as_the_next():
    assert state_with().reference_for("w", 4, unit_with()) is LEVELS


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("device_id", 0, "device_id 1"),
        ("parameter_id", 7, "parameter_id 2"),
        ("put_node_depth", 3, "put_node_depth 4"),
        ("put_node_depth", 5, "put_node_depth 4"),
    ],
)
def test_a_node_that_does_not_follow_is_malformed(field, value, expected):
    with pytest.raises(NncMalformedError) as caught:
        state_with().reference_for("w", 4, unit_with(**NEXT | {field: value}))
    assert caught.value.position.field == field
    assert (caught.value.expected, caught.value.found) == (expected, str(value))
    assert "in order" in caught.value.fix


def test_levels_that_were_never_decoded_are_other_data():
    with pytest.raises(NncUnsupportedError, match="not decoded before") as caught:
        DecoderState().reference_for("w", 4, unit_with(**NEXT))
    assert caught.value.position.field == "temporal_context_modeling_flag"
    assert "DecoderState" in caught.value.fix


def test_shapes_do_not_change_along_a_chain():
    with pytest.raises(NncMalformedError, match="a different number of elements"):
        state_with().reference_for("w", 5, unit_with(**NEXT))
    state = DecoderState(histories={"w": np.zeros(3, np.int8)})
    with pytest.raises(NncMalformedError, match="a different number of elements"):
        state.history_for("w", 4, unit_with())


def test_a_tensor_without_history_has_none():
    assert DecoderState().history_for("w", 4, unit_with()) is None


def test_what_is_remembered_is_a_copy_with_its_node():
    levels = LEVELS.copy()
    state = DecoderState()
    state.remember("w", levels, unit_with(**NEXT))
    levels[:] = 9
    reference = state.references["w"]
    assert reference.levels.tolist() == LEVELS.tolist()
    node = (reference.device_id, reference.parameter_id, reference.put_node_depth)
    assert node == (1, 2, 4)


def test_a_history_gathers_what_was_ever_significant():
    state = DecoderState()
    for levels in ([0, 0, 5, 0], [1, 0, 0, 0]):
        state.remember("w", np.array(levels, np.int32), unit_with())
        state.mark_history("w")
    assert state.histories["w"].tolist() == [1, 0, 1, 0]
    assert state.histories["w"].dtype == np.int8


def test_a_draft_changes_nothing_until_it_is_taken():
    state = state_with()
    draft = state.draft()
    draft.remember("w", np.zeros(4, np.int32), unit_with())
    draft.mark_history("w")
    assert state.references["w"].levels is LEVELS
    assert state.histories == {}
    state.take(draft)
    assert not state.references["w"].levels.any()
    assert "w" in state.histories
