"""A gateway and its sandbox on real sockets, and beside them Node scripts and a browser."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from socket import socket
from typing import Any, NoReturn

import httpx
import pytest

from gateway.app import create_app
from gateway.demo import demo_examples, demo_settings
from gateway.http import graphiql
from gateway.sandbox import Sandbox
from gateway.serving import listen, serving, url_of

FOLDER = Path(__file__).parent
SECONDS = 120  # far more than any script needs
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

Node = Callable[..., Awaitable[Any]]


def lacking(why: str) -> NoReturn:
    """Skip a test for what a machine lacks; CI lacks nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def sandbox_listener() -> Iterator[socket]:
    """Where the sandbox answers."""
    with listen("127.0.0.1", 0, "nothing") as listener:
        yield listener


@pytest.fixture
def sandbox(sandbox_listener: socket) -> Sandbox:
    """The upstreams of the gateway at `url`."""
    return Sandbox(url=url_of(sandbox_listener))


@pytest.fixture
async def url(request: pytest.FixtureRequest, sandbox: Sandbox, sandbox_listener: socket) -> AsyncIterator[str]:
    """Where a gateway over a sandbox answers, each behind a uvicorn of its own; its parameter is settings."""
    with listen("127.0.0.1", 0, "nothing") as listener:
        # Transports of its own, because the environment may name a proxy.
        transports = {name: httpx.AsyncHTTPTransport() for name in ("prism", "scenario")}
        settings = demo_settings(sandbox).model_copy(update=getattr(request, "param", {}))
        app = create_app(settings, transports=transports, examples=demo_examples(sandbox))
        async with serving((sandbox.app, sandbox_listener), (app, listener)):
            yield f"{url_of(listener)}/graphql"


@pytest.fixture
def node() -> Node:
    """Run a script of this folder with arguments, and give the JSON that it prints."""
    program = shutil.which("node")
    if program is None or not (FOLDER / "node_modules").exists():
        lacking("needs Node 20.19 or newer and `make clients`")

    async def run(script: str, *arguments: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            program, str(FOLDER / script), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    return run


@pytest.fixture
def browser() -> str:
    """Where a Chromium is, to open the page that was built."""
    if not graphiql.is_built():
        lacking("needs GraphiQL: `make graphiql`")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        lacking("needs Chromium or Chrome on the PATH; Debian's is `apt-get install chromium`")
    return found
