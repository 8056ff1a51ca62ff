"""Completing a case: the features of its streams, and whether the plain reference decodes it.

Features come from the decoder's own inspection; the tensors of a case never do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnc_cases import Case

from conformance.nnc.decoder import decode_observed
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.payload import TensorRecord
from conformance.nnc.state import DecoderState

MOST_ELEMENTS = 5_000
"""Above it a case is too slow for the plain reference of the tests."""


def complete(case: Case) -> Case:
    """Return the case with the features of its streams; the tests hold it to ``decoded_by``."""
    streams = [
        replace(stream, features=features)
        for stream, features in zip(case.streams, _features(case), strict=True)
    ]
    elements = sum(array.size for stream in streams for array in stream.tensors.values())
    whole = all(stream.error is None for stream in streams)
    reference = ["reference"] if whole and elements <= MOST_ELEMENTS else []
    return replace(case, streams=streams, decoded_by=[*case.decoded_by, *reference])


def _features(case: Case) -> Iterator[tuple[str, ...]]:
    options = Options(
        interpretation=Interpretation(case.options.get("dialect", "nncodec-2")),
        dimensions=case.options.get("dimensions", {}),
        threads=1,
    )
    state = DecoderState() if len(case.streams) > 1 else None
    for coded in case.streams:
        if coded.error is not None:
            yield ()
            continue
        stream = parse_stream(coded.data, options)
        records: list[TensorRecord] = []
        decode_observed(stream, options, state, lambda record, _: records.append(record))  # noqa: B023
        yield stream_features(stream, records)
