"""TFLite networks run as LiteRT runs them, with their own parameters and with others."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from conformance.jobs.replacing import zeroed
from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, NotRunError
from tests.runtimes.tflite import models as m

RUNNABLE = ("cnn", "other", "dynamic", "half", "int8", "lstm", "lstm-loop", "loop", "shared")
"""Every converted model that can be judged."""


def feed(network, seed=0):
    """Values for the only input; two items where the model leaves their number free."""
    (port,) = network.inputs
    shape = [2 if size is None else size for size in port.shape]
    values = np.random.default_rng(seed).normal(size=shape)
    return (values * 30).astype(np.int8) if port.dtype == "int8" else values.astype(np.float32)


@pytest.mark.parametrize("name", RUNNABLE)
def test_outputs_are_those_of_litert_alone(converted, name):
    path = converted / f"{name}.tflite"
    with m.opened(path) as network:
        value = feed(network)
        assert np.array_equal(m.run(network, value), m.plain_run(path, value))


@pytest.mark.parametrize(
    ("name", "inputs"), [("cnn", "images"), ("lstm", "rows"), ("lstm-loop", "rows")]
)
def test_outputs_are_close_to_those_of_keras(converted, expected, name, inputs):
    with m.opened(converted / f"{name}.tflite") as network:
        found = m.run(network, expected[inputs])
    assert np.allclose(found, expected[name.removesuffix("-loop")], atol=1e-5)
    assert np.abs(found).max() > 0.01


@pytest.mark.parametrize("name", RUNNABLE)
def test_copies_of_its_own_parameters_change_nothing(converted, name):
    with m.opened(converted / f"{name}.tflite") as network:
        value = feed(network)
        copies = {key: np.array(array) for key, array in network.parameters.items()}
        assert np.array_equal(m.run(network, value, copies), m.run(network, value))


def test_with_the_parameters_of_another_network_it_is_that_network(converted, expected):
    images = expected["images"]
    with (
        m.opened(converted / "cnn.tflite") as network,
        m.opened(converted / "other.tflite") as other,
    ):
        own = m.run(network, images)
        found = m.run(network, images, m.matched(network, other))
        assert np.array_equal(found, m.run(other, images))
        assert not np.allclose(found, own)
        assert np.array_equal(m.run(network, images), own)


def test_the_order_of_bindings_does_not_matter(converted, expected):
    images = expected["images"]
    with m.opened(converted / "cnn.tflite") as network:
        first = {k: np.full(a.shape, 0.01, a.dtype) for k, a in network.parameters.items()}
        second = {k: np.full(a.shape, -0.02, a.dtype) for k, a in network.parameters.items()}
        alone = m.run(network, images, second)
        runners = [network.bind(each) for each in (second, first, None)]
        port, made = network.inputs[0].name, network.outputs[0].name
        found = [runner.run({port: images})[made] for runner in reversed(runners)][::-1]
        assert np.array_equal(found[0], alone)
        assert not np.array_equal(found[1], alone)
        assert np.array_equal(found[2], m.run(network, images))


@pytest.mark.parametrize("name", ["lstm", "lstm-loop", "loop"])
def test_no_state_is_left_of_an_earlier_run(converted, name):
    with m.opened(converted / f"{name}.tflite") as network:
        runner, port = network.bind(), network.inputs[0].name
        one, two = feed(network, 1), feed(network, 2)
        alone = runner.run({port: one})
        runner.run({port: two})
        again = runner.run({port: one})
        assert all(np.array_equal(alone[key], again[key]) for key in alone)


def test_parameters_inside_a_loop_are_replaced(converted):
    with m.opened(converted / "loop.tflite") as network:
        value = feed(network)
        matrix = next(key for key, array in network.parameters.items() if array.shape == (4, 4))
        tensors = {key: np.array(array) for key, array in network.parameters.items()}
        tensors[matrix] = np.zeros((4, 4), np.float32)
        assert m.run(network, value).any()
        assert not m.run(network, value, tensors).any()


def test_tensors_that_share_their_data_are_replaced_one_by_one(converted, tmp_path):
    def share(model):
        first, second = (t for t in model.subgraphs[0].tensors if t.buffer in (2, 3))
        first.buffer = second.buffer

    content = m.changed(converted / "shared.tflite", share)
    with m.opened_bytes(tmp_path, content) as network:
        value = feed(network)
        first, second = network.parameters
        assert np.array_equal(network.parameters[first], network.parameters[second])
        tensors = {key: np.array(array) for key, array in network.parameters.items()}
        found = []
        for key in (first, second):
            changed = {**tensors, key: tensors[key] * 2}
            found.append(m.run(network, value, changed))
        own = m.run(network, value)
        assert not np.array_equal(found[0], own)
        assert not np.array_equal(found[1], own)


@pytest.mark.parametrize("name", ["cnn", "int8"])
@pytest.mark.parametrize("items", [1, 32, 70])
def test_batches_are_runs_of_single_items(converted, name, items):
    with m.opened(converted / f"{name}.tflite") as network:
        (port,), (made,) = network.inputs, network.outputs
        values = np.random.default_rng(3).normal(size=(items, 8, 8, 1)) * 20
        values = values.astype(port.dtype)
        runner = network.bind()
        together = runner.run_batched({port.name: values}, items)[made.name]
        alone = [runner.run({port.name: values[i : i + 1]})[made.name] for i in (0, items - 1)]
    assert together.shape == (items, 3)
    assert np.allclose(together[[0, -1]], np.concatenate(alone), atol=1e-5)


def test_a_network_of_zeros_has_no_output_but_zeros(converted, expected):
    with m.opened(converted / "cnn.tflite") as network:
        found = network.bind_changed(zeroed).run({"image": expected["images"]})
        assert not found["output_0"].any()


def test_nan_in_a_parameter_shows_in_the_outputs(converted, expected):
    with m.opened(converted / "cnn.tflite") as network:
        tensors = {key: np.array(array) for key, array in network.parameters.items()}
        next(t for t in tensors.values() if t.shape == (3,))[1] = np.nan
        found = m.run(network, expected["images"], tensors)
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[:, 0]).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((1, 8, 9, 1), np.float32), "shape"),
        (np.zeros((1, 8, 8, 1), np.int32), "int32"),
    ],
    ids=["shape", "dtype"],
)
def test_an_input_that_does_not_fit_is_refused(converted, value, message):
    with m.opened(converted / "cnn.tflite") as network, pytest.raises(ConformanceError) as caught:
        network.bind().run({"image": value})
    assert message in str(caught.value)


def test_an_input_of_another_name_is_refused(converted, expected):
    with m.opened(converted / "cnn.tflite") as network, pytest.raises(ConformanceError) as caught:
        network.bind().run({"picture": expected["images"]})
    assert "image" in str(caught.value)


def test_versions_and_settings_are_told(converted):
    with m.opened(converted / "cnn.tflite") as network:
        assert set(network.versions) == {"ai-edge-litert", "numpy", "ml_dtypes"}
        assert network.settings["num_threads"] == "1"
        assert network.settings["delegates"] == "none"


def test_what_init_needs_is_described(converted):
    found = runtime("tflite").describe(converted / "cnn.tflite")
    assert [(port.name, port.dtype, port.shape) for port in found.inputs] == [
        ("image", "float32", (None, 8, 8, 1))
    ]
    assert [(port.name, port.shape) for port in found.outputs] == [("output_0", (None, 3))]
    assert found.parameter_count == 36 + 4 + 36 + 4 + 20 * 64 + 20 + 60 + 3
    assert found.external_files == ()


def test_without_litert_the_verdict_is_not_run(converted, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with m.opened(converted / "cnn.tflite") as network, pytest.raises(NotRunError) as caught:
        network.bind()
    assert "pip install 'nnr-conformance[tflite]'" in str(caught.value)


def test_neither_tensorflow_nor_torch_is_imported(converted):
    program = """
        import sys
        from pathlib import Path
        import numpy as np
        from conformance.runtimes import ModelSource, runtime
        path = Path(sys.argv[1])
        with runtime("tflite").open(ModelSource((path,), ("m",), path.parent, 1 << 30)) as network:
            network.bind().run({"image": np.zeros((1, 8, 8, 1), np.float32)})
        assert "ai_edge_litert" in sys.modules
        print(*sorted({"tensorflow", "keras", "torch"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(program), str(converted / "cnn.tflite")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_float16_is_widened_before_anything_is_computed(converted, expected):
    """Weights are stored as float16 and dequantised to float32, in which nothing overflows."""
    images = expected["images"] * 1e6
    with m.opened(converted / "half.tflite") as network:
        assert {port.dtype for port in (*network.inputs, *network.outputs)} == {"float32"}
        assert network.bind().watch() is None
        made = m.run(network, images)
    assert np.isfinite(made).all()
    assert np.abs(made).max() > np.finfo(np.float16).max


def test_dynamic_quantisation_takes_the_range_of_each_item(converted, expected):
    """Hybrid operators quantise item by item: the batch does not matter, as it does in ONNX."""
    images = expected["images"].copy()
    images[0] *= 100
    with m.opened(converted / "dynamic.tflite") as network:
        together = m.run(network, images)
        alone = np.concatenate([m.run(network, images[[i]]) for i in range(len(images))])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
