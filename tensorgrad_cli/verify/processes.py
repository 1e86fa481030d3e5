"""Work in forked processes: values made ahead, and independent tasks side by side.

Of the latter each process takes the next task from a pipe that all read, as make's jobserver hands out its tokens, so that a long
one holds nobody up. A process that is forked knows all that was read and drawn before; what it finds goes back as
msgpack. Where there is no fork, or another thread may hold a lock, everything is done here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import IO, Generic, NamedTuple, TypeVar

__all__ = ["Ahead", "Task", "cores", "side_by_side"]

T = TypeVar("T")

# A pipe takes 4096 bytes even where it is small; a ticket has two.
MOST_TICKETS = 2048
WIDTH = 2
# Before each value that is sent stands its length.
LENGTH = 8


class Worker(NamedTuple):
    """A forked process: its number, and the end of the pipe that its results come from."""

    pid: int
    results: int


def cores() -> int:
    """How many processes this one may use at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Task(NamedTuple, Generic[T]):
    """Something to do that depends on no other task; a `long` one is begun before the others of its queue."""

    run: Callable[[], T]
    long: bool = False


def side_by_side(queues: Sequence[Sequence[Task[T]]], kind: type[T], processes: int) -> list[list[T]]:
    """What each task of some queues returns, values of a type that msgspec encodes.

    The first process begins with the first queue, the second with the second, and so on: tasks of one queue share
    more of their work than tasks of two. A task that raises is done once more, here, and raises.
    """
    tasks = [task for queue in queues for task in queue]
    starts = [sum(len(queue) for queue in queues[:k]) for k in range(len(queues) + 1)]
    processes = min(processes, len(tasks)) if _forks() and len(tasks) <= MOST_TICKETS else 1
    done: dict[int, T] = {}
    if processes > 1:
        pipes = [_tickets(sorted(range(*pair), key=lambda k: not tasks[k].long)) for pair in pairwise(starts)]
        workers = [
            worker for k in range(1, processes) if (worker := _forked(_turned(pipes, k), tasks)) is not None
        ]
        done.update(_worked(pipes, tasks))
        for worker in workers:
            done.update(_results(worker, kind))
        for pipe in pipes:
            os.close(pipe)
    # What raised, or was lost with the process that had it.
    found = [done[k] if k in done else task.run() for k, task in enumerate(tasks)]
    return [found[first:last] for first, last in pairwise(starts)]


def _forks() -> bool:
    """Whether a fork is safe: macOS's own libraries do not bear it."""
    return hasattr(os, "fork") and sys.platform != "darwin"


def _turned(pipes: Sequence[int], first: int) -> list[int]:
    first %= len(pipes)
    return [*pipes[first:], *pipes[:first]]


def _tickets(numbers: Sequence[int]) -> int:
    """A pipe from which each of some numbers can be read once, by whichever process comes first."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        out.write(b"".join(number.to_bytes(WIDTH, "big") for number in numbers))
    return reader


def _worked(pipes: Sequence[int], tasks: Sequence[Task[T]]) -> Iterator[tuple[int, T]]:
    """What comes of the tasks that this process gets hold of, with their numbers, until none is left."""
    for pipe in pipes:
        while ticket := os.read(pipe, WIDTH):
            number = int.from_bytes(ticket, "big")
            with contextlib.suppress(Exception):
                yield number, tasks[number].run()


class Ahead(Generic[T]):
    """Values that another process makes one after the other while this one does something else. They come by pickle,
    and are forgotten where that process fails."""

    def __init__(self, make: Callable[[], Iterable[T]]) -> None:
        def send(out: IO[bytes]) -> None:
            import pickle

            for value in make():
                data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
                out.write(len(data).to_bytes(LENGTH, "big") + data)
                out.flush()

        self._worker = _child(send) if _forks() else None
        self._sent = os.fdopen(self._worker.results, "rb") if self._worker is not None else None

    def take(self) -> T | None:
        """Wait for the next value; None where there is none."""
        if self._sent is None:
            return None
        length = int.from_bytes(self._sent.read(LENGTH), "big")
        data = self._sent.read(length)
        if not data or len(data) < length:
            self.close()
            return None
        import pickle

        value: T = pickle.loads(data)
        return value

    def close(self) -> None:
        """Wait for the other process to end, whatever it still has."""
        if self._sent is not None and self._worker is not None:
            self._sent.close()
            os.waitpid(self._worker.pid, 0)
        self._sent = None


def _forked(pipes: Sequence[int], tasks: Sequence[Task[T]]) -> Worker | None:
    """Another process at work on the tasks; None where none is to be had."""
    parent = os.getpid()

    def work(out: IO[bytes]) -> None:
        import msgspec

        found: list[tuple[int, T]] = []
        for result in _worked(pipes, tasks):
            found.append(result)
            if os.getppid() != parent:
                return
        out.write(msgspec.msgpack.encode(found))

    return _child(work)


def _child(work: Callable[[IO[bytes]], None]) -> Worker | None:
    """A forked process that does some work, writes to a pipe and ends; None where none is to be had."""
    reader, writer = os.pipe()
    try:
        with warnings.catch_warnings():
            # The only other threads are the first one, which waits for this one, and those of BLAS, which
            # ends them before a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return None
    if pid:
        os.close(writer)
        return Worker(pid, reader)
    status = 1
    try:
        os.close(reader)
        with os.fdopen(writer, "wb") as out:
            work(out)
        status = 0
    finally:
        os._exit(status)


def _results(worker: Worker, kind: type[T]) -> list[tuple[int, T]]:
    """What a process found; nothing of one that failed."""
    import msgspec

    with os.fdopen(worker.results, "rb") as sent:
        data = sent.read()
    _, status = os.waitpid(worker.pid, 0)
    if status or not data:
        return []
    return msgspec.msgpack.decode(data, type=list[tuple[int, kind]])  # type: ignore[valid-type]
