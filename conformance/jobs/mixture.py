"""A network between original and reconstruction: some parameters decoded, the rest its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import final

from conformance.codecs import DecodedModel
from conformance.jobs.context import Work, not_tensors
from conformance.jobs.derived import final_parameters
from conformance.jobs.fitted import fitted_tensors
from conformance.jobs.measuring import Measuring, row_of
from conformance.jobs.running import run_shard
from conformance.jobs.stored_arrays import kept_outputs
from conformance.jobs.vectors import read_shards
from conformance.tensorfiles import Array
from conformance.verdicts import Json


def run_mixture(work: Work) -> Json:
    """Return the metric values of the original with the case's ``swapped`` parameters decoded.

    Raises UnsupportedError for a sample that is a network of its own.
    """
    network, vectors = work.original(), work.vectors
    if work.reference is None:
        raise ValueError(f"{work.case.name} was asked for without the original's evidence")
    with ExitStack() as opened:
        mapped = _decoded(work, opened)
        own = {**network.parameters, **network.scalars}
        runner = network.bind(_Mixture(own, mapped, work.case.swapped))
    measuring = Measuring(work.submission.metrics_on(vectors.id, work.model))
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    for shard in read_shards(vectors, work.submission.root, *names, work.limits):
        outputs = run_shard(runner, vectors, shard)
        measuring.add(
            outputs, shard.targets, kept_outputs(work.reference, shard.index, work.limits)
        )
    return {"metrics": {metric.id: row_of(outcome) for metric, _, outcome in measuring.results()}}


def _decoded(work: Work, opened: ExitStack) -> Mapping[str, Array]:
    """Return the parameters of the sample under the model's names."""
    if work.sample.is_derived or work.sample.layers:
        return final_parameters(work)
    decoded = work.decoded()
    if isinstance(decoded, DecodedModel):
        raise not_tensors(work.sample)
    return fitted_tensors(work, opened.enter_context(decoded))


@final
class _Mixture(Mapping[str, Array]):
    """The parameters of the original, those in ``swapped`` taken from the sample."""

    def __init__(
        self, own: Mapping[str, Array], decoded: Mapping[str, Array], swapped: Collection[str]
    ) -> None:
        self._own = own
        self._decoded = decoded
        self._swapped = frozenset(swapped)

    def __getitem__(self, name: str) -> Array:
        return self._decoded[name] if name in self._swapped else self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)
