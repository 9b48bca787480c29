"""What every test may ask for."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import coverage
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from gateway.logs import QUIET, Handler
from tests.processes import SECONDS
from tests.redis_server import RedisServer, running_redis
from tests.world import World, world


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage, nor in the processes that are started, where a test is marked so."""
    measuring = coverage.Coverage.current()
    if measuring is None or item.get_closest_marker("uncovered") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
            patch.delenv(name)
        measuring.stop()
        try:
            return (yield)
        finally:
            measuring.start()


@pytest.fixture(scope="session", autouse=True)
def clients_that_wait() -> Iterator[None]:
    """Let a client of httpx wait for longer than its five seconds: a busy machine may need them."""
    with pytest.MonkeyPatch.context() as patch:
        for step in ("connect", "read", "write", "pool"):
            patch.setattr(DEFAULT_TIMEOUT_CONFIG, step, SECONDS)
        yield


@pytest.fixture
async def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], float]:
    """What lets seconds pass by the loop's clock, and gives all that have."""
    loop, later = asyncio.get_running_loop(), 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + later)

    def wait(seconds: float) -> float:
        nonlocal later
        later += seconds
        return later

    return wait


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's shell exports for the gateway is not for the tests."""
    for name in [name for name in os.environ if name.startswith(("PRISM_", "SCENARIO_", "GATEWAY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_log_of_another_test() -> Iterator[None]:
    """Let logging be as it was before a command, or a test, configured it."""
    yield
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, Handler)]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server of the test's own."""
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def gateway() -> AsyncIterator[World]:
    """A gateway with default settings over a sandbox with default data."""
    async with world() as made:
        yield made
