"""Second suite: the original networks are what they are declared to be."""

from __future__ import annotations

import math
from collections.abc import Mapping

from conformance.evaluation.plan import Subject
from conformance.session.conditions import conditions_of, in_words
from conformance.session.control import judge_control
from conformance.session.framework_defaults import unlike_defaults
from conformance.session.judge import Judge
from conformance.session.ports import port_differences
from conformance.verdicts import Json, Location, error_from_json

METADATA = "submission.json"
WIDEST = 0.05
SMALLEST_ATOL = 1e-5
MOST_NAMED = 8
BYTES_PER_PARAMETER_BYTE = 2
ROOM_BYTES = 1 << 18


def test_model_opens(judge: Judge) -> None:
    """The original network can be opened by the runtime of its format."""
    measured = judge.evidence("model")
    judge.passed(
        f"opened as {measured['format']}",
        expected="a network that its runtime accepts",
        found=f"{measured['counts']['parameters']} parameters",
        evidence={"versions": measured["versions"]},
    )


def test_model_files(subject: Subject, judge: Judge) -> None:
    """The network uses every file and parameter whose bytes count as its size."""
    measured = judge.evidence("model")
    for file in measured["unused_files"]:
        judge.require(
            False,
            f"{file} is listed as part of the model, but the network does not use it",
            expected="files that the network is made of: their bytes are the original size",
            found=f"{file}, to which the network does not refer",
            where=Location(METADATA, pointer=f"{subject.pointer}/files", element=file),
            mend="list the file under associated_files, or remove it",
        )
    _require_used_parameters(subject, judge, measured)
    _require_parameters_fill_files(subject, judge, measured)
    judge.passed("the network uses every one of its files and parameters")


def test_model_loads_with_its_library_alone(subject: Subject, judge: Judge) -> None:
    """Whoever opens the network with the library of its format needs no code besides."""
    assert subject.model is not None
    classes = judge.evidence("model")["foreign_classes"]
    judge.require(
        not classes,
        "the network names classes that the library of its format does not have",
        expected="a network that its library loads without code of its author",
        found=", ".join(classes[:MOST_NAMED]),
        where=Location(subject.model.files[0].rel_filepath),
        mend="export the network with tensors, tuples, lists and dictionaries as inputs and "
        "outputs; this is advice: the network was opened and run without these classes",
    )
    judge.passed("the network names nothing that its library does not have")


def _require_used_parameters(subject: Subject, judge: Judge, measured: Mapping[str, Json]) -> None:
    assert subject.model is not None
    unused = measured["unused_parameters"]
    more = [f"and {len(unused) - MOST_NAMED} more"] if len(unused) > MOST_NAMED else []
    judge.require(
        not unused,
        "the network has parameters that none of its outputs depends on",
        expected="parameters that the network reads: their bytes are the original size",
        found=", ".join([*unused[:MOST_NAMED], *more]),
        where=Location(subject.model.files[0].rel_filepath, element=unused[0] if unused else None),
        mend=measured.get("unused_fix")
        or "remove them from the network: their bytes would count as its size",
    )


def _require_parameters_fill_files(
    subject: Subject, judge: Judge, measured: Mapping[str, Json]
) -> None:
    assert subject.model is not None
    size, used = subject.model.size, measured["used_parameter_bytes"]
    topology = measured["topology_bytes"]
    most = BYTES_PER_PARAMETER_BYTE * used + topology + ROOM_BYTES
    judge.require(
        size <= most,
        "the files of the model hold far more than its parameters",
        expected=f"at most {most} bytes for {used} bytes of parameters that the network uses, and "
        f"{topology} bytes of masks and index tables",
        found=f"{size} bytes",
        where=Location(subject.model.files[0].rel_filepath),
        mend="remove what the outputs do not need (documentation strings, metadata, unused "
        "tensors, functions for training), and store the parameters as tensors",
    )


def test_inputs_and_outputs(subject: Subject, judge: Judge) -> None:
    """Names, types and shapes of inputs and outputs are as declared."""
    measured = judge.evidence("model")
    for side in ("inputs", "outputs"):
        for difference in port_differences(getattr(subject.model, side), measured[side]):
            judge.require(
                False,
                difference.message,
                expected=difference.declared,
                found=difference.measured,
                where=Location(METADATA, pointer=f"{subject.pointer}/{side}"),
                mend=f"declare the {side} as the network file has them",
            )
    judge.passed("inputs and outputs are as declared")


def test_parameter_count(subject: Subject, judge: Judge) -> None:
    """The network has as many parameters as declared.

    Frameworks count differently: scalars and topology may be counted as well.
    """
    assert subject.model is not None
    declared, measured = subject.model.parameter_count, judge.evidence("model")
    counts = measured["counts"]
    parameters, stored = counts["parameters"], sum(counts.values())
    found = (
        f"{parameters} parameters, {counts['scalars']} scalars and {counts['topology']} elements "
        "of the topology in the network file"
    )
    judge.require(
        parameters <= declared <= stored,
        "the declared parameter count is not that of the network",
        expected=f"{declared} parameters, as declared",
        found=found,
        where=Location(METADATA, pointer=f"{subject.pointer}/parameter_count"),
        mend=f"set parameter_count to {parameters}"
        + (f" (up to {stored}, all stored elements, is accepted)" if stored > parameters else "")
        + ", or submit the network that was meant",
    )
    size, size_of_parameters = subject.model.size, measured["parameter_bytes"]
    judge.passed(
        f"{parameters} parameters, {size_of_parameters} of the model's {size} bytes",
        expected=str(declared),
        found=found,
        evidence={
            "parameter_bytes": size_of_parameters,
            "model_bytes": size,
            "counts": counts,
        },
    )


def test_parameters_replaceable(judge: Judge) -> None:
    """A sample leaves nothing in place that the network has learned."""
    measured = judge.evidence("model")
    if measured["unreplaceable"] is not None:
        raise error_from_json(measured["unreplaceable"])
    counts = measured["counts"]
    judge.passed(
        f"samples replace all {counts['parameters']} parameters",
        expected="little else than parameters in the network",
        found=f"{counts['scalars']} scalars, {counts['topology']} elements of the topology",
    )


def test_original_runs(subject: Subject, judge: Judge) -> None:
    """The original runs on every item of the vector set, and every metric can be computed."""
    assert subject.vectors is not None
    measured = judge.evidence("original")
    judge.require(
        measured["items"] == subject.vectors.items,
        "not every item was run",
        expected=f"{subject.vectors.items} items",
        found=f"{measured['items']} items",
        where=Location(METADATA, pointer=f"{subject.pointer}/shards"),
        mend="declare the number of items that the vector files hold",
    )
    judge.passed(
        f"all {measured['items']} items were run",
        found=in_words(measured),
        evidence={
            "conditions": conditions_of(measured),
            "second_opinion": measured["second_opinion"],
        },
    )


def test_outputs_reproduced(subject: Subject, judge: Judge) -> None:
    """The original's outputs equal the declared ones within the declared output tolerance."""
    assert subject.vectors is not None
    allowed = subject.vectors.output_tolerance
    compared = judge.evidence("original")["outputs"]
    for name, output in sorted(compared.items()):
        judge.require(
            output["violations"] == 0,
            f"output {name!r} is not what the vectors declare",
            expected=f"|measured - declared| <= {allowed.atol:g} + {allowed.rtol:g}·|declared|",
            found=f"{output['violations']} of {output['values']} values differ by more, "
            f"the largest difference is {float(output['max_abs']):.6g}",
            where=Location(output["file"], element=f"{name}{output['worst']}"),
            mend="submit the outputs of this very network on these inputs, or declare an "
            "output_tolerance that holds between laboratories"
            + unlike_defaults(judge.format_that_runs),
        )
        widest = max(SMALLEST_ATOL, WIDEST * float(output["scale"]))
        judge.require(
            allowed.atol <= widest or not output["scale"],
            f"the output tolerance is so wide that it says nothing about {name!r}",
            expected=f"atol at most {widest:g}: {WIDEST:.0%} of the largest declared value",
            found=f"{allowed.atol:g}",
            where=Location(METADATA, pointer=f"{subject.pointer}/output_tolerance/atol"),
            mend="declare the tolerance that two laboratories need, such as 1e-5",
        )
    judge.require(
        bool(compared),
        "the vectors declare no outputs of the original",
        expected="expected outputs in every shard",
        found="none",
        where=Location(METADATA, pointer=f"{subject.pointer}/shards"),
        mend="add the outputs of the original network to the shards",
    )
    judge.passed("the declared outputs were reproduced", evidence={"outputs": compared})


def test_formats_agree(subject: Subject, judge: Judge) -> None:
    """The network gives the outputs it gives in another format, within the output tolerance."""
    assert subject.vectors is not None
    allowed = subject.vectors.output_tolerance
    (other,) = subject.others
    compared = judge.evidence("agreement")
    for name, output in sorted(compared["outputs"].items()):
        judge.require(
            output["violations"] == 0,
            f"output {name!r} is not what {other.id} gives",
            expected=f"|difference| <= {allowed.atol:g} + {allowed.rtol:g}·|output there|",
            found=f"{output['violations']} of {output['values']} values differ by more, "
            f"the largest difference is {float(output['max_abs']):.6g}",
            where=Location(METADATA, pointer=subject.pointer, element=f"{name}{output['worst']}"),
            mend="export both formats from the same trained parameters, or declare an "
            "output_tolerance that the two runtimes need",
        )
    spread = max((float(o["max_abs"]) for o in compared["outputs"].values()), default=0.0)
    judge.require(
        bool(compared["outputs"]),
        "there are no outputs to compare",
        expected="the outputs of both networks",
        found="none",
        where=Location(METADATA, pointer=subject.pointer),
        mend="declare the networks' outputs",
    )
    judge.passed(f"the outputs differ by at most {spread:.3g}", evidence=compared)


def test_metric_measured(judge: Judge) -> None:
    """A metric can be measured on the original, is finite, and its direction is the right one."""
    row = judge.measured("original")
    judge.require(
        row["better"] == judge.metric.direction,
        f"the declared direction of {judge.metric.id!r} contradicts its kind",
        expected=f"{row['better']} values of {judge.metric.kind} are better",
        found=f"{judge.metric.direction}, as declared",
        where=Location(METADATA, pointer=f"{judge.subject.pointer}/direction"),
        mend=f'declare "direction": "{row["better"]}"',
    )
    judge.require(
        math.isfinite(float(row["value"])),
        f"metric {judge.metric.id!r} of the original is not a finite number",
        expected="a finite value to compare with",
        found=str(row["value"]),
        where=Location(METADATA, pointer=judge.subject.pointer),
        mend="choose a metric that is finite for the original, or correct targets and bindings",
    )
    judge.passed(f"{judge.metric.id} is {row['value']}", evidence={"details": row["details"]})


def test_metric_notices_an_empty_network(judge: Judge) -> None:
    """No tolerance of the metric would accept a network in which every parameter is zero."""
    row = judge.measured("original")
    control = judge_control(judge.subject, judge.metric, row["better"], row["control"])
    judge.require(
        control.noticed,
        f"metric {judge.metric.id!r} accepts an empty network as well",
        expected="a network with every parameter zero lies outside the tolerance",
        found=control.found,
        where=Location(METADATA, pointer=judge.subject.pointer),
        mend="bind an output that depends on the parameters, choose a metric that sees its values "
        "(cosine-similarity sees only the sign of a single number), or declare a tolerance that "
        "means something in the use case",
    )
    judge.passed(f"{judge.metric.id} notices an empty network", found=control.found)


def test_metric_value_reproduced(judge: Judge) -> None:
    """A metric value declared for the original is the measured one, within its tolerance."""
    judge.require_declared_value(judge.measured("original"))
