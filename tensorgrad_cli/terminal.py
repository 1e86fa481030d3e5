"""What the commands need of the terminal and of the process: streams, colour, progress, stack, interrupts."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, TextIO

__all__ = [
    "Progress",
    "coloured",
    "encodes",
    "leave",
    "opened",
    "piped",
    "put",
    "roomy",
    "single_threaded",
    "width_of",
]

# Formulas nest 200 deep, and each level is several nodes, each visited through several frames.
_FRAMES = 100_000
_STACKS = (1 << 28, 1 << 26, 1 << 24)
INTERRUPTED = 130
# Expressions hold no cycles; looking for some every 700 new objects takes a tenth of a short run.
_COLLECT = (200_000, 10, 10)


def roomy(
    run: Callable[[], int], alone: Callable[[], bool] = lambda: False, every: float | None = None
) -> int:
    """What `run` returns, run where recursion over the deepest formula has room.

    A thread's stack can be chosen, the first one's cannot. An interrupt reaches the first thread, which ends
    the process at once with status 130. It ends it, too, where it finds it `alone`, looking so often, in seconds.
    """
    status = [0]
    failure: list[BaseException] = []

    def body() -> None:
        try:
            status[0] = run()
        except BaseException as error:
            failure.append(error)

    sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES))
    gc.set_threshold(*_COLLECT)
    thread = _started(body)
    if thread is not None:
        try:
            while thread.is_alive():
                thread.join(every)
                if alone():
                    os._exit(INTERRUPTED)
        except KeyboardInterrupt:
            _interrupted()
    if failure:
        raise failure[0]
    return status[0]


def single_threaded() -> None:
    """Have NumPy's OpenBLAS, once imported, use one thread unless the environment says otherwise: our matrices are too
    small for more (a check of 64×784×256×128×10 took 1.1 s with one, 6 s with two that wait for each other), checks
    run in several processes instead, and what is computed does not depend on how many there are."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def opened() -> None:
    """Open the standard streams that this process was begun without, on nothing: what is written to one is lost, and no
    other file takes its place."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def leave(status: int) -> NoReturn:
    """End the process with a status, its output written and its exit functions run, without taking apart the
    modules and the objects in them one by one: that takes a sixth of a short run (mypy ends so too)."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(status)
    os._exit(status)


def _started(body: Callable[[], None]) -> threading.Thread | None:
    """A thread with as large a stack as is to be had; where there is none, the work is done here."""
    for size in _STACKS:
        try:
            before = threading.stack_size(size)
        except (ValueError, RuntimeError):
            continue
        thread = threading.Thread(target=body, name="tensorgrad", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            continue
        else:
            return thread
        finally:
            threading.stack_size(before)
    body()
    return None


def _interrupted() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{clear}interrupted\n")
        sys.stderr.flush()
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def piped() -> Iterator[None]:
    """Around writing to standard output: whoever reads it may stop reading, which is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at its end, and would complain.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def put(text: str) -> None:
    """Write to standard output; as UTF-8 where its own encoding cannot."""
    with piped():
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
        else:
            sys.stdout.write(text)


def encodes(stream: TextIO, text: str = "✓✗·×Σ∂δᵀ²ŷ") -> bool:
    """Whether a stream's encoding has the signs that formulas are written with."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def coloured(choice: str, stream: TextIO) -> bool:
    """Whether to colour: as chosen; else as NO_COLOR, FORCE_COLOR, TERM and the stream say."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal; None where lines are not to be broken."""
    if not stream.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


class Progress:
    """What runs, on standard error, if it is a terminal and the work is not short; gone when done."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.shown = False
        self.wanted = sys.stderr.isatty()
        self.process = os.getpid()

    def say(self, path: str, what: str) -> None:
        """Name what runs now; in a forked process nothing."""
        if self.wanted and os.getpid() == self.process and time.monotonic() - self.started > 0.5:
            import shutil

            line = f"{path} · {what}"[: shutil.get_terminal_size().columns - 1]
            if not encodes(sys.stderr, line):
                line = line.encode("ascii", errors="replace").decode()
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self.shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self.shown = False
