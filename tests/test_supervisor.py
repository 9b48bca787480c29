"""Workers that die at once: they are started again, ever more seldom, unless they say that they never can."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.supervisor import FORK, LONG, LONGEST_WAIT, Supervisor, _Worker
from tests.processes import Process

SCRIPT = """
import logging, os, signal, socket, sys, time
from gateway.supervisor import supervise
logging.basicConfig(stream=sys.stdout, format="%(message)s", level="INFO")
{before}
with socket.socket() as listener:
    sys.exit(supervise(lambda _: {work}, listener, {count}, 1.0))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork, so there is one worker only")


SERVING = """
import asyncio
from gateway.server import _hangups

async def serve():
    with _hangups(lambda: print("read again", flush=True)):
        await asyncio.sleep(60)
"""
ITSELF = "lambda: os.kill(os.getpid(), signal.SIGTERM)"


def supervised(work: str, count: int, folder: Path, before: str = "") -> Process:
    """Supervise workers that do one thing, having done another `before`."""
    script = folder / "script.py"
    script.write_text(SCRIPT.format(work=work, count=count, before=before), encoding="utf-8")
    return Process(
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
    )


def test_each_short_life_makes_the_next_wait_twice_as_long(tmp_path: Path) -> None:
    process = supervised("os._exit(7)", 1, tmp_path)
    waits = [process.wait_for(r"ended with 7; another starts in (\S+) s") for _ in range(4)]
    assert waits == ["0.1", "0.2", "0.4", "0.8"]
    assert process.stop(signal.SIGTERM)[0] == 0


def test_no_life_is_too_short_too_often_to_be_followed_by_another() -> None:
    process = FORK.Process(target=os._exit, args=(7,))
    process.start()
    worker = _Worker(process, started=0.0, short_lives=10_000)
    assert (worker.note_death(1.0), worker.due) == (7, 1.0 + LONGEST_WAIT)


def test_who_lived_for_long_is_followed_at_once_however_short_the_lives_before_were() -> None:
    process = FORK.Process(target=os._exit, args=(7,))
    process.start()
    worker = _Worker(process, started=5.0, short_lives=4)
    assert (worker.note_death(5.0 + LONG), worker.due, worker.short_lives) == (7, 5.0 + LONG, 0)


def test_a_place_is_filled_when_it_is_due_and_the_first_that_is_due_is_waited_for() -> None:
    supervisor = Supervisor(lambda _: None, socket.socket(), 2, 1.0)
    begun = time.monotonic()
    supervisor._workers = [_Worker(due=begun + 0.05), _Worker(due=begun + 30)]  # noqa: SLF001 - which died before
    # The steps of its `run`, which goes on until a signal to the process that the tests are in.
    fill, wait, running = supervisor._start_those_due, supervisor._next_signals, supervisor._running  # noqa: SLF001
    signals, told = socket.socketpair()
    with signals, told, supervisor.listener:
        fill()
        assert running() == []
        assert wait(signals) == b""
        fill()
        (process,) = running()
        process.terminate()
        process.join()
    assert begun + 0.05 <= time.monotonic() < begun + 25


def test_a_signal_to_a_worker_that_was_just_forked_is_its_own(tmp_path: Path) -> None:
    process = supervised("os._exit(7)", 1, tmp_path, f"os.register_at_fork(after_in_child={ITSELF})")
    assert process.wait_for(r"ended with (\S+); another starts in 0.1 s") == "0"
    assert process.wait_for(r"ended with (\S+); another starts in 0.2 s") == "0"
    assert process.stop(signal.SIGTERM)[0] == 0


def test_a_worker_that_is_told_to_read_again_before_it_serves_does_so_when_it_serves(tmp_path: Path) -> None:
    process = supervised("[os.kill(os.getpid(), signal.SIGHUP), asyncio.run(serve())]", 1, tmp_path, SERVING)
    process.wait_for("(read again)")
    process.stop(signal.SIGTERM)


def test_who_says_that_it_cannot_start_ends_all(tmp_path: Path) -> None:
    process = supervised("os._exit(3)", 2, tmp_path)
    assert process.wait_for("(a worker cannot start, nor could another)")
    assert process.process.wait(60) == 3
    process.stop(signal.SIGTERM)


def test_who_cannot_start_ends_those_that_could(tmp_path: Path) -> None:
    before = f"""
def begin():
    try:
        os.mkdir({str(tmp_path / "started")!r})
    except FileExistsError:
        os._exit(3)
    time.sleep(60)
"""
    process = supervised("begin()", 2, tmp_path, before)
    assert process.process.wait(30) == 3
    process.stop(signal.SIGTERM)


def test_a_worker_that_does_not_end_is_killed_and_told(tmp_path: Path) -> None:
    deaf = "[signal.signal(signal.SIGTERM, signal.SIG_IGN), print('deaf', flush=True), time.sleep(60)]"
    process = supervised(deaf, 1, tmp_path)
    process.wait_for("(deaf)")
    code, printed = process.stop(signal.SIGTERM)
    assert code == 1
    assert "is killed: it has not ended within 1 s\n" in printed
