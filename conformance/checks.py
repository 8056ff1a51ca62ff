"""The catalogue of checks: one entry for every test function of the suites.

A check id never changes its meaning and is never used again for another check, so that skip lists
and waivers stay valid. The order here is the order of every report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Over: TypeAlias = Literal[
    "submission",
    "model",
    "vectors",
    "agreement",
    "measure",
    "declared_value",
    "sample",
    "stream",
    "lossless",
    "run",
    "direct_run",
    "access",
    "claim",
    "delta",
    "noise",
]
"""What a check is repeated over; :mod:`conformance.evaluation.plan` lists the subjects."""

CALL = "MPEG Call for Test Data (2018) §Required test data"
FRAMEWORK = "MPEG Evaluation Framework N17929"
PROPOSALS = "MPEG Call for Proposals N17934"
FORMAT = "Submission format 1.0"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its stable id, where it is tested, what it is repeated over and rests on."""

    id: str
    module: str
    test: str
    over: Over
    title: str
    clause: str
    required: bool = True


CHECKS: tuple[Check, ...] = (
    Check(
        "SUBMISSION-READ-001",
        "test_metadata",
        "test_readable",
        "submission",
        "The metadata can be read",
        FORMAT,
    ),
    Check(
        "SUBMISSION-SCHEMA-001",
        "test_metadata",
        "test_schema",
        "submission",
        "The metadata follow the schemas",
        f"{FORMAT}; {CALL}",
    ),
    Check(
        "SUBMISSION-ID-001",
        "test_metadata",
        "test_unique_ids",
        "submission",
        "Ids are unique within their section",
        FORMAT,
    ),
    Check(
        "SUBMISSION-REFERENCE-001",
        "test_metadata",
        "test_references",
        "submission",
        "Every id that is referred to exists",
        FORMAT,
    ),
    Check(
        "SUBMISSION-UPDATE-001",
        "test_metadata",
        "test_derivations",
        "submission",
        "Updates, merges and layers can be evaluated",
        f"{FORMAT}; {PROPOSALS}",
    ),
    Check(
        "SUBMISSION-FILE-001",
        "test_metadata",
        "test_files_present",
        "submission",
        "Every listed file is there, inside the folder",
        FORMAT,
    ),
    Check(
        "SUBMISSION-FILE-002",
        "test_metadata",
        "test_file_sizes",
        "submission",
        "Every file has its declared size",
        FORMAT,
    ),
    Check(
        "SUBMISSION-FILE-003",
        "test_metadata",
        "test_file_digests",
        "submission",
        "Every file has its declared SHA-256",
        FORMAT,
    ),
    Check(
        "SUBMISSION-FILE-004",
        "test_metadata",
        "test_unaccounted_files",
        "submission",
        "Every file in the folder is accounted for",
        FORMAT,
    ),
    Check(
        "SUBMISSION-LICENSE-001",
        "test_metadata",
        "test_licences",
        "submission",
        "Licences are SPDX expressions",
        FORMAT,
    ),
    Check(
        "SUBMISSION-TOLERANCE-001",
        "test_metadata",
        "test_tolerances",
        "submission",
        "Tolerances can be applied",
        f"{CALL}, item 4",
    ),
    Check(
        "MODEL-OPEN-001",
        "test_originals",
        "test_model_opens",
        "model",
        "The original network can be opened",
        f"{CALL}, item 1",
    ),
    Check(
        "MODEL-FILES-001",
        "test_originals",
        "test_model_files",
        "model",
        "Every file of the model is part of the network",
        f"{CALL}, items 1 and 5",
    ),
    Check(
        "MODEL-PORTS-001",
        "test_originals",
        "test_inputs_and_outputs",
        "model",
        "Inputs and outputs are as declared",
        f"{CALL}, item 1",
    ),
    Check(
        "MODEL-PARAMETERS-001",
        "test_originals",
        "test_parameter_count",
        "model",
        "The parameter count is as declared",
        f"{CALL}, item 1",
    ),
    Check(
        "MODEL-RUN-001",
        "test_originals",
        "test_original_runs",
        "vectors",
        "The original runs on all reference vectors",
        f"{CALL}, items 1 and 3",
    ),
    Check(
        "MODEL-OUTPUT-001",
        "test_originals",
        "test_outputs_reproduced",
        "vectors",
        "The original reproduces its declared outputs",
        f"{CALL}, item 5; {FRAMEWORK}",
    ),
    Check(
        "MODEL-AGREEMENT-001",
        "test_originals",
        "test_formats_agree",
        "agreement",
        "The network gives the same outputs in another format",
        f"{CALL}, item 1",
    ),
    Check(
        "METRIC-MEASURE-001",
        "test_originals",
        "test_metric_measured",
        "measure",
        "The metric can be measured on the original",
        f"{CALL}, item 4",
    ),
    Check(
        "METRIC-CONTROL-001",
        "test_originals",
        "test_metric_notices_an_empty_network",
        "measure",
        "The metric tells the original from an empty network",
        f"{CALL}, item 4; {FRAMEWORK}: lossy",
    ),
    Check(
        "MODEL-METRIC-001",
        "test_originals",
        "test_metric_value_reproduced",
        "declared_value",
        "The original reproduces its declared metric value",
        f"{CALL}, item 4; {FRAMEWORK}",
    ),
    Check(
        "SAMPLE-DECODE-001",
        "test_decoding",
        "test_sample_decodes",
        "sample",
        "The sample can be decoded",
        f"{CALL}, item 5",
    ),
    Check(
        "SAMPLE-STREAM-001",
        "test_decoding",
        "test_stream_keeps_the_rules",
        "stream",
        "The bitstream keeps every rule of its format",
        "ISO/IEC 15938-17",
    ),
    Check(
        "SAMPLE-TENSORS-001",
        "test_decoding",
        "test_tensors_complete",
        "sample",
        "The sample holds the whole network, in its shapes and types",
        f"{CALL}, item 5",
    ),
    Check(
        "SAMPLE-FINITE-001",
        "test_decoding",
        "test_tensors_finite",
        "sample",
        "Decoded tensors hold no NaN or infinity",
        f"{CALL}, item 5",
    ),
    Check(
        "SAMPLE-DIGEST-001",
        "test_decoding",
        "test_tensor_digests",
        "sample",
        "Decoded tensors have their declared digests",
        "ISO/IEC 15938-18: decoded tensors are what is normative",
    ),
    Check(
        "SAMPLE-SIZE-001",
        "test_decoding",
        "test_claimed_size",
        "sample",
        "Claimed sizes are the sizes on disk",
        f"{CALL}, item 5; {FRAMEWORK}",
    ),
    Check(
        "SAMPLE-FEATURES-001",
        "test_decoding",
        "test_declared_features",
        "sample",
        "Declared features and those in the file agree, both ways",
        f"{CALL}, item 5",
    ),
    Check(
        "SAMPLE-LOSSLESS-001",
        "test_decoding",
        "test_lossless_is_bit_exact",
        "lossless",
        "A lossless sample equals the original bit by bit",
        f"{FRAMEWORK}: lossless",
    ),
    Check(
        "SAMPLE-RUN-001",
        "test_metrics",
        "test_reconstruction_runs",
        "run",
        "The reconstructed network runs on all reference vectors",
        f"{CALL}, item 5",
    ),
    Check(
        "METRIC-CLAIM-001",
        "test_metrics",
        "test_claimed_metric_value",
        "claim",
        "A claimed metric value is the measured one",
        f"{CALL}, items 4 and 5",
    ),
    Check(
        "METRIC-DELTA-001",
        "test_metrics",
        "test_delta_within_tolerance",
        "delta",
        "The metric lies within its tolerance of the original's",
        f"{FRAMEWORK}: lossy",
    ),
    Check(
        "METRIC-NOISE-001",
        "test_metrics",
        "test_tolerance_above_noise",
        "noise",
        "The tolerance is not smaller than the noise floor",
        f"{CALL}, item 4",
        required=False,
    ),
    Check(
        "INFERENCE-COMPRESSED-001",
        "test_scalability",
        "test_compressed_form_runs",
        "direct_run",
        "The compressed network runs without reconstruction",
        f"{PROPOSALS}: inference with the compressed representation",
    ),
)

BY_TEST = {check.test: check for check in CHECKS}
BY_ID = {check.id: check for check in CHECKS}
ORDER = {check.id: position for position, check in enumerate(CHECKS)}
