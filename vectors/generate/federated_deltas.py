"""The shared networks of ``digits-federated`` as tensor deltas, from the original onwards.

Each file holds what the network of a round differs by from the one before as it was decoded, and
the digest of that one: an update that names its parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chain_bundle import ChainSample
from chain_tensors import CODING, CONTAINERS, Arrays, add, decode, pack
from federated_rounds import FROZEN_ROUND, is_frozen, load_rounds
from federated_streams import MODEL, SCRIPTS
from samples import method
from tensor_samples import ZSTANDARD

from conformance.codecs.encoded import Encoded, affine, cast, plain
from conformance.tensorfiles import network_digest, tensor_digest

DIRECT = "delta-final-direct"


def delta_samples() -> Iterator[ChainSample]:
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
        encoded = _encoded(difference)
        data, params = pack(encoded, container, parent=_digest(state))
        state = add(state, decode(*pack(encoded, container)))
        last = number == len(rounds)
        yield ChainSample(
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


def _digest(state: Arrays) -> str:
    return network_digest({name: tensor_digest(values) for name, values in state.items()})


def _encoded(difference: Arrays) -> dict[str, Encoded]:
    return {
        name: affine(values, bits=8, axis=0) if values.ndim > 1 else cast(values, "float16")
        for name, values in difference.items()
    }


def _method(container: str) -> dict[str, Any]:
    return method(
        "How the mean of the devices' networks differs from the one before, with its digest.",
        quantisation=(
            "int8 differences of weights, symmetric, one scale per output channel",
            "float16 for differences of all other parameters",
        ),
        coding=(CODING[container],),
        software=(ZSTANDARD,) if container == "zstd" else (),
        scripts=SCRIPTS,
        retraining=True,
    )


def _direct(state: Arrays) -> ChainSample:
    data, params = pack({name: plain(values) for name, values in state.items()}, "none")
    return ChainSample(
        id=DIRECT,
        title="The network after the last delta, all of it",
        codec="tensors",
        files={f"{DIRECT}.safetensors": data},
        params=params,
        method=method(
            "All parameters as the chain of deltas gives them, in float32.",
            scripts=SCRIPTS,
            retraining=True,
        ),
    )
