"""A network runs with exactly the parameters that it is given, and with nothing left of others."""

import numpy as np
import pytest

from conformance.jobs.replacing import zeroed
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes.nnef import models as m

NETWORKS = {
    "cnn": (m.cnn_text(), m.cnn_tensors, (2, 1, 6, 6)),
    "lstm": (m.lstm_text(), lambda seed=0: m.lstm_tensors(seed=seed), (2, 5, 3)),
}
EVERY = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture
def network(kind, tmp_path):
    text, tensors, _ = NETWORKS[kind]
    with m.opened(m.save(tmp_path / "own", text, tensors())) as opened:
        yield opened


def inputs_of(kind):
    return {"x": m.floats(*NETWORKS[kind][2], seed=77)}


def independent(kind, tensors, folder):
    with m.opened(m.save(folder, NETWORKS[kind][0], tensors)) as network:
        return network.bind().run(inputs_of(kind))["y"]


@EVERY
def test_parameters_are_the_variables_by_label(network, kind):
    wanted = NETWORKS[kind][1]()
    assert list(network.parameters) == list(wanted)
    assert network.counts.parameters == sum(array.size for array in wanted.values())
    for label, array in wanted.items():
        assert network.parameters[label].dtype == np.float32
        assert np.array_equal(network.parameters[label], array)
    assert tuple(network.constants) == ()
    assert network.unused_parameters == ()
    assert network.unused_files == ()


@EVERY
def test_a_replacement_equals_a_network_built_with_it(network, kind, tmp_path):
    other = NETWORKS[kind][1](7)
    replaced = network.bind(other).run(inputs_of(kind))["y"]
    assert np.array_equal(replaced, independent(kind, other, tmp_path / "other"))
    assert not np.array_equal(replaced, network.bind().run(inputs_of(kind))["y"])


@EVERY
def test_every_single_parameter_reaches_the_outputs(network, kind, tmp_path):
    own = network.bind().run(inputs_of(kind))["y"]
    for label in network.parameters:
        changed = m.arrays(network.parameters)
        changed[label] *= np.float32(0.5)
        replaced = network.bind(changed).run(inputs_of(kind))["y"]
        assert np.array_equal(replaced, independent(kind, changed, tmp_path / "one")), label
        assert not np.array_equal(replaced, own), label


@EVERY
def test_own_parameters_copied_give_the_same_bits(network, kind):
    own = network.bind().run(inputs_of(kind))["y"]
    copied = network.bind(m.arrays(network.parameters)).run(inputs_of(kind))["y"]
    assert own.tobytes() == copied.tobytes()


@EVERY
def test_the_order_of_bindings_does_not_matter(network, kind):
    one, two = NETWORKS[kind][1](3), NETWORKS[kind][1](4)
    first, second = network.bind(one), network.bind(two)
    of_two, of_one = second.run(inputs_of(kind))["y"], first.run(inputs_of(kind))["y"]
    assert np.array_equal(network.bind(one).run(inputs_of(kind))["y"], of_one)
    assert np.array_equal(network.bind(two).run(inputs_of(kind))["y"], of_two)


@EVERY
def test_a_runner_keeps_its_own_copy(network, kind):
    given = NETWORKS[kind][1](5)
    runner = network.bind(given)
    before = runner.run(inputs_of(kind))["y"]
    for array in given.values():
        array[...] = 0
    assert np.array_equal(runner.run(inputs_of(kind))["y"], before)


@EVERY
def test_an_empty_network_has_zeros(network, kind, tmp_path):
    zeros = {label: np.zeros_like(array) for label, array in NETWORKS[kind][1]().items()}
    wanted = independent(kind, zeros, tmp_path / "zeros")
    assert np.array_equal(
        network.bind_changed(zeroed).run(inputs_of(kind))["y"], wanted, equal_nan=True
    )


@pytest.mark.parametrize("kind", ["cnn"])
def test_a_closed_network_leaves_its_runners(network, kind):
    runner = network.bind()
    before = runner.run(inputs_of(kind))["y"]
    network.close()
    assert np.array_equal(runner.run(inputs_of(kind))["y"], before)


@pytest.mark.parametrize("kind", ["lstm"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: given.pop("lstm/offset"), "lstm/offset is missing"),
        (lambda given: given.update(more=m.floats(1)), "more is not a parameter"),
        (lambda given: given.update({"lstm/offset": m.floats(16)}), "has shape [16]"),
        (
            lambda given: given.update({"lstm/offset": np.full((1, 16), 2**24 + 1, np.int32)}),
            "is int32, the model holds float32",
        ),
    ],
    ids=["missing", "unknown", "shape", "type"],
)
def test_a_replacement_that_does_not_fit_is_refused(network, kind, change, said):
    given = NETWORKS[kind][1](5)
    change(given)
    with pytest.raises(ConformanceError) as caught:
        network.bind(given)
    assert said in caught.value.found


def written(tmp_path, body, tensors=None, **more):
    text = m.graph(body, {"x": (1, 20)}, ("y",), tensors or {})
    return m.opened(m.save(tmp_path, text, tensors or {}, **more))


@pytest.mark.parametrize(
    "body",
    [
        "\n".join(f"x{n + 1} = mul({f'x{n}' if n else 'x'}, {n}.5);" for n in range(120))
        + "\ny = copy(x120);",
        "\n".join(
            f"x{n + 1} = leaky_relu({f'x{n}' if n else 'x'}, alpha = 0.{n + 11});"
            for n in range(120)
        )
        + "\ny = copy(x120);",
    ],
    ids=["many-literals", "many-attributes"],
)
def test_numbers_that_a_replacement_cannot_reach_are_refused(tmp_path, body):
    with written(tmp_path, body) as network:
        network.bind().run({"x": m.floats(1, 20)})
        with pytest.raises(UnsupportedError, match="stores parameters where"):
            network.bind({})


def test_parameters_of_no_use_are_named(tmp_path):
    made = {"w": m.floats(1, 20), "idle": m.floats(1, 20), "lost": m.floats(1, 20)}
    with written(tmp_path, "y = mul(x, w);\nz = mul(x, idle);", made) as network:
        assert network.unused_parameters == ("idle", "lost")


def test_a_state_between_runs_is_refused(tmp_path):
    made = {"w": m.floats(1, 20)}
    with pytest.raises(UnsupportedError) as caught:
        written(tmp_path, "a = add(x, w);\ny = update(w, a);", made)
    assert "unroll" in caught.value.found
