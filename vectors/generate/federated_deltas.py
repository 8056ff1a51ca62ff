"""The shared networks of ``digits-federated`` as tensor deltas, from the original onwards.

Each file holds what the network of a round differs by from the one before as it was decoded, and
the digest of that one: an update that names its parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bundle import Sample
from chain_tensors import add, decode
from compression import CODING, IN_8_BITS, IN_HALF, ZSTANDARD, each_matrix, method, pack
from federated_rounds import FROZEN_ROUND, is_frozen, load_rounds
from federated_streams import MODEL
from tensor_layouts import Tensors

from conformance.codecs.encoded import plain
from conformance.tensorfiles import network_digest, tensor_digest

CONTAINERS = {"xz": ".xz", "zstd": ".zst"}
"""What the name of a file ends in, by container."""
DIRECT = "delta-final-direct"


def delta_samples() -> Iterator[Sample]:
    """Yield the deltas in order, and the network after the last one by itself."""
    base, rounds = load_rounds()
    state, parent = base, {"model": MODEL}
    for number, trained in enumerate(rounds, 1):
        sent = f"delta-{number}"
        container = ("xz", "zstd")[number % 2]
        difference = {
            name: trained.shared[name] - values
            for name, values in state.items()
            if not (number == FROZEN_ROUND and is_frozen(name))
        }
        encoded = each_matrix(difference, IN_8_BITS, IN_HALF)
        data, params = pack(encoded, container, parent=_digest(state))
        state = add(state, decode(*pack(encoded, container)))
        last = number == len(rounds)
        yield Sample(
            id=sent,
            title=f"Round {number}: how the shared network changed, in 8 bits",
            codec="tensors",
            files={f"{sent}.safetensors{CONTAINERS[container]}": data},
            params=params,
            method=_method(container),
            extra={"update_of": parent, **({"same_tensors_as": DIRECT} if last else {})},
        )
        parent = {"sample": sent}
    yield _direct(state)


def _digest(state: Tensors) -> str:
    return network_digest({name: tensor_digest(values) for name, values in state.items()})


def _method(container: str) -> dict[str, Any]:
    return method(
        "How the mean of the devices' networks differs from the one before, with its digest.",
        quantisation=(
            "int8 differences of weights, symmetric, one scale per output channel",
            "float16 for differences of all other parameters",
        ),
        coding=(CODING[container],),
        software=(ZSTANDARD,) if container == "zstd" else (),
        retraining=True,
    )


def _direct(state: Tensors) -> Sample:
    data, params = pack(each_matrix(state, plain))
    return Sample(
        id=DIRECT,
        title="The network after the last delta, all of it",
        codec="tensors",
        files={f"{DIRECT}.safetensors": data},
        params=params,
        method=method(
            "All parameters as the chain of deltas gives them, in float32.",
            retraining=True,
        ),
    )
