"""A gateway and its sandbox on real sockets, and Node scripts beside them."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from gateway.app import create_app
from gateway.demo import demo_examples, demo_settings
from gateway.http import graphiql
from gateway.sandbox import Sandbox
from gateway.sandbox.upstream import Upstream
from gateway.serving import listen, serving, url_of
from tests.processes import environment

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SCHEMA = FOLDER.parent.parent / "schema.graphql"
SECONDS = 120  # far more than any script needs
# Upstreams are asked often, because each look at one is a second of its time.
PACE = {"gateway_watch_shortest": 0.1, "gateway_watch_growth": 1.0, "gateway_report_calls": False}

Node = Callable[..., Coroutine[Any, Any, Any]]
Run = Callable[..., Coroutine[Any, Any, str]]


@dataclass(slots=True)
class SecondACall:
    """A clock that each call to an upstream moves on by a second, so that a course is seen the same each time."""

    started: float = field(default_factory=time.time)
    upstreams: Sequence[Upstream] = ()

    def __call__(self) -> float:
        return self.started + sum(len(upstream.requests) for upstream in self.upstreams)


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway over a sandbox, each behind a uvicorn of its own; `url` is where it answers."""

    url: str
    sandbox: Sandbox

    @property
    def websocket_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def scan_id(self) -> str:
        """A scan that is ready."""
        return self.sandbox.prism.scan_ids("READY")[0]

    @property
    def moving_scan_id(self) -> str:
        """A scan that begins two seconds after the sandbox, and is ready twelve seconds later."""
        scans = self.sandbox.prism.scans
        return next(id_ for id_ in self.sandbox.prism.scan_ids("CREATED") if scans[id_].steps)

    @property
    def asset_ids(self) -> list[str]:
        """The project's assets, newest first."""
        assets = self.sandbox.scenario.assets.values()
        own = [a for a in assets if a["ownerId"] == self.sandbox.project_id and "deletedAt" not in a]
        return [a["id"] for a in sorted(own, key=lambda a: a["createdAt"], reverse=True)]


@asynccontextmanager
async def simulated() -> AsyncIterator[Sandbox]:
    """Run a sandbox whose time goes by the calls."""
    with listen("127.0.0.1", 0, "nothing") as listener:
        clock = SecondACall()
        sandbox = Sandbox(clock=clock, url=url_of(listener))
        clock.upstreams = (sandbox.prism, sandbox.scenario)
        async with serving((sandbox.app, listener)):
            yield sandbox


@asynccontextmanager
async def serve(sandbox: Sandbox, **settings: Any) -> AsyncIterator[Served]:
    """Run a gateway with some settings over a sandbox."""
    with listen("127.0.0.1", 0, "nothing") as listener:
        # Transports of its own, because the environment may name a proxy.
        transports = {name: httpx.AsyncHTTPTransport() for name in ("prism", "scenario")}
        app = create_app(demo_settings(sandbox).model_copy(update=PACE | settings), transports=transports)
        async with serving((app, listener)):
            yield Served(f"{url_of(listener)}/graphql", sandbox)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox with default data."""
    async with simulated() as running:
        yield running


@pytest.fixture
async def served(sandbox: Sandbox) -> AsyncIterator[Served]:
    """A gateway with default settings."""
    async with serve(sandbox) as running:
        yield running


@pytest.fixture
async def url(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[str]:
    """Where a gateway over a sandbox answers; its parameter is settings."""
    async with serve(sandbox, **getattr(request, "param", {})) as running:
        yield running.url


@pytest.fixture
async def demo_url() -> AsyncIterator[str]:
    """Where a gateway answers as `gateway demo` serves it, in real time."""
    with listen("127.0.0.1", 0, "nothing") as listener, listen("127.0.0.1", 0, "nothing") as sandbox_listener:
        sandbox = Sandbox(url=url_of(sandbox_listener))
        transports = {name: httpx.AsyncHTTPTransport() for name in ("prism", "scenario")}
        app = create_app(demo_settings(sandbox), transports=transports, examples=demo_examples(sandbox))
        async with serving((sandbox.app, sandbox_listener), (app, listener)):
            yield f"{url_of(listener)}/graphql"


def missing(what: str) -> NoReturn:
    """Skip a test for want of something that is installed beside the gateway; where CI runs, fail it."""
    why = f"needs {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def run() -> Run:
    """Run a program that must end well, in a folder if one is given, and give what it prints."""

    async def run(program: str | Path, *arguments: str | Path, folder: Path | None = None) -> str:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=folder,
            env=environment({}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"{out.decode()}\n{err.decode()}"
        return out.decode()

    return run


@pytest.fixture
def npm() -> Path:
    """The folder of the npm packages."""
    folder = FOLDER / "node_modules"
    if shutil.which("node") is None or not folder.exists():
        missing("Node 20.19 or newer and `make clients`")
    return folder


@pytest.fixture
def node(run: Run, npm: Path) -> Node:
    """Run a script of this folder with arguments, and give the JSON that it prints."""

    async def node(script: str, *arguments: str) -> Any:
        return json.loads(await run("node", npm.parent / script, *arguments))

    return node


@pytest.fixture
def ariadne() -> Path:
    """The command `ariadne-codegen`."""
    command = FOLDER / ".venv" / "bin" / "ariadne-codegen"
    if not command.exists():
        missing("`make clients`")
    return command


@pytest.fixture
def browser() -> str:
    """Where a Chromium is, to open the page that was built."""
    if not graphiql.is_built():
        missing("GraphiQL: `make graphiql`")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing("Chromium or Chrome on the PATH; Debian's is `apt-get install chromium`")
    return found
