"""The bundled submissions with updates and layers: metadata, and NNC streams decoded."""

import json
from functools import cache
from pathlib import Path

from conformance.nnc import decode
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState

ROOT = Path(__file__).parents[2]
SUBMISSIONS = ROOT / "vectors" / "submissions"
GENERATE = ROOT / "vectors" / "generate"
IDS = ("digits-federated", "digits-scalable", "digits-weak-chain")


@cache
def document(id):
    return json.loads((SUBMISSIONS / id / "submission.json").read_text("utf-8"))


def samples(id):
    return {sample["id"]: sample for sample in document(id)["samples"]}


def values(entry):
    claimed = entry.get("metric_values") or entry["claims"]["metric_values"]
    return {value["metric"]: value["value"] for value in claimed}


def streams_of(id):
    return GENERATE / f"{id.replace('-', '_')}_streams"


def decoded_by_nncodec(id):
    return json.loads((streams_of(id) / "decoded.json").read_text("utf-8"))


def data_units(path):
    return [u.values for u in parse_stream(path.read_bytes()).units if "dq_flag" in u.values]


def add(state, difference):
    if state is None:
        return difference
    return {n: v + difference[n] if n in difference else v for n, v in state.items()}


class Chain:
    """Decodes streams upon one another, by this project's decoder and nothing else of it."""

    def __init__(self, id):
        self.folder = streams_of(id)
        self.networks, self.states = {}, {}

    def decode(self, name, parent=None, contexts=None):
        state = DecoderState()
        if contexts is not None:
            state.take(self.states[contexts].draft())
        difference = decode(self.folder / f"{name}.nnc", state=state)
        self.states[name] = state
        self.networks[name] = add(self.networks.get(parent), difference)
        return difference
