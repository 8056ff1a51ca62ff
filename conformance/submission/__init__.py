"""Submissions: a folder with ``submission.json`` becomes immutable values.

::

    loaded = load(Path("digits-cnn"))
    loaded.problems      # everything that is wrong, as findings
    loaded.submission    # the values, if the metadata hold together
"""

from conformance.submission.files import FileFacts
from conformance.submission.loading import Loaded, load
from conformance.submission.reading import DEFAULT_LIMITS, Limits, UnreadableSubmissionError
from conformance.submission.values import Submission

__all__ = [
    "DEFAULT_LIMITS",
    "FileFacts",
    "Limits",
    "Loaded",
    "Submission",
    "UnreadableSubmissionError",
    "load",
]
