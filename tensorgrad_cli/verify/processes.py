"""Work in forked processes: a partner that answers what it is asked, and independent tasks side by side.

Of the latter each process takes the next task from a pipe that all read, as make's jobserver hands out its tokens, so that a long
one holds nobody up. A process that is forked knows all that was read and drawn before; what it finds goes back as
msgpack. Where there is no fork, or another thread may hold a lock, everything is done here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import IO, Any, Generic, NamedTuple, TypeVar

__all__ = ["Channel", "Partner", "Task", "cores", "partner", "side_by_side"]

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
    ordered = [sorted(range(*pair), key=lambda k: not tasks[k].long) for pair in pairwise(starts)]
    if processes > 1 and (pipes := _pipes(ordered)):
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


def _pipes(queues: Iterable[Sequence[int]]) -> list[int]:
    """A pipe of tickets for each queue; none where there are not enough files to be had."""
    pipes: list[int] = []
    try:
        for numbers in queues:
            pipes.append(_tickets(numbers))
    except OSError:
        for pipe in pipes:
            os.close(pipe)
        return []
    return pipes


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


class Channel:
    """Values to and from another process, by pickle, each behind its length."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, value: object) -> None:
        """Hand over a value. Raises OSError where nobody takes it any more."""
        import pickle

        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing.write(len(data).to_bytes(LENGTH, "big") + data)
        self._outgoing.flush()

    def take(self) -> Any:
        """Wait for the next value. Raises EOFError where none will come."""
        length = int.from_bytes(self._incoming.read(LENGTH), "big")
        data = self._incoming.read(length)
        if not data or len(data) < length:
            raise EOFError
        import pickle

        return pickle.loads(data)

    def close(self) -> None:
        """Take and hand over no more."""
        for end in (self._incoming, self._outgoing):
            # What could not be handed over is written once more.
            with contextlib.suppress(OSError):
                end.close()


class Partner(NamedTuple):
    """Another process, and the channel to it."""

    pid: int
    channel: Channel

    def close(self) -> None:
        """End the other process, whatever it does."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def partner(work: Callable[[Channel], None]) -> Partner | None:
    """Another process that works until its channel ends, or is interrupted; None where none is to be had."""
    if not _forks():
        return None
    try:
        asked, ask = os.pipe()
    except OSError:
        return None

    def answer(out: IO[bytes]) -> None:
        os.close(ask)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            # Of an interrupt the process that asked tells.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        with os.fdopen(asked, "rb") as questions, contextlib.suppress(EOFError, OSError):
            work(Channel(questions, out))

    worker = _child(answer)
    os.close(asked)
    if worker is None:
        os.close(ask)
        return None
    return Partner(worker.pid, Channel(os.fdopen(worker.results, "rb"), os.fdopen(ask, "wb")))


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
    try:
        reader, writer = os.pipe()
    except OSError:
        return None
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
    status = 0
    # Where its end is nobody's business (SIGCHLD ignored) what it sent tells whether it got there.
    with contextlib.suppress(ChildProcessError):
        _, status = os.waitpid(worker.pid, 0)
    if status:
        return []
    try:
        return msgspec.msgpack.decode(data, type=list[tuple[int, kind]])  # type: ignore[valid-type]
    except msgspec.MsgspecError:
        return []
