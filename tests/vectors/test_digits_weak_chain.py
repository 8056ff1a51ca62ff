"""The unprotected chains: they are good chains, and no file says what it is an update of."""

import numpy as np
from safetensors import safe_open
from weak_streams import weak_targets

from conformance.nnc.parser import parse_stream
from tests.vectors.chains import SUBMISSIONS, Chain, document, samples, streams_of, values

ID = "digits-weak-chain"
SAMPLES = samples(ID)
STREAMS = ("nnc-1", "nnc-2", "nnc-3")


def test_no_file_of_tensors_names_a_parent():
    for path in sorted((SUBMISSIONS / ID / "samples").glob("delta-*")):
        with safe_open(path, "numpy") as file:
            assert set(file.metadata()) == {"nnr_encodings"}


def test_streams_are_of_the_first_edition():
    for name in STREAMS:
        units = parse_stream((streams_of(ID) / f"{name}.nnc").read_bytes()).units
        assert units[0].values["general_profile_idc"] == 0


def test_each_chain_has_three_updates_in_order():
    for chain, root in (("delta", {"model": "digits-small"}), ("nnc", {"sample": "nnc-base"})):
        parents = [SAMPLES[f"{chain}-{number}"]["update_of"] for number in (1, 2, 3)]
        assert parents == [root, {"sample": f"{chain}-1"}, {"sample": f"{chain}-2"}]


def test_the_first_two_updates_have_no_tensor_in_common_and_leave_none_out():
    convolutions, dense, everything = (set(target) for target in weak_targets())
    assert not convolutions & dense
    assert convolutions | dense == everything


def test_exchanging_the_first_two_changes_no_bit():
    chain = Chain(ID)
    for parent, name in zip(("nnc-base", "nnc-1"), ("nnc-1", "nnc-2"), strict=True):
        if parent not in chain.networks:
            chain.decode(parent)
        chain.decode(name, parent)
    other = Chain(ID)
    other.decode("nnc-base")
    other.decode("nnc-2", "nnc-base")
    other.decode("nnc-1", "nnc-2")
    one, two = chain.networks["nnc-2"], other.networks["nnc-1"]
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_the_network_learns_all_the_same():
    original = values(document(ID)["models"][0])["top1"]
    for chain in ("delta", "nnc"):
        found = [values(SAMPLES[f"{chain}-{number}"])["top1"] for number in (1, 2, 3)]
        assert original < found[0] < found[2]
        assert found[2] > 0.95
