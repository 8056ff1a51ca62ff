"""What the interpreter does not do, or fails at: said of the operation, with its line."""

import struct

import numpy as np
import pytest
import torch

from conformance.runtimes.nnef.supported import interpreter_operators
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes.nnef import models as m

X = m.floats(1, 2, 4, 4)


def network(folder, body, tensors=None, *, inputs=None, head="", **more):
    text = m.graph(body, inputs or {"x": X.shape}, ("y",), tensors or {}, head=head)
    return m.opened(m.save(folder, text, tensors or {}, **more))


def fault(opened, inputs, kind):
    with pytest.raises(kind) as caught:
        opened.bind().run(inputs)
    m.check(caught.value, "graph.nnef")
    return caught.value


def test_a_border_that_it_does_not_have(tmp_path):
    body = "a = relu(x);\ny = pad(a, padding = [(0, 0), (0, 0), (2, 2), (2, 2)], "
    error = fault(network(tmp_path, body + "border = 'reflect-even');"), {"x": X}, UnsupportedError)
    assert (error.where.line, error.where.element) == (7, "operation pad -> y")
    assert "border" in error.found


def test_an_index_that_is_out_of_range(tmp_path):
    places = {"places": np.array([1, 7], np.int64)}
    opened = network(tmp_path, "a = relu(x);\ny = gather(a, places, axis = 1);", places)
    error = fault(opened, {"x": X}, ConformanceError)
    assert error.where.element == "operation gather -> y"
    assert "out of" in error.found


def test_an_index_of_the_input_is_checked_in_each_run(tmp_path):
    text = m.graph("a = copy(x);\ny = gather(w, a, axis = 0);", {"x": (2,)}, ("y",), {"w": X[0, 0]})
    text = text.replace("external(", "external<integer>(")
    with m.opened(m.save(tmp_path, text, {"w": X[0, 0].copy()})) as opened:
        runner = opened.bind()
        with pytest.raises(ConformanceError, match="cannot be run on these inputs"):
            runner.run({"x": np.array([0, 9])})
        assert np.array_equal(runner.run({"x": np.array([3, 1])})["y"], X[0, 0][[3, 1]])


def test_more_memory_than_there_is(tmp_path):
    body = "y = tile(x, repeats = [100000, 1000000000]);"
    opened = network(tmp_path, body, inputs={"x": (1, 3)}, limit_bytes=1 << 62)
    error = fault(opened, {"x": m.floats(1, 3)}, LimitError)
    assert error.where.element == "operation tile -> y"


UPSAMPLING = {
    "asymmetric": ("method = 'asymmetric', border = 'replicate'", "[2, 2]", "asymmetric"),
    "constant-border": ("method = 'symmetric', border = 'constant'", "[2, 2]", "constant"),
    "three-axes": ("method = 'aligned'", "[2, 2, 2]", "more than two axes"),
}


@pytest.mark.parametrize("name", UPSAMPLING)
def test_upsampling_that_it_computes_otherwise(tmp_path, name):
    how, factor, found = UPSAMPLING[name]
    rank = {"three-axes": 5}.get(name, 4)
    with pytest.raises(UnsupportedError) as caught:
        network(
            tmp_path,
            f"y = multilinear_upsample(x, factor = {factor}, {how});",
            inputs={"x": (1, 2, 4, 4, 4)[:rank]},
        )
    assert found in caught.value.found


@pytest.mark.parametrize("method", ["aligned", "symmetric"])
def test_upsampling_that_it_computes_as_written(tmp_path, method):
    body = f"y = multilinear_upsample(x, factor = [2, 2], method = '{method}', "
    with network(tmp_path, body + "border = 'replicate');") as opened:
        found = opened.bind().run({"x": X})["y"]
    wanted = torch.nn.functional.interpolate(
        torch.tensor(X), scale_factor=2, mode="bilinear", align_corners=method == "aligned"
    )
    assert np.allclose(found, wanted.numpy(), atol=1e-5)


def test_quantisation_to_no_bits(tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        network(tmp_path, "y = linear_quantize(x, 0.0, 1.0, bits = 0);")
    assert caught.value.found == "0 bits"


@pytest.mark.parametrize(
    "body",
    [
        "y = slice(x, axes = [1], begin = [2], end = [2]);",
        "y = tile(x, repeats = [1, 0, 1, 1]);",
    ],
    ids=["empty-slice", "tiled-by-0"],
)
def test_tensors_without_elements(tmp_path, body):
    with pytest.raises(MalformedError, match="does not fit its operands"):
        network(tmp_path, body)


def test_the_variables_together_are_bounded(tmp_path):
    tensors = {f"w{n}": m.floats(1, 3, seed=n) for n in range(20)}
    with pytest.raises(LimitError) as caught:
        network(tmp_path, "y = mul(x, w0);", tensors, inputs={"x": (1, 3)}, limit_bytes=100).close()
    assert caught.value.found == "240 bytes"


def test_integers_of_old_files_are_signed_by_a_flag(tmp_path):
    places = np.array([1, 0], np.int32)
    data = bytearray(m.tensor_bytes(places))
    assert struct.unpack_from("<I", data, 48) == (4,)
    data[48], data[52] = 1, 1
    text = m.graph("y = gather(x, places, axis = 1);", {"x": X.shape}, ("y",), {"places": places})
    with m.opened(m.save(tmp_path, text, {"places": bytes(data)})) as opened:
        assert opened.constants["places"].dtype == np.int32
        assert np.array_equal(opened.bind().run({"x": X})["y"], X[:, [1, 0]])


def test_several_inputs_and_outputs_keep_their_order(tmp_path):
    inputs = {"b": (1, 3), "a": (1, 3)}
    text = m.graph("z = sub(b, a);\ny = add(a, b);", inputs, ("z", "y"))
    with m.opened(m.save(tmp_path, text)) as opened:
        assert [port.name for port in opened.inputs] == ["b", "a"]
        assert [port.name for port in opened.outputs] == ["z", "y"]
        a, b = m.floats(1, 3), m.floats(1, 3, seed=1)
        found = opened.bind().run({"a": a, "b": b})
    assert np.array_equal(found["z"], b - a)
    assert np.array_equal(found["y"], a + b)


EXPRESSIONS = "extension KHR_enable_operator_expressions;\n"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("(-x) + 1.0", lambda x: 1 - x),
        ("x - 1.0 - 2.0", lambda x: x - 3),
        ("2.0 * (x + -1.0)", lambda x: 2 * (x - 1)),
        ("-(x + 1.0)", lambda x: -(x + 1)),
    ],
)
def test_expressions_with_signs(tmp_path, expression, wanted):
    with network(tmp_path, f"y = {expression};", head=EXPRESSIONS) as opened:
        assert np.allclose(opened.bind().run({"x": X})["y"], wanted(X), atol=1e-6)


@pytest.mark.parametrize("expression", ["-x + 1.0", "-(x) * relu(x)", "2.0 + -f(x)[0] + 1.0"])
def test_a_sign_that_would_be_misread_is_refused(tmp_path, expression):
    with pytest.raises(UnsupportedError, match="a sign stands before") as caught:
        network(tmp_path, f"y = {expression};", head=EXPRESSIONS)
    assert caught.value.where.line == 7


def test_a_label_of_two_quantised_variables_is_refused(tmp_path):
    how = "zero_point = 0, scale = {}, bits = 8, signed = true, symmetric = true"
    quant = "\n".join(
        f'"{name}": zero_point_linear_quantize({how.format(scale)});'
        for name, scale in {"v": 0.5, "w": 0.25}.items()
    )
    lines = [m.variable(name, "w", (1, 3)) for name in "vw"]
    text = m.graph("\n".join([*lines, "a = mul(x, v);", "y = mul(a, w);"]), {"x": (1, 3)})
    stored = m.tensor_bytes(np.array([[1, 2, 3]], np.int8), quantised=True)
    with pytest.raises(MalformedError, match="a label is used twice"):
        m.opened(m.save(tmp_path, text, {"w": stored}, quant=quant))


def test_the_quantisation_of_an_activation_has_to_fit_it(tmp_path):
    quant = '"y": linear_quantize(min = [0.0, 0.0, 0.0], max = 1.0, bits = 8);'
    with pytest.raises(MalformedError, match="does not fit its shape or type") as caught:
        network(tmp_path, "y = relu(x);", quant=quant)
    m.check(caught.value, "graph.quant")


def test_one_of_several_results_is_quantised(tmp_path):
    quant = '"a": linear_quantize(min = -1.0, max = 1.0, bits = 1);'
    body = "[a, b] = split(x, axis = 1, ratios = [1, 1]);\ny = add(a, b);"
    with network(tmp_path, body, quant=quant) as opened:
        found = opened.bind().run({"x": X})["y"]
    assert np.allclose(found, np.where(X[:, :1] > 0, 1, -1) + X[:, 1:], atol=1e-6)


WINDOWS = "size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = [(0, 0), (0, 0), (0, 0), (0, 0)]"
OVERLAPPING = WINDOWS.replace("stride = [1, 1, 2, 2]", "stride = [1, 1, 1, 1]")
POOLED = f"(a, i) = max_pool_with_index(x, {WINDOWS}, border = 'ignore');\n"

INDICES = {
    "an-output": (f"y = argmax_pool(x, {WINDOWS}, border = 'ignore');", "the index is an output"),
    "computed-with": (POOLED + "c = gather(a, i, axis = 3);\ny = relu(x);", "only desample may"),
    "of-nothing": (
        (
            "i = variable<integer>(shape = [1, 2, 2, 2], label = 'i');\n"
            f"a = max_pool(x, {WINDOWS});\ny = desample(a, i, {WINDOWS});"
        ),
        "not that of argmax_pool",
    ),
    "of-other-windows": (
        POOLED + "y = desample(a, i, size = [1, 1, 4, 4], stride = [1, 1, 4, 4], "
        "padding = [(0, 0), (0, 0), (0, 0), (0, 0)]);",
        "other windows",
    ),
    "of-windows-that-overlap": (
        (
            f"(a, i) = max_pool_with_index(x, {OVERLAPPING}, border = 'ignore');\n"
            f"y = desample(a, i, {OVERLAPPING});"
        ),
        "windows that overlap",
    ),
}


@pytest.mark.parametrize("name", INDICES)
def test_indices_of_maxima_are_not_looked_at(tmp_path, name):
    body, found = INDICES[name]
    tensors = {"i": m.tensor_bytes(np.zeros((1, 2, 2, 2), np.int64))} if "'i'" in body else {}
    text = m.graph(body, {"x": X.shape})
    with pytest.raises(UnsupportedError, match="cannot be run as it is written") as caught:
        m.opened(m.save(tmp_path, text, tensors)).close()
    assert found in caught.value.found
    m.check(caught.value, "graph.nnef")


def test_indices_lead_back_to_where_the_maxima_were(tmp_path):
    with network(tmp_path, POOLED + f"y = desample(a, i, {WINDOWS});") as opened:
        found = opened.bind().run({"x": X})["y"]
    blocks = X.reshape(1, 2, 2, 2, 2, 2)
    largest = blocks.max(axis=(3, 5), keepdims=True)
    assert np.array_equal(found, np.where(blocks == largest, blocks, 0).reshape(X.shape))


@pytest.mark.parametrize(
    "body",
    [
        "y = deconv(x, w, 0.0, border = 'replicate');",
        "y = separable_deconv(x, p, w, 0.0, border = 'replicate');",
        "y = debox(x, size = [1, 1, 3, 3], border = 'ignore');",
    ],
)
def test_borders_of_what_spreads_are_constant(tmp_path, body):
    tensors = {"w": m.floats(2, 2, 1, 1), "p": m.floats(2, 1, 3, 3)}
    with pytest.raises(UnsupportedError) as caught:
        network(tmp_path, body, tensors)
    assert "border" in caught.value.found


def test_a_tensor_of_another_shape_on_the_way_is_noticed(tmp_path, monkeypatch):
    opened = network(tmp_path, "a = relu(x);\ny = sum_reduce(a, axes = [1, 2, 3]);")
    monkeypatch.setitem(interpreter_operators(), "relu", lambda x: x[:, :1])
    error = fault(opened, {"x": X}, UnsupportedError)
    assert error.where.element == "operation relu -> a"
    assert (error.expected, error.found) == ("[1, 2, 4, 4]", "[1, 1, 4, 4]")
