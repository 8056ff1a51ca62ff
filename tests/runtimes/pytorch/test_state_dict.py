"""State dicts next to a graph: which tensor is which parameter, and what does not fit."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper

from conformance.runtimes import runtime
from conformance.tensorfiles import write_tensors
from conformance.verdicts import ConformanceError, MalformedError, UnsupportedError
from tests.runtimes import honest, models
from tests.runtimes.pytorch import files, graphs, nets

FORM = "torch-state-dict"
SHAPES = {"fc.weight": (2, 4), "fc.bias": (2,)}


def state(seed=0, dtype=np.float32):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def linear(*, prefix="", elem_type=TensorProto.FLOAT, shapes=SHAPES, more=(), constants=None):
    """y = x Wᵀ + b without values: both are inputs of the graph."""
    names = [f"{prefix}{name}" for name in shapes]
    ports = [models.value(n, s, elem_type) for n, s in zip(names, shapes.values(), strict=True)]
    gemm = helper.make_node("Gemm", ["x", *names[:2]], ["z" if more else "output"], transB=1)
    x = models.value("x", ["N", 4], elem_type)
    y = models.value("output", ["N", 2], elem_type)
    return models.model([gemm, *more], [x, *ports], [y], constants or {})


def tensors(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def save(folder, graph, given=None, *, name="net.pt"):
    given = given if given is not None else state()
    if name.endswith(".safetensors"):
        write_tensors(folder / name, given)
    else:
        plain = all(isinstance(array, np.ndarray) for array in given.values())
        torch.save(tensors(given) if plain else given, folder / name)
    (folder / "net.onnx").write_bytes(graph.SerializeToString())
    return files.source(folder, name, "net.onnx")


def opened(folder, graph, given=None, **more):
    return files.opened(FORM, save(folder, graph, given, **more))


def x(dtype=np.float32):
    return {"x": np.random.default_rng(9).normal(size=(3, 4)).astype(dtype)}


def wanted(given, inputs):
    weight, bias = given.values()
    return inputs["x"] @ weight.T + bias


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors", "net.pth", "pytorch_model.bin"])
def test_parameters_are_put_into_the_graph_by_name(tmp_path, name):
    with opened(tmp_path, linear(), name=name) as network:
        assert [port.name for port in network.inputs] == ["x"]
        assert set(network.parameters) == set(SHAPES)
        for given in (state(), state(1)):
            found = network.bind(given).run(x())["output"]
            np.testing.assert_allclose(found, wanted(given, x()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod."])
@pytest.mark.parametrize("side", ["state", "graph"])
def test_a_prefix_of_all_names_is_left_out(tmp_path, prefix, side):
    if side == "state":
        given = {f"{prefix}{name}": array for name, array in state().items()}
        network = opened(tmp_path, linear(), given)
    else:
        given = state()
        network = opened(tmp_path, linear(prefix=prefix), given)
    with network:
        assert list(network.parameters) == list(given)
        other = {name: array * 2 for name, array in given.items()}
        found = network.bind(other).run(x())["output"]
        np.testing.assert_allclose(found, wanted(other, x()), rtol=1e-5, atol=1e-6)


def test_a_prefix_of_some_names_is_part_of_them(tmp_path):
    given = {"module.fc.weight": state()["fc.weight"], "fc.bias": state()["fc.bias"]}
    with pytest.raises(ConformanceError, match="does not fit the graph"):
        opened(tmp_path, linear(), given)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda s: s.pop("fc.bias"), ""),
        (lambda s: s.update(more=np.zeros(2, np.float32)), "more in net.pt, which nothing"),
        (
            lambda s: s.update({"fc.bias": np.zeros(3, np.float32)}),
            "fc.bias of net.pt: float32 [3]",
        ),
        (lambda s: s.update({"fc.weight": s["fc.weight"].T.copy()}), "float32 [4, 2]"),
        (lambda s: s.update({"fc.bias": np.zeros(2)}), "fc.bias of net.pt: float64 [2]"),
        (lambda s: s.update({"fc.bias": np.zeros(2, np.int8)}), "fc.bias of net.pt: int8 [2]"),
    ],
    ids=["missing", "extra", "shape", "transposed", "precision", "dtype"],
)
def test_a_state_dict_that_does_not_fit_is_refused(tmp_path, change, found):
    given = state()
    change(given)
    graph = graphs.with_external_data("cnn", nets.tensors("cnn")) if not found else linear()
    with pytest.raises(ConformanceError, match="does not fit the graph") as caught:
        opened(tmp_path, graph, given)
    assert found in caught.value.found
    assert caught.value.fix


def test_an_input_that_the_state_dict_lacks_is_an_input(tmp_path):
    """Only its name distinguishes a parameter without values from an input."""
    given = state()
    given.pop("fc.bias")
    with opened(tmp_path, linear(), given) as network:
        assert [port.name for port in network.inputs] == ["x", "fc.bias"]


@pytest.mark.parametrize(
    ("elem_type", "shape", "found"),
    [(39, (2, 4), "type 39 [2, 4]"), (TensorProto.FLOAT, ("N", 4), "float32 [-1, 4]")],
)
def test_a_parameter_without_a_type_or_a_size_is_refused(tmp_path, elem_type, shape, found):
    graph = linear()
    graph.graph.input[1].CopyFrom(models.value("fc.weight", shape, elem_type))
    with pytest.raises(UnsupportedError, match="no fixed type and shape") as caught:
        opened(tmp_path, graph)
    assert caught.value.found == found


def test_values_in_the_graph_are_never_used(tmp_path):
    """A graph that brings its own values (few): the state dict's count."""
    own, other = nets.tensors("cnn"), nets.tensors("cnn", 1)
    torch.save(tensors(other), tmp_path / "net.pt")
    (tmp_path / "net.onnx").write_bytes(graphs.with_values("cnn", own).SerializeToString())
    with files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx")) as network:
        assert files.same(nets.own(network), other)
        found = network.bind().run(nets.inputs("cnn"))["output"]
    expected = nets.expected(nets.build("cnn", 1), nets.inputs("cnn"))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_values_that_the_graph_has_as_well_are_unread(tmp_path):
    big = {"fc.weight": np.ones((2, 9000), np.float32), "fc.bias": np.ones(2, np.float32)}
    x_port = models.value("x", ["N", 9000])
    node = helper.make_node("Gemm", ["x", "fc.weight", "fc.bias"], ["output"], transB=1)
    graph = models.model([node], [x_port], [models.value("output", ["N", 2])], big)
    with opened(tmp_path, graph, big) as network:
        (found,) = network.unread
    assert "fc.weight, whose values the state dict has" in found.piece
    assert 72_000 - 256 < found.bytes < 72_100


@pytest.mark.parametrize("location", ["net.onnx.data", "../../secret", "/etc/passwd"])
def test_values_in_another_file_are_not_asked_for(tmp_path, location):
    graph = graphs.with_external_data("cnn", nets.tensors("cnn"), location)
    torch.save(nets.build("cnn").state_dict(), tmp_path / "net.pt")
    (tmp_path / "net.onnx").write_bytes(graph.SerializeToString())
    with files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx")) as network:
        found = network.bind().run(nets.inputs("cnn"))["output"]
    expected = nets.expected(nets.build("cnn"), nets.inputs("cnn"))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["Constant", "initializer"])
def test_weights_that_the_graph_stores_are_parameters_too(tmp_path, kind):
    """A buffer that is not part of a state dict ends up there."""
    scale = models.floats(40, seed=1)
    more = [
        helper.make_node("ReduceSum", ["k"], ["s"], keepdims=0),
        helper.make_node("Mul", ["z", "s"], ["output"]),
    ]
    if kind == "Constant":
        value = helper.make_tensor("k", TensorProto.FLOAT, [40], scale)
        more.insert(0, helper.make_node("Constant", [], ["k"], value=value))
    graph = linear(more=more, constants={} if kind == "Constant" else {"k": scale})
    with opened(tmp_path, graph) as network:
        assert list(network.parameters) == [*SHAPES, "k"]
        own = network.bind().run(x())["output"]
        with pytest.raises(ConformanceError, match="do not fit") as caught:
            network.bind(state())
        assert caught.value.found == "k is missing"
        np.testing.assert_array_equal(network.bind({**state(), "k": scale}).run(x())["output"], own)
        doubled = network.bind({**state(), "k": 2 * scale}).run(x())["output"]
        np.testing.assert_allclose(doubled, 2 * own, rtol=1e-5)


def test_many_integers_of_the_graph_are_hidden_parameters(tmp_path):
    hidden = np.random.default_rng(3).integers(0, 1000, 400)
    more = [
        helper.make_node("Cast", ["k"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["f"], ["s"], keepdims=0),
        helper.make_node("Mul", ["z", "s"], ["output"]),
    ]
    with opened(tmp_path, linear(more=more, constants={"k": hidden})) as network:
        assert network.bind().run(x())
        with pytest.raises(UnsupportedError, match="stores parameters where") as caught:
            network.bind(state())
    assert "graph.initializer[0] of net.onnx (400 of content)" in caught.value.found


def test_a_tensor_of_the_graph_under_a_name_of_the_state_dict_is_malformed(tmp_path):
    more = [
        helper.make_node("Constant", [], ["module.fc.bias"], value_floats=[1.0, 2.0]),
        helper.make_node("Add", ["z", "module.fc.bias"], ["output"]),
    ]
    given = {f"module.{name}": array for name, array in state().items()}
    with pytest.raises(MalformedError, match="two stored tensors are called") as caught:
        opened(tmp_path, linear(more=more), given)
    assert caught.value.where.element == "module.fc.bias"
    assert "of net.onnx" in caught.value.found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": tensors(state()), "epoch": 3}, "holds something else than tensors"),
        ({"fc.weight": 1.5}, "holds something else than tensors"),
        ([torch.ones(2)], "holds something else than tensors"),
        (torch.ones(2), "holds something else than tensors"),
        ({3: torch.ones(2)}, "holds something else than tensors"),
        ({"w": torch.ones(2).to_sparse()}, "not part of a stored network"),
        ({"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "not part of a"),
        ({"w": torch.empty(2, device="meta")}, "not part of a stored network"),
    ],
    ids=["checkpoint", "number", "list", "tensor", "index", "sparse", "quantised", "meta"],
)
def test_what_is_no_state_dict_is_refused(tmp_path, given, message):
    torch.save(given, tmp_path / "net.pt")
    (tmp_path / "net.onnx").write_bytes(linear().SerializeToString())
    with pytest.raises(UnsupportedError, match=message) as caught:
        files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx"))
    assert "state_dict()" in caught.value.fix


def test_a_whole_module_is_refused(tmp_path):
    torch.save(nets.build("cnn"), tmp_path / "net.pt")
    (tmp_path / "net.onnx").write_bytes(linear().SerializeToString())
    with pytest.raises(UnsupportedError, match=r"nets\.Cnn"):
        files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx"))


def test_parameters_with_gradients_and_views_are_tensors(tmp_path):
    """A transposed view keeps its strides in the file, and is read by them."""
    rows = torch.arange(8.0).reshape(4, 2)
    given = {"fc.weight": rows.T, "fc.bias": torch.nn.Parameter(torch.tensor([1.0, 2.0]))}
    with opened(tmp_path, linear(), given) as network:
        assert np.array_equal(network.parameters["fc.weight"], rows.T.numpy())
        found = network.bind().run(x())["output"]
    np.testing.assert_allclose(found, x()["x"] @ rows.numpy() + [1, 2], rtol=1e-5)


def test_views_of_one_storage_are_each_their_own(tmp_path):
    flat = torch.arange(10.0)
    given = {"fc.weight": flat[:8].view(2, 4), "fc.bias": flat[8:]}
    with opened(tmp_path, linear(), given) as network:
        assert np.array_equal(network.parameters["fc.bias"], [8, 9])
        assert network.bind(state()).run(x())


def test_views_that_overlap_are_refused(tmp_path):
    flat = torch.arange(10.0)
    given = {"fc.weight": flat[:8].view(2, 4), "fc.bias": flat[7:9]}
    with pytest.raises(UnsupportedError, match="share a part of their memory"):
        opened(tmp_path, linear(), given)


def test_expanded_tensors_are_refused(tmp_path):
    given = {**tensors(state()), "fc.bias": torch.ones(1).expand(2)}
    with pytest.raises(UnsupportedError, match="share their memory"):
        opened(tmp_path, linear(), given)


def test_the_rest_of_a_large_tensor_is_unread(tmp_path):
    given = {**tensors(state()), "fc.bias": torch.ones(1 << 20)[:2]}
    with opened(tmp_path, linear(), given) as network:
        (found,) = network.unread
    assert found.piece.endswith("in no tensor")
    assert found.bytes == (4 << 20) - 8


def test_tied_tensors_are_one_parameter(tmp_path):
    shared = torch.arange(16.0).reshape(4, 4) / 16
    x_port = models.value("x", ["N", 4])
    ports = [models.value(name, [4, 4]) for name in ("a.weight", "b.weight")]
    nodes = [
        helper.make_node("Gemm", ["x", "a.weight"], ["z"], transB=1),
        helper.make_node("Gemm", ["z", "b.weight"], ["output"], transB=1),
    ]
    graph = models.model(nodes, [x_port, *ports], [models.value("output", ["N", 4])])
    given = {"a.weight": shared, "b.weight": shared}
    with opened(tmp_path, graph, given) as network:
        assert list(network.parameters) == ["a.weight"]
        assert network.aliases == {"b.weight": "a.weight"}
        assert sum(astuple(network.counts)) == 16
        assert network.unused_parameters == ()
        other = np.eye(4, dtype=np.float32)
        for names in (["a.weight"], ["b.weight"], ["a.weight", "b.weight"]):
            found = network.bind(dict.fromkeys(names, other)).run(x())["output"]
            assert np.array_equal(found, x()["x"])
        with pytest.raises(ConformanceError, match="do not fit") as caught:
            network.bind({"a.weight": other, "b.weight": other * 2})
        assert "b.weight and a.weight are one parameter" in caught.value.found


@pytest.mark.parametrize(
    ("dtype", "elem_type"),
    [(np.float16, TensorProto.FLOAT16), (np.float64, TensorProto.DOUBLE)],
    ids=["float16", "float64"],
)
def test_other_types_are_kept(tmp_path, dtype, elem_type):
    with opened(tmp_path, linear(elem_type=elem_type), state(dtype=dtype)) as network:
        assert {array.dtype for array in network.parameters.values()} == {np.dtype(dtype)}
        assert network.bind().run(x(dtype))["output"].dtype == dtype


def test_bfloat16_is_read(tmp_path):
    given = {n: torch.from_numpy(a).to(torch.bfloat16) for n, a in state().items()}
    cast = [helper.make_node("Cast", [n], [f"{n}/f"], to=TensorProto.FLOAT) for n in SHAPES]
    gemm = helper.make_node("Gemm", ["x", *(f"{n}/f" for n in SHAPES)], ["output"], transB=1)
    ports = [models.value(n, s, TensorProto.BFLOAT16) for n, s in SHAPES.items()]
    graph = models.model(
        [*cast, gemm], [models.value("x", ["N", 4]), *ports], [models.value("output", ["N", 2])]
    )
    with opened(tmp_path, graph, given) as network:
        for name, tensor in given.items():
            found = np.asarray(network.parameters[name]).astype(np.float32)
            assert np.array_equal(found, tensor.to(torch.float32).numpy())
        assert network.bind().run(x())


def test_a_mapping_that_would_fit_is_named(tmp_path):
    weight, bias = state().values()
    with pytest.raises(ConformanceError, match="does not fit the graph") as caught:
        opened(tmp_path, linear(), {"dense.weight": weight, "dense.bias": bias})
    assert "dense.weight fits fc.weight, dense.bias fits fc.bias" in caught.value.fix
    with pytest.raises(ConformanceError, match="does not fit the graph") as caught:
        opened(tmp_path, linear(), {"fc.weight": weight.T.copy(), "fc.bias": bias})
    assert "fc.weight transposed fits fc.weight" in caught.value.fix
    assert "[2, 4]" in caught.value.expected
    assert "[4, 2]" in caught.value.found


def test_a_mapping_is_named_only_where_there_is_one(tmp_path):
    shapes = {"a": (2, 4), "b": (2,), "c": (2,)}
    given = {"x1": (2, 4), "x2": (2,), "x3": (2,)}
    arrays = {name: np.ones(shape, np.float32) for name, shape in given.items()}
    with pytest.raises(ConformanceError, match="does not fit the graph") as caught:
        opened(tmp_path, linear(shapes=shapes), arrays)
    assert "x1 fits a. " in caught.value.fix


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
@pytest.mark.parametrize(
    "spare",
    [np.array(3), np.zeros(0, np.float32), np.zeros((0, 3), np.int64)],
    ids=["counter", "empty", "empty list"],
)
def test_counters_and_empty_tensors_need_not_be_in_the_graph(tmp_path, name, spare):
    with opened(tmp_path, linear(), {**state(), "fc.spare": spare}, name=name) as network:
        assert sorted(network.parameters) == sorted(SHAPES)
        assert list(network.constants) == ["fc.spare"]
        assert network.unused_parameters == ()
        runs = network.bind(state()), network.bind({**state(), "fc.spare": spare})
        np.testing.assert_array_equal(*(run.run(x())["output"] for run in runs))


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
@pytest.mark.parametrize(
    "spare",
    [np.zeros(4000, np.int64), np.zeros((), np.float32)],
    ids=["many integers", "a real number"],
)
def test_other_tensors_have_to_be_in_the_graph(tmp_path, name, spare):
    """A list would count as size of the original, though nothing reads it."""
    with pytest.raises(ConformanceError, match="does not fit the graph") as caught:
        opened(tmp_path, linear(), {**state(), "fc.spare": spare}, name=name)
    assert "fc.spare" in caught.value.found


def test_a_buffer_without_elements_may_be_in_the_graph(tmp_path):
    nodes = [helper.make_node("Concat", ["z", "empty"], ["output"], axis=1)]
    graph = linear(more=nodes)
    graph.graph.input.append(models.value("empty", [1, 0]))
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    given = {**state(), "empty": np.zeros((1, 0), np.float32)}
    with opened(tmp_path, graph, given) as network:
        assert list(network.constants) == ["empty"]
        one = {"x": x()["x"][:1]}
        found = network.bind(state(1)).run(one)["output"]
        np.testing.assert_allclose(found, wanted(state(1), one), rtol=1e-5, atol=1e-6)


def test_uses_are_those_of_the_graph(tmp_path):
    """Quantised weights, an embedding, a list of positions: integers of a state dict."""
    nodes = [
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Gather", ["z", "places"], ["ordered"], axis=1),
        helper.make_node("Cast", ["rows"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Add", ["ordered", "scaled"], ["output"]),
    ]
    given = {
        "wq": np.arange(12, dtype=np.int8).reshape(4, 3),
        "ws": np.full(4, 0.5, np.float32),
        "wz": np.zeros(4, np.int8),
        "table": np.arange(15, dtype=np.int8).reshape(5, 3),
        "places": np.array([[2, 0, 1]]),
        "scale": np.float32([2]),
    }
    kinds = {"int8": TensorProto.INT8, "int64": TensorProto.INT64, "float32": TensorProto.FLOAT}
    ports = [models.value(n, list(a.shape), kinds[a.dtype.name]) for n, a in given.items()]
    inputs = [models.value("x", ["N", 4]), models.value("ids", ["N"], TensorProto.INT64), *ports]
    graph = models.model(nodes, inputs, [models.value("output", None)])
    with opened(tmp_path, graph, given) as network:
        assert list(network.parameters) == ["wq", "ws", "wz", "table"]
        assert (list(network.scalars), list(network.constants)) == (["scale"], ["places"])


def test_unused_parameters_are_named(tmp_path):
    shapes = {**SHAPES, "spare": (3,)}
    given = {**state(), "spare": np.ones(3, np.float32)}
    with opened(tmp_path, linear(shapes=shapes), given) as network:
        assert network.unused_parameters == ("spare",)


@pytest.mark.parametrize("names", [("net.pt",), ("net.pt", "net.pt"), ("net.onnx", "net.pt")])
def test_the_graph_is_the_second_file(tmp_path, names):
    save(tmp_path, linear())
    with pytest.raises(ConformanceError) as caught:
        files.opened(FORM, files.source(tmp_path, *names))
    assert caught.value.fix


def test_further_files_are_named_as_unused(tmp_path):
    save(tmp_path, linear())
    (tmp_path / "more").write_bytes(b"1")
    with files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx", "more")) as network:
        assert network.unused_files == ("more",)


def test_a_graph_that_is_none_is_refused(tmp_path):
    save(tmp_path, linear())
    (tmp_path / "net.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(MalformedError):
        files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx"))


@pytest.mark.parametrize("size", [0, 7, 8, 60])
def test_a_safetensors_file_that_is_cut_short_is_refused(tmp_path, size):
    save(tmp_path, linear(), name="net.safetensors")
    data = (tmp_path / "net.safetensors").read_bytes()
    (tmp_path / "net.safetensors").write_bytes(data[:size])
    with pytest.raises(ConformanceError):
        files.opened(FORM, files.source(tmp_path, "net.safetensors", "net.onnx"))


def test_describe_finds_the_graph_beside_the_weights(tmp_path):
    save(tmp_path, linear())
    found = runtime(FORM).describe(tmp_path / "net.pt")
    assert (found.parameter_count, found.external_files) == (10, ("net.onnx",))
    assert [port.name for port in found.inputs] == ["x"]
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(ConformanceError, match="holds no network"):
        runtime(FORM).describe(tmp_path / "net.pt")


def test_describe_takes_the_only_graph_beside_the_weights(tmp_path):
    save(tmp_path, linear())
    (tmp_path / "net.onnx").rename(tmp_path / "graph.onnx")
    assert runtime(FORM).describe(tmp_path / "net.pt").external_files == ("graph.onnx",)
    (tmp_path / "graph.onnx").rename(tmp_path / "one.onnx")
    (tmp_path / "other.onnx").write_bytes((tmp_path / "one.onnx").read_bytes())
    with pytest.raises(ConformanceError, match="holds no network") as caught:
        runtime(FORM).describe(tmp_path / "net.pt")
    assert "net.onnx" in caught.value.fix


# The same network as an ONNX model, and as a state dict next to its graph


def without_values(made, names):
    """The graph with the initializers of these names as inputs."""
    graph = ModelProto()
    graph.CopyFrom(made)
    kept = [tensor for tensor in graph.graph.initializer if tensor.name not in names]
    for tensor in graph.graph.initializer:
        if tensor.name in names:
            graph.graph.input.append(models.value(tensor.name, tensor.dims, tensor.data_type))
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    return graph


@pytest.mark.parametrize("kind", honest.HONEST)
@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
@pytest.mark.parametrize("held", ["all", "learnt"])
@pytest.mark.parametrize("stored", ["initializers", "Constant nodes with lists"])
def test_buffers_and_constants_of_the_graph_are_sorted_alike(tmp_path, kind, name, held, stored):
    written, made = honest.made(kind)
    buffers = written.tensors if held == "all" else {n: written.tensors[n] for n in written.learnt}
    graph = honest.STORED[stored](without_values(made, buffers))
    with models.opened(tmp_path, made) as network:
        wanted = [sorted(each) for each in (network.parameters, network.scalars, network.constants)]
        counts = network.counts
    with opened(tmp_path, graph, dict(buffers), name=name) as network:
        found = [sorted(each) for each in (network.parameters, network.scalars, network.constants)]
        assert (found, network.counts) == (wanted, counts)
        network.check_replaceable()
        network.bind({name: written.tensors[name] for name in written.learnt})


@pytest.mark.filterwarnings("ignore")  # the exporter warns of itself, and of the batch of an LSTM
def test_a_small_lstm_as_pytorch_exports_it_is_replaced(tmp_path):
    """Its graph holds many axes, shapes and single numbers; its parameters are 466 numbers."""
    torch.manual_seed(0)
    net = Recurrent().eval()
    torch.onnx.export(
        net,
        (torch.zeros(1, 5, 4),),
        str(tmp_path / "net.onnx"),
        dynamo=False,
        do_constant_folding=False,
        export_params=False,
        input_names=["x"],
        output_names=["output"],
        dynamic_axes={"x": {0: "N"}},
    )
    torch.save(net.state_dict(), tmp_path / "net.pt")
    inputs = {"x": models.floats(3, 5, 4)}
    with files.opened(FORM, files.source(tmp_path, "net.pt", "net.onnx")) as network:
        assert list(network.parameters) == list(net.state_dict())
        assert network.counts.parameters == 466
        halved = {name: array / 2 for name, array in network.parameters.items()}
        found = network.bind(halved).run(inputs)["output"]
    net.load_state_dict({name: torch.from_numpy(array) for name, array in halved.items()})
    expected = net(torch.from_numpy(inputs["x"])).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(4, 8, batch_first=True)
        self.fc = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])
