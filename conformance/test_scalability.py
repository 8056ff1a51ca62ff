"""Sixth suite: scalable samples give a better network with each layer."""

from __future__ import annotations

from conformance.judging.access import accesses
from conformance.judging.deltas import judge_change
from conformance.judging.judge import Judge
from conformance.judging.sizes import layer_size_claims
from conformance.plan.subjects import (
    LayerRunSubject,
    LayerStepSubject,
    LayerSubject,
    LayerValueSubject,
    RunSubject,
    SampleSubject,
)
from conformance.verdicts import Location, Problem

METADATA = "submission.json"
SHOWN = 20


def test_layer_decodes(subject: LayerSubject, judge: Judge) -> None:
    """The layers up to this one decode without the others, to a whole network of finite values."""
    measured = judge.result(subject.state)
    for wrong in measured.identity.wrong[:SHOWN]:
        judge.fail(
            Problem(
                message="the layer names a different parent than the layers before it",
                expected=wrong.expected,
                found=wrong.found,
                where=wrong.where,
                fix="encode the layer upon the layers before it as they are decoded",
            )
        )
    judge.require_fitting(measured.coverage)
    judge.require(
        not measured.usable or measured.differing != 0,
        "the layer adds nothing to the layers before it",
        expected="at least one tensor with other numbers than before",
        found=f"{measured.held} tensors in the layer, all zero or as they were"
        if measured.held
        else "no tensors in the layer",
        where=subject.place_in_sample(),
        fix="leave the layer out, or encode what it is to add",
    )
    bad = [name for name, facts in measured.tensors.items() if facts.non_finite]
    judge.require(
        not bad,
        f"{len(bad)} tensors hold values that are not finite",
        expected="finite values where the original's are finite",
        found=", ".join(sorted(bad)[:5]),
        where=subject.place_in_sample(min(bad, default=None)),
        fix="look for an overflow in this layer",
    )
    judge.passed(f"{measured.held} tensors decoded, {len(measured.tensors)} in all")


def test_base_layer_stays(subject: SampleSubject, judge: Judge) -> None:
    """Each subset gives the same tensors alone and at once; none is altered by what follows."""
    measured = judge.result(subject.layering)
    for layer in measured.differing:
        judge.fail(
            Problem(
                message=f"layer {layer!r} is not the same when the layers are decoded at once",
                expected="the tensors that the subset gives by itself",
                found="other tensors",
                where=subject.place_in_sample(),
                fix="report this to the authors of the codec",
            )
        )
    judge.require(
        not measured.altered,
        "tensors of the base layer were altered while later layers were decoded",
        expected="the same digest of every tensor before and after",
        found=", ".join(measured.altered[:5]),
        where=subject.place_in_sample(),
        fix="report this to the authors of the codec",
    )
    judge.require(
        measured.behind is not False,
        "the base layer depends on bytes of the layers behind it",
        expected="the same tensors with all that follows overwritten",
        found="other tensors",
        where=subject.place_in_sample(),
        fix="put everything that the base layer needs into its own units",
    )
    judge.require(
        measured.size == subject.sample.size,
        "the layers are not the whole sample",
        expected=f"{subject.sample.size} bytes in all layers",
        found=f"{measured.size} bytes",
        where=Location(METADATA, pointer=f"{subject.pointer}/layers"),
        fix=f"give every unit (0 to {measured.units - 1}) to a layer"
        if measured.units
        else "give every file to a layer",
    )
    behind = ", also with everything behind it overwritten" if measured.behind else ""
    judge.passed(f"{measured.tensors} tensors of the base layer are the same{behind}")


def test_layer_sizes(subject: LayerSubject, judge: Judge) -> None:
    """The bytes of the layer, and of those up to it, are as claimed."""
    claims = subject.layer.claims
    measured = layer_size_claims(claims, [judge.result(state) for state in subject.states])
    sizes = {claim.name: int(claim.measured) for claim in measured}
    evidence = {"layer": subject.layer.id, **sizes}
    for claim in measured:
        judge.require(
            claim.holds,
            f"the claimed {claim.name} of the layer is not the measured one",
            expected=f"{claim.claimed:.10g}, as claimed",
            found=f"{claim.measured:.10g}",
            where=Location(METADATA, pointer=f"{subject.pointer}/claims/{claim.name}"),
            fix=f"claim {claim.measured:.10g}",
            evidence=evidence,
        )
    judge.passed(
        f"{sizes['size']} bytes, {sizes['cumulative_size']} with the layers before it",
        evidence=evidence,
    )


def test_layer_runs(subject: LayerRunSubject, judge: Judge) -> None:
    """The network that the layers up to this one give runs on every item."""
    judge.require_all_items(subject, judge.result(subject.reconstruction))


def test_layer_metric(subject: LayerValueSubject, judge: Judge) -> None:
    """The metric of the network up to this layer is as claimed, within the claim's tolerance."""
    measured = judge.reconstructed_row(subject)
    judge.require_declared_value(
        subject,
        measured,
        {
            "layer": subject.layer.id,
            "direction": subject.metric.direction,
            "reference": measured.reference,
            "value": measured.value,
        },
    )


def test_metric_does_not_fall(subject: LayerStepSubject, judge: Judge) -> None:
    """From the layer before to this one the metric gets no worse than the tolerance allows."""
    metric = subject.metric
    measured, before = judge.reconstructed_row(subject), judge.row_before(subject)
    judged = judge_change(subject.use, metric, float(before.value), float(measured.value))
    judge.require(
        judged.passes,
        f"{metric.id} falls from the layer before to {subject.layer.id!r}: {judged.explanation}",
        expected=judged.expected,
        found=f"{float(before.value):.10g} before, {float(measured.value):.10g} with it",
        where=Location(METADATA, pointer=subject.pointer),
        fix="leave the layer out, or encode what it adds to the layers as they are decoded",
    )
    judge.passed(
        f"{metric.id}: {float(before.value):.10g} before, {float(measured.value):.10g} "
        f"with layer {subject.layer.id!r}"
    )


def test_tensors_alone(subject: SampleSubject, judge: Judge) -> None:
    """A tensor decoded alone has the bits that decoding all gives it, and little else is read."""
    measured = judge.result(subject.access)
    table, size = list(accesses(measured)), measured.file_bytes
    evidence = {"file_bytes": size, "tensors": [each.to_json() for each in table]}
    if not table:
        judge.fail(
            Problem(
                message="the sample holds no tensor that could be decoded alone",
                expected="a tensor, decoded without the others",
                found=f"no tensors in {size} bytes",
                where=subject.place_in_sample(),
                fix='remove "random_access" from the claims, or submit a sample that holds tensors',
            )
        )
        return
    for each in table:
        judge.require(
            each.sha256 == each.whole_sha256,
            f"tensor {each.tensor!r} decoded alone is another one than decoded with all",
            expected=each.whole_sha256,
            found=str(each.sha256 or "another digest each time"),
            where=subject.place_in_sample(each.tensor),
            fix="report this to the authors of the codec",
        )
    far = [each for each in table if not each.is_near]
    judge.require(
        not far,
        f"{len(far)} of {len(table)} tensors cannot be decoded without reading others",
        expected="; ".join(f"{e.tensor}: at most {e.allowed_bytes} bytes" for e in far[:SHOWN]),
        found="; ".join(f"{e.tensor}: {e.bytes_read} of {size} bytes read" for e in far[:SHOWN]),
        where=Location(METADATA, pointer=f"{subject.pointer}/claims/random_access"),
        fix='remove "random_access" from the claims, or store the tensors apart: without a '
        "container, each in a unit of its own",
        evidence=evidence,
    )
    judge.passed(
        f"{len(table)} of {measured.count} tensors decoded alone, from at most "
        f"{max(each.bytes_read for each in table)} of {size} bytes",
        evidence=evidence,
    )


def test_compressed_form_runs(subject: RunSubject, judge: Judge) -> None:
    """The compressed network itself runs; its time and memory are reported with the original's."""
    judge.result(subject.timed)
    # What is timed comes after a run on all items. Its figures depend on the machine: they are
    # part of the timing of the report, and not of a finding.
    items = subject.vectors.items
    judge.passed(
        f"the sample itself ran on {items} items, without reconstruction",
        evidence={"ran_on": items},
    )
