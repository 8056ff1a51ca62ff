"""Watches for overflows of float16 and bfloat16 while a network is run: where, on which item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, ValueInfoProto

from conformance.runtimes._protocol import Array, Overflow, Watched
from conformance.runtimes.batching import batches
from conformance.runtimes.feeding import Feed
from conformance.runtimes.onnx.faults import FAULTS, plain
from conformance.runtimes.onnx.half_copy import HalfCopy, half_copy, unknown_types, written_out
from conformance.runtimes.onnx.messages import parse_model
from conformance.runtimes.onnx.session import open_session
from conformance.runtimes.onnx.skeleton import Skeleton

_TYPES = {"tensor(float16)": TensorProto.FLOAT16, "tensor(bfloat16)": TensorProto.BFLOAT16}


@final
class HalfWatch:
    """Runs a copy that computes as the file says; see :class:`conformance.runtimes.Watch`.

    ``size`` is the batch size of the network, ``fixed`` whether the network prescribes it.
    """

    def __init__(self, skeleton: Skeleton, feed: Feed, size: int | None, *, fixed: bool) -> None:
        self._buffers = skeleton.buffers  # the session reads them in place
        self._feed, self._size, self._fixed = feed, size, fixed
        self._items = 0
        self._found: dict[int, Overflow] = {}
        self._failure = ""
        self._infinite: set[str] = set()
        self._lost: set[str] = set()
        self._copy: HalfCopy | None = None
        try:
            model = written_out(parse_model(skeleton.model))
            self._copy = half_copy(model, _types(model, skeleton))
            self._session = _opened(self._copy.model, skeleton)
            self._outputs = [
                each.name
                for each in self._session.get_outputs()
                if each.type == "tensor(float)" and each.name != self._copy.output
            ]
        except FAULTS as error:
            self._failure = f"the whole network: {plain(error)}"

    def add(
        self, inputs: Mapping[str, Array], items: int | None, outputs: Mapping[str, Array]
    ) -> None:
        """Take in a shard, which is one run if ``items`` is None, and the network's own outputs."""
        if self._copy is not None and self._copy.probes and not self._failure:
            self._infinite.clear()
            try:
                self._add(self._copy, inputs, items)
            except FAULTS as error:
                self._failure = f"the whole network: {plain(error)}"
            self._lost |= {name for name in self._infinite if _is_finite(outputs.get(name))}
        self._items += items or 1

    def result(self) -> Watched:
        """Return what was found in all shards."""
        copy = self._copy
        unreached = (*(copy.unreached if copy else ()), *([self._failure] if self._failure else []))
        if not self._found:
            # Such as softmax over a row that is masked as a whole.
            unreached += tuple(
                f"the output {name!r}, which is finite only if its operators compute in float32"
                for name in sorted(self._lost)
            )
        return Watched(
            tensors=len(copy.probes) if copy else 0,
            items=self._items,
            overflows=tuple(self._found[place] for place in sorted(self._found)),
            unreached=unreached,
        )

    def _add(self, copy: HalfCopy, inputs: Mapping[str, Array], items: int | None) -> None:
        if items is None or self._size is None:
            self._note(copy, self._run(copy, inputs), self._items)
            return
        start = self._items
        for batch, count in batches(inputs, items, self._size, fixed=self._fixed):
            found = self._run(copy, batch)
            if self._is_new(found):
                self._search(copy, batch, count, start)
                # What only the items of this batch together lead to.
                self._note(copy, found, None)
            start += count

    def _search(self, copy: HalfCopy, batch: Mapping[str, Array], count: int, start: int) -> None:
        """Run the items of a batch one by one, each in its own batch."""
        repeats = self._size if self._fixed else 1
        for item in range(count):
            alone = {
                name: np.repeat(array[item : item + 1], repeats or 1, axis=0)
                for name, array in batch.items()
            }
            self._note(copy, self._run(copy, alone), start + item)

    def _is_new(self, found: Array) -> bool:
        return any(place not in self._found for place in np.flatnonzero(found).tolist())

    def _note(self, copy: HalfCopy, found: Array, item: int | None) -> None:
        for place in np.flatnonzero(found).tolist():
            probe = copy.probes[place]
            self._found.setdefault(
                place,
                Overflow(
                    tensor=probe.tensor,
                    operator=probe.operator,
                    place=probe.place,
                    type=probe.type,
                    item=item,
                    value=float(found[place]),
                ),
            )

    def _run(self, copy: HalfCopy, inputs: Mapping[str, Array]) -> Array:
        fitted = self._feed.fitted(inputs)
        feeds = {copy.inputs.get(name, name): array for name, array in fitted.items()}
        found: Array
        found, *outputs = self._session.run([copy.output, *self._outputs], feeds)
        for name, array in zip(self._outputs, outputs, strict=True):
            if not _is_finite(array):
                self._infinite.add(name)
        return found


def _is_finite(array: Array | None) -> bool:
    return array is not None and bool(np.isfinite(array.astype(np.float64)).all())


def _types(model: ModelProto, skeleton: Skeleton) -> dict[str, int]:
    """Return the types of values that ONNX cannot infer, as ONNX Runtime does; 0 for others.

    Operators that are ONNX Runtime's own are the reason.
    """
    names = unknown_types(model)
    if not names:
        return {}
    asking = ModelProto()
    asking.CopyFrom(model)
    given = {value.name for value in model.graph.output}
    asking.graph.output.extend(ValueInfoProto(name=name) for name in names if name not in given)
    try:
        outputs = _opened(asking, skeleton).get_outputs()
    except FAULTS:
        return {}
    return {each.name: _TYPES.get(each.type, 0) for each in outputs}


def _opened(model: ModelProto, skeleton: Skeleton) -> onnxruntime.InferenceSession:
    serialised = Skeleton(model.SerializeToString(), skeleton.locations, skeleton.buffers)
    # Folded constants would hold every parameter a second time, in float32.
    return open_session(serialised, optimised=False)
