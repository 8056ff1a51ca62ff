"""A network runs with exactly the parameters that it is given, and with nothing left of others."""

import contextlib
from functools import cache

import numpy as np
import pytest

from conformance.jobs.replacing import zeroed
from conformance.verdicts import ConformanceError
from tests.runtimes.pytorch import files, nets

FORMS = ("torchscript:scripted", "torchscript:traced", "torch-export", "torch-state-dict")
CASES = [
    (form, kind)
    for form in FORMS
    for kind in nets.NETS
    if not (form == "torch-state-dict" and kind == "transformer")
]
EVERY = pytest.mark.parametrize(
    ("form", "kind"), [pytest.param(*case, id="-".join(case)) for case in CASES]
)
CNNS = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def opened_once(saved):
    """Opens a network at the first call, and gives the same to all who only bind and run it."""
    with contextlib.ExitStack() as stack:
        yield cache(lambda form, kind: stack.enter_context(files.opened(form, saved(form, kind))))


@pytest.fixture
def network(opened_once, form, kind):
    return opened_once(form, kind)


@pytest.fixture
def cnn(opened_once, form):
    return opened_once(form, "cnn")


def run(runner, kind, items=3):
    return runner.run(nets.inputs(kind, items))["output"]


@EVERY
def test_parameters_have_the_names_of_the_state_dict(network, kind):
    wanted = nets.tensors(kind)
    assert set(network.parameters) == set(wanted)
    assert network.counts.parameters == sum(array.size for array in wanted.values())
    for name, array in wanted.items():
        assert network.parameters[name].dtype == np.float32
        assert np.array_equal(network.parameters[name], array)
    assert network.unused_parameters == ()
    assert network.unused_files == ()
    assert [port.name for port in network.inputs] == ["x"]
    assert [port.name for port in network.outputs] == ["output"]


@EVERY
def test_outputs_are_those_of_pytorch(network, kind):
    wanted = nets.expected(nets.build(kind), nets.inputs(kind))
    np.testing.assert_allclose(run(network.bind(), kind), wanted, rtol=1e-4, atol=1e-5)


@EVERY
def test_a_replacement_equals_a_network_built_with_it(network, saved, form, kind):
    replaced = run(network.bind(nets.tensors(kind, 1)), kind)
    with files.opened(form, saved(form, kind, 1)) as independent:
        assert replaced.tobytes() == run(independent.bind(), kind).tobytes()
    assert not np.array_equal(replaced, run(network.bind(), kind))


@EVERY
def test_every_single_parameter_reaches_the_outputs(network, kind):
    own = run(network.bind(), kind)
    for name in network.parameters:
        given = nets.own(network)
        given[name] = given[name] * np.float32(0.5)
        replaced = run(network.bind(given), kind)
        wanted = nets.expected(nets.loaded(kind, given), nets.inputs(kind))
        np.testing.assert_allclose(replaced, wanted, rtol=1e-4, atol=1e-5, err_msg=name)
        assert not np.array_equal(replaced, own), name


@EVERY
def test_own_parameters_copied_give_the_same_bits(network, kind):
    own = run(network.bind(), kind)
    assert own.tobytes() == run(network.bind(nets.own(network)), kind).tobytes()


@EVERY
def test_the_order_of_bindings_does_not_matter(network, kind):
    first, second = (network.bind(nets.tensors(kind, seed)) for seed in (2, 3))
    of_second, of_first = run(second, kind), run(first, kind)
    own = run(network.bind(), kind)
    assert np.array_equal(run(network.bind(nets.tensors(kind, 2)), kind), of_first)
    assert np.array_equal(run(network.bind(nets.tensors(kind, 3)), kind), of_second)
    assert np.array_equal(run(network.bind(), kind), own)
    assert not np.array_equal(of_first, of_second)


@EVERY
def test_nothing_is_left_of_an_earlier_run(network, kind):
    runner = network.bind()
    first = run(runner, kind)
    runner.run(nets.inputs(kind, 5, seed=5))
    assert run(runner, kind).tobytes() == first.tobytes()


@EVERY
def test_the_arrays_that_are_given_are_left_alone(network, kind):
    given, inputs, own = nets.tensors(kind, 1), nets.inputs(kind), nets.own(network)
    kept = {name: array.copy() for name, array in given.items()}
    network.bind(given).run(inputs)
    network.bind().run(inputs)
    assert files.same(given, kept)
    assert files.same(inputs, nets.inputs(kind))
    assert files.same(nets.own(network), own)


@pytest.mark.parametrize("form", FORMS[:3])
def test_arrays_may_change_after_they_were_bound(cnn, form):
    given = nets.tensors("cnn", 1)
    runner = cnn.bind(given)
    before = run(runner, "cnn")
    for array in given.values():
        array[...] = 0
    assert np.array_equal(run(runner, "cnn"), before)


@EVERY
def test_batches_give_what_single_items_give(network, kind):
    runner, inputs = network.bind(), nets.inputs(kind, 40)
    whole = runner.run_batched(inputs, 40)["output"]
    assert whole.shape[0] == 40
    one = runner.run({"x": inputs["x"][36:37]})["output"]
    np.testing.assert_allclose(whole[36:37], one, rtol=1e-4, atol=1e-5)


@CNNS
def test_zeros_take_the_place_of_every_parameter(cnn):
    zeros = {name: np.zeros_like(array) for name, array in nets.own(cnn).items()}
    empty = run(cnn.bind_changed(zeroed), "cnn")
    assert empty.tobytes() == run(cnn.bind(zeros), "cnn").tobytes()
    assert not empty.any()


@CNNS
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda t: t.pop("conv.bias"), "conv.bias is missing"),
        (lambda t: t.update(more=np.zeros(3, np.float32)), "more is not a parameter"),
        (
            lambda t: t.update({"fc.weight": t["fc.weight"].T}),
            "fc.weight has shape [64, 5], the model [5, 64]",
        ),
        (
            lambda t: t.update({"fc.bias": np.full(5, 2**24 + 1, np.int32)}),
            "fc.bias is int32, the model holds float32",
        ),
        (
            lambda t: t.update({"fc.bias": np.full(5, 0.1)}),
            "fc.bias is float64, the model holds float32",
        ),
    ],
    ids=["missing", "extra", "shape", "dtype", "precision"],
)
def test_a_replacement_that_does_not_fit_is_refused(cnn, change, found):
    given = nets.tensors("cnn", 1)
    change(given)
    with pytest.raises(ConformanceError, match="do not fit the model's parameters") as caught:
        cnn.bind(given)
    assert found in caught.value.found


@CNNS
def test_narrower_floats_are_taken_as_they_are(cnn):
    half = {name: array.astype(np.float16) for name, array in nets.tensors("cnn", 1).items()}
    wide = {name: array.astype(np.float32) for name, array in half.items()}
    assert np.array_equal(run(cnn.bind(half), "cnn"), run(cnn.bind(wide), "cnn"))


@CNNS
def test_values_that_are_no_numbers_are_seen_and_spread(saved, form, tmp_path):
    arrays = nets.tensors("cnn")
    arrays["fc.weight"][1] = np.nan
    with files.opened(form, files.save(tmp_path, form, "cnn", arrays)) as network:
        assert np.isnan(network.parameters["fc.weight"][1]).all()
        found = run(network.bind(), "cnn")
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[:, [0, 2, 3, 4]]).all()


@CNNS
def test_counters_of_batches_are_no_parameters(cnn):
    assert tuple(cnn.constants) == ("bn.num_batches_tracked",)
    given = {**nets.tensors("cnn", 1), "bn.num_batches_tracked": np.array(0, np.int32)}
    assert np.array_equal(run(cnn.bind(given), "cnn"), run(cnn.bind(nets.tensors("cnn", 1)), "cnn"))
