"""What a sample decodes to, compared with the parameters of the original."""

from __future__ import annotations

from conformance.jobs.chain_state import stored_parameters
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of, facts_of, port_coverage, survey_of
from conformance.jobs.decoding import together
from conformance.jobs.name_map import fitted_tensors
from conformance.jobs.stored_arrays import stored_arrays
from conformance.jobs.stored_network import TENSORS, require_replaceable, stored_network
from conformance.jobs.tensor_stats import (
    all_finite,
    likeness,
    likeness_of,
    lossless_comparison,
    model_facts,
    tensor_error,
)
from conformance.jobs.vectors import ports_of
from conformance.plan.requests import DecodedStatesRequest, DecodeRequest
from conformance.plan.results import (
    DecodeResult,
    Lossless,
    StateResult,
    TensorsResult,
    result_from_json,
)
from conformance.verdicts import Location, UnsupportedError


def compare_tensors(task: TaskContext[DecodeRequest]) -> DecodeResult:
    """Compare the tensors of a sample, and the parameters that they make, with the original's.

    A network can be reconstructed from them if all are finite, and nothing keeps them out.
    """
    asked, limits = task.asked, task.limits
    kept, decoded = task.result("parameters"), task.result("tensors")
    model, file = task.id("model"), task.display(asked.part.files[0])
    pointer = task.name_map(asked.part)
    require_replaceable(kept, model)
    original = stored_network(task.results["parameters"], limits)
    tensors = stored_arrays(task.results["tensors"], TENSORS, limits)
    mapped = fitted_tensors(asked.part, tensors, original, pointer, limits.tensor_bytes)
    bits = decoded["stored_bits"]
    survey = survey_of(mapped, original, bits, with_errors=not asked.lossless)
    coverage = tuple(coverage_of(survey, original, file))
    facts = facts_of(tensors, mapped, survey)
    lossless = Lossless()
    if asked.lossless:
        learned = original.parameters, original.scalars
        lossless = lossless_comparison(survey.fitted, *learned, converted=survey.converted)
    found = result_from_json(TensorsResult, decoded)
    return DecodeResult(
        coverage=coverage,
        fitted=survey.fitted if asked.compared else {},
        lossless=lossless,
        parameters=survey.errors,
        likeness=likeness_of(survey.likeness),
        stream=found.stream,
        tensors=facts,
        features=found.features,
        usable=all_finite(facts) and not coverage,
    )


def compare_networks(task: TaskContext[DecodeRequest]) -> DecodeResult:
    """Return the same of a sample that is itself a network."""
    file, opened = task.display(task.asked.part.files[0]), task.result("network")
    own, original = (
        stored_network(task.results[role], task.limits) for role in ("network", "parameters")
    )
    facts, wanted = model_facts(own, original), task.result("model")
    sides = {
        side: (ports_of(opened, side), ports_of(wanted, side)) for side in ("inputs", "outputs")
    }
    coverage = tuple(port_coverage(sides, file))
    return DecodeResult(
        coverage=coverage,
        fitted=None,
        lossless=Lossless(error=_no_tensors(file)),
        parameters={},
        likeness=likeness_of({}),
        stream=None,
        tensors=facts,
        features=tuple(opened["features"]),
        usable=all_finite(facts) and not coverage,
        implied_features=tuple(opened["implied"]),
    )


def compare_states(task: TaskContext[DecodedStatesRequest]) -> DecodeResult:
    """Return the same of a sample that builds upon others, or has layers.

    Its tensors are parameters under the names of the model, as its last state has them.
    """
    original = stored_network(task.results["parameters"], task.limits)
    states = [
        result_from_json(StateResult, task.result(f"state.{part}"))
        for part in range(task.asked.states)
    ]
    last = task.results[f"state.{task.asked.states - 1}"]
    facts, own = states[-1].tensors, original.everything
    errors, alike, lossless = {}, {}, Lossless()
    if task.asked.lossless:
        lossless = lossless_comparison(facts, original.parameters, original.scalars)
    else:
        parameters = stored_parameters(last, task.limits)
        held = {n: a for n, a in parameters.items() if n in own and n not in original.constants}
        errors = {name: tensor_error(array, own[name], None) for name, array in held.items()}
        alike = {name: likeness(array, own[name]) for name, array in held.items()}
    stream = together([state.stream for state in states if state.stream is not None])
    features = tuple(sorted({feature for state in states for feature in state.features}))
    if "tensors" in task.results:
        whole = result_from_json(TensorsResult, task.result("tensors"))
        stream, features = whole.stream, whole.features
    return DecodeResult(
        coverage=(),
        fitted=facts,
        lossless=lossless,
        parameters=errors,
        likeness=likeness_of({name: each for name, each in alike.items() if each}),
        stream=stream,
        tensors=facts,
        features=features,
        usable=all_finite(facts),
    )


def _no_tensors(file: str) -> UnsupportedError:
    return UnsupportedError(
        "a sample that is itself a network cannot be judged as lossless",
        where=Location(file),
        expected="a sample that decodes to the tensors of the original",
        found="a network with a graph of its own",
        fix='declare it as "lossless": false, with a metric and a tolerance',
    )
