"""Every type of layer against NumPy, and a whole network against OpenCV."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conformance.runtimes.caffe import CaffeRuntime
from conformance.runtimes.caffe.layers import KINDS
from conformance.runtimes.caffe.translation import TRANSLATORS
from conformance.verdicts import MalformedError
from tests.runtimes.caffe import files, nets
from tests.runtimes.caffe import reference as ref
from tests.runtimes.caffe.cases import CASES

TOLERANCE = 2e-6


def computed(folder, text, model, inputs):
    with CaffeRuntime().open(files.write(folder, text, model)) as network:
        return network.bind(nets.stored(network)).run(inputs)


def assert_close(outputs, expected, tolerance=TOLERANCE):
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(outputs) == len(expected)
    for output, wanted in zip(outputs.values(), map(np.asarray, expected), strict=True):
        assert output.dtype == np.float32
        assert output.shape == wanted.shape
        np.testing.assert_allclose(
            output, wanted, rtol=0, atol=tolerance * max(1, np.abs(wanted).max())
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_layer_computes_what_caffe_computes(case, tmp_path):
    learned, inputs = case.learned(), case.inputs()
    outputs = computed(tmp_path, case.text, case.model(learned), inputs)
    doubles = [np.float64(array) for array in (*inputs.values(), *learned)]
    assert_close(outputs, case.expected(*doubles))


def test_every_type_of_layer_has_a_case_and_a_translation():
    assert {case.type for case in CASES} == KINDS.keys() - {"Silence"}
    assert TRANSLATORS.keys() == KINDS.keys()


def test_a_whole_network_computes_what_opencv_computes(tmp_path):
    source = files.write(tmp_path, nets.CNN, files.caffemodel(nets.weights(nets.CNN_SHAPES)))
    with CaffeRuntime().open(source) as network:
        inputs = nets.inputs_of(network)
        outputs = network.bind().run(inputs)
    second = cv2.dnn.readNetFromCaffe(*map(str, source.files))
    second.setInput(inputs["data"])
    assert_close(outputs, tuple(second.forward(list(outputs))))


sizes = st.integers(1, 9)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(st.integers(0, 3), st.integers(0, 3))


def windows(kernel, stride, pad):
    given = {"kernel": kernel, "stride": stride, "pad": pad}
    return " ".join(f"{name}_h: {h} {name}_w: {w}" for name, (h, w) in given.items())


def image(*shape):
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def check(folder, text, model, x, expected):
    try:
        outputs = computed(folder, text, model, {"x": x})
    except MalformedError:
        assume(False)
    assert_close(outputs, expected)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("net")


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, pairs, pairs, pads, st.sampled_from(["MAX", "AVE"]), st.booleans())
def test_any_pooling_is_that_of_caffe(folder, high, wide, kernel, stride, pad, method, ceil):
    assume(kernel > pad and kernel[1] > pad[1] and kernel[0] > pad[0])
    assume(high + 2 * pad[0] >= kernel[0] and wide + 2 * pad[1] >= kernel[1])
    x = image(2, 3, high, wide)
    try:
        expected = ref.pooling(np.float64(x), method, kernel, stride, pad, ceil)
    except ValueError:
        assume(False)
    options = f"pool: {method} {windows(kernel, stride, pad)} ceil_mode: {str(ceil).lower()}"
    text = files.inputs(x=x.shape) + (
        f'layer {{ name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {options} }} }}'
    )
    check(folder, text, {}, x, expected)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Convolution", "Deconvolution"]),
    *(sizes, sizes, pairs, pairs, pads, pairs),
    *(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
def test_any_convolution_is_that_of_caffe(
    folder, type, high, wide, kernel, stride, pad, dilation, group, inside, outside
):
    inward, outward = group * inside, group * outside
    x = image(2, inward, high, wide)
    shape = (outward, inside, *kernel) if type == "Convolution" else (inward, outside, *kernel)
    weight, bias = image(*shape), image(outward)
    options = (
        f"num_output: {outward} group: {group} {windows(kernel, stride, pad)} "
        f"dilation: {dilation[0]} dilation: {dilation[1]}"
    )
    text = files.inputs(x=x.shape) + (
        f'layer {{ name: "l" type: "{type}" bottom: "x" top: "y" '
        f"convolution_param {{ {options} }} }}"
    )
    function = ref.convolution if type == "Convolution" else ref.deconvolution
    doubles = np.float64(x), np.float64(weight), np.float64(bias)
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if type == "Convolution":
        assume(all(s + 2 * p >= e for s, p, e in zip((high, wide), pad, extent, strict=True)))
    else:
        sizes = zip((high, wide), stride, pad, extent, strict=True)
        assume(all(s * (n - 1) + e > 2 * p for n, s, p, e in sizes))
    expected = function(*doubles, stride, pad, dilation, group)
    check(folder, text, {"l": [weight, bias]}, x, expected)


def test_the_docs_list_every_type_of_layer():
    page = (Path(__file__).parents[3] / "docs/runtimes-caffe.md").read_text("utf-8")
    listed = page.partition("## Layers")[2].partition("A network is translated")[0]
    assert {word.strip(".,") for word in listed.split()} == set(KINDS)
