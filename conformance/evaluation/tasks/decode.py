"""A sample: decode it, and compare what comes out with the parameters of the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from conformance.codecs import DecodedModel, DecodedTensors, Inspection
from conformance.evaluation.tasks.coverage import parameter_coverage, port_coverage
from conformance.evaluation.tasks.facts import Facts, lossless_comparison, tensor_facts
from conformance.evaluation.tasks.work import Work
from conformance.runtimes import ModelSource, Network, runtime
from conformance.submission.values import Sample
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json, Location, UnsupportedError

MOST_VIOLATIONS = 50
"""Violations, and warnings, of one stream that are told one by one."""


def decode_sample(work: Work) -> Json:
    """Return digest, shape and soundness of every tensor of the sample, and how it fits.

    ``usable`` says whether a network can be reconstructed from it. ``stream`` holds the claims and
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


def renamed(sample: Sample, tensors: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the tensors under the names that the sample's name map gives them.

    Raises :class:`~conformance.verdicts.ConformanceError` where the map names no tensor of the
    sample, or gives two tensors one name.
    """
    names = {entry.sample: entry.model for entry in sample.name_map}
    unknown = sorted(set(names) - set(tensors))
    new = [names.get(name, name) for name in tensors]
    if unknown or len(set(new)) < len(new):
        raise ConformanceError(
            "the name map does not fit the sample",
            where=Location("submission.json", element=f"name_map of sample {sample.id}"),
            expected=f"names of decoded tensors, each given a name of its own: "
            f"{', '.join(sorted(tensors))}",
            found=f"{', '.join(unknown)}, which the sample does not hold"
            if unknown
            else "one name for two tensors",
            mend="correct the entries of name_map",
        )
    return _Renamed(tensors, names)


class _Renamed(Mapping[str, Array]):
    """Decoded tensors under the names of the model's parameters; still decoded on access."""

    def __init__(self, tensors: Mapping[str, Array], names: Mapping[str, str]) -> None:
        self._tensors = tensors
        self._old = {names.get(name, name): name for name in tensors}

    def __getitem__(self, name: str) -> Array:
        return self._tensors[self._old[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._old)

    def __len__(self) -> int:
        return len(self._old)


def _decoded_model(work: Work, decoded: DecodedModel) -> tuple[Json, dict[str, Facts]]:
    original, file = work.original(), work.sample.files[0].rel_filepath
    with sample_network(work, decoded) as network:
        tensors = _facts(network.parameters, {}, {})
        coverage = list(port_coverage(network, original, file))
    lossless = {"error": _no_tensors(file).to_json()}
    return {"coverage": coverage, "lossless": lossless, "stream": None}, tensors


def _decoded_tensors(work: Work, decoded: DecodedTensors) -> tuple[Json, dict[str, Facts]]:
    original, file = work.original(), work.sample.files[0].rel_filepath
    original.check_replaceable()
    parameters = original.parameters
    renamed(work.sample, decoded)
    names = {entry.sample: entry.model for entry in work.sample.name_map}
    tensors = _facts(decoded, names, parameters)
    fitting = {names.get(name, name): facts for name, facts in tensors.items()}
    coverage = list(parameter_coverage(fitting, parameters, original.topology_constants, file))
    lossless = lossless_comparison(fitting, parameters) if work.sample.lossless else {}
    stream = _inspected(decoded.inspect) if decoded.inspect else None
    return {"coverage": coverage, "lossless": lossless, "stream": stream}, tensors


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


def _facts(
    tensors: Mapping[str, Array], names: Mapping[str, str], parameters: Mapping[str, Array]
) -> dict[str, Facts]:
    """Return the facts of every tensor; one is decoded at a time."""
    return {
        name: tensor_facts(tensors[name], parameters.get(names.get(name, name)))
        for name in sorted(tensors)
    }


def _no_tensors(file: str) -> UnsupportedError:
    return UnsupportedError(
        "a sample that is itself a network cannot be judged as lossless",
        where=Location(file),
        expected="a sample that decodes to the tensors of the original",
        found="a network with a graph of its own",
        mend='declare it as "lossless": false, with a metric and a tolerance',
    )
