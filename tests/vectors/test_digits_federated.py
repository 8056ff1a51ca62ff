"""Federated learning: who was trained on what, what was sent, and what came of it."""

import hashlib

import numpy as np
import pytest
from federated_rounds import FROZEN_ROUND, ROUNDS, is_frozen, load_rounds, merge, scan_counts
from federated_shards import OWN_DIGITS, load_shards
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conformance.codecs import Source
from conformance.codecs.tensors import TensorsCodec
from conformance.nnc.parser import parse_stream
from conformance.tensorfiles import network_digest, tensor_digest
from tests.vectors.chains import (
    SUBMISSIONS,
    Chain,
    data_units,
    document,
    samples,
    streams_of,
    values,
)

ID = "digits-federated"
SAMPLES = samples(ID)
NUMBERS = range(1, ROUNDS + 1)
DEVICES = {"a": 1, "b": 2, "c": 3}


def rows(part):
    return {
        (image.tobytes(), int(label)) for image, label in zip(part.images, part.labels, strict=True)
    }


def test_shards_are_disjoint_and_hold_no_test_scan():
    from digits_data import load_digits_split

    training, test = load_digits_split()
    base, shards = load_shards()
    parts = [base, *shards.values()]
    assert sum(map(len, parts)) == len(training)
    assert set().union(*map(rows, parts)) == rows(training)
    found = [row for part in parts for row in rows(part)]
    assert len(found) == len(set(found))
    assert not rows(test) & set(found)


def test_every_device_has_mostly_digits_of_its_own():
    for device, part in load_shards()[1].items():
        counts = np.bincount(part.labels, minlength=10)
        own = counts[list(OWN_DIGITS[device])]
        assert own.sum() > 0.6 * len(part)
        assert counts.min() > 0


def test_the_base_has_as_many_scans_of_every_digit():
    assert np.bincount(load_shards()[0].labels).tolist() == [8] * 10


def test_the_shared_network_learns_from_round_to_round():
    original = values(document(ID)["models"][0])["top1"]
    for chain in ("nnc-global", "nnc-merged", "delta"):
        found = [values(SAMPLES[f"{chain}-{number}"])["top1"] for number in NUMBERS]
        assert 0.8 < original < 0.9 < found[0] < found[2] < found[4]
        assert found[4] > 0.95


def test_the_server_sends_what_was_merged():
    for number in NUMBERS:
        merged, sent = SAMPLES[f"nnc-merged-{number}"], SAMPLES[f"nnc-global-{number}"]
        assert values(sent)["top1"] == pytest.approx(values(merged)["top1"], abs=0.005)


def test_the_merge_of_each_round_weighs_devices_by_their_scans():
    for number in NUMBERS:
        branches = SAMPLES[f"nnc-merged-{number}"]["merge_of"]
        assert branches == [
            {"sample": f"nnc-{device}-{number}", "weight": scans}
            for device, scans in scan_counts().items()
        ]


@pytest.mark.parametrize("number", NUMBERS)
def test_units_name_their_sender_and_the_servers_node_before(number):
    for device, own in {"global": 0, **DEVICES}.items():
        units = data_units(streams_of(ID) / f"nnc-{device}-{number}.nnc")
        assert {unit["device_id"] for unit in units} == {own}
        assert {unit["parent_device_id"] for unit in units} == {0}
        depths = {unit["topology_elem_id"]: unit["put_node_depth"] for unit in units}
        late = number > FROZEN_ROUND
        assert all(d == number - (late and is_frozen(name)) for name, d in depths.items())
        assert {unit["temporal_context_modeling_flag"] for unit in units} == {int(number > 1)}


def test_nodes_of_the_base_have_depth_0():
    units = data_units(streams_of(ID) / "nnc-base.nnc")
    assert len(units) == 16
    assert {(unit["device_id"], unit["put_node_depth"]) for unit in units} == {(0, 0)}


@pytest.mark.parametrize("device", ["global", *DEVICES])
def test_what_stands_still_has_no_units(device):
    for number in NUMBERS:
        units = data_units(streams_of(ID) / f"nnc-{device}-{number}.nnc")
        names = {unit["topology_elem_id"] for unit in units}
        assert any(map(is_frozen, names)) == (number != FROZEN_ROUND)
        assert not names & {"conv1.bias", "conv2.bias"}
        assert "fc1.weight" in names


def test_a_device_continues_its_own_contexts():
    for device in DEVICES:
        for number in NUMBERS:
            update = SAMPLES[f"nnc-{device}-{number}"]["update_of"]
            before = f"nnc-global-{number - 1}" if number > 1 else "nnc-base"
            assert update["sample"] == before
            assert update.get("contexts_of") == (
                f"nnc-{device}-{number - 1}" if number > 1 else None
            )


def test_an_update_is_a_small_part_of_a_network():
    base = SAMPLES["nnc-base"]["claims"]["compressed_size"]
    for name, sample in SAMPLES.items():
        if name.startswith("nnc-") and "update_of" in sample:
            assert sample["claims"]["compressed_size"] < 0.35 * base


def test_quantised_networks_stay_near_the_trained_ones():
    _, rounds = load_rounds()
    chain = Chain(ID)
    chain.decode("nnc-base")
    parent = "nnc-base"
    for number, trained in enumerate(rounds, 1):
        name = f"nnc-global-{number}"
        chain.decode(name, parent, parent)
        parent = name
        for tensor, wanted in trained.shared.items():
            assert np.abs(chain.networks[name][tensor] - wanted).max() < 0.05


def test_hashes_are_those_of_the_payload_of_the_parent():
    payloads = {}
    for name, key in (
        ("nnc-base", None),
        ("nnc-hashed-1", "parent_node_payload_sha256"),
        ("nnc-hashed-2", "parent_node_payload_sha512"),
    ):
        stream = parse_stream((SUBMISSIONS / ID / "samples" / f"{name}.nnc").read_bytes())
        units = [unit for unit in stream.units if "dq_flag" in unit.values]
        for unit in units if key else ():
            before = payloads[unit.values["topology_elem_id"]]
            hashed = hashlib.new(key.rpartition("_")[2], before).hexdigest()
            assert unit.values[key] == hashed
            assert not unit.values["node_id_present_flag"]
        for unit in units:
            end = unit.payload_byte + unit.payload_size
            payloads[unit.values["topology_elem_id"]] = bytes(stream.data[unit.payload_byte : end])


def delta(number):
    sample = SAMPLES[f"delta-{number}"]
    (file,) = sample["files"]
    path = SUBMISSIONS / ID / file["rel_filepath"]
    return TensorsCodec(), Source((path,), (path.name,), sample["codec"]["params"], 2**24)


def test_each_delta_names_the_network_before_it():
    from conformance.codecs import Base, Memory

    state, _ = load_rounds()
    for number in NUMBERS:
        codec, source = delta(number)
        digest = network_digest({name: tensor_digest(v) for name, v in state.items()})
        shapes = {name: v.shape for name, v in state.items()}
        step = codec.decode_step(source, Base(digest, shapes, Memory()))
        assert not step.identity.wrong
        assert dict(step.identity.named) == {"sha256": 1}
        state = {n: v + step.tensors[n] if n in step.tensors else v for n, v in state.items()}
        claimed = SAMPLES[f"delta-{number}"]["claims"]["tensor_digests"]
        assert claimed == {name: tensor_digest(v) for name, v in state.items()}
    assert SAMPLES["delta-5"]["same_tensors_as"] == "delta-final-direct"
    assert SAMPLES["delta-final-direct"]["claims"]["tensor_digests"] == claimed


networks = st.lists(
    st.tuples(
        arrays(np.float32, (3, 2), elements=st.floats(-100, 100, width=32)), st.integers(1, 1000)
    ),
    min_size=2,
    max_size=4,
)


@given(networks)
def test_a_merge_lies_between_its_branches(drawn):
    branches = {str(i): {"w": values} for i, (values, _) in enumerate(drawn)}
    weights = {str(i): weight for i, (_, weight) in enumerate(drawn)}
    merged = merge(branches, weights)["w"]
    stacked = np.stack([values for values, _ in drawn])
    assert merged.dtype == np.float32
    assert np.all(merged >= stacked.min(axis=0) - 1e-4)
    assert np.all(merged <= stacked.max(axis=0) + 1e-4)


@given(arrays(np.float32, (3, 2), elements=st.floats(-100, 100, width=32)))
def test_a_merge_of_equal_networks_is_that_network(network):
    merged = merge({"a": {"w": network}, "b": {"w": network}}, {"a": 3, "b": 4})
    assert np.allclose(merged["w"], network, rtol=1e-7, atol=1e-38)
