"""What the commands of the command line do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.verdicts import ConformanceError, ExitCode, Finding, Location

READ_LIMIT = 64 << 30
"""Bytes of one array that commands will read from the user's own files."""


def run_suites(arguments: Sequence[str], report: Path, only: Sequence[str] = ()) -> int:
    """Run the suites with pytest and return the exit code.

    ``arguments`` are submission folders and, from the first that begins with a dash, options for
    pytest. ``only`` names the findings to be made, as ``CHECK:SUBJECT``; without it all are.
    """
    import pytest

    folders = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    if not folders:
        raise ConformanceError(
            "no submission to judge",
            expected="submission folders, and options of pytest only after them",
            found=" ".join(arguments),
            mend="write `nnr-conformance run DIR [OPTIONS]`",
        )
    # In one word: pytest would take a folder of its own for a place to look for settings in.
    submissions = [f"--submission={folder}" for folder in folders]
    suites = Path(__file__).parents[1]
    # The root is the caller's folder, so that nothing is ever written beside the package.
    root = f"--rootdir={Path.cwd()}"
    # This process has imported the package before pytest could rewrite its assertions: no matter.
    quiet = "-Wignore::pytest.PytestAssertRewriteWarning"
    selection = [f"--only-finding={each}" for each in only]
    options = [quiet, "--report", str(report), *selection, *arguments[len(folders) :]]
    started = _SessionProbe()
    code = int(pytest.main([str(suites), root, *submissions, *options], plugins=[started]))
    refused = code == pytest.ExitCode.USAGE_ERROR and not started.seen
    return ExitCode.USAGE if refused else code


class _SessionProbe:
    """Tells whether a run began: pytest's code for wrong options is this tool's for a defect."""

    seen = False

    def pytest_sessionstart(self) -> None:
        self.seen = True


def check_metadata(folder: Path) -> tuple[str, int]:
    """Return what is wrong with the metadata and files of ``folder``, and the exit code."""
    from conformance.submission import load

    _require_folder(folder)
    loaded = load(folder)
    if loaded.problems:
        count = f"{len(loaded.problems)} problem{'s' if len(loaded.problems) > 1 else ''}"
        found = "\n\n".join(str(problem) for problem in loaded.problems)
        return f"{found}\n\n{folder}: {count} found in the metadata and files", ExitCode.FAIL
    checked = f"{len(loaded.files)} files, metadata version {loaded.submission.schema_version}"  # type: ignore[union-attr]
    verdict = f"{folder}: metadata and files are in order ({checked})"
    return f"{verdict}; `nnr-conformance run {folder}` judges the samples", ExitCode.PASS


def fix_metadata(folder: Path) -> str:
    """Recompute the mechanical fields of ``folder`` and return what was changed."""
    from conformance.submission.repair import apply, plan_repairs

    _require_folder(folder)
    repairs = plan_repairs(folder)
    if not repairs.changes:
        return f"{folder}: sizes and hashes are right already; nothing was changed"
    difference = repairs.diff
    backup = apply(repairs)
    return f"{difference}\n{len(repairs.changes)} values were changed; the backup is {backup}\n"


def init_submission(
    folder: Path,
    model: Path,
    inputs: Sequence[Path],
    targets: Sequence[Path],
    outputs: Sequence[Path],
    samples: Sequence[Path],
    model_format: str | None = None,
) -> str:
    """Start a submission in ``folder`` and return what is left to do.

    ``model`` is the first file of the network, or its folder; without ``model_format`` its name
    has to tell the format.
    """
    from conformance.runtimes import RUNTIMES, runtime
    from conformance.session.model_format import first_file, format_of
    from conformance.session.output_spread import proposed_tolerance
    from conformance.session.starting import told_ports
    from conformance.submission import load
    from conformance.submission.scaffold import (
        OUTPUT_TOLERANCE,
        ModelDescription,
        SampleFiles,
        ShardFiles,
        scaffold,
    )

    model = first_file(model)
    name = format_of(model, model_format, RUNTIMES.names())
    found = runtime(name).describe(model)
    description = ModelDescription(
        format=name,
        inputs=told_ports("inputs", found.inputs, inputs),
        outputs=told_ports("outputs", found.outputs, outputs),
        parameter_count=found.parameter_count,
    )
    items = _items([*inputs, *outputs, *targets])
    shard = ShardFiles(items, tuple(inputs), tuple(targets), tuple(outputs))
    files = (model, *(model.parent / name for name in found.external_files))
    proposal = proposed_tolerance(files, name, inputs, outputs) if inputs and outputs else None
    metadata = scaffold(
        folder,
        model_file=model,
        description=description,
        id=_id_of(folder.resolve().name),
        vectors=[shard] if inputs or targets or outputs else [],
        samples=[
            SampleFiles(_id_of(sample.stem), (sample,), _codec_of(sample)) for sample in samples
        ],
        external_data=files[1:],
        output_tolerance=proposal.tolerance if proposal else OUTPUT_TOLERANCE,
    )
    blanks = "\n".join(_blanks(load(folder).problems))
    said = f"{proposal.text}\n\n" if proposal else ""
    return (
        f"{metadata} was written. {said}Still to be filled in:\n\n{blanks}\n\n"
        f"`nnr-conformance check {folder}` tells what is left; once it is content, "
        f"`nnr-conformance measure {folder} SAMPLE` prints the claims and features of a sample."
    )


def description_of(model: Path, model_format: str | None) -> str:
    """Return the names that vectors and samples of the network in ``model`` have to use."""
    from conformance.runtimes import RUNTIMES
    from conformance.session.model_format import first_file, format_of
    from conformance.session.starting import describe_network

    model = first_file(model)
    return describe_network(model, format_of(model, model_format, RUNTIMES.names()))


def schema_text(name: str | None) -> str:
    """Return a JSON schema as text; without a name, the names of all of them."""
    from conformance.jsonschemas import load_schema, schema_names

    if name is None:
        return "\n".join(schema_names())
    try:
        return json.dumps(load_schema(name), indent=2, ensure_ascii=False)
    except KeyError:
        raise ConformanceError(
            f"there is no schema {name!r}",
            expected=", ".join(schema_names()),
            found=name,
            mend="choose one of these names",
        ) from None


def digests_of(file: Path) -> str:
    """Return the digest of every tensor in ``file`` as a JSON object."""
    from conformance.tensorfiles import open_tensors, tensor_digest

    with open_tensors(file, display=file.name, limit_bytes=READ_LIMIT) as tensors:
        digests = {name: tensor_digest(tensors[name]) for name in sorted(tensors)}
    return json.dumps(digests, indent=2)


def render_report(file: Path, folder: Path) -> str:
    """Render a report.json into ``folder`` and return the paths of what was written."""
    from conformance.report import read_report, write_reports

    try:
        written = write_reports(read_report(file), folder)
    except (OSError, ValueError) as error:
        raise ConformanceError(
            f"{file} cannot be rendered",
            where=Location(file.name),
            expected="a report.json of nnr-conformance, and a folder that can be written to",
            found=str(error),
            mend="name the report.json of a run, and a folder of your own after --to",
        ) from None
    return "\n".join(str(path) for path in written.values())


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConformanceError(
            f"there is no submission folder {folder}",
            expected="a folder that holds a submission.json",
            found="a file" if folder.exists() else "nothing",
            mend="correct the path",
        )


def _blanks(problems: Sequence[Finding]) -> Iterator[str]:
    for problem in problems:
        yield f"  {problem.where}: {problem.found}"


def _items(vectors: Sequence[Path]) -> int:
    """Return how many items the vectors hold: the size of axis 0 of the first array."""
    from conformance.tensorfiles import open_tensors

    for file in vectors:
        with open_tensors(file, display=file.name, limit_bytes=READ_LIMIT) as tensors:
            for name in tensors:
                shape = tensors.stored(name).shape
                return shape[0] if shape else 1
    return 1


def _id_of(name: str) -> str:
    """Return ``name`` as an id: lower case, and a dash for everything an id may not hold."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name.lower())
    return kept.strip("._-")[:64] or "submission"


def _codec_of(sample: Path) -> str | None:
    if sample.suffix in {".onnx", ".nnc"}:
        return sample.suffix.removeprefix(".")
    return "tensors" if {".safetensors", ".npz"} & set(sample.suffixes) else None
