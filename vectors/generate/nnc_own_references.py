"""Recipes of topologies with lists of names, and of parents named in other ways than NNCodec's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from nnc_build import Coding, Member, StreamBuilder
from nnc_cases import FIRST, SECOND, Place
from nnc_own_cases import OwnRecipe
from nnc_own_parts import LEVELS, MORE, one_tensor

PARENT = {"parent_node_id_present_flag": 1}


def reference_recipes() -> Iterator[OwnRecipe]:
    """Yield the recipes."""
    yield from _topologies()
    yield from _name_lists()
    yield from _digests()
    yield from _parent_ids()


def _topologies() -> Iterator[OwnRecipe]:
    for number, name in ((1, "nnef"), (2, "onnx"), (3, "pyt"), (4, "tef")):
        builder = StreamBuilder()
        builder.add_parameter_set()
        builder.add_unit("TPL", topology_storage_format=number, topology_data=f"{name} data")
        builder.add_tensor(Member("w", LEVELS, qp=-20))
        place = Place(SECOND, "topology", name)
        title = f"Topology data of format {number}"
        yield OwnRecipe(place, title, [builder], peer=number > 2)  # noqa: PLR2004


def _name_lists() -> Iterator[OwnRecipe]:
    for edition in (FIRST, SECOND):
        listed = StreamBuilder(profile=int(edition == SECOND))
        listed.add_parameter_set(mps_topology_indexed_reference_flag=1)
        names = ("bias", "weight", "größe")
        listed.add_unit(
            "TPL",
            topology_storage_format=6,
            count_topology_elements_minus2=1,
            topology_elem_ids=names,
        )
        listed.add_tensor(Member("weight", LEVELS, qp=-20), topology_elem_id_index=1)
        listed.add_tensor(
            Member("größe", MORE, qp=-30), Coding(scan_order=1), topology_elem_id_index=2
        )
        yield OwnRecipe(
            Place(edition, "topology", "indexed-references"),
            "Data units name tensors by their place in a list",
            [listed],
        )
    block = StreamBuilder()
    block.add_parameter_set(mps_topology_indexed_reference_flag=1)
    block.add_unit(
        "TPL",
        topology_storage_format=6,
        count_topology_elements_minus2=0,
        topology_elem_ids=("b", "w"),
    )
    members = [Member("b", LEVELS[:, 0].copy(), qp=-30), Member("w", MORE, qp=-20)]
    indices = {"topology_elem_id_indices": (1, 0)}
    block.add_block(members, 8, (), MORE.shape, count_topology_elements_minus2=0, **indices)
    yield OwnRecipe(
        Place(SECOND, "topology", "indexed-block"), "A block names its tensors by index", [block]
    )


def _digests() -> Iterator[OwnRecipe]:
    first = one_tensor(mps_parent_signalling_enabled_flag=1)
    digests = {
        "sha256": (1, {"parent_node_payload_sha256": hashlib.sha256(first.getvalue()).hexdigest()}),
        "sha512": (2, {"parent_node_payload_sha512": hashlib.sha512(first.getvalue()).hexdigest()}),
    }
    for name, (kind, digest) in digests.items():
        header = {**PARENT, "parent_node_id_type": kind, **digest}
        second = one_tensor(header=header, mps_parent_signalling_enabled_flag=1)
        yield OwnRecipe(
            Place(SECOND, "parent", name),
            f"The parent is named by the {name.upper()} of its payload",
            [second],
            peer=True,
        )


def _parent_ids() -> Iterator[OwnRecipe]:
    named = {
        **PARENT,
        "parent_node_id_type": 0,
        "parent_device_id": 3,
        "parent_parameter_id": 40,
        "parent_put_node_depth": 2,
    }
    yield OwnRecipe(
        Place(SECOND, "parent", "node-id-without-own"),
        "The parent's whole node id, and no node id of the unit",
        [one_tensor(header=named, mps_parent_signalling_enabled_flag=1)],
        peer=True,
    )
    identified = {**named, "node_id_present_flag": 1, "device_id": 1, "parameter_id": 40}
    for field in ("parent_parameter_id", "parent_put_node_depth"):
        del identified[field]
    pre = {"mps_parent_signalling_enabled_flag": 1, "nnr_pre_flag": 1}
    yield OwnRecipe(
        Place(SECOND, "parent", "pre-flag"),
        "nnr_pre_flag is 1",
        [one_tensor(header=identified, **pre)],
        peer=True,
    )
    yield OwnRecipe(
        Place(SECOND, "parent", "reserved-bits"),
        "Reserved bits are 1; they do not change decoding",
        [one_tensor(mps_reserved_zero_bit=1, mps_reserved_zero_2bits=3)],
        note="A validator names them; NNCodec and this project's decoder ignore them.",
        peer=True,
    )
