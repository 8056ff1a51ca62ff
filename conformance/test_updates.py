"""Fifth suite: incremental updates lead from parent to child, and to nothing else."""

from __future__ import annotations

from conformance.judging.equality import differing_tensors
from conformance.judging.judge import Judge
from conformance.plan.subjects import (
    DerivedSubject,
    EqualSubject,
    MisappliedSubject,
    PartSubject,
    SampleSubject,
)
from conformance.verdicts import Location, Problem

METADATA = "submission.json"
SHOWN = 20
END_OF_CHAIN = "the chain ends earlier: the digests declared for its last state tell"


def test_parent_is_the_one_named(subject: PartSubject, judge: Judge) -> None:
    """Ids, depth and hashes by which the bitstream names its parent are those of its parent."""
    identity = judge.result(subject.state).identity
    for wrong in identity.wrong[:SHOWN]:
        judge.fail(
            Problem(
                message=f"the update names a different parent for {wrong.tensor!r}"
                if wrong.tensor
                else "the update names a different parent",
                expected=wrong.expected,
                found=wrong.found,
                where=wrong.where,
                fix="declare the sample that the update was made for in update_of, or make the "
                "update for this one",
            ),
            evidence={"wrong": len(identity.wrong)},
        )
    count = sum(identity.named.values())
    how = ", ".join(f"{number} by {kind}" for kind, number in sorted(identity.named.items()))
    judge.passed(
        f"{count} of {identity.places} places in the bitstream name a parent, which it is",
        found=how or "none: the misapplied updates tell what that means",
        evidence={"places": identity.places, "named": dict(identity.named)},
    )


def test_update_applies(subject: PartSubject, judge: Judge) -> None:
    """Every tensor of the update is one of its base, of the same shape, in a type that fits."""
    measured = judge.result(subject.state)
    judge.require_identity(measured)
    judge.require_fitting(measured.coverage)
    changed = measured.changed
    judge.passed(
        f"{len(changed)} of {measured.base_tensors} tensors are updated",
        evidence={"updated": len(changed), "tensors": measured.base_tensors},
    )


def test_base_is_left_alone(subject: PartSubject, judge: Judge) -> None:
    """Parameters and decoder state of the base are the same before and after."""
    measured = judge.result(subject.state)
    judge.require_identity(measured)
    judge.require(
        not measured.altered,
        "decoding the update altered its base",
        expected="the same digest of every tensor before and after",
        found=", ".join(measured.altered[:SHOWN]),
        where=subject.place_in_sample(),
        fix="report this to the authors of the codec: other updates start from the same base",
    )
    judge.passed(f"{measured.base_tensors} tensors of the base are as they were")


def test_branches_merge(subject: SampleSubject, judge: Judge) -> None:
    """The weighted mean of the branches can be formed."""
    measured = judge.result(subject.state)
    for misfit in measured.coverage:
        judge.fail(
            Problem(
                message=misfit.message,
                expected=misfit.expected,
                found=misfit.found,
                where=Location(
                    METADATA, pointer=f"{subject.pointer}/merge_of", element=misfit.tensor
                ),
                fix=misfit.fix,
            )
        )
    branches = subject.sample.merge_of
    total = sum(branch.weight for branch in branches)
    shares = {branch.sample: branch.weight / total for branch in branches}
    judge.passed(f"{len(branches)} branches are merged", evidence={"shares": shares})


def test_cumulative_size(subject: DerivedSubject, judge: Judge) -> None:
    """The bytes of all files from the root of the chain are as claimed, each counted once."""
    measured, claimed = subject.leading_bytes, subject.sample.claims.cumulative_size
    judge.require(
        measured == claimed,
        "the claimed cumulative_size is not the measured one",
        expected=f"{claimed}, as claimed",
        found=f"{measured} bytes",
        where=Location(METADATA, pointer=f"{subject.pointer}/claims/cumulative_size"),
        fix=f"claim {measured}: the files of every sample that this one builds upon, and its own",
    )
    judge.passed(
        f"{measured} bytes lead here, {subject.sample.size} of them in this step",
        evidence={"step": subject.sample.size, "cumulative": measured},
    )


def test_equal_to_direct_decoding(subject: EqualSubject, judge: Judge) -> None:
    """Every tensor equals that of the other sample bit by bit."""
    other = subject.other
    ours, theirs = judge.result(subject.decode), judge.result_of_other(other.decode)
    for difference in differing_tensors(subject.sample, ours, other.sample, theirs):
        judge.fail(
            Problem(
                message=f"tensor {difference.name!r} is not that of {other.sample.id!r}",
                expected=difference.expected,
                found=difference.found,
                where=Location(
                    METADATA, pointer=f"{subject.pointer}/same_tensors_as", element=difference.name
                ),
                fix="remove same_tensors_as, or code the other sample from the very state that the "
                "chain decodes to",
            )
        )
    judge.passed(f"all tensors equal those of {other.sample.id!r} bit by bit")


def test_misapplied_update_is_noticed(subject: MisappliedSubject, judge: Judge) -> None:
    """A bitstream that is applied where it does not belong says so, by a parent or by its form."""
    misapplication = subject.misapplication
    measured = judge.result(subject.misapplied)
    declared = subject.sample.claims.tensor_digests
    ends = bool(declared) and not misapplication.steps and not measured.same_tensors
    by = "declared digests" if ends else measured.detected_by
    evidence = {
        "misapplication": misapplication.kind,
        "detected_by": by,
        "same_tensors": measured.same_tensors,
    }
    harm = "the outcome is the same" if measured.same_tensors else "other tensors come out"
    judge.require(
        by is not None,
        f"the format carries no protection here: {misapplication.told}, and nothing in the "
        f"bitstreams notices; {harm}",
        expected="a parent mismatch, a digest mismatch or a bitstream that cannot be decoded",
        found="tensors, as if all were well",
        where=subject.place_in_sample(),
        fix="let each update name its parent: by node id and depth or by a hash in NNC, by "
        "nnr_parent in tensors",
        evidence=evidence,
    )
    told = END_OF_CHAIN if ends else f"{measured.step}: {measured.message}"
    judge.passed(
        f"{misapplication.told}: noticed ({told})",
        expected=measured.expected,
        found=measured.found,
        evidence=evidence,
    )
