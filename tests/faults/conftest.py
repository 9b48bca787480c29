"""What fails here are real processes: a sandbox and gateways, each started as its operator would.

One gateway over one sandbox serves all tests that need no other settings: starting both takes a while.
"""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.faults.stage import JOIN, UNKEPT, Running, Stage, drained, sandbox_and_gateway, staged_on
from tests.processes import running, settings_at


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that keeps nothing."""
    with sandbox_and_gateway(tmp_path_factory.mktemp("stage"), **UNKEPT) as running:
        yield running


@pytest.fixture
async def stage(processes: Running) -> AsyncIterator[Stage]:
    """The same, without faults, and asked by clients of this test."""
    async with staged_on(processes) as stage:
        await stage.mend()
        await stage.well_again(JOIN)
        yield stage


@pytest.fixture(scope="package")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `gateway sandbox` serves both upstreams."""
    with running("sandbox", "--port", "0", folder=tmp_path_factory.mktemp("sandbox")) as process:
        url = process.wait_for(r"Prism +(\S+)/prism ")
        drained(process)
        yield url


@pytest.fixture
def sandbox(sandbox_url: str) -> Iterator[httpx.Client]:
    """The sandbox's own API, without faults and calls of other tests."""
    with httpx.Client(base_url=f"{sandbox_url}/sandbox", trust_env=False) as client:
        client.delete("/faults")
        client.delete("/calls")
        yield client


@pytest.fixture
def settings(sandbox_url: str) -> dict[str, str]:
    """What `gateway serve` needs to use that sandbox, on any free port."""
    return settings_at(sandbox_url)
