"""The whole gateway over the sandbox, without a socket: what most tests run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from gateway.app import create_app
from gateway.auth.caller import ANYONE, Caller, Gate
from gateway.engine.subscriptions import AnswerStream
from gateway.http.application import App
from gateway.process import Gateway
from gateway.sandbox import Sandbox
from gateway.settings import Settings
from gateway.sources import Sources
from tests.callers import NAME

URL = "http://sandbox.test"
NOON = 1_790_000_000.0  # 2026-09-21
# Each call is made once, whatever comes of it.
ONCE: dict[str, Any] = {"gateway_retries": 0, "gateway_breaker_calls": 0, "gateway_slow_from": 60}


@dataclass(slots=True)
class Clock:
    """A clock that moves when a test says so, and wakes those who sleep by it."""

    now: float = NOON
    sleepers: dict[asyncio.Future[None], float] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has moved on by so much; `slept` notes how much."""
        self.slept.append(seconds)
        alarm = asyncio.get_running_loop().create_future()
        self.sleepers[alarm] = self.now + seconds
        try:
            await alarm
        finally:
            del self.sleepers[alarm]

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for alarm, due in self.sleepers.items():
            if due <= self.now and not alarm.done():
                alarm.set_result(None)

    async def run(self, seconds: float) -> None:
        """Move on by so much, stopping wherever a sleeper wakes until nothing more happens at that moment."""
        end = self.now + seconds
        await settle()
        while self.sleepers and (due := min(self.sleepers.values())) <= end:
            self.advance(max(0.0, due - self.now))
            await settle()
        self.advance(end - self.now)
        await settle()


async def settle() -> None:
    """Wait until every task waits for something else."""
    loop: Any = asyncio.get_running_loop()
    while loop._ready:  # noqa: ASYNC110, SLF001 - what asyncio will run next; it has no other way to tell
        await asyncio.sleep(0)


@dataclass(slots=True)
class World:
    """A gateway, its sandbox and their clock."""

    app: App
    sandbox: Sandbox
    clock: Clock
    client: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)
    caller: Caller = ANYONE

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.state.gateway
        return gateway

    @property
    def sources(self) -> Sources:
        """Those of the only tenant."""
        return self.gateway.tenants.of().sources

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Every upstream call since the last look, in order of upstream and time."""
        calls = [(c.method, c.path) for c in (*self.sandbox.prism.calls, *self.sandbox.scenario.calls)]
        self.forget_calls()
        return calls

    def forget_calls(self) -> None:
        """Tell of calls from now on."""
        self.sandbox.prism.clear()
        self.sandbox.scenario.clear()

    @property
    def asset_ids(self) -> list[str]:
        """The assets of the gateway's own project that are not deleted."""
        assets = self.sandbox.scenario.assets.values()
        return [a["id"] for a in assets if a["ownerId"] == self.sandbox.project_id and "deletedAt" not in a]

    async def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        """Post an operation and give its whole answer; errors without their `requestId`, which differs each time."""
        body = {"query": query, "variables": variables}
        response = await self.client.post("/graphql", json=body, headers=self.headers)
        answer: dict[str, Any] = response.json()
        for error in answer.get("errors", ()):
            error["extensions"].pop("requestId")
            error.pop("locations", None)
        return answer

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an answer that must have no errors."""
        answer = await self.execute(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def as_caller(self, caller: Caller) -> "World":
        """The same, asked by a caller whom its gate knows by name."""
        return replace(self, headers={**self.headers, NAME: caller.id}, caller=caller)

    async def subscribe(self, query: str, **variables: Any) -> AnswerStream | bytes:
        """Subscribe as the protocols do, under the request id `test`."""
        stream: AnswerStream | bytes = await self.app.state.engine.subscribe(
            query, variables, None, lambda: self.gateway.context("test", self.caller)
        )
        return stream

    async def download(self, url: str) -> httpx.Response:
        """Get a file that an answer pointed to."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.sandbox.app)) as client:
            return await client.get(url)


def settings_for(sandbox: Sandbox, **given: Any) -> Settings:
    """Settings that point at a sandbox, whatever the environment says: looking there would take half of most tests."""
    return Settings.model_validate(given_for(sandbox, **given))


def given_for(sandbox: Sandbox, **given: Any) -> dict[str, Any]:
    """The same before they are read."""
    credential = {"scenario_api_key": sandbox.scenario_api_key, "scenario_api_secret": sandbox.scenario_api_secret}
    if "scenario_jwt" in given or "scenario_public" in given:
        credential = {}
    return {
        "prism_url": f"{URL}/prism",
        "prism_api_key": sandbox.prism_api_key,
        "scenario_url": f"{URL}/scenario/v1",
        **credential,
        **given,
    }


@asynccontextmanager
async def world(
    settings: dict[str, Any] | None = None, *, gate: Gate | None = None, **sandbox_options: Any
) -> AsyncIterator[World]:
    """Run a gateway with some settings, and a gate other than theirs, over a sandbox with some options."""
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL, **sandbox_options)
    async with opened(app_over(sandbox, clock, gate, **(settings or {})), sandbox, clock) as made:
        yield made


def app_over(sandbox: Sandbox, clock: Clock, gate: Gate | None = None, **settings: Any) -> App:
    """A gateway over a sandbox, by the same clock."""
    transport = httpx.ASGITransport(app=sandbox.app)
    return create_app(
        settings_for(sandbox, **settings),
        transports={"prism": transport, "scenario": transport},
        clock=clock,
        sleep=clock.sleep,
        gate=gate,
    )


@asynccontextmanager
async def opened(app: App, sandbox: Sandbox, clock: Clock) -> AsyncIterator[World]:
    """Run an application, and give it with a client of it."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://gateway.test",
            headers={"accept": "application/json"},
        ) as client,
    ):
        yield World(app, sandbox, clock, client)
