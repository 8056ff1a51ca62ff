"""A sample: decode it, and compare what comes out with the parameters of the original."""

from __future__ import annotations

from conformance.codecs import DecodedModel, DecodedTensors
from conformance.jobs.context import Work
from conformance.jobs.coverage import coverage_of, port_coverage
from conformance.jobs.derived import decode_derived
from conformance.jobs.facts import Facts, lossless_comparison, model_facts
from conformance.jobs.fitted import fitted_tensors
from conformance.jobs.inspecting import inspected
from conformance.jobs.survey import Survey
from conformance.jobs.tensor_error import likeness_block
from conformance.runtimes import ModelSource, Network, runtime
from conformance.verdicts import Json, Location, UnsupportedError


def decode_sample(work: Work) -> Json:
    """Return digest, shape and soundness of every tensor of the sample, and how it fits.

    ``usable`` says whether a network can be reconstructed from it. ``parameters`` tells the error
    of every parameter of a lossy sample that is a set of tensors, ``likeness`` which of them have
    nothing in common with the original's. ``stream`` holds the claims and
    the broken rules of a bitstream, None for samples that are none. ``implied_features`` of a
    sample that is a network may be declared, and need not be.
    """
    if work.sample.is_derived or work.sample.layers:
        return decode_derived(work)
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
        tensors = model_facts(network, original)
        coverage = list(port_coverage(network, original, file))
    lossless = {"error": _no_tensors(file).to_json()}
    return {
        "implied_features": list(decoded.implied),
        "coverage": coverage,
        "fitted": None,
        "lossless": lossless,
        "parameters": {},
        "likeness": likeness_block({}),
        "stream": None,
    }, tensors


def _decoded_tensors(work: Work, decoded: DecodedTensors) -> tuple[Json, dict[str, Facts]]:
    original, file = work.replaceable(), work.sample.files[0].rel_filepath
    survey = Survey(fitted_tensors(work, decoded), original, decoded.stored_bits)
    survey.look_at(decoded, with_errors=not work.sample.lossless)
    coverage = list(coverage_of(survey, original, file))
    lossless = {}
    if work.sample.lossless:
        learned = original.parameters, original.scalars
        lossless = lossless_comparison(survey.fitted, *learned, converted=survey.converted)
    stream = inspected(decoded.inspect) if decoded.inspect else None
    return {
        "coverage": coverage,
        "fitted": survey.fitted if work.submission.is_compared(work.sample) else {},
        "lossless": lossless,
        "parameters": survey.errors,
        "likeness": likeness_block(survey.likeness),
        "stream": stream,
    }, survey.tensors


def _no_tensors(file: str) -> UnsupportedError:
    return UnsupportedError(
        "a sample that is itself a network cannot be judged as lossless",
        where=Location(file),
        expected="a sample that decodes to the tensors of the original",
        found="a network with a graph of its own",
        fix='declare it as "lossless": false, with a metric and a tolerance',
    )
