"""Second suite: the original networks are what they are declared to be."""

from __future__ import annotations

import math
from dataclasses import replace

from conformance.judging.conditions import conditions_of, in_words
from conformance.judging.control import controls_of
from conformance.judging.counted import counts_in_words, shortage_of
from conformance.judging.framework_defaults import unlike_defaults
from conformance.judging.judge import Judge
from conformance.judging.ports import port_differences
from conformance.plan.requests import untyped
from conformance.plan.results import (
    ModelResult,
    OriginalResult,
)
from conformance.plan.subjects import (
    AgreementSubject,
    DeclaredValueSubject,
    MeasureSubject,
    ModelSubject,
    VectorsSubject,
)
from conformance.verdicts import Location, NotRunError, Problem, Verdict

METADATA = "submission.json"
AS_WRITTEN = 1 + 1e-9
"""What a message rounds to ten digits is accepted when it is declared so."""
MOST_NAMED = 8
BYTES_PER_PARAMETER_BYTE = 2
ROOM_BYTES = 1 << 18
UNREAD_BYTES = 4 << 10
UNREAD_PERCENT = 1


def test_model_opens(subject: ModelSubject, judge: Judge) -> None:
    """The original network can be opened by the runtime of its format."""
    measured = judge.result(subject.opened)
    judge.passed(
        f"opened as {measured.format}",
        expected="a network that its runtime accepts",
        found=f"{measured.counts.parameters} parameters",
        evidence={
            "versions": dict(measured.versions),
            "used_parameter_bytes": measured.used_parameter_bytes,
        },
    )


def test_model_files(subject: ModelSubject, judge: Judge) -> None:
    """The network uses every file and parameter whose bytes count as its size."""
    measured = judge.result(subject.opened)
    for file in measured.unused_files:
        judge.fail(
            Problem(
                message=f"{file} is listed as part of the model, but the network does not use it",
                expected="files that the network is made of: their bytes are the original size",
                found=f"{file}, to which the network does not refer",
                where=Location(METADATA, pointer=f"{subject.pointer}/files", element=file),
                fix="list the file under associated_files, or remove it",
            )
        )
    _require_used_parameters(subject, judge, measured)
    _require_parameters_fill_files(subject, judge, measured)
    _require_bytes_are_read(judge, measured)
    judge.passed(
        "the network uses every one of its files and parameters",
        evidence={"unread_bytes": measured.unread.bytes},
    )


def test_model_loads_with_its_library_alone(subject: ModelSubject, judge: Judge) -> None:
    """Whoever opens the network with the library of its format needs no code besides."""
    classes = judge.result(subject.opened).foreign_classes
    judge.require(
        not classes,
        "the network names classes that the library of its format does not have",
        expected="a network that its library loads without code of its author",
        found=", ".join(classes[:MOST_NAMED]),
        where=Location(subject.model.files[0].rel_filepath),
        fix="export the network with tensors, tuples, lists and dictionaries as inputs and "
        "outputs; this is advice: the network was opened and run without these classes",
    )
    judge.passed("the network names nothing that its library does not have")


def _require_used_parameters(subject: ModelSubject, judge: Judge, measured: ModelResult) -> None:
    unused = measured.unused_parameters
    more = [f"and {len(unused) - MOST_NAMED} more"] if len(unused) > MOST_NAMED else []
    judge.require(
        not unused,
        "the network has parameters that none of its outputs depends on",
        expected="parameters that the network reads: their bytes are the original size",
        found=", ".join([*unused[:MOST_NAMED], *more]),
        where=Location(subject.model.files[0].rel_filepath, element=unused[0] if unused else None),
        fix=measured.unused_fix
        or "remove them from the network: their bytes would count as its size",
    )


def _require_parameters_fill_files(
    subject: ModelSubject, judge: Judge, measured: ModelResult
) -> None:
    size, used = subject.model.size, measured.used_parameter_bytes
    topology = measured.topology_bytes
    most = BYTES_PER_PARAMETER_BYTE * used + topology + ROOM_BYTES
    judge.require(
        size <= most,
        "the files of the model hold far more than its parameters",
        expected=f"at most {most} bytes for {used} bytes of parameters that the network uses, and "
        f"{topology} bytes of masks and index tables",
        found=f"{size} bytes",
        where=Location(subject.model.files[0].rel_filepath),
        fix="remove what the outputs do not need (documentation strings, metadata, unused "
        "tensors, functions for training), and store the parameters as tensors",
    )


def _require_bytes_are_read(judge: Judge, measured: ModelResult) -> None:
    """Bytes that nothing reads inflate the original as unused parameters do."""
    unread, used = measured.unread, measured.used_parameter_bytes
    most = UNREAD_BYTES + used * UNREAD_PERCENT // 100
    pieces = [f"{each.bytes} bytes in {each.file} ({each.piece})" for each in unread.largest]
    more = unread.count - len(pieces)
    fixes = dict.fromkeys(each.fix for each in unread.largest if each.fix)
    judge.require(
        unread.bytes <= most,
        "the files of the model hold many bytes that nothing reads",
        expected=f"at most {most} such bytes: {UNREAD_BYTES}, and {UNREAD_PERCENT} % of the {used} "
        "bytes of parameters that the network uses",
        found="; ".join(
            [f"{unread.bytes} bytes", *pieces, *([f"and {more} more"] if more else [])]
        ),
        where=Location(unread.largest[0].file, element=unread.largest[0].piece) if pieces else None,
        fix="; ".join(
            [
                measured.unused_fix
                or "remove them from the files: they would count as the size of the original",
                *fixes,
            ]
        ),
    )


def test_parameters_have_an_effect(subject: VectorsSubject, judge: Judge) -> None:
    """No tensor that holds much of the parameters can be changed without changing an output."""
    effect = judge.result(subject.original).effect
    without = effect.without_effect
    shown = [f"{each.name} ({each.bytes} bytes)" for each in without[:MOST_NAMED]]
    more = [f"and {len(without) - MOST_NAMED} more"] if len(without) > MOST_NAMED else []
    lost = sum(each.bytes for each in without)
    judge.require(
        not without,
        "changing some parameters changes no output",
        expected="parameters that outputs depend on: their bytes count in the parameter factor",
        found=", ".join([*shown, *more]) + f"; in all {lost} of {effect.bytes} bytes of "
        f"parameters; tried on {effect.items} items",
        where=Location(
            subject.model.files[0].rel_filepath, element=without[0].name if without else None
        ),
        fix="remove the parameters if the network computes nothing with them; this is advice: "
        "units that are never active, and rows that these items do not look up, are no defect",
    )
    judge.passed(
        f"{effect.tried_bytes} of {effect.bytes} bytes of parameters have an effect",
        expected="parameters that outputs depend on",
        found=f"{effect.runs} runs on {effect.items} items",
        evidence={"effect": untyped(effect)},
    )


def test_inputs_and_outputs(subject: ModelSubject, judge: Judge) -> None:
    """Names, types and shapes of inputs and outputs are as declared."""
    measured = judge.result(subject.opened)
    for side in ("inputs", "outputs"):
        for difference in port_differences(getattr(subject.model, side), getattr(measured, side)):
            judge.fail(
                Problem(
                    message=difference.message,
                    expected=difference.declared,
                    found=difference.measured,
                    where=Location(METADATA, pointer=f"{subject.pointer}/{side}"),
                    fix=f"declare the {side} as the network file has them",
                )
            )
    judge.passed("inputs and outputs are as declared")


def test_parameter_count(subject: ModelSubject, judge: Judge) -> None:
    """The network has as many parameters as declared.

    Frameworks count differently: scalars and topology may be counted as well.
    """
    declared, measured = subject.model.parameter_count, judge.result(subject.opened)
    counts = measured.counts
    parameters, stored = counts.parameters, counts.stored
    found = (
        f"{parameters} parameters, {counts.scalars} scalars and {counts.topology} elements "
        "of the topology in the network file"
    )
    judge.require(
        parameters <= declared <= stored,
        "the declared parameter count is not that of the network",
        expected=f"{declared} parameters, as declared",
        found=found,
        where=Location(METADATA, pointer=f"{subject.pointer}/parameter_count"),
        fix=f"set parameter_count to {parameters}"
        + (f" (up to {stored}, all stored elements, is accepted)" if stored > parameters else "")
        + ", or submit the network that was meant",
    )
    size, size_of_parameters = subject.model.size, measured.parameter_bytes
    judge.passed(
        f"{parameters} parameters, {size_of_parameters} of the model's {size} bytes",
        expected=str(declared),
        found=found,
        evidence={
            "parameter_bytes": size_of_parameters,
            "model_bytes": size,
            "counts": untyped(counts),
        },
    )


def test_parameters_replaceable(subject: ModelSubject, judge: Judge) -> None:
    """A sample leaves nothing in place that the network has learned."""
    measured = judge.result(subject.opened)
    if measured.unreplaceable is not None:
        raise measured.unreplaceable
    counts = measured.counts
    judge.passed(
        f"samples replace all {counts.parameters} parameters",
        expected="little else than parameters in the network",
        found=f"{counts.scalars} scalars, {counts.topology} elements of the topology",
    )


def test_original_runs(subject: VectorsSubject, judge: Judge) -> None:
    """The original runs on every item of the vector set, and every metric can be computed."""
    measured = judge.result(subject.original)
    judge.require(
        measured.items == subject.vectors.items,
        "not every item was run",
        expected=f"{subject.vectors.items} items",
        found=f"{measured.items} items",
        where=Location(METADATA, pointer=f"{subject.pointer}/shards"),
        fix="declare the number of items that the vector files hold",
    )
    opinion = measured.second_opinion
    judge.passed(
        f"all {measured.items} items were run",
        found=in_words(measured),
        evidence={
            "conditions": conditions_of(measured),
            "second_opinion": None if opinion is None else opinion.to_json(),
        },
    )


def test_outputs_reproduced(subject: VectorsSubject, judge: Judge) -> None:
    """The original's outputs equal the declared ones within the declared output tolerance."""
    allowed = subject.vectors.output_tolerance
    measured = judge.result(subject.original)
    compared = measured.outputs
    for name, output in sorted(compared.items()):
        judge.require(
            output.violations == 0,
            f"output {name!r} is not what the vectors declare",
            expected=f"|measured - declared| <= {allowed.atol:g} + {allowed.rtol:g}·|declared|",
            found=f"{output.violations} of {output.values} values differ by more, "
            f"the largest difference is {float(output.max_abs):.6g}",
            where=Location(output.file, element=f"{name}{output.worst}"),
            fix="submit the outputs of this very network on these inputs, or declare an "
            "output_tolerance that holds between laboratories"
            + unlike_defaults(subject.format_that_runs),
        )
        widest = measured.widest_atol[name]
        if widest is None:
            continue
        judge.require(
            allowed.atol <= widest * AS_WRITTEN,
            f"the output tolerance is so wide that it says nothing about {name!r}",
            expected=f"atol at most {widest:.10g}: 5% of the median over items of the root mean "
            "square of the measured output (1e-05 if it is zero)",
            found=f"{allowed.atol:g}",
            where=Location(METADATA, pointer=f"{subject.pointer}/output_tolerance/atol"),
            fix=f"declare the tolerance that two laboratories need, {widest:.10g} or less",
        )
    _require_declared_outputs(subject, judge, measured)
    judge.passed("the declared outputs were reproduced", evidence={"outputs": untyped(compared)})


def _require_declared_outputs(
    subject: VectorsSubject, judge: Judge, measured: OriginalResult
) -> None:
    undeclared = measured.undeclared
    named = [
        f"{name} (read by {', '.join(judge.in_order(readers))})"
        if readers
        else f"{name} (parameters change it)"
        for name, readers in undeclared.items()
    ]
    more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
    judge.require(
        not undeclared,
        "outputs of the original are not declared: "
        + ", ".join([*list(undeclared)[:MOST_NAMED], *more]),
        expected="in every shard, each output that a metric reads or that depends on parameters",
        found="not declared: " + ", ".join([*named[:MOST_NAMED], *more]),
        where=Location(METADATA, pointer=f"{subject.pointer}/shards"),
        fix="add these outputs of the original network to the outputs of every shard",
    )
    judge.require(
        bool(undeclared or measured.outputs),
        "the vectors declare no outputs of the original",
        expected="expected outputs in every shard",
        found="none",
        where=Location(METADATA, pointer=f"{subject.pointer}/shards"),
        fix="add the outputs of the original network to the shards",
    )


def test_formats_agree(subject: AgreementSubject, judge: Judge) -> None:
    """The network gives the outputs it gives in another format, within the output tolerance."""
    allowed = subject.vectors.output_tolerance
    compared = judge.result(subject.agreement)
    if not compared.outputs:
        judge.fail(
            Problem(
                message="there are no outputs to compare",
                expected="the outputs of both networks",
                found="none",
                where=Location(METADATA, pointer=subject.pointer),
                fix="declare the networks' outputs",
            )
        )
        return
    for name, output in sorted(compared.outputs.items()):
        judge.require(
            output.violations == 0,
            f"output {name!r} is not what {subject.other.id} gives",
            expected=f"|difference| <= {allowed.atol:g} + {allowed.rtol:g}·|output there|",
            found=f"{output.violations} of {output.values} values differ by more, "
            f"the largest difference is {float(output.max_abs):.6g}",
            where=Location(METADATA, pointer=subject.pointer, element=f"{name}{output.worst}"),
            fix="export both formats from the same trained parameters, or declare an "
            "output_tolerance that the two runtimes need",
        )
    spread = max(float(output.max_abs) for output in compared.outputs.values())
    judge.passed(f"the outputs differ by at most {spread:.3g}", evidence=compared.to_json())


def test_items_differ(subject: VectorsSubject, judge: Judge) -> None:
    """The items of a vector set are not one item, repeated."""
    measured = judge.result(subject.original)
    judge.require(
        measured.items == 1 or measured.distinct_items > 1,
        f"all {measured.items} items of the vectors are the same; this is advice: the metrics "
        "were computed, and say no more than on a single one",
        expected="items that differ",
        found=f"one item, {measured.items} times",
        where=Location(METADATA, pointer=subject.pointer),
        fix="submit different items, or each of them once",
    )
    judge.passed(f"{measured.distinct_items} of {measured.items} items are distinct")


def test_metric_measured(subject: MeasureSubject, judge: Judge) -> None:
    """A metric can be measured on the original, is finite, and its direction is the right one."""
    row = judge.original_row(subject)
    judge.require(
        row.better == subject.metric.direction,
        f"the declared direction of {subject.metric.id!r} contradicts its kind",
        expected=f"{row.better} values of {subject.metric.kind} are better",
        found=f"{subject.metric.direction}, as declared",
        where=Location(METADATA, pointer=f"{subject.pointer}/direction"),
        fix=f'declare "direction": "{row.better}"',
    )
    counted = counts_in_words(row.counted)
    finite = math.isfinite(float(row.value))
    if not finite and (short := shortage_of(row)) is not None:
        judge.fail(
            Problem(
                message=f"metric {subject.metric.id!r} of the original has no value: "
                f"{short.explanation}",
                expected=short.expected,
                found=counted,
                where=Location(METADATA, pointer=subject.pointer),
                fix=short.fix,
            ),
            verdict=Verdict.UNDECIDED,
        )
        return
    judge.require(
        finite,
        f"metric {subject.metric.id!r} of the original is not a finite number",
        expected="a finite value to compare with",
        found=str(row.value),
        where=Location(METADATA, pointer=subject.pointer),
        fix="choose a metric that is finite for the original, or correct targets and bindings",
    )
    judge.passed(
        f"{subject.metric.id} is {row.value}",
        found=counted,
        evidence={"details": dict(row.details), "counted": dict(row.counted)},
    )


def test_tolerances_notice_controls(subject: MeasureSubject, judge: Judge) -> None:
    """No tolerance accepts, or comes near to, a network that has lost what it had learned."""
    row, metric = judge.original_row(subject), subject.metric
    if not math.isfinite(float(row.value)):
        raise NotRunError(
            f"{metric.id!r} of the original is not a finite number",
            expected="METRIC-MEASURE-001 passes",
            found=str(row.value),
            fix="fix the finding of METRIC-MEASURE-001 first",
        )
    measured = judge.result(subject.control)
    controls = controls_of(
        float(row.value), row.better, measured.items, measured.metrics[metric.id]
    )
    blind = list(controls.blind(metric.id, subject.tolerances))
    for problem in blind:
        where = Location(METADATA, pointer=subject.pointer)
        judge.fail(replace(problem, where=where))
    failure = controls.failure
    judge.require(
        bool(blind) or failure is None,
        "the controls show nothing",
        expected="values of the metric for a network of zeros and for shuffled ones, one of them "
        "finite",
        found=failure.message if failure else "",
        where=(failure.where if failure else None) or Location(METADATA, pointer=subject.pointer),
        fix="let the network run with any values of its parameters; or waive this check, and say "
        "in the reason why the tolerances are strict enough",
        verdict=Verdict.UNDECIDED,
    )
    judge.passed(f"{metric.id} notices both controls", found=controls.said)


def test_metric_value_reproduced(subject: DeclaredValueSubject, judge: Judge) -> None:
    """A metric value declared for the original is the measured one, within its tolerance."""
    judge.require_declared_value(subject, judge.original_row(subject))
