"""Samples that build upon others, and layered ones: what comes out is a state that was kept."""

from __future__ import annotations

from contextlib import closing

from conformance.codecs import DecodedModel
from conformance.jobs.context import Work
from conformance.jobs.facts import lossless_comparison
from conformance.jobs.inspecting import inspected, together
from conformance.jobs.network_state import kept_result, kept_state
from conformance.jobs.tensor_error import likeness, likeness_block, tensor_error
from conformance.plan.dependencies import key_of, last_step
from conformance.tensorfiles import Array
from conformance.verdicts import Json


def decode_derived(work: Work) -> Json:
    """Return what :func:`~.decode.decode_sample` does, of a state that was computed before.

    Its tensors are parameters under the names of the model.
    """
    sample, original = work.sample, work.original()
    name, last = last_step(sample)
    results = [kept_result(work.states[key_of((name, part))]) for part in range(last + 1)]
    parameters, facts = final_parameters(work), results[-1]["tensors"]
    own = original.everything
    errors, alike, lossless = {}, {}, {}
    if sample.lossless:
        lossless = lossless_comparison(facts, original.parameters, original.scalars)
    else:
        held = {n: a for n, a in parameters.items() if n in own and n not in original.constants}
        errors = {name: tensor_error(array, own[name], None) for name, array in held.items()}
        alike = {name: likeness(array, own[name]) for name, array in held.items()}
    whole = _whole_file(work) if any(part.units for part in sample.parts) else None
    features = {feature for result in results for feature in result["features"]}
    streams = [result["stream"] for result in results if result["stream"] is not None]
    return {
        "coverage": [],
        "fitted": facts,
        "lossless": lossless,
        "parameters": errors,
        "likeness": likeness_block({name: each for name, each in alike.items() if each}),
        "stream": whole["stream"] if whole else together(streams),
        "tensors": facts,
        "features": whole["features"] if whole else sorted(features),
        "usable": not any(each["non_finite"] for each in facts.values()),
    }


def final_parameters(work: Work) -> dict[str, Array]:
    """Return the parameters at the end of the sample, or of the layer that the case names."""
    name, last = last_step(work.sample)
    part = last if work.case.part is None else work.case.part
    return dict(kept_state(work.states[key_of((name, part))], work.limits).parameters)


def _whole_file(work: Work) -> Json | None:
    """Return what the one bitstream of all layers uses and claims, and the rules it breaks."""
    decoded = work.decoded()
    if isinstance(decoded, DecodedModel):
        return None
    with closing(decoded):
        return {
            "features": sorted(decoded.features),
            "stream": inspected(decoded.inspect) if decoded.inspect else None,
        }
