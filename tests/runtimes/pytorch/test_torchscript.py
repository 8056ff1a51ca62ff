"""TorchScript: ports, what is run, and what is refused with its reason."""

import numpy as np
import pytest
import torch

from conformance.jobs.replacing import zeroed
from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, runtime
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes.pytorch import files, nets, odd

X = {"x": odd.X[0].numpy()}


def saved(tmp_path, net, *, example=None, name="net.pt"):
    torch.manual_seed(3)
    return files.save_script(net.eval(), tmp_path / name, example=example)


def opened(tmp_path, net, **more):
    return files.open_file(saved(tmp_path, net, **more))


def refused(path, error=UnsupportedError):
    """Open, bind and run: return the finding of the first that is refused."""
    with pytest.raises(error) as caught, files.open_file(path) as network:
        network.bind(nets.own(network)).run(X)
    return caught.value


def code_of(path):
    return next(n for n in files.members(path) if n.startswith("code/") and n.endswith("odd.py"))


def edited(path, old, new):
    """The same archive with a piece of the network's own code replaced."""
    name = code_of(path)
    text = files.members(path)[name].decode()
    assert old in text
    return files.changed(path, members={name: text.replace(old, new).encode()})


def test_ports_are_named_after_the_arguments_of_forward(tmp_path):
    with opened(tmp_path, odd.Pair()) as network:
        assert [port.name for port in network.inputs] == ["x", "y"]
        assert {(port.dtype, port.shape) for port in network.inputs} == {(ANY_DTYPE, ANY_SHAPE)}
        assert [port.name for port in network.outputs] == ["output_0", "output_1", "output_2"]
        y = np.ones((2, 4), np.float32)
        z, more, less = network.bind().run({**X, "y": y}).values()
    assert np.array_equal(more, z + y)
    assert np.array_equal(less, z - y)


@pytest.mark.parametrize("example", [None, odd.X], ids=["scripted", "traced"])
def test_a_dictionary_names_the_outputs(tmp_path, example):
    if example is None:
        path = saved(tmp_path, odd.Named())
    else:
        traced = torch.jit.trace(odd.Named().eval(), example, strict=False)
        torch.jit.save(traced, path := tmp_path / "net.pt")
    with files.open_file(path) as network:
        assert [port.name for port in network.outputs] == ["first", "second"]
        found = network.bind().run(X)
    assert np.array_equal(found["second"], 2 * found["first"])


def test_arguments_with_default_values_keep_them(tmp_path):
    net = odd.Defaults()
    with opened(tmp_path, net) as network:
        assert [port.name for port in network.inputs] == ["x"]
        np.testing.assert_allclose(
            network.bind().run(X)["output"], nets.expected(net, X), rtol=1e-6
        )


def test_branches_and_loops_on_values_are_run(tmp_path):
    net = odd.Branches()
    with opened(tmp_path, net) as network:
        for sign in (1, -1):
            x = {"x": np.full((2, 4), sign, np.float32)}
            found = network.bind().run(x)["output"]
            np.testing.assert_allclose(found, nets.expected(net, x), rtol=1e-6)


def test_lists_of_modules_and_sequences_are_run(tmp_path):
    net = odd.Submodules()
    with opened(tmp_path, net) as network:
        assert set(network.parameters) == set(net.state_dict())
        found = network.bind(nets.own(network)).run(X)["output"]
        np.testing.assert_allclose(found, nets.expected(net, X), rtol=1e-5)


def test_a_module_that_was_saved_in_training_mode_runs_in_inference(tmp_path):
    torch.jit.save(torch.jit.script(odd.Training().train()), path := tmp_path / "net.pt")
    with files.open_file(path) as network:
        runner = network.bind()
        assert np.array_equal(runner.run(X)["output"], runner.run(X)["output"])


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (odd.CustomOperator, "an operator that PyTorch itself has not: conformance_tests::twice"),
        (odd.Noise, "the network draws random numbers"),
        (odd.Bernoulli, "the network draws random numbers"),
        (odd.AlwaysDrops, "cannot be put into inference mode: 'train' is not off"),
        (odd.NormOfBatch, "cannot be put into inference mode: 'training' is not off"),
        (odd.Counter, "the network changes its own attributes when it runs"),
        (odd.Writer, "the network changes 'seen' when it runs"),
        (odd.HiddenWriter, "an operator that is not run here: prim::data"),
        (odd.Collector, "the network changes its own attributes when it runs"),
        (odd.LooseWriter, "the network changes its own attributes when it runs"),
        (odd.SplitWriter, "an operator that is not run here: aten::unsafe_split"),
        (odd.StatisticsWriter, "that is not run here: aten::batch_norm_update_stats"),
        (odd.Printer, "an operator that is not run here: prim::Print"),
        (odd.Scale, "input 'scale' is not a tensor"),
        (odd.Many, "the network returns something that cannot be judged"),
        (odd.Listed, "stores parameters where a sample's cannot take their place"),
        (odd.Text, "stores parameters where a sample's cannot take their place"),
        (odd.Integers, "stores parameters where a sample's cannot take their place"),
        (odd.Overlapping, "share a part of their memory"),
        (odd.Expanded, "elements of 'rows' share their memory"),
    ],
)
def test_a_network_that_is_not_run_is_refused_with_its_reason(tmp_path, net, message):
    finding = refused(saved(tmp_path, net()))
    assert message in finding.message
    assert finding.where
    assert finding.found
    assert finding.fix


def test_a_constant_that_a_run_changes_is_refused(tmp_path):
    error = refused(saved(tmp_path, odd.ConstantWriter(), example=odd.X))
    assert "changes its own attributes" in error.message


def test_code_is_limited_in_all(tmp_path):
    path = saved(tmp_path, odd.Base())
    line = b"def f(x: Tensor) -> Tensor:\n  return x\n"
    more = {f"code/more{index}.py": line * ((9 << 20) // len(line)) for index in range(2)}
    with pytest.raises(LimitError, match="is too long"):
        files.open_file(files.changed(path, members=more))


def test_the_rest_of_a_large_tensor_is_unread(tmp_path):
    """All of it is stored, and would count as the size of the original."""
    with opened(tmp_path, odd.Slice()) as network:
        assert "in no tensor" in max(network.unread, key=lambda each: each.bytes).piece
    with opened(tmp_path, odd.Slice(size=40)) as network:
        assert network.parameters["part"].shape == (4,)


def test_a_module_without_forward_is_refused(tmp_path):
    path = edited(saved(tmp_path, odd.Base()), "def forward", "def backward")
    assert "'forward' is not defined" in refused(path, MalformedError).found


def test_an_attribute_that_only_the_code_declares_is_missed(tmp_path):
    """Its name has a dot, as only edited code can declare it."""
    path = edited(
        saved(tmp_path, odd.Base()),
        "  training : bool\n",
        '  training : bool\n  __annotations__["fc.weight"] = Tensor\n',
    )
    assert refused(path, MalformedError).message.startswith("the model has no 'fc.weight'")


def test_a_frozen_network_takes_a_replacement(tmp_path):
    """Its parameters are constants of the code, and have the names of such."""
    net = odd.Submodules().eval()
    torch.jit.save(torch.jit.freeze(torch.jit.script(net)), path := tmp_path / "net.pt")
    with files.open_file(path) as network:
        own, given = nets.own(network), nets.own(network)
        assert network.counts.parameters == sum(t.numel() for t in net.parameters())
        assert set(own) == {f"CONSTANTS.c{index}" for index in range(10)}
        found = network.bind().run(X)["output"]
        np.testing.assert_allclose(found, nets.expected(net, X), rtol=1e-5)
        for name, array in given.items():
            given = {**own, name: array * np.float32(0.5)}
            assert not np.array_equal(network.bind(given).run(X)["output"], found)
        assert np.array_equal(network.bind(own).run(X)["output"], found)
        assert not network.bind_changed(zeroed).run(X)["output"].any()
        with pytest.raises(ConformanceError, match="do not fit the model's parameters"):
            network.bind({})


def test_both_branches_on_a_constant_are_looked_at(tmp_path):
    """The branch that the network's own constant leads to does not print; a sample's might."""
    path = saved(tmp_path, odd.ConstantBranch(), example=odd.X)
    assert "not run here: prim::Print" in refused(path).message


def test_what_lies_beside_a_tensor_in_its_storage_is_not_kept(tmp_path):
    """Thousands of weights would fit there, and as_strided reaches them."""
    with opened(tmp_path, odd.BesideSlice()) as network:
        own = nets.own(network)
        given = {n: a if n == "loose" else np.zeros_like(a) for n, a in own.items()}
        for loose in (own["loose"], own["loose"] + 7):
            found = network.bind({**given, "loose": loose}).run(X)["output"]
            assert np.array_equal(found, np.broadcast_to(loose, (2, 4)))


def test_a_constant_does_not_hide_an_attribute_of_its_name(tmp_path):
    path = saved(tmp_path, odd.WithConstant(), example=odd.X)
    found = files.members(path)
    outer = code_of(path)
    # The list moves up to the outermost module, where its path is that of the first constant.
    inner = saved(tmp_path, odd.ConstantsList(), name="inner.pt")
    own = files.members(inner)
    code = own[code_of(inner)].replace(b"return ", b"_c = CONSTANTS.c0\n    return ")
    assert b"CONSTANTS.c0" in found[outer]
    own |= {code_of(inner): code}
    own |= {n: data for n, data in found.items() if n.startswith("constants")}
    with files.open_file(files.write_members(tmp_path / "both.pt", own)) as network:
        assert network.parameters["CONSTANTS.0"].shape == (4000,)
        assert network.parameters["CONSTANTS.c0"].shape == (4,)


def test_a_split_is_run_where_nothing_is_written(tmp_path):
    with opened(tmp_path, odd.Splits()) as network:
        assert network.bind(nets.own(network)).run(X)


@pytest.mark.parametrize("net", [odd.Huge, odd.Wide])
def test_memory_that_is_not_there_is_a_limit(tmp_path, net):
    with opened(tmp_path, net()) as network, pytest.raises(LimitError, match="more memory"):
        network.bind().run(X)


def test_what_a_network_raises_is_an_error_of_the_run(tmp_path):
    with opened(tmp_path, odd.Asserts()) as network:
        assert network.bind().run({"x": np.ones((2, 4), np.float32)})
        with pytest.raises(ConformanceError, match="cannot be run on these inputs") as caught:
            network.bind().run({"x": -np.ones((2, 4), np.float32)})
        assert "negative" in caught.value.found


def test_tables_of_indices_are_topology(tmp_path):
    with opened(tmp_path, odd.Indices()) as network:
        assert tuple(network.constants) == ("table", "shift")
        given = nets.own(network)
        own = network.bind().run(X)["output"]
        given["table"] = network.constants["table"].astype(np.int32)
        assert np.array_equal(network.bind(given).run(X)["output"], own)
        given["table"] = np.zeros_like(given["table"])
        with pytest.raises(ConformanceError) as caught:
            network.bind(given)
        assert "table belongs to the topology" in caught.value.found


@pytest.mark.parametrize("example", [None, odd.given((2, 5, 8))], ids=["scripted", "traced"])
def test_an_encoder_of_a_transformer_is_run(tmp_path, example):
    """Its code has operators on nested tensors, in branches that are not taken."""
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    net = torch.nn.TransformerEncoder(layer, 2).eval()
    x = odd.given((2, 5, 8))[0].numpy()
    with opened(tmp_path, net, example=example) as network:
        found = network.bind(nets.own(network)).run({network.inputs[0].name: x})["output"]
    np.testing.assert_allclose(found, nets.expected(net, {"x": x}), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("example", [None, odd.X], ids=["scripted", "traced"])
def test_the_version_may_be_where_older_readers_do_not_find_it(tmp_path, example):
    """PyTorch puts it there for operators that have changed, such as GELU."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU()).eval()
    path = saved(tmp_path, net, example=example)
    assert "version" not in files.members(path)
    with files.open_file(path) as network:
        found = network.bind(nets.own(network)).run({network.inputs[0].name: X["x"]})["output"]
    np.testing.assert_allclose(found, nets.expected(net, X), rtol=1e-5, atol=1e-6)
    error = refused(files.changed(path, members={".data/version": None}), MalformedError)
    assert "no member 'version'" in error.message


def test_a_module_with_hooks_is_refused(tmp_path):
    path = saved(tmp_path, odd.Base())
    hooks = '  __parameters__ = []\n  __forward_hooks__ = ["hook"]'
    path = edited(path, "  __parameters__ = []", hooks)
    assert refused(path).message == "a module has hooks"


def test_uninitialised_memory_shows(tmp_path):
    with opened(tmp_path, odd.Uninitialised()) as network:
        assert np.isnan(network.bind().run(X)["output"]).all()


def test_unused_parameters_are_named(tmp_path):
    with opened(tmp_path, odd.Unused()) as network:
        assert network.unused_parameters == ("spare",)


def test_unused_parameters_of_modules_in_use_are_named(tmp_path):
    with opened(tmp_path, torch.nn.Sequential(odd.Unused(), torch.nn.ReLU())) as network:
        assert network.unused_parameters == ("0.spare",)


def test_tied_weights_are_one_parameter(tmp_path):
    net = odd.Tied()
    with opened(tmp_path, net) as network:
        first = set(network.parameters)
        assert len(first) == 3
        assert first | network.aliases.keys() == set(net.state_dict())
        given = {n: a * np.float32(0.5) for n, a in nets.own(network).items()}
        found = network.bind(given).run(X)["output"]
        state = net.state_dict()
        weight = next(a for n, a in given.items() if n.endswith("weight"))
        given = {n: weight if n.endswith("weight") else given.get(n) for n in state}
        shared = next(n for n in ("one.bias", "again.bias") if given[n] is not None)
        given |= dict.fromkeys(("one.bias", "again.bias"), given[shared])
        net.load_state_dict({n: torch.from_numpy(a) for n, a in given.items()})
        np.testing.assert_allclose(found, nets.expected(net, X), rtol=1e-5)
        given["other.weight"] = given["other.weight"] * 2
        with pytest.raises(ConformanceError) as caught:
            network.bind(given)
        assert "are one parameter of the model" in caught.value.found


def test_inputs_that_do_not_fit_are_an_error_of_the_inputs(tmp_path):
    with opened(tmp_path, odd.Base()) as network:
        with pytest.raises(ConformanceError, match="cannot be run on these inputs") as caught:
            network.bind().run({"x": np.zeros((2, 3), np.float32)})
        assert "mat1 and mat2" in caught.value.found
        with pytest.raises(ConformanceError, match="not those of the network"):
            network.bind().run({})


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("return (fc)", "return ops.mylib.f(fc)", UnsupportedError, "mylib::f"),
        (
            "  training : bool",
            "  training : bool\n  p : __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
            UnsupportedError,
            "a class of a library",
        ),
        (
            "  def forward",
            "  def __setstate__(self, s: int) -> None:\n    pass\n  def forward",
            UnsupportedError,
            "runs when the model is loaded",
        ),
        (
            "x: Tensor)",
            "x: Tensor, n: int=ops.aten.add(1, 2))",
            UnsupportedError,
            "computed when the model is loaded",
        ),
        ("class Base", "torch.zeros(1)\nclass Base", MalformedError, "outside functions"),
        ("class Base", "import os\nclass Base", MalformedError, "outside functions"),
        ("return", "# a comment\n    return", MalformedError, "does not write"),
        ("return (fc)", 'f = """a"""\n    return (fc)', MalformedError, "does not write"),
        ("return (fc)", "return ((fc)", MalformedError, "cannot be read"),
        ("return (fc)", "return é(fc)", MalformedError, "characters"),
        ("(Module)", "(Module, metaclass=X)", MalformedError, "a class is declared"),
        ("  def forward", "  @f\n  def forward", MalformedError, "a function is declared"),
        ("  fc : ", "  pass\n  if 1: pass\n  fc : ", MalformedError, "a statement"),
        ("__parameters__ = []", "__parameters__ = [1]", MalformedError, "a list of names"),
        ("  training : bool", "  training : bool\n  y : int", MalformedError, "has no 'y'"),
        ("  training : bool\n", "", MalformedError, "has 'training'"),
        ("return (fc)", f"return {'-' * 300}(fc)", LimitError, "nested too deeply"),
        ("return (fc).forward(x, )", "return torch.nosuch(x)", UnsupportedError, "aten::nosuch"),
        ("return (fc).forward(x, )", "return ops.aten.nosuch(x)", UnsupportedError, "aten::nosuch"),
        (
            "return (fc).forward(x, )",
            'return torch.from_file("/etc/passwd", False, 4)',
            UnsupportedError,
            "aten::from_file",
        ),
    ],
)
def test_edited_code_is_refused(tmp_path, old, new, error, message):
    path = saved(tmp_path, odd.Base())
    if not new.isascii():
        name = code_of(path)
        text = files.members(path)[name].replace(old.encode(), new.encode())
        finding = refused(files.changed(path, members={name: text}), error)
    else:
        finding = refused(edited(path, old, new), error)
    assert message in finding.message
    assert finding.fix


def test_weights_in_the_code_are_found(tmp_path):
    numbers = ", ".join(f"{i}.5" for i in range(140))
    new = f"return torch.add((fc).forward(x, ), torch.sum(torch.tensor([{numbers}])))"
    path = edited(saved(tmp_path, odd.Base()), "return (fc).forward(x, )", new)
    with files.open_file(path) as network:
        assert network.bind().run(X)
    assert "cannot take their place" in refused(path).message


def test_weights_in_large_integers_are_found(tmp_path):
    terms = "(fc).forward(x, )"
    for index in range(110):
        terms = f"torch.add({terms}, {(1 << 40) + index})"
    path = edited(saved(tmp_path, odd.Base()), "return (fc).forward(x, )", f"return {terms}")
    assert "cannot take their place" in refused(path).message


def test_a_quantised_network_is_refused(tmp_path):
    net = torch.ao.quantization.quantize_dynamic(odd.Base(), {torch.nn.Linear})
    finding = refused(saved(tmp_path, net))
    assert "not quantised" in finding.fix or "quantised" in finding.fix


def test_records_for_debugging_and_examples_are_not_needed(tmp_path):
    path = saved(tmp_path, odd.Base(), example=odd.X)
    plain = {n: d for n, d in files.members(path).items() if "debug" not in n and "traced" not in n}
    with files.open_file(path) as whole:
        wanted = whole.bind().run(X)["output"]
    with files.open_file(files.write_members(tmp_path / "bare.pt", plain)) as network:
        assert np.array_equal(network.bind().run(X)["output"], wanted)


def test_describe_says_what_the_network_is(tmp_path):
    found = runtime("torchscript").describe(saved(tmp_path, odd.Pair()))
    assert [port.name for port in found.inputs] == ["x", "y"]
    assert found.parameter_count == 20
    assert found.external_files == ()


def test_further_files_are_named_as_unused(tmp_path):
    path = saved(tmp_path, odd.Base())
    (tmp_path / "more.bin").write_bytes(b"0")
    given = files.source(tmp_path, path.name, "more.bin")
    with files.opened("torchscript", given) as network:
        assert network.unused_files == ("more.bin",)
