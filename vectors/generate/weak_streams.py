"""The updates of ``digits-weak-chain``: what they hold, and the NNC streams of them.

The first update holds the convolutions, the second the dense layers, the third all parameters.
The streams are of the first edition, which has no node ids and names no parents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chain_streams import Encode, Step
from federated_rounds import load_rounds
from tensor_layouts import Tensors

STEM = "digits_weak_chain"
MODEL = "digits-small"
BASE = "nnc-base"
SETTINGS = {"profile": 0, "qp": -30, "nonweight_qp": -50, "use_dq": True}
WITHIN = 0.02
HALFWAY, LAST = 3, 5
"""The rounds of ``digits-federated`` that the first two updates and the third lead to."""


def weak_targets() -> Sequence[Tensors]:
    """Return what the parameters that each update changes become."""
    _, rounds = load_rounds()
    halfway, last = rounds[HALFWAY - 1].shared, rounds[LAST - 1].shared
    dense = {name: values for name, values in halfway.items() if name.startswith("fc")}
    convolutions = {name: values for name, values in halfway.items() if name not in dense}
    return convolutions, dense, last


def weak_steps() -> Iterator[Step]:
    """Yield what NNCodec is to make, in order."""
    base, _ = load_rounds()
    yield Encode(BASE, BASE, base, SETTINGS, WITHIN)
    parent = BASE
    for number, target in enumerate(weak_targets(), 1):
        sent = f"nnc-{number}"
        yield Encode(sent, sent, target, SETTINGS, WITHIN, parent=parent)
        parent = sent
