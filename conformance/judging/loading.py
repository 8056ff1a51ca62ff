"""Load the submissions of a run, the unreadable ones too: their one finding is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.checks import BY_ID
from conformance.judging.run import Target, targets_of
from conformance.submission import FileFacts, Loaded, UnreadableSubmissionError, load
from conformance.verdicts import ConformanceError

READ = BY_ID["SUBMISSION-READ-001"]


def load_targets(
    folders: Sequence[Path], known: Mapping[str, Mapping[str, FileFacts]]
) -> tuple[Target, ...]:
    """Return a target for each folder.

    ``known`` holds, by folder, digests that need not be measured again. A path that is no folder is
    a slip of the user, not a submission: :class:`ConformanceError`.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConformanceError(
                f"there is no submission folder {folder}",
                expected="a folder that holds a submission.json",
                found="a file" if folder.exists() else "nothing",
                fix="correct the path of the folder",
            )
    return targets_of([_load(folder, known) for folder in folders])


def _load(folder: Path, known: Mapping[str, Mapping[str, FileFacts]]) -> Loaded:
    root = folder.resolve()
    try:
        return load(root, known.get(str(root)))
    except UnreadableSubmissionError as error:
        finding = error.finding(READ.id, root.name, READ.clause)
        return Loaded(
            root=root,
            id=root.name,
            submission=None,
            problems=(finding,),
            files={},
            metadata_sha256="",
        )
