import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes import models


def runner(folder, made):
    with models.opened(folder, made) as network:
        return network.bind()


def refusal(run, *args, **kwargs) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        run(*args, **kwargs)
    assert caught.value.fix
    return caught.value


def test_strings_go_in_and_come_out_as_numpy_strings(tmp_path):
    words = np.array(["dog", "cow", "cat"])
    outputs = runner(tmp_path, models.labels()).run_batched({"word": words}, 3)
    assert outputs["translation"].tolist() == ["Hund", "?", "Katze"]
    assert outputs["translation"].dtype.kind == "U"


def test_integer_outputs_keep_their_type(tmp_path):
    made = models.two_in_two_out()
    outputs = runner(tmp_path, made).run(models.inputs_of(made))
    assert outputs["best"].dtype == np.int64
    assert list(outputs) == ["sum", "best"]


@pytest.mark.parametrize(
    ("network_type", "given"),
    [("float16", "float32"), ("float32", "float16"), ("float32", "float64")],
)
def test_floats_are_cast_to_the_networks_type_and_recorded(tmp_path, network_type, given):
    elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(network_type))
    made = models.model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [models.value("x", ["N", 4], elem_type)],
        [models.value("y", ["N", 4], elem_type)],
    )
    run = runner(tmp_path, made)
    x = models.floats(3, 4).astype(given)
    assert run.casts == {}
    np.testing.assert_array_equal(run.run({"x": x})["y"], np.maximum(x.astype(network_type), 0))
    assert run.casts == {"x": f"{given} -> {network_type}"}


def test_integers_are_not_cast_to_floats(tmp_path):
    error = refusal(runner(tmp_path, models.relu()).run, {"x": np.zeros((2, 4), np.int64)})
    assert error.expected == "float32 of shape [N, 4]"
    assert error.found == "int64 of shape [2, 4]"


@pytest.mark.parametrize("shape", [(2, 5), (4,), (2, 4, 1)])
def test_an_input_of_another_shape_is_refused_with_both_shapes(tmp_path, shape):
    error = refusal(runner(tmp_path, models.relu()).run, {"x": np.zeros(shape, np.float32)})
    assert error.where.element == "x"
    assert error.expected.endswith("[N, 4]")
    assert error.found.endswith(str(list(shape)))


@pytest.mark.parametrize("inputs", [{}, {"z": 0}, {"x": 0, "z": 0}])
def test_missing_and_unknown_inputs_are_refused(tmp_path, inputs):
    given = {name: models.floats(2, 4) for name in inputs}
    error = refusal(runner(tmp_path, models.relu()).run, given)
    assert error.expected == "x"
    assert error.found == (", ".join(inputs) or "none")


def test_scalar_inputs_and_outputs_are_run_whole(tmp_path):
    run = runner(tmp_path, models.relu(()))
    assert run.run({"x": np.float32(-3).reshape(())})["y"].shape == ()
    assert run.batch_size is None
    error = refusal(run.run_batched, {"x": np.zeros(())}, 1)
    assert isinstance(error, UnsupportedError)
    assert '"batched": false' in error.fix


def test_arrays_that_are_not_contiguous_are_run(tmp_path):
    x = models.floats(4, 6).T
    made = models.relu(("N", 4))
    np.testing.assert_array_equal(runner(tmp_path, made).run({"x": x})["y"], np.maximum(x, 0))


# Batches


@pytest.mark.parametrize("items", [1, 255, 256, 257, 600])
def test_batches_are_put_together_in_order(tmp_path, items):
    made = models.two_in_two_out()
    inputs = models.inputs_of(made, items)
    outputs = runner(tmp_path, made).run_batched(inputs, items)
    wanted = models.plain_run(made, inputs)
    np.testing.assert_allclose(outputs["sum"], wanted[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs["best"], wanted[1])


@pytest.mark.parametrize("items", [1, 4, 6, 8])
def test_a_fixed_batch_is_filled_up_and_cut(tmp_path, items):
    run = runner(tmp_path, models.dense(batch=4))
    assert run.batch_size == 4
    x = models.floats(items, 32)
    outputs = run.run_batched({"x": x}, items)
    wanted = models.plain_run(models.dense(), {"x": x})[0]
    assert outputs["y"].shape == (items, 16)
    np.testing.assert_allclose(outputs["y"], wanted, rtol=1e-4, atol=1e-5)


def test_small_networks_take_the_largest_batch(tmp_path):
    assert runner(tmp_path, models.cnn()).batch_size == 256


@pytest.mark.parametrize(("side", "batch"), [(1 << 13, 1), (1 << 11, 16), (1 << 10, 64)])
def test_the_batch_shrinks_with_what_one_item_needs(tmp_path, side, batch):
    made = models.relu(("N", side, side))
    assert runner(tmp_path, made).batch_size == batch


def test_the_batch_is_the_same_where_shapes_cannot_be_inferred(tmp_path):
    nodes = [
        helper.make_node("Gelu", ["x"], ["h"], domain="com.microsoft"),
        helper.make_node("Gelu", ["h"], ["y"], domain="com.microsoft"),
    ]
    shape = ["N", 1 << 11, 1 << 11]
    made = models.model(
        nodes, [models.value("x", shape)], [models.value("y", shape)], domains=["com.microsoft"]
    )
    assert runner(tmp_path, made).batch_size == 8


def test_inputs_of_two_fixed_sizes_take_no_batches(tmp_path):
    made = models.model(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        [models.value("a", [2, 3]), models.value("b", [1, 3])],
        [models.value("y", [2, 3])],
    )
    run = runner(tmp_path, made)
    assert run.batch_size is None
    assert isinstance(refusal(run.run_batched, models.inputs_of(made), 2), UnsupportedError)


def test_an_output_without_a_batch_axis_is_refused(tmp_path):
    made = models.model(
        [helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)],
        [models.value("x", ["N", 4])],
        [models.value("y", [])],
    )
    error = refusal(runner(tmp_path, made).run_batched, {"x": models.floats(6, 4)}, 6)
    assert isinstance(error, UnsupportedError)
    assert "'y'" in error.message
    assert '"batched": false' in error.fix


def test_an_output_whose_shape_changes_between_batches_is_refused(tmp_path):
    made = models.model(
        [
            helper.make_node("NonZero", ["x"], ["t"]),
            helper.make_node("Transpose", ["x"], ["u"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "u"], ["y"]),
        ],
        [models.value("x", ["N", 4])],
        [models.value("y", ["N", "N"])],
    )
    error = refusal(runner(tmp_path, made).run_batched, {"x": models.floats(300, 4)}, 300)
    assert isinstance(error, UnsupportedError)
    assert error.expected.startswith("items of shape (256,)")
    assert error.found == "items of shape (44,)"


@pytest.mark.parametrize("items", [0, 5, 7])
def test_inputs_must_hold_the_declared_items(tmp_path, items):
    error = refusal(runner(tmp_path, models.relu()).run_batched, {"x": models.floats(6, 4)}, items)
    assert f"axis 0 = {items}" in error.expected


def test_no_items_are_refused(tmp_path):
    refusal(runner(tmp_path, models.relu()).run_batched, {"x": models.floats(0, 4)}, 0)


def test_a_dynamic_axis_beside_the_batch_is_run(tmp_path):
    made = models.lstm()
    run = runner(tmp_path, made)
    for length in (1, 7):
        x = models.floats(300, length, 8)
        wanted = models.plain_run(made, {"x": x})[0]
        found = run.run_batched({"x": x}, 300)["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


# What cannot be judged, and what cannot be run


def test_a_map_output_is_unsupported_at_opening(tmp_path):
    made = models.relu()
    made.graph.output[0].type.CopyFrom(
        helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        )
    )
    error = refusal(models.opened, tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert error.found == "map"
    assert "ZipMap" in error.fix


def test_a_sequence_output_is_unsupported_at_opening(tmp_path):
    made = models.model(
        [helper.make_node("SplitToSequence", ["x"], ["y"])],
        [models.value("x", ["N", 4])],
        [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)],
    )
    assert refusal(models.opened, tmp_path, made).found == "sequence"


@pytest.mark.parametrize("elem_type", [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, 77])
def test_ports_of_types_numpy_lacks_are_unsupported(tmp_path, elem_type):
    made = models.relu()
    made.graph.input[0].type.tensor_type.elem_type = elem_type
    error = refusal(models.opened, tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert "Cast" in error.fix


def test_a_run_that_fails_names_the_node(tmp_path):
    made = models.dense()
    made.graph.node[0].name = "the-product"
    for port in (made.graph.input[0], made.graph.output[0]):
        port.type.tensor_type.shape.dim[1].dim_param = "M"
    error = refusal(runner(tmp_path, made).run, {"x": models.floats(2, 31)})
    assert error.where.element.startswith("node the-product")
