"""Recipes of headers that NNCodec does not write, and of units in unusual forms and orders."""

from __future__ import annotations

from collections.abc import Iterator

from nnc_build import Coding, Member, StreamBuilder
from nnc_cases import FIRST, SECOND, Place
from nnc_own_cases import OwnRecipe
from nnc_own_parts import LEVELS, MORE, one_tensor


def header_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    yield from _outside()
    yield from _formats()
    yield from _node_ids()
    yield from _units()
    yield from _orders()


def _outside() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        none = {"input_parameters_present_flag": 0, "tensor_dimensions_flag": 0}
        yield OwnRecipe(
            Place(edition, "out-of-band", "no-input-parameters"),
            "input_parameters_present_flag is 0",
            [one_tensor(edition, header=none)],
            options={"dimensions": {"w": [12, 10]}},
            peer=True,
        )
    short = StreamBuilder().begin()
    flags = {"tensor_dimensions_flag": 0}
    short.add_tensor(Member("w", LEVELS, qp=-20), Coding(unary_length=3, scan_order=1), **flags)
    yield OwnRecipe(
        Place(SECOND, "out-of-band", "unary-length-in-stream"),
        "The dimensions are outside, the unary length is in the stream, and entry points are",
        [short],
        options={"dimensions": {"w": [12, 10]}},
        peer=True,
    )


def _formats() -> Iterator[OwnRecipe]:
    for number, name in enumerate(("int32", "float32", "int2", "int3", "int4", "int8")):
        formatted = {
            "nnr_decompressed_data_format_present_flag": 1,
            "nnr_decompressed_data_format": number,
        }
        yield OwnRecipe(
            Place(SECOND, "header", f"decompressed-format-{name}"),
            f"The header asks for {name}; levels decode as ever",
            [one_tensor(header=formatted)],
            peer=True,
        )


def _node_ids() -> Iterator[OwnRecipe]:
    yield OwnRecipe(
        Place(SECOND, "header", "without-node-id"),
        "node_id_present_flag and cabac_unary_length_flag are 0: no node id, ten flags",
        [one_tensor()],
        peer=True,
    )
    identified = {
        "node_id_present_flag": 1,
        "device_id": 1000,
        "parameter_id": 70000,
        "put_node_depth": 300,
    }
    yield OwnRecipe(
        Place(SECOND, "header", "large-node-id"),
        "Large numbers in the node id",
        [one_tensor(header=identified)],
        peer=True,
    )
    yield OwnRecipe(
        Place(SECOND, "header", "dimension-shift"),
        "first_tensor_dimension_shift is 1; it does not change decoding",
        [one_tensor(header={"first_tensor_dimension_shift": 1})],
        peer=True,
    )


def _units() -> Iterator[OwnRecipe]:
    long = StreamBuilder()
    long.add_parameter_set(nnr_unit_size_flag=1)
    long.add_unit("TPL", nnr_unit_size_flag=1)
    long.add_tensor(Member("w", LEVELS, qp=-20), nnr_unit_size_flag=1)
    title = "Small units with the long form of their size"
    yield OwnRecipe(Place(SECOND, "unit", "long-size"), title, [long], peer=True)
    for edition in (FIRST, SECOND):
        dependent = StreamBuilder(profile=int(edition == SECOND))
        dependent.add_parameter_set(independently_decodable_flag=0)
        dependent.add_tensor(Member("w", LEVELS, qp=-20), independently_decodable_flag=0)
        yield OwnRecipe(
            Place(edition, "unit", "not-independent"),
            "independently_decodable_flag is 0, and there is no topology unit",
            [dependent],
            peer=True,
        )


def _orders() -> Iterator[OwnRecipe]:
    several = StreamBuilder().begin()
    several.add_tensor(Member("a", LEVELS, qp=-20))
    several.add_unit("TPL", topology_storage_format=3, topology_data="a, b")
    several.add_tensor(Member("b", MORE, qp=-25))
    yield OwnRecipe(
        Place(SECOND, "unit", "topology-between"),
        "A second topology unit between two data units",
        [several],
        peer=True,
    )
    twice = StreamBuilder().begin()
    twice.add_tensor(Member("w", LEVELS, qp=-20))
    twice.add_tensor(Member("w", MORE, qp=-25))
    title = "Two data units of one name: the later holds"
    yield OwnRecipe(Place(SECOND, "unit", "name-twice"), title, [twice], peer=True)
    bare = StreamBuilder()
    bare.add_parameter_set()
    yield OwnRecipe(Place(SECOND, "unit", "no-data"), "No data unit: no tensors", [bare], peer=True)
    start = StreamBuilder()
    yield OwnRecipe(
        Place(SECOND, "unit", "start-alone"), "The start unit alone", [start], peer=True
    )
