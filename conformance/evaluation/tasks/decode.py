"""A sample: decode it, and compare what comes out with the parameters of the original."""

from __future__ import annotations

from collections.abc import Callable

from conformance.codecs import DecodedModel, DecodedTensors, Inspection
from conformance.evaluation.tasks.coverage import (
    parameter_coverage,
    port_coverage,
    type_coverage,
)
from conformance.evaluation.tasks.facts import Facts, lossless_comparison, tensor_facts
from conformance.evaluation.tasks.fitted import fitted_tensors
from conformance.evaluation.tasks.survey import Survey
from conformance.evaluation.tasks.work import Work
from conformance.runtimes import ModelSource, Network, runtime
from conformance.verdicts import Json, Location, UnsupportedError

MOST_VIOLATIONS = 50
"""Violations, and warnings, of one stream that are told one by one."""


def decode_sample(work: Work) -> Json:
    """Return digest, shape and soundness of every tensor of the sample, and how it fits.

    ``usable`` says whether a network can be reconstructed from it. ``parameters`` tells the error
    of every parameter of a lossy sample that is a set of tensors. ``stream`` holds the claims and
    the broken rules of a bitstream, None for samples that are none.
    """
    decoded = work.decoded()
    if isinstance(decoded, DecodedModel):
        result, tensors = _decoded_model(work, decoded)
    else:
        with decoded:
            result, tensors = _decoded_tensors(work, decoded)
    finite = not any(facts["non_finite"] for facts in tensors.values())
    return {
        **result,
        "tensors": tensors,
        "features": sorted(decoded.features),
        "usable": finite and not result["coverage"],
    }


def sample_network(work: Work, decoded: DecodedModel) -> Network:
    """Return the opened network that the sample itself is."""
    source = ModelSource(
        files=decoded.files,
        display=decoded.display,
        root=work.submission.root,
        limit_bytes=work.limits.tensor_bytes,
    )
    return runtime(decoded.format).open(source)


def _decoded_model(work: Work, decoded: DecodedModel) -> tuple[Json, dict[str, Facts]]:
    original, file = work.original(), work.sample.files[0].rel_filepath
    with sample_network(work, decoded) as network:
        own = network.parameters
        tensors = {name: tensor_facts(own[name], None) for name in sorted(own)}
        coverage = list(port_coverage(network, original, file))
    lossless = {"error": _no_tensors(file).to_json()}
    return {
        "coverage": coverage,
        "lossless": lossless,
        "parameters": {},
        "stream": None,
    }, tensors


def _decoded_tensors(work: Work, decoded: DecodedTensors) -> tuple[Json, dict[str, Facts]]:
    original, file = work.original(), work.sample.files[0].rel_filepath
    original.check_replaceable()
    parameters = original.parameters
    survey = Survey(fitted_tensors(work, decoded), parameters, decoded.stored_bits)
    survey.look_at(decoded, with_errors=not work.sample.lossless)
    constants = original.constants
    coverage = [
        *parameter_coverage(survey.fitted, parameters, constants, file),
        *type_coverage(survey.fitted, parameters, survey.other_types, file),
    ]
    lossless = {}
    if work.sample.lossless:
        lossless = lossless_comparison(survey.fitted, parameters, constants)
    stream = _inspected(decoded.inspect) if decoded.inspect else None
    return {
        "coverage": coverage,
        "lossless": lossless,
        "parameters": survey.errors,
        "stream": stream,
    }, survey.tensors


def _inspected(inspect: Callable[[], Inspection]) -> Json:
    """Return what a bitstream claims and which rules it breaks, those that fail and those not."""
    inspection = inspect()
    by_kind: dict[bool, list[Json]] = {False: [], True: []}
    for violation in inspection.violations:
        by_kind[violation.is_warning].append(violation.to_json())
    return {
        "claims": dict(inspection.claims),
        "violations": by_kind[False][:MOST_VIOLATIONS],
        "warnings": by_kind[True][:MOST_VIOLATIONS],
        "unlisted": sum(max(0, len(kind) - MOST_VIOLATIONS) for kind in by_kind.values()),
    }


def _no_tensors(file: str) -> UnsupportedError:
    return UnsupportedError(
        "a sample that is itself a network cannot be judged as lossless",
        where=Location(file),
        expected="a sample that decodes to the tensors of the original",
        found="a network with a graph of its own",
        mend='declare it as "lossless": false, with a metric and a tolerance',
    )
