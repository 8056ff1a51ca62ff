"""LSTM, GRU and RNN against the equations of their definitions, written in NumPy."""

import numpy as np
import pytest
from onnx import helper

from tests.runtimes import models

HIDDEN, WIDTH, STEPS, ITEMS = 5, 3, 7, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def lstm_step(x, state, w, r, b, **_):
    h, c = state
    i, o, f, g = np.split(x @ w.T + h @ r.T + b[: len(w)] + b[len(w) :], 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, state, w, r, b, linear_before_reset):
    (h,) = state
    wz, wr, wh = np.split(x @ w.T + b[: len(w)], 3, axis=-1)
    rz, rr, rh = np.split(r, 3)
    bz, br, bh = np.split(b[len(w) :], 3)
    z, reset = sigmoid(wz + h @ rz.T + bz), sigmoid(wr + h @ rr.T + br)
    if linear_before_reset:
        new = np.tanh(wh + reset * (h @ rh.T + bh))
    else:
        new = np.tanh(wh + (reset * h) @ rh.T + bh)
    return ((1 - z) * new + z * h,)


def rnn_step(x, state, w, r, b, **_):
    (h,) = state
    return (np.tanh(x @ w.T + h @ r.T + b[: len(w)] + b[len(w) :]),)


STEPS_OF = {"LSTM": lstm_step, "GRU": gru_step, "RNN": rnn_step}


def reference(op, x, tensors, direction, linear_before_reset=0):
    """Return Y: [steps, directions, items, hidden], in double precision."""
    reverses = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    outputs = []
    for index, reverse in enumerate(reverses):
        w, r, b = (tensors[name][index].astype(np.float64) for name in "WRB")
        state = (np.zeros((x.shape[1], HIDDEN)),) * (2 if op == "LSTM" else 1)
        found = []
        for item in x[::-1] if reverse else x:
            step = STEPS_OF[op]
            state = step(item, state, w, r, b, linear_before_reset=linear_before_reset)
            found.append(state[0])
        outputs.append(found[::-1] if reverse else found)
    return np.stack(outputs, axis=1)


def tensors_of(op, directions, seed):
    rows = GATES[op] * HIDDEN
    return {
        "W": models.floats(directions, rows, WIDTH, seed=seed),
        "R": models.floats(directions, rows, HIDDEN, seed=seed + 1) / 2,
        "B": models.floats(directions, 2 * rows, seed=seed + 2),
    }


def network_of(op, tensors, direction, **more):
    node = helper.make_node(
        op, ["x", "W", "R", "B"], ["y"], hidden_size=HIDDEN, direction=direction, **more
    )
    ports = [models.value("x", ["T", "N", WIDTH])], [models.value("y", ["T", None, "N", HIDDEN])]
    return models.model([node], *ports, tensors)


CASES = [
    *((op, direction, {}) for op in GATES for direction in ("forward", "reverse", "bidirectional")),
    ("GRU", "forward", {"linear_before_reset": 1}),
    ("GRU", "bidirectional", {"linear_before_reset": 1}),
]


@pytest.mark.parametrize(("op", "direction", "more"), CASES)
def test_outputs_are_those_of_the_equations(tmp_path, op, direction, more):
    directions = 2 if direction == "bidirectional" else 1
    own, new = tensors_of(op, directions, 1), tensors_of(op, directions, 10)
    x = models.floats(STEPS, ITEMS, WIDTH, seed=20)
    with models.opened(tmp_path, network_of(op, own, direction, **more)) as network:
        runners = network.bind(), network.bind(new), network.bind(dict(network.parameters))
    found = [runner.run({"x": x})["y"] for runner in runners]
    for y, tensors in zip(found, (own, new), strict=False):
        wanted = reference(op, x, tensors, direction, **more)
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("op", GATES)
def test_no_state_is_left_from_one_run_to_the_next(tmp_path, op):
    made = network_of(op, tensors_of(op, 1, 1), "forward")
    x, other = models.floats(STEPS, ITEMS, WIDTH), models.floats(STEPS, ITEMS, WIDTH, seed=7)
    with models.opened(tmp_path, made) as network:
        runner = network.bind()
    first = runner.run({"x": x})["y"]
    runner.run({"x": other})
    np.testing.assert_array_equal(runner.run({"x": x})["y"], first)


@pytest.mark.parametrize("op", GATES)
def test_a_stack_of_two_layers_is_replaced_layer_by_layer(tmp_path, op):
    layers = [tensors_of(op, 1, 1), tensors_of(op, 1, 30)]
    layers[1]["W"] = models.floats(1, GATES[op] * HIDDEN, HIDDEN, seed=40)
    nodes = []
    for i, before in enumerate(("x", "s0")):
        node = helper.make_node(
            op, [before, f"W{i}", f"R{i}", f"B{i}"], [f"y{i}"], hidden_size=HIDDEN
        )
        nodes += [node, helper.make_node("Squeeze", [f"y{i}", "axes"], [f"s{i}"])]
    tensors = {f"{name}{i}": a for i, layer in enumerate(layers) for name, a in layer.items()}
    ports = [models.value("x", ["T", "N", WIDTH])], [models.value("s1", ["T", "N", HIDDEN])]
    made = models.model(nodes, *ports, tensors | {"axes": np.array([1])})
    new = {name: array / 2 for name, array in tensors.items()}
    x = models.floats(STEPS, ITEMS, WIDTH)
    with models.opened(tmp_path, made) as network:
        found = network.bind(new).run({"x": x})["s1"]
    h = x
    for i in range(2):
        h = reference(op, h, {name: new[f"{name}{i}"] for name in "WRB"}, "forward")[:, 0]
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)
