"""The samples of ``digits-weak-chain``: updates that do not say what they are updates of."""

from __future__ import annotations

from collections.abc import Iterator

from bundle import Sample
from chain_streams import read_stream
from chain_tensors import add, decode
from compression import IN_8_BITS, IN_HALF, by_nncodec, each_matrix, method, pack
from federated_rounds import load_rounds
from weak_streams import BASE, MODEL, STEM, weak_targets

HOLDS = ("the convolutions", "the dense layers", "all parameters")
"""What each update holds."""


def weak_samples() -> list[Sample]:
    """Return the samples: every one after those that it builds on."""
    return [*_deltas(), _base(), *_streams()]


def _deltas() -> Iterator[Sample]:
    state, _ = load_rounds()
    parent = {"model": MODEL}
    for number, (target, holds) in enumerate(zip(weak_targets(), HOLDS, strict=True), 1):
        sent = f"delta-{number}"
        difference = {name: values - state[name] for name, values in target.items()}
        data, params = pack(each_matrix(difference, IN_8_BITS, IN_HALF))
        state = add(state, decode(data, params))
        yield Sample(
            id=sent,
            title=f"Differences of {holds} as tensors, without a word about the parent",
            codec="tensors",
            files={f"{sent}.safetensors": data},
            params=params,
            method=method(
                f"How training changed {holds}, rounded.",
                quantisation=(
                    "int8 differences of weights, symmetric, one scale per output channel",
                    "float16 for differences of all other parameters",
                ),
                retraining=True,
            ),
            extra={"update_of": parent},
        )
        parent = {"sample": sent}


def _base() -> Sample:
    return Sample(
        id=BASE,
        title="The base network as NNC of the first edition",
        codec="nnc",
        files={f"{BASE}.nnc": read_stream(STEM, BASE)},
        method=_coded("All parameters of the base network coded by NNCodec.", retraining=False),
    )


def _streams() -> Iterator[Sample]:
    parent = BASE
    for number, holds in enumerate(HOLDS, 1):
        sent = f"nnc-{number}"
        yield Sample(
            id=sent,
            title=f"Differences of {holds} as NNC, which the first edition cannot tell from values",
            codec="nnc",
            files={f"{sent}.nnc": read_stream(STEM, sent)},
            method=_coded(f"How training changed {holds}, coded like a network.", retraining=True),
            extra={"update_of": {"sample": parent}},
        )
        parent = sent


def _coded(summary: str, *, retraining: bool) -> dict[str, object]:
    return by_nncodec(
        summary,
        "dependent quantisation with 8 states, step 6/1024 for weights",
        "the same with step 6/32768 for tensors of one dimension",
        retraining=retraining,
    )
