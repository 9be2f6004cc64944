import os
import signal
from pathlib import Path

import psutil
import pytest

from plitka.runtime.processes import Death, Work, count_processors, do_jobs

KILL, EXIT, FAIL = -1, -2, -3


def square(number: int) -> int:
    """Square a number, or end this process."""
    if number == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == EXIT:
        os._exit(3)
    if number == FAIL:
        raise ValueError("no number")
    return number * number


def tell_process(number: int) -> tuple[int, bool]:
    """Tell which process this is, and whether Ctrl-C is kept from it."""
    return os.getpid(), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def prepare() -> None:
    """Nothing to prepare."""


def die() -> None:
    os._exit(4)


def test_each_job_has_its_result() -> None:
    done = dict(do_jobs(Work(square, prepare, 1), range(40)))
    assert done == {number: number * number for number in range(40)}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(KILL, "was ended (Killed"), (EXIT, "ended with status 3"), (FAIL, "ended with status 1")],
)
def test_a_process_that_dies_costs_its_own_job_alone(fault: int, reason: str) -> None:
    jobs = [1, fault, 2, 3, 4, fault, 5, 6, 7, 8]
    done = list(do_jobs(Work(square, prepare, 1), jobs))
    assert sorted(job for job, _ in done) == sorted(jobs)
    assert {job: result for job, result in done if job > 0} == {n: n * n for n in range(1, 9)}
    deaths = [result for job, result in done if job == fault]
    assert len(deaths) == 2
    for death in deaths:
        assert isinstance(death, Death)
        assert reason in death.reason


def test_where_no_process_comes_so_far_as_to_do_a_job_none_is_blamed() -> None:
    with pytest.raises(ChildProcessError, match="ended with status 4"):
        list(do_jobs(Work(square, die, 1), range(9)))


def test_processes_end_with_the_iterator_and_do_not_hear_of_an_interrupt() -> None:
    results = do_jobs(Work(tell_process, prepare, 1), range(1000))
    _, told = next(results)
    assert not isinstance(told, Death)
    process, blocked = told
    assert blocked
    assert psutil.pid_exists(process)
    results.close()
    assert not psutil.pid_exists(process)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_no_more_processes_run_than_memory_allows() -> None:
    done = do_jobs(Work(tell_process, prepare, 2**60), range(20))
    assert len({told for _, told in done}) == 1


def test_few_jobs_are_done_in_this_process() -> None:
    (told,) = {told for _, told in do_jobs(Work(tell_process, die, 1), range(3))}
    assert not isinstance(told, Death)
    assert told[0] == os.getpid()


@pytest.mark.parametrize(
    ("quota", "count"),
    [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("99900000 100000", None)],
)
def test_processors_are_those_of_the_container(
    tmp_path: Path, quota: str, count: int | None
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert count_processors(tmp_path) == (count or len(os.sched_getaffinity(0)))
    assert count_processors(tmp_path / "absent") == len(os.sched_getaffinity(0))
