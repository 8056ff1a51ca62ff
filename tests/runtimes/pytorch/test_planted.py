"""Payloads planted in model files: none is run, and each is refused or never read.

Every test's ``marker`` fixture asserts that the file which a payload makes is not there.
"""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from conformance.runtimes.pytorch.pickle_machine import MAX_DEPTH
from conformance.runtimes.pytorch.pickled import MAX_BYTES, MAX_OPCODES, Place, read_pickle
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes.pytorch import files, nets, odd

X = {"x": odd.X[0].numpy()}
GLOBAL = b"cposix\nsystem\n"


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    return files.save_script(odd.Base().eval(), tmp_path_factory.mktemp("s") / "net.pt")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("p")
    return files.save_export(odd.Base().eval(), folder / "net.pt2", odd.X)


def copy_of(path, tmp_path):
    return files.write_members(tmp_path / path.name, files.members(path))


def refused(path, form, error=ConformanceError):
    with pytest.raises(error) as caught, files.open_file(path, form) as network:
        network.bind(nets.own(network)).run(X)
    assert caught.value.fix
    return caught.value


def tail(place) -> bytes:
    """Opcodes that call os.system with a command."""
    command = f"touch '{place}'".encode()
    return GLOBAL + b"X" + len(command).to_bytes(4, "little") + command + b"\x85R"


def test_the_payloads_are_live(tmp_path):
    """What is planted below does run when it is loaded without care."""
    for legacy in (False, True):
        proof = tmp_path / f"proof-{legacy}"
        torch.load(io.BytesIO(files.torch_payload(proof, legacy=legacy)), weights_only=False)
        assert proof.exists()
    pickle.loads(files.payload(tmp_path / "third"))
    assert (tmp_path / "third").exists()
    pickle.loads(b"\x80\x02" + tail(tmp_path / "fourth") + b".")
    assert (tmp_path / "fourth").exists()


@pytest.mark.parametrize("member", ["data.pkl", "constants.pkl"])
def test_a_planted_pickle_in_torchscript_is_refused(script, tmp_path, marker, member):
    path = copy_of(script, tmp_path)
    path = files.changed(path, members={member: files.payload(marker)})
    error = refused(path, "torchscript", UnsupportedError)
    assert "posix.system" in error.message
    assert member in str(error.where)


def test_a_planted_call_among_the_real_objects_is_refused(script, tmp_path, marker):
    """The payload stands right before the end of the archive's own pickle."""
    path = copy_of(script, tmp_path)
    data = files.members(path)["data.pkl"]
    assert data[-1:] == b"."
    path = files.changed(path, members={"data.pkl": data[:-1] + tail(marker) + b"0."})
    assert "posix.system" in refused(path, "torchscript", UnsupportedError).message


def state_dict(path, data):
    path.write_bytes(data)
    return path


PLANTED_STATES = {
    "beside-tensors": lambda marker: files.torch_payload(marker, beside={"w": torch.ones(3)}),
    "alone": files.torch_payload,
    "legacy": lambda marker: files.torch_payload(marker, legacy=True),
    "in-metadata": lambda marker: _with_metadata(files.Planted(marker)),
    "in-a-list": lambda marker: _saved({"w": [torch.ones(3), files.Planted(marker)]}),
    "root": lambda marker: _saved(files.Planted(marker)),
}


def _saved(value) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def _with_metadata(value) -> bytes:
    state = odd.Base().state_dict()
    state._metadata[""]["planted"] = value
    return _saved(state)


@pytest.mark.parametrize("kind", PLANTED_STATES)
def test_a_planted_state_dict_is_refused(saved, tmp_path, marker, kind):
    state_dict(tmp_path / "net.pt", PLANTED_STATES[kind](marker))
    (tmp_path / "net.onnx").write_bytes(saved("torch-state-dict", "cnn").files[1].read_bytes())
    given = files.source(tmp_path, "net.pt", "net.onnx")
    with pytest.raises(ConformanceError) as caught:
        files.opened("torch-state-dict", given)
    wanted = "not the ZIP archive" if kind == "legacy" else "posix.system"
    assert wanted in caught.value.message
    assert caught.value.fix


def test_a_safetensors_file_that_is_a_pickle_is_refused(saved, tmp_path, marker):
    state_dict(tmp_path / "net.safetensors", files.torch_payload(marker))
    (tmp_path / "net.onnx").write_bytes(saved("torch-state-dict", "cnn").files[1].read_bytes())
    with pytest.raises(ConformanceError):
        files.opened("torch-state-dict", files.source(tmp_path, "net.safetensors", "net.onnx"))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "bare"])
@pytest.mark.parametrize(
    "member",
    ["serialized_state_dict.pt", "serialized_constants.pt", "serialized_example_inputs.pt"],
)
def test_the_old_form_of_a_program_with_a_planted_pickle_is_refused(
    tmp_path, marker, member, legacy
):
    """What PyTorch falls back to for archives of version 2.7 and earlier."""
    path, empty = tmp_path / "net.pt2", _saved({})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.8")
        archive.writestr("serialized_exported_program.json", "{}")
        for name in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{name}.pt", empty)
    contents = {**_flat(path), member: files.torch_payload(marker, legacy=legacy)}
    error = refused(files.write_members(path, contents, root=""), "torch-export", MalformedError)
    assert "one folder" in error.message
    inside = refused(files.write_members(path, contents), "torch-export", UnsupportedError)
    assert "can only be read by unpickling" in inside.message


def _flat(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("folder", ["weights", "constants"])
def test_a_tensor_of_a_program_that_is_a_pickle_is_refused(program, tmp_path, marker, folder):
    """The switch in the list of tensors that makes PyTorch unpickle a member."""
    path = copy_of(program, tmp_path)
    config = f"data/{folder}/model_{folder}_config.json"
    name = "weight_0" if folder == "weights" else "tensor_0"
    found = json.loads(files.members(path)[config])
    entry = {"path_name": name, "is_param": True, "use_pickle": True, "tensor_meta": None}
    found["config"] = {"planted": entry, **found["config"]}
    planted = {config: json.dumps(found).encode(), f"data/{folder}/{name}": None}
    planted[f"data/{folder}/{name}"] = files.torch_payload(marker)
    error = refused(files.changed(path, members=planted), "torch-export", UnsupportedError)
    assert "could run code" in error.message


@pytest.mark.parametrize(
    "member",
    [
        "data/weights/model.pt",
        "data/constants/model.pt",
        "data/constants/custom_obj_0",
        "data/aotinductor/model/model.so",
    ],
)
def test_pickles_objects_and_compiled_code_in_a_program_are_refused(
    program, tmp_path, marker, member
):
    path = copy_of(program, tmp_path)
    planted = {member: files.torch_payload(marker)}
    error = refused(files.changed(path, members=planted), "torch-export", UnsupportedError)
    assert "can only be read by unpickling or running" in error.message


def test_planted_examples_of_a_program_are_refused(program, tmp_path, marker):
    path = copy_of(program, tmp_path)
    member = "data/sample_inputs/model.pt"
    assert member in files.members(path)
    planted = files.changed(path, members={member: files.torch_payload(marker)})
    assert "posix.system" in refused(planted, "torch-export").found


COMMAND = "__import__('os').system('touch {}')"


def _everywhere(value, marker):
    """A document with every expression, name of a type and operator turned into a command."""
    if isinstance(value, dict):
        return {
            key: COMMAND.format(marker)
            if key in ("expr_str", "target", "out_spec", "in_spec", "treespec_namedtuple_fields")
            else _everywhere(each, marker)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_everywhere(each, marker) for each in value]
    return value


@pytest.mark.parametrize("keys", [("expr_str",), ("target",), ("out_spec", "in_spec")])
def test_expressions_in_a_program_are_never_evaluated(program, tmp_path, marker, keys):
    path = copy_of(program, tmp_path)
    text = files.members(path)["models/model.json"].decode()
    whole = json.loads(text)
    planted = _only(whole, _everywhere(whole, marker), keys)
    path = files.changed(path, members={"models/model.json": json.dumps(planted).encode()})
    if keys[0] == "out_spec":
        assert "is not JSON" in refused(path, "torch-export", MalformedError).message
        return
    assert "holds code" in refused(path, "torch-export").message


def _only(old, new, keys):
    """``old`` with the values of ``keys`` taken from ``new``."""
    if isinstance(old, dict):
        return {k: new[k] if k in keys else _only(v, new[k], keys) for k, v in old.items()}
    if isinstance(old, list):
        return [_only(a, b, keys) for a, b in zip(old, new, strict=True)]
    return old


def read(data: bytes, *, instances=False):
    return read_pickle(b"\x80\x02" + data, Place("net.pt", "data.pkl", instances=instances))


@pytest.mark.parametrize(
    "name",
    [
        "os system",
        "builtins eval",
        "builtins getattr",
        "__builtin__ exec",
        "subprocess Popen",
        "torch.hub load",
        "torch.serialization load",
        "torch._utils _rebuild_wrapper_subclass",
        "torch._utils _rebuild_qtensor",
        "numpy.core.multiarray _reconstruct",
        "collections defaultdict",
        "torch.storage _load_from_bytes",
        "__torch__.some Module",
    ],
)
def test_names_outside_the_table_are_refused(name):
    module, _, attribute = name.partition(" ")
    with pytest.raises(UnsupportedError, match="not part of a stored network") as caught:
        read(f"c{module}\n{attribute}\n.".encode())
    assert caught.value.found == f"{module}.{attribute}"
    assert "opcode at byte 2" in str(caught.value.where)


@pytest.mark.parametrize("name", ["load", "FloatStorage", "nn", "ops", "jit"])
def test_names_of_pytorch_are_known_but_not_called(name):
    """Types of storages and elements are names in ``torch``; nothing there is a function."""
    with pytest.raises(UnsupportedError, match="not part of a stored network"):
        read(f"ctorch\n{name}\n)R.".encode())


@pytest.mark.parametrize(
    ("data", "opcode"),
    [
        (b"(S'ls'\nios\nsystem\n.", "STRING"),
        (b"(ios\nsystem\n.", "INST"),
        (b"(cos\nsystem\no.", "GLOBAL|OBJ|os.system"),
        (b"\x8c\x02os\x8c\x06system\x93.", "SHORT_BINUNICODE"),
        (b"\x82\x01.", "EXT1"),
        (b"\x95" + bytes(8) + b".", "FRAME"),
        (b"\x8f.", "EMPTY_SET"),
        (b"\x96" + bytes(8) + b".", "BYTEARRAY8"),
        (b"Pid\n.", "PERSID"),
        (b"I1\n.", "INT"),
        (b"N2.", "DUP"),
    ],
)
def test_opcodes_that_pytorch_does_not_write_are_refused(data, opcode):
    with pytest.raises(UnsupportedError) as caught:
        read(data)
    assert any(each in caught.value.found for each in opcode.split("|"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a pickle is damaged"),
        (b"N", "a pickle is damaged"),
        (b".", "a pickle is damaged"),
        (b"NN.", "a pickle is damaged"),
        (b"(N.", "a pickle is damaged"),
        (b"t.", "a pickle is damaged"),
        (b"(u.", "a pickle is damaged"),
        (b"}(NNu.", "a pickle is damaged"),
        (b"}(K\x01NK\x01Nu.", "a pickle is damaged"),
        (b"](K\x01e(K\x02u.", "a pickle is damaged"),
        (b"h\x00.", "a pickle is damaged"),
        (b"Nq\x05.", "a pickle is damaged"),
        (b"\x80\x02N.", "a pickle is damaged"),
        (b"N.more", "bytes follow the end"),
        (b"X\xff\xff\xff\x7fa.", "a pickle is damaged"),
        (b"\x8a\xff1.", "a pickle is damaged"),
        (b"Nb.", "a pickle is damaged"),
        (b"}}b.", None),
        (b"K\x01Q.", "a pickle is damaged"),
        (b"ccollections\nOrderedDict\nK\x01\x85R.", "a pickle is damaged"),
        (b"ccollections\nOrderedDict\nK\x01R.", "a pickle is damaged"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))NNtR.", "a pickle is damaged"),
        (b"]q\x00h\x00a.", "a pickle is damaged"),
        (b"}q\x00K\x01h\x00s.", "a pickle is damaged"),
        (b"]q\x00\x85h\x00K\x01a.", "a pickle is damaged"),
    ],
)
def test_a_broken_pickle_is_refused(data, message):
    if message is None:
        assert read(data) == {}
        return
    with pytest.raises(MalformedError, match=message) as caught:
        read(data)
    assert caught.value.where


def test_empty_tuples_are_each_their_own():
    assert read(b"((t(t\x86t.") == (((), ()),)


def test_a_value_may_be_at_two_places():
    assert read(b"](]q\x00h\x00e.") == [[], []]


def test_nesting_is_limited():
    inner = b"]" * (MAX_DEPTH + 1)
    with pytest.raises(LimitError, match="too deeply"):
        read(inner + b"a" * MAX_DEPTH + b".")
    with pytest.raises(LimitError, match="too deeply"):
        read(b"N" + b"\x85" * 100_000 + b".")


def test_shared_values_do_not_multiply():
    """A pair that is in a pair twice, forty times over: two to the fortieth leaves."""
    data = b"N" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40)) + b"."
    assert isinstance(read(data), tuple)


@pytest.mark.parametrize("end", [b")R.", b")\x81.", b"Q."], ids=["call", "object", "storage"])
def test_shared_values_are_not_written_out_in_a_message(end):
    data = b"N" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40))
    with pytest.raises(ConformanceError) as caught:
        read(data + end)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("place", ["storage", "offset", "sizes", "dtype"])
def test_shared_values_of_a_tensor_are_not_written_out_in_a_message(place):
    pairs = b"N" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40))
    parts = {"storage": b"K\x02", "offset": b"K\x00", "sizes": b"K\x02", "dtype": b"N"}
    parts |= {place: pairs}
    text = b"X%c\x00\x00\x00%s"
    data = b"ctorch._utils\n_rebuild_tensor_v3\n(("
    data += text % (7, b"storage") + b"ctorch\nFloatStorage\n" + text % (1, b"0") + b"N"
    data += parts["storage"] + b"tQ" + parts["offset"] + parts["sizes"] + b"\x85K\x01\x85\x89}"
    with pytest.raises(MalformedError, match="a pickle is damaged"):
        read(data + parts["dtype"] + b"tR.")


def test_values_in_a_pickle_are_limited():
    with pytest.raises(LimitError, match="too many values"):
        read(b"]" * (MAX_OPCODES + 1) + b".")


def test_an_empty_tensor_has_sizes_that_an_array_can_have():
    large = b"\x8a\x06" + (1 << 46).to_bytes(6, "little")
    text = b"X%c\x00\x00\x00%s"
    data = b"ctorch._utils\n_rebuild_tensor_v2\n(("
    data += text % (7, b"storage") + b"ctorch\nFloatStorage\n" + text % (1, b"0") + b"NK\x00tQ"
    data += b"K\x00K\x00" + large + large + b"\x87K\x01K\x01K\x01\x87\x89}tR."
    with pytest.raises(MalformedError, match="a pickle is damaged") as caught:
        read(data)
    assert "which no array can have" in caught.value.found


def test_objects_that_multiply_are_limited(script, tmp_path):
    """The same in a module's attribute."""
    path = copy_of(script, tmp_path)
    data = b"N" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40)) + b"."
    path = files.changed(path, members={"constants.pkl": b"\x80\x02" + data})
    assert "too many objects" in refused(path, "torchscript", LimitError).message


def test_a_pickle_is_not_longer_than_it_may_be():
    with pytest.raises(LimitError, match="too long"):
        read_pickle(bytes(MAX_BYTES + 1), Place("net.pt", "data.pkl"))


def test_sizes_in_a_pickle_are_held_against_the_bytes(script, tmp_path):
    """A tensor that says to be larger than its storage, and a storage than its member."""
    path = copy_of(script, tmp_path)
    data = files.members(path)["data.pkl"]
    # The shape (4, 4) and strides (4, 1) of the weight, then its storage of 16 elements.
    for old, new in ((b"K\x04K\x04t", b"K\x04K\x7ft"), (b"K\x10", b"K\x7f")):
        assert old in data
        planted = files.changed(path, members={"data.pkl": data.replace(old, new)})
        refused(planted, "torchscript", MalformedError)
        path = copy_of(script, tmp_path)


def test_values_are_those_of_the_file(script):
    with files.open_file(script) as network:
        wanted = {n: t.numpy() for n, t in torch.jit.load(script).state_dict().items()}
        assert files.same(nets.own(network), wanted)
        assert all(not array.flags.writeable for array in network.parameters.values())
        assert np.array_equal(network.parameters["fc.bias"], wanted["fc.bias"])
