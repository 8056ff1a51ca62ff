"""The worker process: everything that parses a submitted binary happens here.

Run as ``python -I -m conformance.jobs.worker`` for the jobs of submissions, and with the
argument ``questions`` for what commands ask about single files. The first line on standard input
holds the limits; each further line is a request, answered by one line. The process ends with its
input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from conformance.jobs.memory import peak, reset_peak, trim
from conformance.sandbox.limits import Limits, apply_to_this_process, renew_cpu_limit
from conformance.verdicts import ConformanceError, EvaluationError, Json


def serve(requests: BinaryIO, answers: BinaryIO, *, questions: bool = False) -> None:
    """Answer requests until the input ends: cases, or questions of commands."""
    limits = Limits.from_json(json.loads(requests.readline()))
    apply_to_this_process(limits)
    # Imported only now, so that even the imports run under the limits, and while the parent is
    # still reading metadata.
    dispatcher = _dispatcher_of(limits, questions)
    for line in requests:
        request = json.loads(line)
        renew_cpu_limit(limits)
        if "prepare" in request:
            dispatcher.prepare(**request["prepare"])
            continue
        answers.write(json.dumps(_answer(dispatcher, request)).encode() + b"\n")
        answers.flush()


def _dispatcher_of(limits: Limits, questions: bool) -> Json:
    if questions:
        from conformance.jobs import inquiries

        return inquiries.Dispatcher(limits)
    from conformance.jobs.dispatch import Dispatcher

    return Dispatcher(limits)


def _answer(dispatcher: Json, request: Json) -> Json:
    """Return the answer to one request; whatever goes wrong is part of the answer."""
    trim()  # What an earlier job has freed is no part of this one's peak.
    reset_peak()
    started = time.perf_counter()
    try:
        measured = dispatcher.evaluate(request)
    except ConformanceError as error:
        return {"result": None, "error": error.to_json()}
    except MemoryError:
        return {"result": None, "error": _out_of_memory(dispatcher.limits).to_json()}
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        return {"result": None, "error": _unexpected(error).to_json()}
    cost = {"seconds": time.perf_counter() - started, "peak_bytes": peak()}
    result = {"measured": measured, "cost": cost, "limited": _is_limited(measured)}
    return {"result": result, "error": None}


def _is_limited(measured: Json) -> bool:
    """Return whether an error that stands in a result is due to a limit."""
    if isinstance(measured, dict):
        return measured.get("by_limit") is True or any(map(_is_limited, measured.values()))
    return isinstance(measured, list) and any(map(_is_limited, measured))


def _out_of_memory(limits: Limits) -> EvaluationError:
    return EvaluationError(
        "the evaluation ran out of memory",
        expected=f"at most {limits.memory_bytes >> 20} MiB of address space",
        found="an allocation beyond it",
        fix="split the vectors into smaller shards, or raise --memory-limit",
    )


def _unexpected(error: Exception) -> EvaluationError:
    """Return an error of the tool itself as a finding that its authors can act upon."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return EvaluationError(
        "the evaluation stopped at an error it does not know",
        expected="a measurement",
        found=f"{type(error).__name__}: {str(error)[:500]} (in {place})",
        fix="report this with the submission's file: no submission should be able to cause it",
    )


def main() -> None:
    """Serve on standard input and output; print statements of libraries go to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers, questions="questions" in sys.argv[1:])


if __name__ == "__main__":
    main()
