"""Two updates of ``digits-federated`` whose units name their parents by hashes.

NNCodec cannot write hashes, so that the encoder of this project makes these streams. They lead from
``nnc-base`` to the shared networks of the first two rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from bundle import Sample
from chain_streams import read_stream
from chain_tensors import add
from compression import DEEP_CABAC, method
from federated_rounds import load_rounds
from federated_streams import BASE, STEM
from tensor_layouts import Tensors

from conformance.nnc import decode
from conformance.nnc.encoder import (
    EncoderSettings,
    LevelSettings,
    Quantization,
    UpdateSettings,
    encode,
)
from conformance.nnc.parser import parse_stream
from conformance.nnc.tree import Node, nodes_of

Hash = Literal["sha256", "sha512"]

HASHES: tuple[Hash, ...] = ("sha256", "sha512")
"""How the units of each update name their parents."""
QP, VECTOR_QP = -28, -50


def hashed_samples() -> Iterator[Sample]:
    """Yield the updates in order."""
    base = read_stream(STEM, BASE)
    network: Tensors = dict(decode(base))
    nodes = nodes_of(parse_stream(base))
    parent = BASE
    for number, (kind, trained) in enumerate(zip(HASHES, load_rounds()[1], strict=False), 1):
        difference = {
            name: np.ascontiguousarray(trained.shared[name] - values)
            for name, values in network.items()
        }
        data = encode(difference, _settings(kind, difference, nodes))
        network = add(network, dict(decode(data)))
        nodes |= nodes_of(parse_stream(data))
        sent = f"nnc-hashed-{number}"
        yield Sample(
            id=sent,
            title=f"Round {number} once more: units that name their parents by {_named(kind)}",
            codec="nnc",
            files={f"{sent}.nnc": data},
            method=_method(kind),
            extra={"update_of": {"sample": parent}},
        )
        parent = sent


def _settings(kind: Hash, difference: Tensors, nodes: Mapping[str, Node]) -> EncoderSettings:
    vectors = {name: VECTOR_QP for name, values in difference.items() if values.ndim == 1}
    digests = {name: getattr(node, kind) for name, (node,) in nodes.items()}
    # Without node ids: those of device 0 and these depths are nodes of the server's chain.
    return EncoderSettings(
        quantization=Quantization(qp=QP, qps=vectors, dependent=True),
        levels=LevelSettings(row_skip=True),
        update=UpdateSettings(parent_id=kind, parent_digests=digests),
        node_ids=False,
    )


def _method(kind: Hash) -> dict[str, Any]:
    return method(
        f"How the shared network changed, as NNC differences; the {_named(kind)} of its parent's "
        "payload in each unit.",
        quantisation=(
            "dependent quantisation with 8 states, step 4/512 for weights",
            "the same with step 6/32768 for tensors of one dimension",
        ),
        coding=DEEP_CABAC,
        retraining=True,
    )


def _named(kind: Hash) -> str:
    return kind.upper().replace("SHA", "SHA-")
