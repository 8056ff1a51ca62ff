"""Variables stored as integers, and activations rounded, as ``graph.quant`` says."""

import numpy as np
import pytest

from conformance.verdicts import MalformedError, UnsupportedError
from tests.runtimes.nnef import models as m

BODY = "a = matmul(x, w, transposeB = true);\ny = mul(a, 1.0);"
X = m.floats(2, 3, seed=1)
STORED = np.array([[-127, 0, 5], [100, 3, -4]], np.int8)
PER_ROW = (
    "zero_point_linear_quantize(zero_point = 0, scale = [0.5, 0.25], bits = 8, "
    "signed = true, symmetric = true)"
)
SCALES = np.array([[0.5], [0.25]], np.float32)


def text():
    lines = ["w = variable<scalar>(shape = [2, 3], label = 'w');", BODY]
    return m.graph("\n".join(lines), {"x": (2, 3)})


def save(folder, quant, stored=STORED, *, quantised=True):
    return m.save(folder, text(), {"w": m.tensor_bytes(stored, quantised)}, quant=quant)


def refused(folder, quant, stored=STORED, *, quantised=True, kind=MalformedError):
    made = save(folder, quant, stored, quantised=quantised)
    with pytest.raises(kind) as caught:
        m.opened(made).bind()
    return caught.value


def test_integers_are_parameters_in_the_real_numbers_that_they_stand_for(tmp_path):
    with m.opened(save(tmp_path, f'"w": {PER_ROW};')) as network:
        weight = network.parameters["w"]
        assert weight.dtype == np.float32
        assert np.array_equal(weight, STORED * SCALES)
        assert network.counts.parameters == 6
        assert network.unused_files == ()
        assert np.allclose(network.bind().run({"x": X})["y"], X @ weight.T, atol=1e-5)


def test_a_replacement_is_not_quantised_again(tmp_path):
    other = m.floats(2, 3, seed=5)
    with m.opened(save(tmp_path, f'"w": {PER_ROW};')) as network:
        assert np.allclose(network.bind({"w": other}).run({"x": X})["y"], X @ other.T, atol=1e-5)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "whole-range"])
def test_least_and_most_stand_for_min_and_max(tmp_path, signed, symmetric):
    least = (-127 if symmetric else -128) if signed else 0
    most = 127 if signed else 255
    stored = np.array([[least, most, most], [most, least, least]], np.int8 if signed else np.uint8)
    flags = f"signed = {str(signed).lower()}, symmetric = {str(symmetric).lower()}"
    quant = f'"w": min_max_linear_quantize(min = -1.0, max = 3.0, bits = 8, {flags});'
    with m.opened(save(tmp_path, quant, stored)) as network:
        assert network.parameters["w"].tolist() == [[-1, 3, 3], [3, -1, -1]]


def test_a_zero_point_is_taken_away(tmp_path):
    quant = (
        '"w": zero_point_linear_quantize(zero_point = 128, scale = 0.5, bits = 8, '
        "signed = false, symmetric = false);"
    )
    stored = np.array([[128, 129, 127], [0, 255, 128]], np.uint8)
    with m.opened(save(tmp_path, quant, stored)) as network:
        assert network.parameters["w"].tolist() == [[0, 0.5, -0.5], [-64, 63.5, 0]]


def test_an_activation_is_rounded_to_what_its_integers_stand_for(tmp_path):
    quant = (
        '"a": zero_point_linear_quantize(zero_point = 0, scale = 0.5, bits = 4, '
        "signed = true, symmetric = false);"
    )
    weight = m.floats(2, 3)
    made = m.save(tmp_path, text(), {"w": weight}, quant=quant)
    with m.opened(made) as network:
        found = network.bind().run({"x": X})["y"]
        other = network.bind({"w": weight * 2}).run({"x": X})["y"]
    assert np.array_equal(found, np.clip(np.round(X @ weight.T / 0.5), -8, 7) * 0.5)
    assert np.array_equal(other, np.clip(np.round(X @ weight.T * 2 / 0.5), -8, 7) * 0.5)


def test_the_rounding_of_an_output_of_the_network(tmp_path):
    quant = '"y": linear_quantize(min = -2.0, max = 2.0, bits = 2);'
    with m.opened(m.save(tmp_path, text(), {"w": m.floats(2, 3)}, quant=quant)) as network:
        found = network.bind().run({"x": X})["y"]
    assert np.isclose(found[..., None], np.array([-2, -2 / 3, 2 / 3, 2])).any(-1).all()


ONE = "zero_point = 0, scale = 0.5, bits = 8, signed = true, symmetric = true"
LINES = {
    "not-quoted": ("w: x();", "not NNEF's flat syntax"),
    "cut-short": ('"w": zero_point_linear_quantize(zero_point = 0', "not NNEF's flat syntax"),
    "attribute-missing": ('"w": linear_quantize(min = 0.0, bits = 8);', "other attributes"),
    "attribute-twice": (
        '"w": linear_quantize(0.0, min = 0.0, max = 1.0, bits = 8);',
        "given twice",
    ),
    "no-bits": ('"w": linear_quantize(min = 0.0, max = 1.0, bits = 0);', "number of bits"),
    "many-bits": ('"w": linear_quantize(min = 0.0, max = 1.0, bits = 64);', "number of bits"),
    "flag-is-no-flag": (f'"w": zero_point_linear_quantize({ONE[:-4]}1);', "signed or symmetric"),
    "nan": ('"w": linear_quantize(min = nan, max = 1.0, bits = 8);', "min is neither a number"),
    "infinite": ('"w": linear_quantize(min = 1e999, max = 1.0, bits = 8);', "too large"),
    "ragged-list": (
        '"w": linear_quantize(min = [[1.0], [1.0, 2.0]], max = 1.0, bits = 8);',
        "min is neither a number",
    ),
    "two-entries": (f'"w": {PER_ROW};\n"w": {PER_ROW};', "two entries"),
    "unknown-tensor": (
        f'"w": {PER_ROW};\n"v": linear_quantize(min = 0.0, max = 1.0, bits = 8);',
        "not in the graph",
    ),
    "nothing-left": (
        f'"w": zero_point_linear_quantize({ONE.replace("8", "1")});',
        "no integer is left",
    ),
    "other-signs": (f'"w": {PER_ROW.replace("signed = true", "signed = false")};', "does not fit"),
    "other-shape": (f'"w": {PER_ROW.replace("0.25]", "0.25, 1.0]")};', "does not fit"),
    "too-few-bits": (f'"w": {PER_ROW.replace("bits = 8", "bits = 4")};', "do not fit"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_broken_quantisation_file_is_refused(tmp_path, name):
    quant, said = LINES[name]
    error = refused(tmp_path, quant)
    assert said in error.message
    assert error.where.file == "graph.quant"
    assert error.where.line
    assert error.fix


def test_integers_of_which_nothing_says_what_they_are(tmp_path):
    error = refused(tmp_path, None)
    assert "nothing says of what" in error.message
    assert error.where.element == "operation variable -> w"


def test_a_quantised_variable_that_is_stored_as_it_is(tmp_path):
    floats = m.floats(2, 3)
    error = refused(tmp_path, f'"w": {PER_ROW};', floats, quantised=False, kind=UnsupportedError)
    assert "stored as it is" in error.message


@pytest.mark.parametrize(
    ("quant", "said"),
    [
        ('"w": vendor_quantize(bits = 8);', "not known here"),
        ('"w": logarithmic_quantize(max = 1.0, bits = 8);', "logarithmically"),
        (
            f'"w": {PER_ROW};\n"x": linear_quantize(min = 0.0, max = 1.0, bits = 8);',
            "it is an input or a constant",
        ),
    ],
    ids=["of-a-vendor", "logarithmic", "an-input"],
)
def test_what_cannot_be_run_here(tmp_path, quant, said):
    assert said in refused(tmp_path, quant, kind=UnsupportedError).message


def test_integers_of_a_replacement_are_the_real_numbers_that_they_are(tmp_path):
    with m.opened(save(tmp_path, f'"w": {PER_ROW};')) as network:
        found = network.bind({"w": STORED}).run({"x": X})["y"]
    assert np.allclose(found, X @ STORED.T.astype(np.float32), rtol=1e-5)


@pytest.mark.parametrize(
    ("quant", "said"),
    [
        (
            (
                "zero_point_linear_quantize(zero_point = 0, scale = 0.0, bits = 8, signed = true, "
                "symmetric = true)"
            ),
            "a scale is 0",
        ),
        ("linear_quantize(min = 1.0, max = 1.0, bits = 8)", "min is not below max"),
    ],
)
def test_activations_are_quantised_over_a_range(tmp_path, quant, said):
    source = m.save(tmp_path, m.graph("y = relu(x);", {"x": (1, 3)}), quant=f'"y": {quant};')
    with pytest.raises(MalformedError, match=said) as caught:
        m.opened(source).close()
    m.check(caught.value, "graph.quant")
