"""A sample holds the whole network, in its shapes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.jobs.coverage import (
    coverage_of,
    port_coverage,
    survey_of,
)
from conformance.jobs.name_map import FittedTensors
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.roles import Inventory, StoredTensor, Use
from tests.runtimes import models

PARAMETERS = {"w": np.zeros((2, 3), np.float32), "b": np.zeros(3, np.float32)}
OTHERS = {
    "scale": np.array(0.5, np.float32),
    "shape": np.array([2, 3]),
    "mask": np.tril(np.ones((2, 2), bool)),
}


class Fixed(ParameterNetwork):
    """A network that cannot be run; ``w`` is tied to ``head.w``, and nothing reads ``idle``."""

    def __init__(self, held: dict[str, np.ndarray]) -> None:
        super().__init__("net.onnx")
        uses = frozenset({Use.VALUE})
        self.inventory = Inventory(
            [
                StoredTensor(n, n, a.dtype, a.shape, lambda a=a: a, uses, n != "idle")
                for n, a in held.items()
            ],
            file=self.file,
            aliases={"head.w": "w"},
        )

    def _compute_with(self, tensors):
        raise NotImplementedError


def problems(tensors: dict[str, np.ndarray], held: dict[str, np.ndarray] = PARAMETERS) -> list:
    network = Fixed(held)
    mapped = FittedTensors(tensors, (), "/samples/0/name_map", 1 << 20, network.aliases)
    return list(coverage_of(survey_of(mapped, network), network, "sample.npz"))


def test_whole_network_has_no_problem() -> None:
    assert problems(PARAMETERS) == []


def test_types_do_not_matter_for_coverage() -> None:
    assert problems({name: a.astype(np.float16) for name, a in PARAMETERS.items()}) == []


def test_a_type_that_the_parameter_cannot_hold_is_named() -> None:
    (problem,) = problems({**PARAMETERS, "b": np.full(3, 2**24 + 1, np.int32)})
    assert (problem.tensor, problem.file) == ("b", "sample.npz")
    assert "values that the type of the parameter does not hold" in problem.message
    assert problem.expected == "float32, or values that are exact in it"
    assert problem.found == "int32"
    assert "rounds" in problem.fix


def test_rounding_can_be_declared_for_half_precision() -> None:
    held = {"w": np.zeros((2, 3), np.float16)}
    (problem,) = problems({"w": np.full((2, 3), 0.1, np.float32)}, held)
    assert 'may declare "dtype": "float16" in its entry, next to codec' in problem.fix


def test_missing_parameter_says_what_is_there() -> None:
    (problem,) = problems({"w": PARAMETERS["w"]})
    assert problem.tensor == "b"
    assert problem.file == "sample.npz"
    assert "no tensor for the parameter 'b'" in problem.message
    assert problem.expected == "a tensor of shape [3]"
    assert problem.found == "tensors named w"
    assert "name_map" in problem.fix


def test_extra_tensor_says_what_is_allowed() -> None:
    (problem,) = problems({**PARAMETERS, "optimizer": np.zeros(4, np.int8)})
    assert problem.tensor == "optimizer"
    assert "not a parameter of the network" in problem.message
    assert problem.expected == "parameters named b, w"
    assert problem.found == "int8[4]"
    assert "remove the tensor" in problem.fix


def test_misspelt_name_is_missing_and_extra() -> None:
    found = problems({"w": PARAMETERS["w"], "bias": PARAMETERS["b"]})
    assert [problem.tensor for problem in found] == ["b", "bias"]


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((3, 2), "[3, 2] (it has as many values)"),
        ((6,), "[6] (it has as many values)"),
        ((2, 4), "[2, 4]"),
        ((), "[]"),
        ((0, 3), "[0, 3]"),
    ],
)
def test_other_shape_hints_at_the_layout(shape: tuple[int, ...], found: str) -> None:
    (problem,) = problems({**PARAMETERS, "w": np.zeros(shape, np.float32)})
    assert problem.tensor == "w"
    assert (problem.expected, problem.found) == ("[2, 3]", found)
    assert "layout" in problem.fix


@pytest.mark.parametrize("name", OTHERS)
def test_scalars_and_topology_may_be_there_or_not(name: str) -> None:
    held = {**PARAMETERS, **OTHERS}
    assert problems(PARAMETERS, held) == []
    assert problems({**PARAMETERS, name: OTHERS[name]}, held) == []


def test_what_no_output_depends_on_may_be_there_or_not() -> None:
    held = {**PARAMETERS, "idle": np.ones(4, np.float32)}
    assert problems(PARAMETERS, held) == []
    assert problems({**held, "idle": np.zeros(4, np.float32)}, held) == []


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_scalars_may_have_any_value_in_any_shape(shape: tuple[int, ...]) -> None:
    brought = {**PARAMETERS, "scale": np.full(shape, 0.25, np.float64)}
    assert problems(brought, {**PARAMETERS, **OTHERS}) == []


@pytest.mark.parametrize("name", ["shape", "mask"])
def test_topology_may_come_in_any_type_with_the_values_of_the_original(name: str) -> None:
    held = {**PARAMETERS, **OTHERS}
    same = OTHERS[name].astype(np.int32)
    assert problems({**PARAMETERS, name: same}, held) == []
    (problem,) = problems({**PARAMETERS, name: same + 1}, held)
    assert f"tensor {name!r} belongs to the topology" in problem.message
    assert "leave the tensor out" in problem.fix


@pytest.mark.parametrize("names", [["w"], ["head.w"], ["w", "head.w"]])
def test_tied_parameters_may_come_under_any_of_their_names(names: list[str]) -> None:
    assert problems({"b": PARAMETERS["b"], **dict.fromkeys(names, PARAMETERS["w"])}) == []


def test_tied_parameters_are_one() -> None:
    (problem,) = problems({**PARAMETERS, "head.w": PARAMETERS["w"] + 1})
    assert "'head.w' and 'w' are one parameter" in problem.message


def test_a_missing_parameter_is_named_with_its_aliases() -> None:
    (problem,) = problems({"b": PARAMETERS["b"]})
    assert problem.message.endswith("'w', which is also called head.w")


def test_empty_sample_lacks_everything() -> None:
    found = problems({})
    assert [problem.tensor for problem in found] == ["b", "w"]
    assert found[0].found == "tensors named (none)"


def test_long_lists_of_names_are_cut() -> None:
    many = {f"t{index:03d}": np.zeros(1, np.float32) for index in range(100)}
    missing = problems(many)[0]
    assert missing.found.startswith("tensors named t000, t001")
    assert missing.found.endswith("and 92 more")


def ports(tmp_path: Path, *, output=("N", 4), dtype: int = models.FLOAT, **names: str) -> list:
    x, y = names.get("input", "x"), names.get("output_name", "y")

    def network(folder: str, given: str, taken: str, shape, elem_type: int):
        node = models.helper.make_node("Relu", [given], [taken])
        inputs = [models.value(given, shape, elem_type)]
        made = models.model([node], inputs, [models.value(taken, shape, elem_type)])
        (tmp_path / folder).mkdir()
        return models.opened(tmp_path / folder, made)

    with (
        network("original", "x", "y", ("N", 4), models.FLOAT) as original,
        network("sample", x, y, output, dtype) as sample,
    ):
        sides = {
            "inputs": (sample.inputs, original.inputs),
            "outputs": (sample.outputs, original.outputs),
        }
        return list(port_coverage(sides, "sample.onnx"))


def test_same_ports_have_no_problem(tmp_path: Path) -> None:
    assert ports(tmp_path) == []


@pytest.mark.parametrize("dtype", [models.TensorProto.FLOAT16, models.TensorProto.DOUBLE])
def test_precision_of_floats_may_differ(tmp_path: Path, dtype: int) -> None:
    assert ports(tmp_path, dtype=dtype) == []


def test_integers_are_no_floats(tmp_path: Path) -> None:
    found = ports(tmp_path, dtype=models.TensorProto.INT32)
    assert [problem.tensor for problem in found] == ["x", "y"]
    assert (found[0].expected, found[0].found) == ("float[?, 4]", "int32[?, 4]")


def test_names_of_free_axes_may_differ(tmp_path: Path) -> None:
    assert ports(tmp_path, output=("batch", 4)) == []


@pytest.mark.parametrize("shape", [(1, 4), ("N", 5), ("N", 4, 1), ("N", None)])
def test_other_sizes_are_told(tmp_path: Path, shape: tuple) -> None:
    found = ports(tmp_path, output=shape)
    assert "another input 'x' than the original" in found[0].message
    assert "keep the inputs" in found[0].fix
    assert "another output 'y'" in found[1].message


def test_renamed_output_is_missing_and_extra(tmp_path: Path) -> None:
    found = ports(tmp_path, output_name="logits")
    assert [(p.tensor, p.expected, p.found) for p in found] == [
        ("logits", "none", "float[?, 4]"),
        ("y", "float[?, 4]", "none"),
    ]
