"""Servers in processes of their own, which tell how much CPU they have spent."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.application import App
from gateway.memory import settle
from gateway.server import configured

Serve = Callable[[socket.socket], None]

HOST = "127.0.0.1"
PATIENCE = 600
FORK = multiprocessing.get_context("fork")  # so that a server has all that was made for it


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a port of this machine."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """The address that it listens on."""
        return f"http://{HOST}:{self.port}"

    def cpu(self) -> float | None:
        """Give the seconds of CPU that it has spent, to the nanosecond; None where the system does not tell."""
        tasks = list(Path(f"/proc/{self.pid}/task").glob("*/schedstat"))
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9 if tasks else None


@contextmanager
def started(serve: Serve) -> Iterator[Server]:
    """Start a process that serves on a free port, until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((HOST, 0))
        listener.listen(256)
        process = FORK.Process(target=serve, args=(listener,), daemon=True)
        process.start()
        try:
            yield Server(listener.getsockname()[1], process.pid or 0)
        finally:
            process.terminate()
            process.join()


def serving(make_app: Callable[..., ASGIApp], *arguments: object) -> Serve:
    """Give what serves an application, made in the process that serves it, as `gateway serve` does."""
    return partial(_serve, make_app, arguments)


def _serve(make_app: Callable[..., ASGIApp], arguments: tuple[object, ...], listener: socket.socket) -> None:
    app = make_app(*arguments)
    settle()
    config = configured(app) if isinstance(app, App) else uvicorn.Config(app, log_config=None, access_log=False)
    config.lifespan = "off"
    config.timeout_keep_alive = PATIENCE  # connections rest while others are measured
    uvicorn.Server(config).run(sockets=[listener])


def bare(answer: bytes) -> ASGIApp:
    """An application that answers the same bytes whatever is asked: what a server can do at most."""
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))],
    }

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    return app
