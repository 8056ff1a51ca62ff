"""All layers at once, compared with each subset by itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from conformance.codecs import Base, Codec, DecodedTensors, Identity, Memory, Source, Step
from conformance.jobs import context, layering
from conformance.nnc import decode
from conformance.nnc.encoder import EncoderSettings, Quantization, encode
from conformance.verdicts import Location, Verdict
from tests import tiny_submission
from tests.jobs.in_process import Evaluation, findings, told
from tests.jobs.test_chains import assert_state
from tests.tiny_chain import TinyChain, added, difference

FINER = {"fc.weight": "finer.weight", "fc.bias": "finer.bias"}


@pytest.fixture
def chain(tmp_path: Path) -> TinyChain:
    return TinyChain(tmp_path / "tiny")


def in_one_stream(
    chain: TinyChain, *ranges: list[tuple[int, int]], finer_first: bool = False
) -> bytes:
    """Add a sample of one NNC stream: three sets, two units of a base, two of what is finer."""
    finer = {FINER[name]: array for name, array in difference(1, 0.01).items()}
    quantisation = Quantization(qp=-24, qps=dict.fromkeys(finer, -38))
    tensors = {**finer, **chain.original} if finer_first else {**chain.original, **finer}
    data = encode(tensors, EncoderSettings(quantization=quantisation))
    made = chain.stream("units", "units", data)
    values = [{"metric": use["metric"], "vectors": "test", "value": 0.0} for use in made["metrics"]]
    claims = {"size": 0, "cumulative_size": 0, "metric_values": values}
    made["layers"] = [
        {
            "id": f"l{place}",
            "units": [{"first": first, "last": last} for first, last in listed],
            "claims": claims,
            **({"mode": "add"} if place else {}),
        }
        for place, listed in enumerate(ranges)
    ]
    entries = [{"sample": new, "model": old} for old, new in FINER.items()]
    for layer in made["layers"][1:]:
        layer["name_map"] = entries
    return data


# --- Files


def with_scale(chain: TinyChain, scale: float, *layers: dict[str, np.ndarray]) -> Evaluation:
    """Write a lossless sample of two layers whose base brings the constant ``scale`` of the graph.

    The network is ``scale * (x @ fc.weight + fc.bias)``, with 2 in the file of the original.
    """
    graph = onnx.load_model_from_string(tiny_submission.model_bytes(chain.original))
    graph.graph.node[-1].output[0] = "sum"
    value = numpy_helper.from_array(np.array(2, np.float32))
    graph.graph.node.append(helper.make_node("Constant", [], ["scale"], value=value))
    graph.graph.node.append(helper.make_node("Mul", ["sum", "scale"], ["logits"]))
    (chain.root / "model.onnx").write_bytes(graph.SerializeToString())
    entry = tiny_submission.entry(chain.root, "model.onnx")
    chain.metadata["models"][0]["files"] = [entry]
    zeros = {name: np.zeros_like(array) for name, array in chain.original.items()}
    base = {**chain.original, "scale": np.array(scale, np.float32)}
    made = chain.layered("s", base, zeros, *layers)
    made |= {"lossless": True, "metrics": []}
    return Evaluation(chain.save())


def test_a_constant_of_the_graph_is_compared_and_bound(chain: TinyChain) -> None:
    evaluation = with_scale(chain, 3)
    measured = evaluation.result("decode", "s")
    assert [each["tensor"] for each in measured["lossless"]["differences"]] == ["scale"]
    assert set(measured["tensors"]) == {"fc.weight", "fc.bias", "scale"}
    distance = evaluation.result("reconstruction", "s")["metrics"]["distance"]
    assert distance["value"] > 0


def test_a_constant_that_is_the_originals_is_lossless(chain: TinyChain) -> None:
    measured = with_scale(chain, 2).result("decode", "s")
    assert measured["lossless"] == {"tensors": 3, "differences": []}


def test_a_constant_may_be_mended_by_a_later_layer(chain: TinyChain) -> None:
    evaluation = with_scale(chain, 3, {"scale": np.array(-1, np.float32)})
    assert evaluation.result("decode", "s")["lossless"]["differences"] == []


def test_layers_of_files_are_added_one_by_one(chain: TinyChain) -> None:
    chain.layered("s", chain.original, difference(1), difference(2))
    evaluation = Evaluation(chain.save())
    assert_state(evaluation, "s", chain.original, 0)
    assert_state(evaluation, "s", added(chain.original, difference(1)), 1)
    assert_state(evaluation, "s", chain.states["s"], 2)


def test_a_layer_may_replace_what_it_holds(chain: TinyChain) -> None:
    better = {"fc.bias": np.array([1, 2, 3], np.float32)}
    chain.layered("s", chain.original, better, mode="replace")
    assert_state(Evaluation(chain.save()), "s", {**chain.original, **better}, 1)


def test_the_whole_sample_is_that_of_its_last_layer(chain: TinyChain) -> None:
    chain.layered("s", chain.original, difference(1))
    evaluation = Evaluation(chain.save())
    decoded = evaluation.result("decode", "s")
    assert decoded["tensors"] == evaluation.result("state", "s", part=1)["tensors"]
    run = evaluation.result("reconstruction", "s", vectors="test")
    last = evaluation.result("reconstruction", "s", vectors="test", part=1)
    assert run["metrics"] == last["metrics"]
    first = evaluation.result("reconstruction", "s", vectors="test", part=0)
    assert first["metrics"]["distance"]["value"] == 0 < run["metrics"]["distance"]["value"]


def test_a_layer_is_measured_without_the_files_of_those_behind_it(chain: TinyChain) -> None:
    chain.layered("s", chain.original, difference(1))
    (chain.root / "s-1.safetensors").write_bytes(b"\xff" * 90)
    chain.metadata["samples"][0]["files"][1] = tiny_submission.entry(chain.root, "s-1.safetensors")
    evaluation = Evaluation(chain.save())
    assert evaluation.result("reconstruction", "s", vectors="test", part=0)["items"] == 40
    assert evaluation.evidence("state", "s", part=1).error is not None


def test_layers_at_one_go_are_what_each_subset_was(chain: TinyChain) -> None:
    chain.layered("s", chain.original, difference(1), difference(2))
    measured = Evaluation(chain.save()).result("layering", "s")
    assert measured == {
        "layers": 3,
        "tensors": 2,
        "differing": [],
        "altered": [],
        "behind": None,
        "size": sum(chain.size(f"s-{place}.safetensors") for place in range(3)),
        "units": 0,
    }


# --- Units of one bitstream


def test_layers_of_units_are_what_the_whole_stream_holds(chain: TinyChain) -> None:
    data = in_one_stream(chain, [(0, 4)], [(5, 6)])
    whole = dict(decode(data))
    evaluation = Evaluation(chain.save())
    base = {name: whole[name] for name in FINER}
    assert_state(evaluation, "units", base, 0)
    assert_state(
        evaluation, "units", added(base, {old: whole[new] for old, new in FINER.items()}), 1
    )
    measured = evaluation.result("layering", "units")
    assert (measured["size"], measured["units"], measured["behind"]) == (len(data), 7, True)
    assert evaluation.result("decode", "units")["stream"]["violations"] == []


def test_a_layer_holds_only_its_own_units(chain: TinyChain) -> None:
    in_one_stream(chain, [(0, 4)], [(5, 5)], [(6, 6)])
    evaluation = Evaluation(chain.save())
    changed = [evaluation.result("state", "units", part=part)["changed"] for part in (1, 2)]
    assert changed == [["fc.weight"], ["fc.bias"]]


def test_a_base_between_other_layers_has_nothing_behind_it(chain: TinyChain) -> None:
    in_one_stream(chain, [(0, 2), (4, 4), (3, 3)], [(5, 6)])
    assert Evaluation(chain.save()).result("layering", "units")["behind"] is True
    chain.metadata["samples"].clear()
    in_one_stream(chain, [(0, 2), (5, 6)], [(3, 4)], finer_first=True)
    assert Evaluation(chain.save()).result("layering", "units")["behind"] is None


def test_the_submission_is_left_as_it_was(chain: TinyChain) -> None:
    in_one_stream(chain, [(0, 4)], [(5, 6)])
    root = chain.save()
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    evaluation = Evaluation(root)
    evaluation.result("layering", "units")
    assert {path.name: path.read_bytes() for path in root.iterdir()} == before
    folder = evaluation.evidence("layering", "units").folder
    assert not (folder / "overwritten").exists()


# --- Codecs that are not what they should be


class Own:
    """A codec whose tensors depend on more than they should: ``kind`` says on what."""

    codec_id = "own"
    kind = ""
    kept: dict[str, np.ndarray] = {}  # noqa: RUF012 - the tests set it anew
    calls = 0
    behind: int | None = None
    read = b""

    def decode(self, source: Source) -> DecodedTensors:
        raise AssertionError("never asked for")

    def decode_step(self, source: Source, base: Base | None) -> Step:
        type(self).calls += 1
        values = {name: array.copy() for name, array in tiny_submission.weights().items()}
        size = source.files[0].stat().st_size // 2
        if base is not None:
            values = {"fc.bias": np.ones(3, np.float32)}
            size = size if self.behind is None else self.behind
        else:
            type(self).read = source.files[0].read_bytes()
        if self.kind == "whole-file" and base is None:
            seed = hashlib.sha256(source.files[0].read_bytes()).digest()[0]
            values["fc.bias"] += np.float32(seed)
        if self.kind == "random":
            values["fc.bias"] += np.float32(self.calls)
        decoders = {name: lambda name=name: values[name] for name in values}
        tensors = DecodedTensors(decoders, features=(), stored_bits={}, close=lambda: None)
        units = 7 if source.units else 0
        return Step(tensors, Memory(), Identity(1, {}), size, units)


def decoded_by(
    made: type[Own], chain: TinyChain, monkeypatch: pytest.MonkeyPatch
) -> tuple[bytes, dict[str, Any]]:
    """Return a stream of two layers, and what is measured of it with a codec of this class."""

    def codec(_: str) -> Codec:
        return made()

    monkeypatch.setattr(context, "codec", codec)
    data = in_one_stream(chain, [(0, 4)], [(5, 6)])
    for layer in chain.metadata["samples"][0]["layers"]:
        layer.pop("name_map", None)
    return data, Evaluation(chain.save()).result("layering", "units")


@pytest.fixture
def own(chain: TinyChain, monkeypatch: pytest.MonkeyPatch) -> Any:
    def of_kind(kind: str) -> dict[str, Any]:
        made = type("Made", (Own,), {"kind": kind, "calls": 0})
        return decoded_by(made, chain, monkeypatch)[1]

    return of_kind


@pytest.mark.parametrize(
    ("chunk", "behind"), [(1, 60), (7, 60), (100, 60), (1000, 60), (7, 0), (7, 1), (7, 100)]
)
def test_everything_behind_the_base_is_overwritten(
    chain: TinyChain, monkeypatch: pytest.MonkeyPatch, chunk: int, behind: int
) -> None:
    monkeypatch.setattr(layering, "CHUNK", chunk)
    made = type("Made", (Own,), {"behind": behind})
    data, measured = decoded_by(made, chain, monkeypatch)
    own = len(data) - behind
    assert made.read[:own] == data[:own]
    assert all(a != b for a, b in zip(made.read[own:], data[own:], strict=True))
    assert measured["behind"]


def test_a_base_that_depends_on_what_is_behind_it_is_noticed(own: Any) -> None:
    measured = own("whole-file")
    assert (measured["behind"], measured["differing"]) == (False, [])


def test_layers_that_come_out_otherwise_at_one_go_are_named(own: Any) -> None:
    assert own("random")["differing"] == ["l0", "l1"]


def test_a_sound_codec_passes(own: Any) -> None:
    measured = own("")
    assert (measured["behind"], measured["differing"], measured["altered"]) == (True, [], [])


EMPTY = {
    "no tensors": ({}, "add", "no tensors in the layer"),
    "zeros": ({k: 0 * abs(v) for k, v in difference(1).items()}, "add", "2 tensors in the layer"),
    "negative zeros": (
        {k: -0.0 * abs(v) for k, v in difference(1).items()},
        "add",
        "2 tensors in the layer",
    ),
    "the same values": ("the base", "replace", "2 tensors in the layer"),
}
"""Layers that add nothing: what they hold, their mode, and what is said of them."""


@pytest.mark.parametrize(("tensors", "mode", "said"), EMPTY.values(), ids=EMPTY)
def test_a_layer_that_adds_nothing_is_found(
    chain: TinyChain, tensors: Any, mode: str, said: str
) -> None:
    # A zero that is added to -0.0 gives 0.0: other bits, and no other number.
    base = {**chain.original, "fc.bias": np.array([-0.0, 1, 2], np.float32)}
    chain.layered("s", base, base if tensors == "the base" else tensors, mode=mode)
    found = {each.subject: each for each in findings(chain.save(), "LAYER-DECODE-001")}
    assert [found[s].verdict for s in sorted(found)] == [Verdict.PASS, Verdict.FAIL]
    wrong = found[max(found)]
    assert "adds nothing" in wrong.message
    assert said in wrong.found
    assert wrong.where == Location("s-1.safetensors")


def test_a_layer_that_changes_one_number_adds_something(chain: TinyChain) -> None:
    chain.layered("s", chain.original, {"fc.bias": np.array([0, 0, 1e-3], np.float32)})
    assert told(chain.save(), "LAYER-DECODE-001") == {}
