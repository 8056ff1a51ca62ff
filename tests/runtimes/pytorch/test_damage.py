"""Damaged files: every truncation and every flipped bit gives an error or a network that runs."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.verdicts import ConformanceError
from tests.runtimes.pytorch import files, nets, odd

X = {"x": odd.X[0].numpy()}
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FORMS = pytest.mark.parametrize("form", files.FORMATS)
DEEP = [
    ("torchscript", "data.pkl"),
    ("torchscript", "constants.pkl"),
    ("torchscript", "code"),
    ("torch-export", "models/model.json"),
    ("torch-export", "data/weights/model_weights_config.json"),
    ("torch-state-dict", "data.pkl"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, saved):
    """The file of a small network in each format, and a place to damage it."""
    folder = tmp_path_factory.mktemp("damage")
    net = odd.Base().eval()
    paths = {
        "torchscript": files.save_script(net, folder / "script.pt"),
        "torch-export": files.save_export(net, folder / "program.pt2", odd.X),
        "torch-state-dict": folder / "state.pt",
    }
    given = saved("torch-state-dict", "cnn")
    shutil.copy(given.files[0], paths["torch-state-dict"])
    shutil.copy(given.files[1], folder / "net.onnx")
    return paths


def survives(path, form):
    """Return whether the network opens and runs; an error is a ConformanceError with advice."""
    names = [path.name, "net.onnx"] if form == "torch-state-dict" else [path.name]
    inputs = nets.inputs("cnn", 1) if form == "torch-state-dict" else X
    try:
        with files.opened(form, files.source(path.parent, *names)) as network:
            given = {
                port.name: array
                for port, array in zip(network.inputs, inputs.values(), strict=False)
            }
            network.bind(nets.own(network)).run(given)
    except ConformanceError as error:
        return not error.fix
    return True


def damaged(path, data):
    made = path.with_name(f"damaged{path.suffix}")
    made.write_bytes(data)
    return made


@FORMS
@FEW
@given(data=st.data())
def test_a_file_that_is_cut_short_is_refused(whole, form, data):
    content = whole[form].read_bytes()
    size = data.draw(st.integers(0, len(content) - 1))
    assert not survives(damaged(whole[form], content[:size]), form)


@FORMS
@FEW
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_harmless(whole, form, data):
    content = bytearray(whole[form].read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    survives(damaged(whole[form], bytes(content)), form)


@FORMS
def test_every_flipped_bit_of_the_parameters_is_found(whole, form):
    """The checksums see it: it is never another network."""
    path = whole[form]
    content = path.read_bytes()
    name = next(n for n, d in files.members(path).items() if n.startswith("data/") and len(d) > 15)
    place = content.index(files.members(path)[name])
    for bit in range(0, 128, 7):
        flipped = bytearray(content)
        flipped[place + bit // 8] ^= 1 << bit % 8
        assert not survives(damaged(path, bytes(flipped)), form)


@pytest.mark.parametrize(("form", "member"), DEEP)
@FEW
@given(data=st.data())
def test_damage_behind_a_right_checksum_is_refused_or_harmless(whole, form, member, data):
    contents = files.members(whole[form])
    if member == "code":
        member = next(n for n in contents if n.startswith("code/") and n.endswith("odd.py"))
    found = bytearray(contents[member])
    place = data.draw(st.integers(0, len(found) - 1))
    kind = data.draw(st.sampled_from(["bit", "cut", "drop", "again", "byte"]))
    if kind == "bit":
        found[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "byte":
        found[place] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        del found[place:]
    elif kind == "drop":
        del found[place : place + data.draw(st.integers(1, 20))]
    else:
        found[place:place] = found[place : place + data.draw(st.integers(1, 40))]
    contents[member] = bytes(found)
    path = whole[form].with_name(f"damaged{whole[form].suffix}")
    survives(files.write_members(path, contents), form)


def test_the_whole_files_run(whole):
    for form, path in whole.items():
        assert survives(path, form)
    assert np.isfinite(X["x"]).all()
