"""Bytes of a model's files that nothing reads, in every format: they are named, others are not.

Each case takes a bundled network, of which nothing is unread, and adds 60,000 bytes in one place
where loaders look past them. Where a format has a piece of such a kind but refuses it on opening
(comments in TorchScript, gaps in ZIP archives and safetensors, members that a format does not
have, comments and extra fields of gzip), the tests of that format show it.
"""

from __future__ import annotations

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
from tests.runtimes import models

FORMATS = Path(__file__).parents[2] / "vectors/submissions/digits-formats"
MODELS = {
    model["format"]: [FORMATS / file["rel_filepath"] for file in model["files"]]
    for model in json.loads((FORMATS / "submission.json").read_text("utf-8"))["models"]
}
SIZE = 60_000
TEXT = "so that the original is larger. " * (SIZE // 32)


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
    """The data of one tensor lie behind 60,000 stale bytes of another file."""
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


def commented(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + f"\n# {TEXT}\n", "utf-8")


def training_layer(path: Path) -> None:
    layers = "".join(
        f'layer {{ name: "{index}{"n" * 900}" type: "Dropout" include {{ phase: TRAIN }} }}\n'
        for index in range(66)
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
        in_program(
            lambda root: root["graph_module"]["graph"]["nodes"][0]["metadata"].update(x=TEXT)
        ),
        "models/model.json: metadata",
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
    "savedmodel fingerprint": ("savedmodel", appended("fingerprint.pb"), "the file"),
    "savedmodel gap after the values": (
        "savedmodel",
        appended("variables/variables.data-00000-of-00001"),
        "belongs to no variable",
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
    "tflite appended": ("tflite", appended(), "a gap"),
    "caffe comments": ("caffe", commented, "comments"),
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
    if not path.is_file():  # replaced by a file of another kind
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


def test_every_format_has_a_case() -> None:
    assert {form for form, *_ in CASES.values()} == set(MODELS)


def test_what_exporters_note_with_nodes_is_overhead_up_to_a_quarter(tmp_path: Path) -> None:
    """PyTorch writes where each node comes from; that is not to be spread out over many nodes."""
    model = models.dense(128, 64)
    for node in model.graph.node:
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="x" * 6000)
    with models.opened(tmp_path, model) as network:
        assert not network.unread
    small = models.dense(32, 16)
    for node in small.graph.node:
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="x" * 6000)
    with models.opened(tmp_path, small) as network:
        assert len(network.unread) == len(small.graph.node)


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
