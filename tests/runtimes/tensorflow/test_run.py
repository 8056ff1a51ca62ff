"""Networks of both formats run as their frameworks run them, with own and with other parameters."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from conformance.jobs.replacing import zeroed
from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, NotRunError
from tests.runtimes.tensorflow import nets

KINDS = ("savedmodel-cnn", "savedmodel-recurrent", "keras-cnn", "keras-recurrent")
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def opened_once(saved):
    """Opens a network at the first call, and gives the same to all who only bind and run it."""
    with contextlib.ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(nets.opened(saved[f"{kind}-1"])))


@pytest.fixture
def network(opened_once, kind):
    return opened_once(kind)


def by_framework(path, value):
    """What TensorFlow or Keras itself computes."""
    if path.name == "model.keras":
        model = nets.keras.saving.load_model(path)
        return np.asarray(model(value, training=False))
    loaded = nets.tf.saved_model.load(str(path.parent))
    outputs = loaded.signatures["serving_default"](nets.tf.constant(value))
    (made,) = outputs.values()
    return made.numpy()


@EVERY
def test_outputs_are_those_of_the_framework(saved, kind):
    path = saved[f"{kind}-1"]
    with nets.opened(path) as network:
        value = nets.feed(network)
        found = nets.run(network, value)
    wanted = by_framework(path, value)
    assert found.dtype == wanted.dtype
    assert np.allclose(found, wanted, atol=1e-5)
    assert np.abs(found).max() > 0.01


@EVERY
def test_copies_of_its_own_parameters_change_nothing(network):
    value = nets.feed(network)
    own = nets.run(network, value)
    assert np.array_equal(nets.run(network, value, nets.copies(network)), own)


@EVERY
def test_with_the_parameters_of_another_network_it_is_that_network(saved, kind):
    with nets.opened(saved[f"{kind}-1"]) as one, nets.opened(saved[f"{kind}-2"]) as two:
        value = nets.feed(one)
        assert set(one.parameters) == set(two.parameters)
        own = nets.run(one, value)
        found = nets.run(one, value, nets.copies(two))
        assert np.array_equal(found, nets.run(two, value))
        assert not np.allclose(found, own)
        assert np.array_equal(nets.run(one, value), own)


@EVERY
def test_every_single_parameter_reaches_the_outputs(network):
    value = nets.feed(network)
    own = nets.run(network, value)
    for name in network.parameters:
        tensors = nets.copies(network)
        tensors[name] = tensors[name] * np.float32(0.5) + np.float32(0.25)
        assert not np.array_equal(nets.run(network, value, tensors), own), name


@EVERY
def test_the_order_of_bindings_does_not_matter(network):
    value, port = nets.feed(network), network.inputs[0].name
    halved = {name: array * np.float32(0.5) for name, array in nets.copies(network).items()}
    alone = nets.run(network, value, halved)
    own = nets.run(network, value)
    runners = [network.bind(), network.bind(halved), network.bind()]
    found = [next(iter(runner.run({port: value}).values())) for runner in runners]
    again = [next(iter(runner.run({port: value}).values())) for runner in runners]
    assert all(map(np.array_equal, found, (own, alone, own)))
    assert all(map(np.array_equal, again, (own, alone, own)))


@EVERY
def test_no_state_is_left_of_an_earlier_run(network):
    runner, port = network.bind(), network.inputs[0].name
    one, two = nets.feed(network, 1), nets.feed(network, 2)
    (first,) = runner.run({port: one}).values()
    runner.run({port: two})
    (again,) = runner.run({port: one}).values()
    assert np.array_equal(first, again)


@EVERY
def test_a_network_of_zeros_is_that(network):
    value, port = nets.feed(network), network.inputs[0].name
    zeros = {name: np.zeros_like(array) for name, array in nets.copies(network).items()}
    (empty,) = network.bind_changed(zeroed).run({port: value}).values()
    assert np.array_equal(empty, nets.run(network, value, zeros))
    assert not empty.any()


@EVERY
def test_nan_in_a_parameter_shows_in_the_outputs(network):
    tensors = nets.copies(network)
    last = list(tensors)[-1]
    tensors[last] = np.full_like(tensors[last], np.nan)
    assert np.isnan(nets.run(network, nets.feed(network), tensors)).any()


@EVERY
@pytest.mark.parametrize("items", [1, 40])
def test_batches_are_runs_of_single_items(network, items):
    value, port = nets.feed(network, items=items), network.inputs[0].name
    runner = network.bind()
    (together,) = runner.run_batched({port: value}, items).values()
    (last,) = runner.run({port: value[-1:]}).values()
    assert together.shape[0] == items
    assert np.allclose(together[-1:], last, atol=1e-5)


@EVERY
def test_a_runner_outlives_its_file(saved, kind):
    with nets.opened(saved[f"{kind}-1"]) as network:
        runner, value, port = network.bind(), nets.feed(network), network.inputs[0].name
        (before,) = runner.run({port: value}).values()
    (after,) = runner.run({port: value}).values()
    assert np.array_equal(before, after)


NAMES = {
    "savedmodel-cnn": {
        "net/kernel": (3, 3, 1, 4),
        "net/bias": (4,),
        "net/mean": (4,),
        "net/variance": (4,),
        "net/dense": (144, 3),
    },
    "keras-cnn": {
        "conv/kernel": (3, 3, 1, 4),
        "conv/bias": (4,),
        "norm/gamma": (4,),
        "norm/beta": (4,),
        "norm/moving_mean": (4,),
        "norm/moving_variance": (4,),
        "logits/kernel": (144, 3),
        "logits/bias": (3,),
    },
}


@pytest.mark.parametrize("kind", NAMES)
def test_parameters_have_the_names_and_layouts_of_the_framework(saved, kind):
    with nets.opened(saved[f"{kind}-1"]) as network:
        assert {n: a.shape for n, a in network.parameters.items()} == NAMES[kind]
        assert network.counts.parameters == sum(int(np.prod(s)) for s in NAMES[kind].values())
        assert network.unused_parameters == ()
        assert network.unused_files == ()


def test_values_are_those_of_the_variables(saved):
    with nets.opened(saved["savedmodel-cnn-1"]) as network:
        module = nets.Cnn(1)
        for name, array in network.parameters.items():
            assert np.array_equal(array, getattr(module, name.removeprefix("net/")).numpy())


@EVERY
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t, n: t.pop(n), "is missing"),
        (lambda t, n: t.update(extra=np.zeros(1, np.float32)), "extra"),
        (lambda t, n: t.update({n: np.zeros((7, 7), np.float32)}), "[7, 7]"),
        (lambda t, n: t.update({n: t[n] * 1j}), "complex64"),
    ],
    ids=["missing", "extra", "shape", "dtype"],
)
def test_a_replacement_that_does_not_fit_is_refused(network, spoil, said):
    tensors = nets.copies(network)
    spoil(tensors, next(iter(tensors)))
    with pytest.raises(ConformanceError) as caught:
        network.bind(tensors)
    assert said in str(caught.value)


@EVERY
@pytest.mark.parametrize(
    "value", [np.zeros((1, 2, 3), np.float32), np.zeros((2, 6, 6, 1), np.int64)], ids=["a", "b"]
)
def test_an_input_that_does_not_fit_is_refused(network, value):
    runner, port = network.bind(), network.inputs[0].name
    with pytest.raises(ConformanceError):
        runner.run({port: value})
    with pytest.raises(ConformanceError):
        runner.run({"other": value})


@pytest.mark.parametrize("kind", ["savedmodel-cnn", "keras-cnn"])
def test_what_init_needs_is_described(saved, kind):
    path = saved[f"{kind}-1"]
    found = runtime(kind.partition("-")[0]).describe(path)
    assert [(p.name, p.dtype, p.shape) for p in found.inputs] == [
        ("image", "float32", (None, 6, 6, 1))
    ]
    assert [(p.name, p.shape) for p in found.outputs] == [("logits", (None, 3))]
    assert found.parameter_count == sum(int(np.prod(s)) for s in NAMES[kind].values())
    beside = {"variables/variables.index", "variables/variables.data-00000-of-00001"}
    assert beside <= set(found.external_files) or kind == "keras-cnn"


@EVERY
def test_versions_and_settings_are_told(network):
    assert "keras" in network.versions
    assert network.settings["device"] == "CPU"
    assert network.settings["op_determinism"] == "on"


@EVERY
def test_without_tensorflow_the_verdict_is_not_run(saved, kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(NotRunError) as caught:
        nets.opened(saved[f"{kind}-1"])
    assert "pip install 'nnr-conformance[tensorflow]'" in str(caught.value)


def test_a_worker_computes_on_one_thread(saved):
    """Threads can be set before the first computation only, so in its own process."""
    program = """if True:
        import sys
        from pathlib import Path
        from conformance.runtimes import ModelSource, runtime
        path = Path(sys.argv[1])
        with runtime("keras").open(ModelSource((path,), ("m",), path.parent, 1 << 30)) as network:
            told = network.settings
        print(told["intra_op_parallelism_threads"], told["oneDNN"], "torch" in sys.modules)
    """
    path = saved["keras-cnn-1"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "off", "False"]
