"""Encode and decode tensors with NNCodec 2.1.3, in the interpreter that has it.

    /path/to/nncodec/bin/python vectors/generate/nnc_peer.py FOLDER

``FOLDER/jobs.json`` lists jobs: an id, the settings of :data:`DEFAULTS` that differ, and for each
stream the names of the tensors whose arrays are in ``ID-N.npz``. The job's streams become
``ID-N.nnc``, what NNCodec decodes from them ``ID-N.decoded.npz``, and ``results.json`` says which
tensors these are, or why NNCodec did not decode them; the arrays are then what its encoder means
the stream to hold. The streams of a job with ``dimensions`` (of tensors by name; may be empty) are
there already and are only decoded. NNCodec needs packages in versions that this project does not
use, so this script imports nothing of ours; ``nnc_peer_cases`` starts it.

The steps are those of ``nncodec.nnc.compress`` and ``decompress``, with ``nnc_core`` for what these
do not offer: the first profile, decomposed weights, dimensions out of band.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nncodec.nnc_core import approximator, coder, nnr_model
from nncodec.nnc_core.hdsp.hdsp_tool import HdspTool

DEFAULTS: dict[str, Any] = {
    "profile": 1,
    "qp": -38,
    "nonweight_qp": -75,
    "qp_density": 2,
    "qp_per_tensor": None,
    "opt_qp": False,
    "use_dq": False,
    "codebook_mode": 0,
    "bit_depth": False,
    "lambda_scale": 0.0,
    "scan_order": 0,
    "cabac_unary_length_minus1": 10,
    "param_opt": True,
    "row_skipping": False,
    "blocks": None,
    "block_units": True,
    "decompositions": {},
    "out_of_band": False,
    "update_chain": False,
    "temporal_contexts": False,
    "history": False,
    "pre_signalling": False,
    "device_id": 0,
}

MAPS = (
    "sparsification_flag",
    "pruning_flag",
    "unification_flag",
    "decomposition_performance_map_flag",
)


@dataclass
class Encoded:
    """A stream, what must be known in addition to it, and the tensors that its encoder means."""

    stream: bytes
    dimensions: dict[str, Any]
    model: Any = None
    meant: dict[str, Any] = field(default_factory=dict)


class Peer:
    """NNCodec on both sides of one job, with what each side keeps from stream to stream."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = {**DEFAULTS, **settings}
        chained = self.settings["update_chain"]
        self.references = [_empty_reference() if chained else None for _ in range(2)]
        self.histories = [HdspTool(True) if self.settings["history"] else None for _ in range(2)]

    def encode(self, tensors: dict[str, Any]) -> Encoded:
        """Encode the tensors of one stream."""
        settings = self.settings
        model = nnr_model.NNRModel(_whole(tensors, settings["decompositions"]))
        if settings["blocks"]:
            nnr_model.set_block_id_and_param_type(model.model_info, settings["blocks"])
        data = approximator.init_approx_data(
            tensors, model.model_info, settings["qp_density"], np.int32(settings["scan_order"])
        )
        information = approximator.ApproxInfo(
            data,
            model.model_info,
            "codebook" if settings["codebook_mode"] else "uniform",
            settings["codebook_mode"],
            settings["qp"],
            settings["opt_qp"],
            not settings["use_dq"],
            settings["cabac_unary_length_minus1"],
            settings["lambda_scale"],
            nonweight_qp=settings["nonweight_qp"],
            qp_per_tensor=_as_int32(settings["qp_per_tensor"]),
            int_quant_bw=settings["bit_depth"],
        ).approx_info
        tools = self._tools()
        levels = approximator.approx(information, model.model_info, data, tools)
        meant = copy.deepcopy(levels)
        approximator.rec(meant)
        reference, history = self.references[0], self.histories[0]
        stream, dimensions = coder.encode(
            tools, model.model_info, levels, reference, settings["update_chain"], history
        )
        if history is not None:
            history.add_data_to_hist(levels["parameters"])
        outside = dimensions if settings["out_of_band"] else {}
        return Encoded(bytes(stream), outside, model.model_info, dict(meant["parameters"]))

    def decode(self, encoded: Encoded) -> dict[str, Any]:
        """Return the tensors that NNCodec decodes."""
        reference, history = self.references[1], self.histories[1]
        decoded = coder.decode(
            bytearray(encoded.stream),
            _known_model(encoded.model if self._needs_dimensions() else None),
            hls_stats={},
            oob_dict=encoded.dimensions,
            approx_param_base=reference,
            update_base_param=self.settings["update_chain"],
            return_hls=True,
            tool_if=history,
        )
        if history is not None and decoded["dec_hls"]["mps"]["mps_parent_signalling_enabled_flag"]:
            history.add_data_to_hist(decoded["parameters"])
        approximator.rec(decoded)
        return dict(decoded["parameters"])

    def outside(self, encoded: Encoded) -> dict[str, Any]:
        """Return the dimensions that a decoder must be given."""
        if self._needs_dimensions() and encoded.model is not None:
            blocks = encoded.model["block_identifier"]
            shapes = encoded.model["parameter_dimensions"]
            return {k: v for k, v in shapes.items() if k in blocks and len(v) > 1}
        parts = encoded.dimensions.items()
        return {k: v["tensor_dimensions"] for k, v in parts if "tensor_dimensions" in v}

    def _needs_dimensions(self) -> bool:
        return bool(self.settings["blocks"]) and self._parent_signalling()

    def _parent_signalling(self) -> bool:
        return self.settings["update_chain"] or self.settings["pre_signalling"]

    def _tools(self) -> dict[str, Any]:
        settings = self.settings
        tools = {
            "cabac_unary_length_minus1": settings["cabac_unary_length_minus1"],
            "param_opt_flag": settings["param_opt"],
            "partial_data_counter": 0,
            "general_profile_idc": settings["profile"],
            "nnr_pt_block_enabled_flag": int(settings["block_units"]),
            "out_of_band_signaling": settings["out_of_band"],
        }
        if settings["profile"] == 0:
            absent = ("mps_parent_signalling_enabled_flag", "parent_node_id_present_flag")
            return {**tools, **dict.fromkeys(absent, 0), "node_id_present_flag": 0}
        return {
            **tools,
            "node_id_present_flag": 1,
            "device_id": settings["device_id"],
            "mps_parent_signalling_enabled_flag": int(self._parent_signalling()),
            "parent_node_id_present_flag": int(settings["update_chain"]),
            **(
                {"parent_node_id_type": 0, "parent_device_id": 0}
                if settings["update_chain"]
                else {}
            ),
            "temporal_context_modeling_flag": int(settings["temporal_contexts"]),
            "row_skip_enabled_flag": int(settings["row_skipping"]),
            "pre_signalling": int(settings["pre_signalling"]),
        }


def _empty_reference() -> dict[str, Any]:
    return {"parameters": {}, "put_node_depth": {}, "device_id": None, "parameter_id": {}}


def _as_int32(values: dict[str, int] | None) -> dict[str, Any] | None:
    return None if values is None else {name: np.int32(qp) for name, qp in values.items()}


def _whole(tensors: dict[str, Any], decompositions: dict[str, list[int]]) -> dict[str, Any]:
    """Return the tensors of the model: a zero weight instead of each pair ``w_G`` and ``w_H``."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in decompositions.items()}
    return weights | {k: v for k, v in tensors.items() if k[:-2] not in weights}


def _known_model(encoded: Any) -> dict[str, Any]:
    names = ("parameter_type", "parameter_dimensions", "parameter_index", "block_identifier")
    model: dict[str, Any] = {name: {} for name in names}
    if encoded is not None:
        model["parameter_dimensions"] = dict(encoded["parameter_dimensions"])
    return {
        **model,
        "topology_storage_format": None,
        "topology_compression_format": None,
        "performance_maps": {"mps": {}, "lps": {}},
        "performance_map_flags": {f"{unit}_{flag}": {} for unit in ("mps", "lps") for flag in MAPS},
    }


def _run(folder: Path, job: dict[str, Any]) -> list[dict[str, Any]]:
    peer = Peer(job["settings"])
    results = []
    for number, names in enumerate(job["streams"]):
        stem = folder / f"{job['id']}-{number}"
        if "dimensions" in job:
            dimensions = {name: _outside(sizes) for name, sizes in job["dimensions"].items()}
            encoded = Encoded(Path(f"{stem}.nnc").read_bytes(), dimensions)
        else:
            encoded = peer.encode(_read(stem, names))
            Path(f"{stem}.nnc").write_bytes(encoded.stream)
        results.append(_decode(peer, stem, encoded))
    return results


def _read(stem: Path, names: list[str]) -> dict[str, Any]:
    with np.load(f"{stem}.npz", allow_pickle=False) as archive:
        return {name: archive[str(index)] for index, name in enumerate(names)}


def _outside(sizes: list[int]) -> dict[str, Any]:
    return {
        "compressed_parameter_types": 0,
        "tensor_dimensions": sizes,
        "count_tensor_dimensions": len(sizes),
    }


def _decode(peer: Peer, stem: Path, encoded: Encoded) -> dict[str, Any]:
    error = None
    try:
        tensors = peer.decode(encoded)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever it raises is a result
        error, tensors = f"{type(raised).__name__}: {raised}", encoded.meant
    np.savez(f"{stem}.decoded.npz", **{str(i): a for i, a in enumerate(tensors.values())})
    return {
        "tensors": list(tensors),
        "error": error,
        "dimensions": {k: [int(size) for size in v] for k, v in peer.outside(encoded).items()},
    }


def main(folder: Path) -> None:
    """Run every job of ``folder``."""
    jobs = json.loads((folder / "jobs.json").read_text("utf-8"))
    results = {job["id"]: _run(folder, job) for job in jobs}
    (folder / "results.json").write_text(json.dumps(results), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
