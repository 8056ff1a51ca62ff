"""A network runs with exactly the parameters that it is given, and with nothing left of others."""

from dataclasses import astuple

import numpy as np
import pytest

from conformance.jobs.replacing import zeroed
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes.caffe import files, nets

EVERY = pytest.mark.parametrize("kind", nets.NETWORKS)


@pytest.fixture
def network(kind, tmp_path):
    text, shapes, _ = nets.NETWORKS[kind]
    with nets.opened(tmp_path, text, nets.weights(shapes)) as opened:
        yield opened


def other(kind, seed):
    _, shapes, names = nets.NETWORKS[kind]
    return nets.by_name(nets.weights(shapes, seed), names)


def independent(kind, seed, folder, inputs):
    text, shapes, _ = nets.NETWORKS[kind]
    return nets.run(folder, text, nets.weights(shapes, seed), inputs)


@EVERY
def test_parameters_are_named_after_layer_and_blob(network, kind):
    wanted = other(kind, 0)
    stored = nets.stored(network)
    assert set(stored) == set(wanted)
    assert set(network.scalars) == {name for name, array in wanted.items() if array.size == 1}
    assert sum(astuple(network.counts)) == sum(array.size for array in wanted.values())
    for name, array in wanted.items():
        assert stored[name].dtype == np.float32
        assert np.array_equal(stored[name], array)
    assert not network.constants
    assert network.unused_parameters == ()
    assert network.unused_files == ()


@EVERY
def test_a_replacement_equals_a_network_built_with_it(network, kind, tmp_path):
    inputs = nets.inputs_of(network)
    replaced = network.bind(other(kind, 9)).run(inputs)
    assert nets.same(replaced, independent(kind, 9, tmp_path / "other", inputs))
    assert not nets.same(replaced, network.bind().run(inputs))


@EVERY
def test_every_single_parameter_reaches_the_outputs(network, kind, tmp_path):
    inputs = nets.inputs_of(network)
    text, shapes, names = nets.NETWORKS[kind]
    for name in nets.stored(network):
        changed = nets.stored(network)
        changed[name] = changed[name] * np.float32(0.5)
        replaced = network.bind(changed).run(inputs)
        learned = {layer: [changed[f"{layer}/{part}"] for part in names[layer]] for layer in shapes}
        assert nets.same(replaced, nets.run(tmp_path / "one", text, learned, inputs)), name
        assert not nets.same(replaced, network.bind().run(inputs)), name


@EVERY
def test_its_own_parameters_copied_change_nothing(network):
    inputs = nets.inputs_of(network)
    copied = {name: array.copy() for name, array in nets.stored(network).items()}
    assert nets.same(network.bind().run(inputs), network.bind(copied).run(inputs))


@EVERY
def test_the_order_of_bindings_does_not_matter(network, kind):
    inputs = nets.inputs_of(network)
    before = network.bind().run(inputs)
    runner = network.bind(other(kind, 3))
    first = runner.run(inputs)
    network.bind_changed(zeroed).run(inputs)
    assert nets.same(network.bind().run(inputs), before)
    assert nets.same(runner.run(inputs), first)
    assert nets.same(network.bind(other(kind, 3)).run(inputs), first)


@EVERY
def test_nothing_of_a_run_is_left_in_the_next(network):
    runner = network.bind()
    one, two = nets.inputs_of(network, 1), nets.inputs_of(network, 2)
    first = runner.run(one)
    kept = {name: array.copy() for name, array in first.items()}
    runner.run(two)
    assert nets.same(first, kept), "outputs are the caller's own"
    assert nets.same(runner.run(one), kept)


@EVERY
def test_a_network_of_zeros_is_that(network, kind, tmp_path):
    text, shapes, _ = nets.NETWORKS[kind]
    inputs = nets.inputs_of(network)
    zeros = {layer: [np.zeros(s, np.float32) for s in of] for layer, of in shapes.items()}
    expected = nets.run(tmp_path / "zeros", text, zeros, inputs)
    assert nets.same(network.bind_changed(zeroed).run(inputs), expected)
    assert all(np.isfinite(array).all() for array in expected.values())


@EVERY
def test_changing_the_inputs_of_a_caller_later_changes_nothing(network):
    runner = network.bind()
    inputs = nets.inputs_of(network)
    first = runner.run(inputs)
    for array in inputs.values():
        array[:] = 0
    assert nets.same(runner.run(nets.inputs_of(network)), first)


@EVERY
def test_a_bound_network_outlives_its_file(kind, tmp_path):
    text, shapes, _ = nets.NETWORKS[kind]
    with nets.opened(tmp_path, text, nets.weights(shapes)) as network:
        runner = network.bind()
        inputs = nets.inputs_of(network)
        before = runner.run(inputs)
    (tmp_path / "net.caffemodel").write_bytes(b"")
    assert nets.same(runner.run(inputs), before)


@EVERY
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda t: t.popitem(), "is missing"),
        (lambda t: t.update(extra=np.zeros(1, np.float32)), "extra is not a parameter"),
        (lambda t: t.update({"fc/bias": np.zeros(2, np.float32)}), "fc/bias has shape [2]"),
        (lambda t: t.update({"fc/bias": t["fc/bias"].astype(complex) * 1j}), "fc/bias is complex"),
    ],
    ids=["missing", "extra", "wrong shape", "wrong type"],
)
def test_a_replacement_that_does_not_fit_is_refused(network, change, found):
    tensors = {name: array.copy() for name, array in network.parameters.items()}
    change(tensors)
    with pytest.raises(ConformanceError) as caught:
        network.bind(tensors)
    assert found in caught.value.found


@EVERY
def test_a_narrower_type_is_widened(network, kind, tmp_path):
    inputs = nets.inputs_of(network)
    halves = {name: array.astype(np.float16) for name, array in nets.stored(network).items()}
    widened = {name: array.astype(np.float32) for name, array in halves.items()}
    assert nets.same(network.bind(halves).run(inputs), network.bind(widened).run(inputs))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@EVERY
def test_blobs_of_other_types_are_run_as_their_float32_values(kind, dtype, tmp_path):
    text, shapes, names = nets.NETWORKS[kind]
    stored = {
        layer: [array.astype(dtype) for array in arrays]
        for layer, arrays in nets.weights(shapes).items()
    }
    rounded = {layer: [array.astype(np.float32) for array in a] for layer, a in stored.items()}
    with nets.opened(tmp_path, text, stored) as network:
        assert {array.dtype.name for array in network.parameters.values()} == {dtype}
        inputs = nets.inputs_of(network)
        expected = nets.run(tmp_path / "float32", text, rounded, inputs)
        assert nets.same(network.bind().run(inputs), expected)
        given = {name: array.copy() for name, array in nets.stored(network).items()}
        assert nets.same(network.bind(given).run(inputs), expected)
    assert nets.by_name(stored, names).keys() == given.keys()


def test_a_recurrent_network_starts_every_run_from_zero(tmp_path):
    with nets.opened(tmp_path, nets.SEQUENCE, nets.weights(nets.SEQUENCE_SHAPES)) as network:
        inputs = nets.inputs_of(network)
        inputs["cont"][:] = 1  # every sequence claims to go on from the run before
        runner = network.bind()
        assert nets.same(runner.run(inputs), runner.run(inputs))


def test_shapes_without_axes_are_parameters_too(tmp_path):
    text = files.inputs(x=(1, 3)) + (
        'layer { name: "p" type: "PReLU" bottom: "x" top: "y" '
        "prelu_param { channel_shared: true } }"
    )
    with nets.opened(tmp_path, text, {"p": [np.float32(0.25)]}) as network:
        assert network.parameters["p/slope"].shape == ()
        out = network.bind({"p/slope": np.float32(0.5)}).run({"x": np.float32([[-1, 2, -4]])})
    assert out["y"].tolist() == [[-0.5, 2, -2]]


HIDDEN = 16


def mixed(coefficients):
    """A bias after sums of channels, with coefficients that are a matrix."""
    channels = "".join(f' top: "c{i}"' for i in range(coefficients.shape[1]))
    text = files.inputs(x=(1, coefficients.shape[1], 2, 2))
    text += f'\nlayer {{ name: "s" type: "Slice" bottom: "x" {channels} }}\n'
    for row, factors in enumerate(coefficients):
        given = " ".join(f"coeff: {factor}" for factor in factors)
        text += f'layer {{ name: "e{row}" type: "Eltwise" {channels.replace("top", "bottom")} '
        text += f'top: "e{row}" eltwise_param {{ {given} }} }}\n'
    rows = " ".join(f'bottom: "e{row}"' for row in range(len(coefficients)))
    text += f'layer {{ name: "j" type: "Concat" {rows} top: "j" }}\n'
    return text + 'layer { name: "b" type: "Bias" bottom: "j" top: "y" }'


@pytest.mark.parametrize(("rows", "columns"), [(8, HIDDEN), (60, HIDDEN // 8)])
def test_weights_written_into_the_prototxt_are_not_passed_over(rows, columns, tmp_path):
    text = mixed(np.random.default_rng(3).normal(size=(rows, columns)))
    bias = np.zeros(rows, np.float32)
    with nets.opened(tmp_path, text, {"b": [bias]}) as network:
        network.bind().run(nets.inputs_of(network))
        with pytest.raises(UnsupportedError, match="cannot take their place") as caught:
            network.bind({"b/bias": bias})
    assert caught.value.expected == "content of at most 96 outside the parameters"
    assert caught.value.where.file == "models/net.prototxt"
    assert "(Eltwise)" in caught.value.found


def test_factors_of_0_and_1_are_no_weights(tmp_path):
    bias = np.zeros(4, np.float32)
    with nets.opened(tmp_path, mixed(np.ones((4, HIDDEN), int)), {"b": [bias]}) as network:
        assert network.bind({"b/bias": bias}).run(nets.inputs_of(network))
