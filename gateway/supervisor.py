"""Many processes on one socket: started, started again where they die, and ended together."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import click
from uvicorn.config import STARTUP_FAILURE

log = logging.getLogger("gateway")

LONG = 10.0  # seconds; who lived so long died of something new
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 10.0  # seconds before a place is filled again; twice as long after each short life
MOST_DOUBLED = 10  # times; by then it is the longest

Serve = Callable[[socket.socket], None]


@dataclass(slots=True)
class _Worker:
    """A place for one process, and how it went there so far."""

    process: BaseProcess | None = None
    started: float = 0.0
    due: float = 0.0
    short_lives: int = 0

    def note_death(self, now: float) -> int:
        """Empty the place until it is due again, and give how the process ended."""
        process, self.process = self.process, None
        assert process is not None  # noqa: S101 - who calls has seen it end
        process.join()
        self.short_lives = self.short_lives + 1 if now - self.started < LONG else 0
        waits = SHORTEST_WAIT * 2 ** min(self.short_lives - 1, MOST_DOUBLED) if self.short_lives else 0.0
        self.due = now + min(waits, LONGEST_WAIT)
        return process.exitcode or 0


@dataclass(slots=True)
class Supervisor:
    """Runs `serve` in `count` processes; who has not ended `patience` seconds after it had to is killed.

    All accept from one socket, so that no connection waits for a process that is dead or busy while another is idle,
    and none is lost with its process before it was accepted.
    """

    serve: Serve
    listener: socket.socket
    count: int
    patience: float
    _workers: list[_Worker] = field(default_factory=list)
    _lifeline: tuple[int, int] = field(default_factory=os.pipe)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, passing on SIGHUP, and give the exit code: 0 where all ended in time."""
        self._workers = [_Worker() for _ in range(self.count)]
        with _signals() as signals:
            while True:
                self._start_those_due()
                for number in self._next_signals(signals):
                    if number != signal.SIGHUP:
                        return self._end(number, signals)
                    self._pass_on(number)
                if self._bury() == STARTUP_FAILURE:
                    log.error("a worker cannot start, nor could another")
                    self._end(signal.SIGTERM, signals)
                    return STARTUP_FAILURE

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None and worker.due <= now:
                worker.started = now
                worker.process = FORK.Process(target=_work, args=(self.serve, self.listener, self._lifeline))
                with _held_back():
                    worker.process.start()
                log.info("worker %s starts", worker.process.pid)

    def _next_signals(self, signals: socket.socket) -> bytes:
        """Wait for signals, for a process to end, or for a place to be due; give the numbers of the signals."""
        dues = [worker.due for worker in self._workers if worker.process is None]
        patience = max(0.0, min(dues) - time.monotonic()) if dues else None
        ready = wait([signals, *(process.sentinel for process in self._running())], patience)
        return signals.recv(64) if signals in ready else b""

    def _bury(self) -> int:
        """Note which processes have ended; give the exit code of the last."""
        code = 0
        for worker in self._workers:
            if worker.process is not None and not worker.process.is_alive():
                pid, code = worker.process.pid, worker.note_death(time.monotonic())
                again = max(0.0, worker.due - time.monotonic())
                log.error("worker %s ended with %s; another starts in %.1f s", pid, code, again)
        return code

    def _end(self, number: int, signals: socket.socket) -> int:
        """End all, passing on what else is asked of them, and kill those that take too long."""
        self.listener.close()  # the workers decide when nobody is accepted any more
        self._pass_on(number)
        processes, end = self._running(), time.monotonic() + self.patience
        while (alive := [one for one in processes if one.is_alive()]) and (left := end - time.monotonic()) > 0:
            if signals in wait([signals, *(process.sentinel for process in alive)], left):
                for again in signals.recv(64):
                    self._pass_on(again)
        for process in alive:
            log.error("worker %s is killed: it has not ended within %g s", process.pid, self.patience)
            process.kill()
        for process in processes:
            process.join()
        return 1 if any(process.exitcode for process in processes) else 0

    def _running(self) -> list[BaseProcess]:
        return [worker.process for worker in self._workers if worker.process is not None]

    def _pass_on(self, number: int) -> None:
        for process in self._running():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)


def supervise(serve: Serve, listener: socket.socket, count: int, patience: float) -> int:
    """Run `serve` in so many processes until a signal, and give the exit code. Raises ClickException without fork."""
    if not hasattr(os, "fork"):
        raise click.ClickException("This system has no fork, so there can be one worker only. Start more gateways.")
    return Supervisor(serve, listener, count, patience).run()


FORK = multiprocessing.get_context("fork" if hasattr(os, "fork") else None)  # what is imported is there at once


def _work(serve: Serve, listener: socket.socket, lifeline: tuple[int, int]) -> None:
    """Be a worker: in a group of its own, so that Ctrl+C reaches it through the supervisor only."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in ENDING:  # until the server takes them; one that tells to read anew waits until then, and is not lost
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    reading, writing = lifeline
    os.close(writing)
    threading.Thread(target=_end_with_supervisor, args=(reading,), daemon=True).start()
    serve(listener)


def _end_with_supervisor(lifeline: int) -> None:
    """Wait until nobody holds the other end any more, then end as if asked to."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


ENDING = [signal.SIGTERM, signal.SIGINT]
SIGNALS = [*ENDING, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextmanager
def _held_back() -> Iterator[None]:
    """Let no signal come before whoever is forked takes them by itself: it would tell this process of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Give a socket from which the numbers of signals can be read, a byte each."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        signal.set_wakeup_fd(writing.fileno())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # one may have been held back until now
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
