"""First suite: the metadata of a submission, and whether its files are the declared ones."""

from __future__ import annotations

from conformance.judging.judge import Judge


def test_readable(judge: Judge) -> None:
    """The folder holds a submission.json that is UTF-8 and JSON."""
    judge.adopt_problems()
    judge.passed("submission.json can be read")


def test_schema(judge: Judge) -> None:
    """The metadata follow the JSON schemas; every item the call asks for is there."""
    judge.adopt_problems()
    judge.passed("submission.json follows the schemas")


def test_unique_ids(judge: Judge) -> None:
    """No two entries of a section share an id."""
    judge.adopt_problems()
    judge.passed("every id is unique in its section")


def test_references(judge: Judge) -> None:
    """Every id that is referred to is the id of an entry."""
    judge.adopt_problems()
    judge.passed("every reference leads to an entry")


def test_derivations(judge: Judge) -> None:
    """Updates lead back to a whole network, merges join branches of one, layers are complete."""
    judge.adopt_problems()
    judge.passed("updates, merges and layers can be evaluated")


def test_files_present(judge: Judge) -> None:
    """Every listed file is a regular file inside the folder."""
    judge.adopt_problems()
    judge.passed("every listed file is there, inside the folder")


def test_file_sizes(judge: Judge) -> None:
    """Every listed file has its declared size."""
    judge.adopt_problems()
    judge.passed("every listed file has its declared size")


def test_file_digests(judge: Judge) -> None:
    """Every listed file has its declared SHA-256."""
    judge.adopt_problems()
    judge.passed("every listed file has its declared SHA-256")


def test_unaccounted_files(judge: Judge) -> None:
    """Every file in the folder is listed."""
    judge.adopt_problems()
    judge.passed("every file in the folder is listed")


def test_nothing_to_import(judge: Judge) -> None:
    """Python would find no module if it were started in the folder."""
    judge.adopt_problems()
    judge.passed("the top of the folder holds no module of Python")


def test_training_is_not_test(judge: Judge) -> None:
    """No model has training data that is its test data."""
    judge.adopt_problems()
    judge.passed("no model was trained on its test data")


def test_dataset_sizes(judge: Judge) -> None:
    """No data set has fewer items than the vectors that were taken from it."""
    judge.adopt_problems()
    judge.passed("every data set has as many items as its vectors")


def test_licences(judge: Judge) -> None:
    """Every licence is an SPDX expression."""
    judge.adopt_problems()
    judge.passed("every licence is an SPDX expression")


def test_tolerances(judge: Judge) -> None:
    """Every tolerance can be applied to its reference value."""
    judge.adopt_problems()
    judge.passed("every tolerance can be applied")


def test_claims_complete(judge: Judge) -> None:
    """A value of every metric that a sample is judged by is claimed, and one of the original."""
    judge.adopt_problems()
    judge.passed("a value is claimed of every metric that decides")


def test_vectors_differ(judge: Judge) -> None:
    """No two shards of a vector set have the same inputs."""
    judge.adopt_problems()
    judge.passed("no shard of a vector set is there twice")
