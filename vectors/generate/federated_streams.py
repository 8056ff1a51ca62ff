"""The NNC streams of ``digits-federated``: a base, the server's chain, and the devices' updates.

The node of a tensor is (device, index of the tensor, depth). The server is device 0 and the base
has depth 0; a stream of round r leads from the server's node of depth r - 1 to a node of depth r.
The server's streams and those of each device are coded with regard to the one before of the same
sender. What quantisation left out of a stream is part of the sender's next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chain_streams import Encode, Merge, Step
from federated_rounds import FROZEN_ROUND, is_frozen, load_rounds, scan_counts

STEM = "digits_federated"
MODEL = "digits-small"
BASE = "nnc-base"
SERVER = "server"
DEVICE_IDS = {"a": 1, "b": 2, "c": 3}
WHOLE: dict[str, Any] = {"qp": -34, "nonweight_qp": -62, "use_dq": True}
UPDATE: dict[str, Any] = {
    "qp": -28,
    "nonweight_qp": -50,
    "use_dq": True,
    "row_skipping": True,
    "update_chain": True,
    "temporal_contexts": True,
    "history": True,
}
WITHIN = 0.02


def federated_steps() -> Iterator[Step]:
    """Yield what NNCodec is to make, in order."""
    base, rounds = load_rounds()
    shared = BASE
    yield Encode(shared, shared, base, WHOLE, WITHIN)
    for number, trained in enumerate(rounds, 1):
        branches = []
        for device, network in trained.devices.items():
            sent = f"nnc-{device}-{number}"
            settings = {**UPDATE, "device_id": DEVICE_IDS[device]}
            still = [name for name in network if number == FROZEN_ROUND and is_frozen(name)]
            yield Encode(sent, device, network, settings, WITHIN, parent=shared, still=still)
            branches.append((sent, scan_counts()[device]))
        merged = f"nnc-merged-{number}"
        yield Merge(merged, branches)
        parent, shared = shared, f"nnc-global-{number}"
        yield Encode(shared, SERVER, merged, UPDATE, WITHIN, parent=parent)
