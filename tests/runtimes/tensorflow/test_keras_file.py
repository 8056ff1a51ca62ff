"""``.keras`` files that are damaged, that carry code, or that lead elsewhere."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes.tensorflow.keras_file.config import read_config
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from tests.runtimes.tensorflow import nets

keras = nets.keras
WEIGHTS = "model.weights.h5"


def refused(path, limit=nets.GIB):
    with pytest.raises(ConformanceError) as caught, nets.opened(path, limit) as network:
        network.bind()
    error = caught.value
    assert "model/model.keras" in str(error)
    assert error.expected
    assert error.fix
    return error


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path, contents, *more, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in [*contents.items(), *more]:
            archive.writestr(name, content)
    return path


def with_config(path, change):
    contents = members(path)
    config = json.loads(contents["config.json"])
    contents["config.json"] = json.dumps(change(config) or config)
    return rewritten(path, contents)


def with_weights(path, change):
    contents = members(path)
    file = io.BytesIO(contents[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    contents[WEIGHTS] = file.getvalue()
    return rewritten(path, contents)


def layer(config, name):
    return next(each for each in config["config"]["layers"] if each["config"]["name"] == name)


def test_a_lambda_layer_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    doubled = keras.layers.Lambda(
        lambda x: __import__("pathlib").Path("marker").touch() or x, output_shape=(3,)
    )
    model = keras.Sequential([keras.Input((3,), name="x"), doubled])
    marker = tmp_path / "marker"
    path = nets.save_keras(tmp_path, model)
    marker.unlink(missing_ok=True)
    error = refused(path)
    assert "carries or names code" in str(error)
    assert "Lambda" in str(error)
    assert not marker.exists()


def planted_class(module, name, **config):
    def change(whole):
        target = layer(whole, "relu")
        target.update(module=module, class_name=name, registered_name=name)
        target["config"].update(config)

    return change


def planted_activation(value):
    def change(whole):
        layer(whole, "logits")["config"]["activation"] = value

    return change


CODE = {
    "module-os": planted_class("os", "system", command="touch marker"),
    "module-builtins": planted_class("builtins", "eval"),
    "module-subprocess": planted_class("subprocess", "Popen"),
    "tfsm-layer": planted_class("keras.layers", "TFSMLayer", filepath="/tmp/x"),
    "torch-module": planted_class("keras.layers", "TorchModuleWrapper"),
    "jax-layer": planted_class("keras.layers", "JaxLayer"),
    "lambda-value": planted_activation(
        {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None}}
    ),
    "function-of-builtins": planted_activation(
        {"module": "builtins", "class_name": "function", "config": "exec"}
    ),
    "activation-of-its-own": planted_activation("mine>secret"),
    "registered-name": lambda whole: layer(whole, "relu").update(registered_name="mine>ReLU"),
    "lambda-as-model": lambda whole: whole.update(class_name="Lambda"),
}


@pytest.mark.parametrize("name", CODE)
def test_a_configuration_that_names_code_is_refused(keras_file, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    error = refused(with_config(keras_file, CODE[name]))
    assert type(error) is ConformanceError, error
    assert "config.json" in str(error)
    assert not (tmp_path / "marker").exists()


def test_the_cause_is_told_that_keras_wraps_in_paragraphs(keras_file):
    error = refused(
        with_config(keras_file, lambda whole: layer(whole, "logits")["config"].update(units=-3))
    )
    assert "expected a positive integer" in error.found
    assert "get_config" not in error.found


def test_a_long_list_in_a_configuration_takes_no_memory_for_its_places():
    data = np.frombuffer(
        json.dumps(
            {"class_name": "Sequential", "module": "keras", "config": [0] * 200_000}
        ).encode(),
        "u1",
    )
    allowed = 8 << 20
    tracemalloc.start()
    try:
        assert len(read_config(data, "model.keras")["config"]) == 200_000
        assert tracemalloc.get_traced_memory()[1] < allowed
    finally:
        tracemalloc.stop()


def huge(whole):
    layer(whole, "logits")["config"]["units"] = 10**12


def stateful(whole):
    layer(whole, "relu")["config"]["stateful"] = True


def stateful_by_a_number(whole):
    layer(whole, "relu")["config"]["stateful"] = 1


def sparse_input(whole):
    layer(whole, "image")["config"]["sparse"] = True


def lora(whole):
    layer(whole, "logits")["config"]["lora_rank"] = 2


def deep(whole):
    nested = 1
    for _ in range(150):
        nested = [nested]
    whole["config"]["extra"] = nested


CONFIGS = {
    "huge-layer": (huge, (LimitError, MalformedError), ""),
    "unknown-layer": (planted_class("keras.layers", "Telepathy"), UnsupportedError, "Telepathy"),
    "random-layer": (
        planted_class("keras.layers", "RandomFlip"),
        UnsupportedError,
        "RandomFlip",
    ),
    "reads-a-vocabulary": (
        planted_class("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
        UnsupportedError,
        "StringLookup",
    ),
    "stateful": (stateful, UnsupportedError, "keeps state"),
    "stateful-by-a-number": (stateful_by_a_number, UnsupportedError, "keeps state"),
    "sparse-input": (sparse_input, UnsupportedError, "sparse"),
    "lora": (lora, UnsupportedError, "lora_rank"),
    "too-deep": (deep, LimitError, "nested too deep"),
    "no-model": (lambda _: {"class_name": "Dense", "config": {}}, MalformedError, "Dense"),
    "a-list": (lambda _: [1, 2], MalformedError, "list"),
    "no-layers": (
        lambda whole: whole["config"].update(layers=[]),
        (MalformedError, UnsupportedError),
        "",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_is_refused_with_the_place(keras_file, name):
    change, kind, said = CONFIGS[name]
    error = refused(with_config(keras_file, change))
    assert isinstance(error, kind), error
    assert said in str(error)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff\xfe"], ids=range(4))
def test_a_configuration_that_is_no_json_is_malformed(keras_file, text):
    error = refused(rewritten(keras_file, {**members(keras_file), "config.json": text}))
    assert isinstance(error, MalformedError)
    assert "config.json" in str(error)


def compiled(folder):
    keras = nets.tf.keras
    model = nets.keras_cnn(1)
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)
    model.compile(
        loss=keras.losses.MeanSquaredError(),
        optimizer=keras.optimizers.Adam(rate),
        metrics=["mae", keras.metrics.MeanAbsoluteError(), keras.losses.mse],
    )
    return nets.save_keras(folder, model)


def test_settings_for_training_are_left_out(tmp_path):
    with nets.opened(compiled(tmp_path)) as network:
        assert nets.run(network, nets.feed(network)).shape == (2, 3)


def test_a_loss_by_name_does_no_harm(tmp_path):
    """Keras looks for it among its own functions and those that the reader gives; no more."""
    named = {"module": "builtins", "class_name": "function", "config": "my_loss"}

    def change(whole):
        whole["compile_config"]["loss"] = {**named, "registered_name": "my_loss"}

    with nets.opened(with_config(compiled(tmp_path), change)) as network:
        assert nets.run(network, nets.feed(network)).shape == (2, 3)


TRAINING_CODE = {
    "module": {"module": "os", "class_name": "system", "config": {}},
    "function": {"module": "os", "class_name": "function", "config": "system"},
    "lambda": {"class_name": "__lambda__", "config": {"value": "4wE="}},
    "layer": {"module": "keras.layers", "class_name": "Lambda", "config": {}},
    "tool": {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:/x"}},
    "type": {"class_name": "__typespec__", "module": "os", "spec_name": "system", "config": []},
}


@pytest.mark.parametrize("place", ["loss", "optimizer", "metrics", "whole"])
@pytest.mark.parametrize("kind", TRAINING_CODE)
def test_code_among_the_settings_for_training_is_refused(tmp_path, kind, place):
    """They are left out here, but ``keras.saving.load_model`` builds what they name."""

    def change(whole):
        if place == "whole":
            whole["compile_config"] = TRAINING_CODE[kind]
        else:
            whole["compile_config"][place] = [TRAINING_CODE[kind]]

    error = refused(with_config(compiled(tmp_path), change))
    assert "settings for training name code" in error.message
    assert "compile_config" in str(error.where)
    assert error.verdict == "fail"


def test_settings_for_training_may_not_nest_without_end(tmp_path):
    def change(whole):
        whole["compile_config"]["loss"] = json.loads("[" * 400 + "]" * 400)

    assert isinstance(refused(with_config(compiled(tmp_path), change)), LimitError)


def kernel(weights):
    return next(
        f"{group}/0" for group in _groups(weights) if weights[f"{group}/0"].shape == (144, 3)
    )


def _groups(weights):
    found = []
    weights.visit(lambda name: found.append(name) if name.endswith("vars") else None)
    return [name for name in found if "0" in weights[name]]


def external_link(weights):
    path = kernel(weights)
    del weights[path]
    weights[path] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(weights):
    path = kernel(weights)
    weights.move(path, "moved")
    weights[path] = h5py.SoftLink("/moved")


def external_storage(weights):
    path = kernel(weights)
    del weights[path]
    weights.create_dataset(path, (144, 3), "f4", external=[("/etc/passwd", 0, 1728)])


def virtual(weights):
    path = kernel(weights)
    del weights[path]
    layout = h5py.VirtualLayout((144, 3), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (144, 3))
    weights.create_virtual_dataset(path, layout)


def compressed(weights):
    path = kernel(weights)
    values = weights[path][()]
    del weights[path]
    weights.create_dataset(path, data=values, compression="gzip")


def unallocated(weights):
    path = kernel(weights)
    del weights[path]
    weights.create_dataset(path, (144, 3), "f4", chunks=(1, 3))


def ring(weights):
    weights["ring"] = weights["/"]


def many_attributes(weights):
    for number in range(40):
        weights.attrs[f"a{number}"] = 1


def long_attribute(weights):
    weights.attrs["text"] = np.zeros(6000, np.uint8)


def texts(weights):
    path = kernel(weights)
    del weights[path]
    weights[path] = np.array([b"text"] * 5, dtype=h5py.string_dtype())


def missing(weights):
    del weights[kernel(weights)]


def another_shape(weights):
    path = kernel(weights)
    del weights[path]
    weights[path] = np.zeros((3, 144), np.float32)


def another_type(weights):
    path = kernel(weights)
    values = weights[path][()].astype(np.float64)
    del weights[path]
    weights[path] = values


FILES = {
    "external-link": (external_link, ConformanceError, "a different place or file"),
    "soft-link": (soft_link, ConformanceError, "a different place"),
    "external-storage": (external_storage, ConformanceError, "a different place or file"),
    "virtual": (virtual, ConformanceError, "a different place or file"),
    "compressed": (compressed, UnsupportedError, "chunked"),
    "unallocated": (unallocated, ConformanceError, "chunked"),
    "ring": (ring, MalformedError, "rings"),
    "many-attributes": (many_attributes, MalformedError, "attributes"),
    "long-attribute": (long_attribute, MalformedError, "attributes"),
    "texts": (texts, ConformanceError, ""),
    "missing": (missing, MalformedError, "do not fit the model"),
    "another-shape": (another_shape, MalformedError, "do not fit the model"),
    "another-type": (another_type, MalformedError, "do not fit the model"),
}


@pytest.mark.parametrize("name", FILES)
def test_weights_are_refused_with_the_place(keras_file, name):
    change, kind, said = FILES[name]
    error = refused(with_weights(keras_file, change))
    assert isinstance(error, kind), error
    assert said in str(error)


def test_padding_behind_the_weights_is_refused(keras_file):
    contents = members(keras_file)
    contents[WEIGHTS] += bytes(400_000)
    assert "in addition to arrays" in str(refused(rewritten(keras_file, contents)))


def test_an_array_that_no_layer_asks_for_is_unused(keras_file):
    def change(weights):
        weights.create_group("layers/gone/vars")["0"] = np.ones(20, np.float32)

    with nets.opened(with_weights(keras_file, change)) as network:
        assert network.unused_parameters == ("layers/gone/vars/0",)


def test_nan_weights_are_values_like_others(keras_file):
    def change(weights):
        weights[kernel(weights)][0, 0] = np.nan

    with nets.opened(with_weights(keras_file, change)) as network:
        assert np.isnan(nets.run(network, nets.feed(network))).any()


def test_a_deflated_archive_is_read(keras_file):
    with nets.opened(keras_file) as network:
        value = nets.feed(network)
        own = nets.run(network, value)
    rewritten(keras_file, members(keras_file), packing=zipfile.ZIP_DEFLATED)
    with nets.opened(keras_file) as network:
        assert np.array_equal(nets.run(network, value), own)


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/x", "assets/words.txt", "payload.py"])
def test_any_other_member_is_refused(keras_file, name):
    error = refused(rewritten(keras_file, members(keras_file), (name, b"x")))
    assert name in str(error)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_malformed(keras_file):
    error = refused(rewritten(keras_file, members(keras_file), ("config.json", b"{}")))
    assert "two members" in str(error)


@pytest.mark.parametrize("name", ["config.json", WEIGHTS, "metadata.json"])
def test_a_missing_member_is_malformed(keras_file, name):
    contents = members(keras_file)
    del contents[name]
    assert name in str(refused(rewritten(keras_file, contents)))


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(keras_file):
    contents = {**members(keras_file), WEIGHTS: bytes(200 << 20)}
    rewritten(keras_file, contents, packing=zipfile.ZIP_DEFLATED)
    assert isinstance(refused(keras_file, limit=100 << 20), LimitError)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_other_packings_are_unsupported(keras_file, packing):
    rewritten(keras_file, members(keras_file), packing=packing)
    assert isinstance(refused(keras_file), UnsupportedError)


@pytest.mark.parametrize("name", ["config.json", WEIGHTS, "metadata.json"])
def test_a_member_without_a_header_of_its_own_is_malformed(keras_file, name):
    with zipfile.ZipFile(keras_file) as archive:
        start = archive.getinfo(name).header_offset
    content = bytearray(keras_file.read_bytes())
    content[start : start + 4] = b"NOPE"
    keras_file.write_bytes(bytes(content))
    error = refused(keras_file)
    assert isinstance(error, MalformedError)
    assert error.where.byte_offset == start


@pytest.mark.parametrize("where", ["before", "comment", "behind"])
def test_bytes_that_belong_to_no_member_are_refused(keras_file, where):
    whole = keras_file.read_bytes()
    if where == "before":
        keras_file.write_bytes(bytes(70_000) + whole)
    elif where == "behind":
        keras_file.write_bytes(whole + bytes(70_000))
    else:
        with zipfile.ZipFile(keras_file, "a") as archive:
            archive.comment = b"x" * 60_000
    assert isinstance(refused(keras_file), MalformedError)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(99), b"PK\5\6" + bytes(18)])
def test_what_is_no_keras_file_is_malformed(keras_file, content):
    keras_file.write_bytes(content)
    assert isinstance(refused(keras_file), MalformedError)


EACH = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EACH
@given(data=st.data())
def test_a_truncated_file_is_malformed_at_any_length(saved, tmp_path, data):
    whole = saved["keras-cnn-1"].read_bytes()
    path = tmp_path / "model.keras"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert isinstance(refused(path), MalformedError)


@EACH
@given(data=st.data())
def test_other_bytes_anywhere_are_a_finding_or_another_network(saved, tmp_path, data):
    content = bytearray(saved["keras-cnn-1"].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "model.keras"
    path.write_bytes(bytes(content))
    try:
        with nets.opened(path) as network:
            nets.run(network, nets.feed(network))
    except ConformanceError as error:
        said = (error.expected, error.fix)
        assert all(said)


@EACH
@given(data=st.data())
def test_other_bytes_in_the_weights_never_break_hdf5(saved, tmp_path, data):
    """Behind a right checksum, so that HDF5 itself is given the damage."""
    contents = members(saved["keras-cnn-1"])
    weights = bytearray(contents[WEIGHTS])
    for _ in range(data.draw(st.integers(1, 3))):
        weights[data.draw(st.integers(0, len(weights) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = rewritten(tmp_path / "model.keras", {**contents, WEIGHTS: bytes(weights)})
    try:
        with nets.opened(path) as network:
            nets.run(network, nets.feed(network))
    except ConformanceError as error:
        said = (error.expected, error.fix)
        assert all(said)
