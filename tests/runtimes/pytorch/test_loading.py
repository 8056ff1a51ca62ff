"""Parts of an archive that nothing here needs, but that run where it is opened with PyTorch.

Every payload is shown to be live first: PyTorch's own loader runs it, in its own process. The
last part lists what its loader does not run; a pickle in there is refused all the same.
"""

import collections
import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conformance.runtimes.pytorch.loading import EXAMPLES
from conformance.verdicts import ConformanceError, Verdict
from tests.runtimes.pytorch import files, nets, odd

X = {"x": odd.X[0].numpy()}
MODEL = "models/model.json"
EVAL = "__import__('os').system('touch {0}')"

MODULES = {"builtins.dict": "planted_enumeration", "collections.defaultdict": "planted_factory"}

LOADER = """
import sys, torch
for path in sys.argv[1:]:
    try:
        if path.endswith(".pt"):
            net = torch.jit.load(path, _extra_files={"notes.pkl": ""})
            net(torch.ones(2, 4))
        else:
            torch.export.load(path).module()(torch.ones(2, 4))
    except Exception as error:
        print(path, type(error).__name__, str(error)[:200])
"""


def edited(change):
    def plant(members, marker):
        document = json.loads(members[MODEL])
        change(document, marker)
        return {MODEL: json.dumps(document).encode()}

    return plant


def _sizes(document, marker):
    values = document["graph_module"]["graph"]["tensor_values"]
    entry = values["x"]["sizes"][0]["as_expr"]
    entry["expr_str"] = f"{EVAL.format(marker)} or {entry['expr_str']}"


def _guard(document, marker):
    document["guards_code"] = [f"{EVAL.format(marker)} == 0"]


def _signature(document):
    entries = document["graph_module"]["module_call_graph"]
    return next(entry["signature"] for entry in entries if entry["signature"])


def _with_key(document, key):
    """Give the tree of inputs one argument by keyword, which has the name ``key``."""
    signature = _signature(document)
    version, tree = json.loads(signature["in_spec"])
    positional, keywords = tree["children_spec"]
    keywords["context"] = json.dumps([key])
    keywords["children_spec"], positional["children_spec"] = positional["children_spec"], []
    signature["in_spec"] = json.dumps([version, tree])


def _tree(context, kind):
    def change(document, marker):
        (marker.parent / f"{MODULES[kind]}.py").write_text(f"open({str(marker)!r}, 'w').close()")
        signature = _signature(document)
        version, tree = json.loads(signature["in_spec"])
        leaf = {"type": kind, "context": context, "children_spec": []}
        tree["children_spec"][0]["children_spec"].append(leaf)
        signature["in_spec"] = json.dumps([version, tree])

    return change


def _parameter(document, marker):
    planted = f'fc.weight" + str({EVAL.format(marker)}) + "'
    for spec in document["graph_module"]["signature"]["input_specs"]:
        if spec.get("parameter", {}).get("parameter_name") == "fc.weight":
            spec["parameter"]["parameter_name"] = planted


def _examples(members, marker):
    return {EXAMPLES: files.torch_payload(marker)}


def _old_examples(members, marker):
    return {EXAMPLES: files.torch_payload(marker, legacy=True)}


def _new_protocol(members, marker):
    out = io.BytesIO()
    torch.save(({"x": files.Planted(marker)},), out, pickle_protocol=4)
    return {EXAMPLES: out.getvalue()}


PLANTED = {
    "examples": _examples,
    "examples-of-old-torch": _old_examples,
    "examples-of-protocol-4": _new_protocol,
    "size": edited(_sizes),
    "guard": edited(_guard),
    "enumeration": edited(
        _tree('[{"__enum__": true, "fqn": "planted_enumeration:A", "name": "a"}]', "builtins.dict")
    ),
    "factory": edited(
        _tree(
            {
                "default_factory_module": "planted_factory",
                "default_factory_name": "A",
                "dict_context": [],
            },
            "collections.defaultdict",
        )
    ),
}
"""What PyTorch runs; each returns the members of the archive that it changes."""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    return files.save_export(odd.Base().eval(), folder / "net.pt2", odd.X)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    folder = tmp_path_factory.mktemp("script")
    return files.save_script(odd.Base().eval(), folder / "net.pt", example=odd.X)


def planted_copy(path: Path, folder: Path, plant):
    folder.mkdir()
    members = files.members(path)
    new = {**members, **plant(members, folder / "ran")}
    return files.write_members(folder / path.name, new)


def load_with_torch(paths) -> str:
    """Open files with PyTorch's own loaders, each with its folder as a place of modules."""
    folders = [str(path.parent) for path in paths]
    code = f"import sys; sys.path += {folders!r}\n{LOADER}"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def planted(program, tmp_path_factory):
    """Every planted program, and those whose payload PyTorch ran."""
    folder = tmp_path_factory.mktemp("planted")
    made = {name: planted_copy(program, folder / name, PLANTED[name]) for name in PLANTED}
    load_with_torch(made.values())
    ran = {name for name, path in made.items() if (path.parent / "ran").exists()}
    for path in made.values():
        (path.parent / "ran").unlink(missing_ok=True)
    return made, ran


def refused(path, form) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught, files.open_file(path, form) as network:
        network.bind(nets.own(network)).run(X)
    assert not (path.parent / "ran").exists()
    assert caught.value.fix
    assert caught.value.verdict in (Verdict.FAIL, Verdict.MALFORMED)
    return caught.value


@pytest.mark.parametrize("kind", PLANTED)
def test_what_torch_would_run_of_a_program_is_refused(planted, kind):
    made, ran = planted
    assert kind in ran, "the payload is not live: it shows nothing"
    error = refused(made[kind], "torch-export")
    assert EXAMPLES in str(error.where) or MODEL in str(error.where)


def test_code_in_examples_is_named_with_its_place(planted):
    error = refused(planted[0]["examples"], "torch-export")
    assert "posix.system" in error.message
    assert error.where.element.startswith(f"{EXAMPLES}: data.pkl: opcode at byte ")
    assert "weights_only=True" in error.expected
    assert "example_inputs = None" in error.fix


@pytest.mark.parametrize("member", ["constants.pkl", "code/__torch__.py", "planted.so"])
def test_examples_are_what_torch_save_writes(program, tmp_path, member):
    """With constants.pkl, ``torch.load`` would take them for TorchScript."""

    def plant(members, marker):
        inner = tmp_path / "examples.zip"
        inner.write_bytes(members[EXAMPLES])
        return {EXAMPLES: files.changed(inner, members={member: b"x"}).read_bytes()}

    error = refused(planted_copy(program, tmp_path / "copy", plant), "torch-export")
    assert "not what torch.save writes" in error.message
    assert member in str(error.where)


HOSTILE_NAMES = {
    "parameter": _parameter,
    "input": lambda document, marker: _rename(document, "x", "x):\n  pass\ndef f("),
    "keyword": lambda document, marker: _with_key(document, 'a" + str(1) + "\''),
    "argument": lambda document, marker: _signature(document).update(forward_arg_names=["x, y"]),
    "symbol": lambda document, marker: document["range_constraints"].update({"s'0": {}}),
}


def _rename(document, old, new):
    graph = document["graph_module"]["graph"]
    graph["tensor_values"][new] = graph["tensor_values"].pop(old)
    graph["inputs"] = json.loads(json.dumps(graph["inputs"]).replace(f'"{old}"', json.dumps(new)))


@pytest.mark.parametrize("kind", HOSTILE_NAMES)
def test_a_name_that_would_become_source_code_is_refused(program, tmp_path, kind):
    """PyTorch writes names of a program into source code that it compiles and runs."""
    path = planted_copy(program, tmp_path / "copy", edited(HOSTILE_NAMES[kind]))
    refused(path, "torch-export")


Pair = collections.namedtuple("Pair", "first second")
torch.utils._pytree._register_namedtuple(Pair, serialized_type_name="tests.Pair")


@dataclasses.dataclass
class Couple:
    first: torch.Tensor
    second: torch.Tensor


torch.export.register_dataclass(Couple, serialized_type_name="tests.Couple")


class Sum(odd.Base):
    def forward(self, x, more):
        parts = more.values() if isinstance(more, dict) else more
        if isinstance(more, Couple):
            parts = (more.first, more.second)
        return self.fc(x) + sum(torch.utils._pytree.tree_leaves(list(parts)))


def _two():
    return torch.ones(2, 4), torch.ones(2, 4)


HONEST = {
    "tuple": _two,
    "list": lambda: list(_two()),
    "nested": lambda: (list(_two()), {"deep": [_two()[0]]}),
    "dict": lambda: {"one key": _two()[0], "two": _two()[1]},
    "ordered": lambda: collections.OrderedDict(a=_two()[0], b=_two()[1]),
    "parameter": lambda: [torch.nn.Parameter(_two()[0])],
}


def saved(folder, net, example, *, plain=False, **more):
    folder.mkdir(exist_ok=True)
    program = torch.export.export(net.eval(), example, strict=False, **more)
    if plain:
        program.example_inputs = None
    torch.export.save(program, folder / "net.pt2")
    return folder / "net.pt2"


@pytest.mark.parametrize("kind", HONEST)
def test_honest_examples_are_accepted(tmp_path, kind):
    path = saved(tmp_path, Sum(), (torch.ones(2, 4), HONEST[kind]()))
    with files.open_file(path, "torch-export") as network:
        assert network.outputs
        assert network.foreign_classes == ()


@pytest.mark.parametrize("kind", ["namedtuple", "dataclass"])
def test_a_class_in_examples_is_code_and_in_a_tree_is_none(tmp_path, kind):
    """PyTorch imports a class that a pickle names; one that a tree names must be registered."""
    example = (torch.ones(2, 4), Pair(*_two()) if kind == "namedtuple" else Couple(*_two()))
    name = type(example[1]).__name__
    error = refused(saved(tmp_path / "with", Sum(), example), "torch-export")
    assert f"{__name__}.{name}" in error.message
    with files.open_file(
        saved(tmp_path / "plain", Sum(), example, plain=True), "torch-export"
    ) as n:
        assert n.outputs


class Sizes(odd.Base):
    """Sizes that are computed, so that the program holds expressions and guards."""

    def forward(self, x, y):
        both = torch.cat([self.fc(x), self.fc(y)[: x.shape[0] // 2 + 1]])
        return torch.nn.functional.pad(both, (0, 0, 0, max(3 * x.shape[0] - 4, 1) % 7))


def test_expressions_and_guards_as_torch_writes_them_are_accepted(tmp_path):
    rows = torch.export.Dim("rows", min=4, max=64)
    shapes = ({0: rows}, {0: torch.export.Dim("others", min=40, max=64)})
    example = torch.ones(10, 4), torch.ones(44, 4)
    path = saved(tmp_path, Sizes(), example, dynamic_shapes=shapes)
    document = json.loads(files.members(path)[MODEL])
    assert "FloorDiv" in json.dumps(document) or "Mod" in json.dumps(document)
    with files.open_file(path, "torch-export") as network:
        assert network.outputs


RECORDS = ("extra/notes.pkl", "extra/notes", "traced_inputs.pkl", "mobile_debug_handles.pkl")


@pytest.mark.parametrize("member", [*RECORDS, "debug_pkl"])
def test_a_pickle_next_to_torchscript_is_not_run_by_torch_but_refused(script, tmp_path, member):
    def plant(members, marker):
        found = [name for name in members if name.endswith(member)] or [member]
        return dict.fromkeys(found, files.payload(marker))

    path = planted_copy(script, tmp_path / "copy", plant)
    load_with_torch([path])
    assert not (path.parent / "ran").exists()
    error = refused(path, "torchscript")
    assert "posix.system" in error.message
    assert member in str(error.where)


@pytest.mark.parametrize("form", ["torchscript", "torch-export"])
@pytest.mark.parametrize("kind", ["archive", "first-protocol"])
def test_a_pickle_among_extra_files_is_refused_in_every_form(script, program, tmp_path, form, kind):
    def plant(members, marker):
        if kind == "archive":
            return {"extra/data.bin": files.torch_payload(marker)}
        return {"extra/data.bin": b"cposix\nsystem\n(S'touch " + bytes(marker) + b"'\ntR."}

    path = planted_copy(script if form == "torchscript" else program, tmp_path / "copy", plant)
    assert "posix.system" in refused(path, form).message


@pytest.mark.parametrize("form", ["torchscript", "torch-export"])
def test_extra_files_that_are_no_pickles_are_accepted(script, program, tmp_path, form):
    extra = {
        "extra/readme.txt": b"classes:\n0 cat\n1 dog.",
        "extra/labels.json": b'{"0": "cat"}',
        "extra/odd.bin": b"\x80\x02not a pickle",
        "extra/odd.zip": b"PK\3\4 not an archive",
    }
    path = planted_copy(
        script if form == "torchscript" else program, tmp_path / "copy", lambda *_: extra
    )
    with files.open_file(path, form) as network:
        assert network.outputs
