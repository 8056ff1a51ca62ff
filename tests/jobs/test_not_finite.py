"""NaN and infinities that the original has are no fault of a sample; others are, in every codec."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import ModelProto, helper
from onnx.numpy_helper import from_array

from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import add_sample, with_digests, write_around
from tests.jobs.in_process import Bench, Evaluation
from tests.runtimes import models
from tests.runtimes.tflite.models import buffer_of, changed
from tests.tiny_chain import TinyChain

NAN, INF = np.float32(np.nan), np.float32(np.inf)
WEIGHT = np.array([[1, -INF, 3, NAN], [4, 5, INF, 6]], np.float32)
CHANGED = np.where(np.isnan(WEIGHT), INF, WEIGHT)
"""One value is infinite that is not a number in the original."""
MASK = np.array([0, -INF, -INF], np.float32)


def network(weight: np.ndarray, **names: str) -> ModelProto:
    """Max(x @ w, low) + mask, in which ``low`` is a constant of the graph."""
    names = {each: names.get(each, each) for each in ("w", "low", "mask")}
    nodes = [
        helper.make_node("Constant", [], [names["low"]], value=from_array(np.float32(-INF))),
        helper.make_node("MatMul", ["x", names["w"]], ["product"]),
        helper.make_node("Max", ["product", names["low"]], ["y"]),
        helper.make_node("Add", ["m", names["mask"]], ["z"]),
    ]
    values = {names["w"]: weight, names["mask"]: MASK}
    inputs = [models.value("x", ["N", 2]), models.value("m", ["N", 3])]
    outputs = [models.value("y", ["N", 4]), models.value("z", ["N", 3])]
    return models.model(nodes, inputs, outputs, values)


def tensors(weight: np.ndarray) -> dict:
    return {"content": {"w": weight, "mask": MASK}}


def with_constant(weight: np.ndarray) -> dict:
    return {"content": {"w": weight, "mask": MASK, "low": np.array(-INF, np.float32)}}


def cut_and_joined(weight: np.ndarray) -> dict:
    """``w`` is joined of two halves, transposed; ``mask`` is cut out of one with other ends."""
    content = {"left": weight.T[:2], "right": weight.T[2:], "wide": np.append(MASK, NAN)}
    combine = {"how": "concatenate", "axis": 1}
    w = {"sample": ["left", "right"], "model": "w", "transpose": [1, 0], "combine": combine}
    cut = {"axis": 0, "begin": 0, "end": 3}
    return {"content": content, "name_map": [w, {"sample": "wide", "model": "mask", "slice": cut}]}


def bitstream(weight: np.ndarray) -> dict:
    return {"content": raw_stream({"w": weight, "mask": MASK})}


def whole_network(weight: np.ndarray) -> dict:
    return {"content": network(weight)}


def renamed_network(weight: np.ndarray) -> dict:
    return {"content": network(weight, w="w_folded", mask="mask_7", low="low_2")}


SAMPLES = [tensors, with_constant, cut_and_joined, bitstream, whole_network, renamed_network]
COUNTS = {cut_and_joined: [1, 1], renamed_network: [3]}
"""Both halves are not finite somewhere; a tensor of another name that is not finite as a tensor of
the original is not compared value by value."""


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_the_original_has_is_no_fault(
    tmp_path: Path, sample: Callable[[np.ndarray], dict]
) -> None:
    inputs = {"x": models.floats(5, 2), "m": models.floats(5, 3)}
    root = write_around(tmp_path / "tiny", network(WEIGHT), [(inputs, {"t": np.zeros((5, 4))})])
    for name, weight in (("same", WEIGHT), ("changed", CHANGED)):
        add_sample(root, name, **sample(weight))
    bench = Bench(root)
    same = bench.result("decode", sample="same")
    assert same["coverage"] == []
    assert {facts["non_finite"] for facts in same["tensors"].values()} == {0}
    assert same["usable"]
    changed = bench.result("decode", sample="changed")
    counts = [facts["non_finite"] for facts in changed["tensors"].values() if facts["non_finite"]]
    assert counts == COUNTS.get(sample, [1])
    assert not changed["usable"]


def test_a_sum_that_overflows_is_told_of_its_terms(tiny: Path) -> None:
    weights = tiny_submission.weights()
    large = np.full(3, np.finfo(np.float32).max, np.float32)
    content = {"fc.weight": weights["fc.weight"], "a": large, "b": large}
    entry = {"sample": ["a", "b"], "model": "fc.bias", "combine": {"how": "add"}}
    add_sample(tiny, "odd", content, name_map=[entry])
    measured = Evaluation(tiny).result("decode", sample="odd")
    counts = {name: facts["non_finite"] for name, facts in measured["tensors"].items()}
    assert counts == {"a": 3, "b": 3, "fc.weight": 0}
    assert not measured["usable"]


def test_a_sample_that_is_a_network_is_looked_at_whole(tiny: Path) -> None:
    """A tensor that nobody can replace, as one that is stored sparsely, is one of its tensors."""
    weights = tiny_submission.weights()
    made = models.onnx.load_from_string(tiny_submission.model_bytes(weights))
    (dense,) = (each for each in made.graph.initializer if each.name == "fc.weight")
    made.graph.initializer.remove(dense)
    values = from_array(np.array([INF], np.float32), "fc.weight")
    places = from_array(np.array([4], np.int64), "places")
    sparse = helper.make_sparse_tensor(values, places, list(weights["fc.weight"].shape))
    made.graph.sparse_initializer.append(sparse)
    add_sample(tiny, "odd", made)
    measured = Evaluation(tiny).result("decode", sample="odd")
    assert measured["tensors"]["fc.weight"]["non_finite"] == 1
    assert not measured["usable"]


def test_tflite_sample_is_compared_with_the_original(tmp_path: Path) -> None:
    root = tmp_path / "submission"
    shutil.copytree(Path(__file__).parents[2] / "vectors/submissions/digits-formats", root)
    original = root / "models" / "digits-tflite" / "digits.tflite"

    def spoil(value: float) -> Callable[[schema.ModelT], None]:
        def change(model: schema.ModelT) -> None:
            buffer = buffer_of(model, "fc2/bias")
            values = np.asarray(buffer.data, np.uint8).tobytes()
            buffer.data = np.frombuffer(np.float32(value).tobytes() + values[4:], np.uint8)

        return change

    clean = original.read_bytes()
    original.write_bytes(changed(original, spoil(-np.inf)))
    sample = root / "samples" / "int8.tflite"
    for value, usable in ((-np.inf, True), (np.nan, False)):
        sample.write_bytes(clean)
        sample.write_bytes(changed(sample, spoil(value)))
        measured = Evaluation(with_digests(root)).result("decode", "int8-tflite")
        assert measured["usable"] == usable
        assert sum(facts["non_finite"] for facts in measured["tensors"].values()) == (not usable)


@pytest.mark.parametrize("part", ["update", "layers", "merge"])
def test_states_are_compared_with_the_original(tmp_path: Path, part: str) -> None:
    chain = TinyChain(tmp_path / "tiny")
    chain.original["fc.bias"][0] = -INF
    (chain.root / "model.onnx").write_bytes(tiny_submission.model_bytes(chain.original))
    chain.metadata["models"][0]["files"] = [tiny_submission.entry(chain.root, "model.onnx")]
    step = {"fc.bias": np.array([0, 1, 2], np.float32)}
    chain.update("u", None, step, named=False)
    chain.update("broken", "u", {"fc.bias": np.array([INF, 0, 0], np.float32)}, named=False)
    chain.merge("merge", u=1.0, broken=1.0)
    chain.layered("layers", chain.original, step)
    evaluation = Evaluation(chain.save())
    if part == "layers":
        assert evaluation.result("decode", "layers")["usable"]
        return
    assert evaluation.result("decode", "u")["usable"]
    measured = evaluation.result("decode", "broken" if part == "update" else "merge")
    # What was -inf is not a number any more.
    assert measured["tensors"]["fc.bias"]["non_finite"] == 1
    assert not measured["usable"]
