"""What a sample decodes to, compared with the parameters of the original."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.jobs.chain_state import stored_parameters
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of, port_coverage
from conformance.jobs.inspecting import together
from conformance.jobs.name_map import fitted_tensors
from conformance.jobs.stored_arrays import stored_arrays
from conformance.jobs.stored_network import TENSORS, require_replaceable, stored_network
from conformance.jobs.tensor_stats import (
    Facts,
    Survey,
    likeness,
    likeness_block,
    lossless_comparison,
    model_facts,
    tensor_error,
)
from conformance.jobs.vectors import ports_of
from conformance.plan.requests import DecodedStatesRequest, DecodeRequest
from conformance.verdicts import Json, Location, UnsupportedError


def compare_tensors(task: TaskContext[DecodeRequest]) -> Json:
    """Return digest, shape and soundness of every tensor of the sample, and how it fits.

    ``usable`` says whether a network can be reconstructed from it. ``parameters`` has the error
    of every parameter of a lossy sample that is a set of tensors, ``likeness`` which of them have
    nothing in common with the original's. ``stream`` holds the claims and the broken rules of a
    bitstream, None for samples that are not one.
    """
    asked, decoded = task.asked, task.result("tensors")
    require_replaceable(task.result("parameters"), task.id("model"))
    original = stored_network(task.results["parameters"], task.limits)
    tensors = stored_arrays(task.results["tensors"], TENSORS, task.limits)
    mapped = fitted_tensors(task, asked.part, tensors, original)
    survey = Survey(mapped, original, decoded["stored_bits"])
    survey.look_at(tensors, with_errors=not asked.lossless)
    coverage = list(coverage_of(survey, original, task.display(asked.part.files[0])))
    lossless = {}
    if asked.lossless:
        learned = original.parameters, original.scalars
        lossless = lossless_comparison(survey.fitted, *learned, converted=survey.converted)
    return {
        "coverage": coverage,
        "fitted": survey.fitted if asked.compared else {},
        "lossless": lossless,
        "parameters": survey.errors,
        "likeness": likeness_block(survey.likeness),
        "stream": decoded["stream"],
        "tensors": survey.tensors,
        "features": decoded["features"],
        "usable": _is_finite(survey.tensors) and not coverage,
    }


def compare_networks(task: TaskContext[DecodeRequest]) -> Json:
    """Return the same of a sample that is itself a network.

    ``implied_features`` of it may be declared, and need not be.
    """
    file, opened = task.display(task.asked.part.files[0]), task.result("network")
    own, original = (
        stored_network(task.results[role], task.limits) for role in ("network", "parameters")
    )
    facts, wanted = model_facts(own, original), task.result("model")
    sides = {
        side: (ports_of(opened, side), ports_of(wanted, side)) for side in ("inputs", "outputs")
    }
    coverage = list(port_coverage(sides, file))
    return {
        "implied_features": opened["implied"],
        "coverage": coverage,
        "fitted": None,
        "lossless": {"error": _no_tensors(file).to_json()},
        "parameters": {},
        "likeness": likeness_block({}),
        "stream": None,
        "tensors": facts,
        "features": opened["features"],
        "usable": _is_finite(facts) and not coverage,
    }


def compare_states(task: TaskContext[DecodedStatesRequest]) -> Json:
    """Return the same of a sample that builds upon others, or has layers.

    Its tensors are parameters under the names of the model, as its last state has them.
    """
    original = stored_network(task.results["parameters"], task.limits)
    results = [task.result(f"state.{part}") for part in range(task.asked.states)]
    last = task.results[f"state.{task.asked.states - 1}"]
    facts, own = results[-1]["tensors"], original.everything
    errors, alike, lossless = {}, {}, {}
    if task.asked.lossless:
        lossless = lossless_comparison(facts, original.parameters, original.scalars)
    else:
        parameters = stored_parameters(last, task.limits)
        held = {n: a for n, a in parameters.items() if n in own and n not in original.constants}
        errors = {name: tensor_error(array, own[name], None) for name, array in held.items()}
        alike = {name: likeness(array, own[name]) for name, array in held.items()}
    whole = task.result("tensors") if "tensors" in task.results else None
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
        "usable": _is_finite(facts),
    }


def _is_finite(tensors: Mapping[str, Facts]) -> bool:
    return not any(facts["non_finite"] for facts in tensors.values())


def _no_tensors(file: str) -> UnsupportedError:
    return UnsupportedError(
        "a sample that is itself a network cannot be judged as lossless",
        where=Location(file),
        expected="a sample that decodes to the tensors of the original",
        found="a network with a graph of its own",
        fix='declare it as "lossless": false, with a metric and a tolerance',
    )
