"""What tensors are to a network of PyTorch, wherever they are kept, and what must be replaceable.

State dicts have their graph in ONNX: ``test_state_dict`` is theirs.
"""

import numpy as np
import pytest
import torch

from conformance.runtimes.pytorch.operators import refusal
from conformance.runtimes.pytorch.uses import HANDS_ON, Step, uses_of
from conformance.runtimes.roles import Role, Use
from conformance.verdicts import UnsupportedError
from tests.runtimes.pytorch import files, kept, nets, odd

X = {"x": odd.X[0].numpy()}
P, S, T = Role.PARAMETER, Role.SCALAR, Role.TOPOLOGY
ROLES = {
    "fc.weight": P,
    "fc.bias": P,
    "scale": P,
    "factor": S,
    "bound": T,
    "places": T,
    "chosen": T,
    "mask": T,
    "rows": P,
}
SCALES = {"steps": P, "zero": P}
FORMS = ("torch-export", "torchscript:traced", "torchscript:scripted")
EVERY_FORM = pytest.mark.parametrize("form", FORMS)


def saved(folder, form, net, example=odd.X):
    net = net.eval()
    if form == "torch-export":
        return files.save_export(net, folder / "net.pt2", example)
    traced = form.endswith("traced")
    return files.save_script(net, folder / "net.pt", example=example if traced else None)


def opened(folder, form, net, example=odd.X):
    return files.open_file(saved(folder, form, net, example), form)


def names_of(network, wanted):
    """The names of what the network has, found by what they hold."""
    stored = {n: np.array(network.inventory.stored(n).values()) for n in network.inventory.roles}
    return {
        name: next(
            n
            for n, each in stored.items()
            if each.dtype == array.dtype and np.array_equal(each, array)
        )
        for name, array in wanted.items()
    }


def others(tensors, roles):
    """Other values for the parameters and scalars."""
    given = {n: np.array(array) for n, array in tensors.items() if roles[n] is not T}
    return {n: a + 1 if a.dtype.kind == "i" else a * np.float32(1.5) for n, a in given.items()}


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (form, kind)
        for form in FORMS
        for kind in ("parameter", "buffer", "other buffer", "attribute", "inlined")
        # What a script reads of its file is numbers in code, no tensors.
        if (form, kind) != ("torchscript:scripted", "inlined")
    ],
)
def test_how_a_tensor_is_kept_changes_nothing(tmp_path, form, kind):
    quantised = form != "torch-export"
    roles = {**ROLES, **(SCALES if quantised else {})}
    net = kept.kept("buffer", quantised)
    tensors = {n: t.detach().numpy().copy() for n, t in net.state_dict().items()}
    own, given = nets.expected(net, X), others(tensors, roles)
    net.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in given.items()}, strict=False)
    other = nets.expected(net, X)
    with opened(tmp_path, form, kept.kept(kind, quantised)) as network:
        names = names_of(network, tensors)
        assert {name: network.inventory.roles[names[name]] for name in roles} == roles
        assert len(network.inventory.roles) == len(roles)
        assert network.counts.parameters == 16 + 4 + 4 + 16 + 8 * quantised
        assert (network.counts.scalars, network.unused_parameters) == (1, ())
        preserved = kind != "inlined" and (form, kind) != ("torchscript:traced", "attribute")
        assert not preserved or all(name == known for name, known in names.items())
        np.testing.assert_allclose(network.bind().run(X)["output"], own, rtol=1e-5)
        replaced = network.bind({names[name]: array for name, array in given.items()})
        np.testing.assert_allclose(replaced.run(X)["output"], other, rtol=1e-5)
        np.testing.assert_allclose(network.bind().run(X)["output"], own, rtol=1e-5)
    assert not np.allclose(own, other)


TEXTS = (torch.arange(14).reshape(2, 7),)
IMAGES = odd.given((2, 49, 32))


@EVERY_FORM
@pytest.mark.parametrize(
    ("net", "example", "table"),
    [
        (kept.Bert, TEXTS, "position_ids"),
        (kept.Gpt, TEXTS, "blocks.0.bias"),
        (kept.Swin, IMAGES, "layers.0.relative_position_index"),
    ],
)
def test_masks_and_tables_of_indices_are_no_obstacle(tmp_path, form, net, example, table):
    with opened(tmp_path, form, net(), example) as network:
        assert network.inventory.roles[table] is T
        assert all(array.dtype == np.float32 for array in network.parameters.values())
        x = {"x": example[0].numpy()}
        own = network.bind().run(x)["output"]
        assert np.array_equal(network.bind(nets.own(network)).run(x)["output"], own)


RANDOM = torch.Generator().manual_seed(5)
BITS = torch.rand(4000, generator=RANDOM) < 0.5
HIDDEN = {
    "integers": torch.randint(0, 255, (300,), generator=RANDOM),
    "small integers": torch.randint(0, 255, (300,), generator=RANDOM).to(torch.int8),
    "truth values": BITS,
    "mask": torch.where(BITS, 0.0, -1e9),
}


@pytest.mark.parametrize("registered", [True, False], ids=["buffer", "attribute"])
@EVERY_FORM
@pytest.mark.parametrize("kind", HIDDEN)
def test_weights_hidden_in_what_a_sample_leaves_are_refused(tmp_path, form, kind, registered):
    net = kept.Hiding(HIDDEN[kind], registered=registered)
    with opened(tmp_path, form, net) as network, pytest.raises(UnsupportedError) as caught:
        network.bind(nets.own(network))
    assert "stores parameters where a sample's cannot take their place" in caught.value.message
    assert (
        "hidden" in caught.value.found
        or "c0" in caught.value.found
        or "lifted" in (caught.value.found)
    )


@pytest.mark.parametrize("form", FORMS[:2])
def test_weights_hidden_in_many_numbers_are_refused(tmp_path, form):
    """A script has no loop over names of attributes: it is traced."""
    with opened(tmp_path, form, kept.ManyNumbers(120)) as network:
        assert network.counts.scalars == 120
        with pytest.raises(UnsupportedError, match="stores parameters where"):
            network.check_replaceable()


@pytest.mark.parametrize("form", FORMS[:2])
def test_weights_hidden_as_sizes_are_refused(tmp_path, form):
    numbers = torch.randint(-500, 500, (120,), generator=RANDOM).tolist()
    with opened(tmp_path, form, kept.SmallIntegers(numbers)) as network:
        with pytest.raises(UnsupportedError) as caught:
            network.check_replaceable()
        assert "sizes in the " in caught.value.found


@pytest.mark.parametrize("form", FORMS[:2])
def test_sizes_that_layers_repeat_are_none(tmp_path, form):
    with opened(tmp_path, form, kept.SmallIntegers([2, 3, 4, 5] * 30)) as network:
        network.check_replaceable()


@pytest.mark.parametrize("net", [kept.Integers, odd.Listed, odd.Text])
def test_weights_hidden_in_lists_and_code_are_refused(tmp_path, net):
    with opened(tmp_path, "torchscript:scripted", net()) as network:
        assert network.bind().run(X)
        with pytest.raises(UnsupportedError, match="stores parameters where"):
            network.check_replaceable()


def test_weights_hidden_in_lists_of_short_lists_are_refused(tmp_path):
    """As code that is written by hand may have them."""
    numbers = [(7 * n * n + 3 * n) % 251 for n in range(400)]
    rows = [numbers[begin : begin + 8] for begin in range(0, 400, 8)]
    path = saved(tmp_path, "torchscript:scripted", odd.Base())
    name = next(n for n in files.members(path) if n.endswith("odd.py"))
    code = files.members(path)[name].decode()
    assert "    return " in code
    hidden = f"    _h = torch.tensor({rows})\n    return torch.add(torch.select(_h, 0, 0)[:4], "
    place = code.index("    return ")
    returned = code[place + len("    return ") :].partition("\n")
    code = f"{code[:place]}{hidden}{returned[0]})\n{returned[2]}"
    path = files.changed(path, members={name: code.encode()})
    with files.open_file(path) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert "odd.py line" in caught.value.found


@pytest.mark.parametrize(
    ("form", "net", "roles"),
    [
        ("torchscript:scripted", kept.Branching, {"rows": P, "zero": P, "steps": P, "places": T}),
        ("torch-export", kept.Conditional, {"rows": P, "more": T, "places": T}),
    ],
)
def test_uses_are_found_in_branches_and_loops(tmp_path, form, net, roles):
    with opened(tmp_path, form, net()) as network:
        assert {name: network.inventory.roles[name] for name in roles} == roles
        given = nets.own(network)
        for sign in (1, -1):
            x = {"x": sign * X["x"]}
            found = network.bind(given).run(x)["output"]
            assert np.array_equal(found, network.bind().run(x)["output"])


def test_constants_that_share_memory_cannot_be_replaced(tmp_path):
    with opened(tmp_path, "torchscript:traced", kept.SharedConstants()) as network:
        assert network.bind().run(X)
        with pytest.raises(UnsupportedError) as caught:
            network.check_replaceable()
    assert caught.value.expected == "parameters that a sample can bring"


def test_an_attribute_that_is_a_parameter_is_one(tmp_path):
    net = kept.TiedAttribute()
    with opened(tmp_path, "torchscript:scripted", net) as network:
        assert network.aliases == {"rows.0": "fc.weight"}
        weight = 2 * network.parameters["fc.weight"]
        found = [network.bind({name: weight}).run(X)["output"] for name in ("fc.weight", "rows.0")]
    np.testing.assert_allclose(found[0], X["x"] @ weight.T @ weight, rtol=1e-5)
    assert np.array_equal(*found)


@EVERY_FORM
def test_an_empty_tensor_may_be_brought_and_need_not(tmp_path, form):
    with opened(tmp_path, form, kept.Empty()) as network:
        assert network.unused_parameters == ()
        assert network.inventory.roles["nothing"] is T
        own = nets.own(network)
        assert set(own) == {"fc.weight", "fc.bias"}
        found = network.bind(own).run(X)["output"]
        more = {**own, "nothing": np.zeros(0, np.float32)}
        assert np.array_equal(network.bind(more).run(X)["output"], found)


def test_every_quantised_operator_is_known_as_one():
    """Each that may be run, and takes a zero point as a tensor."""
    found = []
    for schema in torch._C._jit_get_all_schemas():
        namespace, _, name = schema.name.partition("::")
        if namespace != "aten" or refusal(torch, name) is not None:
            continue
        tensors = [a.name for a in schema.arguments if "Tensor" in str(a.type)]
        for argument in (each for each in tensors if "zero_point" in each):
            found.append(name)
            step = Step(name, {argument: ["t"]}, ["y"])
            assert uses_of([step], {"t": 1}, [], ["y"])["t"] == {Use.QUANTISED}, schema
    assert "fake_quantize_per_channel_affine" in found


VALUE, OPERAND, LOOKUP = {Use.VALUE}, {Use.OPERAND}, {Use.LOOKUP}


@pytest.mark.parametrize(
    ("steps", "rank", "uses"),
    [
        ([Step("mul", {"self": ["x"], "other": ["t"]}, ["y"])], 2, VALUE),
        ([Step("clamp", {"self": ["x"], "min": ["t"], "max": ["t"]}, ["y"])], 0, OPERAND),
        ([Step("clamp", {"self": ["t"], "min": ["x"]}, ["y"])], 1, VALUE),
        ([Step("full", {"size": [], "fill_value": ["t"]}, ["y"])], 0, OPERAND),
        ([Step("arange", {"end": ["t"]}, ["y"])], 0, OPERAND),
        ([Step("slice", {"self": ["x"], "dim": [], "start": ["t"]}, ["y"])], 0, OPERAND),
        ([Step("repeat_interleave", {"self": ["x"], "repeats": ["t"]}, ["y"])], 1, OPERAND),
        (
            [Step("upsample_bilinear2d", {"input": ["x"], "scale_factors": ["t"]}, ["y"])],
            1,
            OPERAND,
        ),
        ([Step("constant_pad_nd", {"self": ["x"], "value": ["t"]}, ["y"])], 0, OPERAND),
        ([Step("embedding", {"weight": ["t"], "indices": ["x"]}, ["y"])], 2, LOOKUP),
        ([Step("embedding", {"weight": ["t"], "indices": ["x"]}, ["y"])], 1, VALUE),
        ([Step("embedding", {"weight": ["t"], "indices": ["u"]}, ["y"])], 2, VALUE),
        ([Step("index", {"self": ["t"], "indices": ["x"]}, ["y"])], 2, LOOKUP),
        ([Step("index", {"self": ["t"], "indices": ["", "x"]}, ["y"])], 2, VALUE),
        ([Step("index_select", {"self": ["t"], "dim": [], "index": ["x"]}, ["y"], 0)], 2, LOOKUP),
        ([Step("index_select", {"self": ["t"], "dim": [], "index": ["x"]}, ["y"], 1)], 2, VALUE),
        (
            [
                Step("view_copy", {"self": ["t"], "size": []}, ["a"]),
                Step("unsqueeze_", {"self": ["a"], "dim": []}, ["b"]),
                Step("cat", {"tensors": ["b", "x"], "dim": []}, ["c"]),
                Step("item", {"self": ["c"]}, ["d"]),
                Step("full", {"size": ["d"]}, ["y"]),
            ],
            0,
            OPERAND,
        ),
        (
            [
                Step("slice", {"self": ["u"], "start": []}, ["i"]),
                Step("index", {"self": ["t"], "indices": ["i"]}, ["y"]),
            ],
            2,
            VALUE,
        ),
        (
            [
                Step("arange", {"end": []}, ["i"]),
                Step("embedding", {"weight": ["t"], "indices": ["i"]}, ["y"]),
            ],
            2,
            LOOKUP,
        ),
        ([Step(HANDS_ON, {"0": ["t"]}, ["y"])], 2, VALUE),
        (
            [
                Step("_assert_tensor_metadata", {"a": ["t"], "dtype": []}, []),
                Step("_to_copy", {"self": ["t"], "dtype": []}, ["a"]),
                Step("clamp_min_", {"self": ["x"], "min": ["a"]}, ["y"]),
            ],
            0,
            OPERAND,
        ),
    ],
)
def test_the_uses_of_a_tensor_follow_from_its_operators(steps, rank, uses):
    assert uses_of(steps, {"t": rank, "u": 1}, ["x"], ["y"])["t"] == uses
