"""Which outputs are said to depend on parameters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from conformance.jobs.probing import reached_by_parameters
from conformance.verdicts import UnsupportedError

OUTPUTS = {"y": np.array([1.0, 2.0]), "same": np.array([3.0]), "empty": np.zeros((0, 2))}
SHARD: Any = SimpleNamespace(inputs={"x": np.ones(1)})


class Stub:
    """A network with parameters of zero: its outputs are ``OUTPUTS`` but for what is changed."""

    def __init__(self, **changed: np.ndarray) -> None:
        self.changed = changed
        self.runs = 0

    def bind_changed(self, change: Any) -> Any:
        assert change("w", np.ones(3)).tolist() == [0, 0, 0]
        return SimpleNamespace(run=self.run)

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        assert inputs is SHARD.inputs
        self.runs += 1
        return OUTPUTS | self.changed


class Unrunnable:
    def bind_changed(self, _: object) -> None:
        raise UnsupportedError("no", fix="none")


def reached(network: Any, outputs: dict[str, np.ndarray]) -> set[str]:
    return set(reached_by_parameters(network, SHARD, outputs, batched=False))


def test_outputs_that_zero_parameters_change_depend_on_them() -> None:
    assert reached(Stub(y=np.zeros(2)), OUTPUTS) == {"y"}
    assert reached(Stub(y=np.zeros(2)), {"same": OUTPUTS["same"]}) == set()


def test_without_outputs_to_ask_about_nothing_is_run() -> None:
    network = Stub()
    assert reached(network, {}) == set()
    assert network.runs == 0


def test_what_cannot_be_compared_with_an_empty_network_counts_as_dependent() -> None:
    assert reached(Unrunnable(), OUTPUTS) == set(OUTPUTS)
