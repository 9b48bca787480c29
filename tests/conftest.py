"""What every test may ask for."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from tests.world import World, world

ON_BOTH_LOOPS = ("test_http1.py", "test_network.py")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    """Run what speaks to sockets itself on both event loops: asyncio's own and the one that serves."""
    if item.path.name not in ON_BOTH_LOOPS or sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not on Windows

    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's shell exports for the gateway is not for the tests."""
    for name in [name for name in os.environ if name.startswith(("PRISM_", "SCENARIO_", "GATEWAY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
async def gateway() -> AsyncIterator[World]:
    """A gateway with default settings over a sandbox with default data."""
    async with world() as made:
        yield made
