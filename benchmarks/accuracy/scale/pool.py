"""Jobs done one after the other, or several side by side on one device, in a process each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def results(work: Callable[[Task], Result], tasks: Sequence[Task], replicas: int) -> Iterator[tuple[Task, Result]]:
    """What ``work`` gives for each task, as it comes; tasks begin in order, ``replicas`` at a time.

    Small networks leave a GPU idle between their kernels; other processes fill the gaps. Processes are spawned, as CUDA asks.
    """
    if replicas == 1:
        for task in tasks:
            yield task, work(task)
        return
    with ProcessPoolExecutor(replicas, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(work, task): task for task in tasks}
        for done in as_completed(waiting):
            yield waiting[done], done.result()
