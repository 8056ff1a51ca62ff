"""The encoder beside NNCodec: the levels of its streams, the bundled vectors, encoded again."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.nnc import Interpretation, Options
from conformance.nnc.decoder import decode_observed
from conformance.nnc.encoder import LevelTools, PayloadEncoder
from conformance.nnc.parser import parse_stream
from conformance.nnc.payload import TensorRecord
from conformance.nnc.state import DecoderState

VECTORS = Path(__file__).parents[3] / "vectors" / "bitstreams"
CASES = {
    path.parent.relative_to(VECTORS).as_posix(): case
    for path in sorted(VECTORS.rglob("case.json"))
    if (case := json.loads(path.read_text("utf-8")))["made_by"].startswith("NNCodec")
    and all("tensors" in stream for stream in case["streams"])
}
ROUNDING = 2
"""Bytes that the end of a codeword may differ by."""


class Recoder:
    """Collects the tensors of a stream's units, and encodes each unit's payload again."""

    def __init__(self) -> None:
        self.tensors: dict[int, list[tuple[TensorRecord, np.ndarray]]] = defaultdict(list)

    def __call__(self, record: TensorRecord, levels: np.ndarray | None) -> None:
        if levels is not None:
            self.tensors[record.unit].append((record, levels))

    def payload(self, unit: int, base_qp: int, *, same: bool) -> bytes:
        """Return a unit's payload, with the same or our own initialisation indices."""
        encoder = PayloadEncoder()
        for record, levels in self.tensors[unit]:
            if record.qp is not None:
                encoder.write_iae(6 + record.qp_density, record.qp - base_qp)
            tools = tools_of(record, levels)
            if not same:
                tools = replace(tools, initialisation="best")
            encoder.write_levels(record.coding, coded(record, levels), tools)
        return encoder.finish().data


def tools_of(record: TensorRecord, levels: np.ndarray) -> LevelTools:
    report = record.report
    skipped = None
    if report.row_skip:
        skipped = zero_rows(record, levels)
    return LevelTools(skipped, report.hdsp, [index for _, index in report.initialisation])


def zero_rows(record: TensorRecord, levels: np.ndarray) -> np.ndarray:
    return ~levels.reshape(record.coding.height, record.coding.width).any(1)


def knows_skipped_rows(record: TensorRecord, levels: np.ndarray) -> bool:
    """Whether the rows skipped are all rows of zeros; a report does not say which they are."""
    return not record.report.row_skip or (
        zero_rows(record, levels).sum() == record.report.skipped_rows
    )


def coded(record: TensorRecord, levels: np.ndarray) -> np.ndarray:
    """The levels before the mapping of the trellis."""
    if not record.coding.dependent:
        return levels
    wide = levels.astype(np.int64)
    return (np.sign(wide) * ((np.abs(wide) + 1) // 2)).astype(np.int32)


def recoded(name: str, state: DecoderState, file: str, options: dict) -> tuple:
    data = (VECTORS / name / file).read_bytes()
    interpretation = Interpretation(options.get("dialect", "nncodec-2"))
    dimensions = options.get("dimensions", {})
    settings = Options(interpretation=interpretation, dimensions=dimensions)
    stream, recoder = parse_stream(data, settings), Recoder()
    decode_observed(stream, settings, state, recoder)
    return stream, recoder


def streams_of(name: str):
    """Yield every unit of a case with its payload, and the recoder that knows its levels."""
    state = DecoderState()
    for entry in CASES[name]["streams"]:
        stream, recoder = recoded(name, state, entry["file"], CASES[name]["options"])
        (base,) = (
            unit.values["mps_quantization_parameter"] or 0
            for unit in stream.units
            if unit.name == "MPS"
        )
        for unit in stream.units:
            tensors = recoder.tensors.get(unit.index, ())
            if tensors and all(knows_skipped_rows(*tensor) for tensor in tensors):
                first = unit.payload_byte
                payload = bytes(stream.data[first : first + unit.payload_size])
                yield recoder, unit.index, base, payload


@pytest.mark.parametrize("name", CASES)
def test_nncodec_choices_give_its_bytes_and_ours_no_larger_payload(name):
    for recoder, unit, base, payload in streams_of(name):
        assert recoder.payload(unit, base, same=True) == payload
        assert len(recoder.payload(unit, base, same=False)) <= 1.03 * len(payload) + ROUNDING
