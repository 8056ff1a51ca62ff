"""Third suite: samples can be decoded, and are what is claimed of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from conformance.judging.causes import Cause
from conformance.judging.judge import Judge
from conformance.judging.sizes import size_claims
from conformance.plan.subjects import SampleSubject
from conformance.verdicts import EvaluationError, Json, Location, Problem

METADATA = "submission.json"
SHOWN = 5
MEANINGS = {
    "compression_factor": "; the factor is original size / compressed size",
    "compressed_percent": "; the percentage is compressed size / original size * 100",
}
"""What a ratio divides by what, for those who had it the other way round."""


def test_sample_decodes(subject: SampleSubject, judge: Judge) -> None:
    """The codec decodes the whole sample."""
    measured = judge.result(subject.decode)
    evidence: dict[str, Json] = {
        "tensors": len(measured.tensors),
        "features": list(measured.features),
    }
    if measured.stream is not None:
        evidence["claims"] = dict(measured.stream.claims)
    judge.passed(
        f"{len(measured.tensors)} tensors decoded by codec {subject.sample.codec!r}",
        evidence=evidence,
    )


def test_stream_keeps_the_rules(subject: SampleSubject, judge: Judge) -> None:
    """The bitstream keeps every rule of its format; what is only unusual is shown as evidence."""
    stream = judge.result(subject.decode).stream
    if stream is None:
        raise EvaluationError(
            "the sample was decoded as a bitstream and not inspected as one",
            expected="what the bitstream claims, and the rules that it breaks",
            found="nothing",
            fix="report this as a defect of the codec",
        )
    for violation in stream.violations:
        judge.fail(
            Problem(
                message=f"{violation.rule}: {violation.message}",
                expected=violation.expected,
                found=violation.found,
                where=violation.where,
                fix=f"{violation.fix}; `{violation.command}` shows the place",
            ),
            evidence={"rule": violation.rule, "text": violation.text},
        )
    warnings = [warning.to_json() for warning in stream.warnings]
    judge.passed(
        "the bitstream keeps every rule of its format",
        evidence={"warnings": warnings} if warnings else None,
    )


def test_tensors_complete(subject: SampleSubject, judge: Judge) -> None:
    """Every parameter of the network comes from the sample, as it has to be, and nothing else."""
    judge.require_fitting(judge.result(subject.decode).coverage)
    judge.passed("the sample holds the whole network")


def test_tensors_finite(subject: SampleSubject, judge: Judge) -> None:
    """No decoded tensor holds NaN or infinity where the original's has none."""
    tensors = judge.result(subject.decode).tensors
    bad = {name: facts.non_finite for name, facts in tensors.items() if facts.non_finite}
    shown = ", ".join(f"{name}: {count}" for name, count in sorted(bad.items())[:SHOWN])
    judge.require(
        not bad,
        f"{len(bad)} decoded tensors hold values that are not finite",
        expected="finite values where the original's are finite",
        found=shown,
        where=subject.place_in_sample(min(bad, default=None)),
        fix="look for a division by zero, an overflow to infinity or a damaged scale in the "
        "encoder",
    )
    judge.passed("every decoded value is finite where the original's is")


def test_tensor_digests(subject: SampleSubject, judge: Judge) -> None:
    """Decoded tensors have the digests claimed for them, and none is missing or left unclaimed."""
    claimed = subject.sample.claims.tensor_digests
    measured = {
        name: facts.sha256
        for name, facts in judge.result(subject.decode).tensors.items()
        if name in claimed or not facts.optional
    }
    if measured and not claimed:
        judge.fail(
            Problem(
                message="no digest of any tensor is claimed",
                expected=f"the digests of {len(measured)} tensors as they are decoded",
                found="none",
                where=Location(METADATA, pointer=f"{subject.pointer}/claims/tensor_digests"),
                fix="claim the digest of each tensor that your encoder wants decoded; "
                f"`nnr-conformance measure DIR {subject.sample.id}` shows those of this tool",
            )
        )
        return
    judge.require_none(
        Cause(
            (name,),
            Problem(
                message=f"the digest claimed for tensor {name!r} is not that of the decoded tensor"
                if name in claimed
                else f"no digest is claimed for tensor {name!r}",
                expected=claimed.get(name, "a digest claimed for every tensor of the sample"),
                found=measured.get(name, "no such tensor in the sample"),
                where=Location(
                    METADATA, pointer=f"{subject.pointer}/claims/tensor_digests", element=name
                ),
                fix="decode the submitted file once more and claim the digests of what comes out; "
                "if they differ between two decoders, one of them is wrong",
            ),
        )
        for name in sorted(claimed.keys() | measured.keys())
        if claimed.get(name) != measured.get(name)
    )
    judge.passed(f"all {len(measured)} digests are as claimed")


def test_claimed_size(subject: SampleSubject, judge: Judge) -> None:
    """Claimed size, factor and percentage are those of the bytes on disk."""
    for claim in size_claims(subject.model, subject.sample):
        judge.require(
            claim.holds,
            f"the claimed {claim.name} is not the measured one",
            expected=f"{claim.claimed:g}, as claimed",
            found=f"{claim.measured:.10g}, from {subject.model.size} bytes of the original and "
            f"{subject.sample.size} bytes of the sample",
            where=Location(METADATA, pointer=f"{subject.pointer}/claims/{claim.name}"),
            fix=f"claim {claim.measured:.10g}{MEANINGS.get(claim.name, '')}",
        )
    judge.passed(f"{subject.sample.size} bytes, as claimed")


def test_declared_features(subject: SampleSubject, judge: Judge) -> None:
    """The features declared are in the file, and those in the file are declared."""
    measured = judge.result(subject.decode)
    declared, derived = set(subject.sample.features), set(measured.features)
    absent = declared - derived.union(measured.implied_features)
    undeclared = derived - declared
    wrong = [
        f"{_features(features)} {words}"
        for features, words in (
            (absent, "declared but not in the sample"),
            (undeclared, "not declared but in the sample"),
        )
        if features
    ]
    right = [f"remove {_quoted(absent)}"] if absent else []
    right += [f"add {_quoted(undeclared)}"] if undeclared else []
    judge.require(
        not wrong,
        "; ".join(wrong),
        expected=f"declared: {', '.join(sorted(declared)) or 'none'}",
        found=f"in the file: {', '.join(sorted(derived)) or 'none'}",
        where=Location(METADATA, pointer=f"{subject.pointer}/features"),
        fix=f"{' and '.join(right)}, or submit the right sample",
    )
    judge.passed("declared and derived features agree", found=", ".join(sorted(derived)))


def test_lossless_is_bit_exact(subject: SampleSubject, judge: Judge) -> None:
    """Names, types, shapes and every bit of a lossless sample equal the original's."""
    compared = judge.result(subject.decode).lossless
    if compared.error is not None:
        raise compared.error
    judge.require_none(
        Cause(
            (difference.tensor,),
            Problem(
                message=f"tensor {difference.tensor!r} is not the original's",
                expected=difference.expected,
                found=difference.found,
                where=subject.place_in_sample(difference.tensor),
                fix='declare the sample as "lossless": false, or find where bits were lost',
            ),
        )
        for difference in compared.differences
    )
    judge.passed(f"all {compared.tensors} tensors equal the original's bit by bit")


def test_parameters_come_from_the_original(subject: SampleSubject, judge: Judge) -> None:
    """Each parameter is more like the original's than shuffled values would be."""
    likeness = judge.result(subject.decode).likeness
    unlike = likeness.unlike
    more = [f"and {len(unlike) - SHOWN} more"] if len(unlike) > SHOWN else []
    judge.require(
        not unlike,
        f"{len(unlike)} of {likeness.compared} parameters have nothing in common with the "
        "original's",
        expected="values that go with the original's more than shuffled values would: the method "
        "says that the network was not trained further",
        found="; ".join(
            [
                f"{each.tensor}: correlation {each.correlation:.3g}, shuffled values reach "
                f"{each.shuffled:.3g}"
                for each in unlike[:SHOWN]
            ]
            + more
        ),
        where=subject.place_in_sample(unlike[0].tensor if unlike else None),
        fix="submit a sample of this network; if it was trained further, declare "
        '"retraining": true, and if its parameters were put in a different order, say so in '
        "method/parameter_reduction. This is advice",
        evidence={"unlike": [each.tensor for each in unlike]},
    )
    judge.passed(f"{likeness.compared} parameters are like the original's")


def _features(names: Collection[str]) -> str:
    return f"feature {_quoted(names)} is" if len(names) == 1 else f"features {_quoted(names)} are"


def _quoted(features: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(features)))
