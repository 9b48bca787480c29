"""A sandbox with a clock that stands still, and clients that reach it without a network."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from gateway.sandbox import Sandbox

URL = "http://sandbox.test"
# 2026-03-10 12:00:00 UTC: a URL of Scenario signed then expires at the end of the 21st.
START = 1_773_144_000.0

PRISM_HEADERS = {
    "accept": "application/json;v=1",
    "authorization": f"Bearer {Sandbox.prism_api_key}",
    "content-type": "application/json",
}


@dataclass
class Clock:
    """A clock that moves when told."""

    now: float = START

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(clock=clock, url=URL)


@pytest_asyncio.fixture
async def prism(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with prism_of(sandbox) as client:
        yield client


@pytest_asyncio.fixture
async def scenario(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with scenario_of(sandbox) as client:
        yield client


@pytest_asyncio.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(sandbox) as client:
        yield client


def browser_of(sandbox: Sandbox) -> httpx.AsyncClient:
    """A client without credentials, for files and the control API."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=URL)


def prism_of(sandbox: Sandbox) -> httpx.AsyncClient:
    """A client of the simulated Prism with all three headers."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url=f"{URL}/prism", headers=PRISM_HEADERS)


def scenario_of(
    sandbox: Sandbox, key: str = Sandbox.scenario_api_key, secret: str = Sandbox.scenario_api_secret
) -> httpx.AsyncClient:
    """A client of the simulated Scenario with a key pair."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(sandbox.app), base_url=f"{URL}/scenario/v1", auth=(key, secret)
    )
