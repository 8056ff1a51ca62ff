"""The tiny submission with samples that build upon others; what comes out is computed by NumPy."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.codecs.encoded import plain
from conformance.codecs.tensors_writer import write
from conformance.submission import Submission, load
from conformance.tensorfiles import network_digest, tensor_digest
from tests import tiny_submission

Parameters = dict[str, np.ndarray]


def difference(seed: int, scale: float = 1e-3) -> Parameters:
    """Return a small difference for every parameter."""
    random = np.random.default_rng([seed, 5])
    return {
        name: (scale * random.normal(size=array.shape)).astype(np.float32)
        for name, array in tiny_submission.weights().items()
    }


def added(before: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> Parameters:
    """Return the parameters after a difference, which need not hold all of them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: held + more[name] if name in more else held for name, held in before.items()}


def digest(parameters: Mapping[str, np.ndarray]) -> str:
    """Return what names these parameters as a parent."""
    return network_digest({name: tensor_digest(array) for name, array in parameters.items()})


class TinyChain:
    """Adds samples to the tiny submission in ``root``; ``states`` are what they should give."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.metadata = tiny_submission.write(root)
        self._pattern = copy.deepcopy(self.metadata["samples"][0])
        for sample in self.metadata["samples"]:
            (root / sample["files"][0]["rel_filepath"]).unlink()
        self.metadata["samples"] = []
        self.original = tiny_submission.weights()
        self.states: dict[str | None, Parameters] = {None: self.original}
        self._needed: dict[str | None, dict[str, int]] = {None: {}}

    def whole(self, id: str = "base") -> dict[str, Any]:
        """Add a whole network: the original, a little changed."""
        self.states[id] = added(self.original, difference(100))
        name = self.file(id, self.states[id], None)
        self._needed[id] = {id: self.size(name)}
        return self.sample(id, [name], ["float32", "format:safetensors"])

    def update(
        self,
        id: str,
        of: str | None = "base",
        *differences: Mapping[str, np.ndarray],
        named: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        """Add an update of tensor differences, one file for each; ``named`` is its parent."""
        state, names = self.states[of], []
        for number, each in enumerate(differences or [difference(len(self.states))]):
            parent = digest(state) if named else None
            names.append(self.file(f"{id}-{number}", each, parent))
            state = added(state, each)
        self.states[id] = state
        features = ["float32", "format:safetensors", *(["parent:sha256"] if named else [])]
        made = self.sample(id, names, features, **more)
        return self.derived(made, id, names, [of], {"sample": of} if of else {"model": "linear"})

    def stream(self, id: str, of: str | None, data: bytes, **more: Any) -> dict[str, Any]:
        """Add an NNC bitstream: a whole network if ``of`` is the sample itself, else an update."""
        (self.root / f"{id}.nnc").write_bytes(data)
        made = self.sample(id, [f"{id}.nnc"], [], codec={"id": "nnc", "params": {}}, **more)
        made["claims"]["tensor_digests"] = {}
        if of == id:
            self._needed[id] = {id: len(data)}
            return made
        parent = {"sample": of} if of else {"model": "linear"}
        return self.derived(made, id, [f"{id}.nnc"], [of], parent)

    def merge(self, id: str, **weights: float) -> dict[str, Any]:
        """Add a merge of branches by weight."""
        total = {name: np.zeros(array.shape) for name, array in self.original.items()}
        for branch, weight in weights.items():
            for name in total:
                total[name] += weight * self.states[branch][name].astype(np.float64)
        self.states[id] = {
            name: (array / sum(weights.values())).astype(np.float32)
            for name, array in total.items()
        }
        made = self.sample(id, [], [])
        del made["codec"], made["files"]
        made["merge_of"] = [{"sample": name, "weight": w} for name, w in weights.items()]
        self.derived(made, id, [], list(weights), None)
        return made

    def layered(self, id: str, *tensors: Mapping[str, np.ndarray], mode: str = "add") -> Any:
        """Add a scalable sample with a file for each layer; the first is a whole network."""
        names = [self.file(f"{id}-{place}", each, None) for place, each in enumerate(tensors)]
        state = dict(tensors[0])
        for each in tensors[1:]:
            state = added(state, each) if mode == "add" else {**state, **each}
        self.states[id] = state
        made = self.sample(id, names, ["float32", "format:safetensors"])
        made["layers"], total, held = [], 0, dict(tensors[0])
        for place, name in enumerate(names):
            total += self.size(name)
            more = tensors[place] if place else {}
            held = added(held, more) if mode == "add" else {**held, **more}
            claims = {"size": self.size(name), "cumulative_size": total}
            layer = {"id": f"l{place}", "files": [name], "claims": claims}
            layer["claims"]["metric_values"] = tiny_submission.metric_values(held)
            made["layers"].append(layer if place == 0 else {**layer, "mode": mode})
        return made

    def save(self) -> Path:
        """Write the metadata and return the folder."""
        tiny_submission.save(self.root, self.metadata)
        return self.root

    def submission(self) -> Submission:
        """Return the submission, which must be sound."""
        loaded = load(self.save())
        assert loaded.submission is not None, loaded.problems
        return loaded.submission

    def derived(
        self,
        made: dict[str, Any],
        id: str,
        names: Sequence[str],
        parents: Sequence[str | None],
        update_of: Any,
    ) -> dict[str, Any]:
        """Make the sample of these files build upon ``parents``, of which its size is claimed."""
        if update_of is not None:
            made["update_of"] = {**update_of, **made.pop("update_of", {})}
        contexts = (update_of or {}).get("contexts_of")
        needed = {id: sum(self.size(name) for name in names)}
        for each in [*parents, *([contexts] if contexts else [])]:
            needed |= self._needed[each]
        self._needed[id] = needed
        made["claims"]["cumulative_size"] = sum(needed.values())
        return made

    def file(self, name: str, arrays: Mapping[str, np.ndarray], parent: str | None) -> str:
        """Write tensors to a file that names its parent, and return the name of the file."""
        path = self.root / f"{name}.safetensors"
        write(path, {key: plain(array) for key, array in arrays.items()}, parent=parent)
        return path.name

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return (self.root / name).stat().st_size

    def sample(
        self, id: str, names: Sequence[str], features: Sequence[str], **more: Any
    ) -> dict[str, Any]:
        """Add a sample of these files, without a parent, and return its metadata."""
        state = self.states.get(id, {})
        made = copy.deepcopy(self._pattern)
        made.update(id=id, title=id, features=list(features))
        made["files"] = [tiny_submission.entry(self.root, name) for name in names]
        made["claims"] = {
            "compressed_size": sum(self.size(name) for name in names),
            "metric_values": tiny_submission.metric_values(state) if state else [],
            "tensor_digests": {name: tensor_digest(array) for name, array in state.items()},
        }
        made.update(more)
        self.metadata["samples"].append(made)
        return made
