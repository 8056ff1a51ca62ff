import threading
from functools import partial

import pytest

from conformance.nnc import parallel
from conformance.nnc.parallel import run, thread_count


class Recorder:
    def __init__(self, count, failing=()):
        self.done = []
        self.failing = failing
        self.jobs = [partial(self.work, index) for index in range(count)]

    def work(self, index):
        self.done.append(index)
        if index in self.failing:
            raise ValueError(index)


@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_every_job_is_done_once(threads):
    recorder = Recorder(20)
    run(recorder.jobs, [4, 5], [index for index in range(20) if index not in {4, 5}], threads)
    assert sorted(recorder.done) == list(range(20))
    assert recorder.done[:2] == [4, 5]


def test_one_thread_keeps_the_order_it_is_given():
    recorder = Recorder(4)
    run(recorder.jobs, [], [2, 0, 3, 1], 1)
    assert recorder.done == [2, 0, 3, 1]


def test_no_jobs_are_no_work():
    run([], [], [], 4)


def test_jobs_run_at_the_same_time():
    barrier = threading.Barrier(2, timeout=600)
    run([barrier.wait, barrier.wait], [], [0, 1], 2)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 1, 0, 4, 2]])
def test_the_first_failure_of_the_stream_is_raised_whatever_came_first(threads, order):
    recorder = Recorder(6, failing={2, 4})
    with pytest.raises(ValueError, match=r"^2$"):
        run(recorder.jobs, [], order, threads)
    assert {0, 1, 2} <= set(recorder.done)


def test_a_failure_alone_keeps_earlier_jobs_and_drops_later_ones():
    recorder = Recorder(5, failing={2})
    with pytest.raises(ValueError, match=r"^2$"):
        run(recorder.jobs, [2], [4, 3, 1, 0], 1)
    assert recorder.done == [2, 1, 0]


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_threads_that_cannot_be_started_are_done_without(monkeypatch, error):
    class Refused(threading.Thread):
        def start(self):
            raise error

    monkeypatch.setattr(parallel, "Thread", Refused)
    recorder = Recorder(5)
    run(recorder.jobs, [], range(5), 4)
    assert recorder.done == [0, 1, 2, 3, 4]


def test_no_thread_outlives_an_interruption():
    interrupted = threading.Event()

    def work():
        if threading.current_thread() is threading.main_thread():
            interrupted.set()
            raise KeyboardInterrupt
        interrupted.wait(10)

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run([work] * 20, [], range(20), 2)
    assert threading.active_count() == before


def test_threads_are_counted_from_the_processors_of_the_process():
    assert thread_count(None) >= 1
    assert thread_count(3) == 3
    assert thread_count(0) == 1
