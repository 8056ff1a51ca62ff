"""The parent that a unit names is held against the one that the update is applied to."""

import pytest

from conformance.nnc.encoder import Block
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState
from conformance.nnc.tree import Node, nodes_of, verify_parents
from conformance.nnc.writer import StreamWriter
from tests.nnc.chains.making import base, digests, tensors, update
from tests.nnc.decoder.making import header


def nodes(*streams):
    """Return the nodes after some streams, several branches beside one another."""
    found = {}
    for stream in streams:
        found |= nodes_of(parse_stream(stream))
    return {name: tuple(node) for name, node in found.items()}


def verified(stream, known):
    return verify_parents(parse_stream(stream), known)


def base_state():
    state = DecoderState()
    base(state)
    return state


# --- Nodes


def test_a_node_has_the_ids_of_its_unit_and_the_hashes_of_its_payload():
    stream = base()
    found = nodes_of(parse_stream(stream))
    assert set(found) == {"w", "b"}
    (node,) = found["b"]
    assert (node.device_id, node.parameter_id, node.put_node_depth) == (3, 1, 0)
    assert node.sha256 == digests(stream, "sha256")["b"]
    assert node.sha512 == digests(stream, "sha512")["b"]


def test_a_unit_without_ids_is_a_node_without_ids():
    (node,) = nodes_of(parse_stream(base(node_ids=False)))["w"]
    assert (node.device_id, node.parameter_id, node.put_node_depth) == (None, None, None)
    assert len(node.sha256) == 64


def test_the_tensors_of_a_block_have_one_node():
    block = Block({"weight": "w", "bias": "b"})
    found = nodes_of(parse_stream(base(blocks=(block,))))
    assert set(found) == {"w", "b"}
    assert found["w"] == found["b"]


def test_updates_go_down_the_tree():
    state = DecoderState()
    streams = [base(state), update(1, state), update(2, state)]
    depths = [nodes_of(parse_stream(each))["w"][0].put_node_depth for each in streams]
    assert depths == [0, 1, 2]


# --- A true parent


def test_a_stream_that_is_no_update_names_no_parent():
    found = verified(base(), {})
    assert (found.units, dict(found.named), found.wrong) == (2, {}, ())


@pytest.mark.parametrize("kind", ["node", "sha256", "sha512"])
def test_the_true_parent_is_accepted_however_it_is_named(kind):
    state = DecoderState()
    first = base(state)
    given = {} if kind == "node" else {"parent_digests": digests(first, kind)}
    found = verified(update(1, state, parent_id=kind, **given), nodes(first))
    assert (found.units, dict(found.named), found.wrong) == (2, {kind: 2}, ())


def test_a_tensor_that_was_left_out_has_the_parent_of_before():
    """The second update holds no ``b``; the third names what the first left."""
    state = DecoderState()
    streams = [base(state), update(1, state)]
    only = {"w": tensors(2)["w"]}
    streams.append(update(2, state, arrays=only))
    streams.append(update(3, state))
    found = verified(streams[3], nodes(*streams[:3]))
    assert found.wrong == ()
    depths = {name: node.put_node_depth for name, (node,) in nodes(*streams).items()}
    assert depths == {"w": 3, "b": 2}


def test_one_of_several_branches_is_enough():
    state = DecoderState()
    first = base(state)
    branches = []
    for seed in (1, 2):
        own = DecoderState()
        own.take(state.draft())
        branches.append(update(seed, own))
    known = {name: tuple(nodes(each)[name][0] for each in branches) for name in ("w", "b")}
    for kind in ("sha256", "sha512"):
        for branch in branches:
            stream = update(3, None, parent_id=kind, parent_digests=digests(branch, kind))
            assert verified(stream, known).wrong == ()
        stream = update(3, None, parent_id=kind, parent_digests=digests(first, kind))
        assert {each.name for each in verified(stream, known).wrong} == {"w", "b"}


def test_the_original_is_a_root_of_depth_0_with_ids_that_nobody_knows():
    found = verified(update(1, None, more={"device_id": 200}), {})
    assert dict(found.named) == {"node": 2}
    assert found.wrong == ()


def test_a_parent_without_ids_is_a_root():
    state = DecoderState()
    first = base(state, node_ids=False)
    assert verified(update(1, state), nodes(first)).wrong == ()


# --- A wrong one


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_the_hash_of_another_payload_is_refused(kind):
    state = DecoderState()
    first, other = base(state), update(7)
    stream = update(1, state, parent_id=kind, parent_digests=digests(other, kind))
    found = verified(stream, nodes(first)).wrong
    assert [each.name for each in found] == ["w", "b"]
    assert found[0].expected == digests(first, kind)["w"]
    assert found[0].found == digests(other, kind)["w"]
    assert found[0].position.field == f"parent_node_payload_{kind}"
    assert found[0].position.unit_name == "NDU"


def test_one_wrong_unit_is_told_alone():
    state = DecoderState()
    first = base(state)
    given = digests(first, "sha256") | {"b": "0" * 64}
    (wrong,) = verified(
        update(1, state, parent_id="sha256", parent_digests=given), nodes(first)
    ).wrong
    assert wrong.name == "b"


def test_a_hash_of_the_original_cannot_be_true():
    stream = update(1, None, parent_id="sha256", parent_digests=digests(base(), "sha256"))
    wrong = verified(stream, {}).wrong
    assert "no hash: the parent was not decoded from a payload" in wrong[0].expected


@pytest.mark.parametrize("kind", ["node", "sha256"])
def test_what_something_without_nodes_has_changed_is_no_parent(kind):
    """An update of depth 1 fits a root; that of another codec upon it is none."""
    given = {} if kind == "node" else {"parent_digests": digests(base(), kind)}
    stream = update(1, base_state(), parent_id=kind, **given)
    assert verified(stream, nodes(base())).wrong == ()
    assert {each.name for each in verified(stream, {"w": (), "b": ()}).wrong} == {"w", "b"}


def test_an_update_without_ids_is_no_root():
    nameless = nodes_of(parse_stream(base(node_ids=False)), is_update=True)
    found = verified(update(1, base_state()), nameless).wrong
    assert [each.name for each in found] == ["w", "b"]
    assert "the parent is an update without ids" in found[0].expected
    assert found[0].position.field == "parent_node_id_type"


def test_an_update_of_a_later_round_is_refused_by_its_depth():
    state = DecoderState()
    streams = [base(state), update(1, state), update(2, state)]
    wrong = verified(streams[2], nodes(streams[0])).wrong
    assert [each.name for each in wrong] == ["w", "b"]
    assert wrong[0].expected == "a parent of put_node_depth 0"
    assert wrong[0].found == "put_node_depth 1"


def test_an_update_applied_twice_is_refused_by_its_depth():
    state = DecoderState()
    first, second = base(state), update(1, state)
    assert "put_node_depth 1" in verified(second, nodes(first, second)).wrong[0].expected


def test_the_update_of_another_device_is_refused():
    state = DecoderState()
    first = base(device_id=4)
    base(state)
    (wrong, _) = verified(update(1, state), nodes(first)).wrong
    assert (wrong.expected, wrong.found) == ("a parent of device_id 4", "device_id 3")
    assert wrong.position.field == "parent_device_id"


def unit(**values):
    """Return an update of one tensor with these header values, which need no payload."""
    writer = StreamWriter()
    writer.add("STR", {"general_profile_idc": 1})
    writer.add("MPS", {"mps_parent_signalling_enabled_flag": 1, "topology_carriage_flag": 1})
    parent = {"parent_node_id_present_flag": 1, "parent_node_id_type": 0, "parent_device_id": 3}
    writer.add("NDU", header(shape=(2,)) | parent | values, bytes(8))
    return writer.getvalue()


NODE = Node(3, 1, 4, "a" * 64, "b" * 128)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"parent_parameter_id": 1, "parent_put_node_depth": 4}, None),
        ({"parent_parameter_id": 2, "parent_put_node_depth": 4}, "parameter_id 2"),
        ({"parent_parameter_id": 1, "parent_put_node_depth": 3}, "put_node_depth 3"),
        ({"parent_parameter_id": 1, "parent_put_node_depth": 5}, "put_node_depth 5"),
        (
            {"parent_parameter_id": 1, "parent_put_node_depth": 4, "parent_device_id": 9},
            "device_id 9",
        ),
    ],
)
def test_a_unit_without_ids_of_its_own_names_all_of_its_parent(values, wrong):
    found = verified(unit(node_id_present_flag=0, **values), {"w": (NODE,)}).wrong
    assert [each.found for each in found] == ([] if wrong is None else [wrong])


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"parameter_id": 1, "put_node_depth": 5}, None),
        ({"parameter_id": 2, "put_node_depth": 5}, "parameter_id 2"),
        ({"parameter_id": 1, "put_node_depth": 4}, "put_node_depth 3"),
        ({"parameter_id": 1, "put_node_depth": 0}, "put_node_depth -1"),
    ],
)
def test_the_parent_of_a_unit_with_ids_is_one_step_above(values, wrong):
    ids = {"node_id_present_flag": 1, "device_id": 3, **values}
    found = verified(unit(**ids), {"w": (NODE,)}).wrong
    assert [each.found for each in found] == ([] if wrong is None else [wrong])
