"""Encode networks that build on one another with NNCodec 2.1.3, in the interpreter that has it.

    /path/to/nncodec/bin/python vectors/generate/encode_chains.py FOLDER

``FOLDER/steps.json`` lists steps, each of which gives a network, its state, under its ``id``:

* A step with ``target`` encodes how the tensors of ``ID.npz``, or of the state that it names,
  differ from the state ``parent``, or without one the tensors themselves. Its state is the parent
  plus what NNCodec decodes, so that what quantisation leaves out is part of the next difference.
  Tensors that ``still`` names are encoded as unchanged.
* A step with ``merge`` encodes nothing: its state is a mean of states, with weights.
* A step with ``join`` encodes again what other steps encoded, as one stream; the tensors have the
  names that they had and a suffix for each step. It has no state.

Streams become ``ID.nnc``. Steps with the same ``peer`` share an encoder and a decoder, which keep
what they need to from stream to stream; ``settings`` are those of ``nnc_peer.DEFAULTS``.
``results.json`` has the SHA-256 of each tensor of each state. That NNCodec decodes what its encoder
means, and that a state is as near to its target as ``within`` says, is checked here.
NNCodec needs packages in versions that this project does not use, so this script imports nothing
of ours but ``nnc_peer``; ``chain_streams`` starts it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from nnc_peer import Peer


class Chains:
    """The states so far, what was encoded for them, and the encoders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: dict[str, dict[str, Any]] = {}
        self.coded: dict[str, dict[str, Any]] = {}
        self.peers: dict[str, Peer] = {}

    def run(self, step: dict[str, Any]) -> None:
        """Take one step."""
        own = step["id"]
        if "merge" in step:
            self.states[own] = self._merge(step["merge"])
        elif "join" in step:
            self._encode(step, self._join(step["join"]))
        else:
            target, parent = self._target(step), self.states.get(step["parent"])
            still = {name: parent[name] for name in step["still"]}
            difference = _difference(target | still, parent)
            self.coded[own] = difference
            decoded = self._encode(step, difference)
            self.states[own] = _updated(parent, decoded)
            _require_near(own, self.states[own], target | still, step["within"])

    def _target(self, step: dict[str, Any]) -> dict[str, Any]:
        if step["target"] in self.states:
            return self.states[step["target"]]
        with np.load(self.folder / f"{step['id']}.npz", allow_pickle=False) as archive:
            return dict(archive)

    def _merge(self, branches: list[list[Any]]) -> dict[str, Any]:
        total = sum(weight for _, weight in branches)
        return {
            name: (
                sum(weight * self.states[one][name].astype(np.float64) for one, weight in branches)
                / total
            ).astype(np.float32)
            for name in self.states[branches[0][0]]
        }

    def _join(self, suffixes: dict[str, str]) -> dict[str, Any]:
        return {
            name + suffix: values
            for one, suffix in suffixes.items()
            for name, values in self.coded[one].items()
        }

    def _encode(self, step: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        """Write the stream of ``tensors`` and return what NNCodec decodes from it."""
        if step["peer"] not in self.peers:
            self.peers[step["peer"]] = Peer(step["settings"])
        peer = self.peers[step["peer"]]
        encoded = peer.encode(tensors)
        (self.folder / f"{step['id']}.nnc").write_bytes(encoded.stream)
        decoded = peer.decode(encoded)
        for name, values in encoded.meant.items():
            kept = decoded.get(name, np.zeros_like(values))
            if not np.array_equal(kept, values):
                raise ValueError(f"{step['id']}: NNCodec decodes another {name} than it means")
        return decoded


def _difference(target: dict[str, Any], parent: dict[str, Any] | None) -> dict[str, Any]:
    if parent is None:
        return target
    return {name: values - parent[name] for name, values in target.items()}


def _updated(parent: dict[str, Any] | None, decoded: dict[str, Any]) -> dict[str, Any]:
    """Return a new state; a tensor that the stream does not hold stays what it is."""
    if parent is None:
        return decoded
    return {
        name: values + decoded[name] if name in decoded else values
        for name, values in parent.items()
    }


def _require_near(id: str, state: dict[str, Any], target: dict[str, Any], within: float) -> None:
    for name, values in target.items():
        distance = float(np.abs(state[name] - values).max())
        if not distance <= within:
            raise ValueError(f"{id}: {name} is {distance} from what it should be")


def _digests(state: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each tensor as the submission format defines it."""
    digests = {}
    for name, values in sorted(state.items()):
        line = f"{values.dtype.name}:{'x'.join(map(str, values.shape))}\n"
        digests[name] = hashlib.sha256(line.encode() + values.tobytes()).hexdigest()
    return digests


def main(folder: Path) -> None:
    """Take the steps of ``folder``."""
    chains = Chains(folder)
    for step in json.loads((folder / "steps.json").read_text("utf-8")):
        chains.run(step)
    results = {one: _digests(state) for one, state in chains.states.items()}
    (folder / "results.json").write_text(json.dumps(results), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
