"""Bytes of a model's files that nothing reads, in every format: they are named, others are not.

Each case takes a bundled network, of which nothing is unread, and adds 60,000 bytes in one place
where loaders look past them. Where a format has a piece of such a kind but refuses it on opening
(comments in TorchScript, gaps in ZIP archives and safetensors, members that a format does not
have, comments and extra fields of gzip), the tests of that format show it.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.runtimes import ModelSource, runtime
from conformance.runtimes.tensorflow.keras_file.unread import unread_in_config
from tests.runtimes import models

FORMATS = Path(__file__).parents[2] / "vectors/submissions/digits-formats"
MODELS = {
    model["format"]: [FORMATS / file["rel_filepath"] for file in model["files"]]
    for model in json.loads((FORMATS / "submission.json").read_text("utf-8"))["models"]
}
SIZE = 60_000
TEXT = "so that the original is larger. " * (SIZE // 32)
SMALL = range(240)


def in_onnx(change: Callable) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    return edit


def trained(model) -> None:
    model.training_info.add().algorithm.doc_string = TEXT


def never_called(model) -> None:
    node = helper.make_node("Neg", ["a"], ["b"], name="n" * 1000)
    opsets = [helper.make_opsetid("", 17)]
    nodes = [node] * 60
    model.functions.append(helper.make_function("own", "Spare", ["a"], ["b"], nodes, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))


def unknown_field(path: Path) -> None:
    size = len(TEXT)
    header = bytes([0xFA, 0x3F]) + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
    path.write_bytes(path.read_bytes() + header + TEXT.encode())


def stale_outside(path: Path) -> None:
    """The data of one tensor lie after 60,000 stale bytes of another file."""
    model = onnx.load(path)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    (path.parent / "outside.data").write_bytes(bytes(SIZE) + tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="outside.data")
    tensor.external_data.add(key="offset", value=str(SIZE))
    onnx.save(model, path)


def spare_integers(model) -> None:
    spare = numpy_helper.from_array(np.arange(SIZE // 8), "spare")
    model.graph.initializer.append(spare)


def in_zip(member: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Write an archive again, as PyTorch and Keras do, with one member changed or added."""

    def edit(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        root = next(iter(found)).partition("/")[0] + "/" if path.suffix != ".keras" else ""
        found[root + member] = change(found.get(root + member, b""))
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in found.items():
                archive.writestr(name, data)

    return edit


def large_storage(path: Path) -> None:
    import torch

    state = torch.load(path, weights_only=True)
    name = next(iter(state))
    flat = torch.zeros(state[name].numel() + SIZE // 4)
    flat[: state[name].numel()] = state[name].flatten()
    state[name] = flat[: state[name].numel()].view(state[name].shape)
    torch.save(state, path)


def as_safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    made = path.with_suffix(".safetensors")
    save_file(torch.load(path, weights_only=True), made, metadata={"notes": TEXT})
    path.unlink()


def values_in_graph(path: Path) -> None:
    onnx_file = path.with_suffix(".onnx")
    model = onnx.load(onnx_file, load_external_data=False)
    weight = next(each for each in model.graph.input if each.name == "fc1.weight")
    shape = [dim.dim_value for dim in weight.type.tensor_type.shape.dim]
    values = np.zeros(shape, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(values, weight.name))
    onnx.save(model, onnx_file)


def in_program(change: Callable) -> Callable[[Path], None]:
    def edit(data: bytes) -> bytes:
        root = json.loads(data)
        change(root)
        return json.dumps(root).encode()

    return in_zip("models/model.json", edit)


def node_of_program(root) -> dict:
    return root["graph_module"]["graph"]["nodes"][0]


def in_config(change: Callable) -> Callable[[Path], None]:
    def edit(data: bytes) -> bytes:
        root = json.loads(data)
        change(root)
        return json.dumps(root).encode()

    return in_zip("config.json", edit)


def in_saved_model(change: Callable) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        from tensorflow.core.protobuf import saved_model_pb2

        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        change(model.meta_graphs[0])
        path.write_bytes(model.SerializeToString())

    return edit


def spare_function(meta_graph) -> None:
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "train"
    for index in range(60):
        function.node_def.add(name=f"{index}{'n' * 1000}", op="NoOp")


def notes_of_node(node) -> None:
    node.attr["_note"].list.s.extend([TEXT[:250].encode()] * 240)


def spare_handles(meta_graph) -> None:
    for index in range(320):
        meta_graph.graph_def.node.add(name=f"{index}{'n' * 240}", op="VarHandleOp")


def described_object(meta_graph) -> None:
    meta_graph.object_graph_def.nodes[0].user_object.metadata = json.dumps(TEXT)


def appended(name: str | None = None) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        file = path.parent / name if name else path
        file.write_bytes(file.read_bytes() + TEXT.encode())

    return edit


def in_tflite(change: Callable) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        from tests.runtimes.tflite import models as tflite

        path.write_bytes(tflite.changed(path, change))

    return edit


def metadata_of_tflite(model) -> None:
    model.buffers[model.metadata[0].buffer].data = np.zeros(SIZE, np.uint8)


def named_metadata(model) -> None:
    for _ in SMALL:
        more = copy.copy(model.metadata[0])
        more.name = TEXT[:250].encode()
        model.metadata.append(more)


def commented(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + f"\n# {TEXT}\n", "utf-8")


def named_network(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("name:")
    path.write_text(f'name: "{TEXT}"\n' + text.partition("\n")[2], "utf-8")


def training_layer(path: Path) -> None:
    layers = "".join(
        f'layer {{ name: "{index}{"n" * 200}" type: "Dropout" include {{ phase: TRAIN }} }}\n'
        for index in range(270)
    )
    path.write_text(path.read_text("utf-8") + layers, "utf-8")


def unknown_in_caffemodel(path: Path) -> None:
    from tests.runtimes.caffe.files import field

    file = path.with_suffix(".caffemodel")
    file.write_bytes(file.read_bytes() + field(99, TEXT.encode()))


def as_archive(path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(path.parent.rglob("*")):
            if file.is_file():
                archive.add(file, file.relative_to(path.parent).as_posix())
        notes = tarfile.TarInfo("notes.txt")
        notes.size = len(TEXT)
        archive.addfile(notes, io.BytesIO(TEXT.encode()))
    (path.parent / "model.tgz").write_bytes(gzip.compress(out.getvalue()))


CASES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "onnx doc_string of the model": (
        "onnx",
        in_onnx(lambda model: setattr(model, "doc_string", TEXT)),
        "documentation of model",
    ),
    "onnx doc_string of a node": (
        "onnx",
        in_onnx(lambda model: setattr(model.graph.node[0], "doc_string", TEXT)),
        "documentation of graph.node[0]",
    ),
    "onnx doc_string of a tensor": (
        "onnx",
        in_onnx(lambda model: setattr(model.graph.initializer[0], "doc_string", TEXT)),
        "documentation of graph.initializer[0]",
    ),
    "onnx metadata_props": (
        "onnx",
        in_onnx(lambda model: model.metadata_props.add(key="notes", value=TEXT)),
        "documentation of model",
    ),
    "onnx name of the producer": (
        "onnx",
        in_onnx(lambda model: setattr(model, "producer_name", TEXT)),
        "producer_name of model",
    ),
    "onnx training_info": ("onnx", in_onnx(trained), "training_info"),
    "onnx function that is not called": ("onnx", in_onnx(never_called), "function Spare"),
    "onnx unknown field": ("onnx", unknown_field, "fields that ONNX does not have"),
    "onnx stale external data": ("onnx", stale_outside, "before fc1.weight, which no tensor names"),
    "onnx integers that nothing reads": ("onnx", in_onnx(spare_integers), "no output depends on"),
    "torchscript extra file": (
        "torchscript",
        in_zip("extra/notes", lambda _: TEXT.encode()),
        "member extra/notes",
    ),
    "torchscript records for debugging": (
        "torchscript",
        in_zip("mobile_debug_handles.pkl", lambda _: b"\x80\x02N." + TEXT.encode() * 2),
        "records for debugging",
    ),
    "torch-export extra file": (
        "torch-export",
        in_zip("extra/notes", lambda _: TEXT.encode()),
        "member extra/notes",
    ),
    "torch-export unknown entry": (
        "torch-export",
        in_program(lambda root: root.update(notes=TEXT)),
        "models/model.json: notes",
    ),
    "torch-export trace of a node": (
        "torch-export",
        in_program(lambda root: node_of_program(root)["metadata"].update(x=TEXT)),
        "nodes: metadata",
    ),
    "torch-export small entries of nodes": (
        "torch-export",
        in_program(lambda root: node_of_program(root).update(note=[TEXT[:900]] * 66)),
        "models/model.json: note",
    ),
    "torch-export tensors that the graph does not have": (
        "torch-export",
        in_program(
            lambda root: root["graph_module"]["graph"]["tensor_values"].update(
                {f"{index}{'n' * 900}": {} for index in range(66)}
            )
        ),
        "tensor_values of no value",
    ),
    "torch-export traces of nodes": (
        "torch-export",
        in_program(
            lambda root: node_of_program(root)["metadata"].update(stack_trace=TEXT + "x" * 20_000)
        ),
        "what PyTorch notes, beyond 2048 bytes for each operator",
    ),
    "state dict storage of a larger tensor": (
        "torch-state-dict",
        large_storage,
        "data/0, in no tensor",
    ),
    "state dict metadata of safetensors": ("torch-state-dict", as_safetensors, "header"),
    "state dict values in the graph": (
        "torch-state-dict",
        values_in_graph,
        "whose values the state dict has",
    ),
    "savedmodel function for training": (
        "savedmodel",
        in_saved_model(spare_function),
        "function train",
    ),
    "savedmodel description of an object": (
        "savedmodel",
        in_saved_model(described_object),
        "a long string in meta_graph.object_graph_def",
    ),
    "savedmodel small notes on nodes": (
        "savedmodel",
        in_saved_model(lambda graph: notes_of_node(graph.graph_def.node[-1])),
        "setting _note of",
    ),
    "savedmodel nodes for debugging": (
        "savedmodel",
        in_saved_model(
            lambda graph: graph.graph_def.node[
                -1
            ].experimental_debug_info.original_node_names.extend([TEXT[:250]] * 240)
        ),
        "experimental_debug_info",
    ),
    "savedmodel variables that are not there": (
        "savedmodel",
        in_saved_model(spare_handles),
        "nodes of variables that are not there",
    ),
    "savedmodel objects of no object": (
        "savedmodel",
        in_saved_model(
            lambda graph: graph.object_graph_def.nodes.extend(
                [type(graph.object_graph_def.nodes[0])(registered_name=TEXT[:250])] * 240
            )
        ),
        "objects that no other object has",
    ),
    "savedmodel assets": (
        "savedmodel",
        in_saved_model(
            lambda graph: [graph.asset_file_def.add(filename=TEXT[:250]) for _ in SMALL]
        ),
        "assets",
    ),
    "savedmodel fingerprint": ("savedmodel", appended("fingerprint.pb"), "the file"),
    "savedmodel gap after the values": (
        "savedmodel",
        appended("variables/variables.data-00000-of-00001"),
        "of no variable",
    ),
    "keras description of the training": (
        "keras",
        in_config(lambda root: root.update(compile_config={"notes": TEXT})),
        "compile_config",
    ),
    "keras blanks": ("keras", in_zip("config.json", lambda data: data + b" " * SIZE), "blanks"),
    "tflite description": (
        "tflite",
        in_tflite(lambda model: setattr(model, "description", TEXT.encode())),
        "model.description",
    ),
    "tflite metadata": ("tflite", in_tflite(metadata_of_tflite), "of no tensor"),
    "tflite names in metadata": ("tflite", in_tflite(named_metadata), "model.metadata"),
    "tflite appended": ("tflite", appended(), "unaccounted bytes"),
    "caffe comments": ("caffe", commented, "comments"),
    "caffe long name": ("caffe", named_network, "long strings"),
    "caffe layers for training": ("caffe", training_layer, "layers of the training phase"),
    "caffe unknown field": ("caffe", unknown_in_caffemodel, "neither blobs nor options"),
    "nnef comments": ("nnef", commented, "comments and blanks of graph.nnef"),
    "nnef file in an archive": ("nnef", as_archive, "member notes.txt"),
}


def copied(form: str, folder: Path) -> Path:
    """A copy of the bundled network in a format; the path of the file that is opened."""
    first = MODELS[form][0]
    for file in MODELS[form]:
        target = folder / file.relative_to(first.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return folder / first.name


def unread(form: str, path: Path) -> dict[str, int]:
    """What nothing reads in the files of a folder, the one at ``path`` opened."""
    files = sorted(file for file in path.parent.rglob("*") if file.is_file())
    if not path.is_file():  # replaced by a file of a different kind
        path = next(file for file in files if file.suffix == ".safetensors")
    if form == "nnef" and (path.parent / "model.tgz") in files:
        path = path.parent / "model.tgz"
        files = [path]
    files.sort(key=lambda file: (file != path, file.suffix == ".data"))
    names = tuple(file.relative_to(path.parent).as_posix() for file in files)
    source = ModelSource(tuple(files), names, path.parent, 1 << 30)
    with runtime(form).open(source) as network:
        return {each.piece: each.bytes for each in network.unread}


@pytest.mark.parametrize("case", CASES)
def test_bytes_that_nothing_reads_are_counted_where_they_are(tmp_path: Path, case: str) -> None:
    form, change, piece = CASES[case]
    path = copied(form, tmp_path)
    change(path)
    found = unread(form, path)
    largest = max(found, key=lambda each: found[each])
    assert piece in largest
    assert 0.8 * SIZE < found[largest] < 2.2 * SIZE
    assert sum(found.values()) - found[largest] < 4096


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        (lambda root: root.update(note=TEXT), "note, which Keras ignores"),
        (lambda root: root["config"].update(note=TEXT), "config/note, which Keras ignores"),
        (
            lambda root: root["config"]["layers"][1].update(note=[TEXT[:250]] * 240),
            "layers/note, which Keras ignores",
        ),
        (
            lambda root: root["config"]["layers"][1]["build_config"].update(
                shapes_dict={f"{index}_shape": TEXT[:250] for index in SMALL}
            ),
            "build_config at config.json/config/layers",
        ),
        (
            lambda root: root["config"].update(
                layers=[{"inbound_nodes": [{"args": [], "kwargs": {}, "note": TEXT}]}]
            ),
            "inbound_nodes/note, which Keras ignores",
        ),
        (
            lambda root: root["config"].update(
                layers=[{"config": {"shape": [1], "keras_history": [], "note": TEXT}}]
            ),
            "config/note, which Keras ignores",
        ),
    ],
    ids=["file", "network", "layer", "shapes", "call", "tensor"],
)
def test_entries_that_keras_ignores_count(change: Callable[[dict], None], piece: str) -> None:
    with zipfile.ZipFile(MODELS["keras"][0]) as archive:
        config = archive.read("config.json")
    assert not any(each.bytes > 0 for each in unread_in_config(config, "config.json"))
    root = json.loads(config)
    change(root)
    found = list(unread_in_config(json.dumps(root).encode(), "config.json"))
    (largest,) = (each for each in found if each.bytes > 0)
    assert piece in largest.piece
    assert SIZE <= largest.bytes < 1.2 * SIZE


def test_every_format_has_a_case() -> None:
    assert {form for form, *_ in CASES.values()} == set(MODELS)


def branched() -> onnx.ModelProto:
    """A network with a branch, and with a function that adds 1 and takes an attribute."""
    inner = [helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    graph = helper.make_graph(inner, "g", [], [models.value("b", None)])
    step = helper.make_node("LeakyRelu", ["v"], ["w"])
    step.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "Step", ["v"], ["w"], [step], opsets, ["slope"])
    nodes = [
        helper.make_node("If", ["c"], ["z"], then_branch=graph, else_branch=graph),
        helper.make_node("Step", ["z"], ["y"], domain="own", slope=0.5),
    ]
    ports = [models.value("x", ["N", 4])], [models.value("y", ["N", 4])]
    tensors = {"c": np.array(True)}
    return models.model(nodes, *ports, tensors, domains=["own"], functions=[function])


def branch(model: onnx.ModelProto) -> onnx.GraphProto:
    return model.graph.node[0].attribute[0].g


def operator(model: onnx.ModelProto) -> onnx.NodeProto:
    return model.functions[0].node[0]


SPREAD: dict[str, tuple[Callable[[onnx.ModelProto, str], object], str]] = {
    "operator sets of no operator": (
        lambda model, text: model.opset_import.add(domain=text, version=1),
        "which no operator is of",
    ),
    "operator sets of no operator of a function": (
        lambda model, text: model.functions[0].opset_import.add(domain=text, version=1),
        "functions[0].opset_import",
    ),
    "the same operator set": (
        lambda model, text: model.opset_import.extend(
            [helper.make_opsetid("own", 1) for _ in range(29)]
        ),
        "which no operator is of",
    ),
    "types of no value": (
        lambda model, text: model.graph.value_info.add(name=text),
        "graph.value_info",
    ),
    "types of no value of a branch": (
        lambda model, text: branch(model).value_info.add(name=text),
        "graph.node[0].else_branch.value_info",
    ),
    "types of no value of a function": (
        lambda model, text: model.functions[0].value_info.add(name=text),
        "functions[0].value_info",
    ),
    "types of a value once more": (
        lambda model, text: model.graph.value_info.add(
            name="z", type=helper.make_tensor_type_proto(1, ["s" * len(text)])
        ),
        "graph.value_info",
    ),
    "quantisation of nothing": (
        lambda model, text: model.graph.quantization_annotation.add(tensor_name=text),
        "quantization_annotation",
    ),
    "nodes that no output depends on": (
        lambda model, text: model.graph.node.add(op_type="Neg", input=["x"], output=[text]),
        "which no output depends on",
    ),
    "metadata of nodes": (
        lambda model, text: model.graph.node[0].metadata_props.add(key="note", value=text),
        "documentation of graph.node[0]",
    ),
    "metadata of a node in a branch": (
        lambda model, text: branch(model).node[0].metadata_props.add(key="note", value=text),
        "documentation of graph.node[0].attribute[0].g.node[0]",
    ),
    "metadata of a node in a function": (
        lambda model, text: operator(model).metadata_props.add(key="note", value=text),
        "documentation of functions[0].node[0]",
    ),
    "metadata of a tensor": (
        lambda model, text: model.graph.initializer[0].metadata_props.add(key="note", value=text),
        "documentation of graph.initializer[0]",
    ),
    "metadata of the graph": (
        lambda model, text: model.graph.metadata_props.add(key="note", value=text),
        "documentation of graph",
    ),
    "metadata of an input": (
        lambda model, text: model.graph.input[0].metadata_props.add(key="note", value=text),
        "documentation of graph.input[0]",
    ),
    "what sizes denote": (
        lambda model, text: (
            model.graph.input[0]
            .type.tensor_type.shape.dim[0]
            .MergeFrom(onnx.TensorShapeProto.Dimension(denotation="d" * len(text) * 40))
        ),
        "documentation of graph.input[0]",
    ),
    "attributes that a function does not have": (
        lambda model, text: model.graph.node[1].attribute.add(name=text, type=1, f=1.0),
        "attributes of graph.node[1]",
    ),
    "attributes that no node of a function reads": (
        lambda model, text: model.functions[0].attribute.append(text),
        "that functions[0] does not read",
    ),
    "defaults that no node of a function reads": (
        lambda model, text: model.functions[0].attribute_proto.add(name=text, type=1, f=1.0),
        "that functions[0] does not read",
    ),
    "inputs that no node of a function reads": (
        lambda model, text: model.functions[0].input.append(text),
        "that functions[0] does not read",
    ),
    "devices of nodes": (
        lambda model, text: model.graph.node[0].device_configurations.add(configuration_id=text),
        "device_configurations of graph.node[0]",
    ),
    "devices": (
        lambda model, text: model.configuration.add(name=text),
        "configuration",
    ),
}
"""Pieces in the network with a branch and a function: what adds 200 bytes, and their name."""

SPREAD_SIZE = 40 * 200


@pytest.mark.parametrize("case", SPREAD)
def test_small_pieces_that_nothing_reads_count_together(tmp_path: Path, case: str) -> None:
    add, piece = SPREAD[case]
    model = branched()
    with models.opened(tmp_path, model) as network:
        assert not network.unread
    for index in range(40):
        add(model, f"{index:02}{'t' * 198}")
    with models.opened(tmp_path, model) as network:
        found = {each.piece: each.bytes for each in network.unread}
        network.bind()  # nothing that is counted keeps it from being run
    assert all(piece in each for each in found)
    assert SPREAD_SIZE <= sum(found.values()) < 1.4 * SPREAD_SIZE


@pytest.mark.parametrize("least", [256, 257], ids=["longest", "longer"])
def test_names_are_overhead_as_long_as_exporters_write_them(tmp_path: Path, least: int) -> None:
    model = branched()
    model.graph.node[0].name = "n" * least
    with models.opened(tmp_path, model) as network:
        assert [each.bytes for each in network.unread] == [1] * (least - 256)


def test_names_of_sizes_are_overhead_as_long_as_one_name(tmp_path: Path) -> None:
    model = branched()
    model.graph.value_info.append(models.value("z", ["n" * 156, "m" * 156]))
    with models.opened(tmp_path, model) as network:
        assert [each.bytes for each in network.unread] == [2 * 156 - 256]


def test_words_that_an_operator_does_not_know_are_unread(tmp_path: Path) -> None:
    node = helper.make_node("ScatterND", ["x", "i", "W"], ["y"], reduction="r" * 1256)
    ports = [models.value("x", [4])], [models.value("y", [4])]
    tensors = {"i": np.array([[0], [1]]), "W": np.ones(2, np.float32)}
    with models.opened(tmp_path, models.model([node], *ports, tensors)) as network:
        assert [each.bytes for each in network.unread] == [1000]


EXPORTER = "pkg.torch.onnx.stack_trace"


@pytest.mark.parametrize("key", [EXPORTER, "namespace", "pkg.onnxscript.rewriter.rule_name"])
def test_what_the_exporter_notes_is_overhead_up_to_a_size_for_each_operator(
    tmp_path: Path, key: str
) -> None:
    """PyTorch writes where each node comes from. One may have more than the others."""
    model = models.dense(32, 16)
    assert len(model.graph.node) == 2
    entry = model.graph.node[0].metadata_props.add(key=key, value="x" * 3700)
    for each in (model.graph, model.graph.output[0]):
        each.metadata_props.add(key="pkg.torch.export.signature", value="x" * 100)
    with models.opened(tmp_path, model) as network:
        assert not network.unread
    entry.value += "x" * 500
    with models.opened(tmp_path, model) as network:
        (found,) = network.unread
    assert 300 < found.bytes < 410
    assert found.piece == "what PyTorch's exporter notes, beyond 2048 bytes for each operator"
    assert 'ClearField("metadata_props")' in found.fix


def test_nodes_that_no_output_depends_on_add_nothing_to_what_may_be_noted(tmp_path: Path) -> None:
    model = models.dense(32, 16)
    model.graph.node[0].metadata_props.add(key=EXPORTER, value="x" * 6000)
    for index in range(4):
        model.graph.node.append(helper.make_node("Neg", ["x"], [f"spare{index}"]))
    with models.opened(tmp_path, model) as network:
        assert len(network.unread) == 1 + 4


def test_notes_of_constants_are_those_of_nodes(tmp_path: Path) -> None:
    """Their tensors are taken out of the graph on opening."""
    constant = helper.make_node(
        "Constant", [], ["W"], value=numpy_helper.from_array(models.floats(64, 4)), name="c"
    )
    nodes = [constant, helper.make_node("MatMul", ["x", "W"], ["y"])]
    model = models.model(nodes, [models.value("x", ["N", 64])], [models.value("y", ["N", 4])])
    model.graph.node[0].metadata_props.add(key=EXPORTER, value="x" * 1000)
    with models.opened(tmp_path, model) as network:
        assert not network.unread
    model.graph.node[0].doc_string = "x" * 1000
    model.graph.node[0].attribute[0].doc_string = "x" * 500
    with models.opened(tmp_path, model) as network:
        found = {each.piece: each.bytes for each in network.unread}
    assert found["documentation of graph.node[0]"] == 1000
    assert 480 < sum(found.values()) - 1000 < 510


def test_pages_before_large_tensors_are_no_gaps(tmp_path: Path) -> None:
    model = models.dense(1024, 300)
    onnx.save(
        model,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="d",
        size_threshold=0,
    )
    source = models.source(tmp_path, "model.onnx", "d")
    with runtime("onnx").open(source) as network:
        assert not network.unread
