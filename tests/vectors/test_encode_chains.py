"""The steps that NNCodec takes; here an encoder that rounds to quarters takes its place."""

import importlib
import json
import sys
import types
from types import SimpleNamespace

import numpy as np
import pytest

STEP = 0.25


class Rounding:
    """Keeps multiples of a quarter; has no unit for a tensor of zeros; may decode wrongly."""

    wrong = False

    def __init__(self, settings):
        self.settings = settings
        self.streams = 0
        self.asked = {}

    def encode(self, tensors):
        self.streams += 1
        self.asked = tensors
        meant = {n: (np.rint(v / STEP) * STEP).astype(np.float32) for n, v in tensors.items()}
        stream = f"{self.settings['device']}:{self.streams}".encode()
        return SimpleNamespace(stream=stream, meant=meant)

    def decode(self, encoded):
        return {n: v + self.wrong for n, v in encoded.meant.items() if v.any()}


@pytest.fixture
def program(monkeypatch):
    peer = types.ModuleType("nnc_peer")
    peer.Peer = Rounding
    monkeypatch.setitem(sys.modules, "nnc_peer", peer)
    monkeypatch.delitem(sys.modules, "encode_chains", raising=False)
    yield importlib.import_module("encode_chains")
    sys.modules.pop("encode_chains", None)


def step(folder, id, peer, target, parent=None, within=STEP, still=()):
    if not isinstance(target, str):
        np.savez(folder / f"{id}.npz", **target)
    return {
        "id": id,
        "peer": peer,
        "settings": {"device": peer},
        "target": target if isinstance(target, str) else None,
        "parent": parent,
        "within": within,
        "still": list(still),
    }


def of(*values):
    return np.asarray(values, np.float32)


def test_what_a_stream_leaves_out_is_part_of_the_next(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(0.3, 1)}))
    chains.run(step(tmp_path, "one", "s", {"w": of(0.4, 1)}, "base"))
    assert chains.states["base"]["w"].tolist() == [0.25, 1]
    assert chains.coded["one"]["w"] == pytest.approx([0.15, 0])
    assert chains.states["one"]["w"].tolist() == [0.5, 1]


def test_a_tensor_without_a_unit_stays(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(1), "b": of(2)}))
    chains.run(step(tmp_path, "one", "s", {"w": of(1.01), "b": of(3)}, "base"))
    assert chains.states["one"]["w"] is chains.states["base"]["w"]
    assert chains.states["one"]["b"].tolist() == [3]


def test_what_stands_still_is_coded_as_no_difference(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(0.3), "b": of(1)}))
    chains.run(step(tmp_path, "one", "s", {"w": of(9), "b": of(2)}, "base", still=["w"]))
    assert chains.coded["one"]["w"].tolist() == [0]
    assert chains.states["one"]["w"].tolist() == [0.25]


def test_a_part_of_the_tensors_may_be_updated(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(1), "b": of(2)}))
    chains.run(step(tmp_path, "one", "s", {"b": of(3)}, "base"))
    assert list(chains.coded["one"]) == ["b"]
    assert chains.states["one"]["w"].tolist() == [1]


def test_a_merge_weighs_its_branches_and_may_be_a_target(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(0.5)}))
    for name, value in (("a", 1), ("b", 4)):
        chains.run(step(tmp_path, name, name, {"w": of(value)}, "base"))
    chains.run({"id": "both", "merge": [["a", 2], ["b", 1]]})
    chains.run(step(tmp_path, "next", "s", "both", "base"))
    assert chains.states["both"]["w"].tolist() == [2]
    assert chains.states["next"]["w"].tolist() == [2]


def test_steps_of_one_peer_share_an_encoder(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(1)}))
    chains.run(step(tmp_path, "a", "a", {"w": of(2)}, "base"))
    chains.run(step(tmp_path, "one", "s", {"w": of(2)}, "base"))
    streams = {path.stem: path.read_text() for path in tmp_path.glob("*.nnc")}
    assert streams == {"base": "s:1", "a": "a:1", "one": "s:2"}


def test_a_join_codes_what_was_coded_under_names_of_its_own(program, tmp_path):
    chains = program.Chains(tmp_path)
    chains.run(step(tmp_path, "base", "s", {"w": of(0.3)}))
    chains.run(step(tmp_path, "one", "a", {"w": of(0.4)}, "base"))
    chains.run({**step(tmp_path, "all", "j", "x"), "join": {"base": "", "one": ".more"}})
    joined = chains.peers["j"].asked
    assert list(joined) == ["w", "w.more"]
    assert joined["w.more"] is chains.coded["one"]["w"]
    assert (tmp_path / "all.nnc").is_file()
    assert "all" not in chains.states


def test_a_state_too_far_from_its_target_is_refused(program, tmp_path):
    chains = program.Chains(tmp_path)
    with pytest.raises(ValueError, match=r"base: w is 0.125 from"):
        chains.run(step(tmp_path, "base", "s", {"w": of(0.375)}, within=0.05))


def test_a_decoder_that_disagrees_is_noticed(program, tmp_path, monkeypatch):
    monkeypatch.setattr(Rounding, "wrong", True)
    with pytest.raises(ValueError, match="decodes another w"):
        program.Chains(tmp_path).run(step(tmp_path, "base", "s", {"w": of(1)}))


def test_results_have_the_digests_of_every_state(program, tmp_path):
    from conformance.tensorfiles import tensor_digest

    steps = [step(tmp_path, "base", "s", {"w": of(1), "b": of(2, 3).reshape(2, 1)})]
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    program.main(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    expected = {"b": tensor_digest(of(2, 3).reshape(2, 1)), "w": tensor_digest(of(1))}
    assert results == {"base": expected}
