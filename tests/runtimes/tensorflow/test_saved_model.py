"""SavedModels that are damaged, hostile, or that cannot be judged."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import graph_pb2

from conformance.runtimes import runtime
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from tests.runtimes.tensorflow import nets

tf = nets.tf


def refused(path, limit=nets.GIB):
    with pytest.raises(ConformanceError) as caught, nets.opened(path, limit):
        pass
    error = caught.value
    assert "model/" in str(error)
    assert error.expected
    assert error.found
    assert error.fix
    return error


def file_nodes(marker):
    """The nodes of a graph that writes a file."""
    with tf.Graph().as_default() as graph:
        tf.raw_ops.WriteFile(filename=str(marker), contents="planted", name="planted")
    return graph.as_graph_def().node


def output_node(meta):
    name = next(iter(meta.signature_def["serving_default"].outputs.values())).name
    return next(n for n in meta.graph_def.node if n.name == name.partition(":")[0])


def needed(meta, nodes):
    """In the main graph, before the output."""
    meta.graph_def.node.extend(nodes)
    output_node(meta).input.append("^planted")


def beside(meta, nodes):
    """In the main graph, where no output needs it."""
    meta.graph_def.node.extend(nodes)


def in_called_function(meta, nodes):
    called = output_node(meta).attr["f"].func.name
    function = next(f for f in meta.graph_def.library.function if f.signature.name == called)
    function.node_def.extend(nodes)


def in_other_function(meta, nodes):
    function = meta.graph_def.library.function.add()
    function.signature.name = "never_called"
    function.node_def.extend(nodes)


def at_start(meta, nodes):
    """Behind the signature that TensorFlow runs when it loads a model."""
    meta.graph_def.node.extend(nodes)
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "planted"


def for_saving(meta, nodes):
    meta.graph_def.node.extend(nodes)
    saver = meta.saver_def.restore_op_name
    next(n for n in meta.graph_def.node if n.name == saver).input.append("^planted")


PLACES = (needed, beside, in_called_function, in_other_function, at_start, for_saving)


@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__.replace("_", "-"))
def test_an_operator_that_writes_a_file_is_refused_wherever_it_is(savedmodel, tmp_path, plant):
    marker = tmp_path / "marker"
    nets.changed(savedmodel, lambda meta: plant(meta, file_nodes(marker)))
    error = refused(savedmodel)
    assert "WriteFile" in str(error)
    assert "planted" in error.where.element
    assert not marker.exists()


def test_tensorflow_itself_would_have_written_it(savedmodel, tmp_path):
    """What is refused above is a real payload."""
    marker = tmp_path / "marker"
    nets.changed(savedmodel, lambda meta: needed(meta, file_nodes(marker)))
    graph = nets.saved_model_pb2.SavedModel.FromString(savedmodel.read_bytes())
    nodes = [n for n in graph.meta_graphs[0].graph_def.node if n.name.startswith("planted")]
    part = graph_pb2.GraphDef(node=nodes)
    with tf.Graph().as_default() as alone:
        tf.import_graph_def(part, name="")
        tf.compat.v1.Session(graph=alone).run("planted")
    assert marker.read_text() == "planted"


def add_node(op, **attributes):
    def change(meta):
        node = meta.graph_def.node.add(name="planted", op=op)
        for name, value in attributes.items():
            node.attr[name].CopyFrom(value)
        output_node(meta).input.append("^planted")

    return change


@pytest.mark.parametrize(
    "op", ["ReadFile", "PyFunc", "EagerPyFunc", "PrintV2", "ImmutableConst", "RestoreV2", "SaveV2"]
)
def test_an_operator_that_reaches_out_is_named(savedmodel, op):
    error = refused(nets.changed(savedmodel, add_node(op)))
    assert type(error) is ConformanceError
    assert f"reaches out of the network: {op}" in str(error)


class Asserting(tf.Module):
    """A network that asserts of its input, and of what it computes, in its own way."""

    def __init__(self, way):
        super().__init__("net")
        self.w = tf.Variable(np.eye(3, dtype=np.float32), name="net/w")
        self._way = way
        self.serve = tf.function(
            self._serve, input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")]
        )

    def _serve(self, x):
        return {"y": self._way(tf.matmul(x, self.w))}


def asserted_first(y):
    tf.debugging.assert_less(tf.reduce_max(y), 1e9, message="too large")
    return 2 * y


def waited_for(y):
    with tf.control_dependencies([tf.debugging.Assert(tf.shape(y)[0] > 0, [y, "empty"])]):
        return 2 * tf.identity(y)


def in_a_branch(y):
    def checked():
        tf.debugging.assert_near(y, y)
        return 2 * y

    return tf.cond(tf.reduce_sum(y) > -1e9, checked, lambda: y)


@tf.function
def _checked(y):
    tf.debugging.assert_equal(tf.shape(y)[-1], 3)
    return 2 * y


def in_a_function(y):
    return _checked(y)


def in_a_loop(y):
    def step(k, value):
        tf.debugging.assert_non_negative(k)
        return k + 1, 2 * value

    return tf.while_loop(lambda k, _: k < 1, step, (0, y))[1]


@pytest.mark.parametrize("way", [asserted_first, waited_for, in_a_branch, in_a_function, in_a_loop])
def test_assertions_are_dropped(tmp_path, way):
    path = nets.save(tmp_path / "saved", Asserting(way))
    assert b"Assert" in path.read_bytes()
    with nets.opened(path) as network:
        network.check_replaceable()
        assert list(network.parameters) == ["net/w"]
        value = nets.feed(network)
        assert np.allclose(nets.run(network, value), 2 * value)
        assert np.allclose(
            nets.run(network, value, {"net/w": 3 * np.eye(3, dtype="f4")}), 6 * value
        )


def test_what_is_read_for_an_assertion_alone_is_still_looked_at(savedmodel, tmp_path):
    def asserted(meta):
        meta.graph_def.node.extend(file_nodes(tmp_path / "marker"))
        meta.graph_def.node.add(name="asserted", op="Assert", input=["planted", "planted"])
        output_node(meta).input.append("^asserted")

    assert "WriteFile" in str(refused(nets.changed(savedmodel, asserted)))


@pytest.mark.parametrize(
    "op",
    ["RandomStandardNormal", "HashTableV2", "AssignAddVariableOp", "MyOwnOp", "RandomShuffle"],
)
def test_an_operator_that_is_not_on_the_list_is_unsupported(savedmodel, op):
    error = refused(nets.changed(savedmodel, add_node(op)))
    assert type(error) is UnsupportedError
    assert op in str(error)


def duplicate_node(meta):
    meta.graph_def.node.append(meta.graph_def.node[0])


def function_like_an_operator(meta):
    meta.graph_def.library.function.add().signature.name = "MatMul"


def missing_node(meta):
    output_node(meta).input.append("^nowhere")


def missing_function(meta):
    output_node(meta).attr["f"].func.name = "nowhere"


def endless_function(meta):
    name = output_node(meta).attr["f"].func.name
    function = next(f for f in meta.graph_def.library.function if f.signature.name == name)
    function.node_def.add(name="again", op="PartitionedCall").attr["f"].func.name = name


def no_signature(meta):
    meta.signature_def.clear()


def two_signatures(meta):
    meta.signature_def["a"].CopyFrom(meta.signature_def["serving_default"])
    meta.signature_def["b"].CopyFrom(meta.signature_def["serving_default"])
    del meta.signature_def["serving_default"]


def no_outputs(meta):
    meta.signature_def["serving_default"].outputs.clear()


def sparse_output(meta):
    info = meta.signature_def["serving_default"].outputs["logits"]
    info.coo_sparse.values_tensor_name = info.name


def lost_output(meta):
    meta.signature_def["serving_default"].outputs["logits"].name = "nowhere:0"


def input_that_is_none(meta):
    meta.signature_def["serving_default"].inputs["image"].name = f"{output_node(meta).name}:0"


def another_type(meta):
    meta.signature_def["serving_default"].outputs["logits"].dtype = 2


def training_graph(meta):
    meta.meta_info_def.tags[:] = ["train"]


CHANGES = {
    "node-twice": (duplicate_node, MalformedError, "name of a node is taken"),
    "function-like-an-operator": (function_like_an_operator, MalformedError, "name of an operator"),
    "missing-node": (missing_node, MalformedError, "'nowhere'"),
    "missing-function": (missing_function, MalformedError, "'nowhere'"),
    "endless-function": (endless_function, LimitError, "call themselves"),
    "no-signature": (no_signature, UnsupportedError, "no signature"),
    "two-signatures": (two_signatures, UnsupportedError, "a, b"),
    "no-outputs": (no_outputs, UnsupportedError, "no outputs"),
    "sparse-output": (sparse_output, UnsupportedError, "not a plain tensor"),
    "lost-output": (lost_output, MalformedError, "nowhere"),
    "input-that-is-none": (input_that_is_none, MalformedError, "not an input of the graph"),
    "another-type": (another_type, MalformedError, "a different type"),
    "training-graph": (training_graph, UnsupportedError, "train"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_graph_is_refused_with_the_place(savedmodel, name):
    change, kind, said = CHANGES[name]
    error = refused(nets.changed(savedmodel, change))
    assert type(error) is kind, error
    assert said in str(error)


def test_values_that_export_of_keras_stores_twice_are_unused(tmp_path):
    nets.keras_recurrent(1).export(tmp_path / "exported", verbose=False)
    with nets.opened(tmp_path / "exported" / "saved_model.pb") as network:
        used = set(network.parameters) - set(network.unused_parameters)
        assert len(used) == 11
        assert {name.partition("/")[0] for name in network.unused_parameters} == {"_all_variables"}


def test_a_constant_that_unfolds_to_more_than_is_allowed_is_not_made(savedmodel):
    def change(meta):
        node = meta.graph_def.node.add(name="planted", op="Const")
        node.attr["dtype"].type = 1
        tensor = node.attr["value"].tensor
        tensor.dtype = 1
        tensor.float_val.append(1)
        for _ in range(2):
            tensor.tensor_shape.dim.add().size = 1 << 20
        output_node(meta).input.append("^planted")

    error = refused(nets.changed(savedmodel, change))
    assert isinstance(error, LimitError)


def test_a_graph_longer_than_the_limit_is_not_read(savedmodel):
    assert isinstance(refused(savedmodel, limit=1000), LimitError)


@pytest.mark.parametrize("content", [b"", b"PK\3\4" + bytes(50), b"\x0a\xff\xff\xff\xff\x0f"])
def test_what_is_no_saved_model_is_malformed(savedmodel, content):
    savedmodel.write_bytes(content)
    assert isinstance(refused(savedmodel), MalformedError | UnsupportedError)


EACH = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EACH
@given(data=st.data())
def test_a_truncated_graph_is_a_finding_at_any_length(saved, tmp_path, data):
    folder = tmp_path / "truncated"
    shutil.copytree(saved["savedmodel-cnn-1"].parent, folder, dirs_exist_ok=True)
    whole = saved["savedmodel-cnn-1"].read_bytes()
    end = data.draw(st.integers(0, len(whole) - 1))
    (folder / "saved_model.pb").write_bytes(whole[:end])
    refused(folder / "saved_model.pb")


@EACH
@given(data=st.data())
def test_other_bytes_anywhere_are_a_finding_or_another_network(saved, tmp_path, data):
    folder = tmp_path / "flipped"
    shutil.copytree(saved["savedmodel-cnn-1"].parent, folder, dirs_exist_ok=True)
    content = bytearray(saved["savedmodel-cnn-1"].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "saved_model.pb").write_bytes(bytes(content))
    try:
        with nets.opened(folder / "saved_model.pb") as network:
            network.bind().run({port.name: nets.feed(network) for port in network.inputs})
    except ConformanceError as error:
        said = (error.expected, error.found, error.fix)
        assert all(said)


def test_a_listed_file_that_is_none_of_its_parts_is_unused(savedmodel):
    (savedmodel.parent / "assets").mkdir(exist_ok=True)
    (savedmodel.parent / "assets" / "notes.txt").write_text("x")
    with nets.opened(savedmodel) as network:
        assert network.unused_files == ("model/assets/notes.txt",)


def test_only_listed_files_are_opened(savedmodel):
    alone = nets.source_of(savedmodel)
    alone = type(alone)(alone.files[:1], alone.display[:1], alone.root, alone.limit_bytes)
    with pytest.raises(ConformanceError) as caught:
        runtime("savedmodel").open(alone)
    assert "variable" in str(caught.value)
