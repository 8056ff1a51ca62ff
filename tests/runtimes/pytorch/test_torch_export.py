"""Exported programs: ports, what is run, and what is refused with its reason."""

import json

import numpy as np
import pytest
import torch

from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes.pytorch import files, nets, odd

X = {"x": odd.X[0].numpy()}
MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
FORM = "torch-export"


def saved(tmp_path, net, example=odd.X, *, batched=True):
    torch.manual_seed(3)
    return files.save_export(net.eval(), tmp_path / "net.pt2", example, batched=batched)


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("export"), odd.Base())


@pytest.fixture
def base(base_path, tmp_path):
    """A copy of an exported linear layer, to be changed at will."""
    return files.write_members(tmp_path / "net.pt2", files.members(base_path))


def refused(path, error=UnsupportedError):
    with pytest.raises(error) as caught, files.open_file(path, FORM) as network:
        network.bind(nets.own(network)).run(X)
    return caught.value


def document(path, member=MODEL):
    return json.loads(files.members(path)[member])


def with_json(path, change, member=MODEL):
    """The archive with its JSON document changed by a function."""
    found = document(path, member)
    change(found)
    return files.changed(path, members={member: json.dumps(found).encode()})


def nodes(found):
    return found["graph_module"]["graph"]["nodes"]


def test_sizes_types_and_dynamic_axes_are_known(base):
    with files.open_file(base, FORM) as network:
        (given,), (returned,) = network.inputs, network.outputs
        assert (given.name, given.dtype, given.shape[1]) == ("x", "float32", 4)
        assert isinstance(given.shape[0], str)
        assert (returned.name, returned.shape) == ("output", given.shape)
        for items in (1, 2, 9):
            assert network.bind().run({"x": np.ones((items, 4), np.float32)})
        with pytest.raises(ConformanceError, match="was not exported for") as caught:
            network.bind().run({"x": np.ones((4097, 4), np.float32)})
        assert "4096" in caught.value.expected


def test_a_fixed_batch_is_filled_up(tmp_path):
    net = odd.Base()
    with files.open_file(saved(tmp_path, net, batched=False), FORM) as network:
        runner = network.bind()
        assert (network.inputs[0].shape, runner.batch_size) == ((2, 4), 2)
        x = {"x": odd.given((5, 4))[0].numpy()}
        found = runner.run_batched(x, 5)["output"]
        np.testing.assert_allclose(found, nets.expected(net, x), rtol=1e-5)


def test_a_dictionary_names_the_outputs(tmp_path):
    with files.open_file(saved(tmp_path, odd.Named()), FORM) as network:
        assert [port.name for port in network.outputs] == ["first", "second"]
        found = network.bind().run(X)
    assert np.array_equal(found["second"], 2 * found["first"])


def test_several_outputs_are_counted(tmp_path):
    with files.open_file(saved(tmp_path, odd.Pair(), odd.X * 2), FORM) as network:
        names = [port.name for port in network.outputs]
        assert names == ["output_0", "output_1", "output_2"]


def test_several_inputs_of_several_types(tmp_path):
    example = (odd.X[0], torch.tensor([2, 0]), torch.ones(2, 2, dtype=torch.bool))
    path = saved(tmp_path, odd.Inputs(), example, batched=False)
    with files.open_file(path, FORM) as network:
        assert [port.dtype for port in network.inputs] == ["float32", "int64", "bool"]
        given = {p.name: e.numpy() for p, e in zip(network.inputs, example, strict=True)}
        found = network.bind().run(given)["output"]
        with pytest.raises(ConformanceError, match="does not fit the network"):
            network.bind().run({**given, "index": given["index"].astype(np.int32)})
        with pytest.raises(ConformanceError, match="cannot be run on these inputs") as caught:
            network.bind().run({**given, "index": given["index"] + 100})
        assert "node[" in str(caught.value.where)
    torch.manual_seed(3)
    assert found.shape == (2, 2)


def test_branches_of_a_program_are_run(tmp_path):
    net = odd.Condition()
    with files.open_file(saved(tmp_path, net), FORM) as network:
        for sign in (1, -1):
            x = {"x": sign * X["x"]}
            found = network.bind(nets.own(network)).run(x)["output"]
            np.testing.assert_allclose(found, nets.expected(net, x), rtol=1e-5)


def test_tied_weights_are_one_parameter(tmp_path):
    net = odd.Tied()
    with files.open_file(saved(tmp_path, net), FORM) as network:
        assert network.counts.parameters == 16 + 4 + 4
        found = network.bind(nets.own(network)).run(X)["output"]
        np.testing.assert_allclose(found, nets.expected(net, X), rtol=1e-5)


def test_unused_parameters_are_named(tmp_path):
    with files.open_file(saved(tmp_path, odd.Unused()), FORM) as network:
        assert network.unused_parameters == ("spare",)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (odd.CustomOperator, "not run here: torch.ops.conformance_tests.twice.default"),
        (odd.Noise, "the network draws random numbers"),
        (odd.Bernoulli, "the network draws random numbers"),
        (odd.AlwaysDrops, "not in inference mode"),
        (odd.NormOfBatch, "not in inference mode"),
        (odd.Buffer, "the network changes 'runs' when it runs"),
        (odd.Integers, "stores parameters where a sample's cannot take their place"),
    ],
)
def test_a_program_that_is_not_run_is_refused_with_its_reason(tmp_path, net, message):
    finding = refused(saved(tmp_path, net()))
    assert message in finding.message
    assert finding.where
    assert finding.fix


def test_a_split_that_hides_a_write_is_refused(base):
    """It is run where nothing is written."""

    def change(found):
        split = {
            **nodes(found)[0],
            "target": "torch.ops.aten.unsafe_split.Tensor",
            "inputs": [
                {"name": "self", "arg": {"as_tensor": {"name": "p_fc_bias"}}, "kind": 1},
                {"name": "split_size", "arg": {"as_int": 2}, "kind": 1},
            ],
            "outputs": [{"as_tensors": [{"name": "one"}, {"name": "other"}]}],
        }
        nodes(found).append(split)

    def write(found):
        fill = {
            **nodes(found)[-1],
            "target": "torch.ops.aten.zero_.default",
            "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "one"}}, "kind": 1}],
            "outputs": [{"as_tensor": {"name": "zero"}}],
        }
        nodes(found).append(fill)

    with files.open_file(with_json(base, change), FORM) as network:
        assert network.bind().run(X)
    error = refused(with_json(base, write))
    assert "not run here: torch.ops.aten.unsafe_split.Tensor" in error.message


def test_an_output_that_is_too_large_to_copy_is_a_limit(tmp_path):
    path = saved(tmp_path, odd.Wide(), batched=False)
    with files.open_file(path, FORM) as network, pytest.raises(LimitError, match="more memory"):
        network.bind().run(X)


@pytest.mark.parametrize(
    "arguments",
    [
        [{"as_string": "a"}, {"as_int": 1 << 50}],
        [{"as_ints": [1]}, {"as_int": 1 << 50}],
        [{"as_tensor": {"name": "x"}}, {"as_int": 2}],
    ],
    ids=["text", "list", "tensor"],
)
def test_arithmetic_is_on_numbers_only(base, arguments):
    def change(found):
        inputs = [{"name": "", "arg": each, "kind": 1} for each in arguments]
        node = {**nodes(found)[0], "target": "_operator.mul", "inputs": inputs}
        nodes(found).insert(0, {**node, "outputs": [{"as_sym_int": {"as_name": "n"}}]})

    assert "is not a number" in refused(with_json(base, change), ConformanceError).found


def test_graphs_are_nested_in_inputs_and_outputs_as_little_as_elsewhere(base):
    for key in ("inputs", "outputs"):
        inner = {"nodes": [], "inputs": [], "outputs": [], "is_single_tensor_return": False}
        for _ in range(200):
            inner = {**inner, key: [{"as_graph": {"name": "g", "graph": inner}}]}

        def change(found, inner=inner, key=key):
            nodes(found)[0][key] = [{"name": "g", "arg": inner[key][0], "kind": 1}]
            if key == "outputs":
                nodes(found)[0][key] = inner[key]

        assert (
            "not as PyTorch writes it" in refused(with_json(base, change), MalformedError).message
        )


def test_a_number_beyond_64_bits_is_refused(base):
    error = refused(with_json(base, _argument({"as_float": 10**400})), MalformedError)
    assert "fits into 64 bits" in error.expected


def test_an_empty_tensor_has_sizes_that_an_array_can_have(base):
    def change(found):
        meta = found["config"]["fc.bias"]["tensor_meta"]
        sizes = [{"as_int": each} for each in (0, 1 << 46, 1 << 46)]
        meta |= {"sizes": sizes, "strides": [{"as_int": 1}] * 3}

    error = refused(with_json(base, change, WEIGHTS), MalformedError)
    assert "sizes that an array can have" in error.expected


def test_a_name_has_one_value(base):
    """Else a parameter could be counted as used whose name an operator takes first."""

    def change(found):
        size = {"name": "size", "arg": {"as_ints": [4]}, "kind": 1}
        node = {**nodes(found)[0], "target": "torch.ops.aten.zeros.default", "inputs": [size]}
        nodes(found).insert(0, {**node, "outputs": [{"as_tensor": {"name": "p_fc_bias"}}]})

    error = refused(with_json(base, change), MalformedError)
    assert "no other operator has" in error.expected


def test_a_name_has_one_tensor(base):
    """Of two, one would be computed with, and the other count as size of the original."""
    weights = document(base, WEIGHTS)["config"]["fc.bias"]
    text = json.dumps({"config": {"fc.bias": {**weights, "path_name": "tensor_0"}}}).encode()
    planted = {CONSTANTS: text, "data/constants/tensor_0": bytes(16)}
    error = refused(files.changed(base, members=planted), MalformedError)
    assert error.message == "the program stores two tensors as 'fc.bias'"


def test_memory_that_is_not_there_is_a_limit(tmp_path):
    path = saved(tmp_path, odd.Huge())
    with files.open_file(path, FORM) as network, pytest.raises(LimitError, match="more memory"):
        network.bind().run(X)


def test_describe_says_what_the_program_is(base):
    found = runtime(FORM).describe(base)
    assert found.parameter_count == 20
    assert found.external_files == ()


def _rename(old, new):
    def change(found):
        nodes(found)[0]["target"] = nodes(found)[0]["target"].replace(old, new)

    return change


def _argument(value):
    def change(found):
        nodes(found)[0]["inputs"][0]["arg"] = value

    return change


def _at(*path, value):
    def change(found):
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value

    return change


GRAPH = ("graph_module", "graph")
SPECS = ("graph_module", "signature")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_rename("linear.default", "nosuch.default"), UnsupportedError, "not run here"),
        (_rename("linear.default", "linear.nosuch"), UnsupportedError, "not run here"),
        (_rename("torch.ops.aten.linear.default", "os.system"), UnsupportedError, "not run here"),
        (_rename("torch.ops.aten.linear.default", "torch.hub.load"), UnsupportedError, "not run"),
        (_rename("linear", "from_file"), UnsupportedError, "not run here"),
        (
            _argument({"as_custom_obj": {}}),
            UnsupportedError,
            "takes something that is not a tensor",
        ),
        (_argument({"as_nothing": 1}), MalformedError, "not as PyTorch writes it"),
        (_argument({"as_tensor": {"name": "later"}}), ConformanceError, "cannot be run"),
        (_argument({"as_int": 1 << 70}), MalformedError, "not as PyTorch writes it"),
        (_argument({"as_int": 1}), ConformanceError, "cannot be run"),
        (_at("schema_version", "major", value=9), UnsupportedError, "a different version"),
        (_at("schema_version", value=[]), MalformedError, "not as PyTorch writes it"),
        (_at(*GRAPH, "nodes", value={}), MalformedError, "not as PyTorch writes it"),
        (_at(*GRAPH, "tensor_values", value={}), MalformedError, "not as PyTorch writes it"),
        (_at(*SPECS, "input_specs", value=[]), MalformedError, "not as PyTorch writes it"),
        (_at(*SPECS, "output_specs", value=[]), MalformedError, "not as PyTorch writes it"),
        (
            _at(*SPECS, "input_specs", 0, value={"custom_obj": {}}),
            UnsupportedError,
            "does more than turn tensors into tensors",
        ),
    ],
    ids=[
        *("operator", "overload", "os.system", "torch.hub", "from_file", "object", "kind"),
        *("later", "integer", "type", "version", "no-version", "nodes", "metas", "inputs"),
        *("outputs", "custom"),
    ],
)
def test_an_edited_program_is_refused(base, change, error, message):
    finding = refused(with_json(base, change), error)
    assert message in finding.message
    assert finding.fix


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.update({"fc.more": c["fc.bias"]}), None, None),
        (lambda c: c.pop("fc.bias"), ConformanceError, "that the program has not"),
        (lambda c: c["fc.bias"].update(path_name="weight_9"), MalformedError, "not as PyTorch"),
        (lambda c: c["fc.bias"].update(path_name="../x"), MalformedError, "not as PyTorch"),
        (
            lambda c: c["fc.bias"]["tensor_meta"].update(sizes=[{"as_int": 5}]),
            MalformedError,
            "not as PyTorch",
        ),
        (
            lambda c: c["fc.bias"]["tensor_meta"].update(sizes=[{"as_int": 1 << 47}]),
            MalformedError,
            "not as PyTorch",
        ),
        (
            lambda c: c["fc.bias"]["tensor_meta"].update(dtype=8),
            MalformedError,
            "not as PyTorch",
        ),
        (
            lambda c: c["fc.bias"]["tensor_meta"].update(dtype=5),
            MalformedError,
            "not as PyTorch",
        ),
        (
            lambda c: c["fc.bias"]["tensor_meta"].update(layout=1),
            MalformedError,
            "not as PyTorch",
        ),
    ],
    ids=["alias", "missing", "member", "path", "shape", "huge", "wide", "dtype", "layout"],
)
def test_an_edited_list_of_tensors_is_refused(base, change, error, message):
    path = with_json(base, lambda found: change(found["config"]), WEIGHTS)
    if error is None:
        with files.open_file(path, FORM) as network:
            assert network.aliases == {"fc.more": "fc.bias"}
        return
    finding = refused(path, error)
    assert message in finding.message


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (b"{", MalformedError, "is not JSON"),
        (b'{"a": 1, "a": 2}', MalformedError, "is not JSON"),
        (b"\xff", MalformedError, "is not text"),
        (b"[" * 100_000, LimitError, "nested too deeply"),
        (b"9" * 10_000, MalformedError, "is not JSON"),
        (b"[]", MalformedError, "not as PyTorch writes it"),
    ],
    ids=["cut", "twice", "bytes", "deep", "digits", "list"],
)
def test_a_document_that_is_none_is_refused(base, text, error, message):
    finding = refused(files.changed(base, members={MODEL: text}), error)
    assert message in finding.message


@pytest.mark.parametrize(
    "change",
    [
        _at(*GRAPH, "nodes", 0, "target", value="\ud800"),
        _at(*GRAPH, "tensor_values", "\ud800", value={}),
    ],
    ids=["value", "key"],
)
def test_half_a_character_is_refused(base, change):
    error = refused(with_json(base, change), MalformedError)
    assert str(error).encode()


def test_the_rest_of_a_large_tensor_is_unread(tmp_path):
    with files.open_file(saved(tmp_path, odd.Slice()), "torch-export") as network:
        assert "in no tensor" in max(network.unread, key=lambda each: each.bytes).piece


def test_an_expanded_parameter_is_refused(tmp_path):
    assert "share their memory" in refused(saved(tmp_path, odd.Expanded())).message


def test_a_document_much_longer_than_its_graph_is_refused(base):
    def change(found):
        nodes(found)[0]["metadata"]["stack_trace"] = "x" * (1 << 20)

    error = refused(with_json(base, change), ConformanceError)
    assert "much longer than the graph" in error.message


def test_a_constant_that_claims_to_be_huge_is_a_limit(base):
    """All of its elements lie at one place."""
    meta = document(base, WEIGHTS)["config"]["fc.bias"]
    meta["tensor_meta"] |= {"sizes": [{"as_int": 1 << 40}], "strides": [{"as_int": 0}]}
    meta |= {"path_name": "tensor_0", "is_param": False}
    text = json.dumps({"config": {"big": meta}}).encode()
    planted = {CONSTANTS: text, "data/constants/tensor_0": bytes(16)}
    with pytest.raises(LimitError, match="too much memory"):
        files.open_file(files.changed(base, members=planted), FORM)


def test_weights_among_the_arguments_are_found(base):
    """Many numbers in a list that an operator takes."""

    def change(found):
        numbers = {"as_floats": [each + 0.5 for each in range(140)]}
        nodes(found)[0]["inputs"].append({"name": "more", "arg": numbers, "kind": 1})

    assert "cannot take their place" in refused(with_json(base, change)).message


@pytest.mark.parametrize(("name", "data"), [("archive_format", b"zip"), ("byteorder", b"big")])
def test_another_kind_of_archive_is_refused(base, name, data):
    assert "a different kind" in refused(files.changed(base, members={name: data})).message
