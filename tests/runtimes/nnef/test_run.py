"""What networks compute, compared with PyTorch and NumPy."""

import numpy as np
import pytest
import torch

from conformance.verdicts import ConformanceError
from tests.runtimes.nnef import models as m

functional = torch.nn.functional


def test_a_convolutional_network_is_that_of_pytorch(tmp_path):
    image = m.floats(2, 1, 6, 6, seed=9)
    with m.opened(m.cnn(tmp_path)) as network:
        assert [(p.name, p.dtype, p.shape) for p in network.inputs] == [
            ("x", "float32", (2, 1, 6, 6))
        ]
        assert [(p.name, p.dtype, p.shape) for p in network.outputs] == [("y", "float32", (2, 5))]
        found = network.bind().run({"x": image})["y"]
    assert np.allclose(found, m.cnn_outputs(m.cnn_tensors(), image), atol=1e-6)


def test_an_unrolled_lstm_is_that_of_pytorch(tmp_path):
    sequence = m.floats(2, 5, 3, seed=4)
    with m.opened(m.save(tmp_path, m.lstm_text(), m.lstm_tensors())) as network:
        network.check_replaceable()
        found = network.bind().run({"x": sequence})["y"]
    assert np.allclose(found, m.lstm_outputs(m.lstm_tensors(), sequence), atol=1e-6)


def test_the_state_of_a_run_does_not_reach_the_next(tmp_path):
    first, second = m.floats(2, 5, 3, seed=4), m.floats(2, 5, 3, seed=5)
    with m.opened(m.save(tmp_path, m.lstm_text(), m.lstm_tensors())) as network:
        runner = network.bind()
        before = runner.run({"x": first})["y"]
        runner.run({"x": second})
        assert np.array_equal(runner.run({"x": first})["y"], before)


@pytest.mark.parametrize("items", [1, 2, 5])
def test_batches_are_filled_up_and_cut_off(tmp_path, items):
    images = m.floats(items, 1, 6, 6, seed=9)
    with m.opened(m.cnn(tmp_path)) as network:
        runner = network.bind()
        assert runner.batch_size == 2
        found = runner.run_batched({"x": images}, items)["y"]
    assert found.shape == (items, 5)
    assert np.allclose(found, m.cnn_outputs(m.cnn_tensors(), images), atol=1e-6)


def t(array):
    return torch.tensor(array)


X = m.floats(1, 2, 6, 6, seed=3)
W = m.floats(3, 2, 3, 3, seed=4)
PLANES = m.floats(2, 1, 3, 3, seed=5)

OPERATIONS = {
    "conv-strided": (
        "y = conv(x, w, 0.0, stride = [2, 2], padding = [(1, 1), (1, 1)]);",
        lambda: functional.conv2d(t(X), t(W), stride=2, padding=1),
    ),
    "conv-dilated": (
        "y = conv(x, w, 0.0, dilation = [2, 2], padding = [(0, 0), (0, 0)]);",
        lambda: functional.conv2d(t(X), t(W), dilation=2),
    ),
    "conv-automatic-padding": (
        "y = conv(x, w, 0.0);",
        lambda: functional.conv2d(t(X), t(W), padding=1),
    ),
    "conv-depthwise": (
        "y = conv(x, p, 0.0, groups = 0, padding = [(0, 0), (0, 0)]);",
        lambda: functional.conv2d(t(X), t(PLANES), groups=2),
    ),
    "deconv": (
        "y = deconv(x, q, 0.0, stride = [2, 2], padding = [(0, 0), (0, 0)]);",
        lambda: functional.conv_transpose2d(t(X), t(W).permute(1, 0, 2, 3), stride=2),
    ),
    "avg-pool": (
        f"y = avg_pool(x, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = {[(0, 0)] * 4});",
        lambda: functional.avg_pool2d(t(X), 2),
    ),
    "mean-reduce": ("y = mean_reduce(x, axes = [2, 3]);", lambda: t(X).mean((2, 3), True)),
    "softmax-of-two-axes": (
        "y = softmax(x, axes = [2, 3]);",
        lambda: torch.softmax(t(X).flatten(2), 2).reshape(X.shape),
    ),
    "prelu": (
        "y = prelu(x, slope);",
        lambda: torch.where(t(X) < 0, t(X) * torch.tensor([0.1, 0.2]).reshape(1, 2, 1, 1), t(X)),
    ),
    "selu": ("y = selu(x, alpha = 1.0, lambda = 2.0);", lambda: 2 * functional.elu(t(X))),
    "leaky-relu": (
        "y = leaky_relu(x, alpha = 0.2);",
        lambda: functional.leaky_relu(t(X), 0.2),
    ),
    "nearest-upsample": (
        "y = nearest_upsample(x, factor = [2, 2]);",
        lambda: t(X).repeat_interleave(2, 2).repeat_interleave(2, 3),
    ),
    "concat-and-slice": (
        "a = concat([x, x], axis = 1);\ny = slice(a, axes = [1], begin = [1], end = [3]);",
        lambda: torch.cat([t(X), t(X)], 1)[:, 1:3],
    ),
    "transpose": (
        "y = transpose(x, axes = [0, 2, 3, 1]);",
        lambda: t(X).permute(0, 2, 3, 1),
    ),
    "clamp-and-select": (
        "a = clamp(x, -1.0, 1.0);\nb = gt(a, 0.0);\ny = select(b, a, x);",
        lambda: torch.where(t(X).clamp(-1, 1) > 0, t(X).clamp(-1, 1), t(X)),
    ),
    "linear-quantize": (
        "y = linear_quantize(x, -2.0, 2.0, bits = 2);",
        lambda: torch.round((t(X).clamp(-2, 2) + 2) / 4 * 3) / 3 * 4 - 2,
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_computes_what_nnef_defines(tmp_path, name):
    body, reference = OPERATIONS[name]
    slope = np.array([[0.1, 0.2]], np.float32)
    every = {"w": W, "p": PLANES, "q": W.transpose(1, 0, 2, 3).copy(), "slope": slope}
    # A deconvolution's filter has input channels first.
    used = {label: array for label, array in every.items() if f", {label}" in body}
    with m.opened(m.save(tmp_path, m.graph(body, {"x": X.shape}, ("y",), used), used)) as network:
        found = network.bind().run({"x": X})["y"]
    wanted = reference().numpy()
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_scalars_of_every_width_are_computed_in_float32(tmp_path, dtype):
    weight = m.floats(4, 3).astype(dtype)
    text = m.graph("y = matmul(x, w, transposeB = true);", {"x": (2, 3)}, ("y",), {"w": weight})
    x = m.floats(2, 3, seed=2)
    with m.opened(m.save(tmp_path, text, {"w": weight})) as network:
        assert network.parameters["w"].dtype == weight.dtype
        found = network.bind().run({"x": x})["y"]
    assert np.array_equal(found, (t(x) @ t(weight.astype(np.float32)).T).numpy())


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8"])
def test_integers_of_every_width_index(tmp_path, dtype):
    table, places = m.floats(4, 3), np.array([2, 0], dtype)
    made = {"table": table, "places": places}
    text = m.graph(
        "a = gather(table, places, axis = 0);\ny = add(a, x);", {"x": (2, 3)}, ("y",), made
    )
    with m.opened(m.save(tmp_path, text, made)) as network:
        found = network.bind().run({"x": np.zeros((2, 3), np.float32)})["y"]
    assert np.array_equal(found, table[[2, 0]])


def test_truth_values_and_scalars_are_read(tmp_path):
    made = {"mask": np.array([[True, False, True]]), "unit": np.array(2.5, np.float32)}
    text = m.graph("a = mul(x, unit);\ny = select(mask, a, x);", {"x": (1, 3)}, ("y",), made)
    with m.opened(m.save(tmp_path, text, made)) as network:
        found = network.bind().run({"x": np.ones((1, 3), np.float32)})["y"]
    assert found.tolist() == [[2.5, 1.0, 2.5]]


def test_nan_in_a_parameter_comes_out_as_nan(tmp_path):
    tensors = m.lstm_tensors()
    tensors["lstm/kernel"][0, 0] = np.nan
    with m.opened(m.save(tmp_path, m.lstm_text(), tensors)) as network:
        found = network.bind().run({"x": m.floats(2, 5, 3)})["y"]
    assert np.isnan(found[:, :, 0]).all()


def test_two_variables_may_share_a_file(tmp_path):
    weight = m.floats(3, 3)
    text = m.graph(
        f"{m.variable('v', 'w', (3, 3))}\na = matmul(x, w);\ny = matmul(a, v);",
        *({"x": (1, 3)}, ("y",), {"w": weight}),
    )
    x = m.floats(1, 3, seed=1)
    with m.opened(m.save(tmp_path, text, {"w": weight})) as network:
        assert list(network.parameters) == ["w"]
        found = network.bind({"w": weight * 2}).run({"x": x})["y"]
    assert np.allclose(found, x @ weight @ weight * 4, atol=1e-5)


FRAGMENTS = """
extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;

fragment scaled( x: tensor<scalar>, factor: scalar = 2.0 ) -> ( y: tensor<scalar> )
{
    y = x * factor + 1.0;
}

fragment dense( x: tensor<scalar>, w: tensor<scalar> ) -> ( y: tensor<scalar> )
{
    y = scaled(matmul(x, w), factor = 0.5);
}
"""


def test_compounds_of_the_submitter_are_written_out(tmp_path):
    tensors = {"one/w1": m.floats(3, 3), "two/w2": m.floats(3, 3, seed=1)}
    body = "a = dense(x, w1);\ny = dense(a, w2);"
    text = m.graph(body, {"x": (2, 3)}, ("y",), tensors)
    text = text.replace("version 1.0;\n", f"version 1.0;\n{FRAGMENTS}")
    x = m.floats(2, 3, seed=2)
    with m.opened(m.save(tmp_path, text, tensors)) as network:
        assert set(network.parameters) == set(tensors)
        found = network.bind().run({"x": x})["y"]
    first = x @ tensors["one/w1"] * 0.5 + 1
    assert np.allclose(found, first @ tensors["two/w2"] * 0.5 + 1, atol=1e-5)


def test_an_input_that_does_not_fit_is_named(tmp_path):
    with m.opened(m.cnn(tmp_path)) as network, pytest.raises(ConformanceError) as caught:
        network.bind().run({"x": m.floats(3, 1, 6, 6)})
    assert caught.value.where.element == "x"


def test_versions_and_settings_are_told(tmp_path):
    with m.opened(m.cnn(tmp_path)) as network:
        assert set(network.versions) == {"nnef", "nnef_tools", "torch", "numpy"}
        assert network.settings["threads"] == "1"


@pytest.mark.parametrize("exact", [False, True])
def test_the_settings_of_pytorch_are_put_back(tmp_path, exact):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(exact)
        with m.opened(m.cnn(tmp_path)) as network:
            network.bind().run({"x": m.floats(2, 1, 6, 6)})
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled() == exact
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def computed(folder, body, x, tensors=None):
    text = m.graph(body, {"x": x.shape}, ("y",), tensors or {})
    with m.opened(m.save(folder, text, tensors or {})) as network:
        return network.bind().run({"x": x})["y"]


def test_the_bias_of_a_deconvolution_is_where_its_filter_does_not_reach(tmp_path):
    x, w, b = m.floats(1, 2, 4, 4), m.floats(2, 3, 2, 2, seed=1), m.floats(1, 3, seed=2)
    found = computed(tmp_path, "y = deconv(x, w, b, stride = [3, 3]);", x, {"w": w, "b": b})
    wanted = functional.conv_transpose2d(t(x), t(w), t(b[0]), stride=3, output_padding=1)
    assert np.allclose(found, wanted.numpy(), atol=1e-6)
    assert np.allclose(found[..., -1], b[..., None], atol=1e-6)


def test_the_bias_of_a_separable_deconvolution_is_everywhere(tmp_path):
    x, b = m.floats(1, 2, 4, 4), m.floats(1, 2, seed=2)
    tensors = {"p": m.floats(2, 1, 2, 2, seed=1), "q": m.floats(2, 2, 1, 1, seed=3), "b": b}
    found = computed(tmp_path, "y = separable_deconv(x, p, q, b, stride = [3, 3]);", x, tensors)
    assert np.allclose(found[..., -1], b[..., None], atol=1e-6)


BIASED = {
    "linear": ("linear(x, w, b)", (6,), {"w": (3, 6)}),
    "conv": ("conv(x, w, b)", (2, 5, 5), {"w": (3, 2, 3, 3)}),
    "separable_conv": (
        "separable_conv(x, v, w, b)",
        (2, 5, 5),
        {"v": (2, 1, 3, 3), "w": (3, 2, 1, 1)},
    ),
    "deconv": ("deconv(x, w, b)", (2, 5, 5), {"w": (2, 3, 3, 3)}),
    "separable_deconv": (
        "separable_deconv(x, v, w, b)",
        (2, 5, 5),
        {"v": (3, 1, 3, 3), "w": (2, 3, 1, 1)},
    ),
}


@pytest.mark.parametrize("items", [1, 2, 3])
@pytest.mark.parametrize("operation", BIASED)
def test_a_bias_of_one_axis_is_one_of_channels(tmp_path, operation, items):
    """Whether there is one item, a different number than of channels, or as many."""
    call, shape, filters = BIASED[operation]
    x = m.floats(items, *shape, seed=6)
    tensors = {name: m.floats(*size, seed=7) for name, size in filters.items()}
    bias = m.floats(3, seed=8)
    found = [
        computed(tmp_path / str(b.ndim), f"y = {call};", x, {**tensors, "b": b})
        for b in (bias, bias.reshape(1, 3))
    ]
    assert found[0].shape[:2] == (items, 3)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("operation", ["linear", "conv", "deconv"])
def test_a_bias_of_another_length_is_malformed(tmp_path, operation):
    call, shape, filters = BIASED[operation]
    tensors = {name: m.floats(*size) for name, size in filters.items()}
    with pytest.raises(ConformanceError) as caught:
        computed(tmp_path, f"y = {call};", m.floats(2, *shape), {**tensors, "b": m.floats(2)})
    assert "'bias' channels (2)" in caught.value.found
    assert caught.value.where.file == "graph.nnef"


@pytest.mark.parametrize("operation", ["min_max_linear_quantize", "linear_quantize"])
def test_bounds_of_quantisation_belong_to_the_first_axes(tmp_path, operation):
    x = 9 * m.floats(1, 4, 4, 4)
    most = np.float32([[1, 2, 3, 4]])
    more = ", signed = false, symmetric = false" if operation.startswith("min_max") else ""
    body = f"y = {operation}(x, low, most, bits = 8{more});"
    found = computed(tmp_path, body, x, {"low": -most, "most": most})
    assert np.allclose(found.max(axis=(0, 2, 3)), most)


def test_scales_of_quantisation_belong_to_the_first_axes(tmp_path):
    scale, zero = np.float32([[1, 2, 3, 4]]), np.zeros((1, 4), np.int64)
    body = (
        "y = zero_point_linear_quantize(x, zero, scale, bits = 2, signed = true, symmetric = true);"
    )
    found = computed(tmp_path, body, 99 * m.floats(1, 4, 4, 4), {"zero": zero, "scale": scale})
    assert np.array_equal(np.abs(found).max(axis=(0, 2, 3)), scale[0])


@pytest.mark.parametrize("factor", [3, 41, 55, 122])
def test_nearest_upsampling_repeats_every_element(tmp_path, factor):
    x = m.floats(1, 1, 7, 2)
    found = computed(tmp_path, f"y = nearest_upsample(x, factor = [{factor}, 1]);", x)
    assert np.array_equal(found, x.repeat(factor, axis=2))


def test_softplus_of_large_numbers_is_finite(tmp_path):
    x = np.float32([[-200, -1, 0, 1, 89, 200]])
    wanted = np.logaddexp(np.float64(x), 0)
    assert np.allclose(computed(tmp_path, "y = softplus(x);", x), wanted, rtol=1e-6)


def test_batch_normalisation_takes_numbers_and_one_value_for_all(tmp_path):
    x, variance = m.floats(1, 4, 3, 3), np.float32([[4]])
    body = "y = batch_normalization(x, 1.0, v, offset = 0.5, scale = 3.0, epsilon = 0.0);"
    found = computed(tmp_path, body, x, {"v": variance})
    assert np.allclose(found, (x - 1) / 2 * 3 + 0.5, atol=1e-6)
