"""Write ``docs/checks.md``: every check of the catalogue, and what a failure of it means.

::

    python docs/generate_checks.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from conformance.checks import CHECKS, Check, Over

PAGE = Path(__file__).parent / "checks.md"

_INTRODUCTION = """\
# The checks

This page is written by `docs/generate_checks.py` from `conformance/checks.py`; change those and run
it again. `nnr-conformance checks` prints the list.

The id of a check never changes its meaning, and is never used for another. The test is what pytest
knows it by: `-k test_schema` selects it, and `[subject]` follows in the name of each repetition.
What a finding says beyond its check is explained in [report.md](report.md#findings);
[submitters.md](submitters.md#what-findings-mean-and-how-to-fix-them) helps with that.
"""

_SUITES = {
    "test_metadata": "Metadata",
    "test_originals": "Originals",
    "test_decoding": "Decoding",
    "test_metrics": "Metrics",
    "test_updates": "Updates",
    "test_scalability": "Scalability",
}

OVER: dict[Over, str] = {
    "submission": "the submission",
    "advised": "a submission that there is such advice on",
    "model": "each model",
    "vectors": "each vector set, with its model",
    "agreement": "each vector set that equals that of another format",
    "measure": "each metric that is used on a vector set",
    "controlled": "each metric that is used on a vector set that a sample names",
    "declared_value": "each metric value declared for a model",
    "replaced": "each model that the tensors of a sample are put into",
    "sample": "each sample",
    "stream": "each sample that is a bitstream",
    "lossless": "each lossless sample",
    "unretrained": "each lossy sample of tensors whose method names no retraining",
    "run": "each sample and vector set it is measured on",
    "computed": "each vector set with its model, sample or layer that is run on it",
    "direct_run": "each sample that is itself a network, and vector set it is measured on",
    "access": "each sample that claims random access",
    "claim": "each metric value claimed for a sample",
    "delta": "each metric that a sample is judged by",
    "improvement": "each metric that a sample is judged by whose method names no retraining",
    "noise": "each metric that a sample is judged by, of networks given in several formats",
    "update": "each bitstream of an update",
    "merge": "each merge of updates",
    "derived": "each update and merge",
    "equal": "each sample that is said to equal another",
    "misapplication": "each misapplied update that is tried of each bitstream of an update",
    "layered": "each sample with layers",
    "layer": "each layer",
    "layer_run": "each layer and vector set it is measured on",
    "layer_value": "each metric value claimed for a layer",
    "layer_step": "each layer after the first, and each metric that its sample is judged by",
}
"""What a check is repeated over, in words."""

FAILURES = {
    "SUBMISSION-READ-001": (
        "There is no `submission.json`, or it is not UTF-8 or not JSON: nothing else can be "
        "said. The exit code is 2."
    ),
    "SUBMISSION-SCHEMA-001": (
        "Something the call or the format asks for is missing, misspelt, of the wrong type, or "
        "still to be filled in. Checks that need the metadata are not run."
    ),
    "SUBMISSION-ID-001": (
        "Two entries of a section have one id, so that a reference is ambiguous."
    ),
    "SUBMISSION-REFERENCE-001": (
        "An id is used that no entry has: the data set, metric, model or vector set that is "
        "meant is not described."
    ),
    "SUBMISSION-UPDATE-001": (
        "A sample is an update of itself by way of others, names a parent of a different model, is "
        "two kinds of sample at once, merges what does not go back to one root, or has layers that "
        "cannot be distinguished. Nothing is evaluated until that is fixed."
    ),
    "SUBMISSION-FILE-001": (
        "A listed file is missing, is not a regular file, or leads out of the folder by its "
        "path or by a link; or the top of the folder holds a file that can make pytest run code, "
        "such as `pytest.ini` or `conftest.py`, listed or not."
    ),
    "SUBMISSION-FILE-002": ("A file is larger or smaller than declared: truncated, or exchanged."),
    "SUBMISSION-FILE-003": ("A file has other content than declared: damaged, or exchanged."),
    "SUBMISSION-FILE-004": (
        "The folder holds a file that no entry lists, so that nobody knows what it is for or "
        "under which licence."
    ),
    "SUBMISSION-FILE-005": (
        "The top of the folder holds files that Python would import if it were started there "
        "(`*.py`, `*.so`, `*.pth`, packages). This tool never does, but whoever unpacks the "
        "submission may. Advice: no part of the verdict."
    ),
    "SUBMISSION-DATA-001": (
        "A model was trained on what it is tested with: one entry of datasets is both, or two "
        "entries have one SHA-256, or one split of one url, doi or name. A network may know such "
        "test data by heart. Advice: no part of the verdict."
    ),
    "SUBMISSION-DATA-002": (
        "A data set has fewer items than a vector set that was taken from it; shards with the same "
        "input files count once. One of the numbers is wrong, or items were repeated. Advice: no "
        "part of the verdict."
    ),
    "SUBMISSION-LICENSE-001": (
        "A licence is not clear from its text: nobody knows what may be done with the material."
    ),
    "SUBMISSION-TOLERANCE-001": (
        "A tolerance is relative to a value of 0, and so allows nothing or anything; or it lets a "
        "declared value, or outputs, be met [by more than it may](metrics.md#claims-of-values)."
    ),
    "SUBMISSION-CLAIM-001": (
        "A sample is judged by a metric whose value is not claimed for it, or for one of its "
        "layers, or not declared for the original: nobody could compare what two laboratories "
        "measured. A lossless sample that names no metric needs no claim."
    ),
    "SUBMISSION-VECTORS-001": (
        "A vector set lists the same input bytes in two shards: the same items would count twice, "
        "and a difference would look more certain than it is."
    ),
    "MODEL-OPEN-001": (
        "The original is damaged or not valid (`malformed`), or no runtime for its format is "
        "installed (`unsupported`). Nothing that needs it is run."
    ),
    "MODEL-FILES-001": (
        "A file, or a parameter, that the network does not use counts towards its size, or its "
        "files hold more than twice the bytes of the parameters in use, the bytes of masks and "
        "index tables, and another 256 KiB; or bytes that [nothing reads]"
        "(runtimes.md#bytes-that-nothing-reads) take more than 4 KiB and 1 % of the parameters in "
        "use. That makes every compression look better than it is."
    ),
    "MODEL-LOADING-001": (
        "Inputs or outputs of the network have classes of its author, such as a dataclass or a "
        "named tuple. Nobody can load the network with its own library without the code of these. "
        "It is advice: nothing here needs them."
    ),
    "MODEL-EFFECT-001": (
        "Advisory. Tensors of the parameters were changed and the network was run on the first "
        "four items: no output changed by a bit. The graph reads these parameters, but may compute "
        "nothing with them (ones times zero), so that the original seems larger. Units that are "
        "never active and rows that these items do not look up are honest cases. Tensors that hold "
        "a 32nd of the parameters are tried one by one, the others together, in 24 runs at most."
    ),
    "MODEL-PORTS-001": (
        "The file has other inputs or outputs than declared: perhaps another export."
    ),
    "MODEL-PARAMETERS-001": (
        "The declared number is less than the elements of the parameters, or more than those of "
        "all stored tensors: perhaps a different network. Frameworks count scalars, masks and "
        "tables differently; [the three classes](runtimes.md#what-a-parameter-is) are reported "
        "apart."
    ),
    "MODEL-REPLACE-001": (
        "The network holds parameters where the tensors of a sample cannot take their place, or "
        "more content outside its [parameters](runtimes.md#what-a-parameter-is) than a graph "
        "needs: the reconstructed network would be in part the original. Samples of tensors of "
        "this model are not run; whole models are."
    ),
    "MODEL-RUN-001": (
        "The original cannot be run on the vectors: names, types or shapes do not fit, or it "
        "takes too much time or memory."
    ),
    "MODEL-OUTPUT-001": (
        "The original gives other outputs than the vectors declare, beyond `output_tolerance`: "
        "vectors and network do not belong together, or the outputs come from another precision. "
        "Or that tolerance lets them be anything, or an output that matters is "
        "[not declared](metrics.md#outputs-of-the-original)."
    ),
    "MODEL-AGREEMENT-001": (
        "The network gives other outputs in one format than in another, beyond "
        "`output_tolerance`, or the vectors of the two do not hold the same inputs: the files were "
        "not exported from one set of parameters, or a layer means something else there."
    ),
    "MODEL-ITEMS-001": (
        "Every item of the vectors has the same inputs: one item, repeated. It is advice: metrics "
        "are computed, but many items say no more than one."
    ),
    "METRIC-MEASURE-001": (
        "The metric has no value on the original: its kind is not installed, its arguments or "
        "bindings do not fit, or the value is not finite. Where nothing was counted that the value "
        "is of, such as no boxes, it is `undecided`."
    ),
    "METRIC-CONTROL-001": (
        "A tolerance is blind: it accepts a network with every parameter zero, or one with the "
        "elements of every parameter shuffled, or its bound is more than half of what the weaker "
        "of the two loses. The metric looks at an output that the parameters do not reach, or the "
        "bound allows almost any loss: it cannot distinguish a good sample from a bad one. If one "
        "of the two could not be measured, the check is undecided. [Controls](metrics.md#controls)."
    ),
    "MODEL-METRIC-001": ("The original does not perform as declared on the reference vectors."),
    "SAMPLE-DECODE-001": (
        "The file breaks its format (`malformed`, with the byte offset), asks for too much "
        "memory, or needs a codec that is not installed (`unsupported`)."
    ),
    "SAMPLE-STREAM-001": (
        "The bitstream breaks a rule of its format, though it can be decoded: another decoder may "
        "refuse it or decode something else. The finding names the rule, the place to the bit, and "
        "the command that shows it. What is unusual but allowed is shown as evidence of the pass."
    ),
    "SAMPLE-TENSORS-001": (
        "Parameters of the network are missing, have a different shape or type, or tensors are "
        "there that it does not have: the sample is not a whole network."
    ),
    "SAMPLE-FINITE-001": (
        "NaN or infinity came out where the original does not have the same. In a sample that is "
        "itself a network and names a tensor differently, the original must have a tensor of this "
        "shape with the same NaN and infinities at the same places."
    ),
    "SAMPLE-DIGEST-001": (
        "This decoder got other bits than the submitter's, or a tensor was left unclaimed. Two "
        "decoders that differ cannot both be right."
    ),
    "SAMPLE-SIZE-001": (
        "The claimed size is not the sum of the sample's files, or a ratio is off by more than "
        "half a percent."
    ),
    "SAMPLE-FEATURES-001": (
        "The file uses a tool that is not declared, or does not use one that is: it does not "
        "test what it is said to test."
    ),
    "SAMPLE-LOSSLESS-001": (
        "A sample that is called lossless differs in a name, type, shape or bit."
    ),
    "SAMPLE-ORIGIN-001": (
        "Parameters correlate with the original's no more than shuffled values do (three standard "
        "deviations of the correlation of a permutation), though the method says that nothing was "
        "trained further: perhaps a different network, or parameters in a different order. Tensors "
        "of fewer than 64 values, and those whose values are all equal, are not compared, nor are "
        "samples that are networks themselves: these have their own names and layouts. Advice: "
        "no part of the verdict."
    ),
    "SAMPLE-RUN-001": "The reconstructed network does not run on the vectors.",
    "INFERENCE-OVERFLOW-001": (
        "A value that is finite in float32 becomes infinite in the float16 or bfloat16 that the "
        "file says: on a device that computes in that type the network gives something else than "
        "here. `undecided` if a part of the network [could not be watched]"
        "(runtimes.md#computing-in-16-bits)."
    ),
    "METRIC-CLAIM-001": "The sample does not perform as claimed, better or worse.",
    "METRIC-DELTA-001": (
        "The sample lost more than its tolerance allows (`fail`), or there are too few items to"
        " decide at the declared confidence, or too few classes, positions or values for the metric"
        " to decide anything (`undecided`)."
    ),
    "METRIC-IMPROVEMENT-001": (
        "The sample is better than the original, and the whole interval of the difference says so, "
        "though the method says that nothing was trained further: perhaps the targets were made by "
        "the sample, or it was fitted to the test data. Advice: no part of the verdict."
    ),
    "METRIC-NOISE-001": (
        "The original's own value of the metric differs by more than the tolerance from one format "
        "to another: a sample could break the tolerance by a change of runtime alone. This is a "
        "warning and does not count for the verdict."
    ),
    "UPDATE-PARENT-001": (
        "The bitstream names a different parent than the sample it is declared an update of: by "
        "node id, depth, or the hash of a payload or of the parent's parameters. It was not "
        "applied. The updates are declared in another order, or one is missing or of another chain."
    ),
    "UPDATE-STEP-001": (
        "A tensor of the update is not in its base, has a different shape there or a type that "
        "cannot be added, or the bitstream cannot be decoded after those before it."
    ),
    "UPDATE-BASE-001": (
        "The decoder altered what it was given to start from: other updates of the same base would "
        "go wrong. It is a defect of the codec."
    ),
    "UPDATE-MERGE-001": (
        "The mean of the branches cannot be formed: integers in them differ, or one of them "
        "could not be decoded."
    ),
    "UPDATE-SIZE-001": (
        "`cumulative_size` is not the sum of the files of all samples that lead to the state."
    ),
    "UPDATE-EQUAL-001": (
        "The chain does not end at the very tensors of the sample named in `same_tensors_as`: one "
        "bit that differs is a failure."
    ),
    "UPDATE-MUTATION-001": (
        "Advisory. A bitstream was left out, applied before its time, twice, to a different parent "
        "or in another chain, and nothing in the bitstreams noticed: the format carries no "
        "protection here. Receivers of such updates must keep track of them by other means."
    ),
    "LAYER-DECODE-001": (
        "The layers up to this one do not decode without those after it, do not give a whole "
        "network of finite values, the layer names a different parent than the layers before it, "
        "or it adds nothing: it holds no tensors, zeros only, or what was there before."
    ),
    "LAYER-BASE-001": (
        "Lower layers are not the same with and without those after them, or the layers leave out "
        "a part of the sample."
    ),
    "LAYER-SIZE-001": "The bytes of the layer's files or units are not what is claimed.",
    "LAYER-RUN-001": "The network that the layers up to this one give cannot be run.",
    "LAYER-METRIC-001": (
        "A metric value claimed for a layer is not the measured one: the claim was measured with "
        "other layers, other vectors or another decoder."
    ),
    "LAYER-ORDER-001": (
        "With this layer the network is worse than without it, by more than the tolerance: it "
        "costs bytes and harms."
    ),
    "ACCESS-RANDOM-001": (
        "The sample claims `random_access`, and to decode one of its tensors more of the file is "
        "read than the tensor, what is of no tensor, and 64 bytes for each other one; or the "
        "tensor is another one than decoded with all. A container such as xz can only be read as a "
        "whole. "
        "The table in the evidence has the bytes read, as the operating system counted them."
    ),
    "INFERENCE-COMPRESSED-001": (
        "The time and the memory of the compressed network could not be compared with the "
        "original's: it takes too long, or too much memory. How fast it is does not decide: the "
        "figures are in the report, under `timing`; [scalability.md](scalability.md) says how they "
        "are taken."
    ),
}
"""What a failure of each check means."""


def page() -> str:
    """Return the text of the page, with the catalogue as it is now."""
    suites = groupby(CHECKS, key=lambda check: check.module)
    sections = ("\n".join(_suite(module, list(checks))) for module, checks in suites)
    return "\n".join([_INTRODUCTION, *sections])


def _suite(module: str, checks: list[Check]) -> Iterator[str]:
    yield f"## {_SUITES[module]}\n"
    yield f"`conformance/{module}.py`\n"
    for check in checks:
        yield f"### {check.id}\n"
        yield f"{check.title}.\n"
        yield f"- **If not:** {FAILURES[check.id]}"
        yield f"- **Checked for:** {OVER[check.over]}"
        yield f"- **Test:** `{check.test}`"
        yield f"- **Basis:** {check.clause}"
        yield f"- **Required:** {'yes' if check.required else 'no, it is advice'}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
