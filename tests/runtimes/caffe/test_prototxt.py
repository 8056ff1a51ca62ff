"""Prototxts that are damaged, hostile, or of networks that cannot be run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes.caffe import CaffeRuntime
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from tests.runtimes.caffe import files, nets

X = files.inputs(x=(1, 3, 4, 4))


def layer(type, options="", bottom="x", top="y", name="l"):
    return f'layer {{ name: "{name}" type: "{type}" bottom: "{bottom}" top: "{top}" {options} }}\n'


RELU = layer("ReLU")
CONV = "convolution_param { num_output: 2 kernel_size: 3 %s }"

CASES = {
    "empty": ("", MalformedError, "no input"),
    "no-output": (X, MalformedError, "no output"),
    "syntax": (X + "layer {", MalformedError, "cannot be parsed"),
    "unknown-field": (X + "secret: 1\n" + RELU, UnsupportedError, "field that is not known"),
    "unknown-type": (X + layer("Telepathy"), UnsupportedError, "'Telepathy'"),
    "no-type": (X + 'layer { name: "l" bottom: "x" top: "y" }', UnsupportedError, "no type"),
    "python": (
        X + layer("Python", 'python_param { module: "os" layer: "system" }'),
        UnsupportedError,
        "runs its own code",
    ),
    "writes-a-file": (
        X + layer("HDF5Output", 'hdf5_output_param { file_name: "/tmp/x" }'),
        UnsupportedError,
        "writes a file",
    ),
    "reads-data": (
        'layer { name: "d" type: "ImageData" top: "x" image_data_param { source: "/etc/passwd" } }'
        + RELU,
        MalformedError,
        "no input",
    ),
    "data-beside-an-input": (
        X + 'layer { name: "d" type: "Data" top: "z" data_param { source: "/etc" } }' + RELU,
        UnsupportedError,
        "reads training data",
    ),
    "loss": (X + layer("SoftmaxWithLoss"), UnsupportedError, "compares outputs with labels"),
    "loss-of-a-label": (
        X + RELU + 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" }',
        UnsupportedError,
        "compares outputs with labels",
    ),
    "unknown-bottom": (X + layer("ReLU", bottom="z"), MalformedError, "nothing makes before it"),
    "wrong-order": (
        X + layer("ReLU", bottom="z") + layer("ReLU", top="z", name="m"),
        MalformedError,
        "nothing makes before it",
    ),
    "made-twice": (X + RELU + layer("TanH", name="m"), MalformedError, "made twice"),
    "two-versions": (
        X + RELU + 'layers { name: "m" type: RELU bottom: "y" top: "z" }',
        MalformedError,
        "two versions",
    ),
    "include-and-exclude": (
        X + layer("ReLU", "include { phase: TEST } exclude { phase: TRAIN }"),
        MalformedError,
        "rules to include",
    ),
    "input-without-shape": ('input: "x"\n' + RELU, MalformedError, "no shape"),
    "input-of-zero": (files.inputs(x=(1, 0, 4, 4)) + RELU, MalformedError, "impossible shape"),
    "negative-input": (files.inputs(x=(1, -3, 4, 4)) + RELU, MalformedError, "impossible shape"),
    "huge-input": (files.inputs(x=(1 << 20, 1 << 20)) + RELU, LimitError, "more memory"),
    "huge-output": (
        X + layer("InnerProduct", "inner_product_param { num_output: 2147483647 }"),
        LimitError,
        "more memory",
    ),
    "huge-pad": (
        X + layer("Convolution", CONV % "pad: 4000000000"),
        MalformedError,
        "pad is wrong",
    ),
    "no-stride": (X + layer("Convolution", CONV % "stride: 0"), MalformedError, "stride is wrong"),
    "no-kernel": (
        X + layer("Convolution", "convolution_param { num_output: 2 }"),
        MalformedError,
        "kernel_size is wrong",
    ),
    "kernel-too-large": (
        X + layer("Pooling", "pooling_param { kernel_size: 9 }"),
        MalformedError,
        "window",
    ),
    "groups": (X + layer("Convolution", CONV % "group: 2"), MalformedError, "groups"),
    "another-axis": (X + layer("Convolution", CONV % "axis: 2"), MalformedError, "axis"),
    "stochastic-pooling": (
        X + layer("Pooling", "pooling_param { kernel_size: 2 pool: STOCHASTIC }"),
        UnsupportedError,
        "stochastic",
    ),
    "normalisation-that-enlarges": (
        X + layer("LRN", "lrn_param { beta: 0 }"),
        UnsupportedError,
        "alpha and beta above 0",
    ),
    "option-of-another-type": (
        X + layer("ReLU", "tile_param { tiles: 2 }"),
        UnsupportedError,
        "tile_param cannot be followed",
    ),
    "training-phase": (X + layer("ReLU", "phase: TRAIN"), UnsupportedError, "phase: TRAIN"),
    "option-that-is-no-number": (
        X + layer("Power", "power_param { shift: nan }"),
        MalformedError,
        "is not a number",
    ),
    "two-inputs-for-one": (
        X + 'layer { name: "l" type: "ReLU" bottom: "x" bottom: "x" top: "y" }',
        MalformedError,
        "wrong number of inputs",
    ),
    "no-outputs": (
        X + 'layer { name: "l" type: "ReLU" bottom: "x" }' + layer("TanH", name="m"),
        MalformedError,
        "wrong number of outputs",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_prototxt_is_refused_with_the_layer(name, tmp_path):
    text, kind, said = CASES[name]
    with pytest.raises(ConformanceError) as caught, nets.opened(tmp_path, text):
        pass
    error = caught.value
    assert type(error) is kind, error
    assert said in str(error)
    assert "models/net.prototxt" in str(error)
    assert error.expected
    assert error.fix


def test_an_error_of_syntax_names_line_and_column(tmp_path):
    with pytest.raises(MalformedError) as caught, nets.opened(tmp_path, X + "\nlayer { name: }"):
        pass
    assert caught.value.where.line is not None


def test_a_binary_file_in_its_place_is_told_as_such(tmp_path):
    source = files.write(tmp_path, "", {})
    source.files[0].write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(MalformedError) as caught, CaffeRuntime().open(source):
        pass
    assert caught.value.where.byte_offset == 0
    assert "List the prototxt first" in str(caught.value)


def test_a_prototxt_beyond_two_mebibytes_is_not_read(tmp_path):
    with pytest.raises(LimitError), nets.opened(tmp_path, "# \n" * (1 << 20)):
        pass


def test_messages_inside_messages_do_not_exhaust_the_stack(tmp_path):
    text = X + "layer { " + "include { " * 100_000
    with pytest.raises(ConformanceError), nets.opened(tmp_path, text):
        pass


def test_ten_thousand_layers_are_the_most(tmp_path):
    tops = (f"t{i}" for i in range(10_001))
    text = X + "".join(layer("Split", top=top, name=top) for top in tops)
    with pytest.raises(MalformedError) as caught, nets.opened(tmp_path, text):
        pass
    assert "too many layers" in str(caught.value)


def test_blobs_that_layers_share_are_unsupported(tmp_path):
    shared = 'param { name: "w" } inner_product_param { num_output: 48 bias_term: false }'
    text = X + layer("InnerProduct", shared) + layer("InnerProduct", shared, "y", "z", "m")
    with pytest.raises(UnsupportedError) as caught, nets.opened(tmp_path, text):
        pass
    assert "shares learned blobs" in str(caught.value)


def test_blobs_of_one_layer_that_are_one_are_unsupported(tmp_path):
    shared = 'param { name: "w" } param { name: "w" } scale_param { bias_term: true }'
    with (
        pytest.raises(UnsupportedError) as caught,
        nets.opened(tmp_path, X + layer("Scale", shared)),
    ):
        pass
    assert "two of its blobs have one name" in str(caught.value)
    assert caught.value.found == "param name 'w'"


@pytest.mark.parametrize(
    ("type", "options"),
    [
        ("Reshape", "reshape_param { shape { dim: [%s] } }"),
        ("Slice", "slice_param { slice_point: [%s] }"),
    ],
)
def test_a_list_of_a_hundred_thousand_numbers_does_not_fill_the_message(type, options, tmp_path):
    numbers = "2147483647, " * 100_000 + "1"
    with (
        pytest.raises(MalformedError) as caught,
        nets.opened(tmp_path, X + layer(type, options % numbers)),
    ):
        pass
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("place", ["name", "bottom", "top", "type"])
def test_a_name_of_a_million_characters_is_malformed(place, tmp_path):
    names = {"type": "ReLU", place: "n" * 1_000_000}
    with pytest.raises(MalformedError, match="too long") as caught:
        nets.opened(tmp_path, X + layer(**names)).__enter__()
    assert caught.value.found == "1000000 characters"
    assert caught.value.fix


def test_sixty_thousand_outputs_of_a_layer_take_no_time(tmp_path):
    tops = " ".join(f'top: "t{i}"' for i in range(60_000))
    text = X + f'layer {{ name: "l" type: "Split" bottom: "x" {tops} }}'
    with pytest.raises(MalformedError, match="far more than the network"):
        nets.opened(tmp_path, text).__enter__()


def test_a_prototxt_is_not_filled_up_with_comments(tmp_path):
    comments = "# so that the original is larger\n" * 3000
    with pytest.raises(MalformedError, match="far more than the network") as caught:
        nets.opened(tmp_path, X + RELU + comments).__enter__()
    assert caught.value.expected == "at most 69632 bytes for 1 layers of the test phase"
    assert "comments" in caught.value.fix


def test_two_learning_layers_of_one_name_are_malformed(tmp_path):
    options = "inner_product_param { num_output: 48 bias_term: false }"
    text = X + layer("InnerProduct", options) + layer("InnerProduct", options, "y", "z")
    with pytest.raises(MalformedError) as caught, nets.opened(tmp_path, text):
        pass
    assert "name is empty or taken" in str(caught.value)


def test_only_layers_of_the_test_phase_are_run(tmp_path):
    text = (
        X
        + layer("Python", "include { phase: TRAIN }", name="train")
        + layer("Power", "include { phase: TEST } power_param { scale: 2 }")
        + layer("Accuracy", "exclude { phase: TEST }", bottom="y", top="a", name="accuracy")
    )
    x = np.ones((1, 3, 4, 4), np.float32)
    assert np.array_equal(nets.run(tmp_path, text, {}, {"x": x})["y"], 2 * x)


def test_a_layer_may_write_over_its_input(tmp_path):
    text = (
        X
        + layer("Power", "power_param { shift: -2 }")
        + layer("ReLU", bottom="y", top="y", name="r")
    )
    x = np.full((1, 3, 4, 4), 3, np.float32)
    assert np.array_equal(nets.run(tmp_path, text, {}, {"x": x})["y"], x - 2)


def test_the_first_version_of_layers_is_read(tmp_path):
    text = (
        'input: "x"\ninput_dim: 1 input_dim: 1 input_dim: 1 input_dim: 4\n'
        'layers { name: "fc" type: INNER_PRODUCT bottom: "x" top: "y" '
        "inner_product_param { num_output: 2 } }"
    )
    weight = np.arange(8, dtype=np.float32).reshape(2, 4)
    bias = np.float32([1, -1])
    model = files.old_layer(
        "fc", [files.blob(weight, old=True), files.blob(bias, (1, 1, 1, 2), old=True)]
    )
    x = np.float32([[[[1, 0, 2, 0]]]])
    assert nets.run(tmp_path, text, model, {"x": x})["y"].tolist() == [[5, 15]]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_other_characters_anywhere_are_a_finding_or_another_network(tmp_path, data):
    start = data.draw(st.integers(0, len(nets.CNN) - 1))
    new = data.draw(st.text(max_size=6))
    kept = data.draw(st.integers(0, 8))
    text = nets.CNN[:start] + new + nets.CNN[start + kept :]
    model = files.caffemodel(nets.weights(nets.CNN_SHAPES))
    try:
        with nets.opened(tmp_path, text, model) as network:
            made = network.bind().run(nets.inputs_of(network))
            assert all(made[port.name].shape == port.shape for port in network.outputs)
    except ConformanceError as error:
        said = (error.expected, error.found, error.fix)
        assert all(said)


def test_a_prototxt_that_is_no_file_is_malformed(tmp_path):
    source = files.write(tmp_path, X + RELU)
    source.files[0].unlink()
    for found, make in (("nothing", None), ("a folder or a device", source.files[0].mkdir)):
        if make:
            make()
        with pytest.raises(MalformedError, match="is not there") as caught:
            CaffeRuntime().open(source)
        assert caught.value.found == found
