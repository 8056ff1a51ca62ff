"""Encode and decode with NNCodec 2.1.3, in the interpreter that has it, and print what it took.

    python benchmarks/nnc_decode_peer.py encode STREAM DEPENDENT
    python benchmarks/nnc_decode_peer.py decode WARM STREAM

``nnc_decode.py`` starts it; the figures are one line of JSON. Only the core of NNCodec is used, as
``nncodec.nnc.compress`` and ``decompress`` use it: those also import torch. The first ``WARM``
bytes of the stream are decoded before, if that is not 0: they must end with a unit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnc_decode_figures import digest, peak, resident

QP, OTHER_QP, QP_DENSITY, UNARY_LENGTH_MINUS1 = -38, -75, 2, 10
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
NORMS = ("weight", "bias", "running_mean", "running_var")
SPREAD = 0.015
MAPS = (
    "sparsification_flag",
    "pruning_flag",
    "unification_flag",
    "decomposition_performance_map_flag",
)


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the names and shapes of the parameters of ResNet-50."""
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norms("bn1", 64)
    channels = 64
    for stage, (width, blocks) in enumerate(STAGES, 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            kernels = ((width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
            for index, shape in enumerate(kernels, 1):
                yield f"{name}.conv{index}.weight", shape
                yield from norms(f"{name}.bn{index}", shape[0])
            if block == 0:
                yield f"{name}.downsample.0.weight", (4 * width, channels, 1, 1)
                yield from norms(f"{name}.downsample.1", 4 * width)
            channels = 4 * width
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def norms(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the parameters of a batch normalization."""
    for part in NORMS:
        yield f"{name}.{part}", (channels,)


def encode(file: Path, dependent: bool) -> None:
    """Write the stream of a network with Laplacian weights."""
    import numpy as np
    from nncodec.nnc_core import approximator, coder, nnr_model

    random = np.random.default_rng(1)
    tensors = {
        name: random.laplace(0, SPREAD, shape).astype(np.float32) for name, shape in shapes()
    }
    model = nnr_model.NNRModel(tensors)
    data = approximator.init_approx_data(tensors, model.model_info, QP_DENSITY, np.int32(0))
    information = approximator.ApproxInfo(
        data,
        model.model_info,
        "uniform",
        0,
        QP,
        False,
        not dependent,
        UNARY_LENGTH_MINUS1,
        0.0,
        nonweight_qp=OTHER_QP,
        qp_per_tensor=None,
        int_quant_bw=False,
    ).approx_info
    tools = {
        "cabac_unary_length_minus1": UNARY_LENGTH_MINUS1,
        "param_opt_flag": True,
        "partial_data_counter": 0,
        "general_profile_idc": 1,
        "nnr_pt_block_enabled_flag": 1,
        "out_of_band_signaling": False,
        "node_id_present_flag": 1,
        "device_id": 0,
        "mps_parent_signalling_enabled_flag": 0,
        "parent_node_id_present_flag": 0,
        "temporal_context_modeling_flag": 0,
        "row_skip_enabled_flag": 0,
        "pre_signalling": False,
    }
    levels = approximator.approx(information, model.model_info, data, tools)
    stream, _ = coder.encode(tools, model.model_info, levels, None, False, None)
    file.write_bytes(bytes(stream))


def decode(warm: int, file: Path) -> None:
    """Decode a stream, and print the figures."""
    interpreter = resident()
    from nncodec.nnc_core import approximator, coder

    if warm:
        with file.open("rb") as opened:
            coder.decode(bytearray(opened.read(warm)), model(), hls_stats={})
    imported = resident()
    started = time.perf_counter()
    decoded = coder.decode(bytearray(file.read_bytes()), model(), hls_stats={})
    approximator.rec(decoded)
    tensors = decoded["parameters"]
    seconds = time.perf_counter() - started
    figures = {
        "decode": seconds,
        "peak": peak(),
        "interpreter": interpreter,
        "imported": imported,
        "decoded": sum(tensor.nbytes for tensor in tensors.values()),
        "digest": digest(tensors),
    }
    print(json.dumps(figures))


def model() -> dict[str, Any]:
    """Return what NNCodec must know of a model that it knows nothing of."""
    names = ("parameter_type", "parameter_dimensions", "parameter_index", "block_identifier")
    return {
        **{name: {} for name in names},
        "topology_storage_format": None,
        "topology_compression_format": None,
        "performance_maps": {"mps": {}, "lps": {}},
        "performance_map_flags": {f"{unit}_{flag}": {} for unit in ("mps", "lps") for flag in MAPS},
    }


if __name__ == "__main__":
    if sys.argv[1] == "encode":
        encode(Path(sys.argv[2]), bool(int(sys.argv[3])))
    else:
        decode(int(sys.argv[2]), Path(sys.argv[3]))
