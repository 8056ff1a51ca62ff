"""What of a SavedModel or .keras file a sample must bring, wherever TensorFlow stores it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from conformance.runtimes.roles import Role
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes.tensorflow import nets

keras, tf = nets.keras, nets.tf
RNG = np.random.default_rng(11)
IMAGE = tf.TensorSpec((None, *nets.IMAGE), tf.float32, name="image")


class Frozen(nets.Cnn):
    """The same network, its variables as constants of the graph."""

    def __init__(self, seed):
        super().__init__(seed)
        names = ("kernel", "bias", "mean", "variance", "dense")
        self.values = {name: getattr(self, name).numpy() for name in names}
        for name in names:
            delattr(self, name)

    @tf.function(input_signature=[IMAGE], autograph=False)
    def serve(self, image):
        held = {name: tf.constant(array, name=name) for name, array in self.values.items()}
        hidden = tf.nn.conv2d(image, held["kernel"], 1, "SAME") + held["bias"]
        hidden = tf.nn.relu((hidden - held["mean"]) / tf.sqrt(held["variance"] + 1e-3))
        return {"logits": tf.matmul(tf.reshape(hidden, [-1, 144]), held["dense"])}


class Computing(tf.Module):
    """A dense layer of 200 x 10, and what ``more`` computes from its result."""

    def __init__(self, more, **tensors):
        super().__init__("net")
        self.dense = tf.Variable(RNG.normal(size=(200, 10)).astype(np.float32), name="dense")
        for name, value in tensors.items():
            setattr(self, name, tf.Variable(value, name=name, trainable=False))
        spec = tf.TensorSpec((None, 200), tf.float32, name="x")
        self.serve = tf.function(
            lambda x: {"made": more(self, tf.matmul(x, self.dense))},
            input_signature=[spec],
            autograph=False,
        )


def computing(folder, more, **tensors):
    return nets.opened(nets.save(folder, Computing(more, **tensors)))


def kinds(network):
    """How many tensors there are of each role, type and shape; empty ones and sizes left out."""
    inventory = network.inventory
    return Counter(
        (role, inventory.stored(name).dtype.name, inventory.stored(name).shape)
        for name, role in inventory.roles.items()
        if role is not Role.TOPOLOGY
    )


def short_name(name):
    return name.rpartition("/")[2]


def test_variables_and_constants_are_the_same_parameters(saved, tmp_path):
    frozen = nets.save(tmp_path / "frozen", Frozen(1))
    with nets.opened(saved["savedmodel-cnn-1"]) as one, nets.opened(frozen) as two:
        assert kinds(one) == kinds(two)
        assert one.counts.parameters == two.counts.parameters
        two.check_replaceable()
        named = {short_name(name): name for name in two.parameters}
        assert set(named) == {name.removeprefix("net/") for name in one.parameters}
        value = nets.feed(one)
        assert np.array_equal(nets.run(one, value), nets.run(two, value))
        other = {n: np.float32(0.5) * a + np.float32(0.1) for n, a in nets.copies(one).items()}
        moved = {named[name.removeprefix("net/")]: array for name, array in other.items()}
        found = nets.run(two, value, moved)
        assert np.array_equal(found, nets.run(one, value, other))
        assert not np.array_equal(found, nets.run(two, value))


def test_a_constant_is_replaced_wherever_its_function_is_called(tmp_path):
    kernel = RNG.normal(size=(10, 10)).astype(np.float32)

    @tf.function(autograph=False)
    def mixed(x):
        return tf.matmul(x, tf.constant(kernel, name="kernel"))

    with computing(tmp_path, lambda _, x: mixed(tf.nn.relu(mixed(x)))) as network:
        (name,) = [n for n, a in network.parameters.items() if a.shape == (10, 10)]
        assert name.endswith("/kernel")
        value, tensors = nets.feed(network), nets.copies(network)
        tensors[name] = np.eye(10, dtype=np.float32)
        expected = np.maximum(value @ tensors["dense"], 0)
        assert np.allclose(nets.run(network, value, tensors), expected, atol=1e-4)


def test_one_value_that_stands_for_many_is_replaced_by_many(tmp_path):
    with computing(
        tmp_path, lambda _, x: x + tf.constant(2.0, shape=(10,), name="bias")
    ) as network:
        name = next(n for n in network.parameters if n != "dense")
        value, tensors = nets.feed(network), nets.copies(network)
        tensors[name] = np.arange(10, dtype=np.float32)
        made = nets.run(network, value, tensors)
        assert np.allclose(made, value @ tensors["dense"] + np.arange(10), atol=1e-4)


def test_roles_follow_from_how_operators_read(tmp_path):
    """Through functions, branches and loops, and whether stored in variables or constants."""
    stored = {
        "mask": np.triu(np.full((10, 10), -np.inf, np.float32), 1),
        "ids": np.arange(10, dtype=np.int64)[np.newaxis],
        "size": np.float32([-1, 10]),
        "epsilon": np.float32(1e-5),
        "scale": RNG.normal(size=10).astype(np.float32),
        "table": RNG.integers(-9, 9, (7, 10)).astype(np.int8),
        "picked": RNG.integers(-9, 9, (7, 10)).astype(np.int32),
        "narrow": RNG.integers(-9, 9, (1, 10)).astype(np.int8),
    }

    def more(net, x, held):
        rows = tf.gather(held["table"], tf.cast(tf.abs(x[:, 0]), tf.int32) % 7)
        x += tf.cast(tf.cast(rows, tf.int32), tf.float32)
        x += tf.cast(tf.gather(held["picked"], [0]), tf.float32)
        x += tf.cast(held["narrow"], tf.float32) + tf.cast(held["ids"], tf.float32)
        x = tf.while_loop(
            lambda i, v, s: i < 3, lambda i, v, s: (i + 1, v * s, s), (0, x, held["scale"])
        )[1]
        masked = tf.nn.softmax(x[:, tf.newaxis] + tf.nn.relu(-held["mask"]))
        x += tf.cond(tf.reduce_sum(x) > 0, lambda: masked[:, 0], lambda: masked[:, 1])
        x += held["epsilon"]
        return tf.raw_ops.Reshape(tensor=x, shape=tf.cast(held["size"], tf.int32))

    parameters = {"dense", "scale", "table", "narrow"}
    for place in ("variables", "constants"):
        frozen = place == "constants"

        def held_in(net, x, frozen=frozen):
            held = {
                name: tf.constant(array, name=name) if frozen else getattr(net, name)
                for name, array in stored.items()
            }
            return more(net, x, held)

        with computing(tmp_path / place, held_in, **({} if frozen else stored)) as network:
            roles = {short_name(name): role for name, role in network.inventory.roles.items()}
            assert {name for name in roles if roles[name] is Role.PARAMETER} == parameters
            assert roles["epsilon"] is Role.SCALAR
            assert {roles[n] for n in ("mask", "ids", "size", "picked")} == {Role.TOPOLOGY}
            network.bind(nets.copies(network))


HIDDEN = {
    "integers": RNG.integers(-(2**30), 2**30, (50, 10)).astype(np.int32),
    "truth values": RNG.integers(0, 2, (300, 100)).astype(bool),
    "mask": np.where(RNG.random((300, 100)) < 0.5, 0, -1e9).astype(np.float32),
}


@pytest.mark.parametrize("place", ["variable", "constant"])
@pytest.mark.parametrize("kind", HIDDEN)
def test_weights_that_a_sample_does_not_replace_are_refused(tmp_path, kind, place):
    hidden = HIDDEN[kind]

    def more(net, x):
        held = net.held if place == "variable" else tf.constant(hidden, name="held")
        real = tf.cast(held, tf.float32) if hidden.dtype != np.float32 else held
        return x + tf.reduce_sum(tf.reshape(real, [-1, 10]), 0)

    tensors = {"held": hidden} if place == "variable" else {}
    with (
        computing(tmp_path, more, **tensors) as network,
        pytest.raises(UnsupportedError) as caught,
    ):
        network.bind(nets.copies(network))
    assert "stores parameters where a sample's cannot take their place" in str(caught.value)
    assert "held" in caught.value.found


def test_many_single_numbers_are_refused(tmp_path):
    numbers = RNG.normal(size=600).astype(np.float32)

    def more(_, x):
        return x + tf.stack([tf.add_n([tf.constant(n) for n in numbers[i::10]]) for i in range(10)])

    with computing(tmp_path, more) as network, pytest.raises(UnsupportedError):
        network.check_replaceable()


@pytest.mark.parametrize("number", [600, 1])
def test_many_single_numbers_in_attributes_are_refused(tmp_path, number):
    """Layers that share one count once."""
    slopes = RNG.uniform(0.5, 2, number).tolist() * (600 // number)

    def more(_, x):
        for slope in slopes:
            x = tf.nn.leaky_relu(x, slope)
        return x

    with computing(tmp_path, more) as network:
        if number == 1:
            network.check_replaceable()
            return
        with pytest.raises(UnsupportedError) as caught:
            network.check_replaceable()
        assert "(LeakyRelu)" in caught.value.found


def trained(model):
    model.compile("adam", "mse")
    items = np.zeros((4, *model.inputs[0].shape[1:]), np.float32)
    model.fit(items, np.asarray(model(items)), verbose=0)
    return model


def exported(model, folder):
    model.export(folder, verbose=False)


def saved_by_tensorflow(model, folder):
    tf.saved_model.save(model, str(folder))


def test_a_signature_is_saved_alone_as_the_message_says(tmp_path):
    model = tf.Module()
    model.kernel = tf.Variable(np.ones((4, 4), np.float32), name="kernel")
    model.spare = tf.Variable(np.ones(64, np.float32), name="spare")
    spec = tf.TensorSpec((None, 4), tf.float32, name="x")
    model.serve = tf.function(lambda x: {"y": x @ model.kernel}, [spec], autograph=False)
    tf.saved_model.save(model, str(tmp_path / "one"), signatures={"serving_default": model.serve})
    with nets.opened(tmp_path / "one" / "saved_model.pb") as network:
        assert network.unused_parameters == ("spare",)
        fix = network.unused_fix
    call = fix[fix.index("loaded =") :]
    for name, folder in (("model", "one"), ("folder", "two")):
        call = call.replace(f'"{name}"', repr(str(tmp_path / folder)))
    exec(call, {"tf": tf})
    with nets.opened(tmp_path / "two" / "saved_model.pb") as network:
        assert (network.unused_parameters, set(network.parameters)) == ((), {"kernel"})


@pytest.mark.parametrize(
    ("store", "unused"), [(exported, "_all_variables/"), (saved_by_tensorflow, "optimizer/")]
)
def test_what_no_output_needs_is_not_demanded_and_the_call_without_it_is_named(
    tmp_path, store, unused
):
    model = trained(nets.keras_cnn(1))
    store(model, tmp_path / "one")
    with nets.opened(tmp_path / "one" / "saved_model.pb") as network:
        assert all(name.startswith(unused) for name in network.unused_parameters)
        assert network.unused_parameters
        used = set(network.parameters) - set(network.unused_parameters)
        brought = {name: np.array(network.parameters[name]) for name in used}
        value = nets.feed(network)
        assert np.array_equal(nets.run(network, value, brought), nets.run(network, value))
        with pytest.raises(ConformanceError, match="is missing"):
            network.bind(dict(list(brought.items())[1:]))
        fix = network.unused_fix
    # What the message says is done to the letter.
    call = fix[fix.index("plain =") :].replace('"folder"', repr(str(tmp_path / "two")))
    exec(call, {"model": model, "tf": tf})
    with nets.opened(tmp_path / "two" / "saved_model.pb") as network:
        assert network.unused_parameters == ()
        assert len(network.parameters) == 8
        assert np.array_equal(nets.run(network, value), np.asarray(model(value, training=False)))


def test_a_keras_file_without_its_optimiser_is_saved_as_the_message_says(tmp_path):
    model = trained(nets.keras_cnn(1))
    with nets.opened(nets.save_keras(tmp_path, model)) as network:
        assert all(name.startswith("optimizer/vars/") for name in network.unused_parameters)
        assert network.unused_parameters
        fix = network.unused_fix
        used = {n: a for n, a in nets.copies(network).items() if n not in network.unused_parameters}
        network.bind(used)
    call = fix[fix.index("model.optimizer") :].replace('"net.keras"', 'folder / "model.keras"')
    exec(call, {"model": model, "folder": tmp_path})
    with nets.opened(tmp_path / "model.keras") as network:
        assert (network.unused_parameters, network.unused_fix) == ((), "")
        assert set(network.parameters) == set(used)


class Tied(tf.Module):
    """An embedding that is its output layer too, and two layers that share a kernel."""

    def __init__(self):
        super().__init__()
        self.embedding = tf.Variable(RNG.normal(size=(9, 4)).astype(np.float32), name="embedding")
        self.output = self.embedding
        self.one, self.two, self.three = tf.Module(), tf.Module(), tf.Module()
        self.one.kernel = tf.Variable(RNG.normal(size=(4, 4)).astype(np.float32))
        self.two.kernel = self.one.kernel
        self.three.kernel = tf.Variable(RNG.normal(size=(4, 4)).astype(np.float32))
        spec = tf.TensorSpec((None, 3), tf.int32, name="words")
        self.serve = tf.function(self.call, input_signature=[spec], autograph=False)

    def call(self, words):
        hidden = tf.gather(self.embedding, words)
        for layer in (self.one, self.two, self.three):
            hidden = tf.tanh(tf.tensordot(hidden, layer.kernel, 1))
        return {"logits": tf.tensordot(hidden, tf.transpose(self.output), 1)}


def test_tied_weights_have_either_name_or_both(tmp_path):
    words = np.int32([[1, 2, 3]])
    with nets.opened(nets.save(tmp_path, Tied())) as network:
        aliases = dict(network.aliases)
        (kernel,) = {first for first in aliases.values() if "kernel" in first}
        assert aliases.pop("output") == "embedding"
        assert {kernel, *aliases} == {"one/kernel", "two/kernel"}
        (alias,) = aliases
        assert set(network.parameters) == {"embedding", kernel, "three/kernel"}
        own = {name: array * 2 for name, array in nets.copies(network).items()}
        expected = nets.run(network, words, own)
        renamed = {
            "output": own["embedding"],
            alias: own[kernel],
            "three/kernel": own["three/kernel"],
        }
        assert np.array_equal(nets.run(network, words, renamed), expected)
        assert np.array_equal(nets.run(network, words, {**own, **renamed}), expected)
        with pytest.raises(ConformanceError, match="are one parameter"):
            network.bind({**own, "output": own["embedding"] + 1})


def test_a_layer_of_keras_that_is_used_twice_is_one_parameter(tmp_path):
    rows = keras.Input((4,), name="rows")
    twice = keras.layers.Dense(4, name="twice")
    model = keras.Model(rows, keras.layers.Dense(2, name="made")(twice(twice(rows))))
    value = RNG.normal(size=(3, 4)).astype(np.float32)
    path = nets.save_keras(tmp_path / "keras", model)
    saved_by_tensorflow(model, tmp_path / "saved")
    for file in (path, tmp_path / "saved" / "saved_model.pb"):
        with nets.opened(file) as network:
            assert set(network.parameters) == {v.path for v in model.variables}
            assert network.unused_parameters == ()
            assert np.allclose(nets.run(network, value), np.asarray(model(value)), atol=1e-6)


def test_numbers_of_a_keras_configuration_are_counted(tmp_path):
    """No sample can name them: many are refused, a few may stay."""
    for size, is_refused in ((3, False), (300, True)):
        scale = RNG.uniform(0.5, 2, size).tolist()
        layers = [keras.Input((size,)), keras.layers.Rescaling(scale), keras.layers.Dense(2)]
        path = nets.save_keras(tmp_path / str(size), keras.Sequential(layers))
        with nets.opened(path) as network:
            assert len(network.parameters) == 2
            if is_refused:
                with pytest.raises(UnsupportedError):
                    network.check_replaceable()
            else:
                network.check_replaceable()
