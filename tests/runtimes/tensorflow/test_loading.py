"""Parts of a SavedModel that nothing here needs, but that run or are followed on loading."""

from __future__ import annotations

import json

import pytest
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.keras.protobuf import saved_metadata_pb2

from conformance.runtimes.tensorflow.operators import IDLE
from conformance.verdicts import ConformanceError
from tests.runtimes.tensorflow import nets

tf = nets.tf


def changed(path, change):
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
    return path


def refused(path):
    with pytest.raises(ConformanceError) as caught, nets.opened(path):
        pass
    assert caught.value.fix
    assert caught.value.verdict == "fail"
    return caught.value


def saving_nodes(folder):
    """Nodes that write a checkpoint to their own place: fit for saving, not for loading."""
    with tf.Graph().as_default() as graph:
        tf.raw_ops.SaveV2(
            prefix=tf.constant(str(folder / "written"), name="planted_prefix"),
            tensor_names=tf.constant(["a"], name="planted_names"),
            shape_and_slices=tf.constant([""], name="planted_slices"),
            tensors=[tf.constant([1.0], name="planted_value")],
            name="planted",
        )
    return graph.as_graph_def().node


def as_saver(meta, folder):
    nodes = {node.name: node for node in meta.graph_def.node}
    nodes[meta.saver_def.save_tensor_name.partition(":")[0]].input.append("^planted")
    meta.graph_def.node.extend(saving_nodes(folder))


def in_collection(name):
    def change(meta, folder):
        as_saver(meta, folder)
        meta.collection_def[name].node_list.value.append("planted")

    return change


def in_signature(meta, folder):
    as_saver(meta, folder)
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "planted"


def in_resource(meta, folder):
    """A resource that is initialised by a function which only the saver may need."""
    function = meta.graph_def.library.function.add()
    function.signature.name = "planted_function"
    function.node_def.extend(saving_nodes(folder))
    call = meta.graph_def.node.add(name="planted_call", op="PartitionedCall")
    call.attr["f"].func.name = "planted_function"
    meta.saver_def.save_tensor_name = "planted_call"
    nodes = meta.object_graph_def.nodes
    target, resource = nodes.add(), nodes.add()
    target.function.concrete_functions.append("planted_function")
    resource.resource.device = ""
    resource.children.add(node_id=len(nodes) - 2, local_name="_initialize")


INITIALISED = {
    "main-op": in_collection("saved_model_main_op"),
    "legacy-init-op": in_collection("legacy_init_op"),
    "init-signature": in_signature,
    "resource": in_resource,
}


@pytest.mark.parametrize("kind", INITIALISED)
def test_what_loading_would_run_touches_no_files(savedmodel, tmp_path, kind):
    """``tf.saved_model.load`` runs it, though saving operators alone are never run."""
    error = refused(changed(savedmodel, lambda meta: INITIALISED[kind](meta, tmp_path)))
    assert "SaveV2" in error.message
    assert "planted" in str(error.where)


def test_the_same_operators_are_accepted_for_saving(savedmodel, tmp_path):
    with nets.opened(changed(savedmodel, lambda meta: as_saver(meta, tmp_path))) as network:
        assert network.outputs
    assert "SaveV2" not in IDLE


def test_tensorflow_runs_what_initialises_a_model(savedmodel, tmp_path):
    """The payload is live: the loader writes the file."""
    folder = changed(savedmodel, lambda meta: in_signature(meta, tmp_path)).parent
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
    assert list(tmp_path.glob("written*"))


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/etc/passwd", "a/../../b", "..\\b", "C:\\b", "gs://b/c", ""]
)
def test_an_asset_outside_the_folder_is_refused(savedmodel, name):
    def change(meta):
        meta.asset_file_def.add(filename=name)

    error = refused(changed(savedmodel, change))
    assert "outside its folder" in error.message
    assert ascii(name) in error.found


def test_an_asset_inside_the_folder_is_accepted(savedmodel):
    path = changed(savedmodel, lambda meta: meta.asset_file_def.add(filename="words/a.txt"))
    with nets.opened(path) as network:
        assert network.outputs


LAYERS = {
    "lambda": {"class_name": "Lambda", "config": {"function": ["4wE=", None, None]}},
    "nested": {"config": {"layers": [{"class_name": "Lambda"}]}},
    "function": {"config": {"function_type": "lambda", "function": ["4wE="]}},
    "other-model": {"class_name": "TFSMLayer", "config": {"filepath": "x"}},
}


@pytest.mark.parametrize("place", ["file", "object"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_of_code_for_keras_2_is_refused(savedmodel, kind, place):
    text = json.dumps(LAYERS[kind])
    if place == "file":
        described = saved_metadata_pb2.SavedMetadata()
        described.nodes.add(identifier="_tf_keras_layer", metadata=text)
        (savedmodel.parent / "keras_metadata.pb").write_bytes(described.SerializeToString())
    else:

        def change(meta):
            meta.object_graph_def.nodes.add().user_object.metadata = text

        changed(savedmodel, change)
    assert "carries code" in refused(savedmodel).message


def test_a_description_of_plain_layers_is_accepted(savedmodel):
    described = saved_metadata_pb2.SavedMetadata()
    for text in ('{"class_name": "Dense", "config": {"units": 3}}', "", "no JSON"):
        described.nodes.add(identifier="_tf_keras_layer", metadata=text)
    (savedmodel.parent / "keras_metadata.pb").write_bytes(described.SerializeToString())
    with nets.opened(savedmodel) as network:
        assert network.outputs
        assert not network.unused_files
