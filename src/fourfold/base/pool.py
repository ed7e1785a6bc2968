"""The bounded worker pool: batches of work on a few threads, results in order, errors once.

Hashing, reading and writing release the interpreter lock, so threads overlap them; a batch is
large enough (hundreds of small files) that handing it over costs nothing. A failing batch stops
the rest: what runs is finished, what waits is dropped, the first error is raised.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Batches a worker that wait for their turn, or for being asked for.
_AHEAD = 4


def default_jobs() -> int:
    """Workers for file work: one a core, two at least, eight at most."""
    return max(2, min(8, os.cpu_count() or 2))


def map_batches(
    work: Callable[[Item], Result], batches: Sequence[Item], *, jobs: int | None = None
) -> Iterator[Result]:
    """Apply ``work`` to each batch on ``jobs`` threads and yield the results in the order of the batches.

    Raises:
        Exception: the first error of a batch, after the batches that were running have ended.
    """
    jobs = min(jobs or default_jobs(), len(batches))
    if jobs <= 1:
        yield from map(work, batches)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs more than a small job

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="ff")
    try:
        # A few batches ahead, and no more: the results of all would not fit into memory.
        ahead = deque(pool.submit(work, batch) for batch in batches[: jobs * _AHEAD])
        for batch in batches[len(ahead) :]:
            yield ahead.popleft().result()
            ahead.append(pool.submit(work, batch))
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def chunks(total: int, size: int) -> list[range]:
    """Cut ``range(total)`` into ranges of ``size``; the last one is what is left."""
    return [range(start, min(start + size, total)) for start in range(0, total, size)]
