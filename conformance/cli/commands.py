"""What the commands of the command line do."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.caller import judged_around, resolve, working_folder
from conformance.text import one_line
from conformance.verdicts import (
    ConformanceError,
    EvaluationError,
    ExitCode,
    Finding,
    Json,
    Location,
    command_to_repeat,
)

if TYPE_CHECKING:
    from conformance.cli.asking import Answer
    from conformance.sandbox.limits import Limits
    from conformance.submission.values import Port

SUITES = Path(__file__).parents[1]
PATH_OPTIONS = frozenset(
    {
        *("--waivers", "--evidence", "--submission", "--junitxml", "--junit-xml", "--log-file"),
        *("-c", "--config-file", "--rootdir", "--confcutdir", "--basetemp", "--ignore"),
    }
)
"""Options of a run whose value is a path: those of this plug-in and of pytest itself."""
SETTING_OPTIONS, PATH_SETTINGS = frozenset({"-o", "--override-ini"}), {"cache_dir", "log_file"}


def run_suites(
    arguments: Sequence[str], report: Path | None = None, only: Sequence[str] = ()
) -> int:
    """Run the suites with pytest and return the exit code.

    ``arguments`` are submission folders and, from the first that begins with a dash, options for
    pytest; their paths are relative to the caller's folder. ``report`` defaults to ``reports``
    there, or next to the submission if the caller is in it. ``only`` names the findings to be made,
    as ``CHECK:SUBJECT``; without it all are.
    """
    import pytest

    typed = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    if not typed:
        raise ConformanceError(
            "no submission to judge",
            expected="submission folders, and options of pytest only after them",
            found=" ".join(arguments),
            fix="write `nnr-conformance run DIR [OPTIONS]`",
        )
    folders = [resolve(folder) for folder in typed]
    report = report or default_report(folders)
    # As one argument each: pytest would look for its settings in a folder passed separately.
    submissions = [f"--submission={folder}" for folder in folders]
    # Both named, so that pytest searches no folder for settings, and prints ids without a way to
    # the package.
    settings = ["-c", str(SUITES / "pytest.ini"), f"--rootdir={Path.cwd()}"]
    # This process has imported the package before pytest could rewrite its assertions: no matter.
    quiet = "-Wignore::pytest.PytestAssertRewriteWarning"
    selection = [f"--only-finding={each}" for each in only]
    given = resolved_options(arguments[len(typed) :])
    options = [quiet, "--report", str(report), *selection, *given]
    door = _Door()
    code = int(pytest.main([str(SUITES), *settings, *submissions, *options], plugins=[door]))
    refused = code == pytest.ExitCode.USAGE_ERROR and not door.started
    return ExitCode.USAGE if refused else code


def default_report(folders: Sequence[Path]) -> Path:
    """Return where reports go if nobody says: never into a submission."""
    inside = judged_around(working_folder(), folders)
    if inside is None:
        return resolve("reports")
    return resolve(os.path.relpath(inside.resolve().parent / "reports", working_folder()))


def resolved_options(options: Sequence[str]) -> list[str]:
    """Return options of pytest with the paths in them as seen from the caller's folder."""
    resolved: list[str] = []
    for option in options:
        name, is_one_word, value = option.partition("=")
        before = resolved[-1] if resolved else ""
        if name in PATH_OPTIONS and is_one_word:
            resolved.append(f"{name}={resolve(value)}")
        elif before in PATH_OPTIONS:
            resolved.append(str(resolve(option)))
        elif before in SETTING_OPTIONS and name in PATH_SETTINGS:
            resolved.append(f"{name}={resolve(value)}")
        else:
            resolved.append(option)
    return resolved


class _Door:
    """Refuses what is not an option, and knows whether a run began.

    pytest's code for wrong options is this tool's for a defect.
    """

    started = False

    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        """Refuse folders after the options: pytest would search them for tests, and run them."""
        words = early_config.known_args_namespace.file_or_dir
        others = [word for word in words if not word.startswith(str(SUITES))]
        if others:
            raise ConformanceError(
                f"{others[0]} is neither an option nor the value of one",
                expected="submission folders first, then options of pytest",
                found=" ".join(others),
                fix="write `nnr-conformance run DIR... [OPTIONS]`",
            )

    def pytest_sessionstart(self) -> None:
        """Note that the options were right."""
        self.started = True


def check_metadata(folder: Path) -> tuple[str, int]:
    """Return what is wrong with the metadata and files of ``folder``, and the exit code."""
    from conformance.submission import load

    _require_folder(folder)
    loaded = load(folder)
    advice = "".join(f"advice: {each}\n\n" for each in loaded.advice)
    if loaded.problems:
        count = f"{len(loaded.problems)} problem{'s' if len(loaded.problems) > 1 else ''}"
        found = "\n\n".join(str(problem) for problem in loaded.problems)
        more = one_line(f"{folder}: {count} found in the metadata and files")
        return f"{advice}{found}\n\n{more}", ExitCode.FAIL
    ignored = f", without {', '.join(loaded.ignored)}" if loaded.ignored else ""
    checked = (
        f"{len(loaded.files)} files{ignored}, metadata version {loaded.submission.schema_version}"  # type: ignore[union-attr]
    )
    verdict = f"{folder}: metadata and files are in order ({checked})"
    more = one_line(f"{verdict}; `{command_to_repeat(str(folder), ())}` judges the samples")
    return f"{advice}{more}", ExitCode.PASS


def fix_metadata(folder: Path) -> str:
    """Recompute the mechanical fields of ``folder`` and return what was changed."""
    from conformance.submission.repair import apply, plan_repairs

    _require_folder(folder)
    repairs = plan_repairs(folder)
    if not repairs.changes:
        return one_line(f"{folder}: sizes and hashes are right already; nothing was changed")
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
    model_format: str | None,
    limits: Limits,
) -> str:
    """Start a submission in ``folder`` and return what is left to do.

    ``model`` is the first file of the network, or its folder; without ``model_format`` its name
    must imply the format.
    """
    from conformance.cli.asking import answered, require_files
    from conformance.cli.model_format import first_file, format_of
    from conformance.cli.output_spread import proposed_tolerance
    from conformance.registry import RUNTIMES
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
    vectors = {"inputs": inputs, "outputs": outputs, "targets": targets}
    require_files([model, *inputs, *outputs, *targets, *samples])
    paths = {side: [str(each.absolute()) for each in files] for side, files in vectors.items()}
    question: dict[str, Json] = {"model": str(model.absolute()), "format": name, **paths}
    with answered("start", question, limits) as answer:
        _text_of(answer)
        found = answer.facts
    description = ModelDescription(
        format=name,
        inputs=_ports(found["inputs"]),
        outputs=_ports(found["outputs"]),
        parameter_count=found["parameter_count"],
    )
    shard = ShardFiles(found["items"], tuple(inputs), tuple(targets), tuple(outputs))
    external_data = [model.parent / name for name in found["external_files"]]
    proposal = None
    if inputs and outputs:
        question["files"] = [str(each.absolute()) for each in (model, *external_data)]
        question["items"] = None if found["unbatched"] else found["items"]
        proposal = proposed_tolerance(question, limits)
    metadata = scaffold(
        folder,
        model_file=model,
        description=description,
        id=_id_of(folder.resolve().name),
        vectors=[shard] if inputs or targets or outputs else [],
        samples=[
            SampleFiles(_id_of(sample.stem), (sample,), _codec_of(sample)) for sample in samples
        ],
        external_data=external_data,
        batched=not found["unbatched"],
        output_tolerance=proposal.tolerance if proposal else OUTPUT_TOLERANCE,
    )
    blanks = "\n".join(_blanks(load(folder).problems))
    said = [f"{metadata} was written."]
    if found["unbatched"]:
        said.append(
            f'The vectors are declared as one run ("batched": false): {found["unbatched"]}.'
        )
    if proposal is not None:
        said.append(proposal.text)
    return (
        f"{' '.join(said)}\n\nStill to be filled in:\n\n{blanks}\n\n"
        f"`nnr-conformance check {folder}` lists what is left; when nothing is, "
        f"`nnr-conformance measure {folder} SAMPLE` prints the claims and features of a sample."
    )


def description_of(model: Path, model_format: str | None, limits: Limits) -> str:
    """Return the names that vectors and samples of the network in ``model`` must use."""
    from conformance.cli.asking import answered, require_files
    from conformance.cli.model_format import first_file, format_of
    from conformance.registry import RUNTIMES

    model = first_file(model)
    name = format_of(model, model_format, RUNTIMES.names())
    require_files([model])
    question = {"model": str(model.absolute()), "format": name}
    with answered("describe", question, limits) as answer:
        return _text_of(answer)


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
            fix="choose one of these names",
        ) from None


def digests_of(file: Path, limits: Limits) -> str:
    """Return the digest of every tensor in ``file`` as a JSON object."""
    from conformance.cli.asking import answered, require_files

    require_files([file])
    with answered("digest", {"file": str(file.absolute())}, limits) as answer:
        return _text_of(answer)


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
            fix="name the report.json of a run, and your own folder after --to",
        ) from None
    return "\n".join(str(path) for path in written.values())


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConformanceError(
            f"there is no submission folder {folder}",
            expected="a folder that holds a submission.json",
            found="a file" if folder.exists() else "nothing",
            fix="correct the path",
        )


def _blanks(problems: Sequence[Finding]) -> Iterator[str]:
    for problem in problems:
        yield one_line(f"  {problem.where}: {problem.found}")


def _text_of(answer: Answer) -> str:
    """Return what a command prints; EvaluationError if it ended before it was complete."""
    if answer.facts["error"] is not None:
        raise EvaluationError(answer.facts["error"])
    return answer.text()


def _ports(ports: Sequence[Json]) -> tuple[Port, ...]:
    from conformance.submission.values import Port

    return tuple(Port(each["name"], each["dtype"], tuple(each["shape"])) for each in ports)


def _id_of(name: str) -> str:
    """Return ``name`` as an id: lower case, and a dash for everything an id may not hold."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name.lower())
    return kept.strip("._-")[:64] or "submission"


def _codec_of(sample: Path) -> str | None:
    if sample.suffix in {".onnx", ".nnc"}:
        return sample.suffix.removeprefix(".")
    return "tensors" if {".safetensors", ".npz"} & set(sample.suffixes) else None
