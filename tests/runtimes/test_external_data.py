import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, MalformedError
from tests.runtimes import models

RUNTIME = runtime("onnx")


def with_external(**entries: str) -> ModelProto:
    """A model whose ``W`` (16 x 32, float32: 2048 bytes) is stored outside."""
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[16, 32])
    tensor.data_location = TensorProto.EXTERNAL
    for key, content in entries.items():
        tensor.external_data.add(key=key, value=content)
    node = helper.make_node("MatMul", ["x", "W"], ["y"])
    ports = [models.value("x", ["N", 16])], [models.value("y", ["N", 32])]
    return models.model([node], *ports, [tensor])


def refusal(folder, made, *names) -> ConformanceError:
    models.save(folder, made)
    with pytest.raises(ConformanceError) as caught:
        RUNTIME.open(models.source(folder, "model.onnx", *names))
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("location", ["model.bin", "weights/part.bin"])
def test_external_parameters_are_read_run_and_replaced(tmp_path, location):
    made = models.cnn()
    (tmp_path / "weights").mkdir()
    models.save_with_external_data(tmp_path, made, location)
    made = models.cnn()
    inputs = models.inputs_of(made)
    with RUNTIME.open(models.source(tmp_path, "model.onnx", location)) as network:
        own = network.bind().run(inputs)["logits"]
        doubled = {name: array * 2 for name, array in network.parameters.items()}
        replaced = network.bind(doubled).run(inputs)["logits"]
    np.testing.assert_allclose(own, models.plain_run(made, inputs)[0], rtol=1e-4, atol=1e-4)
    wanted = models.plain_run(models.rewritten(made, doubled), inputs)[0]
    np.testing.assert_allclose(replaced, wanted, rtol=1e-4, atol=1e-3)


def test_data_beyond_two_gigabytes_is_reached(tmp_path):
    offset = 5 * (1 << 29)
    weights = models.floats(16, 32)
    with (tmp_path / "w.bin").open("wb") as file:
        file.seek(offset)
        file.write(weights.tobytes())
    models.save(tmp_path, with_external(location="w.bin", offset=str(offset), length="2048"))
    with RUNTIME.open(models.source(tmp_path, "model.onnx", "w.bin")) as network:
        np.testing.assert_array_equal(network.parameters["W"], weights)
        x = models.floats(3, 16)
        np.testing.assert_allclose(network.bind().run({"x": x})["y"], x @ weights, rtol=1e-4)


@pytest.mark.parametrize("entries", [{}, {"length": "0"}, {"offset": "64", "length": "0"}])
def test_a_length_of_0_or_none_is_that_of_the_shape(tmp_path, entries):
    weights = models.floats(16, 32)
    (tmp_path / "w.bin").write_bytes(bytes(int(entries.get("offset", 0))) + weights.tobytes())
    made = with_external(location="w.bin", **entries)
    models.save(tmp_path, made)
    x = models.floats(3, 16)
    with RUNTIME.open(models.source(tmp_path, "model.onnx", "w.bin")) as network:
        np.testing.assert_array_equal(network.parameters["W"], weights)
        own = network.bind().run({"x": x})["y"]
    plain = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"x": x})[0]
    np.testing.assert_allclose(own, plain, rtol=1e-5)


def test_a_length_of_0_does_not_reach_past_the_file(tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(2047))
    error = refusal(tmp_path, with_external(location="w.bin", length="0"), "w.bin")
    assert isinstance(error, MalformedError)
    assert error.expected == "bytes 0 to 2048"


@pytest.mark.parametrize(
    "location",
    [
        "../w.bin",
        "/etc/passwd",
        "a/../../w.bin",
        "..\\w.bin",
        "C:\\w.bin",
        "C:w.bin",
        "",
        ".",
        "a\0b",
    ],
)
def test_a_location_outside_the_folder_is_malformed(tmp_path, location):
    error = refusal(tmp_path, with_external(location=location), "w.bin")
    assert isinstance(error, MalformedError)
    assert error.where.element == "graph.initializer[0].external_data"
    assert error.found == repr(location)


def test_the_magic_location_of_a_memory_address_is_refused(tmp_path):
    made = with_external(location="*/_ORT_MEM_ADDR_/*", offset="4096", length="2048")
    error = refusal(tmp_path, made)
    assert error.found == "*/_ORT_MEM_ADDR_/*"


@pytest.mark.parametrize("location", ["model.onnx", "other.bin"])
def test_a_file_the_model_does_not_declare_is_refused(tmp_path, location):
    (tmp_path / "other.bin").write_bytes(bytes(2048))
    (tmp_path / "w.bin").write_bytes(bytes(2048))
    error = refusal(tmp_path, with_external(location=location), "w.bin")
    assert not isinstance(error, MalformedError)
    assert error.expected == "one of w.bin"
    assert error.found == location
    assert "List the external data file" in error.fix


def test_a_declared_link_out_of_the_root_is_refused(tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(2048))
    (folder / "w.bin").symlink_to(tmp_path / "secret.bin")
    error = refusal(folder, with_external(location="w.bin"), "w.bin")
    assert error.found == "w.bin"


@pytest.mark.parametrize("size", [0, 100, 2047])
def test_an_external_file_cut_short_is_malformed(tmp_path, size):
    (tmp_path / "w.bin").write_bytes(bytes(size))
    error = refusal(tmp_path, with_external(location="w.bin"), "w.bin")
    assert error.where.file == "w.bin"
    assert error.where.byte_offset == size


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param({"offset": "-1"}, "'-1'", id="negative offset"),
        pytest.param({"offset": "1e3"}, "'1e3'", id="offset in another notation"),
        pytest.param({"offset": "9" * 5000}, "999", id="offset of many digits"),
        pytest.param({"length": "12"}, "length 12", id="length that contradicts the shape"),
        pytest.param({"length": "\u0661\u0662"}, "'\u0661\u0662'", id="length in other digits"),
        pytest.param({"offset": "999999999999999999"}, "2048 bytes", id="offset past the end"),
    ],
)
def test_offset_and_length_are_checked(tmp_path, entries, found):
    (tmp_path / "w.bin").write_bytes(bytes(2048))
    error = refusal(tmp_path, with_external(location="w.bin", **entries), "w.bin")
    assert isinstance(error, MalformedError)
    assert found in error.found


def in_a_constant(tensor) -> ModelProto:
    nodes = [
        helper.make_node("Constant", [], ["W"], value=tensor),
        helper.make_node("MatMul", ["x", "W"], ["y"]),
    ]
    return models.model(nodes, [models.value("x", ["N", 16])], [models.value("y", ["N", 32])])


def in_a_branch(tensor) -> ModelProto:
    graph = in_a_constant(tensor).graph
    branch = helper.make_graph(
        graph.node[1:], "branch", [], [models.value("y", None)], initializer=[tensor]
    )
    node = helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch)
    flag = models.value("flag", [], TensorProto.BOOL)
    return models.model([node], [*graph.input, flag], graph.output)


@pytest.mark.parametrize(
    ("place", "element"),
    [
        (in_a_constant, "graph.node[0] Constant.value"),
        (in_a_branch, "graph.node[0] If.else_branch.initializer W"),
    ],
    ids=["constant", "branch"],
)
def test_external_data_elsewhere_are_confined_too(tmp_path, place, element):
    tensor = with_external(location="/etc/passwd").graph.initializer[0]
    error = refusal(tmp_path, place(tensor))
    assert isinstance(error, MalformedError)
    assert error.where.element == f"{element}.external_data"


@pytest.mark.parametrize(
    ("place", "names"),
    [(in_a_constant, ["W"]), (in_a_branch, ["y.else_branch.W", "y.then_branch.W"])],
    ids=["constant", "branch"],
)
def test_external_data_elsewhere_are_run_and_replaced(tmp_path, place, names):
    weights = models.floats(2 * len(names), 16, 32)
    (tmp_path / "w.bin").write_bytes(weights.tobytes())
    made = place(with_external(location="w.bin", offset="0").graph.initializer[0])
    if place is in_a_branch:
        second = made.graph.node[0].attribute[1].g.initializer[0]
        second.external_data[1].value = "2048"
    models.save(tmp_path, made)
    assert RUNTIME.describe(tmp_path / "model.onnx").external_files == ("w.bin",)
    inputs = {port.name: models.floats(3, 16) for port in made.graph.input[:1]}
    if place is in_a_branch:
        inputs["flag"] = np.array(True)
    with RUNTIME.open(models.source(tmp_path, "model.onnx", "w.bin")) as network:
        assert list(network.parameters) == names
        own = network.bind().run(inputs)["y"]
        new = dict(zip(names, weights[len(names) :], strict=True))
        replaced = network.bind(new).run(inputs)["y"]
    np.testing.assert_allclose(own, inputs["x"] @ weights[len(names) - 1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(replaced, inputs["x"] @ weights[-1], rtol=1e-4, atol=1e-5)


def two_outside(second_offset: int) -> ModelProto:
    made = with_external(location="w.bin", offset="0", length="2048")
    other = with_external(location="w.bin", offset=str(second_offset)).graph.initializer[0]
    other.name = "V"
    made.graph.initializer.append(other)
    return made


@pytest.mark.parametrize("offset", [0, 1, 2047])
def test_tensors_that_share_bytes_are_malformed(tmp_path, offset):
    (tmp_path / "w.bin").write_bytes(bytes(4096))
    error = refusal(tmp_path, two_outside(offset), "w.bin")
    assert isinstance(error, MalformedError)
    assert "'W' and 'V'" in error.message
    assert error.found == f"bytes {offset} to {offset + 2048}, and 0 to 2048"


def test_tensors_that_touch_are_read(tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(4096))
    models.save(tmp_path, two_outside(2048))
    with RUNTIME.open(models.source(tmp_path, "model.onnx", "w.bin")) as network:
        assert network.unused_parameters == ("V",)


def test_a_folder_in_the_place_of_a_file_is_malformed(tmp_path):
    (tmp_path / "w.bin").mkdir()
    error = refusal(tmp_path, with_external(location="w.bin"), "w.bin")
    assert error.where.file == "w.bin"
    assert error.found == "a folder or a device"


def test_a_link_within_the_folder_to_a_file_that_is_not_declared_is_refused(tmp_path):
    (tmp_path / "real.bin").write_bytes(bytes(2048))
    (tmp_path / "link.bin").symlink_to("real.bin")
    error = refusal(tmp_path, with_external(location="link.bin"), "w.bin")
    assert error.found == "link.bin"


def test_a_description_lists_the_external_files(tmp_path):
    models.save_with_external_data(tmp_path, models.dense())
    described = RUNTIME.describe(tmp_path / "model.onnx")
    assert described.external_files == ("model.bin",)
    assert described.parameter_count == 32 * 16 + 16
    assert [port.name for port in described.inputs] == ["x"]
    assert described.inputs[0].shape == ("N", 32)
    assert described.outputs[0].dtype == "float32"
