"""What is said of a decoded sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from onnx.numpy_helper import from_array

from conformance.tensorfiles import tensor_digest
from conformance.verdicts import ConformanceError, MalformedError, UnsupportedError
from tests import tiny_submission
from tests.jobs.bench import add_sample, edit, with_digests, write_around
from tests.jobs.in_process import Bench, Evaluation
from tests.runtimes import models


def tiny_with(tiny: Path, content, **more) -> dict:
    add_sample(tiny, "odd", content, **more)
    return Evaluation(tiny).result("decode", sample="odd")


def name_map(**names: str) -> list[dict]:
    return [{"sample": sample, "model": model} for sample, model in names.items()]


def test_values_that_a_parameter_cannot_hold_are_no_network(tiny: Path) -> None:
    arrays = {n: np.full(a.shape, 2**24 + 1) for n, a in tiny_submission.weights().items()}
    measured = tiny_with(tiny, arrays)
    assert [problem["tensor"] for problem in measured["coverage"]] == ["fc.bias", "fc.weight"]
    assert "does not hold" in measured["coverage"][0]["message"]
    assert not measured["usable"]
    complex_ones = {n: a.astype(np.complex64) for n, a in tiny_submission.weights().items()}
    add_sample(tiny, "complex", complex_ones)
    assert len(Evaluation(tiny).result("decode", sample="complex")["coverage"]) == 2


def half_network(tmp: Path, weights: np.ndarray) -> Path:
    """A submission of a network with float16 parameters."""
    nodes = [
        helper.make_node("Cast", ["x"], ["narrow"], to=10),
        helper.make_node("MatMul", ["narrow", "W"], ["product"]),
        helper.make_node("Cast", ["product"], ["y"], to=1),
    ]
    ports = [helper.make_tensor_value_info(name, 1, ["N", 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "half", ports[:1], ports[1:], [from_array(weights, "W")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return write_around(tmp / "half", made, [({"x": models.floats(5, 4)}, {"t": EYE})])


def test_a_declared_rounding_is_to_nearest_even(tmp_path: Path) -> None:
    root = half_network(tmp_path, np.eye(4, dtype=np.float16))
    between = np.full((4, 4), 1 + 2.0**-11, np.float32)
    add_sample(root, "rounded", {"W": between}, dtype="float16")
    add_sample(root, "undeclared", {"W": between})
    bench = Bench(root)
    measured = bench.result("decode", sample="rounded")
    assert measured["usable"]
    assert measured["fitted"] == {}
    assert measured["parameters"]["W"]["max_abs_error"] == 1.0
    assert len(bench.result("decode", sample="undeclared")["coverage"]) == 1


def test_a_declared_rounding_that_overflows_is_not_finite(tmp_path: Path) -> None:
    root = half_network(tmp_path, np.eye(4, dtype=np.float16))
    add_sample(root, "large", {"W": np.full((4, 4), 1e5, np.float32)}, dtype="float16")
    measured = Bench(root).result("decode", sample="large")
    assert measured["tensors"]["W"]["non_finite"] == 16
    assert not measured["usable"]


def test_a_lossless_sample_may_come_in_any_type_that_holds_its_values(tiny: Path) -> None:
    arrays = {n: a.astype(np.float64) for n, a in tiny_submission.weights().items()}
    assert tiny_with(tiny, arrays, lossless=True)["lossless"]["differences"] == []


@pytest.mark.parametrize(("change", "fits"), [(0.0, True), (1e-12, False)])
def test_float64_fits_where_its_values_do(tiny: Path, change: float, fits: bool) -> None:
    exact = {n: a.astype(np.float64) for n, a in tiny_submission.weights().items()}
    measured = tiny_with(tiny, {n: a + change for n, a in exact.items()})
    assert measured["usable"] == fits


def test_every_tensor_is_told_with_its_digest(tiny: Path) -> None:
    measured = Evaluation(tiny).result("decode", sample="half")
    rounded = tiny_submission.weights()["fc.bias"].astype(np.float16)
    assert measured["usable"]
    assert measured["coverage"] == []
    assert measured["tensors"]["fc.bias"] == {
        "dtype": "float16",
        "shape": [3],
        "sha256": tensor_digest(rounded),
        "non_finite": 0,
    }
    assert measured["features"] == ["float16", "format:safetensors"]


def test_lossless_sample_is_compared_bit_by_bit(tiny: Path) -> None:
    compared = Evaluation(tiny).result("decode", sample="exact")["lossless"]
    assert compared == {"tensors": 2, "differences": []}


def test_lossy_sample_is_not_compared_bit_by_bit(tiny: Path) -> None:
    assert Evaluation(tiny).result("decode", sample="half")["lossless"] == {}


def test_one_flipped_bit_is_no_longer_lossless(tiny: Path) -> None:
    arrays = tiny_submission.weights()
    arrays["fc.weight"].view(np.uint32)[3, 1] ^= 1
    compared = tiny_with(tiny, arrays, lossless=True)["lossless"]
    (difference,) = compared["differences"]
    assert difference["tensor"] == "fc.weight"
    assert "float32[6, 3], sha256 " in difference["expected"]
    assert difference["expected"] != difference["found"]


def test_negative_zero_is_not_zero_for_a_lossless_sample(tiny: Path) -> None:
    made = models.dense(4, 4)
    made.graph.initializer[1].raw_data = np.zeros(4, np.float32).tobytes()
    x = {"x": models.floats(5, 4)}
    root = write_around(tiny.parent / "zero", made, [(x, {"t": np.zeros((5, 4))})])
    arrays = {"W": models.floats(4, 4, seed=1), "b": -np.zeros(4, np.float32)}
    add_sample(root, "zero", arrays, lossless=True)
    (difference,) = Bench(root).result("decode", sample="zero")["lossless"]["differences"]
    assert difference["tensor"] == "b"


def scaled_network(tmp: Path) -> Path:
    """A submission of a network that holds a parameter, and a number of its graph."""
    nodes = [
        helper.make_node("Constant", [], ["scale"], value=from_array(np.array(2, np.float32))),
        helper.make_node("MatMul", ["x", "W"], ["product"]),
        helper.make_node("Mul", ["product", "scale"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, 1, ["N", 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "scaled", ports[:1], ports[1:], [from_array(EYE, "W")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return write_around(tmp / "scaled", made, [({"x": models.floats(5, 4)}, {"t": EYE})])


EYE = np.eye(4, dtype=np.float32)


def test_a_scalar_that_a_lossless_sample_brings_is_the_originals(tmp_path: Path) -> None:
    root = scaled_network(tmp_path)
    for name, scale in (("same", 2), ("other", 3)):
        add_sample(root, name, {"W": EYE, "scale": np.array(scale, np.float32)}, lossless=True)
    bench = Bench(root)
    assert bench.result("decode", sample="same")["lossless"]["differences"] == []
    measured = bench.result("decode", sample="other")
    assert [d["tensor"] for d in measured["lossless"]["differences"]] == ["scale"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_make_a_sample_unusable(tiny: Path, value: float) -> None:
    arrays = tiny_submission.weights()
    arrays["fc.weight"][1, 2] = value
    measured = tiny_with(tiny, arrays)
    assert measured["tensors"]["fc.weight"]["non_finite"] == 1
    assert not measured["usable"]


def test_mask_of_the_original_may_stay_infinite(tiny: Path) -> None:
    mask = np.array([0, -np.inf, 0, -np.inf], np.float32)
    made = models.model(
        [models.helper.make_node("Add", ["x", "mask"], ["y"])],
        [models.value("x", ["N", 4])],
        [models.value("y", ["N", 4])],
        {"mask": mask},
    )
    shards = [({"x": models.floats(5, 4)}, {"t": np.zeros((5, 4))})]
    root = write_around(tiny.parent / "masked", made, shards)
    add_sample(root, "same", {"mask": mask})
    add_sample(root, "moved", {"mask": mask[::-1].copy()})
    bench = Bench(root)
    assert bench.result("decode", sample="same")["usable"]
    moved = bench.result("decode", sample="moved")
    assert (moved["tensors"]["mask"]["non_finite"], moved["usable"]) == (2, False)


def test_incomplete_sample_is_unusable_but_told(tiny: Path) -> None:
    measured = tiny_with(tiny, {"fc.weight": tiny_submission.weights()["fc.weight"]})
    assert [problem["tensor"] for problem in measured["coverage"]] == ["fc.bias"]
    assert measured["coverage"][0]["file"] == "odd.safetensors"
    assert list(measured["tensors"]) == ["fc.weight"]
    assert not measured["usable"]


def test_name_map_gives_tensors_the_names_of_parameters(tiny: Path) -> None:
    arrays = tiny_submission.weights()
    renamed = {"w1": arrays["fc.weight"], "fc.bias": arrays["fc.bias"]}
    measured = tiny_with(tiny, renamed, name_map=name_map(w1="fc.weight"), lossless=True)
    assert measured["usable"]
    assert measured["lossless"]["differences"] == []
    # Digests are claimed under the names the sample itself uses.
    assert sorted(measured["tensors"]) == ["fc.bias", "w1"]


def test_name_map_about_no_tensor_is_refused(tiny: Path) -> None:
    with pytest.raises(ConformanceError, match="name map does not fit") as caught:
        tiny_with(tiny, tiny_submission.weights(), name_map=name_map(nothing="fc.weight"))
    error = caught.value
    assert error.where is not None
    assert (error.where.file, error.where.pointer) == ("submission.json", "/samples/3/name_map")
    assert "fc.bias, fc.weight" in error.expected
    assert error.found == "nothing, which the sample does not hold"
    assert "name_map" in error.fix


def test_name_map_giving_one_name_twice_is_refused(tiny: Path) -> None:
    names = name_map(**{"fc.bias": "fc.weight"})
    with pytest.raises(ConformanceError, match="name map does not fit") as caught:
        tiny_with(tiny, tiny_submission.weights(), name_map=names)
    assert caught.value.found == "one name for two tensors: fc.weight"


def test_name_map_to_no_parameter_is_an_extra_tensor(tiny: Path) -> None:
    names = name_map(**{"fc.bias": "nowhere"})
    measured = tiny_with(tiny, tiny_submission.weights(), name_map=names)
    assert [problem["tensor"] for problem in measured["coverage"]] == ["fc.bias", "nowhere"]


def network(*, output: str = "logits", scale: float = 1.0):
    arrays = {name: array * scale for name, array in tiny_submission.weights().items()}
    made = models.onnx.load_from_string(tiny_submission.model_bytes(arrays))
    made.graph.node[-1].output[0] = made.graph.output[0].name = output
    return made


def test_sample_that_is_a_network_is_told_by_its_own_tensors(tiny: Path) -> None:
    measured = tiny_with(tiny, network(scale=2.0))
    doubled = tiny_submission.weights()["fc.bias"] * np.float32(2.0)
    assert measured["tensors"]["fc.bias"]["sha256"] == tensor_digest(doubled)
    assert measured["usable"]
    assert measured["features"] == ["format:onnx"]


def test_network_with_other_outputs_is_unusable(tiny: Path) -> None:
    measured = tiny_with(tiny, network(output="scores"))
    assert [problem["tensor"] for problem in measured["coverage"]] == ["logits", "scores"]
    assert not measured["usable"]


def test_network_is_never_lossless(tiny: Path) -> None:
    error = tiny_with(tiny, network(), lossless=True)["lossless"]["error"]
    assert error["verdict"] == "unsupported"
    assert error["where"]["file"] == "odd.onnx"
    assert '"lossless": false' in error["fix"]


def test_network_with_tensors_that_are_not_finite_is_unusable(tiny: Path) -> None:
    assert not tiny_with(tiny, network(scale=float("inf")))["usable"]


def test_truncated_sample_is_malformed(tiny: Path) -> None:
    data = (tiny / "half.safetensors").read_bytes()
    (tiny / "half.safetensors").write_bytes(data[:-1])
    with_digests(tiny)
    with pytest.raises(MalformedError) as caught:
        Evaluation(tiny).result("decode", sample="half")
    assert caught.value.where is not None
    assert caught.value.where.file == "half.safetensors"


def test_codec_that_is_not_there_is_unsupported(tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["samples"][0]["codec"].update(id="nobody-has-it"))
    with pytest.raises(UnsupportedError, match="nobody-has-it"):
        Evaluation(tiny).result("decode", sample="half")


def test_runtime_that_is_not_there_is_unsupported(tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["models"][0].update(format="nobody-has-it"))
    with pytest.raises(UnsupportedError, match="nobody-has-it"):
        Evaluation(tiny).result("model")


def test_original_is_described(tiny: Path) -> None:
    measured = Evaluation(tiny).result("model")
    assert measured["counts"]["parameters"] == 21
    assert measured["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 6]}]
    assert measured["outputs"] == [{"name": "logits", "dtype": "float32", "shape": ["N", 3]}]
    assert "onnxruntime" in measured["versions"]
